"""Lint of what a rule takes upon itself: how much an ``intentional`` one silences, who answers for it, until when."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rules.lint.findings import Finding, Level, Subject
from rules.rule_scope import excludes_tool, narrows_what, narrows_who, tells_tool
from rules.verdicts import VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

SOON = timedelta(days=14)
_ANYBODY = "anybody can set a user agent"


def scope_findings(subject: Subject, at: datetime) -> Iterator[Finding]:
    """Findings on one rule."""
    if subject.rule.verdict is VerdictKind.INTENTIONAL:
        yield from _too_broad(subject)
    yield from _nobody_answers(subject)
    expires = subject.compiled.expires
    if expires is not None and expires <= at:
        message = f"has expired on {expires:%Y-%m-%d} and no longer counts"
        yield subject.finding(Level.WARNING, "expired", message, "expires")
    elif expires is not None and expires <= at + SOON:
        message = f"expires on {expires:%Y-%m-%d} and then no longer counts"
        yield subject.finding(Level.NOTE, "expires-soon", message, "expires")


def _too_broad(subject: Subject) -> Iterator[Finding]:
    """The broadest of the combinations is told of: one is enough to silence."""
    combinations = subject.combinations
    excluded = excludes_tool(subject.compiled.unless)
    broadest = min(combinations, key=lambda one: (narrows_who(one) + narrows_what(one), -tells_tool(one)))
    who, what, tool = narrows_who(broadest), narrows_what(broadest), excluded or tells_tool(broadest)
    place = ("match",)
    which = "" if len(combinations) == 1 else " in one of its alternatives"
    if not who and not what and tool:
        message = f"never counts{which}: a tool alone explains nothing, for {_ANYBODY}; name a role and the tables or stacks"
        yield subject.finding(Level.ERROR, "tool-only", message, *place)
    elif not who and not what:
        message = f"silences everybody, whatever they change{which}; name a role and the tables or stacks"
        yield subject.finding(Level.ERROR, "too-broad", message, *place)
    elif not who:
        because = f" (a tool is nobody: {_ANYBODY})" if tool else ""
        message = (
            f"silences everybody{which}: it does not say who may do it, such as by facts.actor.role{because}"
        )
        yield subject.finding(Level.WARNING, "no-who", message, *place)
    elif not what:
        message = (
            f"silences whatever they change{which}: it does not say what, such as by facts.resource.name"
        )
        yield subject.finding(Level.WARNING, "no-what", message, *place)


def _nobody_answers(subject: Subject) -> Iterator[Finding]:
    rule = subject.rule
    silences = rule.verdict is VerdictKind.INTENTIONAL
    if silences and not rule.owner.strip() and not subject.of_default_pack:
        message = "has no owner: nobody knows whom to ask when it silences what it should not"
        yield subject.finding(Level.WARNING, "no-owner", message)
    if silences and not rule.reason.strip():
        message = "has no reason: nobody knows why the change is intended"
        yield subject.finding(Level.WARNING, "no-reason", message)
    elif not rule.reason.strip() and not rule.description.strip():
        message = "has no reason, so that the alert can only name its id"
        yield subject.finding(Level.NOTE, "no-reason", message)

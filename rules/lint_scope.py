"""Lint of what a rule takes upon itself: how much an ``intentional`` one silences, who answers for it, until when."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rules.lint_findings import Finding, Level, Subject
from rules.verdicts import VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rules.patterns.structure import Combination

SOON = timedelta(days=14)
_WHO = (
    "facts.actor.name", "facts.actor.arn", "facts.actor.role", "facts.actor.issuer", "facts.actor.session",
    "facts.actor.sourceIdentity", "facts.actor.sourceIp", "facts.origin.requestToken",
    "detail.sourceIPAddress", "detail.userIdentity.arn", "detail.userIdentity.userName", "detail.userIdentity.principalId",
    "detail.userIdentity.accessKeyId", "detail.userIdentity.onBehalfOf.", "detail.userIdentity.sessionContext.sessionIssuer.",
    "detail.userIdentity.sessionContext.sourceIdentity", "detail.userIdentity.sessionContext.webIdFederationData.",
    "detail.client-request-token", "detail.requestParameters.clientRequestToken",
)  # fmt: skip
_WHAT = (
    "facts.resource.name", "facts.resource.arn", "facts.resource.key", "facts.origin.stack", "facts.table.tags.",
    "facts.account", "account", "detail.recipientAccountId", "resources", "detail.resources.",
    "detail.requestParameters.tableName", "detail.requestParameters.stackName", "detail.requestParameters.backupArn",
    "detail.requestParameters.resourceArn", "detail.requestParameters.globalTableName", "detail.requestParameters.stackSetName",
    "detail.requestParameters.bucketName", "detail.requestParameters.key", "detail.responseElements.tableDescription.table",
    "detail.responseElements.stackId", "detail.stack-id", "detail.stack-set-arn", "detail.logical-resource-id",
    "detail.physical-resource-id", "detail.bucket.", "detail.object.",
)  # fmt: skip
_SAID_BY_CALLER = ("facts.tool", "facts.app", "detail.userAgent")
_INTENTS = "facts.intents"
_ANYBODY = "anybody can set a user agent"
# Issuers are roles; that it is one narrows nothing.
_KINDS_ONLY = frozenset({"detail.userIdentity.sessionContext.sessionIssuer.type", "detail.resources.type"})


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
    broadest = min(
        combinations, key=lambda one: (_narrows(one, _WHO) + _narrows(one, _WHAT), -_tells_tool(one))
    )
    who, what, tool = _narrows(broadest, _WHO), _narrows(broadest, _WHAT), _tells_tool(broadest)
    place = ("match",)
    which = "" if len(combinations) == 1 else " in one of its alternatives"
    if not who and not what and tool:
        message = f"silences whoever claims to use a tool{which}, and {_ANYBODY}; name a role and the tables or stacks"
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


def _narrows(combination: Combination, paths: tuple[str, ...]) -> bool:
    """Whether one of some paths is asked for few values. That an intent was declared is enough: it names its own."""
    return any(
        {"exists": False} not in condition.written
        if path == _INTENTS
        else path.startswith(paths) and path not in _KINDS_ONLY and all(map(_is_narrow, condition.written))
        for path, condition in combination.items()
    )


def _is_narrow(value: Any) -> bool:
    """Whether a value of a pattern names some and not nearly all."""
    if not isinstance(value, dict):
        return value not in ("", None)
    operator, operand = next(iter(value.items()))
    if operator in {"exists", "anything-but"}:
        return False
    if operator == "wildcard":
        return bool(operand.strip("*"))
    return operand not in ("", {"equals-ignore-case": ""})


def _tells_tool(combination: Combination) -> bool:
    return any(path in _SAID_BY_CALLER for path in combination)


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

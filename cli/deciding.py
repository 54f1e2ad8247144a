"""What `incidents dismiss` makes of an incident that was meant: a drafted rule, or an intent for what is still to come."""

from __future__ import annotations

from glob import escape
from typing import TYPE_CHECKING

from cli.drafted_rules import check_draft
from recovery.intents import ALWAYS_ALERTING, OPERATIONS, Declaration
from rules.actors import ActorKind
from rules.drafting.draft import DraftOptions, draft_rule
from rules.errors import UsageError
from watcher.facts.evidence import evidence

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from rules.net import NetParts
    from watcher.incidents.incident import Incident, Person

_BY_HAND = "Declare it by hand: see `safetynet intent declare --help`."


def rule_for(incident: Incident, net: NetParts, reason: str, now: datetime) -> str:
    """The text of a rule file that explains such a change from now on. Raises UsageError, NotFoundError as drafting."""
    event, facts = evidence(incident, net=net)
    text = draft_rule(event, facts, now, DraftOptions(reason=reason))
    check_draft(text, now)
    return text


def intent_for(incident: Incident, reason: str, lasts: timedelta) -> Declaration:
    """What to declare so that the same person may go on with the same table or stack for a while.

    Raises UsageError where no intent may or can cover such a change.
    """
    done = next((note for note in incident.events if not note.error_code), None)
    if done is None:
        raise UsageError("AWS refused it, so there is no change to declare", hint=_BY_HAND)
    if done.name in ALWAYS_ALERTING:
        raise UsageError(
            f"{done.name} weakens the net itself: no intent silences that",
            hint="Dismiss it without --declare-intent.",
        )
    subject, by = incident.subject, _principal(incident.actor)
    if done.name not in OPERATIONS or subject.type not in {"table", "stack"} or not subject.name or not by:
        raise UsageError(
            f"no intent can be made of {incident.title}: it does not say who did what to which table",
            hint=_BY_HAND,
        )
    name = escape(subject.name)
    return Declaration(
        table=name if subject.type == "table" else "",
        stack=name if subject.type == "stack" else "",
        by=by,
        lasts=lasts,
        reason=reason,
        operations=(done.name,),
        account=incident.account,
        region=incident.region,
    )


def _principal(person: Person) -> str:
    """A pattern for exactly him: with single sign-on the person, else the role or the user; "" for nobody known."""
    if person.invoked_by and not person.arn:
        return ""
    arn = person.arn if person.kind == ActorKind.SSO else person.issuer or person.arn
    return escape(arn or person.role or person.name)

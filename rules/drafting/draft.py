"""A draft of an ``intentional`` rule for an event: as narrow as makes sense, with tests, for a person to edit.

The rule names the principal (the role, not the session of it), the resource by what of its name stays the same,
the account and the region; it never rests on the user agent, which anybody can set.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rules.actions import Weight
from rules.actors import ActorKind
from rules.drafting.inline_tests import Drafted, DraftedTests
from rules.drafting.names import (
    PRODUCTION_TAGS,
    PRODUCTION_WORDS,
    job_session,
    looks_like_production,
    production_names,
    rule_id_of,
    stable_prefix,
    tagged_as_production,
)
from rules.drafting.yaml_text import Note, written
from rules.errors import UsageError
from rules.facts import NOT_LOOKED_UP
from rules.watched import ACTIONS_BY_CALL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rules.events import ChangeEvent
    from rules.facts import Facts

LASTS = timedelta(days=90)
DEFAULT_SCHEMA = "rules.schema.json"
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")
_NAMED = frozenset({ActorKind.ASSUMED_ROLE, ActorKind.SSO, ActorKind.IAM_USER, ActorKind.FEDERATED})
_LONGEST_SHOWN = 100
_LONGEST_NAME, _PRODUCTION = 100, "-production"
_BY_HAND = "Write the rule by hand if it must be; see docs/rules.md."


@dataclass(frozen=True, slots=True)
class DraftOptions:
    """What a person may say about a draft. ``schema`` is where editors find the JSON Schema of rule files."""

    rule_id: str = ""
    owner: str = ""
    reason: str = ""
    schema: str = DEFAULT_SCHEMA


def draft_rule(event: ChangeEvent, facts: Facts, at: datetime, options: DraftOptions | None = None) -> str:
    """The text of a rule file with one rule that explains the event, and tests of it.

    ``at`` (aware, UTC) is when it is written: it expires ``LASTS`` later. Raises UsageError for what no rule can
    or should silence: tampering, attempts, what nobody watches, production, and principals that nobody knows.
    """
    return _Draft(event, facts, options or DraftOptions()).text(at)


def check_can_be_silenced(event: ChangeEvent, facts: Facts) -> None:
    """Raises UsageError, with what to do instead, for an event that no drafted rule may explain."""
    action, resource = event.action, event.resource
    if action is None or not event.alerting:
        raise UsageError(
            f"nobody watches {shown(event.event_name)} on {shown(event.event_source)}: it needs no rule",
            hint="It never alerts. See `safetynet rules explain`.",
        )
    if action.weight is Weight.TAMPERING:
        raise UsageError(
            f"{event.title}: no rule may silence tampering with the safety net",
            hint="Acknowledge the incident instead.",
        )
    if event.failed:
        raise UsageError(
            f"{event.title}: AWS refused it ({shown(event.error_code)}), so there is no change to explain",
            hint="Draft from an event of a call that succeeded.",
        )
    if event.actor.kind is ActorKind.ROOT:
        raise UsageError("the root user did it: no rule is drafted for the root user", hint=_BY_HAND)
    if event.actor.kind not in _NAMED or not (event.actor.arn or event.actor.name):
        raise UsageError(
            "the event names no role and no user, so a rule for it would silence anybody",
            hint="Draft from the call itself, such as DeleteStack, and not from what a service did about it.",
        )
    if not resource.name:
        raise UsageError("the event does not say what it happened to", hint=_BY_HAND)
    stack = str(_fact(facts, "origin", "stack") or "")
    tags = _fact(facts, "table", "tags")
    if looks_like_production(resource.name) or looks_like_production(stack) or tagged_as_production(tags):
        raise UsageError(
            f"{shown(resource.name)} looks like production: no rule is drafted that would silence its loss",
            hint="Declare the one change instead: `safetynet intent declare --help`.",
        )


def shown(text: str) -> str:
    """A stranger's text on one line of ASCII, cut: for messages, and for comments that it must not leave."""
    plain = json.dumps(text)[1:-1]
    return plain if len(plain) <= _LONGEST_SHOWN else f"{plain[:_LONGEST_SHOWN]}..."


class _Draft:
    """One draft in the making."""

    def __init__(self, event: ChangeEvent, facts: Facts, options: DraftOptions) -> None:
        check_can_be_silenced(event, facts)
        if options.rule_id and not _ID.fullmatch(options.rule_id):
            raise UsageError(
                f"not a rule id: {shown(options.rule_id)}", hint="Lower-case letters, digits and dashes."
            )
        self._event = event
        self._options = options
        self._known = facts.document
        self._prefix = stable_prefix(event.resource.name)
        table = event.resource.type == "table"
        self._stack = str(_fact(facts, "origin", "stack") or "") if table else ""
        self._stack_prefix = stable_prefix(self._stack)
        tags = _fact(facts, "table", "tags")
        self._tags: Mapping[str, Any] | None = tags if isinstance(tags, dict) and table else None
        # Tags that could not be read would keep the rule from ever counting: an intentional rule does not rest on
        # what nobody knows. Tags that nobody looked up yet may well be known to the watcher.
        self._asks_tags = table and (
            self._tags is not None or facts.unknown.get("table.tags") == NOT_LOOKED_UP.reason
        )
        change = event.action.change if event.action else ""
        self._id = options.rule_id or rule_id_of(change, self._prefix or event.resource.name)
        # Names of lists are unique over all files, as ids are; the default pack's own may be switched off.
        self._list = f"{self._id[: _LONGEST_NAME - len(_PRODUCTION)]}{_PRODUCTION}"

    def text(self, at: datetime) -> str:
        """The whole file."""
        rule = self._rule(at)
        drafted = Drafted(self._id, rule["match"], self._prefix, self._stack, self._stack_prefix, self._tags)
        tests = DraftedTests(self._event, drafted, self._known, asks_tags=self._asks_tags)
        lists = {"lists": {self._list: list(PRODUCTION_WORDS)}} if self._asks_tags else {}
        document = {"version": 1, **lists, "rules": [rule], "tests": tests.documents()}
        return written(document, self._notes(), self._heading())

    def _heading(self) -> list[str]:
        event = self._event
        return [
            f"yaml-language-server: $schema={json.dumps(self._options.schema)[1:-1]}",
            "",
            f"Drafted from event {shown(event.id)}: {event.title}, {shown(event.resource.name)},",
            f"by {shown(event.actor.label)}, {event.time:%Y-%m-%d %H:%M:%S} UTC.",
            "Read it, edit it, then run `safetynet rules check` and `safetynet rules test` on it.",
        ]

    def _rule(self, at: datetime) -> dict[str, Any]:
        event = self._event
        past = event.action.past if event.action else ""
        who = event.actor.role or event.actor.name or event.actor.arn
        what = f"{self._prefix}*" if self._prefix else event.resource.name
        return {
            "id": self._id,
            "description": f"{past}, {shown(what)}, by {shown(who)}",
            "verdict": "intentional",
            "owner": self._options.owner,
            "reason": self._options.reason,
            "expires": f"{at + LASTS:%Y-%m-%d}",
            "match": self._match(),
            **self._unless(),
        }

    def _match(self) -> dict[str, Any]:
        event = self._event
        call = (event.event_source, event.event_name)
        # One call may do several things: UpdateTable takes a protection, an index or a replica away.
        several = len({action.change for action in ACTIONS_BY_CALL.get(call, ())}) > 1
        return {
            # No two watched services have a call of one name, and the watcher asks no rule about any other.
            "detail": {"eventName": [event.event_name]},
            "facts": {
                **({"change": [event.action.change]} if several and event.action else {}),
                "failed": [False],
                "account": [event.account],
                "region": [event.region],
                "actor": self._actor(),
                "resource": {"name": _value(event.resource.name, self._prefix)},
                **({"origin": {"stack": _value(self._stack, self._stack_prefix)}} if self._stack else {}),
            },
        }

    def _actor(self) -> dict[str, Any]:
        actor = self._event.actor
        who: dict[str, Any] = {"kind": [actor.kind.value], "name": [actor.name]}
        if actor.kind is ActorKind.SSO:
            # A permission set is shared by many; the session is the person.
            who = {"role": [actor.role], "session": [actor.session]}
        elif actor.role:
            who = {"issuer": [actor.issuer]} if actor.issuer else {"role": [actor.role]}
        elif actor.arn:
            who = {"arn": [actor.arn]}
        job = job_session(actor.session) if actor.kind is ActorKind.ASSUMED_ROLE else ""
        if job:
            who["session"] = _value(actor.session, "" if job == actor.session else job)
        return {**who, **({"invokedBy": [actor.invoked_by]} if actor.invoked_by else {})}

    def _unless(self) -> dict[str, Any]:
        """What looks like production is never meant; where a name is asked for exactly, it cannot be that."""
        found: list[dict[str, Any]] = []
        for path, name, prefix in (
            (("resource", "name"), self._event.resource.name, self._prefix),
            (("origin", "stack"), self._stack, self._stack_prefix),
        ):
            if prefix:
                operators = [operator for operator, _ in production_names(name)]
                found.append({"facts": {path[0]: {path[1]: operators}}})
        if self._asks_tags:
            tags = {"$or": [{key: [{"list": self._list}]} for key in PRODUCTION_TAGS]}
            found.append({"facts": {"table": {"tags": tags}}})
        if not found:
            return {}
        return {"unless": {"$or": found} if len(found) > 1 else found[0]}

    def _notes(self) -> list[Note]:
        rule: tuple[str | int, ...] = ("rules", 0)
        facts, actor = (*rule, "match", "facts"), self._event.actor
        notes = [
            Note(
                (*rule, "expires"),
                "A suggestion, 90 days ahead: a rule that nobody needs any more should end.",
            )
        ]
        if not self._options.owner:
            notes.append(Note((*rule, "owner"), "Whom to ask about it: a team or a person."))
        if not self._options.reason:
            notes.append(Note((*rule, "reason"), "Why the change is fine, for who reads the incident later."))
        if self._prefix:
            notes.append(Note((*facts, "resource", "name"), _generalised(self._event.resource.name)))
        if self._stack_prefix:
            notes.append(Note((*facts, "origin", "stack"), _generalised(self._stack)))
        if any(isinstance(asked, dict) for asked in self._actor().get("session", ())):
            notes.append(Note((*facts, "actor", "session"), _generalised(actor.session)))
        if self._event.resource.type == "table" and self._tags is None:
            notes.append(Note((*rule, "unless" if self._unless() else "match"), self._about_tags()))
        return notes

    def _about_tags(self) -> str:
        if self._asks_tags:
            return (
                "The tags come from the table's newest backup: for a table without one they are unknown, and then "
                "this rule does not count. Take them out where that is meant."
            )
        return "Tags are not asked for: this table's could not be read, and an intentional rule on them would not count."


def _value(name: str, prefix: str) -> list[Any]:
    return [{"prefix": prefix}] if prefix else [name]


def _generalised(name: str) -> str:
    return f"Generalised from {shown(name)}. For exactly that one write: [{json.dumps(shown(name))}]"


def _fact(facts: Facts, *path: str) -> Any:
    node: Any = facts.document
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return node

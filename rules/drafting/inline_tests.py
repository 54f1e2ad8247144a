"""The tests of a drafted rule: the event is intentional, and everything that is a little different is not."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

from rules.drafting.names import PRODUCTION_TAGS, job_session, production_names
from rules.drafting.yaml_text import Anchored, Changed
from rules.events import parse_event
from rules.rule_tests import RECORD_DEFAULTS
from rules.watched import WATCHED_ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rules.events import ChangeEvent

_ELSE = ("somebody-else", "nobody-we-know")
_OTHER_ACCOUNTS = ("999999999999", "888888888888")
_OTHER_REGIONS = ("ap-southeast-2", "us-west-1")
_OTHER_CHANGE = "table-restored"
_PRODUCTION = ("prod", "Production", "PRD", "live")
_LONGEST_REQUEST = 1500
_MOST_TAGS = 10


@dataclass(frozen=True, slots=True)
class Drafted:
    """What the tests have to know of the rule: its ``match``, and what of the names it asks for.

    ``prefix`` and ``stack_prefix`` are "" where a name is asked for exactly; ``tags`` are the table's, None where
    nobody knows them.
    """

    rule_id: str
    match: Mapping[str, Any]
    prefix: str
    stack: str
    stack_prefix: str
    tags: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class DraftedTests:
    """Tests, one for each condition of the rule, so that none can be taken out unnoticed.

    ``known`` is the document of the facts that the event was judged by.
    """

    event: ChangeEvent
    drafted: Drafted
    known: Mapping[str, Any]
    asks_tags: bool

    def documents(self) -> list[dict[str, Any]]:
        """The entries under ``tests:``."""
        record = self._record()
        return [
            {
                "name": "this change is intended",
                "event": Anchored("event", record),
                **self._facts(self._quiet()),
                "expect": {"verdict": "intentional", "rule": self.drafted.rule_id},
            },
            self._not("another principal is not", {"userIdentity": self._another(record)}),
            self._not("the root user is not", {"userIdentity": self._root()}),
            *self._of_actor(record),
            self._not_another_resource(record),
            *self._of_call(),
            self._not("another account is not", self._another_account(record)),
            self._not("another region is not", {"awsRegion": _other(self.event.region, _OTHER_REGIONS)}),
            self._not("an attempt that AWS refused is not", {"errorCode": "AccessDenied"}),
            *self._of_stack(),
            *self._of_production(),
        ]

    def _of_actor(self, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        asked = self.drafted.match["facts"]["actor"]
        if "session" in asked:
            other = _other(job_session(self.event.actor.session) or self.event.actor.session, _ELSE)
            yield self._not("another session of the role is not", {}, {"actor": {"session": other}})
        if "kind" in asked:
            yield self._not("another kind of principal is not", {}, {"actor": {"kind": "service"}})
        if "invokedBy" in asked:
            identity = {key: value for key, value in record["userIdentity"].items() if key != "invokedBy"}
            service = self.event.actor.invoked_by.partition(".")[0]
            yield self._not(f"the same without {service} is not", {"userIdentity": identity})

    def _of_call(self) -> Iterator[dict[str, Any]]:
        """Facts that would be others are given, so that only the call itself differs."""
        event, asks_change = self.event, "change" in self.drafted.match["facts"]
        change = {"change": event.action.change} if asks_change and event.action else {}
        same = {"resource": {"name": event.resource.name}, **change}
        name = next(
            action.event_name
            for action in WATCHED_ACTIONS
            if action.event_source == event.event_source and action.event_name != event.event_name
        )
        yield self._not("another call is not", {"eventName": name}, same)
        if change:
            yield self._not("another change by the same call is not", {}, {"change": _OTHER_CHANGE})

    def _of_stack(self) -> Iterator[dict[str, Any]]:
        if self.drafted.stack:
            other = _other(self.drafted.stack_prefix or self.drafted.stack, _ELSE)
            yield self._not("a table of another stack is not", {}, {"origin": {"stack": other}})

    def _of_production(self) -> Iterator[dict[str, Any]]:
        name, stack = self.event.resource.name, self.drafted.stack
        for _, end in production_names(name) if self.drafted.prefix else ():
            like = {"resource": {"name": f"{self.drafted.prefix}{end}"}}
            yield self._not(f"a name like {end} is not", {}, like)
        for _, end in production_names(stack) if self.drafted.stack_prefix else ():
            like = {"origin": {"stack": f"{self.drafted.stack_prefix}{end}"}}
            yield self._not(f"a stack like {end} is not", {}, like)
        for key, value in zip(PRODUCTION_TAGS, cycle(_PRODUCTION), strict=False) if self.asks_tags else ():
            yield self._not(f"the tag {key} of production is not", {}, {"table": {"tags": {key: value}}})

    def _not(self, name: str, changes: dict[str, Any], facts: dict[str, Any] | None = None) -> dict[str, Any]:
        return {
            "name": name,
            "event": Changed(changes),
            **self._facts(facts),
            "expect": {"verdict": "suspicious"},
        }

    def _facts(self, over: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The looked-up facts that the rule asks about: a test that left them out would have them unknown."""
        facts: dict[str, Any] = {}
        if self.asks_tags:
            tags = self.drafted.tags or {}
            facts["table"] = {"tags": dict(tags) if len(tags) <= _MOST_TAGS else {}}
        if self.drafted.stack:
            facts["origin"] = {"stack": self.drafted.stack}
        facts |= over or {}
        return {"facts": facts} if facts else {}

    def _quiet(self) -> dict[str, Any]:
        """What happened shortly before, as far as it is known; nothing much where it is not.

        An accidental rule on it could not be judged if it were left out, and would hold the drafted one back.
        """
        is_table = self.event.resource.type == "table"
        recent = {"deletions": 1, "weakened": [], **({"stackDeleted": False} if is_table else {})}
        known = self.known.get("recent")
        return {"recent": recent | (known if isinstance(known, dict) else {})}

    def _record(self) -> dict[str, Any]:
        """The least of the event's record that says the same; the whole record where less would not."""
        event = self.event
        request = event.record.request
        if len(json.dumps(request)) > _LONGEST_REQUEST or request.get("omitted") is True:
            key = "stackName" if event.resource.type == "stack" else "tableName"
            request = {key: event.resource.name}
        least: dict[str, Any] = {
            "eventSource": event.event_source,
            "eventName": event.event_name,
            "awsRegion": event.region,
            "recipientAccountId": event.account,
            "userIdentity": self._identity(),
            "requestParameters": copy.deepcopy(dict(request)),
        }
        if self._says_the_same(least):
            return least
        return copy.deepcopy(dict(event.envelope["detail"]))

    def _says_the_same(self, record: dict[str, Any]) -> bool:
        event, other = self.event, parse_event({**RECORD_DEFAULTS, **record})
        return (
            (other.action, other.account, other.region) == (event.action, event.account, event.region)
            and (other.resource.type, other.resource.name) == (event.resource.type, event.resource.name)
            and (other.actor.kind, other.actor.issuer, other.actor.role, other.actor.session)
            == (event.actor.kind, event.actor.issuer, event.actor.role, event.actor.session)
        )

    def _identity(self) -> dict[str, Any]:
        identity = self.event.record.identity
        issuer = identity.session_context.session_issuer if identity.session_context else None
        said = {
            "type": identity.type,
            "arn": identity.arn,
            "principalId": None if identity.arn else identity.principal_id,
            "accountId": identity.account_id,
            "userName": identity.user_name,
            "invokedBy": identity.invoked_by,
        }
        session = {"arn": issuer.arn, "userName": issuer.user_name} if issuer else {}
        context = {"sessionIssuer": {key: value for key, value in session.items() if value}}
        return {
            **{key: value for key, value in said.items() if value},
            **({"sessionContext": context} if context["sessionIssuer"] else {}),
        }

    def _another(self, record: dict[str, Any]) -> dict[str, Any]:
        """Another principal of the same kind, with everything else of the identity as it is."""
        actor, identity = self.event.actor, dict(record.get("userIdentity") or {})
        other = _other(actor.role or actor.name, _ELSE)
        if not actor.role:
            return {**identity, "arn": f"{self._arn('iam')}:user/{other}", "userName": other}
        issuer = {"arn": f"{self._arn('iam')}:role/{other}", "userName": other}
        return {
            **identity,
            "arn": f"{self._arn('sts')}:assumed-role/{other}/{actor.session or 'session'}",
            "sessionContext": {"sessionIssuer": issuer},
        }

    def _root(self) -> dict[str, Any]:
        return {"type": "Root", "arn": f"{self._arn('iam')}:root", "accountId": self.event.account}

    def _arn(self, service: str) -> str:
        """The beginning of an ARN of the account: ``arn:aws:iam::111122223333``."""
        return f"arn:{self._partition()}:{service}::{self.event.account}"

    def _partition(self) -> str:
        parts = self.event.actor.arn.split(":")
        return parts[1] if len(parts) > 1 and parts[1].startswith("aws") else "aws"

    def _not_another_resource(self, record: dict[str, Any]) -> dict[str, Any]:
        resource = self.event.resource
        other = _other(self.drafted.prefix or resource.name, (f"another-{resource.type}", *_ELSE))
        changes = {"requestParameters": _renamed(record.get("requestParameters"), resource.name, other)}
        title = f"a {resource.type.replace('-', ' ')} of another name is not"
        if parse_event({**RECORD_DEFAULTS, **record, **changes}).resource.name == other:
            return self._not(title, changes)
        return self._not(title, {}, {"resource": {"name": other}})

    def _another_account(self, record: dict[str, Any]) -> dict[str, Any]:
        other = _other(self.event.account, _OTHER_ACCOUNTS)
        return {
            "recipientAccountId": other,
            "userIdentity": {**(record.get("userIdentity") or {}), "accountId": other},
        }


def _other(taken: str, candidates: tuple[str, ...]) -> str:
    """A value that neither is what is taken nor begins with it."""
    return next((one for one in candidates if not one.startswith(taken)), f"x-{candidates[0]}")


def _renamed(value: Any, name: str, other: str) -> Any:
    """The same with the name replaced in every text, also inside ARNs."""
    if isinstance(value, dict):
        return {key: _renamed(one, name, other) for key, one in value.items()}
    if isinstance(value, list):
        return [_renamed(one, name, other) for one in value]
    return value.replace(name, other) if isinstance(value, str) else value

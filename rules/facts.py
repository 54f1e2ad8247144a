"""Facts: what is known around a change event, as one document that rules can match.

A fact has three states: known, absent, and unknown (it could not be read). Unknown facts are not in the
document, so that patterns see them as missing; their paths and the reasons are kept beside it, because an
``intentional`` rule must not rest on something nobody could look at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rules.resources import stack_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from rules.events import ChangeEvent
    from rules.resources import Resource

SECONDS_PER_HOUR = 3600
STACK_TAG = "aws:cloudformation:stack-name"
# With a service role the session's name is always this, and whoever asked CloudFormation is lost.
_SERVICE_ROLE_SESSION = "AWSCloudFormation"
_CLOUDFORMATION = frozenset({"cloudformation.amazonaws.com", "cloudformation.amazonaws.com.cn"})


@dataclass(frozen=True, slots=True)
class Unknown:
    """The third state of a fact, with the reason why it could not be read."""

    reason: str


NOT_LOOKED_UP = Unknown("not looked up")


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What is known of the table: tags, items, bytes and the time of its newest whole backup.

    ``newest_backup`` None means that there certainly is no backup.
    """

    tags: Mapping[str, str] | Unknown
    item_count: int | Unknown
    size_bytes: int | Unknown
    newest_backup: datetime | Unknown | None
    deletion_protection: bool | Unknown = NOT_LOOKED_UP
    recreated: bool | Unknown = NOT_LOOKED_UP


@dataclass(frozen=True, slots=True)
class RecentFacts:
    """What happened shortly before: see ``facts.recent`` in the schema of facts."""

    deletions: int | Unknown = NOT_LOOKED_UP
    weakened: Sequence[str] | Unknown = NOT_LOOKED_UP
    stack_deleted: bool | Unknown = NOT_LOOKED_UP


@dataclass(frozen=True, slots=True)
class Facts:
    """``document`` is matched under the key ``facts``; ``unknown`` maps dotted paths to reasons."""

    document: Mapping[str, Any]
    unknown: Mapping[str, str] = field(default_factory=dict)

    def unknown_among(self, paths: Iterable[str]) -> dict[str, str]:
        """The unknown facts that the given pattern paths (``facts.table.tags.env``) touch, with reasons."""
        return {
            unknown: reason
            for path in paths
            for unknown, reason in self.unknown.items()
            if _touch(path, f"facts.{unknown}")
        }

    def is_unknown(self, path: str) -> bool:
        """Whether a pattern path touches an unknown fact."""
        return any(_touch(path, f"facts.{unknown}") for unknown in self.unknown)


def _touch(path: str, place: str) -> bool:
    """Whether one of two paths leads to, or into, the other."""
    return path == place or path.startswith(place + ".") or place.startswith(path + ".")


def facts_of(
    event: ChangeEvent,
    table: TableFacts | None,
    intents: Sequence[str] | Unknown,
    recent: RecentFacts | None = None,
) -> Facts:
    """All facts of one event. ``table`` None: the event is not about a table. ``recent`` None: nobody looked.

    ``intents`` are the ids of the declared intents that cover it.
    """
    document = facts_from_event(event)
    unknown: dict[str, str] = {}
    if table is not None:
        _add_table(document, unknown, table, event.time)
        _add_stack(document, unknown, table.tags)
    if isinstance(intents, Unknown):
        unknown["intents"] = intents.reason
    else:
        document["intents"] = list(intents)
    _add_recent(document, unknown, recent or RecentFacts(), table is not None)
    return Facts(document, unknown)


def unlooked_facts(event: ChangeEvent, recent: RecentFacts | None = None) -> Facts:
    """The facts of an event where nobody can look further, as in an archive."""
    table = None
    if event.resource.type == "table":
        table = TableFacts(NOT_LOOKED_UP, NOT_LOOKED_UP, NOT_LOOKED_UP, NOT_LOOKED_UP)
    return facts_of(event, table, NOT_LOOKED_UP, recent)


def with_facts(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """A document of facts with another laid over it, object by object."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = with_facts(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def has_fact(document: Mapping[str, Any], path: str) -> bool:
    """Whether something stands at a dotted path of a document of facts."""
    node: Any = document
    for part in path.split("."):
        if not isinstance(node, dict) or part not in node:
            return False
        node = node[part]
    return True


def facts_from_event(event: ChangeEvent) -> dict[str, Any]:
    """The facts that are in the event itself; their paths and meanings are in ``rules.fact_schema``."""
    actor, resource, action = event.actor, event.resource, event.action
    # Only what AWS itself writes counts: anybody can call himself CloudFormation in a user agent.
    by_cloudformation = actor.invoked_by in _CLOUDFORMATION
    return {
        "change": action.change if action else "none",
        "weight": action.weight.value if action else "none",
        "failed": event.failed,
        "account": event.account,
        "region": event.region,
        "tool": event.tool.value,
        "app": event.app,
        "actor": {
            "kind": actor.kind.value,
            "name": actor.name,
            "arn": actor.arn,
            "role": actor.role,
            "issuer": actor.issuer,
            "session": actor.session,
            "sourceIdentity": actor.source_identity,
            "sourceIp": actor.source_ip,
            "invokedBy": actor.invoked_by,
            **({} if actor.mfa is None else {"mfa": actor.mfa}),
        },
        "resource": {
            "type": resource.type,
            "name": resource.name,
            "arn": resource.arn,
            **({"key": resource.key} if resource.key else {}),
        },
        "origin": {
            "byCloudFormation": by_cloudformation,
            "serviceRole": by_cloudformation and actor.session == _SERVICE_ROLE_SESSION,
            "requestToken": event.request_token,
            **({"stack": _stack_of(resource)} if _stack_of(resource) else {}),
        },
        **({"net": {"part": action.part.value}} if action and action.part else {}),
    }


def _stack_of(resource: Resource) -> str:
    return resource.name if resource.type == "stack" else stack_name(resource.stack)


def _add_stack(document: dict[str, Any], unknown: dict[str, str], tags: Mapping[str, str] | Unknown) -> None:
    """The stack of a table stands in a tag that CloudFormation put on it."""
    if "stack" in document["origin"]:
        return
    if isinstance(tags, Unknown):
        unknown["origin.stack"] = tags.reason
    elif STACK_TAG in tags:
        document["origin"]["stack"] = tags[STACK_TAG]


def _add_recent(
    document: dict[str, Any], unknown: dict[str, str], recent: RecentFacts, about_table: bool
) -> None:
    known: dict[str, Any] = {}
    for key, value in (
        ("deletions", recent.deletions),
        ("weakened", recent.weakened),
        *((("stackDeleted", recent.stack_deleted),) if about_table else ()),
    ):
        if isinstance(value, Unknown):
            unknown[f"recent.{key}"] = value.reason
        else:
            known[key] = value if isinstance(value, int) else list(value)
    document["recent"] = known


def _add_table(
    document: dict[str, Any], unknown: dict[str, str], table: TableFacts, event_time: datetime
) -> None:
    known: dict[str, Any] = {}
    for key, value in (
        ("tags", table.tags),
        ("itemCount", table.item_count),
        ("sizeBytes", table.size_bytes),
        ("deletionProtection", table.deletion_protection),
        ("recreated", table.recreated),
    ):
        if isinstance(value, Unknown):
            unknown[f"table.{key}"] = value.reason
        else:
            known[key] = value if isinstance(value, int) else dict(value)
    document["table"] = known
    newest = table.newest_backup
    if isinstance(newest, Unknown):
        unknown["backup"] = newest.reason
    elif newest is None:
        document["backup"] = {"found": False}
    else:
        age = max(0.0, (event_time - newest).total_seconds()) / SECONDS_PER_HOUR
        document["backup"] = {"found": True, "ageHours": round(age, 3)}

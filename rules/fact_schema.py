"""Every fact there is: its path, what it holds, and what it means.

The documents of rule keys, the lint of rule files and the JSON Schema for editors are made from this list.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from rules.actions import NetPart, Weight
from rules.actors import ActorKind, Tool
from rules.watched import WATCHED_ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable


class FactKind(StrEnum):
    """What stands at a fact's path."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "true or false"
    TEXTS = "texts"  # an array: a pattern matches if one of them does
    MAP = "map"  # of texts by name


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact, at ``facts.<path>`` of a pattern.

    ``values`` are all values a text can have, () where it is free. ``looked_up`` facts come from elsewhere than
    the event, so they can be unknown.
    """

    path: str
    kind: FactKind
    meaning: str
    values: tuple[str, ...] = ()
    looked_up: bool = False

    def holds(self, path: str) -> bool:
        """Whether a path below ``facts.`` is this fact, or an entry of this map."""
        return path == self.path or (self.kind is FactKind.MAP and path.startswith(self.path + "."))


def _values(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(name) for name in names))


_TEXT, _NUMBER, _FLAG, _TEXTS, _MAP = (
    FactKind.TEXT, FactKind.NUMBER, FactKind.FLAG, FactKind.TEXTS, FactKind.MAP,
)  # fmt: skip

FACTS: tuple[Fact, ...] = (
    Fact("change", _TEXT, "what happened", _values(action.change for action in WATCHED_ACTIONS)),
    Fact("weight", _TEXT, "how bad it is, were it not meant", _values(Weight)),
    Fact("failed", _FLAG, "whether it is an attempt that AWS refused"),
    Fact("account", _TEXT, "the account it happened in"),
    Fact("region", _TEXT, "the region it happened in"),
    Fact("tool", _TEXT, "what it was done with; text that the caller may set", _values(Tool)),
    Fact("app", _TEXT, "the name the calling application gave itself (`app/<id>` in its user agent)"),
    Fact("actor.kind", _TEXT, "what kind of principal did it", _values(ActorKind)),
    Fact("actor.name", _TEXT, "user, role or service; with SSO the person"),
    Fact("actor.arn", _TEXT, "the principal's ARN"),
    Fact("actor.role", _TEXT, "the name of the assumed role"),
    Fact("actor.issuer", _TEXT, "the ARN of the assumed role"),
    Fact("actor.session", _TEXT, "the role session's name, often a job or a person"),
    Fact("actor.sourceIdentity", _TEXT, "the source identity that was set when the role was assumed"),
    Fact("actor.sourceIp", _TEXT, "the address it came from, or the service"),
    Fact("actor.invokedBy", _TEXT, "the AWS service that made the call for the principal"),
    Fact("actor.mfa", _FLAG, "whether the session was opened with a second factor"),
    Fact("resource.type", _TEXT, "what it happened to", _values(action.resource_type for action in WATCHED_ACTIONS)),
    Fact("resource.name", _TEXT, "its bare name; for a backup its table's, for an object its bucket's"),
    Fact("resource.arn", _TEXT, "its ARN, where the event says it"),
    Fact("resource.key", _TEXT, "the key of an object of the vault"),
    Fact("origin.byCloudFormation", _FLAG, "whether CloudFormation made the call"),
    Fact("origin.serviceRole", _FLAG, "whether it did so with a service role, so that nobody knows for whom"),
    Fact("origin.stack", _TEXT, "the stack that the table belongs to, or the stack itself", looked_up=True),
    Fact("origin.requestToken", _TEXT, "CloudFormation's client request token"),
    Fact("net.part", _TEXT, "which part of the net was tampered with", _values(NetPart)),
    Fact("table.tags", _MAP, "the table's tags, by key, as of its newest backup", looked_up=True),
    Fact("table.itemCount", _NUMBER, "its items, as of its newest backup", looked_up=True),
    Fact("table.sizeBytes", _NUMBER, "its size, as of its newest backup", looked_up=True),
    Fact("table.deletionProtection", _FLAG, "whether it was protected, as of its newest backup", looked_up=True),
    Fact("table.recreated", _FLAG, "whether a table of that name was created again since", looked_up=True),
    Fact("backup.found", _FLAG, "whether there is a backup from before the change", looked_up=True),
    Fact("backup.ageHours", _NUMBER, "how old the newest one was at the change", looked_up=True),
    Fact("intents", _TEXTS, "the ids of the declared intents that cover the change", looked_up=True),
    Fact("windows", _TEXTS, "the names of the change windows in force"),
    Fact("recent.deletions", _NUMBER, "destructive changes by the same principal (a role in whatever session) in the last 10 minutes, this one included",
         looked_up=True),
    Fact("recent.weakened", _TEXTS, "what was weakened of the same resource in the last 24 hours (`protection-off` ...)",
         looked_up=True),
    Fact("recent.stackDeleted", _FLAG, "whether the table's stack was deleted in the last 2 hours", looked_up=True),
)  # fmt: skip

FACT_PATHS: tuple[str, ...] = tuple(fact.path for fact in FACTS)


def fact_at(path: str) -> Fact | None:
    """The fact at a path below ``facts.``; None where there is none."""
    return next((fact for fact in FACTS if fact.holds(path)), None)

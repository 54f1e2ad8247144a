"""How far an incident reaches, and what people call it. Pure: an incident goes in, numbers and words come out.

The words hold foreign text as it came: who shows them cleans and escapes it (``watcher.alerts.slack_parts``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rules.actions import Weight

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from rules.verdicts import Severity
    from watcher.incidents.incident import Incident, Member, RecoveryPoint, Subject

TABLE, STACK = "table", "stack"
TABLE_LOST, STACK_LOST = "table-deleted", "stack-deleted"
# What incidents hold that are too old to say what happened and how bad it was.
_OLD = {"DeleteTable": TABLE_LOST, "DeleteStack": STACK_LOST}
# AWS's own tags (``aws:cloudformation:stack-name``) say nothing of what the tables are to people.
_AWS_TAG = "aws:"
_PARTS_OF_AN_ARN = 6
_WEAKER = frozenset({Weight.WEAKENING.value, Weight.TAMPERING.value})


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the incident, its own or a member's. ``id`` is that of its document.

    ``change`` and ``weight`` are as in ``EventNote``; ``failed``: AWS refused it, so it is an attempt. ``tries`` is how
    many calls it stands for.
    """

    id: str
    title: str
    time: datetime
    who: str
    change: str
    weight: str
    failed: bool
    severity: Severity
    subject: Subject
    recovery_points: tuple[RecoveryPoint, ...]
    tries: int = 1


@dataclass(frozen=True, slots=True)
class Touched:
    """A table or a stack, with all changes of it, oldest first. What is not known of it is told by one that knows."""

    account: str
    region: str
    subject: Subject
    changes: tuple[Change, ...]
    recovery_points: tuple[RecoveryPoint, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """(account, region, name): what makes it one of its kind."""
        return self.account, self.region, self.subject.name

    @property
    def name(self) -> str:
        """Its name."""
        return self.subject.name

    @property
    def time(self) -> datetime:
        """When the first of the changes was made."""
        return self.changes[0].time

    @property
    def newest_point(self) -> RecoveryPoint | None:
        """What it is restored from as a rule; None: there is nothing."""
        return max(self.recovery_points, key=lambda point: point.time, default=None)


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """What an incident lost, weakened and tried.

    ``at_stake``: tables that are still there, and were weakened or aimed at. ``weakened``: changes that took a
    protection away, of tables or of the net. ``others``: other changes that cannot be undone (a replica removed).
    ``items`` and ``size_bytes`` are of the lost tables, or of those at stake where none is lost; None where nobody
    could tell of any, and too low where ``at_least`` is set. ``tags`` are those that all of these have, as far as
    their tags are known.
    """

    changes: tuple[Change, ...]
    tables: tuple[Touched, ...]
    stacks: tuple[Touched, ...]
    at_stake: tuple[Touched, ...]
    weakened: tuple[Change, ...]
    others: tuple[Change, ...]
    attempts: tuple[Change, ...]
    items: int | None
    size_bytes: int | None
    at_least: bool
    tags: dict[str, str]
    replicas: tuple[str, ...]
    consumers: tuple[str, ...]

    @property
    def without_point(self) -> tuple[Touched, ...]:
        """The lost tables that nothing was found to restore from."""
        return tuple(table for table in self.tables if not table.recovery_points)

    @property
    def only_tried(self) -> bool:
        """Whether AWS refused every call: then nothing has changed, and there is nothing to recover."""
        return bool(self.changes) and len(self.attempts) == len(self.changes)

    @property
    def people(self) -> tuple[str, ...]:
        """Who did it, each once, in order of time."""
        return tuple(dict.fromkeys(change.who for change in self.changes))


def blast_radius(incident: Incident) -> BlastRadius:
    """How far the incident reaches: its own change, and those of its members."""
    changes = changes_of(incident)
    done = [change for change in changes if not change.failed]
    every = _touched(incident, (one for one in changes if one.subject.type == TABLE))
    lost = {
        one.key: one for one in _touched(incident, (one for one in done if _is_lost(one, TABLE, TABLE_LOST)))
    }
    # The call that switched a protection off may know of the table what its deletion does not.
    tables = tuple(_as_known(lost[one.key], one) for one in every if one.key in lost)
    at_stake = tuple(one for one in every if one.key not in lost)
    told = tables or at_stake
    return BlastRadius(
        changes=changes,
        tables=tables,
        stacks=_touched(incident, (one for one in done if _is_lost(one, STACK, STACK_LOST))),
        at_stake=at_stake,
        weakened=tuple(one for one in done if one.weight in _WEAKER),
        others=tuple(one for one in done if one.weight == Weight.DESTRUCTIVE and not _is_told(one)),
        attempts=tuple(one for one in changes if one.failed),
        items=_sum([one.subject.item_count for one in told]),
        size_bytes=_sum([one.subject.size_bytes for one in told]),
        at_least=any(one.subject.item_count is None for one in told),
        tags=_common_tags(told),
        replicas=_each_once(one.subject.replicas for one in told),
        consumers=_each_once(one.subject.consumers for one in told),
    )


def changes_of(incident: Incident) -> tuple[Change, ...]:
    """Its own change, if it has one, and those of its members, oldest first.

    CloudTrail's times are whole seconds: of two changes in one second, what the others follow from comes first.
    """
    members = [_of_member(member) for member in incident.members]
    own = [_own(incident)] if incident.events else []
    return tuple(sorted([*own, *members], key=_order))


def _order(change: Change) -> tuple[datetime, bool, bool, str]:
    leads = change.weight != Weight.DESTRUCTIVE
    return change.time, not leads, change.subject.type != STACK, change.id


def _own(incident: Incident) -> Change:
    events = incident.events
    failed = all(event.error_code for event in events)
    telling = [event for event in events if failed or not event.error_code]
    # The worst of them is what the incident is called after.
    ranks = {weight: rank for rank, weight in enumerate(("", *reversed(Weight)))}
    worst = max(telling, key=lambda event: ranks.get(event.weight, 0))
    change = worst.change or _OLD.get(worst.name, "")
    return Change(
        id=incident.id,
        title=incident.title,
        time=min(event.time for event in events),
        who=incident.actor.label,
        change=change,
        weight=worst.weight or (Weight.DESTRUCTIVE.value if worst.name in _OLD else ""),
        failed=failed,
        severity=incident.severity,
        subject=incident.subject,
        recovery_points=incident.recovery_points,
        tries=len(events),
    )


def _of_member(member: Member) -> Change:
    return Change(
        id=member.id,
        title=member.title,
        time=member.time,
        who=member.who,
        change=member.change,
        weight=member.weight,
        failed=member.failed,
        severity=member.severity,
        subject=member.subject,
        recovery_points=member.recovery_points,
    )


def _is_lost(change: Change, kind: str, what: str) -> bool:
    return not change.failed and change.subject.type == kind and change.change == what


def _is_told(change: Change) -> bool:
    """Whether it is among the lost tables and stacks."""
    return _is_lost(change, TABLE, TABLE_LOST) or _is_lost(change, STACK, STACK_LOST)


def _place(incident: Incident, subject: Subject) -> tuple[str, str]:
    """(account, region): the ARN's (``arn:partition:service:region:account:resource``), else the incident's."""
    parts = subject.arn.split(":", _PARTS_OF_AN_ARN - 1)
    if len(parts) < _PARTS_OF_AN_ARN:
        return incident.account, incident.region
    return parts[4] or incident.account, parts[3] or incident.region


def _touched(incident: Incident, changes: Iterable[Change]) -> tuple[Touched, ...]:
    """Each table or stack once: a call and the service's own events may both tell of it."""
    found: dict[tuple[str, str, str], list[Change]] = {}
    for change in changes:
        key = (*_place(incident, change.subject), change.subject.name)
        found.setdefault(key, []).append(change)
    return tuple(
        Touched(account, region, _best_known(told), tuple(told), _best_points(told))
        for (account, region, _), told in found.items()
    )


def _best_known(changes: Sequence[Change]) -> Subject:
    """Among what several changes say of one subject, that with its size, and its ARN."""
    return max(
        (change.subject for change in changes),
        key=lambda subject: (subject.item_count is not None, bool(subject.tags), bool(subject.arn)),
    )


def _best_points(changes: Sequence[Change]) -> tuple[RecoveryPoint, ...]:
    return max((change.recovery_points for change in changes), key=len)


def _as_known(lost: Touched, whole: Touched) -> Touched:
    """The lost table with what any change of it knows."""
    return replace(lost, subject=whole.subject, recovery_points=whole.recovery_points)


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _common_tags(tables: Sequence[Touched]) -> dict[str, str]:
    """The tags that all have. Those of a table without a backup are unknown; they do not count as none."""
    known = [one.subject.tags for one in tables if one.subject.tags or one.subject.item_count is not None]
    if not known:
        return {}
    shared = set.intersection(*(set(tags.items()) for tags in known))
    return {key: value for key, value in sorted(shared) if not key.startswith(_AWS_TAG)}


def _each_once(many: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(sorted({one for some in many for one in some}))

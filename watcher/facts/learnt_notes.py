"""What was learnt of lost tables, as their incident tells it. Pure: an incident and what was found go in, one comes out.

    recovery points   of each table: those that were known and those that were found; the message shows them
    the command       what loses least, where that is another point than the vault's
    a note            in the thread, where it changes what a person would do: there is something to go back to after all,
                      something better, nothing to wait for, or a table of that name that is empty
    the timeline      what could not be looked at, and why

All of it follows from the incident as it is: the same look once more, by another watcher, changes nothing.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from recovery.restores.points import PointKind
from watcher.alerts.slack_parts import span, utc
from watcher.facts.learnt_points import NAME, REPLICA, SYSTEM, VAULT
from watcher.incidents.blast_radius import blast_radius
from watcher.incidents.correlation import WATCHER
from watcher.incidents.incident import IncidentState, NoticeKind
from watcher.incidents.owing import notifiers_told, owed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from watcher.facts.learnt_points import Learnt
    from watcher.incidents.blast_radius import BlastRadius, Touched
    from watcher.incidents.incident import Incident, Member, RecoveryPoint, Subject

# (account, region, name) of a lost table.
Key = tuple[str, str, str]

# Who could save less than that would not wait for a slower recovery.
WORTH_SECONDS = 60
SHOWN_TABLES, SHOWN_REASONS, LONGEST_REASON = 10, 3, 300
_ORDER = (VAULT, REPLICA, SYSTEM, PointKind.ON_DEMAND.value, PointKind.AWS_BACKUP.value)
_WORDS = {
    SYSTEM: "DynamoDB's own backup of the deleted table",
    PointKind.ON_DEMAND.value: "an on-demand backup of {}",
    PointKind.AWS_BACKUP.value: "a recovery point of AWS Backup of {}",
    REPLICA: "a backup of {} in the second vault",
}


def with_learnt(
    lead: Incident, learnt: Mapping[Key, Learnt], final: Collection[Key], now: datetime
) -> Incident:
    """The incident that tells of these lost tables, with what was found of them; itself, if it tells it all already.

    ``final`` are the tables of which nobody will ask again: only then it counts that something was not found.
    """
    if lead.part_of or lead.is_over:
        return lead
    before = {table.key: table for table in blast_radius(lead).tables if table.key in learnt}
    changed = _with_points(lead, before.values(), learnt)
    changed = _with_unknown(changed, learnt, final)
    if lead.state is not IncidentState.RECOVERING:
        changed = _told(changed, before, learnt, final, now)
    changed = _with_unread(changed, learnt, final, now)
    if any(lead.id in _ids(table) for table in before.values() if table.key in final):
        changed = changed.model_copy(update={"learnt_at": changed.learnt_at or now})
    shown = ("recovery_points", "recovery_unknown", "recover_command", "members", "subject", "outbox")
    if any(getattr(changed, name) != getattr(lead, name) for name in shown):
        return changed.revised()
    return changed


def own_with_learnt(own: Incident, learnt: Learnt) -> Incident:
    """The document of one change, a table's deletion, with the recovery points that were found."""
    return own.model_copy(
        update={
            "recovery_points": _merged(own.recovery_points, learnt.points),
            "subject": _known_size(own.subject, learnt),
        }
    )


def lost_keys(incident: Incident) -> dict[Key, Touched]:
    """The tables that are gone by it, by account, region and name."""
    return {table.key: table for table in blast_radius(incident).tables}


def _ids(table: Touched) -> set[str]:
    return {change.id for change in table.changes}


def _merged(known: Sequence[RecoveryPoint], found: Sequence[RecoveryPoint]) -> tuple[RecoveryPoint, ...]:
    """Each once, newest first; what is known stays as it is told."""
    ids = {point.backup_id for point in known}
    fresh = [point for point in found if point.backup_id not in ids]
    if not fresh:
        return tuple(known)
    return tuple(sorted([*known, *fresh], key=lambda point: point.time, reverse=True))


def _known_size(subject: Subject, learnt: Learnt) -> Subject:
    """Of a table without a backup in the vault, what the newest point says it held."""
    if subject.item_count is not None:
        return subject
    point = next((one for one in learnt.points if one.item_count is not None), None)
    if point is None:
        return subject
    size = learnt.size_bytes.get(point.backup_id, subject.size_bytes)
    return subject.model_copy(update={"item_count": point.item_count, "size_bytes": size})


def _with_points(lead: Incident, tables: Iterable[Touched], learnt: Mapping[Key, Learnt]) -> Incident:
    """The lead's own change and its members, each with the points of its table."""
    found = {change_id: learnt[table.key] for table in tables for change_id in _ids(table)}
    if lead.id in found:
        lead = own_with_learnt(lead, found[lead.id])
    members = tuple(
        _member(member, found[member.id]) if member.id in found else member for member in lead.members
    )
    return lead.model_copy(update={"members": members})


def _member(member: Member, learnt: Learnt) -> Member:
    """As ``correlation.member_of`` makes it of the change's own document: with the newest point."""
    points = _merged(member.recovery_points, learnt.points)
    newest = tuple(sorted(points, key=lambda point: point.time)[-1:])
    return member.model_copy(
        update={"recovery_points": newest, "subject": _known_size(member.subject, learnt)}
    )


def _with_unknown(lead: Incident, learnt: Mapping[Key, Learnt], final: Collection[Key]) -> Incident:
    """Why nothing may be known of recovery points: where one could not be looked for, none found means nothing."""
    tables = {key: table for key, table in lost_keys(lead).items() if key in learnt}
    reasons = [
        f"{kind}: {reason}"
        for key, table in tables.items()
        if key in final and not table.recovery_points
        for kind, reason in learnt[key].unread.items()
        if kind != NAME
    ]
    if reasons:
        return lead.model_copy(update={"recovery_unknown": reasons[0][:LONGEST_REASON]})
    own = next((key for key, table in tables.items() if lead.id in _ids(table)), None)
    if own is not None and PointKind.VAULT.value in learnt[own].read:
        return lead.model_copy(update={"recovery_unknown": ""})
    return lead


def _told(
    lead: Incident,
    before: Mapping[Key, Touched],
    learnt: Mapping[Key, Learnt],
    final: Collection[Key],
    now: datetime,
) -> Incident:
    """The lead with the command that fits, and with the notes that it owes."""
    radius = blast_radius(lead)
    after = {table.key: table for table in radius.tables}
    found = _lines(before, lambda table: _news(table, after[table.key]))
    if found or "--source" in lead.recover_command:
        # A table that came later may have nothing of the kind that the others are brought back from.
        lead = _with_command(lead, radius)
    if found:
        lead = _noted(lead, [*found, _what_to_type(lead, radius)], now)
    missed = _lines(
        before, lambda table: _none_will_come(after[table.key], radius) if table.key in final else ""
    )
    taken = _lines(before, lambda table: _taken(table, learnt[table.key], lead))
    for lines in (missed, taken):
        if lines:
            lead = _noted(lead, lines, now)
    return lead


def _lines(tables: Mapping[Key, Touched], line: Callable[[Touched], str]) -> list[str]:
    """A line for each table of which there is something to tell, and how many more there are."""
    lines = [told for table in sorted(tables.values(), key=lambda one: one.name) if (told := line(table))]
    more = len(lines) - SHOWN_TABLES
    return [*lines[:SHOWN_TABLES], *([f"and {more:,} more tables"] if more > 0 else [])]


def _noted(lead: Incident, lines: Sequence[str], now: datetime) -> Incident:
    """The lead owing one more message; a text that was told before is not told again."""
    text = "\n".join(lines)
    if any(entry.kind is NoticeKind.LEARNT and entry.text == text for entry in lead.outbox) or any(
        moment.what == text for moment in lead.timeline
    ):
        return lead
    lead = lead.with_moment(now, WATCHER, text)
    return owed(lead, notifiers_told(lead), NoticeKind.LEARNT, now, text)


def _best(points: Iterable[RecoveryPoint]) -> RecoveryPoint | None:
    """What loses least, as ``--source auto`` has it: at equal loss the vault's."""
    ranks = {source: rank for rank, source in enumerate(_ORDER)}
    return min(
        points, key=lambda point: (point.loss_seconds, ranks.get(point.source, len(ranks))), default=None
    )


def _news(before: Touched, after: Touched) -> str:
    """What is better now than what was known of the table; "" where nothing is."""
    known, best = _best(before.recovery_points), _best(after.recovery_points)
    if best is None:
        return ""
    what = _WORDS.get(best.source, "a backup of {}").format(utc(best.time))
    loss = f"changes of the last {span(best.loss_seconds)} are lost"
    if best.loss_seconds <= 0:
        loss = "nothing is lost"
    if known is None:
        return f"{before.name}: no recovery point was known, but there is {what}: {loss} with it."
    if known.loss_seconds - best.loss_seconds <= WORTH_SECONDS:
        return ""
    instead = f"{'those' if best.loss_seconds > 0 else 'the changes'} of the last {span(known.loss_seconds)}"
    return f"{before.name}: there is {what}: {loss} with it, instead of {instead}."


def _with_command(lead: Incident, radius: BlastRadius) -> Incident:
    """With the command for what loses least. One that was not made for this incident stays as it is."""
    command = _command(lead, radius)
    foreign = lead.recover_command and not lead.recover_command.startswith(_plain(lead))
    return lead if foreign or not command else lead.model_copy(update={"recover_command": command})


def _plain(lead: Incident) -> str:
    return f"safetynet recover {lead.id}"


def _command(lead: Incident, radius: BlastRadius) -> str:
    """What brings all tables back from what loses least; "" where no single command does."""
    sources = {best.source for table in radius.tables if (best := _best(table.recovery_points))}
    if sources == {REPLICA}:
        return _from_replica(radius)
    if REPLICA in sources:
        return ""
    if not sources - {VAULT}:
        return _plain(lead)
    return f"{_plain(lead)} --source {sources.pop() if len(sources) == 1 else 'auto'}"


def _from_replica(radius: BlastRadius) -> str:
    """The second vault has backups and no incidents, so that tables are recovered from it by name."""
    names = [
        table.name
        for table in radius.tables
        if (best := _best(table.recovery_points)) and best.source == REPLICA
    ]
    return f"safetynet recover {shlex.join(names)} --vault replica"


def _what_to_type(lead: Incident, radius: BlastRadius) -> str:
    """The command, how long it takes, and what is quicker where the vault has a backup as well."""
    command = _command(lead, radius)
    if not command:
        return f"To recover what only the second vault has: {_from_replica(radius)}"
    text = f"To recover: {command}"
    if "--source" not in command:
        return text
    # Whatever the size: see ``recovery.restores.estimates``.
    text += ". It takes 20 minutes or more"
    if all(any(point.source == VAULT for point in table.recovery_points) for table in radius.tables):
        return f"{text}; quicker, from the vault: {_plain(lead)}"
    return f"{text}."


def _none_will_come(table: Touched, radius: BlastRadius) -> str:
    """That there is no system backup to wait for, since somebody switched off what it is made by."""
    if any(point.source == SYSTEM for point in table.recovery_points):
        return ""
    # Switching it off beforehand leaves none to make, and while the table is DELETING it stops the one that is made.
    off = [
        change
        for change in radius.changes
        if change.change == "pitr-off" and not change.failed and change.subject.name == table.name
    ]
    if not off:
        return ""
    last = max(off, key=lambda change: change.time)
    when = "while it was being deleted" if last.time >= table.time else "before it was deleted"
    return (
        f"{table.name}: no system backup of it will come. Point-in-time recovery was switched off {when}, "
        f"at {utc(last.time)}, by {last.who}."
    )


def _taken(table: Touched, learnt: Learnt, lead: Incident) -> str:
    """That the name is taken again; "" where that was told, or is a recovery's doing."""
    if learnt.taken_at is None or f"table:{table.name}" in lead.recovered:
        return ""
    # What CloudTrail tells of it says who did it, too.
    told = (f"A table of the name {table.name} ", f"Table {table.name} was restored ")
    if any(moment.what.startswith(told) for moment in lead.timeline):
        return ""
    return (
        f"A table of the name {table.name} is there since {utc(learnt.taken_at)}. It is another one: the lost items "
        "are not in it, and a recovery needs another name (--as) while it is there."
    )


def _with_unread(
    lead: Incident, learnt: Mapping[Key, Learnt], final: Collection[Key], now: datetime
) -> Incident:
    """What could not be looked at, once and with the reason, in the timeline."""
    tables: dict[str, dict[str, None]] = {}
    kinds: dict[str, dict[str, None]] = {}
    for key in sorted(final):
        for kind, reason in learnt[key].unread.items() if key in learnt else ():
            tables.setdefault(reason[:LONGEST_REASON], {})[key[2]] = None
            kinds.setdefault(reason[:LONGEST_REASON], {})[kind] = None
    for reason, names in list(tables.items())[:SHOWN_REASONS]:
        more = f" and {len(names) - SHOWN_TABLES:,} more" if len(names) > SHOWN_TABLES else ""
        text = f"could not look at {', '.join(kinds[reason])} of {', '.join(list(names)[:SHOWN_TABLES])}{more}: {reason}"
        if not any(moment.what == text for moment in lead.timeline):
            lead = lead.with_moment(now, WATCHER, text)
    return lead

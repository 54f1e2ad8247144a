"""Where commands on rules take their events from: a file, a folder, stdin, the command line itself, or an incident."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from cli.composition import build, net_parts_of
from cli.settings import load_settings
from cli.wording import counted
from rules.backtest import ALL_TIME
from rules.errors import EventError, NotFoundError, UsageError
from rules.events import parse_event_json
from rules.explain import laid_over
from rules.fact_schema import FACT_PATHS, fact_at
from rules.facts import unlooked_facts
from rules.records import recorded_time
from rules.screen import may_be_watched, records_in
from rules.yaml_source import FileFaultsError, did_you_mean, load_yaml
from watcher.archives.archive import ArchiveError, inflated
from watcher.archives.archive_files import FileArchive
from watcher.facts.evidence import evidence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rules.events import ChangeEvent
    from rules.facts import Facts
    from rules.net import NetParts
    from watcher.incidents.incident import Incident

STDIN = "-"
MOST_BYTES = 1 << 26
_INCIDENT_ID = re.compile(r"\d{8}T\d{6}Z-\S+")
_HINT = "Give a JSON file (a record, an EventBridge event, a trail's file), a folder of them, - for stdin, or an incident's id."


@dataclass(frozen=True, slots=True)
class Case:
    """An event, what is known around it, and when it is to be judged. ``incident`` is the one it comes from."""

    event: ChangeEvent
    facts: Facts
    at: datetime
    incident: Incident | None = None


@dataclass(frozen=True, slots=True)
class Cases:
    """All that was found; ``passed_over`` counts the records of a file that nobody watches.

    ``unreadable`` says what could not be read in a folder, and why.
    """

    found: tuple[Case, ...]
    passed_over: int = 0
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed: EVENT or INCIDENT, one event of several, facts to lay over, and a time to judge at."""

    what: str
    event_id: str = ""
    facts: Path | None = None
    at: datetime | None = None


def cases(asked: Asked, config: Path | None, profile: str, region: str) -> Cases:
    """The events that were named. An event is judged as of its own time, an incident's as of when it was received.

    A file with one event gives that one; of several, and in a folder, the ones that can alert. Raises UsageError,
    EventError, NotFoundError, FileFaultsError, and for incidents whatever the vault raises.
    """
    given = given_facts(asked.facts) if asked.facts is not None else {}
    content = _content(asked.what)
    if content is None:
        if not _INCIDENT_ID.fullmatch(asked.what):
            raise UsageError(f"no such file, and not an incident's id: {asked.what[:100]}", hint=_HINT)
        return Cases((_of_incident(asked, given, config, profile, region),))
    net = net_parts_of(load_settings(config))
    if isinstance(content, Path):
        events, passed_over, unreadable = _in_folder(content, net)
    else:
        records = _records(content)
        events, unreadable = list(_events(records, net)), []
        passed_over = len(records) - len(events)
    count = passed_over + len(events)
    if asked.event_id:
        events = [event for event in events if event.id == asked.event_id]
    if not events:
        which = f"no event {asked.event_id}" if asked.event_id else "no event that can alert"
        told = f"; could not be read: {'; '.join(unreadable[:3])}" if unreadable else ""
        raise NotFoundError(f"{which} among {counted(count, 'record')}{told}", hint="")
    found = tuple(
        Case(event, laid_over(unlooked_facts(event), given), asked.at or event.time) for event in events
    )
    return Cases(found, passed_over, tuple(unreadable))


def one_case(asked: Asked, config: Path | None, profile: str, region: str) -> Case:
    """The one event that was named. Raises as ``cases``, and UsageError where there are several."""
    found = cases(asked, config, profile, region).found
    if len(found) > 1:
        ids = ", ".join(case.event.id for case in found[:3])
        raise UsageError(f"{len(found):,} events; one is needed", hint=f"Choose one with --event: {ids} ...")
    return found[0]


def typed_time(text: str) -> datetime | None:
    """The time that an option gives, None for "". Raises UsageError."""
    try:
        return recorded_time(text, "--at") if text else None
    except EventError as error:
        raise UsageError(str(error), hint="All times are UTC.") from error


def given_facts(path: Path) -> dict[str, Any]:
    """Facts in a YAML or JSON file. Raises UsageError, FileFaultsError with a line for each unknown fact."""
    try:
        source = load_yaml(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not isinstance(source.plain, dict):
        raise FileFaultsError([source.fault([], "facts are a mapping, such as {table: {tags: {env: dev}}}")])
    faults = [
        source.fault(place, f"unknown fact {'.'.join(place)!r}{did_you_mean('.'.join(place), FACT_PATHS)}")
        for place in _places(source.plain, [])
        if fact_at(".".join(place)) is None
    ]
    if faults:
        raise FileFaultsError(faults, hint="See docs/rule-keys.md for all facts.")
    return dict(source.plain)


def _places(node: Any, place: list[str]) -> Iterator[list[str]]:
    """The place of every fact that is given, and of what is none: as deep as facts go, and no deeper."""
    path = ".".join(place)
    if place and not (isinstance(node, dict) and any(known.startswith(f"{path}.") for known in FACT_PATHS)):
        yield place
        return
    for key, value in node.items():
        yield from _places(value, [*place, key])


def _of_incident(asked: Asked, given: dict[str, Any], config: Path | None, profile: str, region: str) -> Case:
    net = build(config, profile, region)
    incident = net.incidents.get(asked.what)
    event, facts = evidence(incident, asked.event_id, net_parts_of(net.settings))
    received = next((note.received for note in incident.events if note.id == event.id), incident.opened_at)
    return Case(event, laid_over(facts, given), asked.at or received, incident)


def _content(what: str) -> bytes | Path | None:
    """What is in the file, on stdin or on the command line itself; a folder; None where it is none of these."""
    try:
        if what == STDIN:
            return inflated(sys.stdin.buffer.read(MOST_BYTES + 1), MOST_BYTES)
        if what.lstrip()[:1] in ("{", "["):
            return what.encode()
        path = Path(what)
        if path.is_dir() or not path.exists():
            return path if path.exists() else None
        with path.open("rb") as file:
            return inflated(file.read(MOST_BYTES + 1), MOST_BYTES)
    except (OSError, ArchiveError) as error:
        raise UsageError(f"{what[:100]}: {getattr(error, 'strerror', None) or error}", hint=_HINT) from error


def _in_folder(folder: Path, net: NetParts) -> tuple[list[ChangeEvent], int, list[str]]:
    """The events of all its files that can alert, each once; how many records are of others; what cannot be read.

    Raises NotFoundError for a folder without such files.
    """
    events: dict[str, ChangeEvent] = {}
    passed_over, unreadable = 0, []
    for piece in FileArchive(folder, ALL_TIME, MOST_BYTES).pieces():
        try:
            records = list(records_in(piece.fetch(Event()).read()))
            found = list(_events(records, net, alerting=True))
        except (EventError, ArchiveError) as error:
            unreadable.append(f"{piece.label}: {error}")
        else:
            events |= {event.id: event for event in found}
            passed_over += len(records) - len(found)
    return sorted(events.values(), key=lambda event: (event.time, event.id)), passed_over, unreadable


def _records(content: bytes) -> list[bytes]:
    try:
        return list(records_in(content))
    except EventError as error:
        raise EventError(str(error), hint=_HINT) from error


def _events(records: list[bytes], net: NetParts, *, alerting: bool = False) -> Iterator[ChangeEvent]:
    """Those that can alert; a record that stands alone in any case, unless ``alerting``."""
    alone = len(records) == 1 and not alerting
    for number, record in enumerate(records, 1):
        if not alone and not may_be_watched(record):
            continue
        try:
            event = parse_event_json(record, net)
        except EventError as error:
            where = f"record {number}: " if len(records) > 1 else ""
            raise EventError(f"{where}{error}", hint=_HINT) from error
        if event.alerting or alone:
            yield event

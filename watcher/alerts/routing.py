"""Who is told of an incident, and why, in words. Pure: an incident and the routes go in, names come out.

Each thing that an incident is about is routed by itself, and whoever is named for one of them is told: an incident of
two teams' tables reaches both. The first route that matches counts, and later ones only if it says so (``continue``).
What no route matches goes to the default. So does what cannot be told, since the tags of a deleted table come from its
backups and there may be none, and whatever weakens the net itself: no route narrows those.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from rules.actions import Weight
from watcher.alerts.slack_message import clean
from watcher.incidents.owing import Routing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rules.verdicts import Severity, VerdictKind
    from watcher.alerts.alert_settings import AlertSettings, RouteSettings
    from watcher.incidents.incident import Incident, Subject

ENVIRONMENT_TAGS = ("environment", "env", "stage")


@dataclass(frozen=True, slots=True)
class Route:
    """What an incident must be for these notifiers to be told: everything that is given must hold.

    ``tables``, ``stacks``, ``environments``, ``accounts``, ``regions`` and the values of ``tags`` are shell patterns of
    which one is enough; ``severity`` is the least one. ``goes_on``: later routes are asked too.
    """

    name: str
    notifiers: tuple[str, ...]
    tables: tuple[str, ...] = ()
    stacks: tuple[str, ...] = ()
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    environments: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    severity: Severity | None = None
    verdicts: tuple[VerdictKind, ...] = ()
    goes_on: bool = False


def routed(
    incident: Incident,
    routes: Sequence[Route],
    default: Sequence[str],
    environment_tags: Sequence[str] = ENVIRONMENT_TAGS,
) -> Routing:
    """Who is to be told of the incident."""
    told: dict[str, str] = {}
    reasons: list[str] = []
    for subject in _subjects(incident):
        for step in _steps(incident, subject, routes, default, environment_tags):
            reasons.append(step.why)
            for name in step.notifiers:
                told.setdefault(name, step.why)
    weights = [event.weight for event in incident.events] + [member.weight for member in incident.members]
    if Weight.TAMPERING in weights:
        why = f"the net itself was touched: {_list(default)} told in any case (default)"
        reasons.append(why)
        for name in default:
            told.setdefault(name, why)
    return Routing(told, tuple(dict.fromkeys(reasons)))


def router_of(settings: AlertSettings) -> Callable[[Incident], Routing]:
    """The router of the settings."""
    routes, default = routes_of(settings), settings.default_names

    def route(incident: Incident) -> Routing:
        return routed(incident, routes, default, settings.environment_tags)

    return route


def routes_of(settings: AlertSettings) -> tuple[Route, ...]:
    """The routes of the settings, in order."""
    return tuple(_route_of(route) for route in settings.routes)


def _route_of(route: RouteSettings) -> Route:
    match = route.match
    return Route(
        name=route.name,
        notifiers=route.notifiers,
        tables=match.tables,
        stacks=match.stacks,
        tags=match.tags,
        environments=match.environments,
        accounts=match.accounts,
        regions=match.regions,
        severity=match.severity,
        verdicts=match.verdicts,
        goes_on=route.goes_on,
    )


@dataclass(frozen=True, slots=True)
class _Step:
    """One sentence on the way, and who is told by it."""

    why: str
    notifiers: tuple[str, ...] = ()


def _steps(
    incident: Incident,
    subject: Subject,
    routes: Sequence[Route],
    default: Sequence[str],
    environment_tags: Sequence[str],
) -> Iterator[_Step]:
    """How one thing that the incident is about finds those who are told."""
    called = clean(f"{subject.type} {subject.name}")
    unknown = _unknown_tags(incident, subject)
    matched = False
    undecided = []
    for route in routes:
        obstacle = next(_obstacles(route, incident, subject, environment_tags, tags_known=not unknown), None)
        if obstacle is not None:
            undecided += [route.name] if obstacle.undecided else []
            yield _Step(f"{called}: route {route.name!r} does not apply: {obstacle.why}")
            continue
        matched = True
        yield _Step(f"{called}: {_list(route.notifiers)} told by route {route.name!r}", route.notifiers)
        if not route.goes_on:
            break
    by_default = f"{called}: {_list(default)} told by default, for"
    if undecided:
        names = ", ".join(repr(name) for name in undecided)
        why = f"its tags are not known ({unknown}), so route {names} could not be judged"
        yield _Step(f"{by_default} {why}", tuple(default))
    elif not matched:
        yield _Step(f"{by_default} {'no route applies' if routes else 'there are no routes'}", tuple(default))


@dataclass(frozen=True, slots=True)
class _Obstacle:
    """Why a route does not apply. ``undecided``: only because something is not known."""

    why: str
    undecided: bool = False


def _obstacles(
    route: Route, incident: Incident, subject: Subject, environment_tags: Sequence[str], *, tags_known: bool
) -> Iterator[_Obstacle]:
    """What keeps the route from applying; what is known for sure comes first."""
    if route.severity is not None and incident.severity.rank < route.severity.rank:
        yield _Obstacle(f"severity {incident.severity.value} is below {route.severity.value}")
    if route.verdicts and incident.verdict not in route.verdicts:
        yield _Obstacle(f"the verdict is {incident.verdict.value}")
    for what, value, patterns in (
        ("account", incident.account, route.accounts),
        ("region", incident.region, route.regions),
    ):
        if patterns and not _like(value, patterns):
            yield _Obstacle(f"{what} {value or 'unknown'} is not {_either(patterns)}")
    if route.tables and not (subject.type == "table" and _like(subject.name, route.tables)):
        yield _Obstacle(f"it is no table {_either(route.tables)}")
    if route.stacks and not any(_like(stack, route.stacks) for stack in _stacks(incident, subject)):
        yield _Obstacle(f"it is of no stack {_either(route.stacks)}")
    for tag, patterns in route.tags.items():
        if tag not in subject.tags or not _like(subject.tags[tag], patterns):
            yield _Obstacle(f"its tag {tag} is {_tag_told(subject, tag, tags_known)}", not tags_known)
    if route.environments and not _in_environment(subject, route.environments, environment_tags):
        found = [clean(value) for value in _environments(subject, environment_tags)]
        known = _list(found) if found else ("not set" if tags_known else "not known")
        yield _Obstacle(f"its environment is {known}", not tags_known)


def _subjects(incident: Incident) -> tuple[Subject, ...]:
    """All that the incident is about, each once, the first thing first."""
    known: list[Subject] = []
    for subject in (incident.subject, *(member.subject for member in incident.members)):
        if subject not in known:
            known.append(subject)
    return tuple(known)


def _unknown_tags(incident: Incident, subject: Subject) -> str:
    """Why the subject's tags are not known, "" if they are, or if it is nothing that has tags."""
    if subject.tags or subject.type != "table":
        return ""
    reasons = [event.unknown["table.tags"] for event in incident.events if "table.tags" in event.unknown]
    if reasons:
        return clean(reasons[0])[:200]
    # Of the other changes of the cause only what was found is here, and not why nothing was.
    return "" if subject == incident.subject else "no backup tells of them"


def _stacks(incident: Incident, subject: Subject) -> Iterator[str]:
    if subject.type == "stack":
        yield subject.name
    yield from (event.origin_stack for event in incident.events if event.origin_stack)


def _environments(subject: Subject, tags: Sequence[str]) -> list[str]:
    """The values of the tags that name the environment; people write their names in any case."""
    wanted = {tag.casefold() for tag in tags}
    return [value for tag, value in subject.tags.items() if tag.casefold() in wanted]


def _in_environment(subject: Subject, patterns: Sequence[str], tags: Sequence[str]) -> bool:
    folded = [pattern.casefold() for pattern in patterns]
    return any(_like(value.casefold(), folded) for value in _environments(subject, tags))


def _like(value: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns)


def _tag_told(subject: Subject, tag: str, tags_known: bool) -> str:
    if tag in subject.tags:
        return repr(clean(subject.tags[tag]))
    return "not set" if tags_known else "not known"


def _either(patterns: Sequence[str]) -> str:
    return "like " + " or ".join(patterns)


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "nobody"

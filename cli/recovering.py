"""What `recover` does from end to end; the command and the demo both call it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from cli.recovering_stacks import has_capture, make_stack, plan_stacks_of, with_way_back
from cli.telling import Teller
from recovery.backups.manifest import BACKUPS
from recovery.errors import BackupNotFoundError
from recovery.restores.planning import RecoveryWish
from recovery.restores.plans import table_exists
from recovery.restores.several import NotRecovered, Recovered, recover_tables
from recovery.stacks.left_to_stacks import left_to_stacks, made_by_stacks
from recovery.threads import side_by_side
from rules.errors import (
    CancelledError,
    LockedError,
    NotFoundError,
    PartialError,
    SafetyNetError,
    UnsafeError,
    UsageError,
)
from watcher.incidents.incident import IncidentState
from watcher.incidents.recovery_notes import NotedProgress, RecoveryNotes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from cli.composition import Net
    from recovery.progress import Progress
    from recovery.restores.engine import RestoreEngineName
    from recovery.restores.plans import RecoveryPlan
    from recovery.restores.restore import Recovery
    from recovery.restores.several import Outcome
    from recovery.stacks.plans import StackPlan
    from recovery.stacks.recreating import StackReport
    from watcher.incidents.incident import Incident

INCIDENT_ID = re.compile(r"^\d{8}T\d{6}Z-")
SETTLED = (IncidentState.RECOVERED, IncidentState.DISMISSED, IncidentState.QUIET)


@dataclass(frozen=True, slots=True)
class RecoverOptions:
    """The command's options; what is left out is as ``RecoveryWish`` has it.

    ``source`` is a word of PointKind, "auto" or "". ``origin`` is where the lost table was, (account, region), where
    that is not where the credentials are. ``other_region``: a region was named on purpose.
    """

    backup_id: str = ""
    as_name: str = ""
    elsewhere: bool = False
    source: str = ""
    at: datetime | None = None
    max_minutes: float | None = None
    engine: RestoreEngineName | None = None
    defer_indexes: bool = False
    origin: tuple[str, str] | None = None
    other_region: bool = False
    stack: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """One plan for all that is to come back, and the incident that it will settle, if there is one.

    ``stacks`` are in the order in which they are made; their tables are among ``plans``. ``lost_at``: when the first
    of it went, None where nobody knows. ``without``: the tables that there is nothing to restore from, and why.
    """

    targets: tuple[str, ...]
    plans: tuple[RecoveryPlan, ...]
    incident: Incident | None = None
    stacks: tuple[StackPlan, ...] = ()
    lost_at: datetime | None = None
    without: Mapping[str, SafetyNetError] = field(default_factory=dict)

    @property
    def plan(self) -> RecoveryPlan:
        """The plan of the first table, which is the only one unless several things are brought back."""
        return self.plans[0]

    @property
    def is_one_table(self) -> bool:
        """Whether it is about one table, and nothing else."""
        return len(self.plans) == 1 and not self.stacks and not self.without

    @property
    def named(self) -> str:
        """What is typed to confirm it."""
        return self.plan.target.name if self.is_one_table else " ".join(self.targets)

    def document(self) -> dict[str, Any]:
        """The plan as JSON: that of the table, or of all tables and stacks."""
        if self.is_one_table:
            return self.plan.model_dump(mode="json")
        return {
            "format_version": 1,
            "targets": list(self.targets),
            "tables": [plan.model_dump(mode="json") for plan in self.plans],
            "stacks": [plan.model_dump(mode="json") for plan in self.stacks],
            **(
                {"without": {name: str(error) for name, error in self.without.items()}}
                if self.without
                else {}
            ),
        }


@dataclass(slots=True)
class RecoverOutcome:
    """What became of it: tables in the plan's order, then stacks.

    ``not_made``: stacks that are not back, and why; ``without``: tables that there was nothing to restore from.
    """

    tables: list[Outcome] = field(default_factory=list)
    stacks: list[StackReport] = field(default_factory=list)
    not_made: dict[str, SafetyNetError] = field(default_factory=dict)
    without: Mapping[str, SafetyNetError] = field(default_factory=dict)

    @property
    def recovered(self) -> list[Recovered]:
        """The tables that are back."""
        return [outcome for outcome in self.tables if isinstance(outcome, Recovered)]

    @property
    def failed(self) -> list[NotRecovered]:
        """The tables that are not."""
        return [outcome for outcome in self.tables if isinstance(outcome, NotRecovered)]

    def raise_incomplete(self) -> None:
        """Raises the error of the only thing, or PartialError that names what is not, or not wholly, back."""
        errors = {one.plan.target.name: one.error for one in self.failed} | {
            f"stack {name}": error for name, error in self.not_made.items()
        }
        errors |= self.without
        count = len(self.tables) + len(self.stacks) + len(self.not_made) + len(self.without)
        if errors and count == 1:
            raise next(iter(errors.values()))
        if errors:
            text = "; ".join(f"{name}: {error}" for name, error in errors.items())
            raise PartialError(
                f"{len(errors)} of {count} are not back: {text}",
                hint="Run the same command again: it goes on where it stopped.",
            )
        names = [one.plan.target.name for one in self.recovered if not one.whole]
        names += [f"stack {report.stack}" for report in self.stacks if report.follow_ups]
        if names:
            to_do = any(one.report.follow_ups for one in self.recovered) or self.stacks
            raise PartialError(
                f"{', '.join(names)}: back and verified, but not every setting is",
                hint="Run the commands above." if to_do else None,
            )


class Confirm(Protocol):
    """Asks a person; returns what was typed."""

    def __call__(self, question: str, /) -> str:
        """Ask, and wait for the answer."""
        ...


def prepare(net: Net, targets: Sequence[str], options: RecoverOptions) -> Prepared:
    """Find out what is meant by an incident's id, names of tables or of stacks, and make the plan. Writes nothing.

    Raises NotFoundError, BackupNotFoundError, UsageError for what cannot be had together, UnsafeError for an incident
    that is neither about a table nor about a stack.
    """
    found = [one for target in targets for one in _meant(net, target, options)]
    incident = next((one.incident for one in found if one.incident), None)
    one_cause = incident is not None and all(one.incident == incident for one in found)
    if len(found) > 1 and (options.as_name or options.backup_id):
        raise UsageError("--as and --backup are for one table", hint="Recover them one by one.")
    if len(targets) > 1 and any(INCIDENT_ID.match(target) for target in targets):
        raise UsageError("an incident is recovered by itself", hint="Name it alone, or name the tables.")
    # Where several things are named, each for itself, their incidents are left alone.
    deleted_at = {one.name: one.deleted_at for one in found} if one_cause else {}
    at_all = min((time for time in deleted_at.values() if time is not None), default=None)
    stacks = plan_stacks_of(net, [one.name for one in found if one.is_stack], at_all)
    tables = [one.name for one in found if not one.is_stack]
    tables += [name for stack in stacks for name in stack.recover_first]
    place = (incident.account, incident.region) if incident else None
    wishes = [
        replace(_wish(net, name, options, place), deleted_at=deleted_at.get(name) or at_all)
        for name in dict.fromkeys(tables)
    ]
    made = (
        side_by_side(len(wishes), lambda number, _: _planned(net, wishes[number]), "plan") if wishes else []
    )
    plans = [plan for plan in made if not isinstance(plan, BackupNotFoundError)]
    without = {
        wish.table: error
        for wish, error in zip(wishes, made, strict=True)
        if isinstance(error, BackupNotFoundError)
    }
    # A name that was typed may be a wrong one; of what an incident lost, the rest is not to wait for it.
    if without and (incident is None or not one_cause or not plans):
        raise next(iter(without.values()))
    if stacks:
        theirs = made_by_stacks(net.vault, stacks)
        plans = [
            plan.model_copy(update={"surroundings": left_to_stacks(plan.surroundings, theirs)})
            for plan in plans
        ]
    else:
        plans = [with_way_back(net, plan) for plan in plans]
    return Prepared(tuple(targets), tuple(plans), incident if one_cause else None, stacks, at_all, without)


def _planned(net: Net, wish: RecoveryWish) -> RecoveryPlan | BackupNotFoundError:
    try:
        return net.planner.plan(wish)
    except BackupNotFoundError as error:
        return error


def _wish(net: Net, table: str, options: RecoverOptions, place: tuple[str, str] | None) -> RecoveryWish:
    account, region = place or _origin(net, table, options)
    return RecoveryWish(
        table=table,
        account=account,
        region=region,
        backup_id=options.backup_id,
        as_name=options.as_name,
        # A region that was named on purpose is leave to go there; another account never comes by itself.
        elsewhere=options.elsewhere or (options.other_region and account == net.aws.account),
        source=options.source,
        at=options.at,
        max_minutes=options.max_minutes,
        engine=options.engine,
        defer_indexes=options.defer_indexes,
    )


def confirm(prepared: Prepared, ask: Confirm) -> None:
    """Have the names typed. Raises CancelledError for anything else."""
    if ask(f"Type {prepared.named} to recover: ").strip() != prepared.named:
        raise CancelledError("not confirmed; nothing was changed")


def execute(
    net: Net,
    prepared: Prepared,
    progress: Progress,
    secrets: Mapping[str, Mapping[str, str]] | None = None,
    notes: Callable[[str], None] = lambda _: None,
) -> RecoverOutcome:
    """Apply the plan; the incident and its Slack thread follow along.

    The tables come first, side by side; then each stack whose tables are all there is made around them, and what only
    it can make is loaded. ``secrets``: by stack, the values of its hidden parameters. ``notes`` is told the steps of a
    stack. KeyboardInterrupt stops at the next step; running it again continues.
    """
    who = net.aws.caller
    if prepared.incident is None:
        return _carry_out(net, prepared, net.recovery(progress), who, secrets or {}, notes)
    written = RecoveryNotes(net.incidents, prepared.incident.id, net.clock, who)
    with Teller(lambda: net.outbox) as teller:
        teller.send(written.started(prepared.plans))

        def told(text: str) -> None:
            teller.tell(lambda: written.under_way(text))

        def both(text: str) -> None:
            notes(text)
            told(text)

        recovery = net.recovery(NotedProgress(progress, net.clock, told))
        try:
            outcome = _carry_out(net, prepared, recovery, who, secrets or {}, both)
        except SafetyNetError as error:
            teller.send(written.failed(str(error)))
            raise
        except KeyboardInterrupt:
            written.failed("interrupted by a person; the same command continues it")
            raise
        if not _is_somebody_elses(outcome.tables) or outcome.stacks:
            also = [f"stack {name}: {error}" for name, error in outcome.not_made.items()]
            also += [f"{name}: {error}" for name, error in outcome.without.items()]
            also += [f"stack {one.stack} is back ({one.status})." for one in outcome.stacks]
            also += [
                f"stack {one.stack}, still to do: {step.setting}"
                for one in outcome.stacks
                for step in one.follow_ups
            ]
            back = [one.stack for one in outcome.stacks]
            teller.send(written.ended(outcome.tables, also, stacks=back, failed=bool(outcome.not_made)))
    return outcome


def _carry_out(
    net: Net,
    prepared: Prepared,
    recovery: Recovery,
    who: str,
    secrets: Mapping[str, Mapping[str, str]],
    notes: Callable[[str], None],
) -> RecoverOutcome:
    parallel = net.settings.recover.parallel
    outcome = RecoverOutcome(
        recover_tables(recovery, prepared.plans, who, parallel), without=prepared.without
    )
    for stack in prepared.stacks:
        missing = {one.plan.target.name for one in outcome.failed} & set(stack.recover_first)
        if missing:
            outcome.not_made[stack.stack] = NotFoundError(
                f"it is made around its tables, and {', '.join(sorted(missing))} is not back"
            )
            continue
        lost = [one for one in prepared.stacks if one.stack in outcome.not_made]
        if absent := {name for one in lost for name in one.exports} & set(stack.imports):
            outcome.not_made[stack.stack] = NotFoundError(
                f"it imports {', '.join(sorted(absent))}, whose stack is not back"
            )
            continue
        try:
            report = make_stack(net, stack, secrets.get(stack.stack, {}), notes)
        except SafetyNetError as error:
            outcome.not_made[stack.stack] = error
            continue
        outcome.stacks.append(report)
        wishes = [
            RecoveryWish(
                table=one.lost,
                account=stack.account,
                region=stack.region,
                as_name=one.name,
                as_copy=True,
                fills=True,
                # What was backed up since the stack made it anew is the empty table.
                deleted_at=prepared.lost_at,
            )
            for one in report.to_load
        ]
        try:
            fills = [net.planner.plan(wish) for wish in wishes]
        except SafetyNetError as error:
            outcome.not_made[f"{stack.stack}, whose tables are empty"] = error
            continue
        outcome.tables += recover_tables(recovery, fills, who, parallel)
    return outcome


def _is_somebody_elses(outcomes: Sequence[Outcome]) -> bool:
    """Somebody else is at it: their recovery has not failed, and ours was none."""
    return bool(outcomes) and all(
        isinstance(one, NotRecovered) and isinstance(one.error, LockedError) for one in outcomes
    )


def _origin(net: Net, table: str, options: RecoverOptions) -> tuple[str, str]:
    """Where the lost table was: here, or in the only other place that the vault has backups of it from.

    Raises UsageError where there are several such places.
    """
    here = (net.aws.account, net.aws.region)
    if options.origin is not None:
        return options.origin
    if not options.other_region and not options.elsewhere:
        return here
    places = [(account, region) for account, region, name in net.catalog.tables() if name == table]
    if here in places or not places:
        return here
    same_account = [place for place in places if place[0] == here[0]]
    if len(places) > 1 and len(same_account) != 1:
        known = ", ".join(f"{account}/{region}" for account, region in places)
        raise UsageError(f"table {table} was in {known}", hint="Say which: --from ACCOUNT/REGION.")
    return (same_account or places)[0]


@dataclass(frozen=True, slots=True)
class _Meant:
    name: str
    is_stack: bool
    incident: Incident | None = None
    deleted_at: datetime | None = None


def _meant(net: Net, target: str, options: RecoverOptions) -> list[_Meant]:
    """What a word on the command line is: an incident's losses, a table, a stack. Raises NotFoundError, UnsafeError."""
    if INCIDENT_ID.match(target):
        try:
            incident = net.incidents.get(target)
        except NotFoundError:
            if target not in {table for _, _, table in net.catalog.tables(net.aws.account, net.aws.region)}:
                raise
        else:
            return _lost(net, incident)
    is_stack = options.stack or (not _is_known_table(net, target, options) and has_capture(net, target))
    open_one = None if is_stack else _open_incident(net, target)
    return [_Meant(target, is_stack, open_one, _lost_at(open_one, target) if open_one else None)]


def _lost(net: Net, named: Incident) -> list[_Meant]:
    """What an incident lost and has not got back; of one that is told in another, what is its own."""
    lead = net.incidents.lead(named.id)
    kind = named.subject.type
    lost = named.still_lost
    if not lost and kind in {"table", "stack"}:
        return [_Meant(named.subject.name, kind == "stack", lead, named.opened_at)]
    if not lost:
        raise UnsafeError(
            f"incident {named.id} is about a {kind}, not a table or a stack",
            hint="Recover its tables one by one: safetynet recover TABLE.",
        )
    stacks = [one for one in lost if one.type == "stack" and (len(lost) == 1 or has_capture(net, one.name))]
    tables = [one for one in lost if one.type == "table"]
    return [_Meant(one.name, one.type == "stack", lead, one.time) for one in (*stacks, *tables)]


def _lost_at(incident: Incident, table: str) -> datetime:
    lost = [loss.time for loss in incident.losses if (loss.type, loss.name) == ("table", table)]
    return lost[-1] if lost else incident.opened_at


def _is_known_table(net: Net, name: str, options: RecoverOptions) -> bool:
    if options.origin is not None or options.elsewhere or options.other_region:
        return name in {table for _, _, table in net.catalog.tables()}
    return any(
        True for _ in net.catalog.vault.folders(f"{BACKUPS}{net.aws.account}/{net.aws.region}/{name}/")
    ) or table_exists(net.aws, name)


def _open_incident(net: Net, table: str) -> Incident | None:
    """The newest incident that tells of that table's deletion and is not settled."""
    place = (net.aws.account, net.aws.region)
    for own in net.incidents.about(table):
        lead = net.incidents.lead(own.id) if own.part_of else own
        if (
            lead.recover_command
            and lead.events
            and lead.state not in SETTLED
            and (lead.account, lead.region) == place
        ):
            return lead
    return None

"""What `recover` does from end to end; the command and the demo both call it."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from recovery.restores.planning import RecoveryWish, plan_recovery
from rules.errors import CancelledError, LockedError, NotFoundError, SafetyNetError, UnsafeError
from watcher.incidents import IncidentState
from watcher.recovery_notes import RecoveryNotes

if TYPE_CHECKING:
    from cli.composition import Net
    from recovery.progress import Progress
    from recovery.restores.plans import RecoveryPlan
    from recovery.restores.restore import RecoveryReport
    from watcher.incidents import Incident

log = logging.getLogger(__name__)

INCIDENT_ID = re.compile(r"^\d{8}T\d{6}Z-")
SETTLED = (IncidentState.RECOVERED, IncidentState.DISMISSED, IncidentState.QUIET)


@dataclass(frozen=True, slots=True)
class RecoverOptions:
    """The command's options; ``backup_id`` "" is the latest, ``as_name`` "" the table's own name."""

    backup_id: str = ""
    as_name: str = ""
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, and the incident that it will settle, if there is one."""

    plan: RecoveryPlan
    incident: Incident | None


class Confirm(Protocol):
    """Asks a person; returns what was typed."""

    def __call__(self, question: str, /) -> str:
        """Ask, and wait for the answer."""
        ...


def prepare(net: Net, target: str, options: RecoverOptions) -> Prepared:
    """Find out what is meant by an incident id or a table name, and make the plan. Writes nothing.

    Raises NotFoundError, BackupNotFoundError, UnsafeError for an incident that is not about a table.
    """
    incident = _incident(net, target) if INCIDENT_ID.match(target) else _open_incident(net, target)
    if incident is not None and incident.subject.type != "table":
        raise UnsafeError(
            f"incident {incident.id} is about a {incident.subject.type}, not a table",
            hint="Recover its tables one by one: safetynet recover TABLE.",
        )
    wish = RecoveryWish(
        table=incident.subject.name if incident else target,
        account=incident.account if incident else net.aws.account,
        region=incident.region if incident else net.aws.region,
        backup_id=options.backup_id,
        as_name=options.as_name,
        elsewhere=options.elsewhere,
        deleted_at=incident.opened_at if incident else None,
    )
    return Prepared(plan_recovery(net.aws, net.catalog, wish), incident)


def confirm(plan: RecoveryPlan, ask: Confirm) -> None:
    """Have the table's name typed. Raises CancelledError for anything else."""
    if ask(f"Type {plan.target.name} to recover it: ").strip() != plan.target.name:
        raise CancelledError("not confirmed; nothing was changed")


def execute(net: Net, prepared: Prepared, progress: Progress) -> RecoveryReport:
    """Apply the plan; the incident and its Slack thread follow along."""
    plan, who = prepared.plan, net.aws.caller
    if prepared.incident is None:
        return net.recovery(progress).apply(plan, who)
    notes = RecoveryNotes(net.incidents, prepared.incident.id, net.clock, who)
    _tell(net, notes.started(plan))
    try:
        report = net.recovery(progress).apply(plan, who)
    except LockedError:
        raise  # somebody else is at it, and their recovery has not failed
    except SafetyNetError as error:
        _tell(net, notes.failed(str(error)))
        raise
    except KeyboardInterrupt:
        notes.failed("interrupted by a person; the same command continues it")
        raise
    _tell(net, notes.recovered(plan, report))
    return report


def _tell(net: Net, incident: Incident) -> None:
    """Send the news to the thread. Whatever is wrong with Slack, a recovery goes on: the watcher sends it later."""
    try:
        net.outbox.deliver(incident.id)
    except SafetyNetError as error:
        log.warning("the incident's thread was not told: %s", error)


def _incident(net: Net, target: str) -> Incident | None:
    """The incident of that id, None for a table that is named like one. Raises NotFoundError for neither."""
    try:
        return net.incidents.get(target)
    except NotFoundError:
        if target not in {table for _, _, table in net.catalog.tables(net.aws.account, net.aws.region)}:
            raise
    return _open_incident(net, target)


def _open_incident(net: Net, table: str) -> Incident | None:
    """The newest incident about that table's deletion that is not settled."""
    place = (net.aws.account, net.aws.region)
    return next(
        (
            incident
            for incident in net.incidents.about(table)
            if incident.recover_command
            and incident.events
            and incident.state not in SETTLED
            and (incident.account, incident.region) == place
        ),
        None,
    )

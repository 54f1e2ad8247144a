"""``recover --into-existing``: a backup into a table that is there, by the machinery of `repair`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from cli.progress_bars import ProgressBars
from cli.rendering import print_json, stderr, stdout
from cli.repair_lines import repair_plan_lines, repair_report_lines, report_json
from cli.repairing import backup_of, repairs_of, require_consent
from recovery.repairs.into_existing import apply_into_existing, plan_into_existing
from rules.errors import PartialError

if TYPE_CHECKING:
    from cli.composition import Net
    from cli.repairing import Consent
    from recovery.repairs.into_existing import IntoExisting


def recover_into_existing(
    net: Net,
    table: str,
    backup_id: str,
    mode: IntoExisting,
    consent: Consent,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Plan, have the table's name and the account's id typed, write, compare once more.

    Raises UnsafeError without both, CancelledError, PartialError where others wrote meanwhile.
    """
    people = stderr() if as_json else stdout()
    backup = backup_of(net, table, backup_id)
    with ExitStack() as comparison:
        with ProgressBars(stderr()) as bars:
            prepared = comparison.enter_context(
                plan_into_existing(repairs_of(net, bars), backup, mode, table=table)
            )
        plan = prepared.plan
        if dry_run and as_json:
            print_json(plan.model_dump(mode="json"))
            return
        people.print(repair_plan_lines(plan))
        if dry_run:
            return
        if plan.writes or plan.resumes:
            require_consent(table, net.aws.account, consent)
        with ProgressBars(stderr()) as bars:
            report = apply_into_existing(repairs_of(net, bars), prepared, net.aws.caller)
    if as_json:
        print_json(
            report_json(report.repair)
            | {"mode": mode.value, "left": report.left, "complete": report.complete}
        )
    else:
        people.print(repair_report_lines(report.repair))
    if not report.complete:
        raise PartialError(
            f"table {table}: {report.repair.refused + report.repair.overtaken + report.left:,} items were changed by "
            "somebody else meanwhile and are theirs",
            hint=f"See what differs now: safetynet diff {table}.",
        )

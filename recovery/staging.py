"""Staging: testing tables made anew from the latest production backups.

Before the first deletion everything is checked: that the target account and region are the ones that are
configured, that no name maps to itself or to a source, and that the table about to be deleted carries the
marker tag which only this code, or a person on purpose, puts on. The deletion is declared as an intent
first, so that the watcher knows it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from glob import escape
from typing import TYPE_CHECKING, Any

from recovery.aws import aws_errors
from recovery.definitions.definition import describe_table, read_tags
from recovery.definitions.table_settings import wait_until_gone
from recovery.errors import TableNotFoundError
from recovery.intents import Declaration
from recovery.restores.planning import RecoveryWish, plan_recovery
from recovery.restores.plans import RecoveryPlan, TableTarget, table_exists
from rules.errors import UnsafeError, UsageError

if TYPE_CHECKING:
    from recovery.aws import Aws
    from recovery.backups.catalog import Catalog
    from recovery.clock import Sleep
    from recovery.intents import IntentStore
    from recovery.restores.restore import Recovery, RecoveryReport
    from recovery.staging_settings import StagingSettings

MARKER_TAG = "safetynet:staging"
MARKER_VALUE = "refreshed-from-production"
REFRESH_LASTS = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class StagingPlan:
    """What a refresh will do, table by table: delete the old copy if there is one, recover the new one."""

    recoveries: tuple[RecoveryPlan, ...]

    def document(self) -> list[dict[str, Any]]:
        """The plan as JSON."""
        return [plan.model_dump(mode="json") for plan in self.recoveries]


def plan_staging(aws: Aws, catalog: Catalog, settings: StagingSettings) -> StagingPlan:
    """Check everything, reading only, and make the plan.

    Raises UnsafeError where a target could be production, BackupNotFoundError, UsageError.
    """
    if not settings.tables:
        raise UsageError("no staging tables are configured", hint="List them under staging.tables.")
    _check_place(aws, settings)
    _check_names(settings)
    account = settings.source_account or settings.account
    region = settings.source_region or settings.region
    plans = []
    for mapping in settings.tables:
        wish = RecoveryWish(
            table=mapping.source,
            account=account,
            region=region,
            as_name=mapping.target,
            elsewhere=True,
            as_copy=True,
            extra_tags=((MARKER_TAG, MARKER_VALUE),),
        )
        plan = plan_recovery(aws, catalog, wish)
        if plan.target_exists:
            _check_marker(aws, mapping.target)
        plans.append(plan)
    return StagingPlan(tuple(plans))


def apply_staging(
    aws: Aws, recovery: Recovery, intents: IntentStore, plan: StagingPlan, caller: str, sleep: Sleep
) -> list[RecoveryReport]:
    """Refresh every table of the plan.

    Before the first deletion the place and all markers are looked at again, since a person may have thought
    about the plan for a while, and every object of every backup is checked: a damaged backup must not cost
    testing its old table. The marker is looked at once more right before its table is deleted.
    Raises UnsafeError, and all that a recovery raises.
    """
    for one in plan.recoveries:
        _check_target(aws, one)
        recovery.check(one)
    reports = []
    for one in plan.recoveries:
        target = one.target
        if recovery.unfinished(one) is None and table_exists(aws, target.name):
            _check_marker(aws, target.name)
            intents.declare(_declaration(one, caller, intents.longest), declared_by=caller)
            _delete_table(aws, target.name, sleep)
        reports.append(recovery.apply(one, caller))
    return reports


def _declaration(plan: RecoveryPlan, caller: str, longest: timedelta) -> Declaration:
    """The deletion of the old copy, and nothing else; what the recovery changes it declares itself."""
    target = plan.target
    return Declaration(
        table=target.name,
        # An ARN's path may hold what a pattern would read as its own.
        by=escape(caller),
        lasts=min(REFRESH_LASTS, longest),
        max_changes=1,
        reason=f"staging refresh of {target.name} from backup {plan.backup_id} of {plan.source.name}",
        account=target.account,
        region=target.region,
    )


def _delete_table(aws: Aws, name: str, sleep: Sleep) -> None:
    # Gone already: an earlier call succeeded and lost its answer.
    with suppress(TableNotFoundError), aws_errors(f"delete table {name}"):
        aws.dynamodb().delete_table(TableName=name)
    wait_until_gone(name, lambda: not table_exists(aws, name), sleep)


def _check_target(aws: Aws, plan: RecoveryPlan) -> None:
    target = plan.target
    if (aws.account, aws.region) != (target.account, target.region):
        raise UnsafeError(
            f"the plan is for {target.account}/{target.region}, but the credentials at hand are for "
            f"{aws.account}/{aws.region}"
        )
    if target == TableTarget(account=plan.source.account, region=plan.source.region, name=plan.source.name):
        raise UnsafeError(f"{target.name} is the production table itself")
    if table_exists(aws, target.name):
        _check_marker(aws, target.name)


def _check_place(aws: Aws, settings: StagingSettings) -> None:
    if (aws.account, aws.region) != (settings.account, settings.region):
        raise UnsafeError(
            f"staging is configured for {settings.account}/{settings.region}, but the credentials at hand are "
            f"for {aws.account}/{aws.region}"
        )


def _check_names(settings: StagingSettings) -> None:
    targets = [mapping.target for mapping in settings.tables]
    if len(set(targets)) != len(targets):
        raise UnsafeError("two staging tables have the same name")
    same_place = (settings.source_account or settings.account, settings.source_region or settings.region) == (
        settings.account,
        settings.region,
    )
    both = {mapping.source for mapping in settings.tables} & set(targets)
    if same_place and both:
        raise UnsafeError(f"{', '.join(sorted(both))}: both a source and a target of staging")


def _check_marker(aws: Aws, name: str) -> None:
    """The table must say itself that it may be thrown away."""
    client = aws.dynamodb()
    try:
        arn = describe_table(client, name)["TableArn"]
    except TableNotFoundError:
        return
    with aws_errors(f"read the tags of table {name}"):
        tags = read_tags(client, arn)
    if MARKER_TAG not in tags:
        raise UnsafeError(
            f"table {name} exists and has no tag {MARKER_TAG}: it may be somebody's real table",
            hint=f"If it may be overwritten every night, tag it {MARKER_TAG}={MARKER_VALUE}.",
        )

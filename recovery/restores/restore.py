"""Applying a recovery plan: check, create, load, verify, settle. Running it again continues it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any, cast

from recovery.aws import aws_errors
from recovery.backups.content import check_content, check_letters, check_objects
from recovery.backups.engine_scan import TableScan, segments_for
from recovery.backups.verification import known_content
from recovery.definitions.definition import RUN_TAG, Known, capture_definition, describe_table, read_tags
from recovery.definitions.putting_back import put_back
from recovery.definitions.table_settings import create_table, wait_until_active, wait_until_gone
from recovery.errors import (
    AwsError,
    LeaseHeldError,
    RestoreMismatchError,
    TableExistsError,
    TableNotFoundError,
)
from recovery.pacing import patient
from recovery.restores.engine import Load, ManagedEngine
from recovery.restores.engine_choice import ASKED_FOR
from recovery.restores.own_changes import declare_settings
from recovery.restores.plans import CREATING, DELETING, backup_of, table_exists, wanted_of
from recovery.restores.read_back import ReadBack
from recovery.restores.runs import lease_name, running, start_run, told, unfinished_run
from recovery.vault.leases import holding, take_lease
from rules.errors import LockedError, UnsafeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.aws import Aws
    from recovery.backups.catalog import Catalog
    from recovery.backups.digest import Content
    from recovery.backups.fingerprint import Fingerprint
    from recovery.backups.manifest import Manifest
    from recovery.clock import Clock, Sleep
    from recovery.definitions.definition import TableDefinition
    from recovery.definitions.table_settings import FollowUp
    from recovery.intents import IntentStore
    from recovery.progress import Progress
    from recovery.restores.engine import LoadEngine, RestoreEngineName, TableEngine
    from recovery.restores.plans import RecoveryPlan
    from recovery.restores.runs import Run
    from recovery.vault.leases import Lease
    from recovery.wire import RawTables

AWS_TAGS = "aws:"  # the beginning of tags that only AWS itself sets


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What a finished recovery came to. ``differences`` compares definitions: name of the part, one a line.

    ``items_verified`` is None for what AWS restored from its own backup: there is nothing of ours to compare it with.
    """

    run_id: str
    table: str
    items_verified: int | None
    started_at: datetime
    ended_at: datetime
    resumed: bool
    differences: tuple[str, ...]
    follow_ups: tuple[FollowUp, ...]

    @property
    def seconds(self) -> float:
        """From the start of the run to its end, pauses included."""
        return (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Engines:
    """The engines there are: those that load into a table of ours, and those that make the table."""

    loading: Mapping[RestoreEngineName, LoadEngine]
    making: Mapping[RestoreEngineName, TableEngine] = field(default_factory=dict)


class Recovery:
    """Executes plans in one account and region; several at a time if they are of different tables."""

    def __init__(
        self,
        *,
        aws: Aws,
        catalog: Catalog,
        tables: RawTables,
        engines: Engines,
        clock: Clock,
        sleep: Sleep,
        progress: Progress,
        intents: IntentStore | None = None,
    ) -> None:
        self._aws = aws
        self._intents = intents
        self._catalog = catalog
        self._tables = tables
        self._engines = engines
        self._clock = clock
        self._sleep = sleep
        self._progress = progress
        self._under_way: dict[str, Lease] = {}
        self._stopped = False

    def apply(self, plan: RecoveryPlan, started_by: str) -> RecoveryReport:
        """Bring the table back, or finish what an interrupted apply of the same plan began.

        Nothing is written before every object of the backup has been checked, and nothing is written to a
        table that this run did not create. Raises DamagedObjectError, TableExistsError, LeaseHeldError,
        RestoreMismatchError, UnavailableError.
        """
        self._refuse_other_place(plan)
        lease = self._take_lease(plan, started_by)
        self._under_way[lease.name] = lease
        if self._stopped:
            lease.give_up()
        try:
            with holding(lease):
                return self._apply(plan, started_by, lease)
        finally:
            del self._under_way[lease.name]

    def stop(self) -> None:
        """From another thread: end what is under way at its next step, and begin nothing more; a rerun continues."""
        self._stopped = True
        for lease in list(self._under_way.values()):
            lease.give_up()

    def _take_lease(self, plan: RecoveryPlan, started_by: str) -> Lease:
        """Raises LeaseHeldError that says who is at it, since when, and how far they are."""
        try:
            return take_lease(self._catalog.vault, self._clock, lease_name(plan.target), started_by)
        except LeaseHeldError as error:
            run = running(self._catalog.vault, plan.target)
            if run is None:
                raise
            raise LeaseHeldError(f"{error}: {told(run)}", hint=error.hint) from error

    def _apply(self, plan: RecoveryPlan, started_by: str, lease: Lease) -> RecoveryReport:
        vault, table = self._catalog.vault, plan.target.name
        client = self._aws.dynamodb()
        run = unfinished_run(vault, plan)
        resumed = run is not None
        if run is not None:
            plan = self._continued(run, plan)
        maker = self._engines.making.get(plan.engine)
        exists = self._own_table_exists(client, plan, run, may_be_unmarked=maker is not None)
        backup = backup_of(self._catalog, plan) if plan.from_vault else None
        expected = run.record.expected if run else None
        letters: Fingerprint | None = None
        if backup and not (run and exists and run.record.loaded and (expected or run.record.verified)):
            expected, letters = self._checked(backup)
        definition = self._definition(plan)
        if run is None:
            run = start_run(vault, self._clock, plan, started_by)
        elif not exists and (maker is None or run.record.loaded):
            run.forget()
        if run.record.expected != expected:
            run.note(expected=expected)
        self._progress.start(table, f"recover {table}", plan.item_count or None)
        if maker is not None:
            self._make(maker, run, lease)
        elif backup is not None:
            self._load(client, run, lease, backup, exists=exists)
        if backup is not None and not run.record.verified:
            self._verify(run, lease, backup, letters)
        lease.check()
        if self._intents is not None and not run.record.settled:
            declare_settings(self._intents, plan, started_by)
        follow_ups, differences = self._settle(client, run, lease, definition)
        self._progress.finish(table)
        counted = run.record.expected or backup
        return RecoveryReport(
            run_id=run.record.run_id,
            table=table,
            items_verified=counted.item_count if counted else None,
            started_at=run.record.started_at,
            ended_at=run.record.ended_at or self._clock(),
            resumed=resumed,
            differences=tuple(differences),
            follow_ups=tuple(follow_ups),
        )

    def _continued(self, run: Run, asked: RecoveryPlan) -> RecoveryPlan:
        """The plan of the run: what was begun is what is finished, but with another engine where that is asked for.

        Raises LockedError while DynamoDB goes on loading: what it still puts could come over what is written later.
        """
        plan = run.record.plan
        if asked.engine_why != ASKED_FOR or asked.engine is plan.engine or run.record.loaded:
            return plan
        begun = self._engines.loading.get(plan.engine) or self._engines.making.get(plan.engine)
        if isinstance(begun, ManagedEngine) and begun.is_under_way(run):
            raise LockedError(
                f"DynamoDB is still loading table {plan.target.name} ({run.record.operation})",
                hint="Run the command again without --engine to follow it.",
            )
        plan = plan.model_copy(update={"engine": asked.engine, "engine_why": asked.engine_why})
        run.note(plan=plan, operation="", loaded_files=())
        return plan

    def _make(self, maker: TableEngine, run: Run, lease: Lease) -> None:
        """A table that AWS makes, data and all."""
        if not run.record.loaded:
            lease.check()
            maker.make(run, lease, self._progress)
            run.note(loaded=True)

    def _load(
        self, client: DynamoDBClient, run: Run, lease: Lease, backup: Manifest, *, exists: bool
    ) -> None:
        """A table that is made here, and loaded then."""
        table = run.record.plan.target.name
        if not exists:
            lease.check()
            self._create(client, run)
        wait_until_active(client, table, self._sleep)
        self._make_sure_it_is_marked(client, run)
        if not run.record.loaded:
            engine = self._engines.loading[run.record.plan.engine]
            engine.load(Load(self._catalog, backup, run, lease, self._progress))
            run.note(loaded=True)

    def _definition(self, plan: RecoveryPlan) -> TableDefinition | None:
        """What the table shall be like, where the vault knows."""
        if not plan.backup_id:
            return None
        return self._catalog.definition(backup_of(self._catalog, plan))

    def check(self, plan: RecoveryPlan) -> None:
        """Check every object of a plan's backup, writing nothing. Raises DamagedObjectError."""
        check_objects(self._catalog, backup_of(self._catalog, plan))

    def _checked(self, backup: Manifest) -> tuple[Content | None, Fingerprint | None]:
        """Check every object; what the backup holds: by its digest where that is noted, else to the letter.

        What a verification noted is compared, though letters are faster: a note that does not fit must not go unnoticed.
        An incremental backup's content is put together from its chain, which costs more than any digest.
        """
        known = known_content(self._catalog, backup)
        if known is not None:
            check_objects(self._catalog, backup)
            return known, None
        if backup.increment is not None:
            return check_content(self._catalog, backup), None
        return None, check_letters(self._catalog, backup)

    def unfinished(self, plan: RecoveryPlan) -> Run | None:
        """The run of this very plan that was begun and has not ended, if there is one."""
        return unfinished_run(self._catalog.vault, plan)

    def _refuse_other_place(self, plan: RecoveryPlan) -> None:
        """A plan that was made with other credentials must not be applied with these."""
        target = plan.target
        if (self._aws.account, self._aws.region) != (target.account, target.region):
            raise UnsafeError(
                f"the plan is for {target.account}/{target.region}, but the credentials at hand are for "
                f"{self._aws.account}/{self._aws.region}"
            )

    def _own_table_exists(
        self, client: DynamoDBClient, plan: RecoveryPlan, run: Run | None, *, may_be_unmarked: bool = False
    ) -> bool:
        """Whether the table is there. If so, it must carry the tag of the very run that is being continued.

        ``may_be_unmarked``: what AWS makes is marked only once it is there; whose it is, the engine finds out.
        """
        table = plan.target.name
        try:
            description = describe_table(client, table)
        except TableNotFoundError:
            return False
        if description["TableStatus"] == DELETING:
            wait_until_gone(table, lambda: not table_exists(self._aws, table), self._sleep)
            return False
        # The tags of what AWS is still making may not be readable yet; the engine finds out whose it is.
        if may_be_unmarked and run and run.record.operation and description["TableStatus"] == CREATING:
            return True
        if run is not None:
            with aws_errors(f"read the tags of table {table}"):
                owner = read_tags(client, description["TableArn"]).get(RUN_TAG)
            # Once settled, the tag may be gone already: only the record's last line is missing.
            if owner == run.record.mark or (run.record.settled and owner is None):
                return True
            if may_be_unmarked and owner is None and not run.record.loaded:
                return True
        if plan.fills and self._is_empty(table):
            return True
        raise TableExistsError(f"table {table} exists in {plan.target.account}/{plan.target.region}")

    def _is_empty(self, table: str) -> bool:
        """Whether there is no item: a stack has just made the table, and it may be filled."""
        scan = TableScan(self._tables, table, self._sleep)
        return not any(page.items for page in scan.pages((0, 1), Event()))

    def _create(self, client: DynamoDBClient, run: Run) -> None:
        plan = run.record.plan
        tags = {**plan.tags, RUN_TAG: run.record.mark}
        try:
            patient(self._sleep)(create_table, client, plan.create_request, tags)
        except AwsError as error:
            if error.code != "ResourceInUseException":
                raise
            # Either our own call lost its answer, or somebody was faster.
            self._own_table_exists(client, plan, run)

    def _make_sure_it_is_marked(self, client: DynamoDBClient, run: Run) -> None:
        """Before the first item: a half loaded table that does not say so would be backed up as if it were whole.

        Some endpoints take the tags of CreateTable and forget them; and there are people who tidy tags.
        """
        if run.record.settled:
            return
        arn = describe_table(client, run.record.plan.target.name)["TableArn"]
        tags = {**run.record.plan.tags, RUN_TAG: run.record.mark}
        doing = f"tag table {run.record.plan.target.name}"
        with aws_errors(doing):
            if read_tags(client, arn).get(RUN_TAG) == run.record.mark:
                return
            wanted = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
            cast("Any", client).tag_resource(ResourceArn=arn, Tags=wanted)
            if read_tags(client, arn).get(RUN_TAG) == run.record.mark:
                return
        raise UnsafeError(
            f"cannot {doing}: it keeps no tag, so that nobody could tell that it is only half loaded",
            hint="Recover at an endpoint that has tags.",
        )

    def _verify(self, run: Run, lease: Lease, backup: Manifest, letters: Fingerprint | None) -> None:
        """Read the table back and compare it with the backup: to the letter, else by count and content digest."""
        plan = run.record.plan
        table = plan.target.name
        scan = TableScan(self._tables, table, self._sleep)
        read = ReadBack(scan, segments_for(plan.data_bytes), lease)
        difference = read.difference(letters, partial(self._content, run, backup))
        if difference is not None:
            # The files are loaded once more by the next run: what was noted cannot be trusted.
            run.forget()
            raise RestoreMismatchError(
                difference,
                # What DynamoDB has made is not loaded once more: the next run would only compare again.
                hint=f"Delete table {table}, then run the same command again: {plan.target.deletion}"
                if plan.engine in self._engines.making
                # And no load takes away an item that is too many.
                else f"Run the same command again to load table {table} once more. If it ends here again, delete it "
                f"before the next one: {plan.target.deletion}",
            )
        run.note(verified=True)

    def _content(self, run: Run, backup: Manifest) -> Content:
        """Count and digest of what the backup holds, read once more where nobody has digested it."""
        expected = run.record.expected or check_content(self._catalog, backup)
        if run.record.expected is None:
            run.note(expected=expected)
        return expected

    def _settle(
        self, client: DynamoDBClient, run: Run, lease: Lease, wanted: TableDefinition | None
    ) -> tuple[list[FollowUp], list[str]]:
        """Put the settings on, compare the definitions, and only then let go of the table.

        All of it is done again after an interruption, so that no follow-up is forgotten with the first run.
        """
        plan = run.record.plan
        table = plan.target.name
        arn = describe_table(client, table)["TableArn"]
        follow_ups: list[FollowUp] = []
        if plan.create_table:
            follow_ups = put_back(self._aws, wanted_of(plan), self._sleep, lease.check)
        differences: list[str] = []
        if wanted is not None:
            found = capture_definition(self._aws, table, self._clock(), surroundings=False, sleep=self._sleep)
            differences = definition_differences(wanted, plan, found)
        run.note(settled=True)
        with aws_errors(f"untag table {table}"):
            client.untag_resource(ResourceArn=arn, TagKeys=[RUN_TAG])
        run.note(ended_at=self._clock())
        return follow_ups, differences


def definition_differences(wanted: TableDefinition, plan: RecoveryPlan, found: TableDefinition) -> list[str]:
    """What of a definition did not come back, one line each; empty when all of it did."""
    expected = {**wanted.create_table, "TableName": plan.target.name}
    differences = [
        f"{name}: wanted {expected.get(name)}, found {found.create_table.get(name)}"
        for name in sorted({*expected, *found.create_table})
        if expected.get(name) != found.create_table.get(name)
    ]
    for name in type(plan.settings).model_fields:
        want, have = getattr(plan.settings, name), getattr(found.settings, name)
        if name == "tags":
            # CloudFormation's own (aws:) come with the stack, and nobody else may set them.
            tags = {
                key: value
                for key, value in found.tags.items()
                if key != RUN_TAG and (not key.startswith(AWS_TAGS) or key in plan.tags)
            }
            # What could not be read is no difference: nobody knows.
            want, have = Known(value=plan.tags), Known(value=tags) if isinstance(have, Known) else have
        if (
            isinstance(want, Known)
            and isinstance(have, Known)
            and (want.value or None) != (have.value or None)
        ):
            differences.append(f"{name}: wanted {want.value}, found {have.value}")
    return differences

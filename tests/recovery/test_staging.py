"""Staging: refuses to write where production could be, before the first deletion."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from recovery.errors import BackupNotFoundError, DamagedObjectError
from recovery.intents import IntentStore, Listing
from recovery.staging import (
    MARKER_TAG,
    MARKER_VALUE,
    StagingPlan,
    apply_staging,
    plan_staging,
)
from recovery.staging_settings import StagingMapping, StagingSettings
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.testing.equality import comparable
from recovery.testing.faults import Crash
from rules.errors import UnsafeError, UsageError
from rules.intents import Change
from tests.recovery.recovering import WHO, all_items, copy_to_account, definition_of, make_table, some_items

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.restores.restore import RecoveryReport
    from recovery.testing.embedded_aws import EmbeddedEndpoint
    from rules.intents import Intent
    from tests.recovery.recovering import Process

OLD = [{"pk": {"S": "old test data"}}]
MARKED = [{"Key": MARKER_TAG, "Value": MARKER_VALUE}]


def mapped(*pairs: tuple[str, str], **more: Any) -> StagingSettings:
    """Settings for this account and region."""
    tables = tuple(StagingMapping(source=source, target=target) for source, target in pairs)
    return StagingSettings.model_validate({"account": ACCOUNT, "region": REGION, "tables": tables, **more})


@pytest.fixture
def source(net: Process, plain: DynamoDBClient, table: str) -> str:
    """A production table with protection, a tag and a backup."""
    make_table(
        plain,
        table,
        some_items(5),
        Tags=[{"Key": "env", "Value": "prod"}],
        DeletionProtectionEnabled=True,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    net.back_up(table)
    net.faults.reset()
    return table


@pytest.fixture
def target(plain: DynamoDBClient, source: str) -> str:
    """A testing table with the marker, full of old test data."""
    make_table(plain, f"{source}.test", OLD, Tags=MARKED)
    return f"{source}.test"


def refresh(net: Process, settings: StagingSettings) -> list[RecoveryReport]:
    """Plan and apply, as the command does."""
    return apply(net, plan_staging(net.aws, net.catalog, settings))


def apply(net: Process, plan: StagingPlan) -> list[RecoveryReport]:
    """The second half of the command."""
    return apply_staging(net.aws, net.recovery(), net.intents, plan, WHO, net.sleep)


def test_a_refresh_replaces_the_testing_table(
    net: Process, plain: DynamoDBClient, source: str, target: str
) -> None:
    """The old copy goes, the production data comes, marked; production itself is not touched."""
    before = definition_of(plain, source), all_items(plain, source)
    (report,) = refresh(net, mapped((source, target)))
    assert (report.table, report.items_verified, report.follow_ups) == (target, 5, ())
    assert all_items(plain, target) == comparable(some_items(5))
    assert definition_of(plain, target)["tags"] == [("env", "prod"), (MARKER_TAG, MARKER_VALUE)]
    assert (definition_of(plain, source), all_items(plain, source)) == before


def test_a_copy_can_be_refreshed_every_night(
    net: Process, plain: DynamoDBClient, source: str, target: str
) -> None:
    """Neither protection nor stream come along, so that the next refresh can delete it again."""
    for night in range(3):
        plain.put_item(TableName=source, Item={"pk": {"S": f"night {night}"}})
        net.back_up(source)
        refresh(net, mapped((source, target)))
        assert all_items(plain, target) == all_items(plain, source)
    described = plain.describe_table(TableName=target)["Table"]
    assert described["DeletionProtectionEnabled"] is False
    assert "StreamSpecification" not in described


def test_a_copy_of_the_same_name_elsewhere_can_be_refreshed_too(
    net: Process, plain: DynamoDBClient, source: str
) -> None:
    """From a production account into a testing account the names are equal, and yet it is a copy, unprotected."""
    production = "9" * 12
    copy_to_account(net, net.catalog.latest(ACCOUNT, REGION, source), production)
    plain.update_table(TableName=source, DeletionProtectionEnabled=False)
    plain.delete_table(TableName=source)
    for _ in range(2):
        refresh(net, mapped((source, source), source_account=production))
    assert all_items(plain, source) == comparable(some_items(5))
    assert plain.describe_table(TableName=source)["Table"]["DeletionProtectionEnabled"] is False


def test_a_first_refresh_needs_no_table(net: Process, plain: DynamoDBClient, source: str) -> None:
    """Where there is nothing yet, nothing is deleted and no intent is declared."""
    name = f"{source}.new"
    refresh(net, mapped((source, name)))
    assert all_items(plain, name) == comparable(some_items(5))
    assert "DeleteTable" not in net.faults.calls
    assert net.intents.all() == Listing(())


def test_planning_writes_nothing(net: Process, source: str, target: str) -> None:
    """A dry run of staging makes not a single write; the plan is JSON."""
    plan = plan_staging(net.aws, net.catalog, mapped((source, target)))
    assert net.faults.writes == []
    (document,) = plan.document()
    assert (document["source"]["name"], document["target"]["name"]) == (source, target)
    assert document["target_exists"] is True


def refused(net: Process, settings: StagingSettings, match: str) -> None:
    """Staging with these settings is refused, exit 14, and nothing was written anywhere."""
    with pytest.raises(UnsafeError, match=match) as caught:
        refresh(net, settings)
    assert caught.value.exit_code == 14
    assert net.faults.writes == []


def test_credentials_for_another_account_are_refused(net: Process, source: str, target: str) -> None:
    """The account at hand is not the one that staging is configured for."""
    refused(net, mapped((source, target), account="9" * 12), f"999999999999/{REGION}.*{ACCOUNT}/{REGION}")


def test_credentials_for_another_region_are_refused(net: Process, source: str, target: str) -> None:
    """The region at hand is not the one that staging is configured for."""
    refused(net, mapped((source, target), region="us-east-1"), f"us-east-1.*{ACCOUNT}/{REGION}")


def test_a_table_is_not_refreshed_from_itself(net: Process, source: str) -> None:
    """A name that maps to itself in the same place would delete production."""
    refused(net, mapped((source, source)), "both a source and a target")


@pytest.mark.parametrize(
    "explicit", [{}, {"source_account": ACCOUNT}, {"source_account": ACCOUNT, "source_region": REGION}]
)
def test_a_target_that_is_also_a_source_is_refused(
    net: Process, source: str, target: str, explicit: dict[str, str]
) -> None:
    """One mapping's copy must not be another's production, however the place is written."""
    refused(net, mapped((source, target), (target, f"{target}.2"), **explicit), target)


def test_two_sources_for_one_target_are_refused(net: Process, source: str, target: str) -> None:
    """The second would delete what the first has just made."""
    refused(net, mapped((source, target), ("other-table", target)), "same name")


@pytest.mark.parametrize(
    "tags", [[], [{"Key": "team", "Value": "shop"}], [{"Key": f"{MARKER_TAG}x", "Value": "1"}]]
)
def test_a_table_without_the_marker_is_refused(
    net: Process, plain: DynamoDBClient, source: str, tags: list[dict[str, str]]
) -> None:
    """A table that does not say itself that it may be thrown away may be somebody's real one."""
    name = f"{source}.real"
    make_table(plain, name, OLD, Tags=tags)
    refused(net, mapped((source, name)), MARKER_TAG)
    assert all_items(plain, name) == comparable(OLD)


def test_one_table_without_the_marker_saves_all(
    net: Process, plain: DynamoDBClient, source: str, target: str
) -> None:
    """Everything is checked before the first deletion, not table by table."""
    make_table(plain, f"{source}.real", OLD)
    net_settings = mapped((source, target), (source, f"{source}.real"))
    refused(net, net_settings, MARKER_TAG)
    assert all_items(plain, target) == comparable(OLD)


def test_a_marker_that_vanishes_after_the_plan_is_missed(
    net: Process, plain: DynamoDBClient, source: str, target: str
) -> None:
    """Between plan and apply a person may have taken the tag off: nothing is deleted, of no table of the plan."""
    make_table(plain, f"{source}.2", OLD, Tags=MARKED)
    plan = plan_staging(net.aws, net.catalog, mapped((source, target), (source, f"{source}.2")))
    arn = plain.describe_table(TableName=f"{source}.2")["Table"]["TableArn"]
    plain.untag_resource(ResourceArn=arn, TagKeys=[MARKER_TAG])
    with pytest.raises(UnsafeError):
        apply(net, plan)
    assert net.faults.writes == []
    assert all_items(plain, target) == comparable(OLD)


def test_a_plan_for_another_place_is_not_applied(
    net: Process, plain: DynamoDBClient, endpoint: EmbeddedEndpoint, source: str, target: str
) -> None:
    """A plan that was made with other credentials deletes nothing with these."""
    plan = plan_staging(net.aws, net.catalog, mapped((source, target)))
    net.aws = endpoint.aws(region="us-east-1", max_attempts=1)
    with pytest.raises(UnsafeError, match="us-east-1"):
        apply(net, plan)
    assert net.faults.writes == []


def test_a_forged_plan_onto_production_is_not_applied(
    net: Process, plain: DynamoDBClient, source: str, target: str
) -> None:
    """Whatever the plan says, a source is never its own target."""
    plan = plan_staging(net.aws, net.catalog, mapped((source, target)))
    (one,) = plan.recoveries
    forged = one.model_copy(update={"target": one.target.model_copy(update={"name": source})})
    with pytest.raises(UnsafeError, match="production"):
        apply(net, StagingPlan((forged,)))
    assert net.faults.writes == []


def test_a_damaged_backup_does_not_cost_the_old_copy(
    net: Process, plain: DynamoDBClient, source: str, target: str
) -> None:
    """Every object of every backup is checked before the first deletion."""
    plan = plan_staging(net.aws, net.catalog, mapped((source, target)))
    backup = net.catalog.latest(ACCOUNT, REGION, source)
    net.store.delete(backup.folder + backup.data_objects[0].key)
    with pytest.raises(DamagedObjectError):
        apply(net, plan)
    assert net.faults.writes == []
    assert all_items(plain, target) == comparable(OLD)


def test_a_source_without_a_backup(net: Process, source: str, target: str) -> None:
    """No backup, no refresh, no deletion: of none of the tables."""
    with pytest.raises(BackupNotFoundError):
        refresh(net, mapped((source, target), ("never-backed-up", "never-backed-up.test")))
    assert net.faults.writes == []


def test_nothing_configured(net: Process) -> None:
    """Staging without tables is a UsageError that says where to list them."""
    with pytest.raises(UsageError) as caught:
        refresh(net, mapped())
    assert "staging.tables" in caught.value.hint


@pytest.mark.parametrize(
    "bad",
    [
        {"account": "prod"},
        {"region": "EU"},
        {"tables": [{"source": "a b c", "target": "ok-table"}]},
        {"tables": [{"source": "ok-table", "target": "x"}]},
        {"force": True},
    ],
)
def test_settings_are_strict(bad: dict[str, Any]) -> None:
    """A misspelled setting is refused and not ignored."""
    with pytest.raises(ValidationError):
        mapped(**bad)


def deletion(table: str, moment: datetime) -> Change:
    """The change that the watcher will see."""
    return Change(
        event_name="DeleteTable",
        time=moment,
        account=ACCOUNT,
        region=REGION,
        resource_type="table",
        resource_name=table,
        names=(WHO,),
    )


def test_the_deletion_is_declared_before_it_happens(
    net: Process, plain: DynamoDBClient, source: str, target: str
) -> None:
    """An intent of the caller for this very table is stored first, and it covers the deletion; no other's."""
    seen: list[Intent] = []

    def look(request: Any, **_: object) -> None:
        seen.extend(net.intents.all().intents)

    events = net.aws.dynamodb().meta.events
    events.register_first("before-send.dynamodb.DeleteTable", look)
    try:
        refresh(net, mapped((source, target)))
    finally:
        events.unregister("before-send.dynamodb.DeleteTable", look)
    (intent,) = seen
    assert (intent.by, intent.declared_by) == (WHO, WHO)
    assert (intent.operations, intent.max_changes) == (("DeleteTable",), 1)
    assert source in intent.reason
    # CloudTrail's times are whole seconds.
    seen_at = net.clock.now.replace(microsecond=0)
    assert intent.covers(deletion(target, seen_at))
    assert not intent.covers(deletion(target, seen_at), already=1)
    assert not intent.covers(deletion(source, seen_at))


def test_what_a_refresh_switches_on_is_declared_too(
    net: Process, plain: DynamoDBClient, source: str, target: str
) -> None:
    """Time to live deletes items, so switching it on alerts; on the copy it was planned, once."""
    plain.update_time_to_live(
        TableName=source, TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"}
    )
    net.back_up(source)
    refresh(net, mapped((source, target)))
    declared = {intent.operations: intent.max_changes for intent in net.intents.all().intents}
    assert declared == {("DeleteTable",): 1, ("UpdateTimeToLive",): 1}


def test_the_declaration_stays_within_the_longest_that_is_allowed(
    net: Process, source: str, target: str
) -> None:
    """Where the settings allow an hour, a refresh declares an hour, and not six that would be refused."""
    net.intents = IntentStore(net.vault, net.clock, longest=timedelta(hours=1))
    refresh(net, mapped((source, target)))
    (intent,) = net.intents.all().intents
    assert intent.until - intent.starts <= timedelta(hours=1)


def test_an_interrupted_refresh_is_completed_by_the_next(
    net: Process, plain: DynamoDBClient, source: str, target: str
) -> None:
    """Killed before any call that writes: run again, the copy is whole, marked, and production untouched."""
    settings = mapped((source, target))
    refresh(net, settings)
    net.again()
    refresh(net, settings)
    writes = list(net.faults.writes)
    assert writes.count("DeleteTable") == 1
    for nth in range(1, len(writes) + 1):
        plain.delete_table(TableName=target)
        make_table(plain, target, OLD, Tags=MARKED)
        net.again()
        operation = writes[nth - 1]
        net.faults.crash(operation, nth=writes[:nth].count(operation))
        with pytest.raises(Crash):
            refresh(net, settings)
        net.again()
        refresh(net, settings)
        assert all_items(plain, target) == comparable(some_items(5)), operation
        tags = definition_of(plain, target)["tags"]
        assert tags == [("env", "prod"), (MARKER_TAG, MARKER_VALUE)], operation
    assert all_items(plain, source) == comparable(some_items(5))


def test_a_half_refreshed_table_is_replaced_by_the_next_night(
    net: Process, plain: DynamoDBClient, source: str, target: str
) -> None:
    """The next refresh has a newer backup: the half table, marked at its creation, is thrown away and made anew."""
    net.faults.crash("BatchWriteItem")
    with pytest.raises(Crash):
        refresh(net, mapped((source, target)))
    net.again()
    plain.put_item(TableName=source, Item={"pk": {"S": "newer"}})
    net.back_up(source)
    refresh(net, mapped((source, target)))
    assert all_items(plain, target) == all_items(plain, source)


def test_a_deletion_that_lost_its_answer(
    net: Process, plain: DynamoDBClient, endpoint: EmbeddedEndpoint, source: str, target: str
) -> None:
    """Botocore repeats it, the table is gone already, and the refresh goes on."""
    net.faults.fail("DeleteTable", code="ResourceNotFoundException")
    events = net.aws.dynamodb().meta.events

    def gone(request: Any, **_: object) -> None:
        plain.delete_table(TableName=target)

    events.register_first("before-send.dynamodb.DeleteTable", gone)
    try:
        refresh(net, mapped((source, target)))
    finally:
        events.unregister("before-send.dynamodb.DeleteTable", gone)
    assert all_items(plain, target) == comparable(some_items(5))

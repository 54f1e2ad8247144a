"""The recovery points of AWS's own keeping: on moto where it has them, else in the shapes of the service models."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recovery.restores.gathering import gather
from recovery.restores.points import LostTable, PointKind
from recovery.restores.points_aws_backup import AwsBackupPoints
from recovery.restores.points_backups import BackupPoints
from recovery.restores.points_native import NATIVE_LACKS
from recovery.restores.points_pitr import PitrPoints
from recovery.testing.embedded_aws import ACCOUNT, REGION
from rules.errors import UnavailableError, UsageError
from tests.recovery.recovering import START, FakeSleep, make_table, some_items
from tests.recovery.surroundings_answers import Answers, Refusal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.restores.points import PointSource
    from tests.recovery.recovering import Process

TABLE_ARN = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders"
TABLE_ID = "11111111-2222-3333-4444-555555555555"
DELETED = START + timedelta(hours=6)
ORDERS = LostTable(ACCOUNT, REGION, "orders", DELETED)
GB = 1_000_000_000


@pytest.fixture(scope="module")
def _nobody() -> Answers:
    return Answers()


@pytest.fixture
def answers(_nobody: Answers) -> Answers:
    """An AWS in which ``orders`` is gone and nothing of it is kept."""
    answers = _nobody.renewed()
    identity = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/oncall", "UserId": "x"}
    answers.give("GetCallerIdentity", identity)
    answers.give("ListBackups", {"BackupSummaries": []})
    answers.give("ListRecoveryPointsByResource", {"RecoveryPoints": []})
    answers.give("DescribeContinuousBackups", Refusal("TableNotFoundException"))
    return answers


def backup_arn(number: int) -> str:
    """The ARN of a backup of DynamoDB's."""
    return f"{TABLE_ARN}/backup/0{number}"


def summary(number: int, made: datetime, kind: str = "USER", **more: Any) -> dict[str, Any]:
    """An entry of ListBackups."""
    name = "orders$DeletedTableBackup" if kind == "SYSTEM" else f"backup-{number}"
    return {
        "TableName": "orders",
        "TableId": TABLE_ID,
        "TableArn": TABLE_ARN,
        "BackupArn": backup_arn(number),
        "BackupName": name,
        "BackupCreationDateTime": made,
        "BackupStatus": "AVAILABLE",
        "BackupType": kind,
        "BackupSizeBytes": 10 * GB,
        **more,
    }


def description(entry: dict[str, Any], **table: Any) -> dict[str, Any]:
    """DescribeBackup of an entry."""
    details = ("BackupArn", "BackupName", "BackupStatus", "BackupType", "BackupCreationDateTime")
    return {
        "BackupDescription": {
            "BackupDetails": {name: entry[name] for name in details},
            "SourceTableDetails": {
                "TableName": "orders",
                "TableId": TABLE_ID,
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "TableCreationDateTime": START - timedelta(days=100),
                "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
                "ItemCount": 77,
                **table,
            },
        }
    }


def give(answers: Answers, *entries: dict[str, Any], **table: Any) -> None:
    """Backups that are listed in that order, and described as each is asked for, newest first."""
    answers.give("ListBackups", {"BackupSummaries": list(entries)})
    newest_first = sorted(entries, key=lambda entry: entry["BackupCreationDateTime"], reverse=True)
    answers.give("DescribeBackup", *(description(entry, **table) for entry in newest_first))


def backups(answers: Answers, lost: LostTable = ORDERS) -> list[tuple[PointKind, str]]:
    """Kind and id of what is found."""
    return [(point.kind, point.id) for point in BackupPoints(answers.aws, FakeSleep()).find(lost)]


def test_on_demand_and_system_backups(answers: Answers) -> None:
    """Each with its kind, sizes and expiry; a system backup is of the moment of the deletion, some seconds later."""
    made = DELETED + timedelta(seconds=9)
    give(answers, summary(1, START), summary(2, made, "SYSTEM"))
    system, on_demand = BackupPoints(answers.aws, FakeSleep()).find(ORDERS)
    assert (system.kind, system.id, system.time) == (PointKind.SYSTEM, backup_arn(2), made)
    assert system.loss_seconds(DELETED) == 0
    assert system.expires == made + timedelta(days=35)
    assert (on_demand.kind, on_demand.id, on_demand.time) == (PointKind.ON_DEMAND, backup_arn(1), START)
    assert on_demand.expires is None
    assert (on_demand.item_count, on_demand.size_bytes, on_demand.lacks) == (77, 10 * GB, NATIVE_LACKS)
    assert on_demand.dollars == pytest.approx(1.5)
    assert on_demand.seconds is not None
    assert on_demand.seconds >= 20 * 60
    assert answers.asked("ListBackups") == [{"TableName": "orders", "BackupType": "ALL"}]


def test_every_page_of_the_listing(answers: Answers) -> None:
    """The next page begins where the last one ended."""
    first, second = summary(1, START), summary(2, START - timedelta(days=1))
    answers.give(
        "ListBackups",
        {"BackupSummaries": [first], "LastEvaluatedBackupArn": backup_arn(1)},
        {"BackupSummaries": [second]},
    )
    answers.give("DescribeBackup", description(first), description(second))
    assert [found for _, found in backups(answers)] == [backup_arn(1), backup_arn(2)]
    assert answers.asked("ListBackups")[1]["ExclusiveStartBackupArn"] == backup_arn(1)


@pytest.mark.parametrize(
    "entry",
    [
        summary(1, START, BackupStatus="CREATING"),
        summary(1, START, BackupStatus="DELETED"),
        summary(1, START, TableName="orders-archive"),
        summary(1, START, TableArn=TABLE_ARN.replace(REGION, "us-east-1")),
        summary(1, DELETED, "SYSTEM", BackupName="archive$DeletedTableBackup"),
        summary(1, DELETED + timedelta(hours=1)),
        summary(1, DELETED + timedelta(seconds=1)),
    ],
)
def test_what_is_no_point(answers: Answers, entry: dict[str, Any]) -> None:
    """Not AVAILABLE, another table's, or made after the deletion."""
    give(answers, entry)
    assert backups(answers) == []


def test_a_backup_of_the_second_of_the_deletion(answers: Answers) -> None:
    """CloudTrail's time is cut to the second: what was made in it was made before."""
    give(answers, summary(1, DELETED + timedelta(milliseconds=900)))
    assert len(backups(answers)) == 1


def test_the_system_backup_of_a_later_table_is_not_taken(answers: Answers) -> None:
    """The table was made anew and deleted again: what that left is not of the table that was lost."""
    later = summary(2, DELETED + timedelta(minutes=3), "SYSTEM")
    give(answers, later, TableCreationDateTime=DELETED + timedelta(minutes=1))
    assert backups(answers) == []


@pytest.mark.parametrize(("minutes", "found"), [(9, 1), (11, 0)])
def test_a_system_backup_that_may_not_be_described(answers: Answers, minutes: int, found: int) -> None:
    """It is taken where it was made at the deletion, for it cannot say when its table was made."""
    answers.give(
        "ListBackups", {"BackupSummaries": [summary(1, DELETED + timedelta(minutes=minutes), "SYSTEM")]}
    )
    answers.give("DescribeBackup", Refusal("AccessDeniedException"))
    assert len(backups(answers)) == found


@pytest.mark.parametrize(
    "told",
    [
        Refusal("BackupNotFoundException"),
        description(summary(1, START, BackupStatus="DELETED")),
        description(summary(1, START), TableName="another"),
        description(summary(1, START), TableId="99999999-2222-3333-4444-555555555555"),
    ],
)
def test_a_listing_that_is_out_of_date(answers: Answers, told: dict[str, Any] | Refusal) -> None:
    """What is gone, or turns out to be another table's, when it is described is left out."""
    answers.give("ListBackups", {"BackupSummaries": [summary(1, START)]})
    answers.give("DescribeBackup", told)
    assert backups(answers) == []


def test_of_many_backups_only_the_newest_are_described(answers: Answers) -> None:
    """The others are points all the same: DescribeBackup may be called ten times a second, for all of an account."""
    entries = [summary(number, START - timedelta(days=number)) for number in range(25)]
    give(answers, *entries)
    found = BackupPoints(answers.aws, FakeSleep()).find(ORDERS)
    assert [point.id for point in found] == [backup_arn(number) for number in range(25)]
    assert len(answers.asked("DescribeBackup")) == 20
    assert [point.item_count for point in found[18:22]] == [77, 77, None, None]
    assert {point.size_bytes for point in found} == {10 * GB}


def test_backups_on_moto(net: Process, plain: DynamoDBClient, table: str) -> None:
    """An on-demand backup is found while the table is there, and once it is gone."""
    make_table(plain, table, some_items(2))
    made = plain.create_backup(TableName=table, BackupName="by-hand")["BackupDetails"]
    plain.delete_table(TableName=table)
    (point,) = BackupPoints(net.aws, net.sleep).find(LostTable(ACCOUNT, REGION, table))
    assert (point.kind, point.id) == (PointKind.ON_DEMAND, made["BackupArn"])
    assert (point.item_count, point.time) == (2, made["BackupCreationDateTime"])
    assert net.faults.writes == []


def test_the_window_of_a_live_table(net: Process, plain: DynamoDBClient, table: str) -> None:
    """One point with both ends, once point-in-time recovery is on."""
    make_table(plain, table, some_items(2))
    lost = LostTable(ACCOUNT, REGION, table)
    assert PitrPoints(net.aws, net.sleep).find(lost) == []
    answer = plain.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    window = answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    (point,) = PitrPoints(net.aws, net.sleep).find(lost)
    assert (point.kind, point.id.rpartition("/")[2]) == (PointKind.PITR, table)
    assert (point.earliest, point.time) == (
        window["EarliestRestorableDateTime"],
        window["LatestRestorableDateTime"],
    )
    assert (point.item_count, point.lacks) == (2, NATIVE_LACKS)
    plain.delete_table(TableName=table)
    assert PitrPoints(net.aws, net.sleep).find(lost) == []


def test_the_window_of_a_table_that_took_the_place(answers: Answers) -> None:
    """It begins after the deletion, and has nothing of what was lost."""
    window = {
        "PointInTimeRecoveryStatus": "ENABLED",
        "EarliestRestorableDateTime": DELETED + timedelta(minutes=1),
        "LatestRestorableDateTime": DELETED + timedelta(hours=1),
    }
    description = {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": window}
    answers.give("DescribeContinuousBackups", {"ContinuousBackupsDescription": description})
    answers.give("DescribeTable", {"Table": {"TableArn": TABLE_ARN}})
    assert PitrPoints(answers.aws, FakeSleep()).find(ORDERS) == []
    (point,) = PitrPoints(answers.aws, FakeSleep()).find(LostTable(ACCOUNT, REGION, "orders"))
    assert point.id == TABLE_ARN


ADVANCED = f"arn:aws:backup:{REGION}:{ACCOUNT}:recovery-point:1EB3B5E7"


def kept(arn: str, made: datetime, **more: Any) -> dict[str, Any]:
    """An entry of ListRecoveryPointsByResource."""
    return {
        "RecoveryPointArn": arn,
        "CreationDate": made,
        "Status": "COMPLETED",
        "BackupSizeBytes": 10 * GB,
        "BackupVaultName": "Default",
        **more,
    }


def test_recovery_points_of_aws_backup(answers: Answers) -> None:
    """Also of a table that is gone; one that AWS Backup manages in full keeps the tags, one in the cold is slow."""
    snapshot = backup_arn(5)
    answers.give(
        "ListRecoveryPointsByResource",
        {"RecoveryPoints": [kept(snapshot, START - timedelta(days=1))], "NextToken": "more"},
        {"RecoveryPoints": [kept(ADVANCED, START)]},
    )
    gone = START + timedelta(days=400)
    answers.give(
        "DescribeRecoveryPoint",
        {"Status": "COMPLETED", "StorageClass": "COLD", "CalculatedLifecycle": {"DeleteAt": gone}},
        {"Status": "AVAILABLE", "StorageClass": "WARM", "BackupSizeInBytes": 20 * GB},
    )
    advanced, plain_one = AwsBackupPoints(answers.aws, FakeSleep()).find(ORDERS)
    assert (advanced.kind, advanced.id, advanced.time) == (PointKind.AWS_BACKUP, ADVANCED, START)
    assert advanced.expires == gone
    assert advanced.dollars == pytest.approx(2.0)
    assert (plain_one.id, plain_one.size_bytes) == (snapshot, 20 * GB)
    assert plain_one.dollars == pytest.approx(3.0)
    assert advanced.seconds is not None
    assert plain_one.seconds is not None
    assert advanced.seconds > plain_one.seconds + 3600
    assert set(NATIVE_LACKS) - set(advanced.lacks) == {"tags"}
    assert plain_one.lacks == NATIVE_LACKS
    assert answers.asked("ListRecoveryPointsByResource") == [
        {"ResourceArn": TABLE_ARN},
        {"ResourceArn": TABLE_ARN, "NextToken": "more"},
    ]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"Status": "CREATING"}, {}),
        ({"Status": "EXPIRED"}, {}),
        ({"Status": "PARTIAL"}, {}),
        ({"CreationDate": DELETED + timedelta(hours=1)}, {}),
        ({}, {"Status": "EXPIRED"}),
        ({}, Refusal("ResourceNotFoundException")),
    ],
)
def test_recovery_points_that_are_none(
    answers: Answers, more: dict[str, Any], told: dict[str, Any] | Refusal
) -> None:
    """Not whole, from after the deletion, or gone since they were listed."""
    answers.give("ListRecoveryPointsByResource", {"RecoveryPoints": [{**kept(ADVANCED, START), **more}]})
    answers.give("DescribeRecoveryPoint", told)
    assert AwsBackupPoints(answers.aws, FakeSleep()).find(ORDERS) == []


@pytest.mark.parametrize("vault", [None, "Default"])
def test_a_recovery_point_that_cannot_be_described(answers: Answers, vault: str | None) -> None:
    """The listing's word is enough, where it names no vault and where the vault may not be looked into."""
    entry = {name: value for name, value in kept(ADVANCED, START).items() if name != "BackupVaultName"}
    listed = {**entry, "BackupVaultName": vault} if vault else entry
    answers.give("ListRecoveryPointsByResource", {"RecoveryPoints": [listed]})
    answers.give("DescribeRecoveryPoint", Refusal("AccessDeniedException"))
    (point,) = AwsBackupPoints(answers.aws, FakeSleep()).find(ORDERS)
    assert (point.id, point.size_bytes) == (ADVANCED, 10 * GB)


def test_a_table_that_aws_backup_never_saw(answers: Answers) -> None:
    """Nothing, and no error."""
    answers.give("ListRecoveryPointsByResource", Refusal("ResourceNotFoundException"))
    assert AwsBackupPoints(answers.aws, FakeSleep()).find(ORDERS) == []


def every_source(answers: Answers) -> list[PointSource]:
    """All that AWS keeps."""
    sleep = FakeSleep()
    return [
        PitrPoints(answers.aws, sleep),
        AwsBackupPoints(answers.aws, sleep),
        BackupPoints(answers.aws, sleep),
    ]


def test_a_source_that_fails_is_unread_and_the_others_count(answers: Answers) -> None:
    """Never 'none': with the reason, for each kind that it would have found."""
    answers.give("ListBackups", Refusal("AccessDeniedException", "not you"))
    answers.give("ListRecoveryPointsByResource", {"RecoveryPoints": [kept(ADVANCED, START)]})
    answers.give("DescribeRecoveryPoint", {"Status": "COMPLETED"})
    found = gather(every_source(answers), ORDERS)
    assert [point.id for point in found.points] == [ADVANCED]
    assert set(found.unread) == {PointKind.SYSTEM, PointKind.ON_DEMAND}
    assert found.unread[PointKind.SYSTEM] == "access denied: cannot call ListBackups: not you"


def test_an_answer_without_aws_shape_is_unread(answers: Answers) -> None:
    """As of an emulator: it does not end the search."""
    entry = {name: value for name, value in summary(1, START).items() if name != "BackupCreationDateTime"}
    answers.give("ListBackups", {"BackupSummaries": [entry]})
    found = gather(every_source(answers), ORDERS)
    assert set(found.unread) == {PointKind.SYSTEM, PointKind.ON_DEMAND}
    assert "BackupCreationDateTime" in found.unread[PointKind.SYSTEM]


def test_an_endpoint_that_does_not_know_a_call_is_unread_in_one_line(net: Process) -> None:
    """Moto answers with a web page: AWS Backup's recovery points are unread, and the page is not the reason."""
    found = gather([AwsBackupPoints(net.aws, net.sleep)], LostTable(ACCOUNT, REGION, "orders"))
    assert found.unread == {
        PointKind.AWS_BACKUP: "cannot call ListRecoveryPointsByResource: a web page for an answer (HTTP 404)"
    }


def test_what_both_list_is_one_point(answers: Answers) -> None:
    """A snapshot of AWS Backup's that DynamoDB shows, too, is told as AWS Backup tells it."""
    give(answers, summary(5, START, "AWS_BACKUP"))
    answers.give("ListRecoveryPointsByResource", {"RecoveryPoints": [kept(backup_arn(5), START)]})
    answers.give("DescribeRecoveryPoint", {"Status": "COMPLETED", "BackupSizeInBytes": 3 * GB})
    (point,) = gather(every_source(answers), ORDERS).points
    assert (point.kind, point.size_bytes) == (PointKind.AWS_BACKUP, 3 * GB)


@pytest.mark.parametrize("number", range(3))
def test_other_credentials_do_not_look(answers: Answers, number: int) -> None:
    """In another region or account there would be nothing, and that is not 'none'; nor is the region touched."""
    elsewhere = LostTable(ACCOUNT, "us-east-1", "orders", DELETED)
    with pytest.raises(UsageError, match="us-east-1"):
        every_source(answers)[number].find(elsewhere)
    assert {name for name, _ in answers.calls} <= {"GetCallerIdentity"}


@pytest.mark.parametrize("number", range(3))
def test_throttling_without_end_comes_out(answers: Answers, number: int) -> None:
    """Each source says that it could not look."""
    for operation in ("DescribeContinuousBackups", "ListRecoveryPointsByResource", "ListBackups"):
        answers.give(operation, Refusal("ThrottlingException"))
    with pytest.raises(UnavailableError):
        every_source(answers)[number].find(ORDERS)


def test_no_source_no_points() -> None:
    """Nothing is asked and nothing is found."""
    assert gather([], LostTable(ACCOUNT, REGION, "orders", datetime.now(UTC))).points == ()

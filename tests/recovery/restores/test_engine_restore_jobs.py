"""Restores by AWS Backup, which no emulator has: answers in the shapes of its service model, and no others."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from recovery.definitions.definition import RUN_TAG
from recovery.errors import AwsError, LeaseHeldError, TableExistsError
from recovery.progress import NoProgress
from recovery.restores.engine_restore import RestoreEngine
from recovery.restores.restore_requests import job_metadata
from recovery.restores.runs import start_run, unfinished_run
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.testing.memory_vault import MemoryVault
from recovery.vault.leases import LEASE_SECONDS, take_lease
from rules.errors import AccessDeniedError, UsageError
from tests.recovery.recovering import START, WHO, FakeClock, FakeSleep
from tests.recovery.restores.native_plans import POINT, native_plan
from tests.recovery.surroundings_answers import Answers, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from recovery.restores.plans import RecoveryPlan
    from recovery.restores.runs import Run

TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/backup"
JOB = "C0FFEE00-1111-2222-3333-444444444444"
GONE = Refusal("ResourceNotFoundException")


def plan(**more: Any) -> RecoveryPlan:
    """A plan for a deleted table from AWS Backup."""
    return native_plan("orders", **more)


class Net:
    """One machine: a scripted AWS, a vault in memory, fake time."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.vault = MemoryVault()
        self.clock = FakeClock()
        self.sleep = FakeSleep()

    def make(self, plan: RecoveryPlan, role: str = "", sleep: Callable[[float], None] | None = None) -> Run:
        """What a recovery does with the engine: continue the run, or begin one."""
        self.clock.advance(LEASE_SECONDS)
        lease = take_lease(self.vault, self.clock, "recover", WHO)
        run = self.run(plan) or start_run(self.vault, self.clock, plan, WHO)
        RestoreEngine(self.answers.aws, sleep or self.sleep, role_arn=role).make(run, lease, NoProgress())
        return run

    def run(self, plan: RecoveryPlan) -> Run | None:
        """The run as the vault knows it."""
        return unfinished_run(self.vault, plan)


@pytest.fixture(scope="module")
def _nobody() -> Answers:
    return Answers()


@pytest.fixture
def net(_nobody: Answers) -> Net:
    """An AWS in which the table is gone, and a restore job makes it without trouble."""
    answers = _nobody.renewed()
    entry = {
        "RecoveryPointArn": POINT,
        "CreationDate": START,
        "Status": "COMPLETED",
        "BackupVaultName": "Default",
    }
    answers.give("ListRecoveryPointsByResource", {"RecoveryPoints": [entry]})
    answers.give("DescribeRecoveryPoint", {"Status": "COMPLETED", "IamRoleArn": ROLE})
    answers.give("StartRestoreJob", {"RestoreJobId": JOB})
    answers.give("DescribeRestoreJob", job("COMPLETED"))
    answers.give("DescribeTable", GONE, active())
    machine = Net(answers)
    mark_is(machine, None)
    return machine


def active(made: datetime = START + timedelta(minutes=3), **more: Any) -> dict[str, Any]:
    """DescribeTable of the restored table."""
    return {"Table": {"TableName": "orders", "TableStatus": "ACTIVE", "CreationDateTime": made, **more}}


def job(status: str, **more: Any) -> dict[str, Any]:
    """DescribeRestoreJob."""
    return {
        "RestoreJobId": JOB,
        "RecoveryPointArn": POINT,
        "Status": status,
        "CreationDate": START + timedelta(minutes=2),
        **({"CreatedResourceArn": TABLE} if status == "COMPLETED" else {}),
        **more,
    }


def mark_is(net: Net, owner: str | None) -> None:
    """The table's tags say that it is somebody's, or nobody's."""
    tags = [{"Key": RUN_TAG, "Value": owner}] if owner else []
    net.answers.give("ListTagsOfResource", {"Tags": tags})


def make(net: Net, asked: RecoveryPlan, **more: Any) -> Run:
    """Make the table; it keeps its tags, as AWS's do. TagResource answers nothing, which no script can give."""
    events: Any = net.answers.aws.dynamodb().meta.events

    def keep(params: dict[str, Any], **_: object) -> None:
        net.answers.give("ListTagsOfResource", {"Tags": params["Tags"]})

    def answer(**_: object) -> tuple[AWSResponse, dict[str, Any]]:
        raw: Any = None
        return AWSResponse("", 200, HTTPHeaders(), raw), {"ResponseMetadata": {"HTTPStatusCode": 200}}

    events.register("provide-client-params.dynamodb.TagResource", keep)
    events.register_first("before-call.dynamodb.TagResource", answer)
    try:
        return net.make(asked, **more)
    finally:
        events.unregister("provide-client-params.dynamodb.TagResource", keep)
        events.unregister("before-call.dynamodb.TagResource", answer)


def test_a_job_makes_the_table(net: Net) -> None:
    """Begun with the role that made the recovery point, followed to its end, the table marked."""
    run = make(net, plan())
    (request,) = net.answers.asked("StartRestoreJob")
    assert len(request.pop("IdempotencyToken")) == 32
    assert request == {
        "RecoveryPointArn": POINT,
        "Metadata": {"targetTableName": "orders", "encryptionType": "Default"},
        "IamRoleArn": ROLE,
        "ResourceType": "DynamoDB",
        "CopySourceTagsToRestoredResource": False,
    }
    assert run.record.operation == JOB
    (tagged,) = net.answers.asked("TagResource")
    assert tagged["ResourceArn"] == TABLE
    assert {tag["Key"]: tag["Value"] for tag in tagged["Tags"]} == {"team": "shop", RUN_TAG: run.record.mark}


def test_a_role_of_the_settings_goes_first(net: Net) -> None:
    """The one that makes backups need not be allowed to restore them."""
    make(net, plan(), role="arn:aws:iam::123456789012:role/restore")
    assert net.answers.asked("StartRestoreJob")[0]["IamRoleArn"].endswith("role/restore")
    assert net.answers.asked("DescribeRecoveryPoint") == []


@pytest.mark.parametrize("told", [{"Status": "COMPLETED"}, Refusal("AccessDeniedException"), GONE])
def test_without_a_role_nothing_is_begun(net: Net, told: dict[str, Any] | Refusal) -> None:
    """AWS Backup always needs one; it is said which policy it takes."""
    net.answers.give("DescribeRecoveryPoint", told)
    with pytest.raises(UsageError, match="role") as caught:
        make(net, plan())
    assert "AWSBackupServiceRolePolicyForRestores" in caught.value.hint
    assert "recover.aws_backup_role" in caught.value.hint
    assert net.answers.asked("StartRestoreJob") == []


def test_without_a_definition_the_tags_come_from_the_recovery_point(net: Net) -> None:
    """There is no backup of the vault that would tell them."""
    make(net, plan(backup_id="", create_table={"TableName": "orders"}, tags={}))
    assert net.answers.asked("StartRestoreJob")[0]["CopySourceTagsToRestoredResource"] is True


@pytest.mark.parametrize(
    ("encryption", "metadata"),
    [
        (None, {"encryptionType": "Default"}),
        ({"Enabled": False}, {"encryptionType": "Default"}),
        ({"Enabled": True, "SSEType": "KMS"}, {"encryptionType": "KMS"}),
        (
            {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "arn:aws:kms:x"},
            {"encryptionType": "KMS", "kmsMasterKeyArn": "arn:aws:kms:x"},
        ),
    ],
)
def test_encryption(encryption: dict[str, Any] | None, metadata: dict[str, str]) -> None:
    """The only setting of a table that a restore job takes."""
    table = plan().create_table
    asked = plan(create_table={**table, "SSESpecification": encryption} if encryption else table)
    assert job_metadata(asked) == {"targetTableName": "orders", **metadata}


def test_a_job_that_takes_its_time(net: Net) -> None:
    """Asked after ever more seldom."""
    under_way = [job("PENDING"), *(job("RUNNING", PercentDone=f"{number}0.00%") for number in range(7))]
    net.answers.give("DescribeRestoreJob", *under_way, job("COMPLETED"))
    make(net, plan())
    assert net.sleep.slept == [1, 2, 4, 8, 16, 20, 20, 20]


def test_throttled_it_is_asked_for_with_the_same_token(net: Net) -> None:
    """Twice the same token is one job, whether or not the first call got through."""
    net.answers.give(
        "StartRestoreJob",
        Refusal("ServiceUnavailableException", status=503),
        Refusal("ThrottlingException"),
        {"RestoreJobId": JOB},
    )
    make(net, plan())
    tokens = {request["IdempotencyToken"] for request in net.answers.asked("StartRestoreJob")}
    assert (len(net.answers.asked("StartRestoreJob")), len(tokens)) == (3, 1)


def interrupted(net: Net, asked: RecoveryPlan) -> None:
    """A run that asked for a job and never heard of it."""
    net.answers.give("StartRestoreJob", Refusal("AccessDeniedException"))
    with pytest.raises(AccessDeniedError, match="scripted") as caught:
        make(net, asked)
    assert "iam:PassRole" in caught.value.hint
    run = net.run(asked)
    assert run is not None
    assert run.record.operation.startswith("asked:")
    net.answers.give("StartRestoreJob", {"RestoreJobId": "ANOTHER"})


def listed(**more: Any) -> dict[str, Any]:
    """An entry of ListRestoreJobs."""
    return {"RestoreJobId": JOB, "RecoveryPointArn": POINT, "Status": "RUNNING", **more}


@pytest.mark.parametrize("name", ["targetTableName", "TargetTableName"])
@pytest.mark.parametrize("table", [GONE, active(TableStatus="CREATING"), active()])
def test_a_job_whose_answer_was_lost_is_found(net: Net, name: str, table: Any) -> None:
    """By its recovery point, its target and its time, though the table may be there by now; no second one begins."""
    asked = plan()
    interrupted(net, asked)
    net.answers.give("ListRestoreJobs", {"RestoreJobs": [], "NextToken": "x"}, {"RestoreJobs": [listed()]})
    net.answers.give("GetRestoreJobMetadata", {"RestoreJobId": JOB, "Metadata": {name: "orders"}})
    net.answers.give("DescribeTable", table, active())
    before = len(net.answers.asked("StartRestoreJob"))
    run = make(net, asked)
    assert run.record.operation == JOB
    assert len(net.answers.asked("StartRestoreJob")) == before
    first = net.answers.asked("ListRestoreJobs")[0]
    assert first["ByResourceType"] == "DynamoDB"
    assert first["ByCreatedAfter"] <= run.record.started_at


@pytest.mark.parametrize(
    ("entry", "target"),
    [
        (listed(RecoveryPointArn=POINT + "0"), "orders"),
        (listed(Status="FAILED"), "orders"),
        (listed(Status="ABORTED"), "orders"),
        (listed(), "orders-copy"),
    ],
)
def test_another_job_is_not_taken_for_it(net: Net, entry: dict[str, Any], target: str) -> None:
    """Of another point, over without success, or into another table: the run begins its own."""
    asked = plan()
    interrupted(net, asked)
    net.answers.give("ListRestoreJobs", {"RestoreJobs": [entry]})
    net.answers.give("GetRestoreJobMetadata", {"Metadata": {"targetTableName": target}})
    net.answers.give("DescribeTable", GONE, active())
    net.answers.give("DescribeRestoreJob", job("COMPLETED", RestoreJobId="ANOTHER"))
    assert make(net, asked).record.operation == "ANOTHER"


def test_a_table_that_no_job_of_ours_made_is_refused(net: Net) -> None:
    """The call was never heard of, and meanwhile somebody made a table."""
    asked = plan()
    interrupted(net, asked)
    net.answers.give("ListRestoreJobs", {"RestoreJobs": []})
    net.answers.give("DescribeTable", active())
    before = len(net.answers.asked("StartRestoreJob"))
    with pytest.raises(TableExistsError):
        make(net, asked)
    assert len(net.answers.asked("StartRestoreJob")) == before


def test_an_existing_table_is_refused(net: Net) -> None:
    """Nothing is begun and no tag put on."""
    net.answers.give("DescribeTable", active())
    with pytest.raises(TableExistsError):
        make(net, plan())
    assert net.answers.asked("StartRestoreJob") == net.answers.asked("TagResource") == []


@pytest.mark.parametrize("minutes", [-10, 200])
def test_a_table_of_another_time_is_refused(net: Net, minutes: int) -> None:
    """The job's table was deleted since, and somebody made one of that name."""
    net.answers.give("DescribeRestoreJob", job("COMPLETED", CompletionDate=START + timedelta(minutes=60)))
    net.answers.give("DescribeTable", GONE, active(START + timedelta(minutes=minutes)))
    with pytest.raises(TableExistsError):
        make(net, plan())
    assert net.answers.asked("TagResource") == []


def test_a_table_that_another_run_marked_is_refused(net: Net) -> None:
    """Whatever its time."""
    mark_is(net, "another")
    with pytest.raises(TableExistsError):
        make(net, plan())
    assert net.answers.asked("TagResource") == []


def test_a_table_that_is_marked_as_ours_is_ours(net: Net) -> None:
    """Even where the record does not know of the job any more, which a vault put back from a copy does not."""
    asked = plan()
    run = start_run(net.vault, net.clock, asked, WHO)
    mark_is(net, run.record.mark)
    net.answers.give("DescribeTable", active())
    make(net, asked)
    assert net.answers.asked("StartRestoreJob") == []


@pytest.mark.parametrize("status", ["FAILED", "ABORTED"])
def test_a_job_that_failed_is_told_and_forgotten(net: Net, status: str) -> None:
    """With AWS Backup's reason; the next run begins another one, with a token of its own."""
    asked = plan()
    net.answers.give("DescribeRestoreJob", job(status, StatusMessage="the key is disabled"))
    with pytest.raises(AwsError, match=f"{status}: the key is disabled"):
        make(net, asked)
    run = net.run(asked)
    assert run is not None
    assert run.record.operation == ""
    net.answers.give("DescribeRestoreJob", job("COMPLETED"))
    net.answers.give("DescribeTable", GONE, active())
    make(net, asked)
    tokens = {request["IdempotencyToken"] for request in net.answers.asked("StartRestoreJob")}
    assert len(tokens) == 2


def test_a_job_whose_table_was_deleted_is_done_again(net: Net) -> None:
    """The job is complete, and following it would never end: the next run begins another one."""
    asked = plan()
    net.answers.give("DescribeTable", GONE)
    with pytest.raises(AwsError, match="is not there"):
        make(net, asked)
    net.answers.give("DescribeTable", GONE, active())
    make(net, asked)
    assert len(net.answers.asked("StartRestoreJob")) == 2


def test_a_job_that_is_not_known_any_more(net: Net) -> None:
    """AWS Backup forgets jobs after a while; the next run looks anew."""
    asked = plan()
    net.answers.give("DescribeRestoreJob", GONE)
    with pytest.raises(AwsError, match="any more"):
        make(net, asked)
    run = net.run(asked)
    assert run is not None
    assert run.record.operation == ""


def test_a_job_that_made_something_else(net: Net) -> None:
    """Nothing of it is touched."""
    net.answers.give("DescribeRestoreJob", job("COMPLETED", CreatedResourceArn=f"{TABLE}-other"))
    with pytest.raises(AwsError, match="orders-other"):
        make(net, plan())
    assert net.answers.asked("TagResource") == []


def test_a_lost_lease_stops_it_and_the_next_run_follows_the_job(net: Net) -> None:
    """A job goes on without us; whoever has the lease now follows it."""
    asked = plan()
    net.answers.give("DescribeRestoreJob", job("RUNNING"))
    with pytest.raises(LeaseHeldError):
        make(net, asked, sleep=lambda _: net.clock.advance(LEASE_SECONDS))
    net.answers.give("DescribeRestoreJob", job("COMPLETED"))
    assert make(net, asked).record.operation == JOB
    assert len(net.answers.asked("StartRestoreJob")) == 1

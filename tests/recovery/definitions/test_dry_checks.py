"""What a plan says beforehand about the settings: reads only, and never a reason to have no plan."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from recovery.definitions.definition import Known
from recovery.definitions.dry_checks import warnings_for
from recovery.definitions.putting import Wanted
from recovery.definitions.surroundings import Surroundings
from tests.recovery.definitions.equipped import Clients, capture, equip, wanted
from tests.recovery.definitions.stand_in import ARN, NOTHING, SOURCE, Refusal, StandIn
from tests.recovery.recovering import FakeSleep

if TYPE_CHECKING:
    from recovery.testing.embedded_aws import EmbeddedEndpoint
    from tests.recovery.recovering import Process
    from tests.recovery.surroundings_answers import Answer

KEY = "arn:aws:kms:eu-west-1:123456789012:key/k"
ENCRYPTED = {"SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY}}
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:%s"
KINESIS = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
USER = "arn:aws:iam::123456789012:user/ops/oncall"
SESSION = "arn:aws:sts::123456789012:assumed-role/oncall/me@example.com"
ROLE = "arn:aws:iam::123456789012:role/aws-reserved/oncall"


@pytest.fixture(scope="module")
def _nobody() -> StandIn:
    return StandIn()


@pytest.fixture
def aws(_nobody: StandIn) -> StandIn:
    """An AWS where all is well and the caller may do everything."""
    aws = _nobody.renewed()
    caller(aws, USER)
    aws.give("SimulatePrincipalPolicy", {"EvaluationResults": [], "IsTruncated": False})
    return aws


def caller(aws: StandIn, arn: str) -> None:
    """Who is asking."""
    aws.give("GetCallerIdentity", {"Arn": arn, "Account": "123456789012", "UserId": "x"})


def warnings(aws: StandIn, create_table: dict[str, Any] | None = None, **surroundings: Any) -> list[str]:
    """What is said of a table with these surroundings."""
    known = {name: Known(value=value) for name, value in surroundings.items()}
    parts = Surroundings.not_asked().model_copy(update=known)
    return warnings_for(aws.aws, Wanted("orders", create_table or {}, NOTHING, parts, SOURCE), FakeSleep())


def test_a_table_without_anything_needs_no_words(aws: StandIn) -> None:
    """Only who is asking is looked up, and what they may do."""
    assert warnings(aws) == []
    assert [name for name, _ in aws.calls] == [
        "GetCallerIdentity",
        "GetCallerIdentity",
        "SimulatePrincipalPolicy",
    ]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"KeyId": "k", "KeyState": "Enabled"}, ""),
        ({"KeyId": "k", "KeyState": "Disabled"}, f"the encryption key {KEY} is Disabled"),
        (
            {"KeyId": "k", "KeyState": "PendingDeletion", "DeletionDate": datetime(2026, 12, 24, tzinfo=UTC)},
            f"the encryption key {KEY} is to be deleted on 2026-12-24",
        ),
        (Refusal("NotFoundException"), f"the encryption key {KEY} does not exist"),
        (Refusal("AccessDeniedException"), "the encryption key could not be checked"),
    ],
)
def test_the_encryption_key(aws: StandIn, answer: Any, expected: str) -> None:
    """Whether a table can be created with it."""
    aws.give("DescribeKey", answer if isinstance(answer, Refusal) else {"KeyMetadata": answer})
    said = warnings(aws, ENCRYPTED)
    assert len(said) == bool(expected)
    assert not expected or said[0].startswith(expected)


def consumer(name: str, **more: Any) -> dict[str, Any]:
    """As a backup has it."""
    return {"CreateEventSourceMapping": {"FunctionName": FUNCTION % name}, **more}


def test_consumers_of_the_stream(aws: StandIn) -> None:
    """How many and who, which of them are gone, and whose filter nobody saw."""

    def configuration(request: dict[str, Any]) -> Answer:
        return (
            Refusal("ResourceNotFoundException", status=404)
            if request["FunctionName"].endswith("gone")
            else {}
        )

    aws.when("GetFunctionConfiguration", configuration)
    found = warnings(
        aws,
        stream_consumers=[
            consumer("mail:live"),
            consumer("gone"),
            consumer("index", FilterCriteriaError={"ErrorCode": "x"}),
        ],
    )
    assert found == [
        (
            "3 of Lambda's functions will read the new stream, from what is written after the recovery on: mail:live, gone, "
            "index"
        ),
        "the filter of index could not be read at backup: it will not be enabled",
        "the function gone that read the stream does not exist",
    ]


def test_a_kinesis_stream_that_is_gone(aws: StandIn) -> None:
    """One that is there needs no words."""
    aws.give("DescribeStreamSummary", Refusal("ResourceNotFoundException"))
    assert warnings(aws, kinesis_destinations=[{"StreamArn": KINESIS}]) == [
        f"the Kinesis stream {KINESIS} that the table fed does not exist"
    ]
    assert aws.asked("DescribeStreamSummary") == [{"StreamARN": KINESIS}]


def test_replicas(aws: StandIn) -> None:
    """Where they will be, and which kind is not added."""
    places = [{"RegionName": "eu-central-1"}, {"RegionName": "eu-west-1"}]
    (said,) = warnings(aws, replicas={"Replicas": places})
    assert said.startswith("replicas in eu-central-1 are added afterwards; their data is copied")
    (strong,) = warnings(aws, replicas={"Replicas": places, "MultiRegionConsistency": "STRONG"})
    assert strong.startswith("replicas in eu-central-1 are not added")
    assert warnings(aws, replicas={"Replicas": places[1:]}) == []


def test_permissions_that_are_missing(aws: StandIn) -> None:
    """For the calls of this very recovery on the table that it makes; denials by name."""
    aws.give(
        "SimulatePrincipalPolicy",
        {
            "EvaluationResults": [
                {"EvalActionName": "dynamodb:CreateTable", "EvalDecision": "allowed"},
                {"EvalActionName": "dynamodb:UpdateTable", "EvalDecision": "implicitDeny"},
            ],
            "IsTruncated": True,
            "Marker": "more",
        },
        {"EvaluationResults": [{"EvalActionName": "dynamodb:TagResource", "EvalDecision": "explicitDeny"}]},
    )
    assert warnings(aws, contributor_insights=[{"ContributorInsightsAction": "ENABLE"}]) == [
        f"permissions that {USER} lacks, as IAM simulates it: dynamodb:TagResource, dynamodb:UpdateTable"
    ]
    asked, more = aws.asked("SimulatePrincipalPolicy")
    assert (asked["PolicySourceArn"], asked["ResourceArns"], more["Marker"]) == (USER, [ARN], "more")
    assert "dynamodb:UpdateContributorInsights" in asked["ActionNames"]
    assert "dynamodb:UpdateTimeToLive" not in asked["ActionNames"]


def test_a_session_is_asked_about_by_its_role(aws: StandIn) -> None:
    """IAM wants the role's ARN with its path, which the session's does not have."""
    caller(aws, SESSION)
    role = {
        "Path": "/",
        "RoleName": "oncall",
        "RoleId": "A" * 16,
        "Arn": ROLE,
        "CreateDate": datetime(2026, 1, 1, tzinfo=UTC),
    }
    aws.give("GetRole", {"Role": role})
    assert warnings(aws) == []
    assert aws.asked("GetRole") == [{"RoleName": "oncall"}]
    assert aws.asked("SimulatePrincipalPolicy")[0]["PolicySourceArn"] == ROLE


@pytest.mark.parametrize("refused", ["GetCallerIdentity", "SimulatePrincipalPolicy"])
def test_who_may_not_simulate_is_told_nothing(aws: StandIn, refused: str) -> None:
    """Few may, and it says nothing about the rest."""
    aws.give(refused, Refusal("AccessDenied", status=403))
    assert warnings(aws) == []
    caller(aws, "arn:aws:iam::123456789012:root")
    assert warnings(aws) == []


def test_nothing_keeps_a_plan_from_being_made(aws: StandIn) -> None:
    """Services that fail, and documents that make no sense, are told in a line each."""
    for operation in (
        "DescribeKey",
        "GetFunctionConfiguration",
        "DescribeStreamSummary",
        "SimulatePrincipalPolicy",
    ):
        aws.give(operation, Refusal("InternalFailure", status=500))
    said = warnings(
        aws,
        ENCRYPTED,
        stream_consumers=[consumer("mail")],
        kinesis_destinations=[{"StreamArn": KINESIS}],
        replicas={"Replicas": [{"Region": "odd"}]},
    )
    assert len(said) == 5
    assert len([line for line in said if "could not be checked" in line]) == 4


def test_the_checks_write_nothing(net: Process, endpoint: EmbeddedEndpoint, table: str) -> None:
    """On an embedded AWS, for a table with everything."""
    clients = Clients.of(endpoint.aws())
    equip(clients, table, clients.function(table.replace(".", "-")))
    definition = capture(net.aws, table)
    net.faults.reset()
    (said,) = warnings_for(net.aws, wanted(definition), FakeSleep())
    assert said.startswith("1 of Lambda's functions")
    # Simulating is no write, whatever it is called.
    assert set(net.faults.writes) <= {"SimulatePrincipalPolicy"}

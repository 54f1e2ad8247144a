"""Table definitions: everything is captured, and what could not be read is unknown with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from recovery.definition import Known, NotKnown, capture_definition, create_request
from recovery.errors import TableNotFoundError
from tests.recovery.recovering import START, make_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.recovery.recovering import Process

ATTRIBUTES = [
    {"AttributeName": name, "AttributeType": kind} for name, kind in (("pk", "S"), ("sk", "N"), ("g", "B"))
]
KEYS = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
POLICY = '{"Version":"2012-10-17","Statement":[]}'


def described(**more: Any) -> dict[str, Any]:
    """A DescribeTable answer of the documented shape: provisioned, with what DynamoDB adds to it."""
    return {
        "TableName": "orders",
        "TableArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
        "TableId": "1f7d6d4e-0000-4000-8000-000000000000",
        "TableStatus": "ACTIVE",
        "ItemCount": 7,
        "TableSizeBytes": 700,
        "AttributeDefinitions": list(reversed(ATTRIBUTES)),
        "KeySchema": KEYS,
        "ProvisionedThroughput": {
            "NumberOfDecreasesToday": 2,
            "LastIncreaseDateTime": START,
            "ReadCapacityUnits": 5,
            "WriteCapacityUnits": 6,
        },
        "DeletionProtectionEnabled": False,
        **more,
    }


def index(name: str, projection: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An index as DescribeTable shows it."""
    return {
        "IndexName": name,
        "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
        "Projection": projection,
        "IndexStatus": "ACTIVE",
        "IndexSizeBytes": 1,
        "ItemCount": 2,
        "IndexArn": f"arn:aws:dynamodb:eu-west-1:123456789012:table/orders/index/{name}",
        **more,
    }


ON_DEMAND = {
    "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": START},
    "ProvisionedThroughput": {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
}


def test_a_provisioned_table_keeps_its_throughput() -> None:
    """Billing mode, capacity, keys and attributes as CreateTable takes them, and nothing that it refuses."""
    assert create_request(described()) == {
        "TableName": "orders",
        "AttributeDefinitions": sorted(ATTRIBUTES, key=lambda attribute: attribute["AttributeName"]),
        "KeySchema": KEYS,
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6},
    }


def test_a_table_that_was_switched_to_provisioned() -> None:
    """A BillingModeSummary of PROVISIONED is no on-demand table."""
    request = create_request(described(BillingModeSummary={"BillingMode": "PROVISIONED"}))
    assert request["BillingMode"] == "PROVISIONED"
    assert request["ProvisionedThroughput"]["ReadCapacityUnits"] == 5


def test_an_on_demand_table_stays_on_demand() -> None:
    """No throughput in the request, for table and index, although DescribeTable shows zeros."""
    zeros = {"ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}}
    request = create_request(
        described(**ON_DEMAND, GlobalSecondaryIndexes=[index("by-g", {"ProjectionType": "ALL"}, **zeros)])
    )
    assert request["BillingMode"] == "PAY_PER_REQUEST"
    assert "ProvisionedThroughput" not in request
    assert set(request["GlobalSecondaryIndexes"][0]) == {"IndexName", "KeySchema", "Projection"}


def test_on_demand_limits_are_kept() -> None:
    """A maximum throughput comes back; -1 is DescribeTable's way to say that there is none."""
    limits = {"OnDemandThroughput": {"MaxReadRequestUnits": 40, "MaxWriteRequestUnits": -1}}
    request = create_request(
        described(
            **ON_DEMAND, **limits, GlobalSecondaryIndexes=[index("by-g", {"ProjectionType": "ALL"}, **limits)]
        )
    )
    assert request["OnDemandThroughput"] == {"MaxReadRequestUnits": 40}
    assert request["GlobalSecondaryIndexes"][0]["OnDemandThroughput"] == {"MaxReadRequestUnits": 40}
    none = described(**ON_DEMAND, OnDemandThroughput={"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": -1})
    assert "OnDemandThroughput" not in create_request(none)


def test_indexes_of_a_provisioned_table() -> None:
    """GSIs keep their capacity, LSIs have none; projections keep their attributes; order does not matter."""
    capacity = {
        "ProvisionedThroughput": {
            "NumberOfDecreasesToday": 0,
            "ReadCapacityUnits": 3,
            "WriteCapacityUnits": 4,
        }
    }
    included = {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["z", "a"]}
    request = create_request(
        described(
            GlobalSecondaryIndexes=[
                index("z-index", {"ProjectionType": "KEYS_ONLY"}, **capacity),
                index("a-index", included, **capacity),
            ],
            LocalSecondaryIndexes=[index("local", {"ProjectionType": "ALL"})],
        )
    )
    first, second = request["GlobalSecondaryIndexes"]
    assert (first["IndexName"], second["IndexName"]) == ("a-index", "z-index")
    assert first["Projection"] == {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["a", "z"]}
    assert first["ProvisionedThroughput"] == {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4}
    (local,) = request["LocalSecondaryIndexes"]
    assert set(local) == {"IndexName", "KeySchema", "Projection"}


def test_no_indexes_no_index_lists() -> None:
    """CreateTable refuses an empty list of indexes."""
    request = create_request(described(GlobalSecondaryIndexes=[], LocalSecondaryIndexes=None))
    assert not {"GlobalSecondaryIndexes", "LocalSecondaryIndexes"} & set(request)


def test_the_table_class_is_kept() -> None:
    """STANDARD_INFREQUENT_ACCESS does not come back as STANDARD."""
    request = create_request(described(TableClassSummary={"TableClass": "STANDARD_INFREQUENT_ACCESS"}))
    assert request["TableClass"] == "STANDARD_INFREQUENT_ACCESS"


@pytest.mark.parametrize(
    ("described_as", "expected"),
    [
        (
            {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": "arn:aws:kms:eu-west-1:1:key/k"},
            {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "arn:aws:kms:eu-west-1:1:key/k"},
        ),
        ({"Status": "UPDATING", "SSEType": "KMS"}, {"Enabled": True, "SSEType": "KMS"}),
        ({"Status": "DISABLED"}, None),
        (None, None),
    ],
)
def test_encryption(described_as: dict[str, Any] | None, expected: dict[str, Any] | None) -> None:
    """A table under a KMS key comes back under that key, one without stays without."""
    description = described(**({"SSEDescription": described_as} if described_as else {}))
    assert create_request(description).get("SSESpecification") == expected


@pytest.fixture
def full(plain: DynamoDBClient, table: str) -> str:
    """A table with everything that the embedded AWS knows."""
    make_table(
        plain,
        table,
        AttributeDefinitions=ATTRIBUTES,
        KeySchema=KEYS,
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-g",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x"]},
            }
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        Tags=[{"Key": "team", "Value": "shop"}, {"Key": "empty", "Value": ""}],
        DeletionProtectionEnabled=True,
    )
    plain.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    plain.update_continuous_backups(
        TableName=table,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 9},
    )
    arn = plain.describe_table(TableName=table)["Table"]["TableArn"]
    plain.put_resource_policy(ResourceArn=arn, Policy=POLICY)
    return table


def test_a_full_table_is_captured(net: Process, full: str) -> None:
    """Keys, index, stream, TTL, PITR with its period, tags, policy and protection are all known."""
    definition = capture_definition(net.aws, full, START)
    assert definition.unknown == {}
    assert {name: setting.value for name, setting in definition.settings} == {
        "stream": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        "deletion_protection": True,
        "ttl": {"AttributeName": "expires"},
        "pitr": {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 9},
        "tags": {"team": "shop", "empty": ""},
        "resource_policy": POLICY,
    }
    assert definition.tags == {"team": "shop", "empty": ""}
    assert definition.create_table["GlobalSecondaryIndexes"][0]["Projection"]["NonKeyAttributes"] == ["x"]
    assert (definition.table.account, definition.table.region, definition.table.name) == (
        "123456789012",
        "eu-west-1",
        full,
    )
    assert definition.captured == START


def test_what_a_bare_table_has_not_is_known_to_be_absent(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """Absent settings are known: nothing is unknown in a plain table."""
    make_table(plain, table)
    definition = capture_definition(net.aws, table, START)
    assert definition.unknown == {}
    assert [name for name, setting in definition.settings if setting.value] == []


READ_BY = {
    "ttl": "DescribeTimeToLive",
    "pitr": "DescribeContinuousBackups",
    "tags": "ListTagsOfResource",
    "resource_policy": "GetResourcePolicy",
}


@pytest.mark.parametrize("setting", READ_BY)
@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        ("AccessDeniedException", 400, "access denied"),
        ("UnknownOperationException", 400, "scripted"),
        ("NotImplemented", 501, "scripted"),
        ("InternalFailure", 500, "scripted"),
    ],
)
def test_what_cannot_be_read_is_unknown(
    net: Process, full: str, setting: str, code: str, status: int, reason: str
) -> None:
    """No permission, or an endpoint without the call: that setting is unknown with the reason, never absent."""
    net.faults.fail(READ_BY[setting], status=status, code=code)
    definition = capture_definition(net.aws, full, START)
    assert list(definition.unknown) == [setting]
    assert reason in definition.unknown[setting]
    assert isinstance(getattr(definition.settings, setting), NotKnown)


def test_a_table_that_vanishes_while_it_is_read_is_no_definition(net: Process, full: str) -> None:
    """Half a definition of a table that is gone by now is an error, not a definition with gaps."""
    net.faults.fail("DescribeTimeToLive", code="ResourceNotFoundException")
    with pytest.raises(TableNotFoundError):
        capture_definition(net.aws, full, START)


def test_a_table_that_is_not_there(net: Process, table: str) -> None:
    """TableNotFoundError, exit 10."""
    with pytest.raises(TableNotFoundError) as caught:
        capture_definition(net.aws, table, START)
    assert caught.value.exit_code == 10


@pytest.mark.parametrize("status", ["DISABLED", "DISABLING"])
def test_ttl_that_is_off_is_absent(net: Process, full: str, status: str) -> None:
    """DescribeTimeToLive names the attribute even where TTL is being switched off."""

    def off(answer: dict[str, Any]) -> None:
        answer["TimeToLiveDescription"]["TimeToLiveStatus"] = status

    net.faults.change_answer("DescribeTimeToLive", off)
    assert capture_definition(net.aws, full, START).settings.ttl == Known(value=None)


def test_all_pages_of_tags_are_read(net: Process, full: str) -> None:
    """ListTagsOfResource is followed to its last page."""

    def more(answer: dict[str, Any]) -> None:
        answer["Tags"] = answer["Tags"][:1]
        answer["NextToken"] = answer["Tags"][0]["Key"]  # what the embedded AWS takes for a token

    net.faults.change_answer("ListTagsOfResource", more)
    assert capture_definition(net.aws, full, START).tags == {"team": "shop", "empty": ""}
    assert net.faults.calls.count("ListTagsOfResource") == 2


def test_what_is_only_observed(net: Process, full: str) -> None:
    """Replicas and warm throughput are noted, but not part of the request."""

    def add(answer: dict[str, Any]) -> None:
        answer["Table"]["Replicas"] = [{"RegionName": "us-east-1", "ReplicaStatus": "ACTIVE"}]

    net.faults.change_answer("DescribeTable", add)
    definition = capture_definition(net.aws, full, START)
    assert definition.observed["Replicas"][0]["RegionName"] == "us-east-1"
    assert "Replicas" not in definition.create_table


def test_a_request_creates_the_table_that_it_describes(
    net: Process, plain: DynamoDBClient, full: str
) -> None:
    """The request of a captured table is accepted by CreateTable, and capturing again gives the same request."""
    request = capture_definition(net.aws, full, START).create_table
    twin = f"{full}.twin"
    client: Any = plain
    client.create_table(**{**request, "TableName": twin})
    again = capture_definition(net.aws, twin, START).create_table
    assert {**again, "TableName": full} == request

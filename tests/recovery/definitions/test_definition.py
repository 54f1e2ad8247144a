"""Table definitions: everything is captured, and what could not be read is unknown with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.validate import validate_parameters

from recovery.definitions.create_request import create_request, without_aws_key
from recovery.definitions.definition import capture_definition
from recovery.definitions.readings import Known, NotKnown
from recovery.errors import TableNotFoundError
from tests.recovery.recovering import START, FakeSleep, make_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.definitions.definition import TableDefinition
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
        ({"Status": "ENABLING", "SSEType": "KMS"}, {"Enabled": True, "SSEType": "KMS"}),
        ({"Status": "ENABLED", "SSEType": "AES256"}, None),
        ({"Status": "DISABLED"}, None),
        (None, None),
    ],
)
def test_encryption(described_as: dict[str, Any] | None, expected: dict[str, Any] | None) -> None:
    """A table under a KMS key comes back under that key, one without stays without."""
    description = described(**({"SSEDescription": described_as} if described_as else {}))
    assert create_request(description).get("SSESpecification") == expected


UNDER_KEY = {"SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "arn:aws:kms:x"}}


@pytest.mark.parametrize(
    ("key", "named"),
    [
        (Known(value={"KeyManager": "AWS", "MultiRegion": False}), False),
        (Known(value={"KeyManager": "CUSTOMER", "MultiRegion": False}), True),
        (Known(), True),
        (NotKnown(reason="access denied"), True),
    ],
)
def test_the_key_of_aws_is_not_named(key: Known | NotKnown, *, named: bool) -> None:
    """CreateTable wants a key only where it is not AWS's own for DynamoDB; which is meant without a key."""
    found = without_aws_key({"TableName": "orders", **UNDER_KEY}, key)["SSESpecification"]
    assert ("KMSMasterKeyId" in found) is named
    assert found["Enabled"] is True
    assert without_aws_key({"TableName": "orders"}, key) == {"TableName": "orders"}


@pytest.mark.parametrize("throughput", [{"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}, None])
def test_an_engine_without_billing_modes(throughput: dict[str, int] | None) -> None:
    """No summary and no units is on demand: CreateTable takes no table with nothing provisioned."""
    description = described(ProvisionedThroughput=throughput)
    if throughput is None:
        del description["ProvisionedThroughput"]
    request = create_request(description)
    assert request["BillingMode"] == "PAY_PER_REQUEST"
    assert "ProvisionedThroughput" not in request


def test_vector_indexes() -> None:
    """They are made with the table, without what CreateTable does not take."""
    vector = {
        "VectorAttribute": {"AttributeName": "embedding"},
        "Dimensions": 256,
        "DistanceFunction": "COSINE",
        "SearchSchema": [{"AttributeName": "g", "SearchSchemaElementType": "HASH"}],
    }
    described_as = index("near", {"ProjectionType": "KEYS_ONLY"}, Backfilling=False, **vector)
    del described_as["KeySchema"]
    assert create_request(described(VectorIndexes=[described_as]))["VectorIndexes"] == [
        {"IndexName": "near", "Projection": {"ProjectionType": "KEYS_ONLY"}, **vector}
    ]


def test_an_index_that_is_being_deleted_does_not_come_back() -> None:
    """Nor do the attributes that only its keys are made of: CreateTable refuses what no key uses."""
    going = index("by-g", {"ProjectionType": "ALL"}, IndexStatus="DELETING")
    request = create_request(described(**ON_DEMAND, GlobalSecondaryIndexes=[going]))
    assert "GlobalSecondaryIndexes" not in request
    assert {attribute["AttributeName"] for attribute in request["AttributeDefinitions"]} == {"pk", "sk"}
    staying = index("by-g-too", {"ProjectionType": "ALL"}, IndexStatus="CREATING")
    request = create_request(described(**ON_DEMAND, GlobalSecondaryIndexes=[going, staying]))
    assert [one["IndexName"] for one in request["GlobalSecondaryIndexes"]] == ["by-g-too"]
    assert {attribute["AttributeName"] for attribute in request["AttributeDefinitions"]} == {"pk", "sk", "g"}


@pytest.mark.parametrize("mode", [ON_DEMAND, {}], ids=["on demand", "provisioned"])
def test_a_request_is_one_that_create_table_takes(plain: DynamoDBClient, mode: dict[str, Any]) -> None:
    """By the service's model; and what costs money, or is of other regions, is not in it."""
    units = {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4, "NumberOfDecreasesToday": 0}
    limits = {"OnDemandThroughput": {"MaxReadRequestUnits": 9, "MaxWriteRequestUnits": 9}}
    warm = {
        "WarmThroughput": {"ReadUnitsPerSecond": 50_000, "WriteUnitsPerSecond": 9_000, "Status": "ACTIVE"}
    }
    all_items = {"ProjectionType": "ALL"}
    description = described(
        GlobalSecondaryIndexes=[index("by-g", all_items, ProvisionedThroughput=units, **limits, **warm)],
        LocalSecondaryIndexes=[index("local", all_items)],
        TableClassSummary={"TableClass": "STANDARD", "LastUpdateDateTime": START},
        SSEDescription={"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": "arn:aws:kms:x"},
        Replicas=[{"RegionName": "us-east-1"}],
        GlobalTableVersion="2019.11.21",
        MultiRegionConsistency="STRONG",
        GlobalTableSettingsReplicationMode="ENABLED",
        **limits,
        **warm,
        **mode,
    )
    request = create_request(description)
    taken: Any = plain.meta.service_model.operation_model("CreateTable").input_shape
    validate_parameters(request, taken)
    assert set(request) <= set(taken.members)
    text = repr(request)
    assert ("OnDemandThroughput" in text) is (mode is ON_DEMAND)
    assert ("ReadCapacityUnits" in text) is (mode is not ON_DEMAND)
    assert not [name for name in ("Warm", "Replica", "MultiRegion", "GlobalTable") if name in text]


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


def unknown_settings(definition: TableDefinition) -> list[str]:
    """The settings that could not be read."""
    return [name for name, setting in definition.settings if isinstance(setting, NotKnown)]


def test_a_full_table_is_captured(net: Process, full: str) -> None:
    """Keys, index, stream, TTL, PITR with its period, tags, policy and protection are all known."""
    definition = capture_definition(net.aws, full, START)
    assert unknown_settings(definition) == []
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
    assert unknown_settings(definition) == []
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
    net.faults.fail(READ_BY[setting], status=status, code=code, times=2)
    definition = capture_definition(net.aws, full, START, sleep=FakeSleep())
    assert unknown_settings(definition) == [setting]
    assert reason in definition.unknown[setting]
    assert isinstance(getattr(definition.settings, setting), NotKnown)


@pytest.mark.parametrize("setting", READ_BY)
def test_a_throttled_setting_is_read_in_the_end(net: Process, full: str, setting: str) -> None:
    """A busy minute is no reason for a backup that does not know of TTL."""
    net.faults.fail(READ_BY[setting], times=3)
    sleep = FakeSleep()
    definition = capture_definition(net.aws, full, START, surroundings=False, sleep=sleep)
    assert unknown_settings(definition) == []
    assert len(sleep.slept) == 3


def test_unknown_is_of_settings_and_surroundings(net: Process, full: str) -> None:
    """Both are named in one place, with their reasons."""
    net.faults.fail("DescribeTimeToLive", code="AccessDeniedException")
    net.faults.fail("DescribeScalableTargets", code="AccessDeniedException")
    unknown = capture_definition(net.aws, full, START).unknown
    assert {"ttl", "auto_scaling"} <= set(unknown)
    assert "access denied" in unknown["ttl"]
    assert "DescribeScalableTargets" in unknown["auto_scaling"]


def test_an_engine_that_tells_little(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Without table id, billing mode and counts, and with no call but DescribeTable, there is a definition."""
    make_table(plain, table)
    told = (
        "TableName",
        "TableArn",
        "TableStatus",
        "KeySchema",
        "AttributeDefinitions",
        "ProvisionedThroughput",
    )

    def little(answer: dict[str, Any]) -> None:
        answer["Table"] = {name: answer["Table"][name] for name in told}

    net.faults.change_answer("DescribeTable", little)
    for operation in READ_BY.values():
        net.faults.fail(operation, code="UnknownOperationException", times=9)
    definition = capture_definition(net.aws, table, START, sleep=FakeSleep())
    assert (definition.table.table_id, definition.created, definition.item_count_estimate) == ("", None, 0)
    assert unknown_settings(definition) == list(READ_BY)
    assert definition.create_table["BillingMode"] == "PAY_PER_REQUEST"


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


def test_the_key_is_looked_up(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Whose key it is decides on the request, and is noted down; without leave to ask the key stays in."""
    make_table(plain, table, SSESpecification={"Enabled": True, "SSEType": "KMS"})

    def of_aws(answer: dict[str, Any]) -> None:
        answer["KeyMetadata"]["KeyManager"] = "AWS"

    net.faults.change_answer("DescribeKey", of_aws)
    definition = capture_definition(net.aws, table, START)
    assert definition.create_table["SSESpecification"] == {"Enabled": True, "SSEType": "KMS"}
    assert isinstance(definition.surroundings.encryption_key, Known)
    assert definition.surroundings.encryption_key.value["KeyManager"] == "AWS"

    net.faults.fail("DescribeKey", code="AccessDeniedException")
    definition = capture_definition(net.aws, table, START)
    assert definition.create_table["SSESpecification"]["KMSMasterKeyId"].startswith("arn:aws:kms:")
    assert isinstance(definition.surroundings.encryption_key, NotKnown)


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

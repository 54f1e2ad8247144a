"""Parts of the settings pass that no emulator has, or none can fail at, on answers of the documented form."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from recovery.definitions.definition import Known
from recovery.definitions.put_alarms import put_alarms
from recovery.definitions.put_consumers import mapping_request, put_stream_consumers
from recovery.definitions.put_protections import put_deletion_protection, put_stream_policy
from recovery.definitions.put_streaming import put_contributor_insights, put_kinesis_destinations, warming
from recovery.definitions.put_table import (
    INDEX_ATTEMPTS,
    put_class,
    put_encryption,
    put_indexes,
    put_throughput,
    throughput_update,
)
from recovery.definitions.putting import CONFIRM_ATTEMPTS, CONFIRM_SECONDS
from tests.recovery.definitions.stand_in import ARN, NOTHING, OLD_STREAM, ON, STREAM, Answer, Refusal, StandIn

UUID = "1f7d6d4e-0000-4000-8000-000000000000"
NEW_UUID = "2f7d6d4e-0000-4000-8000-000000000000"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:f"
KINESIS = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/k"
OTHER_KEY = "arn:aws:kms:eu-west-1:123456789012:key/other"
PRECISION = "ApproximateCreationDateTimePrecision"


@pytest.fixture(scope="module")
def _nobody() -> StandIn:
    return StandIn()


@pytest.fixture
def aws(_nobody: StandIn) -> StandIn:
    """Nothing but a table."""
    return _nobody.renewed()


def arguments(command: str) -> dict[str, Any]:
    """What a command passes on."""
    words = shlex.split(command)
    found: dict[str, Any] = json.loads(words[words.index("--cli-input-json") + 1])
    return found


# The table class, the key


def test_the_table_class_comes_back(aws: StandIn) -> None:
    """In a request of its own, once; a table of the standard class needs none."""
    aws.when("UpdateTable", lambda request: _classed(aws, request["TableClass"]))
    for _ in range(2):
        put_class(aws.putting(create_table={"TableClass": "STANDARD_INFREQUENT_ACCESS"}))
    assert aws.asked("UpdateTable") == [{"TableName": "orders", "TableClass": "STANDARD_INFREQUENT_ACCESS"}]
    put_class(aws.putting())
    assert aws.asked("UpdateTable")[1:] == [{"TableName": "orders", "TableClass": "STANDARD"}]


def _classed(aws: StandIn, name: str) -> Answer:
    aws.described["TableClassSummary"] = {"TableClass": name}
    return {}


def encrypted(key: str) -> dict[str, Any]:
    """As DescribeTable shows it."""
    return {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": key}


def asks_for(key: str | None = None) -> dict[str, Any]:
    """A CreateTable request's part."""
    return {
        "SSESpecification": {"Enabled": True, "SSEType": "KMS", **({"KMSMasterKeyId": key} if key else {})}
    }


@pytest.mark.parametrize(
    ("found", "wanted", "manager", "expected"),
    [
        (None, None, "", None),
        (KEY, KEY, "", None),
        (None, KEY, "", asks_for(KEY)),
        (OTHER_KEY, KEY, "", asks_for(KEY)),
        (KEY, None, "", {"SSESpecification": {"Enabled": False}}),
        (KEY, "AWS", "AWS", None),
        (KEY, "AWS", "CUSTOMER", asks_for()),
        (KEY, "AWS", "denied", None),
    ],
)
def test_the_encryption_key_comes_back_where_it_differs(
    aws: StandIn, found: str | None, wanted: str | None, manager: str, expected: dict[str, Any] | None
) -> None:
    """KMS is asked only about a key that was not named; one whose manager nobody may see is left alone."""
    if found:
        aws.described["SSEDescription"] = encrypted(found)
    answer: Answer = {"KeyMetadata": {"KeyId": "k", "KeyManager": manager}}
    aws.give("DescribeKey", Refusal("AccessDeniedException") if manager == "denied" else answer)

    def update(request: dict[str, Any]) -> Answer:
        key = request["SSESpecification"].get("KMSMasterKeyId")
        aws.described["SSEDescription"] = encrypted(key) if key else {"Status": "DISABLED"}
        return {}

    aws.when("UpdateTable", update)
    request = {None: {}, "AWS": asks_for()}.get(wanted, asks_for(wanted))
    putting = aws.putting(create_table=request)
    put_encryption(putting)
    assert putting.follow_ups == []
    assert aws.asked("UpdateTable") == ([{"TableName": "orders", **expected}] if expected else [])
    assert bool(aws.asked("DescribeKey")) == bool(manager)


# Throughput


def units(reads: int, writes: int) -> dict[str, Any]:
    """Provisioned throughput of a table or index."""
    return {"ProvisionedThroughput": {"ReadCapacityUnits": reads, "WriteCapacityUnits": writes}}


def limits(**most: int) -> dict[str, Any]:
    """Limits of an on-demand table or index."""
    return {"OnDemandThroughput": most}


def request(mode: str, table: dict[str, Any], *indexes: dict[str, Any]) -> dict[str, Any]:
    """The throughput of a CreateTable request."""
    named = [{"IndexName": f"index-{number}", **index} for number, index in enumerate(indexes)]
    return {"BillingMode": mode, **table, "GlobalSecondaryIndexes": named}


def update_of(name: str, change: dict[str, Any]) -> dict[str, Any]:
    """The update of one index."""
    return {"GlobalSecondaryIndexUpdates": [{"Update": {"IndexName": name, **change}}]}


ON_DEMAND, BY_UNITS = "PAY_PER_REQUEST", "PROVISIONED"


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        (request(BY_UNITS, units(1, 1), units(2, 2)), request(BY_UNITS, units(1, 1), units(2, 2)), {}),
        (request(BY_UNITS, units(1, 1)), request(BY_UNITS, units(1, 9)), units(1, 1)),
        (
            request(BY_UNITS, units(1, 1), units(2, 2), units(3, 3)),
            request(BY_UNITS, units(1, 1), units(2, 2), units(3, 9)),
            update_of("index-1", units(3, 3)),
        ),
        (
            request(BY_UNITS, units(1, 1), units(2, 2)),
            request(ON_DEMAND, {}, {}),
            {"BillingMode": BY_UNITS, **units(1, 1), **update_of("index-0", units(2, 2))},
        ),
        (request(BY_UNITS, units(1, 1), units(2, 2)), request(BY_UNITS, units(1, 1)), {}),
        (request(ON_DEMAND, {}), request(BY_UNITS, units(1, 1)), {"BillingMode": ON_DEMAND}),
        (
            request(ON_DEMAND, limits(MaxWriteRequestUnits=5)),
            request(ON_DEMAND, {}),
            limits(MaxWriteRequestUnits=5),
        ),
        (
            request(ON_DEMAND, limits(MaxWriteRequestUnits=5), {}),
            request(
                ON_DEMAND,
                limits(MaxWriteRequestUnits=9, MaxReadRequestUnits=9),
                limits(MaxReadRequestUnits=3),
            ),
            {
                **limits(MaxReadRequestUnits=-1, MaxWriteRequestUnits=5),
                **update_of("index-0", limits(MaxReadRequestUnits=-1)),
            },
        ),
    ],
    ids=["same", "table", "one index", "switch", "index missing", "on demand", "limit", "limits off"],
)
def test_what_changes_the_throughput(
    wanted: dict[str, Any], found: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Only what differs, since AWS refuses to change units to themselves; all of it where the mode changes."""
    assert throughput_update(wanted, found) == expected


def test_the_raised_capacity_is_lowered_in_one_request(aws: StandIn) -> None:
    """Table and index together: a day has few decreases."""
    index = {
        "IndexName": "by-g",
        "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    aws.described["BillingModeSummary"] = {"BillingMode": BY_UNITS}
    aws.described |= {**units(1, 4000), "GlobalSecondaryIndexes": [{**index, **units(1, 4000)}]}
    aws.when("UpdateTable", lambda _: {})
    put_throughput(
        aws.putting(
            create_table={
                "BillingMode": BY_UNITS,
                **units(1, 2),
                "GlobalSecondaryIndexes": [{**index, **units(1, 2)}],
            }
        )
    )
    assert aws.asked("UpdateTable") == [
        {"TableName": "orders", **units(1, 2), **update_of("by-g", units(1, 2))}
    ]


# Indexes

ATTRIBUTES = [{"AttributeName": name, "AttributeType": "S"} for name in ("g", "h", "pk")]


def index(name: str) -> dict[str, Any]:
    """A global index on an attribute."""
    return {
        "IndexName": f"by-{name}",
        "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }


def test_missing_indexes_are_made_one_after_the_other(aws: StandIn) -> None:
    """Each with the attributes that it and what is there need, and only once the one before is filled."""
    filling: dict[str, int] = {}

    def update(request: dict[str, Any]) -> Answer:
        (change,) = request["GlobalSecondaryIndexUpdates"]
        assert all(left <= 0 for left in filling.values()), "an index was asked for while another is filled"
        made = change["Create"]
        aws.described.setdefault("GlobalSecondaryIndexes", []).append(made)
        aws.described["AttributeDefinitions"] = request["AttributeDefinitions"]
        filling[made["IndexName"]] = 3
        return {}

    def describe(_: dict[str, Any]) -> Answer:
        shown = []
        for one in aws.described.get("GlobalSecondaryIndexes", []):
            filling[one["IndexName"]] -= 1
            status = "CREATING" if filling[one["IndexName"]] > 0 else "ACTIVE"
            shown.append({**one, "IndexStatus": status})
        return {"Table": {**aws.described, "GlobalSecondaryIndexes": shown}}

    aws.when("UpdateTable", update)
    aws.when("DescribeTable", describe)
    putting = aws.putting(
        create_table={"AttributeDefinitions": ATTRIBUTES, "GlobalSecondaryIndexes": [index("g"), index("h")]}
    )
    put_indexes(putting)
    assert putting.follow_ups == []
    first, second = aws.asked("UpdateTable")
    assert [one["AttributeName"] for one in first["AttributeDefinitions"]] == ["g", "pk"]
    assert [one["AttributeName"] for one in second["AttributeDefinitions"]] == ["g", "h", "pk"]
    assert aws.sleep.slept == [CONFIRM_SECONDS] * 4


def test_an_index_that_takes_longer_than_six_hours_is_told(
    aws: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pass goes on without it, and does not ask for it twice."""
    assert CONFIRM_SECONDS * INDEX_ATTEMPTS == 6 * 3600
    monkeypatch.setattr("recovery.definitions.put_table.INDEX_ATTEMPTS", 5)
    aws.described["GlobalSecondaryIndexes"] = [{**index("g"), "IndexStatus": "CREATING"}]
    putting = aws.putting(
        create_table={"AttributeDefinitions": ATTRIBUTES, "GlobalSecondaryIndexes": [index("g")]}
    )
    put_indexes(putting)
    assert [step.setting for step in putting.follow_ups] == ["index by-g"]
    assert aws.asked("UpdateTable") == []
    assert aws.sleep.slept == [CONFIRM_SECONDS] * 4


def test_a_vector_index_comes_back(aws: StandIn) -> None:
    """With an update of its own kind."""
    vectors = {
        "IndexName": "near",
        "VectorAttribute": {"AttributeName": "v"},
        "SearchSchema": [{"AttributeName": "g", "SearchSchemaElementType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
        "Dimensions": 3,
        "DistanceFunction": "COSINE",
    }

    def update(request: dict[str, Any]) -> Answer:
        aws.described["VectorIndexes"] = [
            {**request["VectorIndexUpdates"][0]["Create"], "IndexStatus": "ACTIVE"}
        ]
        return {}

    aws.when("UpdateTable", update)
    create: dict[str, Any] = {"AttributeDefinitions": ATTRIBUTES, "VectorIndexes": [vectors]}
    for _ in range(2):
        put_indexes(aws.putting(create_table=create))
    (asked,) = aws.asked("UpdateTable")
    assert asked["VectorIndexUpdates"] == [{"Create": vectors}]
    assert [one["AttributeName"] for one in asked["AttributeDefinitions"]] == ["g", "pk"]


# The stream's policy

STATEMENT = '{"Statement":[{"Resource":"%s"}]}'


def test_the_policy_of_the_stream_names_the_new_stream(aws: StandIn) -> None:
    """It is put on the stream that is there now, once, and its resource is that one."""
    aws.described |= {"StreamSpecification": ON, "LatestStreamArn": STREAM}
    kept: dict[str, str] = {}
    aws.when(
        "GetResourcePolicy",
        lambda asked: (
            {"Policy": kept[asked["ResourceArn"]]}
            if asked["ResourceArn"] in kept
            else Refusal("PolicyNotFoundException")
        ),
    )

    def put(asked: dict[str, Any]) -> Answer:
        kept[asked["ResourceArn"]] = asked["Policy"]
        return {}

    aws.when("PutResourcePolicy", put)
    for _ in range(2):
        putting = aws.putting(stream_policy=STATEMENT % OLD_STREAM)
        put_stream_policy(putting)
        assert putting.follow_ups == []
    assert aws.asked("PutResourcePolicy") == [{"ResourceArn": STREAM, "Policy": STATEMENT % STREAM}]


def test_no_stream_no_policy(aws: StandIn) -> None:
    """A stream that is off has an ARN still, and is not the one."""
    aws.described |= {"LatestStreamArn": OLD_STREAM}
    putting = aws.putting(stream_policy=STATEMENT % OLD_STREAM)
    put_stream_policy(putting)
    (step,) = putting.follow_ups
    assert (step.setting, "no stream" in step.reason) == ("stream_policy", True)


# Kinesis and contributor insights


class Kinesis:
    """The destinations of a table: ENABLING for a look, then what the test says."""

    def __init__(self, aws: StandIn, *, becomes: str = "ACTIVE") -> None:
        self.destinations: list[dict[str, Any]] = []
        self.becomes = becomes
        aws.when("EnableKinesisStreamingDestination", self.enable)
        aws.when("UpdateKinesisStreamingDestination", self.update)
        aws.when("DescribeKinesisStreamingDestination", self.describe)

    def enable(self, request: dict[str, Any]) -> Answer:
        """A destination that is fed already is refused."""
        if any(one["DestinationStatus"] == "ACTIVE" for one in self.destinations):
            return Refusal("ResourceInUseException", "already enabled")
        precise = request.get("EnableKinesisStreamingConfiguration", {PRECISION: "MILLISECOND"})
        self.destinations.append(
            {"StreamArn": request["StreamArn"], "DestinationStatus": "ENABLING", **precise}
        )
        return {}

    def update(self, request: dict[str, Any]) -> Answer:
        """Another precision."""
        self.destinations[-1][PRECISION] = request["UpdateKinesisStreamingConfiguration"][PRECISION]
        return {}

    def describe(self, _: dict[str, Any]) -> Answer:
        """What there is."""
        shown = [dict(one) for one in self.destinations]
        for one in self.destinations:
            if one["DestinationStatus"] == "ENABLING":
                one["DestinationStatus"] = self.becomes
        return {"TableName": "orders", "KinesisDataStreamDestinations": shown}


PRECISE = {"StreamArn": KINESIS, "EnableKinesisStreamingConfiguration": {PRECISION: "MICROSECOND"}}


def test_a_kinesis_destination_comes_back_once(aws: StandIn) -> None:
    """With its precision; it is waited for until it is active."""
    kinesis = Kinesis(aws)
    for _ in range(2):
        putting = aws.putting(kinesis_destinations=[PRECISE])
        put_kinesis_destinations(putting)
        assert putting.follow_ups == []
    assert kinesis.destinations == [
        {"StreamArn": KINESIS, "DestinationStatus": "ACTIVE", PRECISION: "MICROSECOND"}
    ]
    assert aws.asked("EnableKinesisStreamingDestination") == [{"TableName": "orders", **PRECISE}]
    assert aws.asked("UpdateKinesisStreamingDestination") == []


def test_a_destination_of_another_precision_is_updated(aws: StandIn) -> None:
    """It is fed already."""
    kinesis = Kinesis(aws)
    kinesis.destinations = [{"StreamArn": KINESIS, "DestinationStatus": "ACTIVE", PRECISION: "MILLISECOND"}]
    put_kinesis_destinations(aws.putting(kinesis_destinations=[PRECISE]))
    assert kinesis.destinations[0][PRECISION] == "MICROSECOND"
    assert aws.asked("EnableKinesisStreamingDestination") == []


def test_a_destination_that_does_not_come_about_is_told(aws: StandIn) -> None:
    """AWS takes the call and says ENABLE_FAILED later."""
    Kinesis(aws, becomes="ENABLE_FAILED")
    putting = aws.putting(kinesis_destinations=[{"StreamArn": KINESIS}])
    put_kinesis_destinations(putting)
    (step,) = putting.follow_ups
    assert "did not come about" in step.reason
    assert arguments(step.command) == {"TableName": "orders", "StreamArn": KINESIS}


def test_contributor_insights_come_back_once(aws: StandIn) -> None:
    """Of the table and of an index, in their mode; one that fails is told."""
    shown: dict[str, dict[str, Any]] = {}

    def update(request: dict[str, Any]) -> Answer:
        name = request.get("IndexName", "")
        shown[name] = {
            "TableName": "orders",
            **({"IndexName": name} if name else {}),
            "ContributorInsightsStatus": "FAILED" if name == "broken" else "ENABLED",
            "ContributorInsightsMode": request.get("ContributorInsightsMode", "ACCESSED_AND_THROTTLED_KEYS"),
        }
        return {}

    aws.when("UpdateContributorInsights", update)
    aws.when("DescribeContributorInsights", lambda request: shown.get(request.get("IndexName", ""), {}))
    enable = {"ContributorInsightsAction": "ENABLE"}
    wanted = [
        enable,
        {**enable, "IndexName": "by-g", "ContributorInsightsMode": "THROTTLED_KEYS"},
    ]
    for _ in range(2):
        putting = aws.putting(contributor_insights=wanted)
        put_contributor_insights(putting)
        assert putting.follow_ups == []
    assert aws.asked("UpdateContributorInsights") == [{"TableName": "orders", **one} for one in wanted]
    broken = aws.putting(contributor_insights=[{**enable, "IndexName": "broken"}])
    put_contributor_insights(broken)
    assert ["did not come about" in step.reason for step in broken.follow_ups] == [True]


def test_waiting_for_what_comes_about_ends(aws: StandIn) -> None:
    """After ten minutes."""
    summary = {"TableName": "orders", "ContributorInsightsStatus": "ENABLING"}
    aws.give("DescribeContributorInsights", summary)
    putting = aws.putting(contributor_insights=[{"ContributorInsightsAction": "ENABLE"}])
    put_contributor_insights(putting)
    assert ["not finished" in step.reason for step in putting.follow_ups] == [True]
    assert sum(aws.sleep.slept) == CONFIRM_SECONDS * (CONFIRM_ATTEMPTS - 1)
    assert CONFIRM_SECONDS * CONFIRM_ATTEMPTS == 600


def test_warm_throughput_is_only_raised() -> None:
    """Both units, neither lower than now; an index that is not there is left out."""

    def warm(reads: int, writes: int) -> dict[str, Any]:
        return {"WarmThroughput": {"ReadUnitsPerSecond": reads, "WriteUnitsPerSecond": writes}}

    wanted = {
        **warm(20_000, 4_000),
        "GlobalSecondaryIndexUpdates": [
            {"Update": {"IndexName": "by-g", **warm(12_000, 9_000)}},
            {"Update": {"IndexName": "gone", **warm(12_000, 9_000)}},
        ],
    }
    found = {**warm(12_000, 8_000), "GlobalSecondaryIndexes": [{"IndexName": "by-g", **warm(12_000, 4_000)}]}
    assert warming(wanted, found) == {
        **warm(20_000, 8_000),
        "GlobalSecondaryIndexUpdates": [{"Update": {"IndexName": "by-g", **warm(12_000, 9_000)}}],
    }
    full = {**warm(20_000, 8_000), "GlobalSecondaryIndexes": [{"IndexName": "by-g", **warm(12_000, 9_000)}]}
    assert warming(wanted, full) == {}


# Consumers


class Lambda:
    """Event source mappings as Lambda keeps them: one for each function and stream, deleted in its own time."""

    def __init__(self, aws: StandIn) -> None:
        self.mappings = [
            {"UUID": UUID, "EventSourceArn": OLD_STREAM, "FunctionArn": FUNCTION, "State": "Enabled"}
        ]
        aws.described |= {"StreamSpecification": ON, "LatestStreamArn": STREAM}
        aws.when("ListEventSourceMappings", self.listed)
        aws.when("GetEventSourceMapping", self.get)
        aws.when("CreateEventSourceMapping", self.create)
        aws.when("DeleteEventSourceMapping", self.delete)

    def listed(self, request: dict[str, Any]) -> Answer:
        """Those of a stream."""
        found = [one for one in self.mappings if one["EventSourceArn"] == request["EventSourceArn"]]
        return {"EventSourceMappings": found}

    def get(self, request: dict[str, Any]) -> Answer:
        """One."""
        found = [one for one in self.mappings if one["UUID"] == request["UUID"]]
        return found[0] if found else Refusal("ResourceNotFoundException", status=404)

    def create(self, request: dict[str, Any]) -> Answer:
        """Not one that is there."""
        asked = request["EventSourceArn"], request["FunctionName"]
        if any((one["EventSourceArn"], one["FunctionArn"]) == asked for one in self.mappings):
            return Refusal("ResourceConflictException", "provided mapping already exists", 409)
        made = {
            "UUID": NEW_UUID,
            "EventSourceArn": asked[0],
            "FunctionArn": asked[1],
            "State": "Enabled" if request["Enabled"] else "Disabled",
        }
        self.mappings.append(made)
        return made

    def delete(self, request: dict[str, Any]) -> Answer:
        """It is Deleting for a while."""
        for one in self.mappings:
            if one["UUID"] == request["UUID"]:
                one["State"] = "Deleting"
        return {}


def consumer(**more: Any) -> dict[str, Any]:
    """As a backup has it."""
    request = {
        "FunctionName": FUNCTION,
        "BatchSize": 50,
        "StartingPosition": "AT_TIMESTAMP",
        "StartingPositionTimestamp": "2026-01-01T00:00:00Z",
        "DestinationConfig": {"OnFailure": {}},
        "Enabled": True,
    }
    return {"UUID": UUID, "State": "Enabled", "CreateEventSourceMapping": request, **more}


def test_a_consumer_reads_the_new_stream_from_its_latest_record_on(aws: StandIn) -> None:
    """Where it stood on the old stream does not count; the mapping of the dead stream goes; and only once."""
    functions = Lambda(aws)
    for _ in range(2):
        putting = aws.putting(stream_consumers=[consumer()])
        put_stream_consumers(putting)
        assert putting.follow_ups == []
    assert aws.asked("CreateEventSourceMapping") == [
        {
            "FunctionName": FUNCTION,
            "BatchSize": 50,
            "StartingPosition": "LATEST",
            "Enabled": True,
            "EventSourceArn": STREAM,
        }
    ]
    assert aws.asked("DeleteEventSourceMapping") == [{"UUID": UUID}]
    assert [one["State"] for one in functions.mappings] == ["Deleting", "Enabled"]


def test_one_that_was_off_stays_off() -> None:
    """Somebody had switched it off."""
    recorded = {**consumer()["CreateEventSourceMapping"], "Enabled": False}
    assert mapping_request(recorded)["Enabled"] is False
    destined = {**recorded, "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:q"}}}
    assert mapping_request(destined)["DestinationConfig"] == destined["DestinationConfig"]


def test_a_filter_that_nobody_saw(aws: StandIn) -> None:
    """The new mapping is off, the old one stays, and the command takes the filter from there."""
    functions = Lambda(aws)
    unseen = consumer(FilterCriteriaError={"ErrorCode": "KMSAccessDenied"})
    putting = aws.putting(stream_consumers=[unseen])
    put_stream_consumers(putting)
    assert [one["State"] for one in functions.mappings] == ["Enabled", "Disabled"]
    (step,) = putting.follow_ups
    words = shlex.split(step.command)
    assert words[:3] == ["aws", "lambda", "update-event-source-mapping"]
    assert arguments(step.command) == {"UUID": NEW_UUID, "Enabled": True}
    assert words[-2] == "--filter-criteria"
    assert shlex.split(words[-1].removeprefix("$(").removesuffix(")")) == [
        *("aws", "lambda", "get-event-source-mapping", "--region", "eu-west-1", "--uuid", UUID),
        *("--query", "FilterCriteria", "--output", "json"),
    ]
    functions.mappings[1]["State"] = "Enabled"  # the command was run
    again = aws.putting(stream_consumers=[unseen])
    put_stream_consumers(again)
    assert again.follow_ups == []


def test_who_may_not_look_creates_nothing(aws: StandIn) -> None:
    """Without knowing what is there a second mapping could be made."""
    Lambda(aws)
    aws.when("ListEventSourceMappings", lambda _: Refusal("AccessDeniedException", status=403))
    putting = aws.putting(stream_consumers=[consumer()])
    put_stream_consumers(putting)
    assert [arguments(step.command).get("FunctionName") for step in putting.follow_ups] == [FUNCTION, None]
    assert aws.asked("CreateEventSourceMapping") == aws.asked("DeleteEventSourceMapping") == []


def test_a_mapping_that_is_somebody_elses_now_is_not_deleted(aws: StandIn) -> None:
    """Only one that reads a dead stream of this very table goes."""
    functions = Lambda(aws)
    functions.mappings[0]["EventSourceArn"] = OLD_STREAM.replace("table/orders", "table/orders-eu")
    put_stream_consumers(aws.putting(stream_consumers=[consumer()]))
    assert aws.asked("DeleteEventSourceMapping") == []


# Alarms

POLICY_ARN = (
    "arn:aws:autoscaling:eu-west-1:123456789012:scalingPolicy:%s:resource/dynamodb/table/%s:policyName/up"
)


def test_an_alarm_whose_policy_is_not_there(aws: StandIn) -> None:
    """It is left to people with a command that finds the policy's ARN; others' policies are theirs."""
    aws.give("DescribeScalingPolicies", {"ScalingPolicies": []})
    alarm = {
        "AlarmName": "busy",
        "AlarmActions": ["arn:aws:sns:t", POLICY_ARN % ("old", "orders")],
        "OKActions": [POLICY_ARN % ("theirs", "other")],
    }
    putting = aws.putting(alarms=[alarm])
    put_alarms(putting)
    (step,) = putting.follow_ups
    words = shlex.split(step.command)
    assert arguments(step.command) == {"AlarmName": "busy", "OKActions": alarm["OKActions"]}
    option = words.index("--alarm-actions")
    assert words[option + 1] == "arn:aws:sns:t"
    assert "--resource-id table/orders --policy-names up" in words[option + 2]
    assert aws.asked("PutMetricAlarm") == []


def test_an_alarm_that_differs_is_put_again(aws: StandIn) -> None:
    """And one that says the same in other words, or more, is not."""
    aws.when("PutMetricAlarm", lambda _: {})
    shown = {"AlarmName": "busy", "Threshold": 5.0, "ActionsEnabled": True, "StateValue": "OK"}
    aws.give("DescribeAlarms", {"MetricAlarms": [shown]})
    put_alarms(aws.putting(alarms=[{"AlarmName": "busy", "Threshold": 5}]))
    assert aws.asked("PutMetricAlarm") == []
    put_alarms(aws.putting(alarms=[{"AlarmName": "busy", "Threshold": 6}]))
    assert aws.asked("PutMetricAlarm") == [{"AlarmName": "busy", "Threshold": 6}]


# Waiting


@pytest.mark.parametrize(
    "code",
    [
        "ConcurrentUpdateException",
        "ContinuousBackupsUnavailableException",
        "ResourceInUseException",
        "ThrottlingException",
    ],
)
def test_what_the_table_is_not_ready_for_is_tried_again(aws: StandIn, code: str) -> None:
    """Something else is going on, or the table is only just there; a refusal for good comes out at once."""
    answers: list[Answer] = [Refusal(code), Refusal(code)]

    def update(request: dict[str, Any]) -> Answer:
        if answers:
            return answers.pop()
        aws.described["DeletionProtectionEnabled"] = True
        return {}

    aws.when("UpdateTable", update)
    settings = NOTHING.model_copy(update={"deletion_protection": Known(value=True)})
    putting = aws.putting(settings=settings)
    put_deletion_protection(putting)
    assert (putting.follow_ups, len(aws.sleep.slept)) == ([], 2)
    aws.described["DeletionProtectionEnabled"] = False
    answers[:] = [Refusal("ValidationException", "no")]
    refused = aws.putting(settings=settings)
    put_deletion_protection(refused)
    assert len(refused.follow_ups) == 1
    assert len(aws.sleep.slept) == 2


def test_a_table_that_stays_busy_is_told_at_the_end(aws: StandIn) -> None:
    """A replica that is copied for hours keeps it UPDATING; it works meanwhile."""
    putting = aws.putting()
    aws.described["TableStatus"] = "UPDATING"
    putting.settle()
    (step,) = putting.follow_ups
    assert step.command == "aws dynamodb wait table-exists --region eu-west-1 --table-name orders"
    assert putting.arn == ARN

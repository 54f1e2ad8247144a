"""The settings pass on ministack, which has what moto lacks: class, key, Kinesis, contributor insights, replicas."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from recovery.definitions.definition import RUN_TAG
from tests.engines.engine import started
from tests.recovery.definitions.equipped import ON, PROVISIONED, Clients, capture, run, wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recovery.definitions.definition import TableDefinition
    from tests.engines.engine import Engine

PARTS = ("kinesis_destinations", "contributor_insights", "stream_consumers", "replicas")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A ministack of its own."""
    with started("ministack", tmp_path_factory.mktemp("ministack")) as running:
        yield running


@pytest.fixture(scope="module")
def clients(engine: Engine) -> Clients:
    """Plain boto3."""
    return Clients.of(engine.aws)


@pytest.fixture
def lost(engine: Engine, clients: Clients) -> TableDefinition:
    """What a table had that is a bare one of another class, without its index and with AWS's own key now."""
    table = f"t.{uuid.uuid4().hex[:12]}"
    session: Any = engine.aws.session
    key = session.client("kms", endpoint_url=engine.aws.endpoint_url).create_key()["KeyMetadata"]["Arn"]
    kinesis = session.client("kinesis", endpoint_url=engine.aws.endpoint_url)
    kinesis.create_stream(StreamName=table, ShardCount=1)
    fed = kinesis.describe_stream(StreamName=table)["StreamDescription"]["StreamARN"]
    clients.tables.create_table(
        TableName=table,
        **PROVISIONED,
        StreamSpecification=ON,
        TableClass="STANDARD_INFREQUENT_ACCESS",
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
        Tags=[{"Key": "team", "Value": "shop"}],
    )
    clients.tables.enable_kinesis_streaming_destination(
        TableName=table,
        StreamArn=fed,
        EnableKinesisStreamingConfiguration={"ApproximateCreationDateTimePrecision": "MICROSECOND"},
    )
    for index in ({}, {"IndexName": "by-g"}):
        clients.tables.update_contributor_insights(
            TableName=table, ContributorInsightsAction="ENABLE", **index
        )
    clients.functions.create_event_source_mapping(
        FunctionName=clients.function(table.replace(".", "-")),
        EventSourceArn=clients.stream(table),
        StartingPosition="TRIM_HORIZON",
        BatchSize=7,
        Enabled=False,
    )
    clients.tables.update_table(TableName=table, ReplicaUpdates=[{"Create": {"RegionName": "eu-central-1"}}])
    definition = capture(engine.aws, table)
    _lose(clients, engine, table)
    request = {
        name: definition.create_table[name]
        for name in ("TableName", "KeySchema", "BillingMode", "ProvisionedThroughput")
    }
    clients.tables.create_table(
        **request,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        Tags=[{"Key": RUN_TAG, "Value": "run-1"}],
    )
    return definition


def _lose(clients: Clients, engine: Engine, table: str) -> None:
    clients.tables.update_table(TableName=table, ReplicaUpdates=[{"Delete": {"RegionName": "eu-central-1"}}])
    clients.tables.disable_kinesis_streaming_destination(
        TableName=table,
        StreamArn=clients.tables.describe_kinesis_streaming_destination(TableName=table)[
            "KinesisDataStreamDestinations"
        ][0]["StreamArn"],
    )
    for index in ({}, {"IndexName": "by-g"}):
        clients.tables.update_contributor_insights(
            TableName=table, ContributorInsightsAction="DISABLE", **index
        )
    engine.lose(table, wait=True)


def parts(definition: TableDefinition) -> dict[str, Any]:
    """The parts that are proved here, but for what names one incarnation of them."""
    found: dict[str, Any] = {name: getattr(definition.surroundings, name).value for name in PARTS}
    consumers = [one["CreateEventSourceMapping"] for one in found["stream_consumers"]]
    return {**found, "stream_consumers": [{**one, "StartingPosition": "any"} for one in consumers]}


def test_what_moto_lacks_comes_back(engine: Engine, clients: Clients, lost: TableDefinition) -> None:
    """Class, key, index, Kinesis destination, contributor insights, replica and consumer; and only once."""
    assert all(parts(lost).values()), "ministack lacks a part that this test is about"
    assert run(engine.aws, wanted(lost))[0] == []
    again, sleep = run(engine.aws, wanted(lost))
    assert (again, sleep.slept) == ([], [])
    found = capture(engine.aws, lost.table.name)
    assert found.create_table == lost.create_table
    assert found.create_table["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert "KMSMasterKeyId" in found.create_table["SSESpecification"]
    assert parts(found) == parts(lost)
    assert found.settings.stream == lost.settings.stream
    assert found.tags == {**lost.tags, RUN_TAG: "run-1"}
    (mapping,) = clients.mappings(clients.stream(lost.table.name))
    assert (mapping["State"], mapping["StartingPosition"]) == ("Disabled", "LATEST")


def test_a_replica_gets_the_items(engine: Engine, clients: Clients, lost: TableDefinition) -> None:
    """It is a table in the other region, added to one that is full."""
    clients.tables.put_item(TableName=lost.table.name, Item={"pk": {"S": "1"}})
    run(engine.aws, wanted(lost))
    there: Any = engine.aws.elsewhere("", "eu-central-1").dynamodb()
    assert there.describe_table(TableName=lost.table.name)["Table"]["TableStatus"] == "ACTIVE"
    assert there.get_item(TableName=lost.table.name, Key={"pk": {"S": "1"}})["Item"] == {"pk": {"S": "1"}}

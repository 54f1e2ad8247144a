"""The settings pass on an embedded AWS: everything the table had is there again, once, whatever happens meanwhile."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from recovery.definitions.definition import RUN_TAG, Known, NotKnown
from recovery.definitions.putting_back import STEPS, put_back
from recovery.errors import LeaseHeldError, TableNotFoundError
from recovery.testing.faults import Crash
from tests.recovery.definitions.equipped import (
    Clients,
    bare,
    capture,
    equip,
    lose,
    policy_for,
    run,
    wanted,
)
from tests.recovery.recovering import FakeSleep, make_table

if TYPE_CHECKING:
    from recovery.definitions.definition import TableDefinition
    from recovery.testing.embedded_aws import EmbeddedEndpoint
    from tests.recovery.recovering import Process

# What an embedded AWS has of the surroundings; the others have tests of their own.
AROUND = ("auto_scaling", "alarms", "stream_consumers")
WRITES = [
    "UpdateTable",
    "RegisterScalableTarget",
    "PutScalingPolicy",
    "PutScheduledAction",
    "UpdateContinuousBackups",
    "UpdateTimeToLive",
    "PutResourcePolicy",
    "PutMetricAlarm",
    "TagResource",
    "CreateEventSourceMapping",
    "DeleteEventSourceMapping",
]


@pytest.fixture(scope="module")
def clients(endpoint: EmbeddedEndpoint) -> Clients:
    """Plain boto3."""
    return Clients.of(endpoint.aws())


@pytest.fixture(scope="module")
def function(clients: Clients) -> str:
    """A function to read streams with."""
    return clients.function("reads-streams")


@pytest.fixture
def lost(net: Process, clients: Clients, function: str, table: str) -> TableDefinition:
    """What a table had that is a bare one now."""
    equip(clients, table, function)
    definition = capture(net.aws, table)
    lose(clients, table)
    bare(clients, definition)
    net.faults.reset()
    return definition


def assert_back(net: Process, clients: Clients, definition: TableDefinition) -> None:
    """The table is what it was, and nothing around it is there twice."""
    table = definition.table.name
    found = capture(net.aws, table)
    assert found.create_table == definition.create_table
    assert found.settings.model_copy(update={"tags": None}) == definition.settings.model_copy(
        update={"tags": None}
    )
    assert found.tags == {**definition.tags, RUN_TAG: "run-1"}
    assert around(found) == around(definition)
    stream = clients.stream(table)
    assert [one["StartingPosition"] for one in clients.mappings(stream)] == ["LATEST"]
    uuid = definition.surroundings.stream_consumers.value[0]["UUID"]  # type: ignore[union-attr]
    every = clients.functions.list_event_source_mappings()["EventSourceMappings"]
    assert uuid not in [one["UUID"] for one in every], "the mapping of the dead stream is still there"


def around(definition: TableDefinition) -> dict[str, Any]:
    """The surroundings, but for what names one incarnation of the table."""
    parts: dict[str, Any] = {name: getattr(definition.surroundings, name).value for name in AROUND}
    consumers = [
        {**one["CreateEventSourceMapping"], "StartingPosition": "any"} for one in parts["stream_consumers"]
    ]
    alarms = [
        {**one, "AlarmActions": [arn.split(":resource/")[-1] for arn in one["AlarmActions"]]}
        for one in parts["alarms"]
    ]
    scaling = {
        kind: sorted(made, key=lambda one: json.dumps(one, sort_keys=True))
        for kind, made in parts["auto_scaling"].items()
    }
    return {**parts, "auto_scaling": scaling, "stream_consumers": consumers, "alarms": alarms}


def test_everything_comes_back(net: Process, clients: Clients, lost: TableDefinition) -> None:
    """Throughput, index, auto scaling, PITR, TTL, stream, policy, alarm, tags, consumer and protection."""
    follow_ups, _ = run(net.aws, wanted(lost))
    assert follow_ups == []
    assert_back(net, clients, lost)


def test_the_order_causes_no_harm(net: Process, lost: TableDefinition) -> None:
    """The table itself first, those that read it after the stream is new, protection last."""
    run(net.aws, wanted(lost))
    assert net.faults.writes == [
        "UpdateTable",  # throughput
        "UpdateTable",  # the index
        "RegisterScalableTarget",
        "RegisterScalableTarget",
        "PutScalingPolicy",
        "PutScalingPolicy",
        "PutScheduledAction",
        "UpdateContinuousBackups",
        "UpdateTimeToLive",
        "UpdateTable",  # the stream
        "PutResourcePolicy",
        "PutMetricAlarm",
        "TagResource",
        "CreateEventSourceMapping",
        "DeleteEventSourceMapping",
        "UpdateTable",  # protection
    ]


def test_doing_it_again_changes_nothing(net: Process, clients: Clients, lost: TableDefinition) -> None:
    """A second pass makes not one call that writes, and waits for nothing."""
    run(net.aws, wanted(lost))
    net.faults.reset()
    follow_ups, sleep = run(net.aws, wanted(lost))
    assert (follow_ups, net.faults.writes, sleep.slept) == ([], [], [])
    assert_back(net, clients, lost)


def test_a_crash_at_each_call_is_mended_by_the_next_pass(
    net: Process, clients: Clients, lost: TableDefinition
) -> None:
    """Dead before a call, dead after it: it propagates, and in the end the table is what it was, nothing doubled."""
    for operation in WRITES:
        for after in (False, True):
            net.faults.crash(operation, after=after)
            with pytest.raises(Crash):
                put_back(net.aws, wanted(lost), FakeSleep())
            net.faults.reset()
    assert run(net.aws, wanted(lost))[0] == []
    assert_back(net, clients, lost)


def test_a_lost_answer_doubles_nothing(net: Process, clients: Clients, lost: TableDefinition) -> None:
    """Each call happened and lost its answer: the look before the next attempt finds it done."""
    for operation in WRITES:
        net.faults.lose_answer(operation)
    assert run(net.aws, wanted(lost))[0] == []
    assert net.faults.writes.count("CreateEventSourceMapping") == 1
    assert_back(net, clients, lost)


@pytest.mark.parametrize(
    "operations",
    [
        ["PutScalingPolicy"],
        ["CreateEventSourceMapping"],
        [one for one in WRITES if one not in {"PutScalingPolicy", "CreateEventSourceMapping"}],
    ],
    ids=["a policy", "a consumer", "all others"],
)
def test_what_fails_is_left_to_people_with_the_command(
    net: Process, clients: Clients, lost: TableDefinition, operations: list[str]
) -> None:
    """All the rest is put on, and the commands, as a shell reads them, bring about what is missing."""
    for operation in operations:
        net.faults.fail(operation, code="AccessDeniedException", status=403)
    follow_ups, _ = run(net.aws, wanted(lost))
    assert len(follow_ups) >= len(operations)
    for step in follow_ups:
        execute(clients, step.command)
    assert_back(net, clients, lost)


def execute(clients: Clients, command: str) -> None:
    """Run a command of the AWS command line with boto3, its ``$(...)`` included."""
    words = shlex.split(command)
    assert words[:1] + words[3:6] == ["aws", "--region", "eu-west-1", "--cli-input-json"]
    arguments = json.loads(words[6])
    options = dict.fromkeys(words[7::2])
    for option, value in zip(words[7::2], words[8::2], strict=True):
        name = "".join(part.capitalize() for part in option.strip("-").split("-"))
        arguments[name] = _substituted(clients, value)
    assert len(options) == (len(words) - 7) / 2
    _client(clients, words[1]).__getattribute__(words[2].replace("-", "_"))(**arguments)


def _substituted(clients: Clients, value: str) -> str:
    if not value.startswith("$("):
        return value
    words = shlex.split(value[2:-1])
    assert words[:3] == ["aws", "dynamodb", "describe-table"]
    assert words[words.index("--query") + 1] == "Table.LatestStreamArn"
    return clients.stream(words[words.index("--table-name") + 1])


def _client(clients: Clients, service: str) -> Any:
    return {
        "dynamodb": clients.tables,
        "application-autoscaling": clients.scaling,
        "cloudwatch": clients.alarms,
        "lambda": clients.functions,
    }[service]


# Where the reads before and after those calls are throttled, too: Lambda says it with another code and status.
OF_LAMBDA: dict[str, Any] = {"status": 429, "code": "TooManyRequestsException", "message": "Rate exceeded"}
LAMBDA_READS = ["ListEventSourceMappings", "GetEventSourceMapping"]


def test_a_throttle_is_waited_out(net: Process, clients: Clients, lost: TableDefinition) -> None:
    """Of each service, a few times over; each call is made once more than it was refused, and nothing doubled."""
    for operation in (*WRITES, *LAMBDA_READS):
        how: dict[str, Any] = (
            OF_LAMBDA if "EventSourceMapping" in operation else {"code": "ThrottlingException"}
        )
        net.faults.fail(operation, times=2, **how)
    follow_ups, sleep = run(net.aws, wanted(lost))
    assert follow_ups == []
    assert len(sleep.slept) >= 2 * len([*WRITES, *LAMBDA_READS])
    assert net.faults.writes.count("CreateEventSourceMapping") == 3
    assert net.faults.writes.count("DeleteEventSourceMapping") == 3
    assert_back(net, clients, lost)


@pytest.mark.parametrize("operation", ["CreateEventSourceMapping", "DeleteEventSourceMapping", *LAMBDA_READS])
def test_lambda_that_throttles_without_end_is_left_to_people(
    net: Process, clients: Clients, lost: TableDefinition, operation: str
) -> None:
    """Patience has an end: everything else is on, the commands bring the consumers, and no mapping is there twice."""
    net.faults.fail(operation, times=1000, **OF_LAMBDA)
    follow_ups, _ = run(net.aws, wanted(lost))
    assert {step.setting for step in follow_ups} == {"stream_consumers"}
    assert all("Rate exceeded" in step.reason or "successor" in step.reason for step in follow_ups)
    net.faults.reset()
    for step in follow_ups:
        execute(clients, step.command)
    assert run(net.aws, wanted(lost))[0] == []
    assert_back(net, clients, lost)


def test_a_decrease_that_is_not_allowed_today_is_not_waited_for(net: Process, lost: TableDefinition) -> None:
    """AWS allows a few decreases a day; a quarter of an hour changes nothing about that."""
    message = (
        "Subscriber limit exceeded: Provisioned throughput decreases are limited within a given UTC day."
    )
    net.faults.fail("UpdateTable", code="LimitExceededException", message=message)
    follow_ups, sleep = run(net.aws, wanted(lost))
    assert [step.setting for step in follow_ups] == ["throughput"]
    assert '"WriteCapacityUnits": 5' in follow_ups[0].command
    assert sleep.slept == []


def test_the_table_that_aws_restored_gets_everything_too(
    net: Process, clients: Clients, function: str, table: str
) -> None:
    """RestoreTableToPointInTime leaves out all that the pass brings; the index came with it."""
    equip(clients, table, function)
    definition = capture(net.aws, table)
    clients.tables.restore_table_to_point_in_time(
        SourceTableName=table, TargetTableName=f"{table}-again", UseLatestRestorableTime=True
    )
    assert run(net.aws, wanted(definition, f"{table}-again"))[0] == []
    found = capture(net.aws, f"{table}-again")
    assert found.settings.stream == definition.settings.stream
    assert found.settings.pitr == definition.settings.pitr
    assert found.settings.ttl == definition.settings.ttl
    assert found.settings.deletion_protection == definition.settings.deletion_protection
    assert found.tags == definition.tags
    # Under another name beside the first: policies, alarms and targets name the new table, the old ones stay.
    policy = found.settings.resource_policy.value  # type: ignore[union-attr]
    assert json.loads(policy) == json.loads(policy_for(found.table.arn))
    assert [one["AlarmName"] for one in found.surroundings.alarms.value] == [f"{table}-again-busy"]  # type: ignore[union-attr]
    assert around(capture(net.aws, table)) == around(definition)
    assert len(clients.mappings(clients.stream(table))) == 1, (
        "the consumer of the table that is still there is gone"
    )
    assert len(clients.mappings(clients.stream(f"{table}-again"))) == 1


def test_absent_and_unknown_parts_are_left_alone(net: Process, clients: Clients, table: str) -> None:
    """Nothing is switched off, and nothing is guessed."""
    make_table(clients.tables, table)
    definition = capture(net.aws, table)
    unknown = {name: NotKnown(reason="denied") for name in type(definition.surroundings).model_fields}
    what = wanted(
        definition,
        settings=definition.settings.model_copy(
            update={"ttl": NotKnown(reason="denied"), "tags": NotKnown(reason="denied")}
        ),
        surroundings=definition.surroundings.model_copy(update=unknown),
    )
    net.faults.reset()
    assert run(net.aws, what) == ([], FakeSleep())
    assert net.faults.writes == []


def test_a_document_that_cannot_be_understood_costs_that_part_alone(
    net: Process, clients: Clients, lost: TableDefinition
) -> None:
    """It is told, and the parts after it are put on."""
    odd = lost.surroundings.model_copy(update={"alarms": Known(value=[{"Name": "not CloudWatch's"}])})
    follow_ups, _ = run(net.aws, wanted(lost, surroundings=odd))
    assert [step.setting for step in follow_ups] == ["alarms"]
    assert "AlarmName" in follow_ups[0].reason
    described = clients.tables.describe_table(TableName=lost.table.name)["Table"]
    assert described["DeletionProtectionEnabled"] is True


def test_losing_the_lease_ends_the_pass(net: Process, lost: TableDefinition) -> None:
    """Between two steps, with nothing more written."""
    asked: list[None] = []

    def still_ours() -> None:
        asked.append(None)
        if len(asked) == 5:
            raise LeaseHeldError("somebody else has it")

    with pytest.raises(LeaseHeldError):
        run(net.aws, wanted(lost), still_ours)
    assert "RegisterScalableTarget" not in net.faults.writes
    assert net.faults.writes.count("UpdateTable") == 2


def test_a_table_that_is_gone_is_an_error(net: Process, lost: TableDefinition, clients: Clients) -> None:
    """There is nothing to put anything on."""
    clients.tables.delete_table(TableName=lost.table.name)
    with pytest.raises(TableNotFoundError):
        run(net.aws, wanted(lost))


def test_the_alarm_calls_the_policy_that_is_there_now(
    net: Process, clients: Clients, lost: TableDefinition
) -> None:
    """A step scaling policy has another ARN each time it is made; the topic beside it stays."""
    run(net.aws, wanted(lost))
    table = lost.table.name
    policies = clients.scaling.describe_scaling_policies(
        ServiceNamespace="dynamodb", ResourceId=f"table/{table}"
    )["ScalingPolicies"]
    arns = {policy["PolicyName"]: policy["PolicyARN"] for policy in policies}
    (alarm,) = clients.alarms.describe_alarms(AlarmNames=[f"{table}-busy"])["MetricAlarms"]
    assert alarm["AlarmActions"] == ["arn:aws:sns:eu-west-1:123456789012:oncall", arns["steps"]]
    (recorded,) = lost.surroundings.alarms.value  # type: ignore[union-attr]
    assert alarm["AlarmActions"] != recorded["AlarmActions"]


def test_an_alarm_that_outlived_the_table_is_not_touched(
    net: Process, clients: Clients, function: str, table: str
) -> None:
    """Alarms, targets and policies mostly do."""
    equip(clients, table, function)
    definition = capture(net.aws, table)
    clients.tables.update_table(TableName=table, DeletionProtectionEnabled=False)
    clients.tables.delete_table(TableName=table)
    bare(clients, definition)
    net.faults.reset()
    assert run(net.aws, wanted(definition))[0] == []
    assert not {"PutMetricAlarm", "RegisterScalableTarget", "PutScalingPolicy"} & set(net.faults.writes)
    assert_back(net, clients, definition)


def test_warm_throughput_only_where_it_was_warmed_up(net: Process, clients: Clients, table: str) -> None:
    """What a new table can do by itself is not paid for; what was more comes back."""
    make_table(
        clients.tables, table, WarmThroughput={"ReadUnitsPerSecond": 20_000, "WriteUnitsPerSecond": 9_000}
    )
    warmed = capture(net.aws, table)
    clients.tables.delete_table(TableName=table)
    make_table(clients.tables, table)
    cold = capture(net.aws, table)
    net.faults.reset()
    assert run(net.aws, wanted(cold))[0] == []
    assert net.faults.writes == []
    assert run(net.aws, wanted(warmed))[0] == []
    units = clients.tables.describe_table(TableName=table)["Table"]["WarmThroughput"]
    assert (units["ReadUnitsPerSecond"], units["WriteUnitsPerSecond"]) == (20_000, 9_000)
    net.faults.reset()
    assert run(net.aws, wanted(warmed))[0] == []
    assert net.faults.writes == []


@pytest.mark.parametrize("mode", ["PAY_PER_REQUEST", "PROVISIONED"])
def test_the_billing_mode_comes_back(net: Process, clients: Clients, table: str, mode: str) -> None:
    """A table that AWS restored in the other mode is switched."""
    units: dict[str, Any] = {"ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2}}
    other = {"PAY_PER_REQUEST": "PROVISIONED", "PROVISIONED": "PAY_PER_REQUEST"}[mode]
    make_table(clients.tables, table, BillingMode=mode, **(units if mode == "PROVISIONED" else {}))
    definition = capture(net.aws, table)
    clients.tables.delete_table(TableName=table)
    make_table(clients.tables, table, BillingMode=other, **(units if other == "PROVISIONED" else {}))
    assert run(net.aws, wanted(definition))[0] == []
    assert capture(net.aws, table).create_table["BillingMode"] == mode


def test_without_a_stream_the_consumers_command_finds_its_arn(
    net: Process, clients: Clients, lost: TableDefinition
) -> None:
    """The stream could not be switched on: once it is by hand, the next command is exact without being changed."""
    net.faults.fail("UpdateTable", nth=3, code="ValidationException")
    follow_ups, _ = run(net.aws, wanted(lost))
    assert [step.setting for step in follow_ups] == ["stream", "stream_consumers", "stream_consumers"]
    for step in follow_ups:
        execute(clients, step.command)
    (mapping,) = clients.mappings(clients.stream(lost.table.name))
    assert (mapping["BatchSize"], mapping["StartingPosition"]) == (7, "LATEST")


def test_every_step_is_named_as_its_setting(lost: TableDefinition) -> None:
    """What a follow-up names can be looked up in the definition, but for what CreateTable's request holds."""
    parts = {*type(lost.settings).model_fields, *type(lost.surroundings).model_fields}
    assert set(STEPS) - parts == {"throughput", "table_class", "encryption", "indexes"}
    # What no call puts back: the key is a part of the request, and the stack is CloudFormation's.
    assert parts - set(STEPS) == {"encryption_key", "stack"}

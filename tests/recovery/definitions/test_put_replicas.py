"""Replicas, on a stand-in that does what the documents say: one at a time, copied in the background."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from recovery.definitions.put_replicas import (
    REPLICA_ATTEMPTS,
    put_replica_auto_scaling,
    put_replicas,
    scaling_request,
)
from recovery.definitions.putting import CONFIRM_SECONDS
from tests.recovery.definitions.stand_in import ARN, Answer, Refusal, StandIn

OWN = {"RegionName": "eu-west-1", "ReplicaStatus": "ACTIVE"}
PLAIN = {"RegionName": "us-east-1", "ReplicaStatus": "ACTIVE"}
SPECIAL = {
    "RegionName": "eu-central-1",
    "ReplicaStatus": "ACTIVE",
    "ReplicaArn": ARN.replace("eu-west-1", "eu-central-1"),
    "KMSMasterKeyId": "arn:aws:kms:eu-central-1:123456789012:key/k",
    "ProvisionedThroughputOverride": {"ReadCapacityUnits": 7},
    "OnDemandThroughputOverride": {"MaxReadRequestUnits": -1},
    "GlobalSecondaryIndexes": [
        {"IndexName": "by-g", "ProvisionedThroughputOverride": {"ReadCapacityUnits": 8}},
        {"IndexName": "by-h"},
    ],
    "ReplicaTableClassSummary": {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
}
CREATED = {
    "RegionName": "eu-central-1",
    "KMSMasterKeyId": "arn:aws:kms:eu-central-1:123456789012:key/k",
    "ProvisionedThroughputOverride": {"ReadCapacityUnits": 7},
    "GlobalSecondaryIndexes": [
        {"IndexName": "by-g", "ProvisionedThroughputOverride": {"ReadCapacityUnits": 8}}
    ],
    "TableClassOverride": "STANDARD_INFREQUENT_ACCESS",
}
RECORDED = {"GlobalTableVersion": "2019.11.21", "Replicas": [OWN, PLAIN, SPECIAL]}


class GlobalTable:
    """UpdateTable and DescribeTable of a global table of version 2019.11.21."""

    def __init__(self, aws: StandIn, *, copies_for: int = 2) -> None:
        self.aws = aws
        self.copies_for = copies_for
        self.copying: dict[str, int] = {}
        aws.when("UpdateTable", self.update)
        aws.when("DescribeTable", self.describe)

    def update(self, request: dict[str, Any]) -> Answer:
        """One change of one replica, or one setting of the global table."""
        (name,) = set(request) - {"TableName"}
        if any(left > 0 for left in self.copying.values()):
            return Refusal("ResourceInUseException", "a replica is being created")
        if name != "ReplicaUpdates":
            self.aws.described[name] = request[name]
        else:
            ((update,),) = (request["ReplicaUpdates"],)
            ((action, replica),) = update.items()
            shown = dict(replica)
            shown.pop("GlobalSecondaryIndexes", None)
            if "TableClassOverride" in shown:
                shown["ReplicaTableClassSummary"] = {"TableClass": shown.pop("TableClassOverride")}
            there = {one["RegionName"]: one for one in self.aws.described.get("Replicas", [])}
            if action == "Create" and shown["RegionName"] in there:
                return Refusal("ValidationException", "one or more replicas already existed as tables")
            there[shown["RegionName"]] = {
                **there.get(shown["RegionName"], {}),
                **shown,
                "ReplicaStatus": "ACTIVE",
            }
            self.aws.described["Replicas"] = list(there.values())
            if action == "Create":
                self.copying[shown["RegionName"]] = self.copies_for
        return {"TableDescription": dict(self.aws.described)}

    def describe(self, _: dict[str, Any]) -> Answer:
        """A replica is CREATING for a few looks."""
        replicas = []
        for replica in self.aws.described.get("Replicas", []):
            left = self.copying.get(replica["RegionName"], 0)
            self.copying[replica["RegionName"]] = left - 1
            replicas.append({**replica, "ReplicaStatus": "CREATING"} if left > 0 else replica)
        return {"Table": {**self.aws.described, **({"Replicas": replicas} if replicas else {})}}


@pytest.fixture(scope="module")
def _nobody() -> StandIn:
    return StandIn()


@pytest.fixture
def aws(_nobody: StandIn) -> StandIn:
    """Nothing but a table."""
    return _nobody.renewed()


@pytest.fixture
def table(aws: StandIn) -> GlobalTable:
    """A table that can have replicas."""
    return GlobalTable(aws)


def commands(putting: Any) -> list[tuple[list[str], dict[str, Any]]]:
    """The words and arguments of what is left to do."""
    split = [shlex.split(step.command) for step in putting.follow_ups]
    return [(words[:6], json.loads(words[6])) for words in split]


def test_replicas_come_back_one_after_the_other(aws: StandIn, table: GlobalTable) -> None:
    """Each with what it does not share with the table, and only once the one before is copied."""
    putting = aws.putting(replicas=RECORDED)
    put_replicas(putting)
    assert putting.follow_ups == []
    assert aws.asked("UpdateTable") == [
        {"TableName": "orders", "ReplicaUpdates": [{"Create": {"RegionName": "us-east-1"}}]},
        {"TableName": "orders", "ReplicaUpdates": [{"Create": CREATED}]},
    ]
    assert aws.sleep.slept.count(CONFIRM_SECONDS) == 4


def test_replicas_that_are_there_are_left_alone(aws: StandIn, table: GlobalTable) -> None:
    """A second pass changes nothing."""
    put_replicas(aws.putting(replicas=RECORDED))
    aws.calls.clear()
    again = aws.putting(replicas=RECORDED)
    put_replicas(again)
    assert (again.follow_ups, aws.asked("UpdateTable")) == ([], [])


def test_a_replica_that_is_coming_is_waited_for(aws: StandIn, table: GlobalTable) -> None:
    """A pass that was interrupted while AWS copied is not begun anew."""
    aws.described["Replicas"] = [PLAIN]
    table.copying["us-east-1"] = 4
    putting = aws.putting(replicas={**RECORDED, "Replicas": [PLAIN]})
    put_replicas(putting)
    assert (putting.follow_ups, aws.asked("UpdateTable")) == ([], [])
    assert aws.sleep.slept == [CONFIRM_SECONDS] * 2


def test_a_replica_that_takes_long_is_told(aws: StandIn, table: GlobalTable) -> None:
    """After half an hour the pass goes on; the replica goes on by itself."""
    table.copies_for = 10**6
    putting = aws.putting(replicas={**RECORDED, "Replicas": [PLAIN]})
    put_replicas(putting)
    (step,) = putting.follow_ups
    assert "not finished" in step.reason
    assert sum(aws.sleep.slept) == CONFIRM_SECONDS * (REPLICA_ATTEMPTS - 1) == 1795


def test_a_replica_that_failed_is_told(aws: StandIn, table: GlobalTable) -> None:
    """CREATION_FAILED is no replica, and asking again is AWS's to refuse."""
    aws.described["Replicas"] = [{**PLAIN, "ReplicaStatus": "CREATION_FAILED"}]
    putting = aws.putting(replicas={**RECORDED, "Replicas": [PLAIN]})
    put_replicas(putting)
    (step,) = putting.follow_ups
    assert "already existed" in step.reason
    ((words, arguments),) = commands(putting)
    assert words[:5] == ["aws", "dynamodb", "update-table", "--region", "eu-west-1"]
    assert arguments["ReplicaUpdates"] == [{"Create": {"RegionName": "us-east-1"}}]


def test_a_replica_that_lost_its_settings_gets_them(aws: StandIn, table: GlobalTable) -> None:
    """One that is there with other overrides is updated."""
    aws.described["Replicas"] = [PLAIN, {**OWN, "RegionName": "eu-central-1"}]
    putting = aws.putting(replicas=RECORDED)
    put_replicas(putting)
    assert putting.follow_ups == []
    (update,) = aws.asked("UpdateTable")
    settings = {
        "RegionName": "eu-central-1",
        "ProvisionedThroughputOverride": {"ReadCapacityUnits": 7},
        "TableClassOverride": "STANDARD_INFREQUENT_ACCESS",
    }
    assert update["ReplicaUpdates"] == [{"Update": settings}]


def test_the_key_that_aws_manages_is_not_asked_for(aws: StandIn, table: GlobalTable) -> None:
    """It is what a replica has without one, and AWS refuses to be given it."""
    keyed = {**PLAIN, "KMSMasterKeyId": "arn:aws:kms:us-east-1:123456789012:key/k"}
    managed = {"KeyManager": "AWS", "MultiRegion": False}
    put_replicas(aws.putting(replicas={**RECORDED, "Replicas": [keyed]}, encryption_key=managed))
    (update,) = aws.asked("UpdateTable")
    assert update["ReplicaUpdates"] == [{"Create": {"RegionName": "us-east-1"}}]


def test_the_settings_of_the_global_table(aws: StandIn, table: GlobalTable) -> None:
    """Each in a request of its own, after the replicas; the mode that every global table has is not asked for."""
    recorded = {
        **RECORDED,
        "Replicas": [PLAIN],
        "DisassociationProtectionEnabled": False,
        "GlobalTableSettingsReplicationMode": "ENABLED_WITH_OVERRIDES",
    }
    put_replicas(aws.putting(replicas=recorded))
    assert aws.asked("UpdateTable")[1:] == [{"TableName": "orders", "DisassociationProtectionEnabled": False}]


def test_strong_consistency_is_left_to_people(aws: StandIn) -> None:
    """It takes an empty table: the command has all of it, the reason says so, and AWS is asked for nothing."""
    recorded = {
        "MultiRegionConsistency": "STRONG",
        "Replicas": [PLAIN],
        "GlobalTableWitnesses": [{"RegionName": "us-east-2", "WitnessStatus": "ACTIVE"}],
    }
    putting = aws.putting(replicas=recorded)
    put_replicas(putting)
    ((_, arguments),) = commands(putting)
    assert arguments == {
        "TableName": "orders",
        "MultiRegionConsistency": "STRONG",
        "ReplicaUpdates": [{"Create": {"RegionName": "us-east-1"}}],
        "GlobalTableWitnessUpdates": [{"Create": {"RegionName": "us-east-2"}}],
    }
    assert "empty" in putting.follow_ups[0].reason
    assert aws.asked("UpdateTable") == []
    aws.described["Replicas"] = [PLAIN]
    again = aws.putting(replicas=recorded)
    put_replicas(again)
    assert again.follow_ups == []


def test_the_old_version_is_left_to_people(aws: StandIn) -> None:
    """Version 2017.11.29 takes empty tables only; the command makes the replica in the version that copies."""
    putting = aws.putting(
        replicas={"GlobalTableVersion": "2017.11.29", "Replicas": [{"RegionName": "us-east-1"}]}
    )
    put_replicas(putting)
    ((_, arguments),) = commands(putting)
    assert arguments["ReplicaUpdates"] == [{"Create": {"RegionName": "us-east-1"}}]
    assert "2017.11.29" in putting.follow_ups[0].reason
    assert aws.asked("UpdateTable") == []


def test_another_accounts_replica_is_left_to_it(aws: StandIn, table: GlobalTable) -> None:
    """It is made over there, from this table, whose settings are set to be replicated."""
    theirs = {**PLAIN, "ReplicaArn": "arn:aws:dynamodb:us-east-1:210987654321:table/orders"}
    recorded = {"GlobalTableSettingsReplicationMode": "ENABLED", "Replicas": [theirs]}
    putting = aws.putting(replicas=recorded)
    put_replicas(putting)
    ((words, arguments),) = commands(putting)
    assert words[:5] == ["aws", "dynamodb", "create-table", "--region", "us-east-1"]
    assert arguments == {"TableName": "orders", "GlobalTableSourceArn": ARN}
    assert "210987654321" in putting.follow_ups[0].reason
    assert aws.asked("UpdateTable") == [
        {"TableName": "orders", "GlobalTableSettingsReplicationMode": "ENABLED"}
    ]


# How they scale

ROLE = "arn:aws:iam::123456789012:role/aws-service-role/dynamodb.application-autoscaling.amazonaws.com/r"
TRACKING = {"TargetValue": 70.0, "ScaleInCooldown": 60}
SCALES = {
    "MinimumUnits": 1,
    "MaximumUnits": 9,
    "AutoScalingRoleArn": ROLE,
    "ScalingPolicies": [{"PolicyName": "half", "TargetTrackingScalingPolicyConfiguration": TRACKING}],
}
UPDATE = {
    "MinimumUnits": 1,
    "MaximumUnits": 9,
    "ScalingPolicyUpdate": {"PolicyName": "half", "TargetTrackingScalingPolicyConfiguration": TRACKING},
}
SCALED: list[dict[str, Any]] = [
    {"RegionName": "eu-west-1", "ReplicaProvisionedReadCapacityAutoScalingSettings": SCALES},
    {
        "RegionName": "us-east-1",
        "ReplicaProvisionedReadCapacityAutoScalingSettings": SCALES,
        "ReplicaProvisionedWriteCapacityAutoScalingSettings": SCALES,
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by-g",
                "ProvisionedReadCapacityAutoScalingSettings": SCALES,
                "ProvisionedWriteCapacityAutoScalingSettings": SCALES,
            }
        ],
    },
    {
        "RegionName": "us-west-2",
        "ReplicaProvisionedReadCapacityAutoScalingSettings": {"AutoScalingDisabled": True},
    },
]
SCALING = {
    "ProvisionedWriteCapacityAutoScalingUpdate": UPDATE,
    "GlobalSecondaryIndexUpdates": [
        {"IndexName": "by-g", "ProvisionedWriteCapacityAutoScalingUpdate": UPDATE}
    ],
    "ReplicaUpdates": [
        {
            "RegionName": "us-east-1",
            "ReplicaProvisionedReadCapacityAutoScalingUpdate": UPDATE,
            "ReplicaGlobalSecondaryIndexUpdates": [
                {"IndexName": "by-g", "ProvisionedReadCapacityAutoScalingUpdate": UPDATE}
            ],
        }
    ],
}


def test_auto_scaling_of_replicas_comes_back(aws: StandIn) -> None:
    """Writes for all, reads for each region but our own, without the role that AWS takes by itself; and only once."""
    shown: list[dict[str, Any]] = [{"RegionName": "us-east-1"}]
    aws.when(
        "DescribeTableReplicaAutoScaling", lambda _: {"TableAutoScalingDescription": {"Replicas": shown}}
    )

    def update(request: dict[str, Any]) -> Answer:
        shown[:] = SCALED
        return {}

    aws.when("UpdateTableReplicaAutoScaling", update)
    for _ in range(2):
        putting = aws.putting(replica_auto_scaling=SCALED)
        put_replica_auto_scaling(putting)
        assert putting.follow_ups == []
    assert aws.asked("UpdateTableReplicaAutoScaling") == [{"TableName": "orders", **SCALING}]


def test_replicas_that_do_not_scale_need_no_call(aws: StandIn) -> None:
    """Nothing is asked for, and a role of one's own is kept."""
    assert scaling_request(SCALED[2:], "eu-west-1") == {}
    own_role = {**SCALES, "AutoScalingRoleArn": "arn:aws:iam::123456789012:role/mine"}
    (region,) = scaling_request(
        [{"RegionName": "us-east-1", "ReplicaProvisionedReadCapacityAutoScalingSettings": own_role}],
        "eu-west-1",
    )["ReplicaUpdates"]
    assert region["ReplicaProvisionedReadCapacityAutoScalingUpdate"]["AutoScalingRoleArn"].endswith(
        "role/mine"
    )
    put_replica_auto_scaling(aws.putting(replica_auto_scaling=None))
    assert [name for name, _ in aws.calls] == ["DescribeTable"]

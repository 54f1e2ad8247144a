"""Watched actions: what they are, what they hit, and the event pattern that is made of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rules.actions import NetPart, Weight
from rules.events import parse_event
from rules.net import NetParts
from rules.patterns import compile_pattern
from rules.watched import STATUS_CHANGES, WATCHED_ACTIONS, watched_action, watched_event_pattern
from tests.rules.judging import ACCOUNT, document, record

KINDS = ("AWS API Call via CloudTrail", "Amazon API Call via CloudTrail")
VAULT = {"bucketName": "example-vault"}
NET = NetParts(vault_bucket="example-vault", vault_prefix="net")
DYNAMODB, CLOUDFORMATION, S3 = "dynamodb.amazonaws.com", "cloudformation.amazonaws.com", "s3.amazonaws.com"
TABLE = {"tableName": "orders"}
STACK = {"stackName": "shop"}
POINT = f"arn:aws:backup:eu-west-1:{ACCOUNT}:recovery-point:0a1b2c3d"

# What is called, with what, and what it is then: (source, name, request, change, weight, type and name).
CALLS: list[tuple[str, str, dict[str, Any], str, str, str]] = [
    (DYNAMODB, "DeleteTable", TABLE, "table-deleted", "destructive", "table orders"),
    (DYNAMODB, "DeleteTableReplica", TABLE, "replica-removed", "destructive", "table orders"),
    (DYNAMODB, "UpdateTable", {**TABLE, "replicaUpdates": [{"delete": {"regionName": "eu-central-1"}}]},
     "replica-removed", "destructive", "table orders"),
    (DYNAMODB, "UpdateGlobalTable", {"globalTableName": "orders", "replicaUpdates": [{"delete": {"regionName": "x"}}]},
     "replica-removed", "destructive", "table orders"),
    (DYNAMODB, "UpdateTable", {**TABLE, "deletionProtectionEnabled": False}, "protection-off", "weakening", "table orders"),
    (DYNAMODB, "UpdateTable", {**TABLE, "globalSecondaryIndexUpdates": [{"delete": {"indexName": "by-day"}}]},
     "index-removed", "weakening", "table orders"),
    (DYNAMODB, "UpdateTable", {**TABLE, "streamSpecification": {"streamEnabled": False}}, "stream-off", "weakening",
     "table orders"),
    (DYNAMODB, "UpdateTimeToLive", {**TABLE, "timeToLiveSpecification": {"enabled": True, "attributeName": "ends"}},
     "ttl-on", "weakening", "table orders"),
    (DYNAMODB, "PutResourcePolicy", {"resourceArn": f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/orders", "policy": "{}"},
     "policy-changed", "weakening", "table orders"),
    (DYNAMODB, "DeleteResourcePolicy", {"resourceArn": f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/orders/stream/x"},
     "policy-removed", "weakening", "table orders"),
    (DYNAMODB, "DeleteBackup", {"backupArn": f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/orders/backup/1"},
     "backup-deleted", "tampering", "backup orders"),
    (DYNAMODB, "UpdateContinuousBackups",
     {**TABLE, "pointInTimeRecoverySpecification": {"pointInTimeRecoveryEnabled": False}},
     "pitr-off", "tampering", "table orders"),
    (DYNAMODB, "CreateTable", TABLE, "table-created", "context", "table orders"),
    (DYNAMODB, "ImportTable", {"tableCreationParameters": TABLE}, "table-imported", "context", "table orders"),
    (DYNAMODB, "RestoreTableFromBackup", {"targetTableName": "orders"}, "table-restored", "context", "table orders"),
    (DYNAMODB, "RestoreTableToPointInTime", {"targetTableName": "orders", "sourceTableName": "old"},
     "table-restored", "context", "table orders"),
    (CLOUDFORMATION, "DeleteStack", STACK, "stack-deleted", "destructive", "stack shop"),
    (CLOUDFORMATION, "DeleteStackInstances", {"stackSetName": "tables", "retainStacks": False},
     "stack-instances-deleted", "destructive", "stack-set tables"),
    (CLOUDFORMATION, "UpdateTerminationProtection", {**STACK, "enableTerminationProtection": False},
     "termination-protection-off", "weakening", "stack shop"),
    (CLOUDFORMATION, "UpdateStack", STACK, "stack-updated", "context", "stack shop"),
    (CLOUDFORMATION, "ExecuteChangeSet", {**STACK, "changeSetName": "release"}, "change-set-executed", "context", "stack shop"),
    (CLOUDFORMATION, "DeleteChangeSet", {**STACK, "changeSetName": "release"}, "change-set-deleted", "context", "stack shop"),
    *(
        (S3, name, VAULT, "vault-tampered", "tampering", "bucket example-vault")
        for name in (
            "DeleteBucket", "PutBucketLifecycle", "PutBucketLifecycleConfiguration", "DeleteBucketLifecycle",
            "PutBucketPolicy", "DeleteBucketPolicy", "PutBucketAcl", "PutBucketPublicAccessBlock",
            "DeleteBucketPublicAccessBlock", "PutBucketObjectLockConfiguration", "PutBucketReplication",
            "DeleteBucketReplication", "PutBucketEncryption", "DeleteBucketEncryption",
        )
    ),
    (S3, "PutBucketVersioning", {**VAULT, "VersioningConfiguration": {"Status": "Suspended"}},
     "vault-tampered", "tampering", "bucket example-vault"),
    (S3, "DeleteObject", {**VAULT, "key": "net/backups/a/manifest.json"}, "vault-tampered", "tampering",
     "bucket example-vault"),
    (S3, "DeleteObjects", VAULT, "vault-tampered", "tampering", "bucket example-vault"),
    ("kms.amazonaws.com", "ScheduleKeyDeletion", {"keyId": f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/0a1b", "pendingWindowInDays": 7},
     "key-tampered", "tampering", "key 0a1b"),
    ("kms.amazonaws.com", "DisableKey", {"keyId": "0a1b"}, "key-tampered", "tampering", "key 0a1b"),
    ("kms.amazonaws.com", "DeleteImportedKeyMaterial", {"keyId": "0a1b"}, "key-tampered", "tampering", "key 0a1b"),
    ("cloudtrail.amazonaws.com", "StopLogging", {"name": f"arn:aws:cloudtrail:eu-west-1:{ACCOUNT}:trail/all"},
     "trail-tampered", "tampering", "trail all"),
    ("cloudtrail.amazonaws.com", "DeleteTrail", {"name": "all"}, "trail-tampered", "tampering", "trail all"),
    ("cloudtrail.amazonaws.com", "PutEventSelectors", {"trailName": "all"}, "trail-tampered", "tampering", "trail all"),
    ("cloudtrail.amazonaws.com", "UpdateTrail", {"name": "all"}, "trail-tampered", "tampering", "trail all"),
    ("events.amazonaws.com", "DisableRule", {"name": "safetynet-events"}, "event-rule-tampered", "tampering",
     "event-rule safetynet-events"),
    ("events.amazonaws.com", "DeleteRule", {"name": "safetynet-events"}, "event-rule-tampered", "tampering",
     "event-rule safetynet-events"),
    ("events.amazonaws.com", "RemoveTargets", {"rule": "safetynet-events", "ids": ["1"]}, "event-rule-tampered",
     "tampering", "event-rule safetynet-events"),
    ("events.amazonaws.com", "PutRule", {"name": "safetynet-events", "eventPattern": "{}"}, "event-rule-tampered",
     "tampering", "event-rule safetynet-events"),
    ("sqs.amazonaws.com", "DeleteQueue", {"queueUrl": f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/safetynet-events"},
     "queue-tampered", "tampering", "queue safetynet-events"),
    ("sqs.amazonaws.com", "PurgeQueue", {"queueUrl": f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/safetynet-events"},
     "queue-tampered", "tampering", "queue safetynet-events"),
    ("sqs.amazonaws.com", "SetQueueAttributes", {"queueUrl": f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/safetynet-events"},
     "queue-tampered", "tampering", "queue safetynet-events"),
    ("lambda.amazonaws.com", "PutFunctionConcurrency20171031", {"functionName": "safetynet-watcher:live"},
     "function-tampered", "tampering", "function safetynet-watcher"),
    ("lambda.amazonaws.com", "DeleteFunction20150331", {"functionName": "safetynet-watcher"}, "function-tampered",
     "tampering", "function safetynet-watcher"),
    ("lambda.amazonaws.com", "DeleteFunction", {"functionName": "safetynet-watcher"}, "function-tampered", "tampering",
     "function safetynet-watcher"),
    ("backup.amazonaws.com", "DeleteRecoveryPoint", {"backupVaultName": "Default", "recoveryPointArn": POINT},
     "backup-vault-tampered", "tampering", "backup-vault Default"),
    ("backup.amazonaws.com", "DeleteBackupVault", {"backupVaultName": "Default"}, "backup-vault-tampered", "tampering",
     "backup-vault Default"),
]  # fmt: skip


def envelope(source: str, name: str, request: Any, kind: str = KINDS[0], **changes: Any) -> dict[str, Any]:
    """The envelope of a call."""
    detail = record(eventSource=source, eventName=name, requestParameters=request, **changes)
    return {"detail-type": kind, "source": "aws." + source.split(".", maxsplit=1)[0], "detail": detail}


@pytest.mark.parametrize(
    ("source", "name", "request_parameters", "change", "weight", "hit"),
    CALLS,
    ids=lambda value: str(value)[:40],
)
def test_every_watched_call(
    source: str, name: str, request_parameters: dict[str, Any], change: str, weight: str, hit: str
) -> None:
    """What it is, how bad it is and what it hits; refused, it is an attempt at the same."""
    for error in (None, "AccessDenied"):
        found = parse_event(envelope(source, name, request_parameters, errorCode=error), NET)
        assert found.action is not None
        assert (found.action.change, found.action.weight.value) == (change, weight)
        assert f"{found.resource.type} {found.resource.name}" == hit
        assert found.title == (found.action.attempt if error else found.action.past)
        assert found.watched
        assert found.alerting is (weight != "context")


def test_the_list_above_is_complete() -> None:
    """No watched call lacks a line there."""
    listed = {(source, name) for source, name, *_ in CALLS}
    watched = {(action.event_source, action.event_name) for action in WATCHED_ACTIONS}
    assert {call for call in watched if call[1] not in STATUS_CHANGES} == listed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [None, "AccessDenied"])
def test_every_call_that_can_alert_passes_the_pattern(kind: str, error: str | None) -> None:
    """Also in China, also refused ones; what only gives context, and S3's data events, stay out."""
    pattern = compile_pattern(watched_event_pattern())
    for source, name, request_parameters, _, weight, _ in CALLS:
        passes = pattern.matches(envelope(source, name, request_parameters, kind, errorCode=error))
        assert passes is (weight != "context" and name not in {"DeleteObject", "DeleteObjects"}), name


@pytest.mark.parametrize(
    "delivered",
    [
        envelope("glue.amazonaws.com", "DeleteTable", {}),
        envelope("cassandra.amazonaws.com", "DeleteTable", {}),
        envelope("dynamodb.amazonaws.com", "CreateTable", {}),
        envelope("dynamodb.amazonaws.com", "DescribeTable", {}),
        envelope("cloudformation.amazonaws.com", "UpdateStack", {}),
        envelope("dynamodb.amazonaws.com", "DeleteTable", {}, "AWS Console Sign In via CloudTrail"),
        document("stack-status-change"),
    ],
    ids=lambda delivered: f"{delivered['source']} {delivered['detail'].get('eventName')}",
)
def test_other_events_do_not_pass(delivered: dict[str, Any]) -> None:
    """The namesakes of other services, other calls and other kinds of event stay out."""
    assert not compile_pattern(watched_event_pattern()).matches(delivered)


def leaves(pattern: Any) -> list[Any]:
    """Every value in a pattern's arrays."""
    if isinstance(pattern, dict):
        return [leaf for value in pattern.values() for leaf in leaves(value)]
    return list(pattern)


def test_the_pattern_can_be_deployed() -> None:
    """Exact values only, since emulators get the other operators wrong; within EventBridge's 2,048 characters."""
    assert all(isinstance(leaf, str) for leaf in leaves(watched_event_pattern()))
    assert len(json.dumps(watched_event_pattern())) <= 2048


@pytest.mark.parametrize(
    ("name", "request_parameters"),
    [
        ("UpdateTable", {"deletionProtectionEnabled": True}),
        ("UpdateTable", {"deletionProtectionEnabled": "false"}),
        ("UpdateTable", {"replicaUpdates": [{"create": {"regionName": "eu-central-1"}}]}),
        ("UpdateTable", {"replicaUpdates": {"delete": {}}}),
        ("UpdateTable", {"globalSecondaryIndexUpdates": [None, {"update": {}}]}),
        ("UpdateTable", {"streamSpecification": {"streamEnabled": True}}),
        ("UpdateTable", {}),
        ("UpdateTimeToLive", {"timeToLiveSpecification": {"enabled": False}}),
        ("UpdateContinuousBackups", {}),
        ("UpdateContinuousBackups", {"pointInTimeRecoverySpecification": None}),
        (
            "UpdateContinuousBackups",
            {"pointInTimeRecoverySpecification": {"pointInTimeRecoveryEnabled": True}},
        ),
    ],
)
def test_updates_that_take_nothing_away(name: str, request_parameters: dict[str, Any]) -> None:
    """An update is watched only where it removes something or switches a protection off."""
    assert watched_action("dynamodb.amazonaws.com", name, request_parameters) is None


@pytest.mark.parametrize(
    ("source", "name", "request_parameters"),
    [
        (CLOUDFORMATION, "DeleteStackInstances", {"stackSetName": "tables", "retainStacks": True}),
        (CLOUDFORMATION, "UpdateTerminationProtection", {**STACK, "enableTerminationProtection": True}),
        (S3, "PutBucketVersioning", {**VAULT, "VersioningConfiguration": {"Status": "Enabled"}}),
        (S3, "PutObject", VAULT),
    ],
)
def test_calls_that_keep_what_there_is(source: str, name: str, request_parameters: dict[str, Any]) -> None:
    """Retained stacks, protections that are switched on and objects that are written are no loss."""
    assert parse_event(envelope(source, name, request_parameters), NET).action is None


@pytest.mark.parametrize("name", ["delete-table-glue", "update-table-billing", "describe-table-autoscaling"])
def test_calls_that_are_not_watched(name: str) -> None:
    """Other services' tables, harmless updates and reading are none of ours."""
    assert parse_event(document(name)).action is None


@pytest.mark.parametrize("part", NetPart)
def test_every_part_of_the_net_is_watched(part: NetPart) -> None:
    """Whatever the net is made of, some call against it is tampering, and all of them are."""
    weights = {action.weight for action in WATCHED_ACTIONS if action.part is part}
    assert weights == {Weight.TAMPERING}


@pytest.mark.parametrize("flag", ["dryRun", "DryRun"])
def test_asking_what_would_happen_is_no_change(flag: str) -> None:
    """A dry run is ignored, by its flag or by the error that AWS gives it."""
    asked = parse_event(envelope(DYNAMODB, "DeleteTable", {**TABLE, flag: True}))
    answered = parse_event(envelope(DYNAMODB, "DeleteTable", TABLE, errorCode="Client.DryRunOperation"))
    assert (asked.watched, answered.watched) == (False, False)
    assert parse_event(envelope(DYNAMODB, "DeleteTable", {**TABLE, flag: False})).watched

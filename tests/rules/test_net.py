"""The net's own parts: what is ours counts as tampering, what is not does not."""

from __future__ import annotations

from typing import Any

import pytest

from rules.events import parse_event
from rules.net import NetParts
from tests.rules.judging import ACCOUNT, changed, document, record

VAULT = NetParts(vault_bucket="example-vault", vault_prefix="net/prod")


def tampers(net: NetParts, source: str, name: str, /, **request: Any) -> bool:
    """Whether a call is tampering for that net."""
    raw = record(eventSource=f"{source}.amazonaws.com", eventName=name, requestParameters=request)
    return parse_event(raw, net).action is not None


@pytest.mark.parametrize(
    ("bucket", "ours"), [("example-vault", True), ("example-vault-2", False), ("other", False), ("", True)]
)
def test_the_vaults_bucket(bucket: str, ours: bool) -> None:
    """Only the vault's own bucket counts; a record that does not name one might be about it."""
    assert tampers(VAULT, "s3", "DeleteBucket", bucketName=bucket) is ours
    assert tampers(NetParts(), "s3", "DeleteBucket", bucketName=bucket) is False


@pytest.mark.parametrize(
    ("key", "ours"),
    [
        ("net/prod/backups/1/manifest.json", True),
        ("net/prod/incidents/2026/11/x.json", True),
        ("net/prod/leases/recover.json", False),
        ("net/prod/runs/1.json", False),
        ("net/production/backups/1", False),
        ("net/prod", False),
        ("elsewhere/net/prod/backups/1", False),
    ],
)
def test_objects_of_the_vault(key: str, ours: bool) -> None:
    """What lies under the vault's prefix counts, but for leases and runs, which come and go."""
    assert tampers(VAULT, "s3", "DeleteObject", bucketName="example-vault", key=key) is ours
    event = document("object-deleted")
    event["detail"]["object"]["key"] = key
    assert (parse_event(event, VAULT).action is not None) is ours


def test_a_vault_without_a_prefix() -> None:
    """The whole bucket is the vault, but for its leases and runs."""
    net = NetParts(vault_bucket="example-vault")
    assert tampers(net, "s3", "DeleteObject", bucketName="example-vault", key="backups/1")
    assert not tampers(net, "s3", "DeleteObject", bucketName="example-vault", key="leases/1")


@pytest.mark.parametrize(
    ("source", "name", "key", "ours", "other"),
    [
        ("events", "DisableRule", "name", "safetynet-events", "billing"),
        ("sqs", "PurgeQueue", "queueUrl", f"https://sqs/{ACCOUNT}/my-safetynet", f"https://sqs/{ACCOUNT}/orders"),
        ("lambda", "DeleteFunction20150331", "functionName", "safetynet-watcher", "thumbnails"),
        ("lambda", "DeleteFunction20150331", "functionName",
         f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:safetynet-watcher",
         f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:thumbnails"),
    ],
)  # fmt: skip
def test_parts_that_are_ours_by_name(source: str, name: str, key: str, ours: str, other: str) -> None:
    """Of what every account has many of, only what is called ours counts; what is not named might be."""
    assert tampers(NetParts(), source, name, **{key: ours})
    assert not tampers(NetParts(), source, name, **{key: other})
    assert tampers(NetParts(), source, name)


@pytest.mark.parametrize(
    ("source", "name", "key"),
    [
        ("kms", "DisableKey", "keyId"),
        ("cloudtrail", "StopLogging", "name"),
        ("backup", "DeleteBackupVault", "backupVaultName"),
    ],
)
def test_keys_trails_and_backup_vaults_all_count_unless_ours_are_named(
    source: str, name: str, key: str
) -> None:
    """By default any of them may be ours; once they are named, only those."""
    assert tampers(NetParts(), source, name, **{key: "x-1"})
    named = NetParts(keys=("mine-*",), trails=("mine-*",), backup_vaults=("mine-*",))
    assert tampers(named, source, name, **{key: "mine-1"})
    assert not tampers(named, source, name, **{key: "x-1"})


def test_parts_may_be_named_by_arn() -> None:
    """A pattern is held against the name and against the ARN."""
    arn = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/0a1b"
    assert tampers(NetParts(keys=(arn,)), "kms", "DisableKey", keyId=arn)
    assert tampers(NetParts(keys=("0a1b",)), "kms", "DisableKey", keyId=arn)


ARN = f"arn:aws:{{}}:eu-west-1:{ACCOUNT}:{{}}"


@pytest.mark.parametrize(
    ("net", "source", "name", "request_parameters"),
    [
        (NetParts(trails=(ARN.format("cloudtrail", "trail/main"),)), "cloudtrail", "StopLogging", {"name": "main"}),
        (NetParts(event_rules=(ARN.format("events", "rule/watch"),)), "events", "DisableRule", {"name": "watch"}),
        (NetParts(queues=(ARN.format("sqs", "watch"),)), "sqs", "DeleteQueue", {"queueUrl": "https://sqs/1/watch"}),
        (NetParts(keys=(ARN.format("kms", "key/0a1b"),)), "kms", "DisableKey", {"keyId": "0a1b"}),
        (NetParts(functions=(ARN.format("lambda", "function:w"),)), "lambda", "DeleteFunction20150331", {"functionName": "w"}),
        (NetParts(functions=("w",)), "lambda", "DeleteFunction20150331", {"functionName": "w:1"}),
        (NetParts(functions=("w",)), "lambda", "DeleteFunction20150331", {"functionName": f"{ACCOUNT}:function:w"}),
        (NetParts(functions=("w",)), "lambda", "DeleteFunction20150331",
         {"functionName": ARN.format("lambda", "function:w:1")}),
        (NetParts(), "events", "DisableRule", {"name": "SafetyNet-Watch"}),
    ],
)  # fmt: skip
def test_however_a_part_is_spelled(
    net: NetParts, source: str, name: str, request_parameters: dict[str, str]
) -> None:
    """An ARN in the settings and a bare name in the record are one part, and so are capitals and versions."""
    assert parse_event(
        record(eventSource=f"{source}.amazonaws.com", eventName=name, requestParameters=request_parameters),
        net,
    ).action


def test_tables_need_no_net() -> None:
    """What happens to a table is an action whatever the net is made of."""
    assert changed().action is not None

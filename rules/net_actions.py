"""Tampering with the net: calls that count where they hit a part of it (``rules.net`` says which parts are ours).

The names are those that CloudTrail records: S3's differ from the API's (``PutBucketLifecycle``), Lambda's carry a
version (``DeleteFunction20150331``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rules.actions import Action, NetPart, Weight, member

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

S3 = "s3.amazonaws.com"
KMS = "kms.amazonaws.com"
CLOUDTRAIL = "cloudtrail.amazonaws.com"
EVENTBRIDGE = "events.amazonaws.com"
SQS = "sqs.amazonaws.com"
LAMBDA = "lambda.amazonaws.com"
AWS_BACKUP = "backup.amazonaws.com"

# Only these of S3's reach a bus by the thousand: they are data events, which a trail records where it is told to.
OBJECT_CALLS = frozenset({"DeleteObject", "DeleteObjects"})


def _action(
    source: str,
    name: str,
    part: NetPart,
    past: str,
    attempt: str,
    applies: Callable[[Mapping[str, Any]], bool] | None = None,
) -> Action:
    kind = "bucket" if part is NetPart.VAULT else part.value
    return Action(
        source, name, f"{part.value}-tampered", kind, Weight.TAMPERING, past, attempt, applies, part
    )


def _versioning_off(request: Mapping[str, Any]) -> bool:
    return bool(member(request, "VersioningConfiguration", "Status") != "Enabled")


_VAULT = (
    ("DeleteBucket", "The vault's bucket deleted", "delete the vault's bucket"),
    ("PutBucketLifecycle", "The vault's lifecycle changed", "change the vault's lifecycle"),
    ("PutBucketLifecycleConfiguration", "The vault's lifecycle changed", "change the vault's lifecycle"),
    ("DeleteBucketLifecycle", "The vault's lifecycle removed", "remove the vault's lifecycle"),
    ("PutBucketPolicy", "The vault's bucket policy changed", "change the vault's bucket policy"),
    ("DeleteBucketPolicy", "The vault's bucket policy removed", "remove the vault's bucket policy"),
    ("PutBucketAcl", "The vault's access list changed", "change the vault's access list"),
    ("PutBucketPublicAccessBlock", "The vault's public access block changed", "open the vault to the public"),
    (
        "DeleteBucketPublicAccessBlock",
        "The vault's public access block removed",
        "open the vault to the public",
    ),
    ("PutBucketObjectLockConfiguration", "The vault's Object Lock changed", "change the vault's Object Lock"),
    ("PutBucketReplication", "The vault's replication changed", "change the vault's replication"),
    ("DeleteBucketReplication", "The vault's replication removed", "remove the vault's replication"),
    ("PutBucketEncryption", "The vault's encryption changed", "change the vault's encryption"),
    ("DeleteBucketEncryption", "The vault's encryption removed", "remove the vault's encryption"),
    ("DeleteObject", "Object of the vault deleted", "delete an object of the vault"),
    ("DeleteObjects", "Objects of the vault deleted", "delete objects of the vault"),
    ("ObjectDeleted", "Object of the vault deleted", "delete an object of the vault"),
)

_OTHERS = (
    (KMS, NetPart.KEY, "ScheduleKeyDeletion", "Encryption key set to be deleted", "delete an encryption key"),
    (KMS, NetPart.KEY, "DisableKey", "Encryption key disabled", "disable an encryption key"),
    (KMS, NetPart.KEY, "DeleteImportedKeyMaterial", "Encryption key emptied", "empty an encryption key"),
    (CLOUDTRAIL, NetPart.TRAIL, "StopLogging", "Trail stopped", "stop a trail"),
    (CLOUDTRAIL, NetPart.TRAIL, "DeleteTrail", "Trail deleted", "delete a trail"),
    (CLOUDTRAIL, NetPart.TRAIL, "PutEventSelectors", "What a trail records changed", "change what a trail records"),
    (CLOUDTRAIL, NetPart.TRAIL, "UpdateTrail", "Trail changed", "change a trail"),
    (EVENTBRIDGE, NetPart.EVENT_RULE, "DisableRule", "Event rule disabled", "disable an event rule"),
    (EVENTBRIDGE, NetPart.EVENT_RULE, "DeleteRule", "Event rule deleted", "delete an event rule"),
    (EVENTBRIDGE, NetPart.EVENT_RULE, "PutRule", "Event rule changed", "change an event rule"),
    (EVENTBRIDGE, NetPart.EVENT_RULE, "RemoveTargets", "Event rule lost a target", "take an event rule's target"),
    (SQS, NetPart.QUEUE, "DeleteQueue", "Event queue deleted", "delete an event queue"),
    (SQS, NetPart.QUEUE, "PurgeQueue", "Event queue emptied", "empty an event queue"),
    (LAMBDA, NetPart.FUNCTION, "DeleteFunction20150331", "Watcher's function deleted", "delete a watcher's function"),
    (SQS, NetPart.QUEUE, "SetQueueAttributes", "Event queue changed", "change an event queue"),
    (LAMBDA, NetPart.FUNCTION, "PutFunctionConcurrency20171031", "Watcher's function throttled", "throttle a watcher's function"),
    (LAMBDA, NetPart.FUNCTION, "DeleteFunction", "Watcher's function deleted", "delete a watcher's function"),
    (AWS_BACKUP, NetPart.BACKUP_VAULT, "DeleteRecoveryPoint", "Recovery point deleted", "delete a recovery point"),
    (AWS_BACKUP, NetPart.BACKUP_VAULT, "DeleteBackupVault", "Backup vault deleted", "delete a backup vault"),
)  # fmt: skip

NET_ACTIONS: tuple[Action, ...] = (
    *(_action(S3, name, NetPart.VAULT, past, f"Attempt to {attempt}") for name, past, attempt in _VAULT),
    _action(
        S3,
        "PutBucketVersioning",
        NetPart.VAULT,
        "The vault's versioning switched off",
        "Attempt to switch the vault's versioning off",
        _versioning_off,
    ),
    *(_action(source, name, part, past, f"Attempt to {attempt}") for source, part, name, past, attempt in _OTHERS),
)  # fmt: skip

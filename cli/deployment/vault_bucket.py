"""The vault's bucket. It outlives the stack: what deletes the stack by mistake must not delete the backups."""

from __future__ import annotations

from typing import Any

from cli.deployment.references import arn, given, has, ref, sub, tls_only, when

ABORT_AFTER_DAYS = 7


def vault_resources() -> dict[str, Any]:
    """The bucket and its policy."""
    return {
        "VaultBucket": {
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "BucketName": given("VaultBucketName"),
                "VersioningConfiguration": {"Status": "Enabled"},
                "BucketEncryption": {"ServerSideEncryptionConfiguration": [_encryption()]},
                "PublicAccessBlockConfiguration": {
                    "BlockPublicAcls": True,
                    "BlockPublicPolicy": True,
                    "IgnorePublicAcls": True,
                    "RestrictPublicBuckets": True,
                },
                "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
                "LifecycleConfiguration": {"Rules": _lifecycle()},
                # S3 tells the bus of every deletion; the rule VaultObjects asks for them.
                "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
            },
        },
        "VaultBucketPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "Bucket": ref("VaultBucket"),
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [tls_only(arn("VaultBucket"), sub("${VaultBucket.Arn}/*"), service="s3")],
                },
            },
        },
    }


def _encryption() -> dict[str, Any]:
    return {
        "BucketKeyEnabled": when(has("VaultKeyArn"), then=True),
        "ServerSideEncryptionByDefault": {
            "SSEAlgorithm": when(has("VaultKeyArn"), "aws:kms", "AES256"),
            "KMSMasterKeyID": given("VaultKeyArn"),
        },
    }


def _lifecycle() -> list[dict[str, Any]]:
    """Nothing that is current ever expires by itself: what may go is for ``safetynet backup prune`` to say."""
    return [
        {
            "Id": "uploads-that-nobody-ended",
            "Status": "Enabled",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": ABORT_AFTER_DAYS},
        },
        {
            "Id": "what-was-deleted-or-overwritten",
            "Status": "Enabled",
            "NoncurrentVersionExpiration": {"NoncurrentDays": ref("NoncurrentDays")},
            "ExpiredObjectDeleteMarker": True,
        },
    ]

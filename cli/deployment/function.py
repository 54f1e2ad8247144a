"""The watcher's function: its code, what it may do, what calls it, and where its log goes."""

from __future__ import annotations

from typing import Any

from cli.deployment.queues import FUNCTION_TIMEOUT_SECONDS
from cli.deployment.references import arn, given, has, named, ref, sub, when
from watcher.health import canary
from watcher.health.heartbeat import HEARTBEATS
from watcher.incidents.causes import CAUSES
from watcher.incidents.incident_store import INCIDENTS

HANDLER = "cli.lambda_entry.handler"
# Lambda gives CPU by memory, and a cold start has much to import.
MEMORY_MB = 1024
BATCH_SIZE = 10
MAX_CONCURRENCY = 5
EVERY = "rate(1 minute)"

WATCH = "watch/"  # what the watcher's own state begins with: heartbeats, positions, canary, availability
# Of the vault the watcher writes what it keeps itself; backups it only reads.
WRITTEN = (INCIDENTS, CAUSES, WATCH)
_IF_GIVEN = {
    "SecretArn": ["secretsmanager:GetSecretValue", "ssm:GetParameter"],
    "SecretKeyArn": ["kms:Decrypt"],
    "VaultKeyArn": ["kms:Decrypt", "kms:GenerateDataKey"],
    "AlertTopicArn": ["sns:Publish"],
}
_DYNAMODB = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}"
_VAULT = "${VaultBucket.Arn}/${VaultPrefix}"


def function_resources() -> dict[str, Any]:
    """Everything around the function."""
    return {
        "Log": {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "LogGroupName": sub("/safetynet/${AWS::StackName}-watcher"),
                "RetentionInDays": ref("LogRetentionDays"),
            },
        },
        "Role": _role(),
        "Function": _function(),
        "FromQueue": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "FunctionName": ref("Function"),
                "EventSourceArn": arn("Queue"),
                "BatchSize": BATCH_SIZE,
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                # A flood is worked off slowly rather than against Slack's limits.
                "ScalingConfig": {"MaximumConcurrency": MAX_CONCURRENCY},
            },
        },
        "Schedule": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "Name": named("schedule"),
                "Description": "Delivers what is owed, and shows that the way is open.",
                "ScheduleExpression": EVERY,
                "State": "ENABLED",
                "Targets": [{"Id": "function", "Arn": arn("Function")}],
            },
        },
        "ScheduleMayCall": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": ref("Function"),
                "Principal": "events.amazonaws.com",
                "SourceArn": arn("Schedule"),
            },
        },
        # A scheduled run that failed is made up for by the next one, so a second try is of no use.
        "NoSecondTry": {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {
                "FunctionName": ref("Function"),
                "Qualifier": "$LATEST",
                "MaximumRetryAttempts": 0,
                "MaximumEventAgeInSeconds": 60,
            },
        },
    }


def _function() -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": named("watcher"),
            "Description": "Judges change events about DynamoDB, stores incidents, alerts people.",
            "Runtime": ref("Runtime"),
            "Architectures": [ref("Architecture")],
            "Handler": HANDLER,
            "Code": {"S3Bucket": ref("CodeBucket"), "S3Key": ref("CodeKey")},
            "MemorySize": MEMORY_MB,
            "Timeout": FUNCTION_TIMEOUT_SECONDS,
            "Role": arn("Role"),
            "ReservedConcurrentExecutions": when("HasReservedConcurrency", ref("ReservedConcurrency")),
            "LoggingConfig": {"LogGroup": ref("Log")},
            "Environment": {"Variables": _variables()},
        },
    }


def _variables() -> dict[str, Any]:
    """Settings, but no secret: those are read from ``SAFETYNET_SECRET_ARN`` when the function starts.

    What is not given is left out: an empty variable would hide what a settings file in the package says.
    """
    ours = '["*safetynet*","${AWS::StackName}-*"]'
    return {
        "SAFETYNET_VAULT": sub("s3://${VaultBucket}/${VaultPrefix}"),
        "SAFETYNET_QUEUE_URL": ref("Queue"),
        "SAFETYNET_SLACK__CHANNEL": given("SlackChannel"),
        "SAFETYNET_SLACK__API_URL": given("SlackApiUrl"),
        "SAFETYNET_SECRET_ARN": given("SecretArn"),
        "SAFETYNET_BACKUP__KMS_KEY": given("VaultKeyArn"),
        # One for all containers: what they store of themselves is one watcher's.
        "SAFETYNET_WATCH__ID": named("watcher"),
        # Onto the bus, not into the queue: so a canary that arrives has shown that the rules work, too.
        "SAFETYNET_WATCH__CANARY__PATH": "bus",
        "SAFETYNET_NET__EVENT_RULES": sub(ours),
        "SAFETYNET_NET__QUEUES": sub(ours),
        "SAFETYNET_NET__FUNCTIONS": sub(ours),
    }


def _role() -> dict[str, Any]:
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "Description": "What the safety net's watcher may do.",
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            },
            "Policies": [
                {
                    "PolicyName": "watcher",
                    "PolicyDocument": {"Version": "2012-10-17", "Statement": _statements()},
                }
            ],
        },
    }


def _statements() -> list[Any]:
    """Every action is one that the watcher calls.

    ListBucket is on the whole bucket: with a condition on it, S3 says 403 for a key that is not there.
    """
    return [
        _allow("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], arn("Log")),
        _allow(
            "Queue",
            [
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:ChangeMessageVisibility",
                "sqs:GetQueueAttributes",
            ],
            arn("Queue"),
        ),
        _allow("DeadLettersDepth", ["sqs:GetQueueAttributes", "sqs:GetQueueUrl"], arn("DeadLetters")),
        _allow("VaultList", ["s3:ListBucket"], arn("VaultBucket")),
        _allow("VaultRead", ["s3:GetObject"], sub(f"{_VAULT}/*")),
        _allow("VaultWrite", ["s3:PutObject"], *(sub(f"{_VAULT}/{folder}*") for folder in WRITTEN)),
        # Heartbeats of watchers that have long ended.
        _allow("VaultForget", ["s3:DeleteObject"], sub(f"{_VAULT}/{HEARTBEATS}*")),
        _allow(
            "Tables",
            ["dynamodb:DescribeTable", "dynamodb:DescribeContinuousBackups"],
            sub(f"{_DYNAMODB}:table/*"),
        ),
        # What else a lost table can be restored from: the message tells of it.
        _allow("Backups", ["dynamodb:DescribeBackup"], sub(f"{_DYNAMODB}:table/*/backup/*")),
        _allow(
            "RecoveryPoints",
            ["backup:DescribeRecoveryPoint"],
            sub(f"{_DYNAMODB}:table/*/backup/*"),
            sub("arn:${AWS::Partition}:backup:${AWS::Region}:${AWS::AccountId}:recovery-point:*"),
        ),
        # The only calls here that cannot be narrowed to a resource: AWS knows none for them.
        _allow(
            "NoResource",
            ["dynamodb:DescribeEndpoints", "dynamodb:ListBackups", "backup:ListRecoveryPointsByResource"],
            "*",
        ),
        _allow(
            "Canary",
            ["events:PutEvents"],
            sub("arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default"),
            Condition={"StringEquals": {"events:source": canary.SOURCE}},
        ),
        *(
            when(has(parameter), _allow(parameter.removesuffix("Arn"), actions, ref(parameter)))
            for parameter, actions in _IF_GIVEN.items()
        ),
    ]


def _allow(sid: str, actions: list[str], *resources: Any, **more: Any) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": [*resources], **more}

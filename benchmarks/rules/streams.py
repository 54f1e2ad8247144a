"""Streams of CloudTrail events for the measurements: made up, in the shapes and sizes of real ones, always the same."""

from __future__ import annotations

import json
import random
from typing import Any

ACCOUNT = "111122223333"
REGIONS = ("eu-west-1", "eu-central-1", "us-east-1")
AGENTS = (
    "aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/linux#6.8 md/arch#x86_64 lang/python#3.13.7 md/prompt#off",
    "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux#6.8 md/arch#aarch64 lang/python#3.13.7 app/nightly-cleanup",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "APN/1.0 HashiCorp/1.0 Terraform/1.9.5 (+https://www.terraform.io) terraform-provider-aws/5.70.0",
    "cloudformation.amazonaws.com",
)
# What most of a trail is: calls that nobody watches, with a request of their kind.
COMMON: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("sts", "AssumeRole", {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/deploy", "roleSessionName": "job-17", "durationSeconds": 3600}),
    ("s3", "GetBucketAcl", {"bucketName": "assets-0123", "Host": "assets-0123.s3.eu-west-1.amazonaws.com", "acl": ""}),
    ("kms", "Decrypt", {"encryptionAlgorithm": "SYMMETRIC_DEFAULT", "encryptionContext": {"aws:lambda:FunctionArn": "x"}}),
    ("dynamodb", "DescribeTable", {"tableName": "shop-prod-orders"}),
    ("dynamodb", "DescribeTimeToLive", {"tableName": "shop-prod-orders"}),
    ("ec2", "DescribeInstances", {"instancesSet": {"items": [{"instanceId": "i-0a1b2c3d"}]}, "filterSet": {}}),
    ("ec2", "CreateNetworkInterface", {"subnetId": "subnet-0a1b", "groupSet": {"items": [{"groupId": "sg-0a1b"}]}}),
    ("logs", "CreateLogStream", {"logGroupName": "/aws/lambda/orders", "logStreamName": "2026/11/23/[$LATEST]0a1b2c"}),
    ("ecr", "BatchGetImage", {"repositoryName": "shop/web", "imageIds": [{"imageTag": "latest"}], "registryId": ACCOUNT}),
    ("cloudformation", "DescribeStackEvents", {"stackName": "shop-prod"}),
    ("autoscaling", "DescribeAutoScalingGroups", {"maxRecords": 100}),
    ("secretsmanager", "GetSecretValue", {"secretId": f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:db-0a1b"}),
)  # fmt: skip


def destructive(draw: random.Random, number: int) -> dict[str, Any]:
    """The record of a deletion: a table's nine times out of ten, else a stack's."""
    name = draw.choice(
        ("shop-prod-orders", f"preview-pr-{number % 400}-orders", f"staging-{number % 50}", "sessions")
    )
    if draw.random() < 0.1:  # noqa: PLR2004 - one in ten
        return _record(draw, number, "cloudformation", "DeleteStack", {"stackName": name}, None)
    arn = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/{name}"
    described = {
        "tableName": name, "tableStatus": "DELETING", "tableArn": arn, "itemCount": number * 7, "tableSizeBytes": number,
        "tableId": f"5f0c3c9e-3a52-4a86-9d6f-{number:012d}", "deletionProtectionEnabled": False,
        "provisionedThroughput": {"numberOfDecreasesToday": 0, "readCapacityUnits": 0, "writeCapacityUnits": 0},
    }  # fmt: skip
    whole = _record(
        draw, number, "dynamodb", "DeleteTable", {"tableName": name}, {"tableDescription": described}
    )
    whole["detail"]["resources"] = [{"accountId": ACCOUNT, "type": "AWS::DynamoDB::Table", "ARN": arn}]
    return whole


def harmless(draw: random.Random, number: int) -> dict[str, Any]:
    """The record of a call that nobody watches."""
    service, name, request = draw.choice(COMMON)
    return _record(draw, number, service, name, request, None)


def stream(count: int, destructive_share: float, seed: int = 7) -> list[bytes]:
    """The raw JSON of so many envelopes, one event each, of which a share are deletions."""
    draw = random.Random(seed)  # noqa: S311 - the same stream every time
    made = (
        destructive(draw, number) if draw.random() < destructive_share else harmless(draw, number)
        for number in range(count)
    )
    return [json.dumps(event, separators=(",", ":")).encode() for event in made]


def _record(
    draw: random.Random,
    number: int,
    service: str,
    name: str,
    request: dict[str, Any],
    response: dict[str, Any] | None,
) -> dict[str, Any]:
    role = draw.choice(("deploy", "ci-preview", "admin", "nightly", f"team-{number % 30}"))
    region = draw.choice(REGIONS)
    detail = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": f"AROAEXAMPLEEXAMPLE:job-{number % 90}",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/job-{number % 90}",
            "accountId": ACCOUNT,
            "accessKeyId": "ASIAEXAMPLEEXAMPLE",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role", "principalId": "AROAEXAMPLEEXAMPLE", "accountId": ACCOUNT,
                    "arn": f"arn:aws:iam::{ACCOUNT}:role/{role}", "userName": role,
                },
                "attributes": {"creationDate": "2026-11-23T01:40:00Z", "mfaAuthenticated": "false"},
            },
        },
        "eventTime": f"2026-11-23T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": f"203.0.113.{number % 250}",
        "userAgent": draw.choice(AGENTS),
        "requestParameters": request,
        "responseElements": response,
        "requestID": f"EXAMPLE{number:020d}",
        "eventID": f"00000000-0000-4000-8000-{number:012d}",
        "readOnly": name.startswith(("Describe", "Get", "Batch")),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
        "tlsDetails": {
            "tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": f"{service}.{region}.amazonaws.com",
        },
    }  # fmt: skip
    return {
        "version": "0", "id": f"10000000-0000-4000-8000-{number:012d}", "detail-type": "AWS API Call via CloudTrail",
        "source": f"aws.{service}", "account": ACCOUNT, "time": detail["eventTime"], "region": region, "resources": [],
        "detail": detail,
    }  # fmt: skip

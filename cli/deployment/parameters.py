"""What is asked of who deploys: the template's parameters, the conditions made of them, and how the console shows them."""

from __future__ import annotations

from typing import Any

from cli.deployment.package import ARCHITECTURES, DEFAULT_PYTHON, PYTHONS
from cli.deployment.references import TEST_SOURCE, has, ref

_ARN = "arn:[a-z-]+"
RETENTIONS = [7, 14, 30, 60, 90, 180, 365, 731]

PARAMETERS: dict[str, dict[str, Any]] = {
    "CodeBucket": {
        "Type": "String",
        "Description": "The bucket, in this region, that safetynet-watcher.zip was uploaded to.",
        "AllowedPattern": "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
    },
    "CodeKey": {
        "Type": "String",
        "Description": "The key of safetynet-watcher.zip. Use a new key for every package: then an update is seen.",
        "MinLength": 1,
        "MaxLength": 1024,
    },
    "Runtime": {
        "Type": "String",
        "Description": "The runtime that the package was made for (make package LAMBDA_PYTHON=...).",
        "Default": f"python{DEFAULT_PYTHON}",
        "AllowedValues": [f"python{version}" for version in PYTHONS],
    },
    "Architecture": {
        "Type": "String",
        "Description": "The architecture that the package was made for (make package LAMBDA_ARCHITECTURE=...).",
        "Default": ARCHITECTURES[0],
        "AllowedValues": [*ARCHITECTURES],
    },
    "VaultBucketName": {
        "Type": "String",
        "Description": "The name of the vault's bucket, which is made. Empty: CloudFormation chooses one.",
        "Default": "",
        "AllowedPattern": "|[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
    },
    "VaultPrefix": {
        "Type": "String",
        "Description": "The folder in the bucket that holds backups, incidents and intents.",
        "Default": "safetynet",
        "AllowedPattern": "[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*",
        "MaxLength": 200,
    },
    "VaultKeyArn": {
        "Type": "String",
        "Description": "The ARN of a KMS key that encrypts the vault. Empty: SSE-S3. Its policy must let the role use it.",
        "Default": "",
        "AllowedPattern": f"|{_ARN}:kms:[a-z0-9-]+:[0-9]{{12}}:key/.+",
    },
    "NoncurrentDays": {
        "Type": "Number",
        "Description": "For how many days S3 keeps what was deleted from the vault, or overwritten in it.",
        "Default": 90,
        "MinValue": 7,
        "MaxValue": 3650,
    },
    "SlackChannel": {
        "Type": "String",
        "Description": "The id of the Slack channel that is alerted. Empty: settings in the package say who is.",
        "Default": "",
        "AllowedPattern": "|[CGD][A-Z0-9]{2,30}",
    },
    "SecretArn": {
        "Type": "String",
        "Description": (
            "The ARN of a Secrets Manager secret, or of an SSM parameter of type SecureString: the Slack bot token "
            "(xoxb-...), or a JSON object of SAFETYNET_ variables and their values. Empty: there is no secret."
        ),
        "Default": "",
        "AllowedPattern": f"|{_ARN}:(secretsmanager:[a-z0-9-]+:[0-9]{{12}}:secret:.+|ssm:[a-z0-9-]+:[0-9]{{12}}:parameter/.+)",
    },
    "SecretKeyArn": {
        "Type": "String",
        "Description": "The ARN of the KMS key that the secret is encrypted with. Empty: AWS's own.",
        "Default": "",
        "AllowedPattern": f"|{_ARN}:kms:[a-z0-9-]+:[0-9]{{12}}:key/.+",
    },
    "SlackApiUrl": {
        "Type": "String",
        "Description": "Another address of Slack's API, for a rehearsal or a proxy. Empty: Slack's own.",
        "Default": "",
        "AllowedPattern": "|https?://.+/",
    },
    "AlertTopicArn": {
        "Type": "String",
        "Description": "The ARN of an SNS topic that the watcher may publish alerts to, where its settings say so.",
        "Default": "",
        "AllowedPattern": f"|{_ARN}:sns:[a-z0-9-]+:[0-9]{{12}}:.+",
    },
    "AlarmTopicArn": {
        "Type": "String",
        "Description": "The ARN of the SNS topic that is told when the net itself is not well. Empty: nobody is.",
        "Default": "",
        "AllowedPattern": f"|{_ARN}:sns:[a-z0-9-]+:[0-9]{{12}}:.+",
    },
    "LogRetentionDays": {
        "Type": "Number",
        "Description": "For how many days the watcher's log is kept.",
        "Default": 90,
        "AllowedValues": RETENTIONS,
    },
    "ReservedConcurrency": {
        "Type": "Number",
        "Description": (
            "So many concurrent executions of the account are kept for the watcher, so that nothing else can starve "
            "it; 0: none are. At least 6: five for the queue, one for the schedule."
        ),
        "Default": 0,
        "AllowedValues": [0, 6, 7, 8, 9, 10, 15, 20],
    },
    TEST_SOURCE: {
        "Type": "String",
        "Description": (
            "A source besides AWS's own whose events pass the rules, for a rehearsal: nobody but AWS may put events "
            "whose source begins with aws. Empty in production."
        ),
        "Default": "",
        "AllowedPattern": "|[A-Za-z0-9._/-]+",
        "MaxLength": 64,
    },
}

_NOTHING = {"ReservedConcurrency": "0"}
_MAY_BE_EMPTY = (
    "VaultBucketName",
    "VaultKeyArn",
    "SlackChannel",
    "SecretArn",
    "SecretKeyArn",
    "SlackApiUrl",
    "AlertTopicArn",
    "AlarmTopicArn",
    "ReservedConcurrency",
    TEST_SOURCE,
)
CONDITIONS: dict[str, Any] = {
    has(name): {"Fn::Not": [{"Fn::Equals": [ref(name), _NOTHING.get(name, "")]}]} for name in _MAY_BE_EMPTY
}

_GROUPS = {
    "Package": ["CodeBucket", "CodeKey", "Runtime", "Architecture"],
    "Vault": ["VaultBucketName", "VaultPrefix", "VaultKeyArn", "NoncurrentDays"],
    "Alerts": ["SlackChannel", "SecretArn", "SecretKeyArn", "SlackApiUrl", "AlertTopicArn"],
    "Watcher": ["AlarmTopicArn", "LogRetentionDays", "ReservedConcurrency", TEST_SOURCE],
}
INTERFACE: dict[str, Any] = {
    "AWS::CloudFormation::Interface": {
        "ParameterGroups": [
            {"Label": {"default": label}, "Parameters": names} for label, names in _GROUPS.items()
        ]
    }
}

"""The CloudFormation template of a deployment, as a document and as the text of ``deploy/safetynet.yaml``."""

from __future__ import annotations

from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from cli.deployment.alarms import alarm_resources
from cli.deployment.function import function_resources
from cli.deployment.parameters import CONDITIONS, INTERFACE, PARAMETERS
from cli.deployment.queues import queue_resources
from cli.deployment.references import arn, ref, sub
from cli.deployment.vault_bucket import vault_resources

HEADER = "# Made by `make template` from cli/deployment; a change here is lost. See docs/deployment.md.\n"
WIDTH = 110


def template() -> dict[str, Any]:
    """The template, in CloudFormation's own order."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "A safety net for DynamoDB: the vault, and the watcher that alerts when a table is deleted.",
        "Metadata": INTERFACE,
        "Parameters": PARAMETERS,
        "Conditions": CONDITIONS,
        "Resources": {
            **vault_resources(),
            **queue_resources(),
            **function_resources(),
            **alarm_resources(),
        },
        "Outputs": _outputs(),
    }


def rendered() -> str:
    """The template in YAML. The same code always gives the same text."""
    yaml = YAML()
    yaml.width = WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.ignore_aliases = lambda _: True  # CloudFormation knows no anchors
    text = StringIO()
    yaml.dump(_quoted(template()), text)
    return HEADER + text.getvalue()


def _outputs() -> dict[str, Any]:
    return {
        "Vault": {
            "Description": "For `vault:` in safetynet.yaml.",
            "Value": sub("s3://${VaultBucket}/${VaultPrefix}"),
        },
        "QueueUrl": {"Description": "For `queue_url:` in safetynet.yaml.", "Value": ref("Queue")},
        "DeadLettersUrl": {
            "Description": "The dead-letter queue: what the watcher could not take in.",
            "Value": ref("DeadLetters"),
        },
        "FunctionName": {"Description": "The watcher's function.", "Value": ref("Function")},
        "FunctionArn": {"Description": "The watcher's function.", "Value": arn("Function")},
        "RoleName": {
            "Description": "The function's role, for a policy of your own: a second vault, an item that is probed.",
            "Value": ref("Role"),
        },
        "LogGroup": {"Description": "The watcher's log.", "Value": ref("Log")},
    }


def _quoted(node: Any) -> Any:
    """The document with quotes around texts that look like a date: YAML readers take those for one."""
    if isinstance(node, dict):
        return {key: _quoted(child) for key, child in node.items()}
    if isinstance(node, list):
        return [_quoted(child) for child in node]
    return DoubleQuotedScalarString(node) if isinstance(node, str) and node[:4].isdigit() else node

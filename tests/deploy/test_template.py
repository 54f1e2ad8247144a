"""The template is what the code makes, and has what a safety net must have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from cli.deployment.parameters import INTERFACE, PARAMETERS
from cli.deployment.template import rendered, template
from cli.lambda_entry import handler
from cli.settings import Settings
from recovery.intents import INTENTS
from tests.cli.running import ROOT
from tests.deploy.deployed import filled_in

if TYPE_CHECKING:
    from collections.abc import Iterator

RESOURCES: dict[str, Any] = template()["Resources"]
PSEUDO = {"AWS::AccountId", "AWS::NoValue", "AWS::Partition", "AWS::Region", "AWS::StackName"}


def properties(name: str, **values: str) -> Any:
    """A resource's properties, filled in."""
    return filled_in(RESOURCES[name]["Properties"], values)


def statements(**values: str) -> list[dict[str, Any]]:
    """What the function's role may do."""
    policies: list[Any] = properties("Role", **values)["Policies"]
    found: list[dict[str, Any]] = policies[0]["PolicyDocument"]["Statement"]
    return found


def names_in(node: Any) -> Iterator[str]:
    """Every name that a part of the template refers to."""
    if isinstance(node, dict):
        for key, child in node.items():
            if key == "Ref":
                yield child
            elif key == "Fn::GetAtt":
                yield child[0]
            elif key == "Fn::Sub":
                yield from (name.split(".")[0] for name in re.findall(r"\$\{([^}]+)\}", child))
            else:
                yield from names_in(child)
    elif isinstance(node, list):
        for child in node:
            yield from names_in(child)


def test_the_file_is_what_the_code_makes() -> None:
    """deploy/safetynet.yaml is never stale: run `make template` after a change."""
    assert (ROOT / "deploy" / "safetynet.yaml").read_text("utf-8") == rendered()


def test_every_name_is_known() -> None:
    """Nothing refers to a parameter or resource that is not there, and every parameter is used and shown."""
    document = template()
    used = set(names_in(document))
    assert used <= PARAMETERS.keys() | RESOURCES.keys() | PSEUDO
    assert PARAMETERS.keys() <= used
    groups = INTERFACE["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(PARAMETERS)


def test_defaults_are_allowed() -> None:
    """The default of every parameter is a value that the parameter takes."""
    for name, parameter in PARAMETERS.items():
        default = parameter.get("Default")
        if default is None:
            continue
        assert default in parameter.get("AllowedValues", [default]), name
        assert re.fullmatch(parameter.get("AllowedPattern", ".*"), str(default)), name


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        ("SecretArn", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack-a1b2c3", "xoxb-1-2"),
        ("SecretArn", "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/slack", "arn:aws:s3:::slack"),
        ("SlackChannel", "C0ALERTS", "#alerts"),
        ("VaultPrefix", "safetynet/prod", "/safetynet/"),
        ("VaultKeyArn", "arn:aws:kms:eu-west-1:123456789012:key/1234", "alias/vault"),
        ("AlarmTopicArn", "arn:aws:sns:eu-west-1:123456789012:pager", "pager"),
    ],
)
def test_parameters_are_checked(parameter: str, good: str, bad: str) -> None:
    """What is given for a parameter is checked before anything is made; a token is never taken for an ARN."""
    pattern = PARAMETERS[parameter]["AllowedPattern"]
    assert re.fullmatch(pattern, good)
    assert not re.fullmatch(pattern, bad)


def test_the_vault_outlives_the_stack() -> None:
    """Who deletes the stack deletes no backup, and a change that would replace the bucket keeps the old one."""
    for name in ("VaultBucket", "VaultBucketPolicy"):
        assert RESOURCES[name]["DeletionPolicy"] == RESOURCES[name]["UpdateReplacePolicy"] == "Retain"


def test_the_vault_is_closed() -> None:
    """Versioned, encrypted, never public, TLS only, without access lists."""
    bucket = properties("VaultBucket")
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    encryption = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption == [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    (statement,) = properties("VaultBucketPolicy")["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == ["<VaultBucket.Arn>", "<VaultBucket.Arn>/*"]


def test_the_vault_takes_a_key() -> None:
    """With a key the vault is encrypted with it, and the watcher may use it and writes with it."""
    key = "arn:aws:kms:eu-west-1:123456789012:key/1234"
    encryption = properties("VaultBucket", VaultKeyArn=key)["BucketEncryption"]
    rule = encryption["ServerSideEncryptionConfiguration"][0]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    allowed = {one["Sid"]: one["Resource"] for one in statements(VaultKeyArn=key)}
    assert allowed["VaultKey"] == [key]
    assert "VaultKey" not in {one["Sid"] for one in statements()}
    variables = properties("Function", VaultKeyArn=key)["Environment"]["Variables"]
    assert variables["SAFETYNET_BACKUP__KMS_KEY"] == key


def test_nothing_that_is_current_expires() -> None:
    """The vault's lifecycle ends uploads and old versions; a backup that is there never goes by itself."""
    rules = properties("VaultBucket")["LifecycleConfiguration"]["Rules"]
    keys = {key for rule in rules for key in rule} - {"Id", "Status"}
    assert keys == {
        "AbortIncompleteMultipartUpload",
        "NoncurrentVersionExpiration",
        "ExpiredObjectDeleteMarker",
    }


def test_only_the_rules_may_fill_the_queues() -> None:
    """Both queues take messages from EventBridge for exactly these rules, and from nobody without TLS."""
    rules = [
        f"<{name}.Arn>" for name, one in RESOURCES.items() if "EventPattern" in one.get("Properties", {})
    ]
    for name in ("Queue", "DeadLetters"):
        allow, deny = properties(f"{name}Policy")["PolicyDocument"]["Statement"]
        assert (allow["Principal"], allow["Action"]) == (
            {"Service": "events.amazonaws.com"},
            "sqs:SendMessage",
        )
        assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": rules}}
        assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
        assert properties(name)["SqsManagedSseEnabled"] is True


def test_no_event_is_dropped_on_the_way() -> None:
    """Every rule has the queue for a target, and the dead-letter queue for what cannot be delivered."""
    for name, resource in RESOURCES.items():
        if "EventPattern" in resource.get("Properties", {}):
            (target,) = properties(name)["Targets"]
            assert target["Arn"] == "<Queue.Arn>", name
            assert target["DeadLetterConfig"] == {"Arn": "<DeadLetters.Arn>"}, name
    redrive = properties("Queue")["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == "<DeadLetters.Arn>"
    assert redrive["maxReceiveCount"] >= 5


def test_a_message_is_hidden_for_longer_than_it_is_worked_on() -> None:
    """Lambda's own advice: six times the timeout. And one bad message of a batch does not bring the others back."""
    assert properties("Queue")["VisibilityTimeout"] >= 6 * properties("Function")["Timeout"]
    assert properties("FromQueue")["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_handler_is_there() -> None:
    """The function's handler names a function of ours."""
    assert properties("Function")["Handler"] == f"{handler.__module__}.{handler.__name__}"


def test_no_secret_is_in_the_function() -> None:
    """The function's variables are settings that exist; none of them is a secret, and none is empty."""
    given = {
        "SecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack-a1b2c3",
        "SlackChannel": "C0ALERTS",
    }
    variables = properties("Function", **given)["Environment"]["Variables"]
    assert variables["SAFETYNET_SECRET_ARN"] == given["SecretArn"]
    assert not {name for name in variables if re.search("TOKEN|PASSWORD|ROUTING|URL$", name)} - {
        "SAFETYNET_QUEUE_URL"
    }
    assert "SAFETYNET_SLACK__CHANNEL" not in properties("Function")["Environment"]["Variables"]
    fields = set(Settings.model_fields)
    named = {name.removeprefix("SAFETYNET_").split("__")[0].lower() for name in variables}
    assert named - fields <= {"secret_arn"}


def test_the_role_may_do_little() -> None:
    """No wildcard actions; only three reads have no resource; backups and intents are read and never written."""
    everything = statements(
        SecretArn="arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack-a1b2c3",
        VaultKeyArn="arn:aws:kms:eu-west-1:123456789012:key/1234",
        AlertTopicArn="arn:aws:sns:eu-west-1:123456789012:people",
    )
    assert [one for one in everything if one["Effect"] != "Allow" or "*" in "".join(one["Action"])] == []
    unbounded = [action for one in everything if "*" in one["Resource"] for action in one["Action"]]
    assert unbounded == [
        "dynamodb:DescribeEndpoints",
        "dynamodb:ListBackups",
        "backup:ListRecoveryPointsByResource",
    ]
    (canary,) = [one for one in everything if "events:PutEvents" in one["Action"]]
    assert canary["Condition"] == {"StringEquals": {"events:source": "safetynet.canary"}}
    written = [
        where
        for one in everything
        if {"s3:PutObject", "s3:DeleteObject"} & {*one["Action"]}
        for where in one["Resource"]
    ]
    assert [
        where
        for where in written
        if "/backups" in where or f"/{INTENTS}" in where or where.endswith("VaultPrefix>/*")
    ] == []


def test_who_is_not_well_is_told() -> None:
    """Dead letters, late events, errors, throttles and silence raise an alarm; the topic is told, if there is one."""
    alarms = [name for name, one in RESOURCES.items() if one["Type"] == "AWS::CloudWatch::Alarm"]
    assert len(alarms) == 5
    for name in alarms:
        assert properties(name, AlarmTopicArn="arn:of:topic")["AlarmActions"] == ["arn:of:topic"]
        assert "AlarmActions" not in properties(name)
    silent = properties("SilentAlarm")
    assert (silent["TreatMissingData"], silent["ComparisonOperator"]) == ("breaching", "LessThanThreshold")


def test_the_net_knows_its_own_parts() -> None:
    """Whatever the stack is called, its rules, queues and function are the net's own to the watcher."""
    variables = properties("Function", **{"AWS::StackName": "guard"})["Environment"]["Variables"]
    for part in ("EVENT_RULES", "QUEUES", "FUNCTIONS"):
        assert variables[f"SAFETYNET_NET__{part}"] == '["*safetynet*","guard-*"]'
    named = {
        resource["Type"]: properties(name, **{"AWS::StackName": "guard"})
        for name, resource in RESOURCES.items()
    }
    assert named["AWS::Lambda::Function"]["FunctionName"].startswith("guard-")
    assert named["AWS::SQS::Queue"]["QueueName"].startswith("guard-")
    assert named["AWS::Events::Rule"]["Name"].startswith("guard-")

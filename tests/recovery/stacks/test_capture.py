"""Reading live stacks: all that it takes to create one again, and what could not be read with the reason."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recovery.definitions.readings import Known, NotKnown
from recovery.stacks.capture import capture_stack, capture_whole, tables_of_stack
from recovery.stacks.documents import StackCapture, stack_name_of, store_stack
from recovery.stacks.templates import parse_template
from recovery.testing.memory_vault import MemoryVault
from rules.errors import AccessDeniedError, NotFoundError
from tests.recovery.recovering import START, FakeSleep
from tests.recovery.surroundings_answers import Answers, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client

    from tests.recovery.recovering import Process

STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/1f7d6d4e-0000-4000-8000-000000000000"
INNER_ID = STACK_ID.replace("shop", "shop-inner")
ROLE = "arn:aws:iam::123456789012:role/deployer"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:news"
DESCRIBED: dict[str, Any] = {
    "StackId": STACK_ID,
    "StackName": "shop",
    "StackStatus": "UPDATE_COMPLETE",
    "Description": "The shop",
    "CreationTime": START,
    "LastUpdatedTime": START + timedelta(hours=1),
    "Parameters": [
        {"ParameterKey": "Password", "ParameterValue": "****"},
        {"ParameterKey": "Declared", "ParameterValue": "told anyway"},
        {"ParameterKey": "Image", "ParameterValue": "/images/latest", "ResolvedValue": "ami-1"},
        {"ParameterKey": "Empty", "ParameterValue": ""},
    ],
    "Tags": [{"Key": "team", "Value": "shop"}],
    "Outputs": [
        {"OutputKey": "Arn", "OutputValue": "arn", "Description": "of the table", "ExportName": "shop-arn"},
        {"OutputKey": "Url", "OutputValue": "https://shop", "ExportName": "shop-url"},
        {"OutputKey": "Note", "OutputValue": "none"},
    ],
    "Capabilities": ["CAPABILITY_NAMED_IAM"],
    "NotificationARNs": [TOPIC],
    "RoleARN": ROLE,
    "EnableTerminationProtection": True,
    "DisableRollback": True,
    "TimeoutInMinutes": 30,
    "RollbackConfiguration": {"MonitoringTimeInMinutes": 5},
    "ParentId": STACK_ID.replace("shop", "parent"),
    "RootId": STACK_ID.replace("shop", "root"),
    "DriftInformation": {"StackDriftStatus": "DRIFTED"},
}
NO_IMPORTS = Refusal("ValidationError", "Export 'shop-url' is not imported by any stack.")


def summary(
    logical_id: str, physical_id: str | None, kind: str, status: str = "CREATE_COMPLETE"
) -> dict[str, Any]:
    """A resource as ListStackResources has it."""
    return {
        "LogicalResourceId": logical_id,
        **({"PhysicalResourceId": physical_id} if physical_id else {}),
        "ResourceType": kind,
        "ResourceStatus": status,
        "LastUpdatedTimestamp": START,
    }


TABLE, GLOBAL, NESTED = "AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable", "AWS::CloudFormation::Stack"
FULL_ANSWERS: dict[str, tuple[Any, ...]] = {
    "DescribeStacks": ({"Stacks": [DESCRIBED]},),
    "GetTemplate": ({"TemplateBody": "Resources:\n  Orders: {}\n"},),
    "GetTemplateSummary": ({"Parameters": [{"ParameterKey": "Declared", "NoEcho": True}]},),
    "GetStackPolicy": ({"StackPolicyBody": '{"Statement":[]}'},),
    "ListImports": ({"Imports": ["web"], "NextToken": "more"}, {"Imports": ["api"]}, NO_IMPORTS),
    "ListStackResources": (
        {"StackResourceSummaries": [summary("Orders", "orders", TABLE)], "NextToken": "more"},
        {"StackResourceSummaries": [summary("Never", None, "AWS::SQS::Queue", "CREATE_FAILED")]},
    ),
}


@pytest.fixture(scope="module")
def _nobody() -> Answers:
    return Answers()


@pytest.fixture
def answers(_nobody: Answers) -> Answers:
    """An AWS with a stack that has everything."""
    scripted = _nobody.renewed()
    for operation, told in FULL_ANSWERS.items():
        scripted.give(operation, *told)
    return scripted


def test_everything_of_a_stack(answers: Answers) -> None:
    """Each part in its place; hidden values are neither kept nor mistaken for values; all pages are read."""
    found = capture_stack(answers.aws, "shop", START)
    assert found.unknown == {}
    assert found.model_dump(mode="json") == {
        "format_version": 1,
        "account": "123456789012",
        "region": "eu-west-1",
        "name": "shop",
        "stack_id": STACK_ID,
        "status": "UPDATE_COMPLETE",
        "created": "2026-11-23T03:00:00Z",
        "updated": "2026-11-23T04:00:00Z",
        "captured": "2026-11-23T03:00:00Z",
        "description": "The shop",
        "template": {"state": "known", "value": "Resources:\n  Orders: {}\n"},
        "processed": {"state": "known", "value": None},
        "parameters": [
            {"key": "Password", "value": None, "resolved": None, "hidden": True},
            {"key": "Declared", "value": None, "resolved": None, "hidden": True},
            {"key": "Image", "value": "/images/latest", "resolved": "ami-1", "hidden": False},
            {"key": "Empty", "value": "", "resolved": None, "hidden": False},
        ],
        "tags": {"team": "shop"},
        "outputs": [
            {"key": "Arn", "value": "arn", "description": "of the table", "export": "shop-arn"},
            {"key": "Url", "value": "https://shop", "description": "", "export": "shop-url"},
            {"key": "Note", "value": "none", "description": "", "export": None},
        ],
        "imported_by": {"state": "known", "value": {"shop-arn": ["web", "api"]}},
        "capabilities": ["CAPABILITY_NAMED_IAM"],
        "notification_arns": [TOPIC],
        "role_arn": ROLE,
        "policy": {"state": "known", "value": '{"Statement":[]}'},
        "termination_protection": True,
        "disable_rollback": True,
        "timeout_minutes": 30,
        "rollback": {"MonitoringTimeInMinutes": 5},
        "parent_id": STACK_ID.replace("shop", "parent"),
        "root_id": STACK_ID.replace("shop", "root"),
        "resources": {
            "state": "known",
            "value": [
                {"logical_id": "Orders", "physical_id": "orders", "type": TABLE, "status": "CREATE_COMPLETE"},
                {
                    "logical_id": "Never",
                    "physical_id": None,
                    "type": "AWS::SQS::Queue",
                    "status": "CREATE_FAILED",
                },
            ],
        },
        # Of the document in the vault alone.
        "seal": None,
    }
    assert answers.asked("GetTemplate") == [{"StackName": STACK_ID, "TemplateStage": "Original"}]


@pytest.mark.parametrize(
    "original", ["Transform: Mine\nResources: {}\n", '{"Resources": {"Fn::ForEach::T": []}}']
)
def test_what_macros_made_of_a_template(answers: Answers, original: str) -> None:
    """Both stages are kept: the tables that a macro made are found in the processed one only."""
    made = json.dumps({"Resources": {"Orders": {"Type": TABLE}}})
    answers.give("GetTemplate", {"TemplateBody": original}, {"TemplateBody": made})
    found = capture_stack(answers.aws, "shop", START)
    assert [request["TemplateStage"] for request in answers.asked("GetTemplate")] == ["Original", "Processed"]
    assert isinstance(found.template, Known)
    assert isinstance(found.processed, Known)
    assert parse_template(found.template.value) == parse_template(original)
    assert parse_template(found.processed.value) == parse_template(made)


def test_a_bare_stack(answers: Answers) -> None:
    """What it has not is known to be absent."""
    least = {name: DESCRIBED[name] for name in ("StackId", "StackName", "StackStatus", "CreationTime")}
    answers.give("DescribeStacks", {"Stacks": [least]})
    answers.give("GetStackPolicy", {})
    answers.give("ListStackResources", {"StackResourceSummaries": []})
    found = capture_stack(answers.aws, "shop", START)
    assert (found.policy, found.imported_by, found.resources) == (Known(), Known(), Known())
    assert (found.parameters, found.tags, found.outputs, found.updated) == ((), {}, (), None)
    assert found.termination_protection is False
    assert answers.asked("ListImports") == []


@pytest.mark.parametrize(
    ("part", "operation"),
    [
        ("template", "GetTemplate"),
        ("policy", "GetStackPolicy"),
        ("imported_by", "ListImports"),
        ("resources", "ListStackResources"),
    ],
)
@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (Refusal("AccessDenied", "not authorized", 403), "access denied: "),
        (Refusal("Throttling", "Rate exceeded"), "Rate exceeded"),
        (Refusal("InvalidAction", "not implemented"), "not implemented"),
    ],
)
def test_what_cannot_be_read_is_unknown(
    answers: Answers, part: str, operation: str, refusal: Refusal, reason: str
) -> None:
    """That part alone, with the reason; what can be read is kept."""
    answers.give(operation, refusal)
    found = capture_stack(answers.aws, "shop", START, FakeSleep())
    assert list(found.unknown) == [part]
    assert reason in found.unknown[part]
    assert operation in found.unknown[part]


def test_hidden_values_without_the_declarations(answers: Answers) -> None:
    """CloudFormation's stars tell what is hidden where the declarations may not be read."""
    answers.give("GetTemplateSummary", Refusal("AccessDenied", status=403))
    found = capture_stack(answers.aws, "shop", START)
    assert found.hidden_parameters == ("Password",)
    assert found.parameters[1].value == "told anyway"


@pytest.mark.parametrize("read", [capture_stack, lambda aws, name, _: tables_of_stack(aws, name)])
def test_a_stack_that_is_not_there(answers: Answers, read: Callable[..., object]) -> None:
    """CloudFormation's ValidationError becomes a NotFoundError, exit 10."""
    answers.give("DescribeStacks", Refusal("ValidationError", "Stack with id shop does not exist"))
    with pytest.raises(NotFoundError, match="no stack shop") as caught:
        read(answers.aws, "shop", START)
    assert caught.value.exit_code == 10


@pytest.mark.parametrize("read", [capture_stack, lambda aws, name, _: tables_of_stack(aws, name)])
@pytest.mark.parametrize(
    "status", ["DELETE_COMPLETE", "DELETE_IN_PROGRESS", "DELETE_FAILED", "REVIEW_IN_PROGRESS"]
)
def test_a_stack_whose_deletion_has_begun(answers: Answers, read: Callable[..., object], status: str) -> None:
    """It is not read any further: what was captured before must stay the newest."""
    answers.give("DescribeStacks", {"Stacks": [{**DESCRIBED, "StackStatus": status}]})
    with pytest.raises(NotFoundError, match=status):
        read(answers.aws, STACK_ID, START)
    assert {name for name, _ in answers.calls} == {"DescribeStacks"}


def test_a_namesake_of_a_deleted_stack(answers: Answers) -> None:
    """An ARN means that very stack; it is asked for by name, which finds no deleted one."""
    with pytest.raises(NotFoundError, match="no stack arn:"):
        capture_stack(answers.aws, STACK_ID.replace("1f7d", "0000"), START)
    assert answers.calls == [("DescribeStacks", {"StackName": "shop"})]


def test_a_stack_that_may_not_be_seen(answers: Answers) -> None:
    """No permission for the stack itself is an error, not a capture of unknowns."""
    answers.give("DescribeStacks", Refusal("AccessDenied", status=403))
    with pytest.raises(AccessDeniedError):
        capture_stack(answers.aws, "shop", START)


def test_a_nested_stack_is_captured_with_its_family(answers: Answers) -> None:
    """Its root, what lies between, and what is nested beside it, each once; one that may not be seen stops no other."""
    root, middle, secret = (STACK_ID.replace("shop", f"shop-{one}") for one in ("root", "middle", "secret"))
    bare = {key: DESCRIBED[key] for key in ("StackStatus", "CreationTime")}

    def described(arn: str, **more: str) -> dict[str, Any]:
        return {"Stacks": [{**bare, "StackId": arn, "StackName": stack_name_of(arn), **more}]}

    stacks: dict[str, dict[str, Any] | Refusal] = {
        "shop-inner": described(INNER_ID, RootId=root, ParentId=middle),
        "shop-root": described(root),
        "shop-middle": described(middle, RootId=root, ParentId=root),
        "shop-secret": Refusal("AccessDenied", status=403),
    }
    listed = {
        INNER_ID: [summary("Orders", "orders", TABLE)],
        root: [summary("Middle", middle, NESTED), summary("Secret", secret, NESTED)],
        middle: [summary("Inner", INNER_ID, NESTED)],
    }
    order = ["shop-inner", "shop-middle", "shop-root", "shop-secret"]
    answers.give("DescribeStacks", *(stacks[one] for one in order))
    answers.give(
        "ListStackResources", *({"StackResourceSummaries": listed[one]} for one in (INNER_ID, middle, root))
    )
    found = dict(capture_whole(answers.aws, ["shop-inner"], START))
    assert list(found) == order
    assert isinstance(found.pop("shop-secret"), AccessDeniedError)
    assert {one.stack_id for one in found.values() if isinstance(one, StackCapture)} == {
        INNER_ID,
        middle,
        root,
    }


def test_tables_of_nested_stacks(answers: Answers) -> None:
    """Nested stacks are followed, once each; what is not the stack's own, or gone, is left out."""
    gone_id = STACK_ID.replace("shop", "shop-gone")
    answers.give(
        "ListStackResources",
        {
            "StackResourceSummaries": [
                summary("Orders", "orders", TABLE),
                summary("Inner", INNER_ID, NESTED),
                summary("Gone", gone_id, NESTED),
                summary("Failed", "somebody-elses", TABLE, "CREATE_FAILED"),
                summary("Deleted", "deleted", TABLE, "DELETE_COMPLETE"),
            ]
        },
        {
            "StackResourceSummaries": [
                summary("Parts", "parts", GLOBAL),
                summary("Outer", STACK_ID, NESTED),
                summary("Again", "orders", TABLE),
            ]
        },
    )
    answers.give(
        "DescribeStacks",
        {"Stacks": [DESCRIBED]},
        {"Stacks": [{**DESCRIBED, "StackId": INNER_ID}]},
        {"Stacks": [DESCRIBED]},
        Refusal("ValidationError", "Stack with id shop-gone does not exist"),
    )
    assert tables_of_stack(answers.aws, "shop") == ["orders", "parts"]
    assert [call["StackName"] for call in answers.asked("ListStackResources")] == [STACK_ID, INNER_ID]


def template(name: str) -> dict[str, Any]:
    """A template with a table and a queue."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "größer",
        "Parameters": {"Password": {"Type": "String", "NoEcho": True, "Default": "secret"}},
        "Resources": {
            "Table": {
                "Type": TABLE,
                "Properties": {
                    "TableName": name,
                    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                    "BillingMode": "PAY_PER_REQUEST",
                },
            },
            "Queue": {"Type": "AWS::SQS::Queue"},
        },
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Table", "Arn"]}, "Export": {"Name": f"{name}-arn"}}},
    }


@pytest.fixture
def cloudformation(net: Process) -> CloudFormationClient:
    """boto3's client of the embedded AWS."""
    return net.aws.cloudformation()


@pytest.fixture
def name(table: str) -> str:
    """A name for a stack of this test's own."""
    return table.replace(".", "-")


def test_on_the_embedded_aws(net: Process, cloudformation: CloudFormationClient, name: str) -> None:
    """A JSON template comes back as text that creates the stack again; the secret is not in the capture."""
    cloudformation.create_stack(
        StackName=name, TemplateBody=json.dumps(template(name)), Tags=[{"Key": "team", "Value": "shop"}]
    )
    found = capture_stack(net.aws, name, START)
    assert isinstance(found.template, Known)
    assert json.loads(found.template.value) == template(name)
    assert "größer" in found.template.value
    assert found.hidden_parameters == ("Password",)
    assert found.exports[f"{name}-arn"].endswith(f"table/{name}")
    assert [table.physical_id for table in found.tables] == [name]
    # It has no ListImports.
    assert list(found.unknown) == ["imported_by"]
    assert isinstance(found.imported_by, NotKnown)

    vault = MemoryVault()
    first = store_stack(vault, found)
    assert store_stack(vault, capture_stack(net.aws, found.stack_id, START + timedelta(days=1))) == first

    assert tables_of_stack(net.aws, name) == [name]
    cloudformation.delete_stack(StackName=name)
    for gone in (name, found.stack_id):
        with pytest.raises(NotFoundError):
            tables_of_stack(net.aws, gone)
        with pytest.raises(NotFoundError):
            capture_stack(net.aws, gone, START)
    assert name not in net.aws.dynamodb().list_tables()["TableNames"]
    cloudformation.create_stack(StackName=name, TemplateBody=found.template.value)
    assert tables_of_stack(net.aws, name) == [name]


def test_nested_on_the_embedded_aws(
    net: Process, cloudformation: CloudFormationClient, s3: S3Client, bucket: str, name: str
) -> None:
    """The tables of a nested stack are the outer one's, too."""
    s3.put_object(Bucket=bucket, Key="inner.json", Body=json.dumps(template(name)))
    url = f"https://{bucket}.s3.amazonaws.com/inner.json"
    outer = {"Resources": {"Inner": {"Type": NESTED, "Properties": {"TemplateURL": url}}}}
    cloudformation.create_stack(StackName=f"{name}-outer", TemplateBody=json.dumps(outer))
    assert tables_of_stack(net.aws, f"{name}-outer") == [name]
    found = capture_stack(net.aws, f"{name}-outer", START)
    assert found.tables == ()
    assert len(found.nested) == 1

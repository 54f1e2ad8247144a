"""Actors and tools: who did it and with what, out of identities and user agents of every kind."""

from __future__ import annotations

from typing import Any

import pytest

from rules.actors import Actor, ActorKind, Tool
from tests.rules.judging import ACCOUNT, changed, event

STS = f"arn:aws:sts::{ACCOUNT}:assumed-role"
IAM = f"arn:aws:iam::{ACCOUNT}"
TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.9.5 (+https://www.terraform.io) terraform-provider-aws/5.70.0"
GO_SDK = "aws-sdk-go-v2/1.31.0 ua/2.1 os/linux lang/go#1.23.1 api/dynamodb#1.35.4"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def actor(**identity: Any) -> Actor:
    """The actor of a call with this identity."""
    return changed(userIdentity=identity).actor


def tool(agent: str | None, invoked_by: str | None = None, from_console: str | None = None) -> Tool:
    """The tool of a call with this user agent."""
    identity = {"type": "IAMUser", "invokedBy": invoked_by}
    return changed(userAgent=agent, userIdentity=identity, sessionCredentialFromConsole=from_console).tool


def issued(role: str, kind: str = "Role") -> dict[str, Any]:
    """The session context of a role."""
    return {"sessionIssuer": {"type": kind, "userName": role, "arn": f"{IAM}:role/{role}"}}


@pytest.mark.parametrize(
    ("name", "kind", "called", "role", "session", "label"),
    [
        ("delete-table-console", "iam-user", "developer", "", "", "developer"),
        ("delete-table-root", "root", "root", "", "", "root user"),
        ("delete-table-cli-assumed-role", "assumed-role", "deploy", "deploy", "job-7", "job-7 (role deploy)"),
        (
            "sso", "sso", "developer@example.com", "AWSReservedSSO_AdministratorAccess_0123456789abcdef",
            "developer@example.com", "developer@example.com (SSO AdministratorAccess)",
        ),
        ("federated", "federated", "developer", "", "", "developer"),
        (
            "delete-table-by-cloudformation-service-role", "assumed-role", "stack-service", "stack-service",
            "AWSCloudFormation", "AWSCloudFormation (role stack-service)",
        ),
    ],
)  # fmt: skip
def test_who_it_was(name: str, kind: str, called: str, role: str, session: str, label: str) -> None:
    """Each kind of principal has the name that people would call it, its role, its session and one line."""
    found = event(name).actor
    assert (found.kind.value, found.name, found.role, found.session) == (kind, called, role, session)
    assert found.label == label
    assert found.account == ACCOUNT


def test_the_rest_of_an_actor() -> None:
    """Source identity, address and the service in between come along."""
    assert event("delete-table-cli-assumed-role").actor.source_identity == "platform-engineer"
    assert event("delete-table-cli-assumed-role").actor.source_ip == "203.0.113.7"
    assert event("delete-table-by-cloudformation").actor.invoked_by == "cloudformation.amazonaws.com"


@pytest.mark.parametrize(
    ("arn", "principal", "context", "role", "session"),
    [
        (f"{STS}/deploy/job-7", "AROAEXAMPLE:job-7", issued("deploy"), "deploy", "job-7"),
        (f"{STS}/deploy/job-7", "AROAEXAMPLE:job-7", None, "deploy", "job-7"),
        (None, "AROAEXAMPLE:job-7", issued("deploy"), "deploy", "job-7"),
        (None, "AROAEXAMPLE", issued("deploy"), "deploy", ""),
        (None, "AROAEXAMPLE:a:b", issued("deploy"), "deploy", "a:b"),
        (f"{IAM}:role/service-role/team/deploy", "AROAEXAMPLE", None, "deploy", ""),
        (f"{IAM}:role/deploy", "AROAEXAMPLE:job-7", None, "deploy", "job-7"),
        (f"{STS}/deploy", None, None, "deploy", ""),
        (None, None, None, "", ""),
    ],
)
@pytest.mark.parametrize("kind", ["AssumedRole", "Role"])
def test_role_and_session(
    kind: str, arn: str | None, principal: str | None, context: dict[str, Any] | None, role: str, session: str
) -> None:
    """They stand in the issuer, the ARN of the session or the role, or the principal id; a path is no role."""
    found = actor(type=kind, arn=arn, principalId=principal, sessionContext=context)
    assert (found.role, found.session) == (role, session)
    assert found.kind is ActorKind.ASSUMED_ROLE


def test_a_users_name_never_makes_a_role() -> None:
    """Who issued a federated session is a user; calling that user like an SSO role makes no SSO session."""
    name = "AWSReservedSSO_AdministratorAccess_0123456789abcdef"
    found = actor(
        type="FederatedUser",
        arn=f"arn:aws:sts::{ACCOUNT}:federated-user/developer",
        sessionContext=issued(name, "IAMUser"),
    )
    assert (found.kind, found.role, found.name) == (ActorKind.FEDERATED, "", "developer")


@pytest.mark.parametrize(
    ("identity", "kind", "label"),
    [
        ({}, "unknown", "unknown principal"),
        ({"type": "Martian", "accountId": ACCOUNT}, "unknown", f"somebody in account {ACCOUNT}"),
        ({"type": "AWSAccount", "accountId": "444455556666"}, "unknown", "somebody in account 444455556666"),
        ({"type": "AWSService", "invokedBy": "dynamodb.amazonaws.com"}, "service", "dynamodb.amazonaws.com"),
        ({"type": "WebIdentityUser", "userName": "app-user"}, "federated", "app-user"),
        ({"type": "SAMLUser", "userName": "developer"}, "federated", "developer"),
        ({"type": "IAMUser", "arn": f"{IAM}:user/team/developer"}, "iam-user", "developer"),
        ({"type": "IdentityCenterUser", "accountId": ACCOUNT}, "sso", f"somebody in account {ACCOUNT}"),
        ({"type": "Unknown", "arn": "no-slash"}, "unknown", "no-slash"),
    ],
)
def test_identities_that_say_little(identity: dict[str, Any], kind: str, label: str) -> None:
    """There is always a kind and a line to show."""
    found = actor(**identity)
    assert (found.kind.value, found.label) == (kind, label)


@pytest.mark.parametrize(
    ("said", "mfa"),
    [("true", True), ("false", False), (True, True), ("perhaps", None), (None, None), ("", None)],
)
def test_mfa(said: Any, mfa: bool | None) -> None:
    """MFA is known only where the record says so."""
    assert actor(type="IAMUser", sessionContext={"attributes": {"mfaAuthenticated": said}}).mfa is mfa
    assert actor(type="IAMUser", sessionContext={}).mfa is None


@pytest.mark.parametrize(
    ("agent", "found"),
    [
        (f"{TERRAFORM} (+https://registry.terraform.io/providers/hashicorp/aws) {GO_SDK}", Tool.TERRAFORM),
        (
            f"[{TERRAFORM} aws-sdk-go/1.44.157 (go1.19.3; linux; amd64) HashiCorp-terraform-exec/0.17.3]",
            Tool.TERRAFORM,
        ),
        (f"APN/1.0 OpenTofu/1.0 OpenTofu/1.8.0 {GO_SDK}", Tool.TERRAFORM),
        (f"APN/1.0 Pulumi/1.0 PulumiAws/6.50.0 terraform-provider-aws/5.70.0 {GO_SDK}", Tool.PULUMI),
        ("aws-cdk/2.160.0 aws-sdk-js/3.654.0 ua/2.0 os/linux#6.8 lang/js md/nodejs#22.9.0", Tool.CDK),
        ("@aws-cdk/toolkit-lib/1.0.0 aws-sdk-js/3.654.0", Tool.CDK),
        ("serverless/4.4.0 aws-sdk-js/3.654.0", Tool.SERVERLESS),
        ("aws-cli/2.31.0 md/awscrt#0.27.6 md/prompt#off md/command#dynamodb.delete-table", Tool.CLI),
        ("[aws-cli/1.2.11 Python/2.7.4 Linux/2.6.18 Botocore/0.24]", Tool.CLI),
        ("Boto3/1.40.1 md/Botocore#1.40.1 ua/2.1 exec-env/AWS_Lambda_python3.13", Tool.SDK),
        ("aws-sdk-go/1.15.12 (go1.12.6; linux; amd64)", Tool.SDK),
        (BROWSER, Tool.CONSOLE),
        ("console.aws.amazon.com", Tool.CONSOLE),
        ("console.amazonaws.com", Tool.CONSOLE),
        ("console.amazonaws.cn", Tool.CONSOLE),
        ("signin.amazonaws.com", Tool.CONSOLE),
        ("[S3Console/0.4]", Tool.CONSOLE),
        ("[S3Console/0.4, aws-internal/3 aws-sdk-java/1.11.666 Linux/4.9.184]", Tool.CONSOLE),
        ("AWS CloudWatch Console", Tool.CONSOLE),
        ("cloudformation.amazonaws.com", Tool.CLOUDFORMATION),
        ("AWS Internal", Tool.SERVICE),
        ("aws-internal/3 aws-sdk-java/1.11.666 Linux/4.9.184", Tool.SERVICE),
        ("athena.amazonaws.com", Tool.SERVICE),
        ("curl/8.9.1", Tool.UNKNOWN),
        ("", Tool.UNKNOWN),
        (None, Tool.UNKNOWN),
    ],
)
def test_user_agents(agent: str | None, found: Tool) -> None:
    """Every tool is known by what it really sends, though it also names what it is built on."""
    assert tool(agent) is found


@pytest.mark.parametrize(
    "word",
    [
        "cdk",
        "aws-cdk",
        "terraform",
        "pulumi",
        "serverless",
        "console",
        "mozilla",
        "aws-cli",
        "cloudformation.amazonaws.com",
    ],
)
def test_a_tools_name_inside_something_else_does_not_count(word: str) -> None:
    """An application id, a path or a longer word may hold any tool's name: the SDK is what is left."""
    for agent in (
        f"Boto3/1.40.1 app/{word}",
        f"Boto3/1.40.1 md/{word}#1",
        f"Boto3/1.40.1 my{word}er/1.0",
        f"x-{word}/1 Boto3/1",
    ):
        assert tool(agent) is Tool.SDK, agent


@pytest.mark.parametrize(
    ("invoked_by", "found"),
    [
        ("cloudformation.amazonaws.com", Tool.CLOUDFORMATION),
        ("CloudFormation.amazonaws.com", Tool.CLOUDFORMATION),
        ("signin.amazonaws.com", Tool.CONSOLE),
        ("dynamodb.application-autoscaling.amazonaws.com", Tool.SERVICE),
        ("AWS Internal", Tool.SERVICE),
    ],
)
@pytest.mark.parametrize("agent", [BROWSER, TERRAFORM, "Boto3/1.40.1", None])
def test_invoked_by_goes_before_the_user_agent(invoked_by: str, found: Tool, agent: str | None) -> None:
    """AWS writes invokedBy, anybody the user agent. The old console's own mark is a person, not automation."""
    assert tool(agent, invoked_by) is found


@pytest.mark.parametrize(
    ("agent", "found"),
    [
        (None, Tool.CONSOLE),
        ("AWS Internal", Tool.CONSOLE),
        ("aws-internal/3 aws-sdk-java/1.11.666", Tool.CONSOLE),
        ("aws-cli/2.31.0 exec-env/CloudShell", Tool.CLI),
        ("Boto3/1.40.1 exec-env/CloudShell", Tool.SDK),
        (TERRAFORM, Tool.TERRAFORM),
    ],
)
def test_credentials_from_the_console(agent: str | None, found: Tool) -> None:
    """They tell the console where nothing else does; in CloudShell the tool still names itself."""
    assert tool(agent, from_console="true") is found

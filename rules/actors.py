"""Who made a call, and with which tool: read from a CloudTrail record's identity and user agent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from rules.records import flag

if TYPE_CHECKING:
    from rules.records import CloudTrailRecord, UserIdentity


class ActorKind(StrEnum):
    """The kinds of principal that CloudTrail tells apart (CloudTrail guide, 'userIdentity element')."""

    ROOT = "root"
    IAM_USER = "iam-user"
    ASSUMED_ROLE = "assumed-role"
    FEDERATED = "federated"
    SSO = "sso"
    SERVICE = "service"
    UNKNOWN = "unknown"


class Tool(StrEnum):
    """What the call was made with. A tool is a hint, never a proof: anyone can set a user agent."""

    CONSOLE = "console"
    CLI = "cli"
    CLOUDFORMATION = "cloudformation"
    CDK = "cdk"
    TERRAFORM = "terraform"
    PULUMI = "pulumi"
    SERVERLESS = "serverless"
    SDK = "sdk"
    SERVICE = "service"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Actor:
    """The principal behind a change event.

    ``name`` is what a person would call it (user, role or service name; with SSO the person), ``session`` the
    role session name, which for CI roles is often the job; ``issuer`` is the role's ARN. ``mfa`` is None where the record does not say.
    """

    kind: ActorKind
    name: str
    arn: str
    account: str
    role: str = ""
    issuer: str = ""
    session: str = ""
    source_identity: str = ""
    source_ip: str = ""
    invoked_by: str = ""
    mfa: bool | None = None

    @property
    def label(self) -> str:
        """One line for people: ``job-7 (role deploy)``, ``root user``, ``dynamodb.amazonaws.com``."""
        if self.kind is ActorKind.ROOT:
            return "root user"
        if self.kind is ActorKind.SSO and self.session:
            return f"{self.session} (SSO {_permission_set(self.role)})"
        if self.role and self.session:
            return f"{self.session} (role {self.role})"
        account = f"somebody in account {self.account}" if self.account else ""
        return self.name or self.arn or account or "unknown principal"


_IDENTITY_KINDS = {
    "Root": ActorKind.ROOT,
    "IAMUser": ActorKind.IAM_USER,
    "AssumedRole": ActorKind.ASSUMED_ROLE,
    "Role": ActorKind.ASSUMED_ROLE,
    "FederatedUser": ActorKind.FEDERATED,
    "SAMLUser": ActorKind.FEDERATED,
    "WebIdentityUser": ActorKind.FEDERATED,
    "IdentityCenterUser": ActorKind.SSO,
    "AWSService": ActorKind.SERVICE,
    "AWSAccount": ActorKind.UNKNOWN,
}

_SSO_ROLE = "AWSReservedSSO_"
_APP = re.compile(r"(?:^|[\s\[])app/([^\s\]]{1,64})")

# The products of a user agent (``name/version``), most telling first: every tool also names the SDK it is built
# on, and Pulumi the Terraform provider. Whole names, since anybody's product may have "cdk" in its name.
_PRODUCTS: tuple[tuple[re.Pattern[str], Tool], ...] = tuple(
    (re.compile(names), tool)
    for names, tool in (
        (r"pulumi|pulumi-?aws", Tool.PULUMI),
        (r"terraform|terraform-provider-aws|hashicorp-terraform-exec|opentofu", Tool.TERRAFORM),
        (r"serverless|serverless-framework", Tool.SERVERLESS),
        (r"cdk|aws-cdk|@aws-cdk|cdk-assets", Tool.CDK),
        (r"aws-cli", Tool.CLI),
        (r"mozilla|s3console", Tool.CONSOLE),
        (r"aws-internal", Tool.SERVICE),
        (r"boto3?|botocore|aws-sdk-.+", Tool.SDK),
    )
)
# Agents that are no products: ``console.aws.amazon.com``, ``AWS CloudWatch Console``, ``athena.amazonaws.com``.
_WHOLE_AGENTS: tuple[tuple[re.Pattern[str], Tool], ...] = (
    (re.compile(r"(?:console|signin)(?:\.aws)?\.amazon(?:aws)?\.(?:com|cn)"), Tool.CONSOLE),
    (re.compile(r"aws [a-z0-9 ]*console"), Tool.CONSOLE),
    (re.compile(r"cloudformation\.amazonaws\.com(?:\.cn)?"), Tool.CLOUDFORMATION),
    (re.compile(r"aws internal|[a-z0-9.-]+\.amazonaws\.com(?:\.cn)?"), Tool.SERVICE),
)


def actor_of(record: CloudTrailRecord) -> Actor:
    """The actor of a CloudTrail record; an absent or strange identity gives ``ActorKind.UNKNOWN``."""
    identity = record.identity
    kind = _IDENTITY_KINDS.get(identity.type or "", ActorKind.UNKNOWN)
    role, session = _role_and_session(identity) if kind is ActorKind.ASSUMED_ROLE else ("", "")
    if role.startswith(_SSO_ROLE):
        kind = ActorKind.SSO
    context = identity.session_context
    issuer = context.session_issuer if context else None
    return Actor(
        kind=kind,
        name=_name(identity, kind, role, session),
        arn=identity.arn or "",
        account=identity.account_id or "",
        role=role,
        issuer=(issuer.arn or "") if issuer else "",
        session=session,
        source_identity=(context.source_identity or "") if context else "",
        source_ip=record.source_ip_address or "",
        invoked_by=identity.invoked_by or "",
        mfa=_mfa(identity),
    )


def tool_of(record: CloudTrailRecord) -> Tool:
    """The tool a call was made with, from ``invokedBy``, ``userAgent`` and the console's own marker."""
    in_console = flag(record.session_credential_from_console) == "true"
    return _tool(record.identity.invoked_by or "", record.user_agent or "", in_console)


def app_of(user_agent: str) -> str:
    """The name that an application gave itself: ``app/<id>`` in a user agent (AWS_SDK_UA_APP_ID), or ""."""
    found = _APP.search(user_agent)
    return found[1] if found else ""


@lru_cache(maxsize=1024)
def _tool(invoked_by: str, user_agent: str, in_console: bool) -> Tool:
    """The same few agents come again and again.

    The console's marker also stands in what people do in CloudShell, so a tool that names itself goes before it.
    """
    if invoked_by:
        # Written by AWS itself: a service acts for whom the identity names. The old console was one of them.
        return _whole(invoked_by.lower()) or Tool.SERVICE
    agent = user_agent.lower().strip("[] ")
    named = _whole(agent) or _product(agent)
    return Tool.CONSOLE if in_console and named in {Tool.UNKNOWN, Tool.SERVICE} else named


def _whole(agent: str) -> Tool | None:
    return next((tool for pattern, tool in _WHOLE_AGENTS if pattern.fullmatch(agent)), None)


def _product(agent: str) -> Tool:
    names = [part.partition("/")[0].strip("[](),;") for part in agent.split()]
    for pattern, tool in _PRODUCTS:
        if any(pattern.fullmatch(name) for name in names):
            return tool
    return Tool.UNKNOWN


def _role_and_session(identity: UserIdentity) -> tuple[str, str]:
    """``arn:aws:sts::<account>:assumed-role/<role>/<session>``, or ``arn:aws:iam::<account>:role/<path>/<role>``.

    The session also stands in the principalId (``<role id>:<session>``).
    """
    issuer = identity.session_context.session_issuer if identity.session_context else None
    role = issuer.user_name if issuer else ""
    arn = identity.arn or ""
    _, _, assumed = arn.partition(":assumed-role/")
    _, _, path = arn.partition(":role/")
    named, _, session = assumed.partition("/")
    return (
        role or named or path.rpartition("/")[2],
        session or (identity.principal_id or "").partition(":")[2],
    )


def _name(identity: UserIdentity, kind: ActorKind, role: str, session: str) -> str:
    if kind is ActorKind.ROOT:
        return "root"
    if kind is ActorKind.SSO and session:
        return session
    _, _, path = (identity.arn or "").partition("/")
    return identity.user_name or role or identity.invoked_by or path.rpartition("/")[2]


def _permission_set(role: str) -> str:
    """``AWSReservedSSO_<permission set>_<hash>``."""
    return role.removeprefix(_SSO_ROLE).rpartition("_")[0] or role


def _mfa(identity: UserIdentity) -> bool | None:
    context = identity.session_context
    if context is None or context.attributes is None:
        return None
    return {"true": True, "false": False}.get(flag(context.attributes.mfa_authenticated).lower())

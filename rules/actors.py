"""Who made a call, and with which tool: read from a CloudTrail record's identity and user agent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

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

    ``name`` is what a person would call it (user, role or service name), ``session`` the role session
    name, which for SSO and CI roles is often the person or the job. ``mfa`` is None where the record
    does not say.
    """

    kind: ActorKind
    name: str
    arn: str
    account: str
    role: str = ""
    session: str = ""
    source_identity: str = ""
    source_ip: str = ""
    invoked_by: str = ""
    mfa: bool | None = None

    @property
    def label(self) -> str:
        """One line for people: ``alice (role Admin)``, ``root``, ``cloudformation.amazonaws.com``."""
        if self.kind is ActorKind.ROOT:
            return "root user"
        if self.role and self.session:
            return f"{self.session} (role {self.role})"
        return self.name or self.arn or "unknown principal"


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

# User agents, most telling first: Terraform and CDK also carry the SDK they are built on.
_AGENT_MARKS: tuple[tuple[str, Tool], ...] = (
    ("cloudformation.amazonaws.com", Tool.CLOUDFORMATION),
    ("terraform", Tool.TERRAFORM),
    ("pulumi", Tool.PULUMI),
    ("serverless", Tool.SERVERLESS),
    ("cdk", Tool.CDK),
    ("aws-cli/", Tool.CLI),
    ("console", Tool.CONSOLE),
    ("signin.amazonaws.com", Tool.CONSOLE),
    ("mozilla/", Tool.CONSOLE),
    ("boto", Tool.SDK),
    ("aws-sdk", Tool.SDK),
    ("aws-internal", Tool.SERVICE),
    (".amazonaws.com", Tool.SERVICE),
)


def actor_of(record: CloudTrailRecord) -> Actor:
    """The actor of a CloudTrail record; an absent or strange identity gives ``ActorKind.UNKNOWN``."""
    identity = record.user_identity
    kind = _IDENTITY_KINDS.get(identity.type, ActorKind.UNKNOWN)
    issuer = identity.session_context.session_issuer if identity.session_context else None
    role = issuer.user_name if issuer else ""
    session = ""
    if kind is ActorKind.ASSUMED_ROLE:
        # arn:aws:sts::<account>:assumed-role/<role>/<session>; principalId is <id>:<session>.
        parts = identity.arn.split("/")
        role = role or (parts[1] if len(parts) > 1 else "")
        session = parts[-1] if len(parts) > 2 else identity.principal_id.rpartition(":")[2]  # noqa: PLR2004 - role/x/y
    if role.startswith("AWSReservedSSO_"):
        kind = ActorKind.SSO
    return Actor(
        kind=kind,
        name=_name(identity, role),
        arn=identity.arn,
        account=identity.account_id,
        role=role,
        session=session,
        source_identity=identity.session_context.source_identity if identity.session_context else "",
        source_ip=record.source_ip_address,
        invoked_by=identity.invoked_by,
        mfa=_mfa(identity),
    )


def tool_of(record: CloudTrailRecord) -> Tool:
    """The tool a call was made with, from ``userAgent``, ``invokedBy`` and the console's own marker."""
    invoked_by = record.user_identity.invoked_by.lower()
    if invoked_by == "cloudformation.amazonaws.com":
        return Tool.CLOUDFORMATION
    agent = record.user_agent.lower()
    for mark, tool in _AGENT_MARKS:
        if mark in agent:
            return tool
    if record.session_credential_from_console == "true" or invoked_by == "signin.amazonaws.com":
        return Tool.CONSOLE
    return Tool.SERVICE if invoked_by else Tool.UNKNOWN


def _name(identity: UserIdentity, role: str) -> str:
    return identity.user_name or role or identity.invoked_by or identity.arn.rpartition("/")[2]


def _mfa(identity: UserIdentity) -> bool | None:
    context = identity.session_context
    if context is None or context.attributes is None:
        return None
    return {"true": True, "false": False}.get(context.attributes.mfa_authenticated.lower())

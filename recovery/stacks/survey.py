"""What there is to know of a captured stack before it is recreated: what else it has, needs and loses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recovery.definitions.readings import Known
from recovery.definitions.surroundings_stack import TABLE_TYPES
from recovery.stacks.templates import RETAINING, parse_template, transforms

if TYPE_CHECKING:
    from recovery.stacks.documents import StackCapture, StackResource
    from recovery.stacks.live import LiveStack
    from recovery.stacks.templates import Template

# What is made anew without what it held. Tables are the point of it all; the rest is for people to know.
_HOLDS_DATA = (
    "AWS::Cognito::UserPool",
    "AWS::EFS::FileSystem",
    "AWS::KMS::Key",
    "AWS::Kinesis::Stream",
    "AWS::Logs::LogGroup",
    "AWS::OpenSearchService::Domain",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
)
AUTO_EXPAND = "CAPABILITY_AUTO_EXPAND"


def capabilities_of(capture: StackCapture, template: str) -> tuple[str, ...]:
    """What has to be acknowledged: what was, and that macros run where the template has any."""
    needed = (AUTO_EXPAND,) if transforms(parse_template(template)) else ()
    return tuple(dict.fromkeys((*capture.capabilities, *needed)))


def made_anew(capture: StackCapture, live: LiveStack | None) -> tuple[str, ...]:
    """``LogicalId (type)`` of what is not a table and not there yet."""
    there = {one.logical_id for one in live.owned} if live else set()
    return tuple(
        f"{one.logical_id} ({one.type})"
        for one in capture.own_resources
        if one.type not in TABLE_TYPES and one.logical_id not in there
    )


def retained(capture: StackCapture, base: Template) -> list[StackResource]:
    """What is not a table and outlives its stack: it may be in the way of its own new one."""
    return [
        one
        for one in capture.own_resources
        if one.type not in TABLE_TYPES
        and isinstance(block := base["Resources"].get(one.logical_id), dict)
        and block.get("DeletionPolicy") in RETAINING
    ]


def warnings_of(capture: StackCapture, base: Template) -> list[str]:
    """What a person should know before saying yes, a line each."""
    left = retained(capture, base)
    kept = {one.logical_id for one in left}
    emptied = [
        f"{one.logical_id} ({one.type})"
        for one in capture.own_resources
        if one.type in _HOLDS_DATA and one.logical_id not in kept
    ]
    told = []
    if capture.unknown:
        told += [f"not in the capture: {name} ({why})" for name, why in capture.unknown.items()]
    if left:
        names = ", ".join(f"{one.logical_id} ({one.physical_id})" for one in left)
        told.append(f"kept when the stack went, imported where its name is in the template: {names}")
    if emptied:
        told.append(f"made anew, without what they held: {', '.join(emptied)}")
    if capture.timeout_minutes:
        told.append(f"its creation timeout of {capture.timeout_minutes} minutes is not put back")
    importers: dict[str, Any] = (
        capture.imported_by.value if isinstance(capture.imported_by, Known) else None
    ) or {}
    users = sorted({str(name) for names in importers.values() for name in names})
    if users:
        told.append(f"stacks that import from it: {', '.join(users)}")
    return told


def role_is_gone(capture: StackCapture) -> bool:
    """Whether the stack itself made the role that CloudFormation acts as."""
    own = {one.physical_id for one in capture.own_resources if one.type == "AWS::IAM::Role"}
    return capture.role_arn is not None and capture.role_arn.rsplit("/", 1)[-1] in own

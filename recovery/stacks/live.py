"""A stack as it is right now, and how far a recovery of it has come."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from recovery.definitions.surroundings_stack import NOT_OF_THE_STACK, TABLE_TYPES
from recovery.stacks.capture import described_stack, resources_of, template_of
from recovery.stacks.templates import parse_template
from rules.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recovery.definitions.reader import Reader
    from recovery.stacks.documents import StackResource

REVIEW = "REVIEW_IN_PROGRESS"
# What a person has to do about a stack that can neither be updated nor created, by its status.
_DELETE_IT = "It holds no table. Look at it, then: aws cloudformation delete-stack --stack-name {name} --region {region}"
WAYS_OUT = {
    "CREATE_FAILED": _DELETE_IT,
    "ROLLBACK_COMPLETE": _DELETE_IT,
    "ROLLBACK_FAILED": _DELETE_IT,
    "DELETE_FAILED": (
        "Its deletion did not succeed. Finish it, but keep its tables: aws cloudformation delete-stack "
        "--stack-name {name} --region {region} --retain-resources LOGICAL_ID ..."
    ),
    "DELETE_IN_PROGRESS": "It is being deleted. Run the command again once it is gone.",
    "UPDATE_FAILED": "aws cloudformation rollback-stack --stack-name {name} --region {region}",
    "UPDATE_ROLLBACK_FAILED": (
        "aws cloudformation continue-update-rollback --stack-name {name} --region {region}"
    ),
    "IMPORT_ROLLBACK_FAILED": "Its import could be neither done nor undone: AWS Support can help.",
}


class Phase(StrEnum):
    """Where a stack is on its way back."""

    ABSENT = "absent"
    REVIEW = "review"  # a change set was made for a stack that is not there yet
    BUSY = "busy"
    IMPORTED = "imported"  # it holds the tables, and nothing else yet
    LIVE = "live"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class LiveStack:
    """A stack that CloudFormation knows by its name. ``owned``: the resources that are its own."""

    name: str
    stack_id: str
    status: str
    reason: str
    protected: bool
    owned: tuple[StackResource, ...]

    @property
    def region(self) -> str:
        """Where it is."""
        return self.stack_id.split(":")[3]

    @property
    def tables(self) -> dict[str, str]:
        """Its tables: names by logical id."""
        return {
            one.logical_id: one.physical_id
            for one in self.owned
            if one.type in TABLE_TYPES and one.physical_id
        }

    @property
    def way_out(self) -> str:
        """What a person has to do about it, "" where nothing has to be done."""
        way = _DELETE_IT if _is_left_over(self) else WAYS_OUT.get(self.status, "")
        if way == _DELETE_IT and self.tables:
            keep = " ".join(sorted(self.tables))
            way = f"It holds tables: never delete it without --retain-resources {keep}."
        return way.format(name=self.name, region=self.region)

    def physical_id(self, logical_id: str) -> str | None:
        """What a logical id stands for, None where the stack has no such resource."""
        return next((one.physical_id for one in self.owned if one.logical_id == logical_id), None)


def look(stacks: Reader, name: str) -> LiveStack | None:
    """The stack of that name, None where there is none."""
    try:
        described: dict[str, Any] = described_stack(stacks, name)
    except NotFoundError:
        return None
    listed = () if described["StackStatus"] == REVIEW else resources_of(stacks, described["StackId"])
    return LiveStack(
        name=described["StackName"],
        stack_id=described["StackId"],
        status=described["StackStatus"],
        reason=described.get("StackStatusReason") or "",
        protected=bool(described.get("EnableTerminationProtection")),
        owned=tuple(one for one in listed if one.status not in NOT_OF_THE_STACK and one.physical_id),
    )


def phase_of(stacks: Reader, live: LiveStack | None, template: str, tables: Mapping[str, str]) -> Phase:
    """How far a stack is that is to have ``template`` and to own ``tables`` (names by logical id)."""
    if live is None:
        return Phase.ABSENT
    if live.status == REVIEW:
        return Phase.REVIEW
    if live.status in WAYS_OUT or _is_left_over(live):
        return Phase.BROKEN
    if live.status.endswith("_IN_PROGRESS"):
        return Phase.BUSY
    only_tables = {one.logical_id: one.physical_id for one in live.owned} == dict(tables)
    if tables and only_tables and not is_deployed(stacks, live, template):
        return Phase.IMPORTED
    return Phase.LIVE


def physical_id_of(stacks: Reader, stack_id: str, path: Sequence[str]) -> str | None:
    """What the last of some logical ids stands for, the others being nested stacks; None where it is not made."""
    found: str | None = stack_id
    for logical_id in path:
        listed = resources_of(stacks, found) if found else []
        found = next((one.physical_id for one in listed if one.logical_id == logical_id), None)
    return found


def _is_left_over(live: LiveStack) -> bool:
    """What an import that failed leaves of a new stack: its name."""
    return live.status == "IMPORT_ROLLBACK_COMPLETE" and not live.owned


def is_deployed(stacks: Reader, live: LiveStack, template: str) -> bool:
    """Whether the stack's template is this one, however it is spelled."""
    return parse_template(template_of(stacks, live.stack_id)) == parse_template(template)

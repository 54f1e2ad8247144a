"""Plans for stacks: what it takes to bring one back, as data. Shown by ``--dry-run``, executed by apply."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from recovery.backups.manifest import UtcTime

DELETING = "DELETING"


class TableWay(StrEnum):
    """How a table comes under its stack."""

    IMPORT = "import"  # it is there, or is recovered first; CloudFormation takes it over with its items
    LOAD = "load"  # the stack makes it, empty, and it is loaded afterwards
    KEPT = "kept"  # the living stack lists it: it only has to be there again
    ALONE = "alone"  # the living stack does not list it: it is recovered, and has a way back of its own


class StackAction(StrEnum):
    """What is to be done about the stack itself."""

    CREATE = "create"
    CONTINUE = "continue"
    NONE = "none"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StackTable(_Part):
    """A table of the stack, or of one nested in it.

    ``status`` as AWS spells it, None where the table is not there. ``nested`` are the logical ids of the nested
    stacks on the way to it. ``why`` says why it is not imported. ``custom_name``: the template names it.
    ``half_recovered``: it is there, but a recovery of it has not ended. ``loaded``: the stack has made it, and its items
    are in.
    """

    name: str
    logical_id: str
    type: str
    nested: tuple[str, ...] = ()
    status: str | None
    way: TableWay
    why: str = ""
    custom_name: bool = True
    half_recovered: bool = False
    loaded: bool = False

    @property
    def needs_recovery(self) -> bool:
        """Whether it has to be recovered, or a recovery of it ended, before anything is done about the stack."""
        return self.way is not TableWay.LOAD and (self.status in {None, DELETING} or self.half_recovered)

    @property
    def is_own(self) -> bool:
        """Whether it is the stack's own, and not one of a nested stack's."""
        return not self.nested


class StackPlan(_Part):
    """One stack from its capture.

    What is secret is not in it: ``hidden`` names the parameters that a person has to give, and the template stays
    in the capture ``capture_key`` (``template_sha256`` is that of its text). ``blocks`` are the reasons for which it
    cannot be executed. ``region`` is where the stack is to be; ``lost_in`` where it was captured, if that is another one.
    ``creates`` are the resources, ``LogicalId (type)``, that are made anew; ``left_out`` the
    properties of tables that come with the update which follows the import.
    """

    format_version: Literal[1] = 1
    account: Annotated[str, Field(pattern=r"^\d{12}$")]
    region: str
    lost_in: str = ""
    stack: str
    capture_key: str
    captured: UtcTime
    template_sha256: str
    template_bytes: int
    status: str | None
    action: StackAction
    tables: tuple[StackTable, ...]
    creates: tuple[str, ...] = ()
    left_out: dict[str, tuple[str, ...]] = {}
    parameters: dict[str, str] = {}
    hidden: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    notification_arns: tuple[str, ...] = ()
    role_arn: str | None = None
    rollback: dict[str, Any] = {}
    termination_protection: bool = False
    has_policy: bool = False
    import_existing: bool = False
    include_nested: bool = False
    exports: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def recover_first(self) -> tuple[str, ...]:
        """The tables to be recovered, under their own names, before the stack is recreated."""
        return tuple(table.name for table in self.tables if table.needs_recovery)

    @property
    def load_afterwards(self) -> tuple[StackTable, ...]:
        """The tables that the stack makes, or has made, empty, and whose items are not in yet."""
        return tuple(table for table in self.tables if table.way is TableWay.LOAD and not table.loaded)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do, neither about the stack nor about its tables."""
        return self.action is StackAction.NONE and not self.recover_first and not self.load_afterwards

    @property
    def imported(self) -> dict[str, str]:
        """The stack's own tables that an import change set takes over: names by logical id."""
        return {
            table.logical_id: table.name
            for table in self.tables
            if table.way is TableWay.IMPORT and table.is_own
        }

    @property
    def types(self) -> dict[str, str]:
        """The resource types of the stack's own tables by logical id."""
        return {table.logical_id: table.type for table in self.tables if table.is_own}

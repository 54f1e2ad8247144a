"""The ports of the restore engines: one adapter per file (``engine_write``, ``engine_bulk``, ``engine_import``, ...).

Some load into a table that the recovery has made; some, DynamoDB's own, make the table themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from recovery.backups.catalog import Catalog
    from recovery.backups.manifest import Manifest
    from recovery.progress import Progress
    from recovery.restores.runs import Run
    from recovery.vault.leases import Lease


class RestoreEngineName(StrEnum):
    """How data comes into the table."""

    WRITE = "write"  # BatchWriteItem from here
    BULK = "bulk"  # StartBulkPutItems: DynamoDB reads the vault
    IMPORT = "import"  # ImportTable: DynamoDB reads the vault and makes the table
    RESTORE = "restore"  # DynamoDB's or AWS Backup's own restore of their own recovery points


@dataclass(frozen=True, slots=True)
class Load:
    """One backup of the vault that is to come into one table."""

    catalog: Catalog
    backup: Manifest
    run: Run
    lease: Lease
    progress: Progress

    @property
    def table(self) -> str:
        """The target's name."""
        return self.run.record.plan.target.name


class LoadEngine(Protocol):
    """Loads the data of a backup into a table that exists, is ACTIVE and is ours."""

    name: RestoreEngineName

    def load(self, load: Load) -> None:
        """Load every item. What ``load.run`` notes as done (``loaded_files``, ``operation``) is not done again.

        Raises DamagedObjectError, UnavailableError, LeaseHeldError once the lease is lost.
        """
        ...


@runtime_checkable
class ManagedEngine(Protocol):
    """An engine whose work DynamoDB does, whether anybody follows it or not."""

    def is_under_way(self, run: Run) -> bool:
        """Whether the operation that the run began, or may have begun, goes on. Raises AwsError, UnavailableError."""
        ...


class TableEngine(Protocol):
    """Makes the table, data and all, by a long operation of AWS."""

    name: RestoreEngineName

    def make(self, run: Run, lease: Lease, progress: Progress) -> None:
        """Begin the operation, or follow the one in ``run.record.operation``, until the table is ACTIVE.

        What it is to make is ``run.record.plan`` (``point``, ``target``, ``create_table``). The table that is there
        afterwards carries the tag RUN_TAG with ``run.record.mark``. Raises AwsError, UnavailableError,
        TableExistsError for a table of that name which is not from this operation, LeaseHeldError.
        """
        ...

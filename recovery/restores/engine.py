"""The port of the restore engines: one adapter per file (``engine_write``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recovery.backups.content import Part
    from recovery.progress import Progress
    from recovery.restores.runs import Run
    from recovery.vault.leases import Lease


class RestoreEngine(Protocol):
    """Loads the data of a backup into a table that exists and is ours."""

    name: str

    def load(self, parts: Sequence[Part], table: str, run: Run, lease: Lease, progress: Progress) -> None:
        """Load every item of a backup's parts. What ``run`` notes as loaded is not loaded again.

        Raises DamagedObjectError, UnavailableError, LeaseHeldError once the lease is lost.
        """
        ...

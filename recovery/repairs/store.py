"""The repairs of a table in the vault: which there are, how far each is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recovery.errors import ObjectNotFoundError
from recovery.repairs.documents import HEADER, REPAIRS, RESULT, UNDONE, folder_of, header_of
from rules.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recovery.repairs.documents import RepairHeader
    from recovery.restores.plans import TableTarget
    from recovery.vault.vault import Vault

_REPAIR_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")


class RepairNotFoundError(NotFoundError):
    """No repair of what was asked for is in the vault."""

    default_hint = "A repair says its id when it is done; they lie in the vault under repairs/."


@dataclass(frozen=True, slots=True)
class StoredRepair:
    """A repair that was begun. ``ended``: it has come to its end; ``undoing``: somebody has begun to undo it."""

    header: RepairHeader
    ended: bool
    undoing: bool
    undone: bool


def unfinished_repairs(vault: Vault, target: TableTarget) -> Iterator[RepairHeader]:
    """The repairs of a table that have not come to their end and that nobody undoes, newest first.

    One listing, however many repairs there were. Raises DamagedObjectError.
    """
    folder = folder_of(target)
    names: dict[str, set[str]] = {}
    for info in vault.list(folder):
        repair_id, _, name = info.key.removeprefix(folder).partition("/")
        names.setdefault(repair_id, set()).add(name.partition("/")[0])
    for repair_id, found in sorted(names.items(), reverse=True):
        if HEADER in found and not found & {RESULT, UNDONE, "undo"}:
            yield header_of(vault.get(f"{folder}{repair_id}/{HEADER}"))


def repairs_of(vault: Vault, account: str, region: str, table: str) -> Iterator[StoredRepair]:
    """The repairs of a table, newest first. Raises DamagedObjectError."""
    folder = f"{REPAIRS}{account}/{region}/{table}/"
    for repair_id in sorted(vault.folders(folder), reverse=True):
        found = _stored(vault, f"{folder}{repair_id}/")
        if found is not None:
            yield found


def find_repair(vault: Vault, account: str, region: str, wanted: str) -> StoredRepair:
    """A repair by its id, or the newest one of a table that is not undone yet.

    Raises RepairNotFoundError, DamagedObjectError.
    """
    place = f"{REPAIRS}{account}/{region}/"
    if _REPAIR_ID.fullmatch(wanted):
        for table in vault.folders(place):
            found = _stored(vault, f"{place}{table}/{wanted}/")
            if found is not None:
                return found
        raise RepairNotFoundError(f"no repair {wanted} in {account}/{region} in {vault.location}")
    found = next((one for one in repairs_of(vault, account, region, wanted) if not one.undone), None)
    if found is None:
        raise RepairNotFoundError(
            f"no repair of table {wanted} in {account}/{region} in {vault.location} is left to undo"
        )
    return found


def _stored(vault: Vault, folder: str) -> StoredRepair | None:
    try:
        header = header_of(vault.get(folder + HEADER))
    except ObjectNotFoundError:
        return None
    names = {info.key.removeprefix(folder) for info in vault.list(folder)}
    return StoredRepair(
        header=header,
        ended=RESULT in names,
        undoing=any(name.startswith("undo/") for name in names),
        undone=UNDONE in names,
    )

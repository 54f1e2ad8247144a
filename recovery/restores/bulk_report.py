"""Reading the error report of a bulk operation: how many lines, of which kinds, never what the items hold.

Source: DynamoDB developer guide, 'Bulk put items output and reconciliation'. The report lies under the prefix that
the start request gave, beside a manifest. Its lines hold the attempted item, so only what has the form of an error
code is taken out of them, and only from the line's own level, whatever the objects' folders are.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recovery.aws import aws_errors
from recovery.backups.compression import unpacked
from recovery.errors import DamagedObjectError
from rules.errors import SafetyNetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recovery.vault.vault import Vault

# Enough to see what is wrong; a load of a billion items may report as many.
MOST_LINES = 10_000
MOST_LINE_BYTES = 4 * 1024 * 1024
TOLD_KEYS = 5
UNREADABLE, NO_CODE = "unreadable line", "no code given"
_CODE_NAMES = frozenset({"code", "errorcode", "error_code", "errortype", "failurecode", "reasoncode"})
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """``keys``: the report's objects, relative to the vault. ``kinds``: lines by error code.

    ``lines`` were read, ``whole`` says whether these are all. ``fault``: why it could not be read, "" if it could.
    """

    keys: tuple[str, ...] = ()
    kinds: tuple[tuple[str, int], ...] = ()
    lines: int = 0
    whole: bool = True
    fault: str = ""

    @property
    def in_words(self) -> str:
        """One sentence for the message of an error."""
        if self.fault:
            return f"its error report cannot be read: {self.fault}"
        if not self.keys:
            return "there is no error report"
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.kinds) or "no line"
        more = f" and {len(self.keys) - TOLD_KEYS} more" if len(self.keys) > TOLD_KEYS else ""
        cut = "" if self.whole else f" (of the first {self.lines} lines)"
        return f"{kinds}{cut}; reported in {', '.join(self.keys[:TOLD_KEYS])}{more}"


def read_report(vault: Vault, prefix: str) -> ErrorReport:
    """The report under a prefix of the vault. Does not raise for one that cannot be read: it comes with a failure."""
    kinds: Counter[str] = Counter()
    try:
        keys = tuple(info.key for info in vault.list(prefix) if not _is_manifest(info.key))
        for line in _lines(vault, keys):
            if kinds.total() == MOST_LINES:
                return ErrorReport(keys, tuple(kinds.most_common()), MOST_LINES, whole=False)
            kinds[_kind(line)] += 1
    except SafetyNetError as error:
        return ErrorReport(fault=str(error))
    return ErrorReport(keys, tuple(kinds.most_common()), kinds.total())


def _is_manifest(key: str) -> bool:
    name = key.rpartition("/")[2]
    return name.startswith(("manifest", "_"))


def _lines(vault: Vault, keys: tuple[str, ...]) -> Iterator[bytes]:
    for key in keys:
        rest = b""
        with vault.open(key) as stream, aws_errors(f"read {key}"):
            try:
                for block in unpacked(stream, key):
                    *lines, rest = (rest + block).split(b"\n")
                    yield from (line for line in lines if line.strip())
                    if len(rest) > MOST_LINE_BYTES:
                        raise DamagedObjectError(key, "has a line that is longer than any report of an item")
            except ValueError as error:
                raise DamagedObjectError(key, str(error)) from error
        if rest.strip():
            yield rest


def _kind(line: bytes) -> str:
    try:
        report = json.loads(line)
    except ValueError:
        return UNREADABLE
    if not isinstance(report, dict):
        return UNREADABLE
    for name, value in report.items():
        if name.lower() in _CODE_NAMES and isinstance(value, str) and _CODE.fullmatch(value):
            return value
    return NO_CODE

"""The tables of a rule set's index by their paths, as a tree of keys, so that common beginnings are walked once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rules.index.tables import Table

_PLAIN = (bool, int, float)


class Tree:
    """One place in a document: its table, if rules ask about it, and the places below.

    ``asking`` are the bits of the alternatives that ask here or below. ``nothing`` is what passes where nothing
    stands here, nor below; ``null`` where null does, ``nothing_or_null`` where nobody can tell which.
    """

    __slots__ = (
        "_everything",
        "_unsure",
        "asking",
        "below",
        "nothing",
        "nothing_or_null",
        "null",
        "path",
        "table",
    )

    def __init__(self, everything: int, path: str = "") -> None:
        self._everything = everything
        self._unsure = everything >> 1
        self.path = path
        self.below: dict[str, Tree] = {}
        self.table: Table | None = None
        self.nothing = self.null = self.nothing_or_null = everything
        self.asking = 0

    def add(self, path: str, table: Table) -> None:
        """Put a table at a dotted path."""
        key, _, rest = path.partition(".")
        below = f"{self.path}.{key}" if self.path else key
        tree = self.below.setdefault(key, Tree(self._everything, below))
        if rest:
            tree.add(rest, table)
        else:
            tree._put(table)  # noqa: SLF001 - of the same class
        self.asking |= table.asking
        self.nothing &= tree.nothing
        self.null &= tree.nothing
        self.nothing_or_null &= tree.nothing

    def _put(self, table: Table) -> None:
        self.table = table
        self.asking |= table.asking
        self.nothing &= table.nothing
        self.null &= table.null
        self.nothing_or_null &= table.nothing_or_null

    def at(self, path: str) -> Tree | None:
        """The place at a dotted path; None where no rule asks about it or anything below."""
        tree: Tree | None = self
        for key in path.split("."):
            tree = tree.below.get(key) if tree is not None else None
        return tree

    def select(self, bits: int, document: Mapping[str, Any]) -> int:
        """Those of the bits that what stands in an object lets through."""
        if "." in "".join(document):
            return bits & self._unsure  # a dotted key may stand for a nested one that a pattern asks about
        for key, tree in self.below.items():
            if not bits & tree.asking:
                continue
            value = document.get(key)
            if isinstance(value, str):
                bits &= tree.passed(value)
            elif isinstance(value, dict):
                bits = tree.select(bits if tree.table is None else bits & tree.table.nothing, value)
            elif value is None:
                bits &= tree.null if key in document else tree.nothing
            else:
                bits = tree.select_value(bits, value)
        return bits

    def passed(self, value: str) -> int:
        """What a text at this place lets through."""
        passed = self._everything if self.table is None else self.table.passed(value)
        return passed & self._nothing_below() if self.below else passed

    def _nothing_below(self) -> int:
        passed = self._everything
        for tree in self.below.values():
            passed &= tree.nothing
        return passed

    def select_value(self, bits: int, value: object) -> int:
        """Anything else at this place; what stands in arrays is not for the index."""
        if isinstance(value, _PLAIN):
            passed = self._everything if self.table is None else self.table.passed_other(value, bits)
            return bits & passed & self._nothing_below() if self.below else bits & passed
        if isinstance(value, Mapping):
            return self.select(bits if self.table is None else bits & self.table.nothing, value)
        return bits & self._unsure

    def select_known(self, bits: int, document: Mapping[str, Any], unknown: tuple[str, ...]) -> int:
        """The same where some paths are unknown: they are not asked, and nothing is sure."""
        bits &= self._unsure
        if "." in "".join(document):
            return bits
        for key, tree in self.below.items():
            if any(_touch(tree.path, one) for one in unknown):
                continue
            value = document.get(key)
            if value is None:
                bits &= tree.nothing_or_null
            elif isinstance(value, str):
                bits &= tree.passed(value)
            elif isinstance(value, dict):
                bits = tree.select_known(
                    bits if tree.table is None else bits & tree.table.nothing, value, unknown
                )
            else:
                bits = tree.select_value(bits, value)
        return bits & self._unsure


def _touch(path: str, unknown: str) -> bool:
    return path == unknown or path.startswith(unknown + ".") or unknown.startswith(path + ".")

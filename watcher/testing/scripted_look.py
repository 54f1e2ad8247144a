"""A look at lost tables that finds what a test says."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from watcher.facts.learnt_points import Learnt

if TYPE_CHECKING:
    from recovery.restores.points import LostTable

NOTHING = Learnt()


class ScriptedLook:
    """See LostTableLook. What each table's looks find, in order; the last is found again and again.

    ``asked`` are the looks that were made; ``fails`` is raised instead, if it is set.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[LostTable, str]] = []
        self.fails: BaseException | None = None
        self._finds: dict[str, list[Learnt]] = {}
        self._lock = threading.Lock()

    def find(self, table: str, *looks: Learnt) -> None:
        """Find that of the table, from now on."""
        self._finds[table] = list(looks)

    @property
    def names(self) -> list[str]:
        """The tables that were asked for, once for each look, in any order of those asked for side by side."""
        return sorted(lost.name for lost, _ in self.asked)

    def look(self, lost: LostTable, incarnation: str) -> Learnt:
        """See LostTableLook.look."""
        with self._lock:
            self.asked.append((lost, incarnation))
            if self.fails is not None:
                raise self.fails
            looks = self._finds.get(lost.name, [NOTHING])
            return looks.pop(0) if len(looks) > 1 else looks[0]

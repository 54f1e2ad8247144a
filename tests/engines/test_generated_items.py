"""Whatever item hypothesis can think of goes through backup and recovery unchanged, under keys of every type."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from recovery.testing.equality import comparable, items
from tests.engines.engine import key
from tests.engines.generated_items import items_with_keys

if TYPE_CHECKING:
    from tests.engines.desk import Desk

KINDS = ["S", "N", "B"]
ITEMS_PER_TABLE = 120


def test_made_up_items_survive(desk: Desk) -> None:
    """Hundreds of made-up items under keys of every type are the same after all tables were lost."""
    tables = {kinds: f"{desk.name}.{kinds}" for kinds in KINDS}
    before: dict[str, Counter[str]] = {}
    for kinds, table in tables.items():
        put = items_with_keys(kinds, ITEMS_PER_TABLE)
        desk.engine.make_table(table, put, **key(*kinds))
        before[table] = Counter(comparable(items(desk.engine.aws, table)))
        assert before[table] == Counter(comparable(put))
    desk.back_up(*tables.values())
    for table in tables.values():
        desk.engine.lose(table)
    desk.recover_all(tables.values())
    for table in tables.values():
        after = Counter(comparable(items(desk.engine.aws, table)))
        assert {"missing": before[table] - after, "added": after - before[table]} == {
            "missing": Counter(),
            "added": Counter(),
        }

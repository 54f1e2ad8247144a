"""Every type and edge of an item goes through backup and recovery unchanged, as the API itself shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recovery.testing.equality import comparable, different_items, items

if TYPE_CHECKING:
    from tests.engines.desk import Desk


def test_every_edge_of_an_item_survives(desk: Desk, edges: str) -> None:
    """All edges that the engine takes are there after a recovery, type for type and byte for byte."""
    before = items(desk.engine.aws, edges)
    desk.back_up(edges)
    desk.engine.lose(edges)
    assert desk.recover(edges)["items_verified"] == len(before)
    after = items(desk.engine.aws, edges)
    assert sorted(set(comparable(before)) ^ set(comparable(after))) == []
    assert different_items(before, after) == 0

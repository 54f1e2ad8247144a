"""Prices: what the estimates are made of."""

from __future__ import annotations

import pytest

from recovery.prices import GB, monthly_cost, restore_cost

INDEX = {"IndexName": "by-day"}


def test_keeping_costs_by_the_byte() -> None:
    """S3 Standard, a gigabyte being 10**9 bytes; nothing costs nothing."""
    assert monthly_cost(0) == 0
    assert monthly_cost(1000 * GB) == pytest.approx(23.0)


@pytest.mark.parametrize(
    ("data_bytes", "units"),
    [(1, 1), (1_000_000, 1), (1_024_000_000, 1), (1_024_000_001, 2), (4_096_000_000, 4)],
)
def test_writing_back_costs_whole_units(data_bytes: int, units: int) -> None:
    """A million items cost a million units at least; one of a little more than a kilobyte costs two."""
    assert restore_cost(data_bytes, 1_000_000, {}) == pytest.approx(0.625 * units)


def test_every_index_is_written_too() -> None:
    """Local and global indexes cost as much again, each; a list that is missing or empty costs nothing."""
    one = restore_cost(1000, 1_000_000, {})
    request = {"GlobalSecondaryIndexes": [INDEX, INDEX], "LocalSecondaryIndexes": [INDEX]}
    assert restore_cost(1000, 1_000_000, request) == pytest.approx(4 * one)
    nothing: dict[str, list[object] | None] = {"GlobalSecondaryIndexes": None, "LocalSecondaryIndexes": []}
    assert restore_cost(1000, 1_000_000, nothing) == pytest.approx(one)


def test_an_empty_backup_costs_nothing_to_write_back() -> None:
    """No items, no division by them."""
    assert restore_cost(0, 0, {"GlobalSecondaryIndexes": [INDEX]}) == 0

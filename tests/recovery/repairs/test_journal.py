"""The journal: parts that are written once, and trusted only if they are what was written."""

from __future__ import annotations

import gzip

import pytest

from recovery.errors import ConflictError, DamagedObjectError
from recovery.repairs.documents import PartResult
from recovery.repairs.journal import MAX_PART_BYTES, MAX_PART_STEPS, Journal, Step, parts_of
from recovery.testing.memory_vault import MemoryVault

FOLDER = "repairs/123456789012/eu-west-1/orders/20261123T030000Z-00000000/"
STEPS = [
    Step(b'{"pk":{"S":"a"}}', b'{"pk":{"S":"a"},"v":{"N":"1"}}', b'{"pk":{"S":"a"}}'),
    Step(b'{"pk":{"S":"b"}}', b"", b'{"pk":{"S":"b"}}'),
    Step(b'{"pk":{"S":"c"}}', b'{"pk":{"S":"c"}}', b""),
]


def test_what_is_written_is_read() -> None:
    """All three kinds of steps; as gzip lines of JSON that anybody can read."""
    journal = Journal(MemoryVault(), FOLDER)
    journal.write(1, STEPS)
    assert journal.read(1) == STEPS
    assert journal.numbers() == [1]


def test_it_can_be_read_without_us() -> None:
    """A head, and then a line of JSON a step."""
    vault = MemoryVault()
    Journal(vault, FOLDER).write(1, STEPS)
    lines = gzip.decompress(vault.get(f"{FOLDER}parts/000001.json.gz").body).splitlines()
    assert lines[2] == b'{"key":{"pk":{"S":"b"}},"before":null,"after":{"pk":{"S":"b"}}}'


def test_a_part_is_never_replaced() -> None:
    """The same once more is fine, an answer may have been lost; another one is not."""
    journal = Journal(MemoryVault(), FOLDER)
    journal.write(1, STEPS)
    journal.write(1, STEPS)
    with pytest.raises(ConflictError):
        journal.write(1, STEPS[:1])


def test_a_part_of_another_repair_or_number_is_not_believed() -> None:
    """Somebody has moved objects about."""
    vault = MemoryVault()
    Journal(vault, FOLDER).write(1, STEPS)
    body = vault.get(f"{FOLDER}parts/000001.json.gz").body
    other = FOLDER.replace("00000000/", "11111111/")
    vault.put(f"{FOLDER}parts/000002.json.gz", body)
    vault.put(f"{other}parts/000001.json.gz", body)
    for journal, number in ((Journal(vault, FOLDER), 2), (Journal(vault, other), 1)):
        with pytest.raises(DamagedObjectError, match="is not what was written"):
            journal.read(number)


@pytest.mark.parametrize("damage", ["cut", "flipped", "missing", "a line less", "no gzip"])
def test_damage_is_found(damage: str) -> None:
    """Each kind names the object."""
    vault = MemoryVault()
    Journal(vault, FOLDER).write(1, STEPS)
    key = f"{FOLDER}parts/000001.json.gz"
    body = vault.get(key).body
    damaged = {
        "cut": body[:-9],
        "flipped": body[:40] + bytes([body[40] ^ 1]) + body[41:],
        "a line less": gzip.compress(b"".join(gzip.decompress(body).splitlines(keepends=True)[:-1])),
        "no gzip": b"{}",
    }
    vault.delete(key) if damage == "missing" else vault.put(key, damaged[damage])
    with pytest.raises(DamagedObjectError, match="parts/000001"):
        Journal(vault, FOLDER).read(1)


def test_what_became_of_a_part_is_noted_once() -> None:
    """None before; never changed after."""
    journal = Journal(MemoryVault(), FOLDER)
    assert journal.result("results", 1) is None
    done = PartResult(part=1, written=2, already=0, refused=(1,))
    journal.note("results", done)
    assert journal.result("results", 1) == done
    assert journal.result("undo", 1) is None
    with pytest.raises(ConflictError):
        journal.note("results", PartResult(part=1, written=3, already=0))


def test_parts_are_bounded_by_number_and_by_bytes() -> None:
    """So that memory stays flat, whatever the items."""
    small = [Step(b"k", b"", b"x")] * (2 * MAX_PART_STEPS + 1)
    assert [len(part) for part in parts_of(small)] == [MAX_PART_STEPS, MAX_PART_STEPS, 1]
    large = [Step(b"k", b"", bytes(MAX_PART_BYTES // 3))] * 5
    assert [len(part) for part in parts_of(large)] == [2, 2, 1]
    assert list(parts_of([])) == []

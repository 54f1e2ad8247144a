"""Small documents that several watchers change: nothing of another is lost, nothing damaged stops the watcher."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from recovery.errors import DamagedObjectError
from recovery.testing.memory_vault import MemoryVault
from rules.errors import UnavailableError
from watcher.stored_state import StoredState, stored_under

KEY = "watch/counter.json"


class Counter(BaseModel):
    """A document."""

    number: int


def counter(vault: MemoryVault) -> StoredState[Counter]:
    """The one under test."""
    return StoredState(vault, KEY, Counter)


def added(state: Counter | None) -> Counter:
    """One more."""
    return Counter(number=state.number + 1 if state else 1)


def test_a_change_is_made_on_the_newest_version() -> None:
    """Another writer in between: the change is made again on what he wrote."""
    vault = MemoryVault()
    raced = False

    def change(state: Counter | None) -> Counter:
        nonlocal raced
        if not raced:
            raced = True
            counter(vault).change(lambda _: Counter(number=10))
        return added(state)

    stored = counter(vault).change(change)
    assert stored == Counter(number=11) == counter(vault).read()


def test_what_changes_nothing_writes_nothing() -> None:
    """Neither where there is no document, nor where it stays as it is."""
    vault = MemoryVault()
    assert counter(vault).change(lambda state: state) is None
    counter(vault).change(added)
    counter(vault).change(lambda state: state)
    assert vault.writes == [KEY]


def test_a_damaged_document_is_told_of_and_begun_anew(caplog: pytest.LogCaptureFixture) -> None:
    """To read it is an error that names it; to change it starts over."""
    vault = MemoryVault()
    vault.put(KEY, b"{")
    with pytest.raises(DamagedObjectError, match=KEY):
        counter(vault).read()
    assert [type(found) for _, found in stored_under(vault, "watch/", Counter)] == [DamagedObjectError]
    assert counter(vault).change(added) == Counter(number=1)
    assert "begun anew" in caplog.text


def test_it_gives_up_where_others_are_always_faster() -> None:
    """No endless loop."""
    vault = MemoryVault()

    def race(state: Counter | None) -> Counter:
        vault.put(KEY, b'{"number": %d}' % ((state.number if state else 0) + 1))
        return Counter(number=1000 + (state.number if state else 0))

    with pytest.raises(UnavailableError):
        counter(vault).change(race)

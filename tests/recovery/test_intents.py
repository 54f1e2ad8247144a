"""The store of declared intents."""

from __future__ import annotations

from datetime import timedelta

import pytest

from recovery.errors import DamagedObjectError
from recovery.intents import LATE_EVENTS, LONGEST, Declaration, IntentStore
from recovery.testing.memory_vault import MemoryVault
from rules.errors import NotFoundError, UsageError
from tests.recovery.recovering import START, WHO, FakeClock

PLANNED = Declaration(
    table="preview-*",
    by="*ci*",
    lasts=timedelta(hours=1),
    reason="teardown",
    account="1" * 12,
    region="eu-west-1",
)


@pytest.fixture
def clock() -> FakeClock:
    """Half a second past the full second, as real times are."""
    return FakeClock(START + timedelta(milliseconds=500))


@pytest.fixture
def store(clock: FakeClock) -> IntentStore:
    """An empty store."""
    return IntentStore(MemoryVault(), clock)


def test_what_was_declared_is_kept(store: IntentStore, clock: FakeClock) -> None:
    """Who, what, where, until when and why come back as declared; it begins with the current second."""
    intent = store.declare(PLANNED, WHO)
    assert store.all() == [intent]
    assert (intent.table, intent.by, intent.reason) == ("preview-*", "*ci*", "teardown")
    assert (intent.account, intent.region, intent.operations) == ("1" * 12, "eu-west-1", ("DeleteTable",))
    assert (intent.declared_by, intent.starts, intent.declared_at) == (WHO, START, START)
    assert intent.until == clock.now + timedelta(hours=1)
    assert intent.active(clock.now)


def test_intents_are_listed_oldest_first(store: IntentStore, clock: FakeClock) -> None:
    """Two of one second do not meet, and later ones come later."""
    first = {store.declare(PLANNED, WHO).id, store.declare(PLANNED, WHO).id}
    clock.advance(1)
    last = store.declare(PLANNED, WHO).id
    ids = [intent.id for intent in store.all()]
    assert set(ids[:2]) == first
    assert ids[2:] == [last]


@pytest.mark.parametrize(
    "lasts", [timedelta(), timedelta(seconds=-1), timedelta(days=7, seconds=1), timedelta(days=400)]
)
def test_an_intent_is_neither_over_nor_for_ever(store: IntentStore, lasts: timedelta) -> None:
    """An intent that would excuse everything for long, or nothing, is refused and not stored."""
    with pytest.raises(UsageError, match="7 days"):
        store.declare(Declaration("orders", "*", lasts, "why"), WHO)
    assert store.all() == []


def test_the_longest_intent(store: IntentStore) -> None:
    """Seven days to the second are allowed."""
    intent = store.declare(Declaration("orders", "*", timedelta(days=7), "why"), WHO)
    assert store.all() == [intent]


@pytest.mark.parametrize("reason", ["", "   ", "\n"])
def test_an_intent_needs_a_reason(store: IntentStore, reason: str) -> None:
    """Without a why there is no intent."""
    with pytest.raises(UsageError, match="reason"):
        store.declare(Declaration("orders", "*", timedelta(hours=1), reason), WHO)
    assert store.all() == []


@pytest.mark.parametrize(("table", "by"), [("", "*"), ("orders", ""), ("x" * 600, "*")])
def test_patterns_that_are_no_patterns(store: IntentStore, table: str, by: str) -> None:
    """An empty or endless pattern is a UsageError that names the field, not a traceback."""
    with pytest.raises(UsageError, match="table" if by == "*" else "by"):
        store.declare(Declaration(table, by, timedelta(hours=1), "why"), WHO)
    assert store.all() == []


def test_revoking_ends_an_intent_now(store: IntentStore, clock: FakeClock) -> None:
    """From the revocation on it is not active; it stays on record."""
    intent = store.declare(PLANNED, WHO)
    clock.advance(60)
    revoked = store.revoke(intent.id)
    assert revoked.revoked_at == clock.now
    assert not revoked.active(clock.now)
    assert store.all() == [revoked]


def test_revoking_twice_changes_nothing(store: IntentStore, clock: FakeClock) -> None:
    """The first revocation's time stays: what happened in between stays uncovered."""
    intent = store.declare(PLANNED, WHO)
    first = store.revoke(intent.id)
    clock.advance(60)
    assert store.revoke(intent.id) == first


@pytest.mark.parametrize("intent_id", ["20261123T030000Z-00000000", "../backups/x", ""])
def test_revoking_what_is_not_there(store: IntentStore, intent_id: str) -> None:
    """NotFoundError, exit 10, with the command that lists them."""
    with pytest.raises(NotFoundError) as caught:
        store.revoke(intent_id)
    assert caught.value.exit_code == 10
    assert "intent list" in caught.value.hint


def test_a_forged_intent_is_named(clock: FakeClock) -> None:
    """A document that is no intent is an integrity error with its key: it must not silence anything."""
    vault = MemoryVault()
    vault.put_new("intents/forged.json", b'{"table":"*"}')
    with pytest.raises(DamagedObjectError, match=r"intents/forged\.json"):
        IntentStore(vault, clock).all()


def test_only_recent_intents_are_read_for_an_event(store: IntentStore, clock: FakeClock) -> None:
    """Years of nightly intents do not slow an alert down: what cannot count any more is not read."""
    store.declare(PLANNED, WHO)
    clock.now += LONGEST + LATE_EVENTS + timedelta(minutes=1)
    recent = store.declare(PLANNED, WHO)
    assert store.recent() == [recent]
    assert len(store.all()) == 2

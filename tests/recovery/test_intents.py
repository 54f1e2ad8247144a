"""The store of declared intents."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recovery.errors import DamagedObjectError
from recovery.intents import LATE_EVENTS, LONGEST, Declaration, IntentStore, Listing
from recovery.testing.memory_vault import MemoryVault
from recovery.vault.vault import body_of
from rules.errors import NotFoundError, UnsafeError, UsageError
from rules.intents import IntentState
from tests.recovery.recovering import START, WHO, FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from recovery.vault.vault import StoredObject

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
    assert store.all() == Listing((intent,))
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
    ids = [intent.id for intent in store.all().intents]
    assert set(ids[:2]) == first
    assert ids[2:] == [last]


@pytest.mark.parametrize(
    "lasts", [timedelta(), timedelta(seconds=-1), timedelta(days=7, seconds=1), timedelta(days=400)]
)
def test_an_intent_is_neither_over_nor_for_ever(store: IntentStore, lasts: timedelta) -> None:
    """An intent that would excuse everything for long, or nothing, is refused and not stored."""
    with pytest.raises(UsageError, match="7 days"):
        store.declare(Declaration("orders", "ci", lasts, "why"), WHO)
    assert store.all() == Listing(())


def test_the_longest_intent(store: IntentStore) -> None:
    """Seven days to the second are allowed, if the settings say nothing else."""
    intent = store.declare(Declaration("orders", "ci", timedelta(days=7), "why"), WHO)
    assert store.all() == Listing((intent,))


@pytest.mark.parametrize(
    ("longest", "said"), [(timedelta(hours=12), "12 hours"), (timedelta(days=1), "1 day of")]
)
def test_the_settings_bound_every_intent(clock: FakeClock, longest: timedelta, said: str) -> None:
    """Nobody exceeds the hard maximum by an option: not by a long window, nor by one that begins late."""
    store = IntentStore(MemoryVault(), clock, longest)
    late = replace(PLANNED, starts=clock.now + longest)
    for one in (replace(PLANNED, lasts=longest + timedelta(seconds=1)), late):
        with pytest.raises(UsageError, match=said) as caught:
            store.declare(one, WHO)
        assert "intents.longest" in caught.value.hint
    assert store.all() == Listing(())


def test_an_intent_that_is_longer_than_allowed_counts_no_longer(clock: FakeClock) -> None:
    """Whoever wrote it into the vault, or under which settings: a watcher honours its own maximum."""
    vault = MemoryVault()
    long = IntentStore(vault, clock).declare(replace(PLANNED, lasts=timedelta(days=6)), WHO)
    (bounded,) = IntentStore(vault, clock, timedelta(hours=2)).recent().intents
    assert bounded == long.model_copy(update={"until": long.declared_at + timedelta(hours=2)})


def test_an_intent_may_begin_later(store: IntentStore, clock: FakeClock) -> None:
    """A change of tonight is declared this afternoon; until then nothing is covered."""
    tonight = clock.now + timedelta(hours=9)
    intent = store.declare(replace(PLANNED, starts=tonight), WHO)
    assert (intent.starts, intent.until) == (tonight, tonight + timedelta(hours=1))
    assert intent.state(clock.now) is IntentState.PLANNED


def test_an_intent_does_not_begin_in_the_past(store: IntentStore, clock: FakeClock) -> None:
    """Nothing is excused afterwards."""
    with pytest.raises(UsageError, match="past"):
        store.declare(replace(PLANNED, starts=clock.now - timedelta(seconds=1)), WHO)
    assert store.all() == Listing(())


def test_everything_declared_is_kept(store: IntentStore, clock: FakeClock) -> None:
    """What narrows an intent comes back as declared."""
    narrow: dict[str, Any] = {
        "stack": "shop", "max_changes": 3, "ticket": "OPS-12", "session": "job-*", "source_identity": "me",
        "app": "ci", "request_token": "t-1",
    }  # fmt: skip
    intent = store.declare(replace(PLANNED, **narrow), WHO)
    assert {name: getattr(intent, name) for name in narrow} == narrow
    assert store.get(intent.id) == intent


@pytest.mark.parametrize(
    ("changes", "operations"),
    [
        ({}, ("DeleteTable",)),
        ({"table": "", "stack": "shop"}, ("DeleteStack",)),
        ({"stack": "shop"}, ("DeleteTable",)),
        ({"operations": ("UpdateTable", "DeleteTable", "UpdateTable")}, ("UpdateTable", "DeleteTable")),
        ({"table": "", "stack": "shop", "operations": ("DeleteTable",)}, ("DeleteTable",)),
    ],
    ids=str,
)
def test_which_operations_are_meant(
    store: IntentStore, changes: dict[str, Any], operations: tuple[str, ...]
) -> None:
    """Without a word a table's deletion is meant, or the stack's where only a stack is named."""
    assert store.declare(replace(PLANNED, **changes), WHO).operations == operations


@pytest.mark.parametrize(
    ("operation", "said", "hint"),
    [
        ("DeleteTabel", "DeleteTabel", "Did you mean DeleteTable?"),
        ("deletetable", "deletetable", "Did you mean DeleteTable?"),
        ("xyz", "xyz", "UpdateTable"),
        ("DeleteStack", "stack", "--stack"),
        ("StopLogging", "StopLogging", ""),
    ],
)
def test_operations_that_cannot_be_declared(store: IntentStore, operation: str, said: str, hint: str) -> None:
    """A misspelled operation would cover nothing and alert at night: it is refused by day, with what was meant."""
    with pytest.raises(UsageError, match=said) as caught:
        store.declare(replace(PLANNED, operations=(operation,)), WHO)
    assert hint in caught.value.hint
    assert store.all() == Listing(())


def test_an_intent_names_something(store: IntentStore) -> None:
    """Neither a table nor a stack: everything would be excused."""
    with pytest.raises(UsageError, match="a table or a stack"):
        store.declare(replace(PLANNED, table=""), WHO)


@pytest.mark.parametrize("reason", ["", "   ", "\n", ".", "ok", "\u200b" * 9])
def test_an_intent_needs_a_reason(store: IntentStore, reason: str) -> None:
    """Without a why that people can read there is no intent."""
    with pytest.raises(UsageError, match="reason") as caught:
        store.declare(Declaration("orders", "ci", timedelta(hours=1), reason), WHO)
    assert "--reason" in caught.value.hint
    assert store.all() == Listing(())


@pytest.mark.parametrize(("table", "by"), [("", "ci"), ("orders", ""), ("x" * 600, "ci")])
def test_patterns_that_are_no_patterns(store: IntentStore, table: str, by: str) -> None:
    """An empty or endless pattern is a UsageError that names the field, not a traceback."""
    with pytest.raises(UsageError, match="table" if by else "by"):
        store.declare(Declaration(table, by, timedelta(hours=1), "why"), WHO)
    assert store.all() == Listing(())


def test_revoking_ends_an_intent_now(store: IntentStore, clock: FakeClock) -> None:
    """From the revocation on it is not active; it stays on record."""
    intent = store.declare(PLANNED, WHO)
    clock.advance(60)
    revoked = store.revoke(intent.id, WHO)
    assert (revoked.revoked_at, revoked.revoked_by) == (clock.now, WHO)
    assert not revoked.active(clock.now)
    assert store.all() == Listing((revoked,))


def test_revoking_twice_changes_nothing(store: IntentStore, clock: FakeClock) -> None:
    """The first revocation stays, with its time and who it was: what happened in between stays uncovered."""
    intent = store.declare(PLANNED, WHO)
    first = store.revoke(intent.id, WHO)
    clock.advance(60)
    assert store.revoke(intent.id, "somebody else") == first


class Overtaken(MemoryVault):
    """A vault in which somebody else is always a moment faster."""

    before: Callable[[], object] | None = None

    def put_new(self, key: str, body: bytes) -> str:
        """See Vault.put_new."""
        self._overtake()
        return super().put_new(key, body)

    def replace(self, key: str, body: bytes, etag: str) -> str:
        """See Vault.replace."""
        self._overtake()
        return super().replace(key, body, etag)

    def _overtake(self) -> None:
        before, self.before = self.before, None
        if before is not None:
            before()


def test_two_who_revoke_at_once(clock: FakeClock) -> None:
    """The conditional write decides; the slower one gets the revocation that was stored."""
    vault = Overtaken()
    store = IntentStore(vault, clock)
    intent = store.declare(PLANNED, WHO)
    vault.before = lambda: store.revoke(intent.id, "the faster one")
    assert store.revoke(intent.id, WHO).revoked_by == "the faster one"
    assert store.get(intent.id).revoked_by == "the faster one"


def test_two_declarations_never_overwrite_each_other(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should two get the same id in the same second, the slower one gets another."""
    numbers = iter(["00000000", "00000000", "00000001"])
    monkeypatch.setattr("recovery.intents.secrets.token_hex", lambda _: next(numbers))
    vault = Overtaken()
    store = IntentStore(vault, clock)
    vault.before = lambda: store.declare(replace(PLANNED, table="other"), WHO)
    mine = store.declare(PLANNED, WHO)
    assert [one.table for one in store.all().intents] == ["other", "preview-*"]
    assert mine.id.endswith("-00000001")


@pytest.mark.parametrize("intent_id", ["20261123T030000Z-00000000", "../backups/x", ""])
def test_revoking_what_is_not_there(store: IntentStore, intent_id: str) -> None:
    """NotFoundError, exit 10, with the command that lists them."""
    with pytest.raises(NotFoundError) as caught:
        store.revoke(intent_id, WHO)
    assert caught.value.exit_code == 10
    assert "intent list" in caught.value.hint


TOO_BROAD = [
    ({"by": "*"}, "--by"),
    ({"by": "?*"}, "--by"),
    ({"by": "arn:*"}, "--by"),
    ({"table": "*"}, "--table"),
    ({"table": "**"}, "--table"),
    ({"table": "", "stack": "?*"}, "--stack"),
    ({"table": "*", "stack": "shop"}, "--table"),
    ({"stack": "*"}, "--stack"),
]


@pytest.mark.parametrize(("changes", "narrow"), TOO_BROAD)
def test_an_intent_for_everything_is_refused(
    store: IntentStore, changes: dict[str, Any], narrow: str
) -> None:
    """Patterns of nothing but wildcards would silence the net: exit 14 with what to narrow, and nothing is stored."""
    with pytest.raises(UnsafeError, match=narrow) as caught:
        store.declare(replace(PLANNED, **changes), WHO)
    assert caught.value.exit_code == 14
    assert narrow in caught.value.hint
    assert store.all() == Listing(())


def test_a_broad_intent_of_an_earlier_version_is_read(clock: FakeClock) -> None:
    """What was declared before such were refused stays on record."""
    vault = MemoryVault()
    old = IntentStore(vault, clock).declare(PLANNED, WHO)
    broad = old.model_copy(update={"id": "20261123T030000Z-old", "table": "*", "by": "*", "reason": "."})
    vault.put_new(f"intents/{broad.id}.json", body_of(broad))
    assert broad in IntentStore(vault, clock).all().intents


def test_a_forged_intent_is_named(clock: FakeClock) -> None:
    """A document that is no intent is named with its key; it covers nothing, and the others still count."""
    vault = MemoryVault()
    store = IntentStore(vault, clock)
    fine = store.declare(PLANNED, WHO)
    vault.put_new("intents/forged.json", b'{"table":"*"}')
    for listing in (store.all(), store.recent()):
        assert listing.intents == (fine,)
        (damaged,) = listing.damaged
        assert damaged.key == "intents/forged.json"
        assert "backup" not in damaged.hint


def test_a_copied_intent_does_not_count(clock: FakeClock) -> None:
    """Under another key than its own id it is damaged, wherever it is read: one declaration is one intent."""
    vault = MemoryVault()
    store = IntentStore(vault, clock)
    fine = store.declare(PLANNED, WHO)
    vault.put_new("intents/29991231T000000Z-copy.json", body_of(fine))
    assert store.recent().intents == (fine,)
    assert [one.key for one in store.all().damaged] == ["intents/29991231T000000Z-copy.json"]
    for read in (store.get, lambda name: store.revoke(name, WHO)):
        with pytest.raises(DamagedObjectError, match=r"29991231T000000Z-copy\.json: says that it is"):
            read("29991231T000000Z-copy")


def test_an_intent_that_is_removed_meanwhile_is_no_damage(clock: FakeClock) -> None:
    """Listed, and gone when it is read: it is simply not there any more."""

    class Emptied(MemoryVault):
        def get(self, key: str) -> StoredObject:
            self.delete(key)
            return super().get(key)

    vault = Emptied()
    store = IntentStore(vault, clock)
    store.declare(PLANNED, WHO)
    assert store.all() == Listing(())


def test_only_recent_intents_are_read_for_an_event(store: IntentStore, clock: FakeClock) -> None:
    """Years of nightly intents do not slow an alert down: what cannot count any more is not read."""
    store.declare(PLANNED, WHO)
    clock.now += LONGEST + LATE_EVENTS + timedelta(minutes=1)
    recent = store.declare(PLANNED, WHO)
    assert store.recent() == Listing((recent,))
    assert len(store.all().intents) == 2

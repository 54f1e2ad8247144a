"""Leases: one owner at a time, by conditional writes."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from recovery.errors import DamagedObjectError, LeaseHeldError
from recovery.testing.memory_vault import MemoryVault
from recovery.vault.leases import LEASE_SECONDS, Lease, LeaseRecord, holding, take_lease
from recovery.vault.s3 import S3Vault
from recovery.vault.vault import document
from rules.errors import UnavailableError
from tests.recovery.recovering import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

    from recovery.vault.vault import Vault
    from tests.recovery.recovering import Process

KEY = "leases/recover-orders.json"


@pytest.fixture
def clock() -> FakeClock:
    """Time that stands still."""
    return FakeClock()


@pytest.fixture(params=["memory", "s3"])
def vault(request: pytest.FixtureRequest, s3: S3Client, bucket: str) -> Vault:
    """Leases are taken in the same way in every vault."""
    return MemoryVault() if request.param == "memory" else S3Vault(s3, bucket, "net")


def take(vault: Vault, clock: FakeClock, owner: str = "anna") -> Lease:
    """The lease of these tests."""
    return take_lease(vault, clock, "recover-orders", owner)


def stored(vault: Vault) -> LeaseRecord:
    """What the vault says."""
    return document(LeaseRecord, vault.get(KEY))


def test_a_free_lease_is_taken(vault: Vault, clock: FakeClock) -> None:
    """The record names the owner with the machine, generation 1, and an expiry."""
    take(vault, clock).check()
    record = stored(vault)
    assert record.owner.startswith("anna on ")
    assert record.generation == 1
    assert (record.expires - clock.now).total_seconds() == LEASE_SECONDS


def test_a_second_taker_is_refused_and_told_who_holds_it(vault: Vault, clock: FakeClock) -> None:
    """LeaseHeldError, exit 11, with the holder's name and the time it runs out."""
    take(vault, clock)
    with pytest.raises(LeaseHeldError, match=r"anna on .* recover-orders .*03:01:00 UTC") as caught:
        take(vault, clock, "ben")
    assert caught.value.exit_code == 11
    assert stored(vault).owner.startswith("anna")


def test_an_expired_lease_is_taken_over(vault: Vault, clock: FakeClock) -> None:
    """At its expiry a lease is free; the generation rises, and the old holder knows at its next check."""
    old = take(vault, clock)
    clock.advance(LEASE_SECONDS)
    new = take(vault, clock, "ben")
    assert stored(vault).generation == 2
    new.check()
    with pytest.raises(LeaseHeldError):
        old.check()


def test_just_before_its_expiry_a_lease_is_held(vault: Vault, clock: FakeClock) -> None:
    """The last second counts."""
    lease = take(vault, clock)
    clock.advance(LEASE_SECONDS - 1)
    lease.check()
    with pytest.raises(LeaseHeldError):
        take(vault, clock, "ben")


def test_renewing_moves_the_expiry(vault: Vault, clock: FakeClock) -> None:
    """A renewed lease outlives its first term, with the same generation."""
    lease = take(vault, clock)
    clock.advance(40)
    lease.renew()
    clock.advance(40)
    lease.check()
    assert stored(vault).generation == 1
    with pytest.raises(LeaseHeldError):
        take(vault, clock, "ben")


def test_a_released_lease_is_free_at_once(vault: Vault, clock: FakeClock) -> None:
    """After the release nobody has to wait, and the generation goes on rising."""
    take(vault, clock).release()
    take(vault, clock, "ben").check()
    assert stored(vault).generation == 2


def test_a_lost_lease_stays_with_its_new_owner(vault: Vault, clock: FakeClock) -> None:
    """Neither a late renewal nor a late release of the old holder touches the new lease."""
    old = take(vault, clock)
    clock.advance(LEASE_SECONDS)
    new = take(vault, clock, "ben")
    before = stored(vault)
    old.renew()
    old.release()
    assert stored(vault) == before
    new.check()
    with pytest.raises(LeaseHeldError):
        old.check()


def test_a_lease_whose_object_was_deleted_is_lost(vault: Vault, clock: FakeClock) -> None:
    """Somebody who removes the object takes the lease away: the work stops at the next renewal."""
    lease = take(vault, clock)
    vault.delete(KEY)
    lease.renew()
    with pytest.raises(LeaseHeldError):
        lease.check()


def race(takers: int, vault: Vault, clock: FakeClock) -> list[str]:
    """Many take at once: the owners that got it."""
    start = threading.Barrier(takers)

    def one(number: int) -> str:
        start.wait()
        try:
            take(vault, clock, f"taker {number}")
        except LeaseHeldError:
            return ""
        return f"taker {number}"

    with ThreadPoolExecutor(takers) as pool:
        return [owner for owner in pool.map(one, range(takers)) if owner]


def test_of_eight_takers_one_gets_it(vault: Vault, clock: FakeClock) -> None:
    """A free lease and an expired one go to exactly one of many takers."""
    for generation in (1, 2):
        (owner,) = race(8, vault, clock)
        assert stored(vault).owner.startswith(owner)
        assert stored(vault).generation == generation
        clock.advance(LEASE_SECONDS)


def test_a_renewal_that_lost_its_answer_does_not_lose_the_lease(net: Process) -> None:
    """The next renewal and the release find their own token in the vault, and go on from there."""
    lease = take(net.vault, net.clock)
    net.faults.lose_answer("vault.replace")
    net.clock.advance(1)
    with pytest.raises(UnavailableError, match="answer was lost"):
        lease.renew()
    net.clock.advance(30)
    lease.renew()
    lease.check()
    assert (stored(net.store).expires - net.clock.now).total_seconds() == LEASE_SECONDS


def test_a_taking_that_lost_its_answer_must_wait_out_the_lease(net: Process) -> None:
    """The lease is then held by nobody who knows it; after its term it is free."""
    net.faults.lose_answer("vault.put_new")
    with pytest.raises(UnavailableError, match="answer was lost"):
        take(net.vault, net.clock)
    net.clock.advance(LEASE_SECONDS)
    take(net.vault, net.clock, "ben").check()


def test_a_failed_release_does_not_spoil_the_work(net: Process, caplog: pytest.LogCaptureFixture) -> None:
    """What was done is done: a release that cannot reach the vault is a warning, not an error."""
    net.faults.fail("vault.replace")
    with caplog.at_level(logging.WARNING), holding(take(net.vault, net.clock)):
        pass
    assert "recover-orders could not be released" in caplog.text


def test_a_damaged_lease_is_not_taken_over(clock: FakeClock) -> None:
    """A record that cannot be read says nothing about who holds it; the error names the object."""
    vault = MemoryVault()
    vault.put_new(KEY, b"{}")
    with pytest.raises(DamagedObjectError, match=KEY):
        take(vault, clock)


class _Boom(BaseException):
    """Nothing catches it."""


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, _Boom])
def test_the_lease_is_released_however_the_work_ends(clock: FakeClock, error: type[BaseException]) -> None:
    """An error, Ctrl-C, or worse: the next one need not wait, and no thread is left behind."""
    vault = MemoryVault()
    work = holding(take(vault, clock))
    with pytest.raises(error), work:
        raise error
    take(vault, clock, "ben")
    assert "lease" not in {thread.name for thread in threading.enumerate()}


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread, at most five seconds."""
    tick = threading.Event()
    for _ in range(1000):
        if condition():
            return
        tick.wait(0.005)
    pytest.fail("it did not happen")


def test_holding_renews_in_the_background(clock: FakeClock) -> None:
    """Work that takes longer than a term keeps its lease."""
    vault = MemoryVault()
    with holding(take(vault, clock), renew_seconds=0.001) as lease:
        for _ in range(3):
            clock.advance(LEASE_SECONDS / 2)
            renewed = clock.now
            until(lambda: (stored(vault).expires - renewed).total_seconds() == LEASE_SECONDS)  # noqa: B023 - called at once
            lease.check()


def test_losing_the_lease_stops_the_work(clock: FakeClock) -> None:
    """Once the background renewal meets another owner, check raises although the old term still runs."""
    vault = MemoryVault()
    with holding(take(vault, clock), renew_seconds=0.001) as lease:
        taken = stored(vault).model_copy(update={"token": "somebody", "owner": "ben"})
        vault.delete(KEY)
        vault.put_new(KEY, taken.model_dump_json().encode())

        def lost() -> bool:
            try:
                lease.check()
            except LeaseHeldError:
                return True
            return False

        until(lost)
    assert stored(vault).owner == "ben"


def test_a_renewal_that_fails_is_tried_again(net: Process, caplog: pytest.LogCaptureFixture) -> None:
    """One renewal that does not reach the vault is a warning; the next one keeps the lease."""
    net.faults.fail("vault.replace", times=2)
    with caplog.at_level(logging.WARNING), holding(take(net.vault, net.clock), renew_seconds=0.001) as lease:
        net.clock.advance(LEASE_SECONDS - 1)
        until(lambda: net.faults.calls.count("vault.replace") > 2)
        net.clock.advance(LEASE_SECONDS - 1)
        until(lambda: stored(net.store).expires > net.clock.now)
        lease.check()
    assert "could not be renewed" in caplog.text

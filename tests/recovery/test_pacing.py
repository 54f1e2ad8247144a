"""Patience with a throttling AWS, and work on threads that ends together."""

from __future__ import annotations

import threading

import pytest

from recovery.pacing import LONGEST_WAIT_SECONDS, PATIENT_ATTEMPTS, patient
from recovery.threads import side_by_side
from rules.errors import AccessDeniedError, SafetyNetError, UnavailableError
from tests.recovery.recovering import FakeSleep


class _Failing:
    """Fails so many times, then returns "done"."""

    def __init__(self, times: int, error: type[Exception]) -> None:
        self.left = times
        self.error = error
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self.error("no")
        return "done"


def test_throttling_is_waited_out() -> None:
    """A call that is throttled some times succeeds, with waits in between that never get too long."""
    sleep = FakeSleep()
    assert patient(sleep)(_Failing(20, UnavailableError)) == "done"
    assert len(sleep.slept) == 20
    assert max(sleep.slept) <= LONGEST_WAIT_SECONDS
    assert sum(sleep.slept[:3]) < sum(sleep.slept[-3:])


def test_patience_ends() -> None:
    """After thirty attempts the last error comes out as it is."""
    work = _Failing(1000, UnavailableError)
    with pytest.raises(UnavailableError):
        patient(FakeSleep())(work)
    assert work.calls == PATIENT_ATTEMPTS


@pytest.mark.parametrize("error", [AccessDeniedError, SafetyNetError, ValueError])
def test_other_errors_come_out_at_once(error: type[Exception]) -> None:
    """What waiting cannot mend is neither swallowed nor repeated."""
    sleep, work = FakeSleep(), _Failing(1, error)
    with pytest.raises(error):
        patient(sleep)(work)
    assert (work.calls, sleep.slept) == (1, [])


def test_a_stop_ends_patience() -> None:
    """Once the other parts have failed, nobody waits out a throttled table."""
    stop, work = threading.Event(), _Failing(1000, UnavailableError)
    stop.set()
    with pytest.raises(UnavailableError):
        patient(FakeSleep(), stop)(work)
    assert work.calls == 1


def test_results_come_in_order() -> None:
    """Each part's result is in its place, whichever ends first."""
    turns = [threading.Event() for _ in range(4)]
    turns[3].set()

    def work(number: int, stop: threading.Event) -> int:
        assert turns[number].wait(5)
        turns[number - 1].set()
        return number * 10

    assert side_by_side(4, work, "test") == [0, 10, 20, 30]


@pytest.mark.parametrize("error", [AccessDeniedError, KeyboardInterrupt])
def test_a_part_that_fails_stops_the_others(error: type[BaseException]) -> None:
    """The first error comes out, and parts that would go on for ever see the stop."""
    stopped: list[bool] = []

    def work(number: int, stop: threading.Event) -> None:
        if number == 1:
            raise error("no")
        stopped.append(stop.wait(10))

    with pytest.raises(error):
        side_by_side(3, work, "test")
    assert stopped == [True, True]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("test")]

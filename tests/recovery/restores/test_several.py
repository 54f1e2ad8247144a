"""Several tables side by side, with a recovery that does what a test says."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from recovery.definitions.follow_ups import FollowUp
from recovery.errors import LeaseHeldError, TableExistsError
from recovery.restores.restore import RecoveryReport
from recovery.restores.several import (
    NotRecovered,
    Outcome,
    Recovered,
    recover_tables,
    refuse_existing,
)
from rules.errors import CancelledError, UnavailableError
from tests.recovery.recovering import START, WHO
from tests.recovery.restores.native_plans import native_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from recovery.restores.plans import RecoveryPlan

LONG = 20  # seconds, after which a test that hangs fails
TODO = FollowUp("ttl", "access denied", "aws dynamodb update-time-to-live")


def report_of(plan: RecoveryPlan, **more: Any) -> RecoveryReport:
    """The report of a table that is back, whole unless otherwise."""
    made: dict[str, Any] = {
        "run_id": "run",
        "table": plan.target.name,
        "items_verified": 1,
        "started_at": START,
        "ended_at": START,
        "resumed": False,
        "differences": (),
        "follow_ups": (),
    }
    return RecoveryReport(**{**made, **more})


@dataclass
class Recoveries:
    """Stands in for Recovery: ``does`` says what happens to a table, by name; else it comes back at once."""

    does: dict[str, Callable[[], None]] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    callers: set[str] = field(default_factory=set)
    half_made: set[str] = field(default_factory=set)
    stopped: threading.Event = field(default_factory=threading.Event)

    def apply(self, plan: RecoveryPlan, started_by: str) -> RecoveryReport:
        """See Recovery.apply."""
        self.begun.append(plan.target.name)
        self.callers.add(started_by)
        self.does.get(plan.target.name, lambda: None)()
        return report_of(plan)

    def stop(self) -> None:
        """See Recovery.stop."""
        self.stopped.set()

    def unfinished(self, plan: RecoveryPlan) -> object | None:
        """See Recovery.unfinished."""
        return object() if plan.target.name in self.half_made else None


def plans(*names: str, **more: Any) -> list[RecoveryPlan]:
    """Plans for tables of those names."""
    return [native_plan(name, **more) for name in names]


def recover(recoveries: Any, wanted: Sequence[RecoveryPlan], **more: Any) -> list[Outcome]:
    """All of them, as the command does."""
    return recover_tables(recoveries, wanted, WHO, **more)


def fail(error: BaseException) -> Callable[[], None]:
    """What a table does that does not come back."""

    def do() -> None:
        raise error

    return do


def test_outcomes_are_in_the_order_of_the_plans() -> None:
    """Whichever ends first; ``told`` hears of each as it ends, and each is done once, in the caller's name."""
    first_may_end = threading.Event()
    recoveries = Recoveries({"orders": lambda: _wait(first_may_end)})
    heard: list[str] = []

    def told(outcome: Outcome) -> None:
        heard.append(outcome.plan.target.name)
        if len(heard) == 2:
            first_may_end.set()

    outcomes = recover(recoveries, plans("orders", "carts", "users"), told=told)
    assert [outcome.plan.target.name for outcome in outcomes] == ["orders", "carts", "users"]
    assert heard[-1] == "orders"
    assert sorted(heard) == sorted(recoveries.begun) == ["carts", "orders", "users"]
    assert recoveries.callers == {WHO}


def _wait(event: threading.Event) -> None:
    assert event.wait(LONG)


def test_one_that_fails_stops_no_other() -> None:
    """Its error is its outcome; the rest comes back, and nobody is told to stop."""
    error = LeaseHeldError("ben is at it")
    recoveries = Recoveries({"carts": fail(error)})
    orders, carts, users = recover(recoveries, plans("orders", "carts", "users"), parallel=1)
    assert isinstance(orders, Recovered)
    assert isinstance(users, Recovered)
    assert isinstance(carts, NotRecovered)
    assert carts.error is error
    assert not recoveries.stopped.is_set()


def test_no_more_at_a_time_than_allowed() -> None:
    """Two of four: two do meet, and a third is never with them."""
    both = threading.Barrier(2, timeout=LONG)
    lock, now, most = threading.Lock(), [0], [0]

    def meet() -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        both.wait()
        with lock:
            now[0] -= 1
        both.wait()

    names = [f"table-{number}" for number in range(4)]
    recover(Recoveries(dict.fromkeys(names, meet)), plans(*names), parallel=2)
    assert most == [2]


def test_no_tables_are_no_work() -> None:
    """A stack without tables of its own asks for none."""
    recoveries = Recoveries()
    assert recover(recoveries, []) == []
    assert recoveries.begun == []


def test_ctrl_c_stops_what_is_under_way_and_begins_nothing_more() -> None:
    """KeyboardInterrupt comes out; the one that is under way is told to stop, the last one is never begun."""
    under_way = threading.Event()
    recoveries = Recoveries()

    def until_stopped() -> None:
        under_way.set()
        _wait(recoveries.stopped)
        raise CancelledError("stopped")

    recoveries.does["carts"] = until_stopped

    def interrupt(outcome: Outcome) -> None:
        _wait(under_way)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recover(recoveries, plans("orders", "carts", "users"), parallel=1, told=interrupt)
    assert recoveries.begun == ["orders", "carts"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("recover")]


def test_a_defect_comes_out_and_stops_the_others() -> None:
    """What is no error of the tree is no outcome: it is seen, and what is under way ends at its next step."""
    recoveries = Recoveries()
    recoveries.does = {"orders": fail(ZeroDivisionError()), "carts": lambda: _wait(recoveries.stopped)}
    with pytest.raises(ZeroDivisionError):
        recover(recoveries, plans("orders", "carts"), parallel=2)
    assert recoveries.stopped.is_set()


@pytest.mark.parametrize(
    ("more", "whole"),
    [({}, True), ({"follow_ups": (TODO,)}, False), ({"differences": ("ttl: wanted, found",)}, False)],
)
def test_whole_is_without_anything_left_to_do(more: dict[str, Any], whole: bool) -> None:
    """A setting that is left to people, or that differs, is not whole, however good the items are."""
    (plan,) = plans("orders")
    assert Recovered(plan, report_of(plan, **more)).whole is whole


def refuse(recoveries: Any, wanted: Sequence[RecoveryPlan]) -> None:
    """Before anybody is asked."""
    refuse_existing(recoveries, wanted)


def test_tables_that_are_there_are_named_before_anything_begins() -> None:
    """All of them, with their place; those that are not there are not."""
    there, gone = plans("orders", "carts", target_exists=True), plans("users")
    with pytest.raises(TableExistsError, match=r"^tables orders, carts exist in 123456789012/eu-west-1$"):
        refuse(Recoveries(), [there[0], *gone, there[1]])
    with pytest.raises(TableExistsError, match=r"^table orders exists in 123456789012/eu-west-1$"):
        refuse(Recoveries(), [*gone, there[0]])
    refuse(Recoveries(), gone)


def test_our_own_half_made_tables_are_not_in_the_way() -> None:
    """They are gone on with; one that is somebody else's is refused all the same."""
    there = plans("orders", "carts", target_exists=True)
    refuse(Recoveries(half_made={"orders", "carts"}), there)
    with pytest.raises(TableExistsError, match=r"^table carts exists"):
        refuse(Recoveries(half_made={"orders"}), there)


def test_what_failed_can_be_run_again() -> None:
    """The errors of one call are not remembered by the next."""
    recoveries = Recoveries({"orders": fail(UnavailableError("down"))})
    assert isinstance(recover(recoveries, plans("orders"))[0], NotRecovered)
    recoveries.does.clear()
    assert isinstance(recover(recoveries, plans("orders"))[0], Recovered)

"""The right people are told, nobody is forgotten where something is not known, and the reasons can be read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.actions import Weight
from rules.verdicts import Severity, VerdictKind
from tests.watcher.alerting import NIGHT, an_event, an_incident
from watcher.alerts.routing import Route, routed
from watcher.incidents.incident import Incident, Member, Person, Subject

DEFAULT = ("slack",)
NO_BACKUP = {"table.tags": "there is no backup to look into"}


def a_table(name: str = "orders", **tags: str) -> Subject:
    """A table whose tags are known."""
    return Subject(type="table", name=name, tags=tags)


def a_route(**match: Any) -> Route:
    """A route to ``oncall``."""
    return Route(name="shop", notifiers=("oncall",), **match)


def told(incident: Incident, *routes: Route) -> tuple[str, ...]:
    """Who is told."""
    return routed(incident, routes, DEFAULT).notifiers


TAGGED = an_incident(subject=a_table(team="shop", Environment="Prod"))


@pytest.mark.parametrize(
    ("match", "matches"),
    [
        ({}, True),
        ({"tables": ("ord*", "x")}, True),
        ({"tables": ("Ord*",)}, False),
        ({"stacks": ("shop",)}, False),
        ({"tags": {"team": ("sh*p",)}}, True),
        ({"tags": {"team": ("shop",), "owner": ("*",)}}, False),
        ({"environments": ("prod",)}, True),
        ({"environments": ("staging", "dev*")}, False),
        ({"accounts": ("123456789012",)}, True),
        ({"accounts": ("210987654321",)}, False),
        ({"regions": ("eu-*",)}, True),
        ({"regions": ("us-*",)}, False),
        ({"severity": Severity.CRITICAL}, True),
        ({"severity": Severity.HIGH}, True),
        ({"verdicts": (VerdictKind.SUSPICIOUS, VerdictKind.ACCIDENTAL)}, True),
        ({"verdicts": (VerdictKind.SUSPICIOUS,)}, False),
        ({"tables": ("orders",), "regions": ("us-*",)}, False),
    ],
)
def test_what_a_route_can_ask_for(match: dict[str, Any], matches: bool) -> None:
    """All that is given must hold; of the patterns one; what no route matches goes to the default."""
    assert told(TAGGED, a_route(**match)) == (("oncall",) if matches else DEFAULT)


def test_a_severity_below_is_left_to_the_default() -> None:
    """The least severity of a route keeps what is less from it."""
    low = an_incident(severity=Severity.MEDIUM)
    assert told(low, a_route(severity=Severity.HIGH)) == DEFAULT


@pytest.mark.parametrize(
    "incident",
    [
        an_incident(subject=Subject(type="stack", name="shop-prod")),
        an_incident(events=(an_event(origin_stack="shop-prod"),)),
    ],
    ids=["the stack itself", "a table of it"],
)
def test_a_stack_and_its_tables_go_to_the_same_people(incident: Incident) -> None:
    """A route by stack means the stack and what came from it."""
    assert told(incident, a_route(stacks=("shop-*",))) == ("oncall",)


def test_a_table_pattern_means_tables() -> None:
    """A stack of that name is none."""
    assert told(an_incident(subject=Subject(type="stack", name="orders")), a_route(tables=("*",))) == DEFAULT


def test_the_first_match_wins() -> None:
    """Later routes are not asked."""
    first, second = Route("first", ("a",)), Route("second", ("b",))
    assert told(TAGGED, first, second) == ("a",)


def test_a_route_may_let_others_follow() -> None:
    """With ``continue`` the next ones tell theirs too, each person once; the default is not needed then."""
    first = Route("first", ("a", "b"), goes_on=True)
    second = Route("second", ("never",), regions=("us-*",))
    third = Route("third", ("b", "c"))
    assert told(TAGGED, first, second, third) == ("a", "b", "c")
    assert told(TAGGED, first) == ("a", "b")


def test_environment_tags_are_those_of_the_settings() -> None:
    """The tag's name may be in any case; other tags do not count."""
    incident = an_incident(subject=a_table(TIER="prod", team="prod"))
    route = a_route(environments=("prod",))
    assert routed(incident, [route], DEFAULT).notifiers == DEFAULT
    assert routed(incident, [route], DEFAULT, ("tier",)).notifiers == ("oncall",)


@pytest.mark.parametrize("match", [{"tags": {"team": ("shop",)}}, {"environments": ("prod",)}])
def test_unknown_tags_tell_the_default_and_say_so(match: dict[str, Any]) -> None:
    """Without a backup nobody knows whose the table was: everybody of the default hears of it, and why."""
    incident = an_incident(events=(an_event(unknown=NO_BACKUP),))
    routing = routed(incident, [a_route(**match)], DEFAULT)
    assert routing.notifiers == DEFAULT
    assert routing.reasons[-1] == (
        "table orders: slack told by default, for its tags are not known (there is no backup to look into), "
        "so route 'shop' could not be judged"
    )


def test_unknown_tags_do_not_hide_an_incident_behind_a_later_route() -> None:
    """A broad route that comes after the undecided one does not replace the default."""
    incident = an_incident(events=(an_event(unknown=NO_BACKUP),))
    routes = [a_route(tags={"team": ("shop",)}), Route("all", ("archive",))]
    assert routed(incident, routes, DEFAULT).notifiers == ("archive", "slack")


def test_what_is_ruled_out_anyway_is_not_undecided() -> None:
    """A route of another account stays out, whatever the tags are."""
    incident = an_incident(events=(an_event(unknown=NO_BACKUP),))
    routes = [a_route(accounts=("2*",), tags={"team": ("shop",)}), Route("all", ("archive",))]
    assert routed(incident, routes, DEFAULT).notifiers == ("archive",)


def test_a_table_without_tags_is_not_unknown() -> None:
    """Where a backup shows that there are none, a route that asks for one does not apply, and that is all."""
    routes = [a_route(tags={"team": ("shop",)}), Route("all", ("archive",))]
    routing = routed(an_incident(), routes, DEFAULT)
    assert routing.notifiers == ("archive",)
    assert routing.reasons[0] == "table orders: route 'shop' does not apply: its tag team is not set"


def a_member(subject: Subject, **changes: Any) -> Member:
    """Another change of the same cause."""
    fields: dict[str, Any] = {
        "id": f"of-{subject.name}",
        "title": "Table deleted",
        "time": NIGHT,
        "who": "developer",
        "change": "table-deleted",
        "weight": Weight.DESTRUCTIVE.value,
        "failed": False,
        "severity": Severity.CRITICAL,
        "verdict": VerdictKind.ACCIDENTAL,
        "subject": subject,
    }
    return Member(**{**fields, **changes})


def test_everybody_whose_table_was_hit_is_told() -> None:
    """An incident of two teams' tables reaches both, each for its own reason."""
    incident = an_incident(
        subject=a_table("orders", team="shop"),
        members=(a_member(a_table("bills", team="money")), a_member(a_table("carts", team="shop"))),
    )
    routes = [
        Route("shop", ("shop-oncall",), tags={"team": ("shop",)}),
        Route("money", ("money-oncall",), tags={"team": ("money",)}),
    ]
    assert routed(incident, routes, DEFAULT).told == {
        "shop-oncall": "table orders: shop-oncall told by route 'shop'",
        "money-oncall": "table bills: money-oncall told by route 'money'",
    }


def test_a_table_of_which_no_backup_tells_is_left_to_the_default() -> None:
    """Among several, too."""
    incident = an_incident(subject=a_table(team="shop"), members=(a_member(Subject(type="table", name="x")),))
    routing = routed(incident, [a_route(tags={"team": ("shop",)})], DEFAULT)
    assert routing.notifiers == ("oncall", "slack")
    assert "no backup tells of them" in routing.told["slack"]


def test_tampering_among_other_changes_counts() -> None:
    """It need not be what the incident began with."""
    trail = a_member(Subject(type="trail", name="main"), weight=Weight.TAMPERING.value)
    assert told(an_incident(members=(trail,)), Route("all", ("oncall",))) == ("oncall", "slack")


def test_tampering_is_always_told_to_the_default() -> None:
    """No route takes what is done to the net itself away from those who look after it."""
    incident = an_incident(
        subject=Subject(type="trail", name="main"),
        events=(an_event(facts={"weight": Weight.TAMPERING.value}),),
    )
    routing = routed(incident, [Route("all", ("oncall",))], ("slack", "mail"))
    assert routing.notifiers == ("oncall", "slack", "mail")
    assert routing.reasons[-1] == "the net itself was touched: slack, mail told in any case (default)"


def test_every_route_that_was_asked_has_its_reason() -> None:
    """Who was told and who was not can be read off."""
    routes = [
        Route("us", ("b",), regions=("us-*",)),
        Route("low", ("c",), verdicts=(VerdictKind.SUSPICIOUS,)),
        Route("shop", ("a", "d"), tables=("orders",)),
        Route("never asked", ("e",)),
    ]
    assert routed(an_incident(), routes, DEFAULT).reasons == (
        "table orders: route 'us' does not apply: region eu-west-1 is not like us-*",
        "table orders: route 'low' does not apply: the verdict is accidental",
        "table orders: a, d told by route 'shop'",
    )


def test_without_routes_the_default_is_told() -> None:
    """And the reason is as simple."""
    assert routed(an_incident(), [], DEFAULT).reasons == (
        "table orders: slack told by default, for there are no routes",
    )


def test_what_nobody_understands_goes_to_the_default() -> None:
    """A message that is no event has no table, account or region to route by."""
    incident = an_incident(
        subject=Subject(type="message", name=""),
        account="",
        region="",
        actor=Person(label="unknown", kind="unknown"),
        events=(),
    )
    routes = [a_route(accounts=("*2",)), a_route(tags={"team": ("shop",)}), a_route(environments=("*",))]
    assert told(incident, *routes) == DEFAULT


def test_reasons_hold_no_foreign_control_characters() -> None:
    """Names and tags are anybody's, and reasons are shown on terminals."""
    incident = an_incident(subject=a_table("or\x1b[2Jders", team="\x1b]0;x\x07"))
    routing = routed(incident, [a_route(tags={"team": ("shop",)})], DEFAULT)
    assert not any(char < " " for reason in routing.reasons for char in reason)


NAMES = st.sampled_from(["a", "b", "c"])
ROUTES = st.lists(
    st.builds(
        Route,
        name=st.sampled_from(["one", "two"]),
        notifiers=st.lists(NAMES, min_size=1).map(tuple),
        tables=st.sampled_from([(), ("orders",), ("x",)]),
        tags=st.sampled_from([{}, {"team": ("shop",)}, {"team": ("other",)}]),
        severity=st.sampled_from([None, Severity.CRITICAL]),
        goes_on=st.booleans(),
    )
)


@given(ROUTES, st.sampled_from([TAGGED, an_incident(), an_incident(events=(an_event(unknown=NO_BACKUP),))]))
def test_somebody_is_always_told_and_once(routes: list[Route], incident: Incident) -> None:
    """Whatever the routes say: nobody twice, never nobody, and a reason for it."""
    routing = routed(incident, routes, DEFAULT)
    assert routing.notifiers
    assert len(set(routing.notifiers)) == len(routing.notifiers)
    assert routing.reasons

"""How far an incident reaches, and what people call it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.watcher.alerting import an_event, an_incident
from tests.watcher.telling import a_lead, a_member, a_point
from watcher.incidents.blast_radius import blast_radius
from watcher.incidents.incident import Subject
from watcher.incidents.incident_words import called, headline

if TYPE_CHECKING:
    from watcher.incidents.incident import Incident

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
LOST = "table-deleted"


def test_a_table_that_two_channels_tell_of_is_lost_once() -> None:
    """The call knows the ARN, CloudFormation's event does not; whichever knows the size tells it."""
    lead = a_lead(
        LOST,
        "orders",
        a_member(
            LOST, "orders", 1, subject={"item_count": 5, "size_bytes": 50}, recovery_points=(a_point(),)
        ),
        subject=Subject(type="table", name="orders", arn=ARN),
    )
    radius = blast_radius(lead)
    (table,) = radius.tables
    assert (table.account, table.region, table.name) == ("123456789012", "eu-west-1", "orders")
    assert (radius.items, radius.size_bytes, radius.at_least) == (5, 50, False)
    assert table.newest_point == a_point()
    assert len(table.changes) == 2


def test_the_same_name_elsewhere_is_another_table() -> None:
    """Account and region of its ARN tell two tables of one name apart."""
    elsewhere = a_member(LOST, "orders", 1, subject={"arn": ARN.replace("eu-west-1", "us-east-1")})
    radius = blast_radius(a_lead(LOST, "orders", elsewhere))
    assert [table.region for table in radius.tables] == ["eu-west-1", "us-east-1"]


def test_what_nobody_knows_makes_the_sum_a_least() -> None:
    """Items and bytes of the tables that are known, marked as too low; none at all is None, not 0."""
    known = a_member(LOST, "carts", 1, subject={"item_count": 7, "size_bytes": 70})
    radius = blast_radius(a_lead(LOST, "orders", known))
    assert (radius.items, radius.size_bytes, radius.at_least) == (7, 70, True)
    nothing = blast_radius(a_lead(LOST, "orders", a_member(LOST, "carts")))
    assert (nothing.items, nothing.size_bytes) == (None, None)


def test_tags_replicas_and_consumers() -> None:
    """Tags that all have, but for tables nobody knows the tags of; AWS's own are left out."""
    tags = {"env": "prod", "team": "shop", "aws:cloudformation:stack-name": "shop"}
    radius = blast_radius(
        a_lead(
            LOST,
            "orders",
            a_member(LOST, "a", 1, subject={"item_count": 1, "tags": tags, "replicas": ("eu-central-1",)}),
            a_member(LOST, "b", 2, subject={"item_count": 1, "tags": {**tags, "team": "pay"}}),
            a_member(LOST, "c", 3, subject={"consumers": ("arn:b", "arn:a"), "replicas": ("eu-central-1",)}),
        )
    )
    assert radius.tags == {"env": "prod"}
    assert radius.replicas == ("eu-central-1",)
    assert radius.consumers == ("arn:a", "arn:b")
    without = blast_radius(
        a_lead(
            LOST,
            "x",
            a_member(LOST, "a", subject={"item_count": 1, "tags": tags}),
            subject=Subject(type="table", name="x", item_count=2),
        )
    )
    assert without.tags == {}


def test_what_is_weakened_and_aimed_at_is_at_stake_and_not_lost() -> None:
    """A table that is still there does not count as lost, whatever was tried."""
    radius = blast_radius(
        a_lead(
            "protection-off",
            "orders",
            a_member(LOST, "carts", 1, failed=True),
            a_member("backup-deleted", "orders", 2),
        )
    )
    assert radius.tables == ()
    assert sorted(table.name for table in radius.at_stake) == ["carts", "orders"]
    assert [change.change for change in radius.weakened] == ["protection-off", "backup-deleted"]
    assert [change.subject.name for change in radius.attempts] == ["carts"]
    assert not radius.only_tried


def test_incidents_that_are_too_old_to_say_are_told_by_the_call() -> None:
    """Without weight and change in its facts a DeleteTable is a lost table all the same."""
    (table,) = blast_radius(an_incident(events=(an_event(facts={}),))).tables
    assert table.name == "orders"
    assert blast_radius(an_incident(events=())).changes == ()


def test_in_one_second_the_cause_comes_first() -> None:
    """CloudTrail's times are whole seconds; a stack's deletion is told before its tables', a weakening before both."""
    lead = a_lead(
        LOST,
        "orders",
        a_member("stack-deleted", "shop", 0, id="z"),
        a_member("protection-off", "orders", 0, id="zz"),
    )
    assert [change.change for change in blast_radius(lead).changes] == [
        "protection-off",
        "stack-deleted",
        LOST,
    ]


HEADLINES = {
    "one": (an_incident(), "Table deleted: orders"),
    "a name in its title": (an_incident(title="Export of orders failed"), "Export of orders failed"),
    "one told twice": (a_lead(LOST, "orders", a_member(LOST, "orders")), "Table deleted: orders"),
    "few": (a_lead(LOST, "orders", a_member(LOST, "carts")), "2 tables deleted: orders, carts"),
    "many": (a_lead(LOST, "t0", *(a_member(LOST, f"t{n}", n) for n in range(1, 12))), "12 tables deleted"),
    "a stack": (
        a_lead("stack-deleted", "shop", *(a_member(LOST, f"t{n}", n) for n in range(1, 4))),
        "Stack shop deleted, with 3 tables",
    ),
    "a stack told twice": (
        a_lead("stack-deleted", "shop", a_member("stack-deleted", "shop")), "Stack deleted: shop",
    ),
    "a history": (
        a_lead("protection-off", "orders", a_member("backup-deleted", "orders", 1), a_member("backup-deleted", "orders", 2), a_member(LOST, "orders", 3)),
        "Protection switched off, 2 backups deleted, then table orders deleted",
    ),
    "afterwards": (
        a_lead(LOST, "orders", a_member("pitr-off", "orders", 1)),
        "Table orders deleted, then point-in-time recovery switched off",
    ),
    "the net first": (
        a_lead("trail-tampered", "main", a_member(LOST, "orders", 1)), "Trail stopped, then table orders deleted",
    ),
    "only weakened": (
        a_lead("protection-off", "orders", a_member("backup-deleted", "orders", 1)),
        "Protection switched off, backup deleted: orders",
    ),
    "one protection each": (
        a_lead("protection-off", "orders", a_member("protection-off", "carts", 1)),
        "Protection of 2 tables switched off: orders, carts",
    ),
    "one protection": (
        a_lead("protection-off", "orders", a_member("protection-off", "orders", 1)),
        "Deletion protection switched off: orders",
    ),
    "replicas": (
        a_lead("replica-removed", "orders", a_member("replica-removed", "orders", 1)), "2 replicas removed: orders",
    ),
    "a refusal before it": (
        a_lead(LOST, "orders", a_member("protection-off", "orders", 1), a_member(LOST, "orders", 2), title="Attempt to delete a table", events=(an_event(error_code="ValidationException"),)),
        "Protection switched off, then table orders deleted",
    ),
    "attempts": (
        a_lead(LOST, "orders", a_member(LOST, "carts", 1, failed=True, title="Attempt to delete a table"), title="Attempt to delete a table", events=(an_event(error_code="AccessDenied"), an_event(id="2", error_code="AccessDenied"))),
        "3 attempts to delete a table: orders, carts",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("incident", "said"), HEADLINES.values(), ids=HEADLINES)
def test_an_incident_is_called_after_what_happened(incident: Incident, said: str) -> None:
    """One line, in the order of time; a single change reads as its title and what it happened to."""
    assert headline(incident) == said


def test_a_long_history_never_hides_the_loss() -> None:
    """Where the protections would fill the line they are only counted; the header is cut at 140 characters."""
    kinds = ("protection-off", "pitr-off", "backup-deleted", "trail-tampered")
    steps = [a_member(kind, "orders" * 10, n) for n, kind in enumerate(kinds, 1)]
    line = headline(a_lead("protection-off", "orders" * 10, *steps, a_member(LOST, "orders" * 10, 9)))
    assert line == f"5 protections taken away, then table {'orders' * 10} deleted"


@pytest.mark.parametrize(
    ("incident", "said"),
    [
        (an_incident(), "orders"),
        (a_lead(LOST, "orders", a_member("backup-deleted", "orders")), "orders"),
        (a_lead("stack-deleted", "shop", a_member(LOST, "a", 1), a_member(LOST, "b", 2)), "stack shop and 2 tables"),
        (a_lead("protection-off", "a", *(a_member("protection-off", f"b{n}", n) for n in range(1, 5))), "a, b1, b2 and 2 more"),
    ],
)  # fmt: skip
def test_what_an_incident_is_about_in_a_few_words(incident: Incident, said: str) -> None:
    """For headers such as ``Acknowledged: orders``."""
    assert called(incident) == said

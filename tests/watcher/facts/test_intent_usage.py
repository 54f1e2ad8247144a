"""The account of intents: what each covered, and what was too much, too little or too late."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from recovery.intents import Declaration
from rules.intents import Intent, IntentState
from tests.watcher.watching import delete_stack, delete_table
from watcher.facts.intent_ledger import IntentLedger
from watcher.facts.intent_usage import IntentUsage, usage_of
from watcher.incidents.incident import Incident

if TYPE_CHECKING:
    from tests.watcher.watching import Clockwork, Parts

HOUR = timedelta(hours=1)
DECLARATION = Declaration(table="staging-*", by="developer", lasts=HOUR, reason="refresh")


def declare(parts: Parts, **changes: Any) -> Intent:
    """An hour for the developer to delete staging tables, from noon on; but for its changes."""
    return parts.intents.declare(replace(DECLARATION, **changes), "somebody")


def delete(parts: Parts, name: str, at: str = "2026-11-23T12:10:00Z", **changes: Any) -> Incident:
    """The watcher sees a deletion."""
    incident = parts.pipeline.take(delete_table(name, eventTime=at, **changes))
    assert incident is not None
    return incident


def usage(parts: Parts, *intents: Intent) -> list[IntentUsage]:
    """The account, as of the parts' clock."""
    stored = [parts.intents.get(intent.id) for intent in intents]
    return usage_of(stored, IntentLedger(parts.incidents), parts.clock())


def test_what_an_intent_covered(parts: Parts) -> None:
    """Time, event, resource and incident of each change, oldest first; nothing is wrong with it."""
    intent = declare(parts)
    second = delete(parts, "staging-b", "2026-11-23T12:20:00Z")
    first = delete(parts, "staging-a")
    delete(parts, "orders")
    (account,) = usage(parts, intent)
    assert [(one.event_name, one.resource, one.incident_id) for one in account.covered] == [
        ("DeleteTable", "staging-a", first.id),
        ("DeleteTable", "staging-b", second.id),
    ]
    assert account.covered[0].time == first.opened_at
    assert (account.state, account.over_used, account.unused, account.after_the_fact) == (
        IntentState.ACTIVE, False, False, False,
    )  # fmt: skip


def test_who_declared_his_own_change(parts: Parts) -> None:
    """The account says so where the declaring principal made a covered change, in whatever session."""
    role = "arn:aws:sts::123456789012:assumed-role/ci"
    planned = replace(DECLARATION, by="ci")
    mine = parts.intents.declare(planned, f"{role}/job-1")
    reviewed = parts.intents.declare(planned, "arn:aws:iam::123456789012:user/reviewer")
    unused = parts.intents.declare(replace(planned, table="other-*"), f"{role}/job-1")
    delete(parts, "staging-a", userIdentity={"type": "AssumedRole", "arn": f"{role}/job-2"})
    accounts = usage(parts, mine, reviewed, unused)
    assert [account.self_declared for account in accounts] == [True, False, False]
    assert accounts[0].document()["self_declared"] is True


def test_an_over_used_intent(parts: Parts) -> None:
    """One change was allowed and two fit: the second alerted, and the account shows both."""
    intent = declare(parts, max_changes=1)
    delete(parts, "staging-a")
    loud = delete(parts, "staging-b")
    (account,) = usage(parts, intent)
    assert loud.alerted
    assert (account.over_used, account.counted) == (True, 2)
    assert [one.resource for one in account.covered] == ["staging-a"]
    assert [one.incident_id for one in account.beyond] == [loud.id]


def test_as_many_as_allowed_is_not_over_used(parts: Parts) -> None:
    """The number that was declared was kept."""
    intent = declare(parts, max_changes=1)
    delete(parts, "staging-a")
    (account,) = usage(parts, intent)
    assert (account.over_used, account.beyond) == (False, ())


def test_what_two_watchers_cover_too_much_shows(parts: Parts) -> None:
    """They judged at the same moment and neither saw the other's incident: the account tells."""
    intent = declare(parts, max_changes=1)
    for name in ("staging-a", "staging-b"):
        quiet = delete(parts, name)
        parts.incidents.update(quiet.id, lambda one: one.model_copy(update={"intents": (intent.id,)}))
    (account,) = usage(parts, intent)
    assert (len(account.covered), account.over_used) == (2, True)


def test_an_unused_intent(parts: Parts, clock: Clockwork) -> None:
    """It is over and nothing was done; while it is active nobody can say so."""
    intent = declare(parts)
    assert not usage(parts, intent)[0].unused
    clock.now += 2 * HOUR
    assert usage(parts, intent)[0].unused


def test_a_revoked_intent_that_covered_something(parts: Parts, clock: Clockwork) -> None:
    """What it covered before stays in its account."""
    intent = declare(parts)
    delete(parts, "staging-a")
    clock.now += HOUR / 2
    parts.intents.revoke(intent.id, "somebody")
    (account,) = usage(parts, intent)
    assert (account.state, account.unused, len(account.covered)) == (IntentState.REVOKED, False, 1)


def test_declared_after_the_fact(parts: Parts) -> None:
    """The deletion alerted; the excuse came within a day, and does not look like a plan."""
    loud = delete(parts, "staging-a", "2026-11-22T12:00:00Z")
    intent = declare(parts)
    (account,) = usage(parts, intent)
    assert loud.alerted
    assert account.after_the_fact
    assert [one.incident_id for one in account.before] == [loud.id]
    assert account.covered == ()


def test_what_is_not_after_the_fact(parts: Parts) -> None:
    """Longer ago than a day, by somebody else, or another table: nothing to do with it."""
    delete(parts, "staging-a", "2026-11-22T11:59:59Z")
    delete(parts, "orders", "2026-11-23T11:00:00Z")
    root = {"type": "Root", "arn": "arn:aws:iam::123456789012:root"}
    delete(parts, "staging-b", "2026-11-23T11:00:00Z", userIdentity=root)
    (account,) = usage(parts, declare(parts))
    assert not account.after_the_fact


def test_last_nights_job_is_not_after_the_fact(parts: Parts, clock: Clockwork) -> None:
    """A nightly job declares every night: what an earlier intent covered needs no excuse from this one."""
    declare(parts)
    delete(parts, "staging-a")
    clock.now += 20 * HOUR
    (account,) = usage(parts, declare(parts))
    assert not account.after_the_fact


def test_a_stack_is_one_change(parts: Parts) -> None:
    """The tables that went with it are in the account and do not use it up."""
    intent = declare(parts, table="", stack="shop", max_changes=1)
    parts.pipeline.take(delete_stack("shop", eventTime="2026-11-23T12:10:00Z"))
    cloudformation = {
        "type": "IAMUser", "userName": "developer", "invokedBy": "cloudformation.amazonaws.com",
    }  # fmt: skip
    table = delete(parts, "shop-orders", userIdentity=cloudformation)
    # No backup tells here that the table was of that stack.
    parts.incidents.update(table.id, lambda one: one.model_copy(update={"intents": (intent.id,)}))
    (account,) = usage(parts, intent)
    assert (len(account.covered), account.counted, account.over_used) == (2, 1, False)


def test_incidents_of_the_first_version_are_read(parts: Parts) -> None:
    """What was stored before intents were accounted for has no ids and no names; it is still a document."""
    incident = delete(parts, "staging-a")
    old = incident.model_dump(mode="json", exclude={"intents"})
    for name in ("name", "role", "session", "source_identity", "app", "invoked_by"):
        del old["actor"][name]
    for note in old["events"]:
        del note["origin_stack"], note["request_token"]
    read = Incident.model_validate(old)
    assert (read.intents, read.actor.session, read.events[0].origin_stack) == ((), "", "")


def test_the_account_as_json(parts: Parts) -> None:
    """The intent's own fields, its state, what it covered and what is wrong with it."""
    intent = declare(parts, ticket="OPS-12")
    incident = delete(parts, "staging-a")
    (document,) = [account.document() for account in usage(parts, intent)]
    assert (
        document.items() >= {"id": intent.id, "ticket": "OPS-12", "state": "active", "unused": False}.items()
    )
    assert document["covered"] == [
        {
            "time": "2026-11-23T12:10:00+00:00",
            "event": "DeleteTable",
            "resource": "staging-a",
            "incident": incident.id,
        }
    ]


def test_no_intents_read_nothing(parts: Parts) -> None:
    """Nothing is asked about, nothing is looked at."""
    assert usage_of([], IntentLedger(parts.incidents), parts.clock()) == []

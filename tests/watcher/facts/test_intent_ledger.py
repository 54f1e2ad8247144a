"""Which intents cover a change, by what they have covered before."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from recovery.intents import Declaration
from rules.errors import UnavailableError
from rules.events import parse_event_json
from rules.intents import Change, Intent, change_of
from tests.watcher.watching import NOON, delete_stack, delete_table
from watcher.facts.intent_ledger import IntentLedger

if TYPE_CHECKING:
    import pytest

    from tests.watcher.watching import Parts
    from watcher.incidents.incident import Incident

HOUR = timedelta(hours=1)
LATER = {"eventTime": "2026-11-23T12:10:00Z"}


def declare(parts: Parts, **changes: Any) -> Intent:
    """An hour for the developer to delete staging tables, from noon on; but for its changes."""
    whole = {"table": "staging-*", "by": "developer", "lasts": HOUR, "reason": "refresh", **changes}
    return parts.intents.declare(Declaration(**whole), "somebody")


def take(parts: Parts, body: bytes) -> Incident:
    """What becomes of a message that is about something watched."""
    incident = parts.pipeline.take(body)
    assert incident is not None
    return incident


def of_stack(stack: str, **changes: Any) -> Change:
    """A table's deletion that CloudFormation makes for the developer."""
    whole: dict[str, Any] = {
        "event_name": "DeleteTable",
        "time": NOON + timedelta(minutes=10),
        "account": "123456789012",
        "region": "eu-west-1",
        "resource_type": "table",
        "resource_name": "any-table",
        "origin_stack": stack,
        "names": ("developer",),
        "by_cloudformation": True,
    }
    return Change(**{**whole, **changes})


def test_a_covered_change_names_its_intent(parts: Parts) -> None:
    """The incident keeps the ids, so that the account can be made up later; no other intent is named."""
    mine, _other = declare(parts), declare(parts, table="elsewhere")
    assert take(parts, delete_table("staging-orders", **LATER)).intents == (mine.id,)
    assert take(parts, delete_table("orders", **LATER)).intents == ()


def test_one_change_too_many_alerts_and_says_why(parts: Parts) -> None:
    """Two were declared: the third is suspicious, and the message explains what became of the intent."""
    two = declare(parts, max_changes=2)
    quiet = [take(parts, delete_table(f"staging-{number}", **LATER)) for number in range(2)]
    assert [incident.alerted for incident in quiet] == [False, False]
    third = take(parts, delete_table("staging-3", **LATER))
    assert third.alerted
    assert third.intents == ()
    assert f"Intent {two.id} covered its 2 changes already." in third.reasons[:2]


def test_a_restarted_watcher_still_knows_the_number(parts: Parts) -> None:
    """The count is what the vault says, not what a process remembers."""
    declare(parts, max_changes=1)
    take(parts, delete_table("staging-1", **LATER))
    assert take(parts.restart(), delete_table("staging-2", **LATER)).alerted


def test_a_change_that_comes_twice_counts_once(parts: Parts) -> None:
    """A second record of the same deletion does not use an intent up, nor is it one too many itself."""
    declare(parts, max_changes=1)
    first = take(parts, delete_table("staging-1", eventID="e-1", **LATER))
    again = take(parts, delete_table("staging-1", eventID="e-2", **LATER))
    assert (again.id, again.alerted, again.intents) == (first.id, False, first.intents)


def test_an_attempt_that_failed_is_no_change(parts: Parts) -> None:
    """AWS refused it, so that the one change that was declared is still to come."""
    declare(parts, max_changes=1)
    denied: dict[str, Any] = {"errorCode": "ResourceInUseException", "responseElements": None}
    take(parts, delete_table("staging-1", **denied, **LATER))
    assert not take(parts, delete_table("staging-1", **LATER)).alerted


def test_another_intent_may_cover_what_one_no_longer_does(parts: Parts) -> None:
    """Each night declares anew: the last one's number is no obstacle, and nothing is said of it."""
    declare(parts, max_changes=1)
    take(parts, delete_table("staging-1", **LATER))
    fresh = declare(parts, max_changes=1)
    second = take(parts, delete_table("staging-2", **LATER))
    assert (second.alerted, second.intents) == (False, (fresh.id,))


def test_a_number_that_cannot_be_read_covers_nothing(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown means alert: only intents without a number still count, and the note says what was not read."""
    limited, free = declare(parts, max_changes=5), declare(parts, table="stag*")

    def broken(*_: object, **__: object) -> object:
        raise UnavailableError("S3 is down")

    monkeypatch.setattr(parts.incidents, "changed", broken)
    ledger = IntentLedger(parts.incidents)
    change = of_stack("", resource_name="staging-1", by_cloudformation=False)
    assert ledger.coverage(change, [limited, free], "x").intents == (free.id,)
    alone = ledger.coverage(change, [limited], "x")
    assert (alone.intents, "S3 is down" in alone.notes[0]) == ((), True)


def test_the_tables_of_a_covered_stack_are_covered(parts: Parts) -> None:
    """CloudFormation's calls carry no token and no person: that the stack's deletion was covered is enough."""
    bound = declare(parts, table="", stack="shop", request_token="token-shop", max_changes=1)
    ledger = IntentLedger(parts.incidents)
    table = of_stack("shop", names=("service-role", "AWSCloudFormation"))
    assert ledger.coverage(table, [bound], "x").intents == ()
    assert not take(parts, delete_stack("shop", **LATER)).alerted
    assert ledger.coverage(table, [bound], "x").intents == (bound.id,)
    assert ledger.coverage(of_stack("basket"), [bound], "x").intents == ()
    elsewhere = of_stack("shop", region="us-east-1", names=("service-role",))
    assert ledger.coverage(elsewhere, [bound], "x").intents == ()


def test_a_damaged_intent_spoils_no_other(parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    """The readable ones still cover; where none does, the alert says that one could not be read."""
    mine = declare(parts)
    parts.vault.put_new(f"intents/{mine.id}-x.json", b"{}")
    assert take(parts, delete_table("staging-orders", **LATER)).intents == (mine.id,)
    loud = take(parts, delete_table("orders", **LATER))
    assert loud.alerted
    assert any(f"intents/{mine.id}-x.json" in reason for reason in loud.reasons)
    assert "is damaged" in caplog.text


def test_an_incident_is_named_as_its_event_was(parts: Parts) -> None:
    """What the ledger holds intents against is what the watcher held them against, the role's ARN with it."""
    place = "arn:aws:iam::123456789012"
    session = {
        "type": "AssumedRole",
        "arn": "arn:aws:sts::123456789012:assumed-role/ci/developer",
        "accountId": "123456789012",
        "sessionContext": {"sessionIssuer": {"arn": f"{place}:role/teams/ci", "userName": "ci"}},
    }
    body = delete_table("staging-a", userIdentity=session, **LATER)
    take(parts, body)
    (entry,) = IntentLedger(parts.incidents).since(NOON)
    assert entry.change.names == change_of(parse_event_json(body)).names
    assert entry.change.names == (session["arn"], f"{place}:role/teams/ci", "ci")
    assert not declare(parts).covers(entry.change)


def test_a_table_whose_stack_nobody_knows_is_explained(parts: Parts) -> None:
    """Without a backup nobody knows whose table it was: it alerts, and the note names the intent it may be of."""
    shop = declare(parts, table="", stack="shop")
    found = IntentLedger(parts.incidents).coverage(of_stack(""), [shop], "x")
    assert found.intents == ()
    assert shop.id in found.notes[0]


def test_a_ledger_reads_each_incident_once(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A night of many deletions under one intent does not read all of them again for each."""
    intent = declare(parts, max_changes=100)
    for number in range(3):
        take(parts, delete_table(f"staging-{number}", **LATER))
    read: list[str] = []
    get = parts.vault.get

    def reading(key: str) -> object:
        read.append(key)
        return get(key)

    monkeypatch.setattr(parts.vault, "get", reading)
    ledger = IntentLedger(parts.incidents)
    assert [len(ledger.since(intent.starts)) for _ in range(3)] == [3, 3, 3]
    assert len(read) == 3


def test_incidents_from_before_are_not_read(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Years of incidents do not slow an account down: keys sort by time."""
    take(parts, delete_table("staging-old", eventTime="2026-10-31T23:59:59Z"))
    recent = take(parts, delete_table("staging-new", **LATER))
    get = parts.vault.get

    def reading(key: str) -> object:
        assert "2026/10" not in key
        return get(key)

    monkeypatch.setattr(parts.vault, "get", reading)
    (entry,) = IntentLedger(parts.incidents).since(NOON - HOUR)
    assert entry.incident_id == recent.id


def test_a_damaged_incident_is_passed_over(parts: Parts) -> None:
    """One that cannot be read is logged; the others still count."""
    parts.vault.put_new("incidents/2026/11/20261123T120100Z-x-00000000.json", b"{}")
    take(parts, delete_table("staging-1", **LATER))
    assert len(IntentLedger(parts.incidents).since(NOON)) == 1

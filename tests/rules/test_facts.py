"""Facts: one document, in which known, absent and unknown are told apart."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from rules.facts import Facts, TableFacts, Unknown, facts_from_event, facts_of
from rules.intents import Intent
from tests.rules.judging import ACCOUNT, changed, event

DELETED = event("delete-table-console")
LOST = Unknown("the vault is out of reach")


def table(**changes: Any) -> TableFacts:
    """A table of which everything is known."""
    known = {"tags": {"env": "dev"}, "item_count": 12, "size_bytes": 345, "newest_backup": DELETED.time}
    return TableFacts(**{**known, **changes})


def intent(name: str, **changes: Any) -> Intent:
    """An intent that covers the deletion, but for its changes."""
    times = {"starts": DELETED.time, "until": DELETED.time, "declared_at": DELETED.time}
    return Intent(
        **{
            "id": name,
            "table": "*",
            "by": "*",
            "reason": "tidy",
            "declared_by": "developer",
            **times,
            **changes,
        }
    )


def test_what_the_event_itself_says() -> None:
    """Account, region, weight, outcome, tool, actor and resource are always known."""
    assert facts_from_event(event("delete-table-cli-assumed-role")) == {
        "account": ACCOUNT,
        "region": "eu-west-1",
        "weight": "destructive",
        "failed": False,
        "tool": "cli",
        "actor": {
            "kind": "assumed-role",
            "name": "deploy",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/job-7",
            "role": "deploy",
            "session": "job-7",
            "sourceIdentity": "platform-engineer",
            "sourceIp": "203.0.113.7",
            "invokedBy": "",
            "mfa": False,
        },
        "resource": {"type": "table", "name": "orders"},
    }


def test_what_the_event_does_not_say_is_left_out() -> None:
    """MFA that no record mentions is absent; a call that nobody watches weighs nothing."""
    found = facts_from_event(changed(eventName="CreateTable"))
    assert "mfa" not in found["actor"]
    assert found["weight"] == "none"


def test_known_facts() -> None:
    """All that is known stands in the document, and nothing is unknown."""
    found = facts_of(DELETED, table(), [])
    assert found.unknown == {}
    assert found.document["table"] == {"tags": {"env": "dev"}, "itemCount": 12, "sizeBytes": 345}
    assert found.document["backup"] == {"found": True, "ageHours": 0.0}
    assert found.document["intents"] == []


def test_absent_facts() -> None:
    """That there certainly is no backup is a fact; a stack has no table facts at all, known or unknown."""
    assert facts_of(DELETED, table(newest_backup=None), []).document["backup"] == {"found": False}
    of_stack = facts_of(event("delete-stack-cli"), None, [])
    assert of_stack.unknown == {}
    assert {"table", "backup"}.isdisjoint(of_stack.document)


def test_unknown_facts() -> None:
    """What could not be read is not in the document; its path and the reason are kept."""
    found = facts_of(DELETED, TableFacts(LOST, LOST, LOST, LOST), LOST)
    assert found.document["table"] == {}
    assert {"backup", "intents"}.isdisjoint(found.document)
    assert found.unknown == dict.fromkeys(
        ["table.tags", "table.itemCount", "table.sizeBytes", "backup", "intents"], "the vault is out of reach"
    )


@pytest.mark.parametrize(
    ("before", "hours"),
    [
        (timedelta(hours=3), 3.0),
        (timedelta(days=2, minutes=30), 48.5),
        (timedelta(), 0.0),
        (-timedelta(hours=1), 0.0),
    ],
)
def test_backup_age(before: timedelta, hours: float) -> None:
    """The age is counted to the event, in hours; a backup made after it is no younger than new."""
    found = facts_of(DELETED, table(newest_backup=DELETED.time - before), [])
    assert found.document["backup"] == {"found": True, "ageHours": hours}


def test_only_intents_that_cover_the_event_are_facts() -> None:
    """An intent for another table says nothing about this one."""
    found = facts_of(DELETED, table(), [intent("mine"), intent("other", table="basket"), intent("too")])
    assert found.document["intents"] == ["mine", "too"]


@pytest.mark.parametrize(
    ("path", "touched"),
    [
        ("facts.table.tags.env", ["table.tags"]),
        ("facts.table.tags", ["table.tags"]),
        ("facts.table", ["table.tags", "table.itemCount"]),
        ("facts", ["table.tags", "table.itemCount", "backup"]),
        ("facts.backup.ageHours", ["backup"]),
        ("facts.table.tagsets", []),
        ("facts.backups", []),
        ("facts.table.sizeBytes", []),
        ("facts.tool", []),
        ("backup", []),
        ("detail.table.tags", []),
        ("", []),
    ],
)
def test_paths_that_touch_the_unknown(path: str, touched: list[str]) -> None:
    """A path touches what it leads into and what it holds, by whole steps only."""
    unknown = {"table.tags": "a", "table.itemCount": "b", "backup": "c"}
    found = Facts({}, unknown).unknown_among([path])
    assert found == {name: unknown[name] for name in touched}


def test_the_givers_documents_are_not_shared() -> None:
    """Changing the tags afterwards changes no fact."""
    tags = {"env": "dev"}
    found = facts_of(DELETED, table(tags=tags), [])
    tags["env"] = "prod"
    assert found.document["table"]["tags"] == {"env": "dev"}

"""Facts: one document, in which known, absent and unknown are told apart."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from rules.fact_schema import FACT_PATHS, FACTS, fact_at
from rules.facts import Facts, RecentFacts, TableFacts, Unknown, facts_from_event, facts_of, unlooked_facts
from tests.rules.judging import ACCOUNT, changed, event

DELETED = event("delete-table-console")
LOST = Unknown("the vault is out of reach")
QUIET = RecentFacts(1, (), stack_deleted=False)


def table(**changes: Any) -> TableFacts:
    """A table of which everything is known."""
    known = {
        "tags": {"env": "dev"},
        "item_count": 12,
        "size_bytes": 345,
        "newest_backup": DELETED.time,
        "deletion_protection": True,
        "recreated": False,
    }
    return TableFacts(**{**known, **changes})


def test_what_the_event_itself_says() -> None:
    """Account, region, weight, outcome, tool, actor and resource are always known."""
    assert facts_from_event(event("delete-table-cli-assumed-role")) == {
        "change": "table-deleted",
        "account": ACCOUNT,
        "region": "eu-west-1",
        "weight": "destructive",
        "failed": False,
        "tool": "cli",
        "app": "",
        "actor": {
            "kind": "assumed-role",
            "name": "deploy",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/job-7",
            "role": "deploy",
            "issuer": f"arn:aws:iam::{ACCOUNT}:role/deploy",
            "session": "job-7",
            "sourceIdentity": "platform-engineer",
            "sourceIp": "203.0.113.7",
            "invokedBy": "",
            "mfa": False,
        },
        "resource": {
            "type": "table",
            "name": "orders",
            "arn": f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/orders",
        },
        "origin": {"byCloudFormation": False, "serviceRole": False, "requestToken": ""},
    }


def test_what_the_event_does_not_say_is_left_out() -> None:
    """MFA that no record mentions is absent; a call that nobody watches weighs nothing."""
    found = facts_from_event(changed(eventName="TagResource"))
    assert "mfa" not in found["actor"]
    assert found["weight"] == "none"


def test_known_facts() -> None:
    """All that is known stands in the document, and nothing is unknown."""
    found = facts_of(DELETED, table(), [], RecentFacts(3, ("protection-off",), stack_deleted=True))
    assert found.unknown == {}
    assert found.document["table"] == {
        "tags": {"env": "dev"},
        "itemCount": 12,
        "sizeBytes": 345,
        "deletionProtection": True,
        "recreated": False,
    }
    assert found.document["recent"] == {"deletions": 3, "weakened": ["protection-off"], "stackDeleted": True}
    assert found.document["backup"] == {"found": True, "ageHours": 0.0}
    assert found.document["intents"] == []


def test_absent_facts() -> None:
    """That there certainly is no backup is a fact; a stack has no table facts at all, known or unknown."""
    assert facts_of(DELETED, table(newest_backup=None), []).document["backup"] == {"found": False}
    of_stack = facts_of(event("delete-stack-cli"), None, [], QUIET)
    assert of_stack.unknown == {}
    assert of_stack.document["recent"] == {"deletions": 1, "weakened": []}
    assert {"table", "backup"}.isdisjoint(of_stack.document)


def test_unknown_facts() -> None:
    """What could not be read is not in the document; its path and the reason are kept."""
    found = facts_of(
        DELETED, TableFacts(LOST, LOST, LOST, LOST, LOST, LOST), LOST, RecentFacts(LOST, LOST, LOST)
    )
    assert found.document["table"] == {}
    assert found.document["recent"] == {}
    assert {"backup", "intents"}.isdisjoint(found.document)
    assert found.unknown == dict.fromkeys(
        [
            "table.tags", "table.itemCount", "table.sizeBytes", "table.deletionProtection", "table.recreated",
            "backup", "origin.stack", "intents", "recent.deletions", "recent.weakened", "recent.stackDeleted",
        ],
        "the vault is out of reach",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("of", "tags", "stack"),
    [
        (DELETED, {"aws:cloudformation:stack-name": "shop"}, "shop"),
        (DELETED, {"env": "dev"}, None),
        (event("delete-stack-cli"), None, "shop"),
        (event("resource-status-change-table"), {}, "shop"),
    ],
)
def test_the_stack_that_a_table_belongs_to(of: Any, tags: dict[str, str] | None, stack: str | None) -> None:
    """It comes from the event where that names it, else from the tag that CloudFormation puts on its tables."""
    found = facts_of(of, None if tags is None else table(tags=tags), [], QUIET)
    assert found.document["origin"].get("stack") == stack
    assert "origin.stack" not in found.unknown


def test_what_cloudformation_did_for_somebody() -> None:
    """The call of a stack is told from a person's, and whether a service role hides who asked for it."""
    by_person = facts_from_event(event("delete-table-by-cloudformation"))["origin"]
    by_role = facts_from_event(event("delete-table-by-cloudformation-service-role"))["origin"]
    assert (by_person["byCloudFormation"], by_person["serviceRole"]) == (True, False)
    assert (by_role["byCloudFormation"], by_role["serviceRole"]) == (True, True)


def test_nobody_can_call_himself_cloudformation() -> None:
    """What the caller says of himself, in his user agent or as the name of his session, proves nothing."""
    forged = {"type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/AWSCloudFormation"}
    found = facts_from_event(changed(userAgent="cloudformation.amazonaws.com", userIdentity=forged))["origin"]
    assert (found["byCloudFormation"], found["serviceRole"]) == (False, False)


def test_an_archive_knows_only_the_event() -> None:
    """Where nobody can look further, every looked-up fact of a table is unknown, and no other one."""
    found = unlooked_facts(DELETED)
    looked_up = {fact.path for fact in FACTS if fact.looked_up}
    assert {path for path in looked_up if not found.is_unknown(f"facts.{path}")} == set()
    assert [path for path in FACT_PATHS if found.is_unknown(f"facts.{path}")] == [
        path for path in FACT_PATHS if path in looked_up
    ]


def leaves(document: dict[str, Any], path: str = "") -> list[str]:
    """The paths of all values of a document of facts; a map of tags is one."""
    found: list[str] = []
    for key, value in document.items():
        here = f"{path}{key}"
        found += leaves(value, here + ".") if isinstance(value, dict) and here != "table.tags" else [here]
    return found


@pytest.mark.parametrize(
    "of", [DELETED, event("delete-stack-cli"), event("delete-backup")], ids=lambda of: of.event_name
)
def test_every_fact_is_in_the_schema(of: Any) -> None:
    """What rules can see is what the documents and the lint know, and nothing else."""
    for path in leaves(dict(facts_of(of, table(), [], QUIET).document)):
        assert fact_at(path) is not None, path


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


def test_declared_intents() -> None:
    """The ids of those that cover the change are facts; none is an empty list, which is known."""
    assert facts_of(DELETED, table(), ["mine", "too"]).document["intents"] == ["mine", "too"]
    assert facts_of(DELETED, table(), []).document["intents"] == []


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

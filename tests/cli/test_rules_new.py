"""`safetynet rules new` as people type it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rules.yaml_source import load_yaml
from tests.cli.running import QuickShell, Shell
from tests.rules.judging import document
from tests.watcher.watching import delete_table
from watcher.incidents.incident import EventNote

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Desk

EVENT = {
    **document("delete-table-cli-assumed-role"),
    "requestParameters": {"tableName": "preview-pr-42-orders"},
    "resources": [],
}
KEEPS_EVENTS = "event" in EventNote.model_fields


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A folder with an event, and no settings."""
    (tmp_path / "event.json").write_text(json.dumps(EVENT), encoding="utf-8")
    return QuickShell({}, tmp_path)


def test_a_file_to_edit(shell: Shell, tmp_path: Path) -> None:
    """It is written once, checks, and passes its own tests; the rule then explains the event."""
    arguments = (
        "rules",
        "new",
        "--from",
        "event.json",
        "--owner",
        "team-shop",
        "--reason",
        "Gone with its PR.",
    )
    done = shell.run(*arguments, "-o", "draft.yaml")
    assert (done.code, done.out) == (0, ""), done.err
    assert done.err == (
        "draft.yaml: read it, edit it, "
        "then run `safetynet rules check draft.yaml` and `safetynet rules test draft.yaml`\n"
    )
    assert shell.run("rules", "check", "draft.yaml").code == 0
    assert shell.run("rules", "test", "draft.yaml").code == 0
    (tmp_path / "facts.yaml").write_text("table: {tags: {}}\n", encoding="utf-8")
    explained = shell.run(
        "rules", "explain", "event.json", "--rules", "draft.yaml", "--facts", "facts.yaml", "--json"
    )
    assert json.loads(explained.out)["explanations"][0]["verdict"] == "intentional"
    (rule,) = load_yaml((tmp_path / "draft.yaml").read_text(encoding="utf-8"), "draft.yaml").plain["rules"]
    assert (rule["owner"], rule["reason"]) == ("team-shop", "Gone with its PR.")


def test_on_stdout(shell: Shell) -> None:
    """Without a file it is printed, whole, whatever the width of the terminal."""
    done = shell.run("rules", "new", "--from", "-", "--id", "previews", "--at", "2027-01-01T00:00:00Z",
                     typed=json.dumps(EVENT), COLUMNS="40")  # fmt: skip
    assert done.code == 0, done.err
    assert done.out.startswith("# yaml-language-server: $schema=rules.schema.json\n")
    (rule,) = load_yaml(done.out, "stdout").plain["rules"]
    assert (rule["id"], rule["expires"]) == ("previews", "2027-04-01")
    assert len(done.err.splitlines()) == 1


def test_what_is_left_to_fill_in(shell: Shell) -> None:
    """A draft without owner or reason says so, and how to try it."""
    done = shell.run("rules", "new", "--from", "event.json", "-o", "draft.yaml", "--owner", "team-shop")
    assert "edit it, fill in reason, then run `safetynet rules check draft.yaml`" in done.err
    done = shell.run("rules", "new", "--from", "event.json")
    assert "fill in owner and reason" in done.err


def test_an_existing_file_stays(shell: Shell, tmp_path: Path) -> None:
    """Somebody's rules are never overwritten; nor is what a dangling link points to made."""
    (tmp_path / "mine.yaml").write_text("mine", encoding="utf-8")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "nowhere.yaml")
    for name in ("mine.yaml", "link.yaml"):
        done = shell.run("rules", "new", "--from", "event.json", "-o", name)
        assert (done.code, "exists; nothing is overwritten" in done.err) == (2, True)
    assert (tmp_path / "mine.yaml").read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "nowhere.yaml").exists()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"eventName": "DeleteBackup"}, "no rule may silence tampering"),
        ({"errorCode": "AccessDenied"}, "AWS refused it"),
        ({"eventSource": "glue.amazonaws.com"}, "nobody watches DeleteTable on glue.amazonaws.com"),
        ({"requestParameters": {"tableName": "shop-prod"}}, "looks like production"),
        ({"userIdentity": {"type": "Root", "arn": "arn:aws:iam::111122223333:root"}}, "the root user"),
    ],
)
def test_what_is_refused(shell: Shell, changes: dict[str, Any], why: str, tmp_path: Path) -> None:
    """Exit 2, with a reason and a hint, and no file."""
    done = shell.run("rules", "new", "--from", json.dumps(EVENT | changes), "-o", "draft.yaml")
    assert (done.code, why in done.err, "hint: " in done.err) == (2, True, True), done.err
    assert not (tmp_path / "draft.yaml").exists()


def test_one_event_is_needed(shell: Shell, tmp_path: Path) -> None:
    """Of several one has to be chosen."""
    records = [EVENT | {"eventID": "one"}, EVENT | {"eventID": "two"}]
    (tmp_path / "trail.json").write_text(json.dumps({"Records": records}), encoding="utf-8")
    done = shell.run("rules", "new", "--from", "trail.json")
    assert (done.code, "Choose one with --event: one, two" in done.err) == (2, True)
    chosen = shell.run("rules", "new", "--from", "trail.json", "--event", "two")
    assert "# Drafted from event two" in chosen.out


def test_facts_of_the_table(shell: Shell, tmp_path: Path) -> None:
    """Facts that are given count as known: a table of a stack is drafted as one."""
    (tmp_path / "facts.json").write_text('{"origin": {"stack": "preview-pr-42"}}', encoding="utf-8")
    done = shell.run("rules", "new", "--from", "event.json", "--facts", "facts.json")
    (rule,) = load_yaml(done.out, "stdout").plain["rules"]
    assert rule["match"]["facts"]["origin"] == {"stack": [{"prefix": "preview-pr-"}]}


@pytest.mark.skipif(not KEEPS_EVENTS, reason="incidents do not keep their events yet")
def test_from_an_incident(desk: Desk) -> None:
    """What alerted wrongly becomes a rule: the same change alerts nobody any more."""
    desk.send(delete_table("preview-pr-1-orders"))
    assert desk.shell.run("watch", "--once").code == 0
    (incident,) = desk.json("incidents", "list")
    done = desk.shell.run("rules", "new", "--from", incident["id"], "-o", "draft.yaml")
    assert done.code == 0, done.err
    (one,) = desk.json("rules", "explain", incident["id"], "--rules", "draft.yaml")["explanations"]
    assert one["verdict"] == "intentional"

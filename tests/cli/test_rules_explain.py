"""`safetynet rules explain` as people type it."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.running import Outcome, QuickShell, Shell
from tests.rules.judging import document, record
from tests.watcher.watching import delete_table
from watcher.incidents.incident import EventNote

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Desk

RULES = """\
version: 1
rules:
  - id: previews
    verdict: intentional
    match:
      detail: {eventName: [DeleteTable]}
      facts: {actor: {role: [ci-preview]}, table: {tags: {env: [preview]}}}
"""
KEEPS_EVENTS = "event" in EventNote.model_fields


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A folder with a rule file and an event, and no settings."""
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    (tmp_path / "event.json").write_text(json.dumps(document("delete-table-console")), encoding="utf-8")
    return QuickShell({}, tmp_path)


def explained(done: Outcome) -> list[dict[str, Any]]:
    """The explanations in JSON."""
    assert done.code == 0, done.err
    found: list[dict[str, Any]] = json.loads(done.out)["explanations"]
    return found


@pytest.mark.parametrize("columns", [80, 120])
def test_readable_without_settings(shell: Shell, columns: int) -> None:
    """What happened, the verdict and why, the rules that had a part; nothing wider than the terminal."""
    done = shell.run("rules", "explain", "event.json", "--rules", "rules.yaml", COLUMNS=str(columns))
    assert done.code == 0, done.err
    for line in (
        "verdict  suspicious, severity high",
        "because  suspicious, as console-deletion says",
        "decides     console-deletion",
        "at    facts.actor.role",
        'asked ["ci-preview"]',
        "does not match: 1 of its conditions fails, 1 cannot be judged, 1 is met",
        "and 1 more cannot be judged",
        "unknown  backup, intents, origin.stack and 8 more (not looked up; give --facts)",
    ):
        assert " ".join(line.split()) in " ".join(done.out.split())
    assert [line for line in done.out.splitlines() if line != line.rstrip()] == []
    assert max(len(line) for line in done.out.splitlines()) <= columns


def test_what_nobody_knows_is_no_failure(shell: Shell, tmp_path: Path) -> None:
    """A rule that only unknown facts keep from matching cannot be judged; of undeclared intents nothing is said."""
    done = shell.run("rules", "explain", "event.json")
    assert "cannot be judged: facts.backup.found is unknown; 2 others are met" in done.out
    assert "declared-intent" not in done.out
    (tmp_path / "facts.yaml").write_text("intents: []\n", encoding="utf-8")
    assert "declared-intent" not in shell.run("rules", "explain", "event.json", "--facts", "facts.yaml").out
    assert "declared-intent" in shell.run("rules", "explain", "event.json", "--all").out


def test_all_rules_on_demand(shell: Shell) -> None:
    """What is far from matching is counted; with --all it is shown."""
    plain = shell.run("rules", "explain", "event.json").out
    assert "more rules are far from matching: see them with --all" in plain
    assert "root-user" not in plain
    assert "far         root-user" in shell.run("rules", "explain", "event.json", "--all").out


def test_no_default_rules(shell: Shell) -> None:
    """Only the rules that were named."""
    done = shell.run(
        "rules", "explain", "event.json", "--rules", "rules.yaml", "--no-default-rules", "--json"
    )
    (one,) = explained(done)
    assert [rule["id"] for rule in one["rules"]] == ["previews"]
    assert one["resolution"][0] == "nothing matched, and an unexplained destructive change is suspicious"


def test_facts_laid_over(shell: Shell, tmp_path: Path) -> None:
    """A file of facts stands for what nobody looked up."""
    (tmp_path / "facts.yaml").write_text(
        "actor: {role: ci-preview}\ntable: {tags: {env: preview}}\n", encoding="utf-8"
    )
    done = shell.run(
        "rules", "explain", "event.json", "--rules", "rules.yaml", "--facts", "facts.yaml", "--json"
    )
    (one,) = explained(done)
    assert (one["verdict"], one["severity"]) == ("intentional", "info")
    assert "table.tags" not in one["unknown"]
    assert "intents" in one["unknown"]


def test_facts_that_are_none(shell: Shell, tmp_path: Path) -> None:
    """A slip would explain another event than was meant: it is named with its line."""
    (tmp_path / "facts.yaml").write_text("table:\n  tag: {env: preview}\n", encoding="utf-8")
    done = shell.run("rules", "explain", "event.json", "--facts", "facts.yaml")
    assert done.code == 2
    assert "facts.yaml:2:3: unknown fact 'table.tag'; did you mean 'table.tags'?" in done.err


def test_as_of_a_time(shell: Shell, tmp_path: Path) -> None:
    """An expired rule counts as of a time before its end."""
    (tmp_path / "dated.yaml").write_text(
        'version: 1\nrules: [{id: dated, verdict: intentional, expires: "2026-06-01", match: {source: [aws.dynamodb]}}]\n',
        encoding="utf-8",
    )
    arguments = ("rules", "explain", "event.json", "--rules", "dated.yaml", "--json")
    assert explained(shell.run(*arguments))[0]["verdict"] == "suspicious"
    assert explained(shell.run(*arguments, "--at", "2026-05-31T00:00:00Z"))[0]["verdict"] == "intentional"
    assert shell.run(*arguments, "--at", "yesterday").code == 2


def test_ways_to_give_an_event(shell: Shell, tmp_path: Path) -> None:
    """A record, an envelope, a literal, stdin, a file of a trail, plain or gzip."""
    text = json.dumps(record())
    (tmp_path / "envelope.json").write_bytes(delete_table())
    trail = json.dumps(
        {"Records": [record(), record(eventName="DescribeTable"), document("delete-table-glue")]}
    )
    (tmp_path / "trail.json.gz").write_bytes(gzip.compress(trail.encode()))
    for done in (
        shell.run("rules", "explain", text, "--json"),
        shell.run("rules", "explain", "-", "--json", typed=text),
        shell.run("rules", "explain", "envelope.json", "--json"),
        shell.run("rules", "explain", "trail.json.gz", "--json"),
    ):
        assert [one["event"]["title"] for one in explained(done)] == ["Table deleted"]
    assert json.loads(shell.run("rules", "explain", "trail.json.gz", "--json").out)["passed_over"] == 2


def test_several_events(shell: Shell, tmp_path: Path) -> None:
    """Each that can alert is explained, the others are counted; one can be chosen by its id."""
    records = [record(eventID="one"), record(eventID="two"), record(eventName="CreateTable", eventID="three")]
    (tmp_path / "trail.json").write_text(json.dumps({"Records": records}), encoding="utf-8")
    done = shell.run("rules", "explain", "trail.json", "--json")
    assert [one["event"]["id"] for one in explained(done)] == ["one", "two"]
    assert "1 more record is of an event that cannot alert" in shell.run("rules", "explain", "trail.json").err
    chosen = shell.run("rules", "explain", "trail.json", "--event", "two", "--json")
    assert [one["event"]["id"] for one in explained(chosen)] == ["two"]
    assert shell.run("rules", "explain", "trail.json", "--event", "four").code == 10


def test_a_folder(shell: Shell, tmp_path: Path) -> None:
    """All events in it that can alert, each once and in the order of time; the first twenty, and how many more."""
    folder = tmp_path / "trail"
    folder.mkdir()
    done = shell.run("rules", "explain", "trail")
    assert (done.code, "no archive files in trail" in done.err) == (10, True)
    records = [record(eventID=f"id-{n:02}", eventTime=f"2026-11-23T02:{59 - n}:00Z") for n in range(22)]
    (folder / "a.json").write_text(json.dumps({"Records": records[:12]}), encoding="utf-8")
    (folder / "b.json").write_text(json.dumps({"Records": records[10:]}), encoding="utf-8")
    (folder / "c.json").write_text(json.dumps(record(eventName="DescribeTable")), encoding="utf-8")
    done = shell.run("rules", "explain", "trail")
    assert (done.code, done.out.count("event    id-")) == (0, 20)
    assert done.out.startswith("event    id-21 ")
    assert "2 more events can alert: choose with --event ID" in done.err
    assert "1 more record is of an event that cannot alert" in done.err
    assert len(explained(shell.run("rules", "explain", "trail", "--json"))) == 22
    (one,) = explained(shell.run("rules", "explain", "trail", "--event", "id-03", "--json"))
    assert one["event"]["id"] == "id-03"
    (folder / "d.json").write_text("no events", encoding="utf-8")
    done = shell.run("rules", "explain", "trail", "--event", "id-03")
    assert (done.code, done.out.count("event    id-03 ")) == (3, 1)
    assert "trail/d.json" in done.err
    assert "Traceback" not in done.err


def test_an_event_that_nobody_watches(shell: Shell, tmp_path: Path) -> None:
    """There is no verdict, and that is the answer."""
    (tmp_path / "glue.json").write_text(json.dumps(document("delete-table-glue")), encoding="utf-8")
    done = shell.run("rules", "explain", "glue.json")
    assert done.code == 0, done.err
    assert "verdict  none" in done.out
    assert "nobody watches DeleteTable on glue.amazonaws.com, so there is no verdict" in " ".join(
        done.out.split()
    )


def test_strangers_text_cannot_move_the_cursor(shell: Shell) -> None:
    """Control characters and bidi marks of an event are shown, not obeyed; nor is markup."""
    name = "\x1b[2J\u202e[bold]x"
    text = json.dumps(record(requestParameters={"tableName": name}, eventID=f"{name}\n\x9b1m"))
    done = shell.run("rules", "explain", text, "--rules", "rules.yaml", "--all")
    assert done.code == 0, done.err
    assert "[bold]" in done.out
    assert all(character == "\n" or character.isprintable() for character in done.out)


@pytest.mark.parametrize(
    ("arguments", "typed", "code", "why"),
    [
        (("nothing.json",), "", 2, "no such file, and not an incident's id: nothing.json"),
        (("{",), "", 2, "not a file of events"),
        (("-",), "", 2, "not a file of events"),
        (("-",), '{"eventName": "DeleteTable"}', 2, "not a usable CloudTrail record"),
        (("-",), '{"Records": []}', 10, "no event that can alert among 0 records"),
        (("event.json", "--rules", "none.yaml"), "", 2, "no such rule file: none.yaml"),
        (("event.json", "--facts", "none.yaml"), "", 2, "none.yaml cannot be read"),
        (("20261123T021344Z-orders-0123abcd",), "", 2, "no vault is set"),
    ],
)  # fmt: skip
def test_what_cannot_be_explained(
    shell: Shell, arguments: tuple[str, ...], typed: str, code: int, why: str
) -> None:
    """One line and a hint that speaks of files, not of queues."""
    done = shell.run("rules", "explain", *arguments, typed=typed)
    assert (done.code, why in done.err) == (code, True), done.err
    assert "queue" not in done.err
    assert "Traceback" not in done.err


def test_an_incident_that_does_not_exist(desk: Desk) -> None:
    """It is looked for in the vault."""
    done = desk.shell.run("rules", "explain", "20261123T021344Z-orders-0123abcd")
    assert (done.code, "no incident" in done.err) == (10, True)


@pytest.mark.skipif(not KEEPS_EVENTS, reason="incidents do not keep their events yet")
def test_an_incident(desk: Desk, tmp_path: Path) -> None:
    """It is explained with the facts of then; if today's rules judge otherwise, that is said."""
    desk.send(delete_table(desk.table))
    assert desk.shell.run("watch", "--once").code == 0
    (incident,) = desk.json("incidents", "list")
    (one,) = desk.json("rules", "explain", incident["id"])["explanations"]
    assert (one["incident"], one["verdict"], one["severity"]) == (
        incident["id"],
        incident["verdict"],
        incident["severity"],
    )
    (tmp_path / "quiet.yaml").write_text(
        "version: 1\nrules: [{id: quiet, verdict: intentional, match: {source: [aws.dynamodb]}}]\n",
        encoding="utf-8",
    )
    done = desk.shell.run("rules", "explain", incident["id"], "--rules", "quiet.yaml")
    assert "verdict  intentional" in done.out
    assert f"the incident was judged {incident['verdict']}" in done.out

"""`safetynet diff` and `safetynet repair` as people type them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cli.repairing import Consent, require_consent
from recovery.testing.embedded_aws import ACCOUNT
from rules.errors import CancelledError, UnsafeError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Desk

BROKEN = {"id": {"S": "item-1"}, "n": {"N": "-1"}, "note": {"S": "evil\x1b[2J\u202egnp"}}


@pytest.fixture
def bad(desk: Desk) -> Desk:
    """A table that was backed up; then one item was changed, one removed, one added."""
    desk.backed_up(desk.table)
    client = desk.aws.dynamodb()
    client.put_item(TableName=desk.table, Item=BROKEN)
    client.delete_item(TableName=desk.table, Key={"id": {"S": "item-2"}})
    client.put_item(TableName=desk.table, Item={"id": {"S": "new"}})
    return desk


def repaired(desk: Desk, *arguments: str, code: int = 0) -> dict[str, Any]:
    """Repair with all that is needed where nobody can be asked; what is printed for machines."""
    done = desk.shell.run(
        "repair",
        desk.table,
        "--from",
        "latest",
        *arguments,
        "--confirm",
        desk.table,
        "--account",
        ACCOUNT,
        "--json",
    )
    assert done.code == code, done.err
    return dict(json.loads(done.out))


def test_diff_for_machines(bad: Desk) -> None:
    """A line of JSON for each difference, with both images in DynamoDB JSON, and a summary; exit 3."""
    *differences, summary = bad.lines("diff", bad.table, code=3)
    assert [(line["kind"], line["key"]["id"]["S"]) for line in differences] == [
        ("changed", "item-1"),
        ("removed", "item-2"),
        ("added", "new"),
    ]
    assert differences[0]["before"] == {"id": {"S": "item-1"}, "n": {"N": "1"}}
    assert differences[0]["after"] == BROKEN
    assert (differences[1]["after"], differences[2]["before"]) == (None, None)
    assert (summary["event"], summary["added"], summary["removed"], summary["changed"]) == (
        "summary",
        1,
        1,
        1,
    )
    assert summary["compared_with"] == f"table {bad.table}"


def test_diff_for_people(bad: Desk) -> None:
    """Which attributes differ and how; nothing in an item moves the cursor or turns text around."""
    done = bad.shell.run("diff", bad.table)
    assert done.code == 3
    assert done.out.splitlines()[:5] == [
        "~ id=item-1",
        "    n: 1 -> -1",
        "    note: (none) -> evil\ufffd[2J\ufffdgnp",
        "- id=item-2",
        "+ id=new",
    ]
    assert "3 items differ between backup" in " ".join(done.out.split())
    assert "1 added, 1 removed, 1 changed" in " ".join(done.out.split())


def test_diff_of_equal_tables(desk: Desk) -> None:
    """Exit 0, and a summary that says so."""
    desk.backed_up(desk.table)
    done = desk.shell.run("diff", desk.table)
    assert done.code == 0, done.err
    assert done.out.startswith("equal: backup")
    (summary,) = desk.lines("diff", desk.table)
    assert summary["equal"] is True


def test_diff_of_two_backups_and_of_keys_alone(bad: Desk) -> None:
    """By their ids; with --keys-only there are no images, with --limit only so many lines."""
    (old,) = bad.json("backup", "list", bad.table)
    (new,) = bad.backed_up(bad.table)
    first, second, summary = bad.lines(
        "diff",
        bad.table,
        old["backup_id"],
        "--other",
        new["backup_id"],
        "--keys-only",
        "--limit",
        "2",
        code=3,
    )
    assert (first["before"], first["after"], second["kind"]) == (None, None, "removed")
    assert summary["compared_with"] == f"backup {new['backup_id']}"
    assert summary["added"] == 1


def test_a_long_diff_is_cut_for_people(bad: Desk) -> None:
    """And says how many more there are."""
    done = bad.shell.run("diff", bad.table, "--limit", "1")
    assert "... and 2 more" in done.out
    assert "item-2" not in done.out


def test_repair_and_undo(bad: Desk) -> None:
    """Removed and changed items come back, and go again."""
    before = bad.items(bad.table)
    report = repaired(bad)
    assert (report["written"], report["verified"], report["complete"]) == (2, 2, True)
    assert [item["id"]["S"] for item in bad.items(bad.table)] == ["item-0", "item-1", "item-2", "new"]
    assert bad.items(bad.table)[1] == {"id": {"S": "item-1"}, "n": {"N": "1"}}
    plan = bad.json("repair", "undo", report["repair_id"], "--dry-run")
    assert (plan["items"], plan["done"]) == (2, False)
    undone = bad.shell.run("repair", "undo", bad.table, "--confirm", bad.table, "--account", ACCOUNT)
    assert undone.code == 0, undone.err
    assert "2 items read back" in undone.out
    assert bad.items(bad.table) == before


def test_a_dry_run_is_the_plan_and_writes_nothing(bad: Desk) -> None:
    """For machines and for people; no name has to be typed for it."""
    before = bad.items(bad.table)
    plan = bad.json("repair", bad.table, "--from", "latest", "--only", "changed", "--dry-run")
    assert (plan["to_overwrite"], plan["to_put_back"], plan["not_asked"]) == (1, 0, 2)
    assert plan["sample_keys"] == [{"id": {"S": "item-1"}}]
    people = bad.shell.run("repair", "--from", "latest", bad.table, "--dry-run")
    assert people.code == 0, people.err
    assert "1 item, changed since" in people.out
    assert "1 item, different too but not asked for" in people.out
    assert plan["journal"].rpartition("/repairs/")[2].startswith(f"{ACCOUNT}/eu-west-1/{bad.table}/")
    assert bad.items(bad.table) == before
    assert bad.shell.run("repair", "undo", bad.table).code == 10


def test_added_items_are_deleted_only_when_asked(bad: Desk) -> None:
    """And the plan says so in capitals."""
    people = bad.shell.run("repair", bad.table, "--from", "latest", "--only", "added", "--dry-run")
    assert "DELETES" in people.out
    assert repaired(bad, "--only", "added")["written"] == 1
    assert "new" not in [item["id"]["S"] for item in bad.items(bad.table)]


def test_what_diff_prints_can_be_handed_in_as_keys(bad: Desk, tmp_path: Path) -> None:
    """Pick lines, and repair just those."""
    done = bad.shell.run("diff", bad.table, "--json")
    picked = [line for line in done.out.splitlines() if "item-2" in line or "summary" in line]
    (tmp_path / "picked.jsonl").write_text("\n".join(picked), encoding="utf-8")
    assert repaired(bad, "--keys", str(tmp_path / "picked.jsonl"))["written"] == 1
    assert bad.items(bad.table)[1] == BROKEN


def test_where(bad: Desk) -> None:
    """JMESPath, as in --query."""
    assert repaired(bad, "--where", "n < `0`")["written"] == 1


def test_bad_input(bad: Desk, tmp_path: Path) -> None:
    """Exit 2, with the line."""
    (tmp_path / "keys.jsonl").write_text('{"id": "item-1"}\n{"id": 5}\n', encoding="utf-8")
    keys = bad.shell.run("repair", bad.table, "--from", "latest", "--keys", str(tmp_path / "keys.jsonl"))
    assert keys.code == 2
    assert "keys.jsonl: line 2: id is not of the table's type, S" in keys.err
    assert bad.shell.run("repair", bad.table, "--from", "latest", "--where", "n <").code == 2
    assert bad.shell.run("repair", bad.table).code == 2
    assert bad.shell.run("diff", bad.table, "20200101T000000Z-00000000").code == 10


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--yes",),
        ("--yes", "--confirm", "TABLE"),
        ("--yes", "--account", ACCOUNT),
        ("--confirm", "other", "--account", ACCOUNT),
        ("--confirm", "TABLE", "--account", "210987654321"),
    ],
    ids=" ".join,
)
def test_a_table_is_not_written_to_without_its_name_and_account(
    bad: Desk, arguments: tuple[str, ...]
) -> None:
    """--yes alone is not enough, neither is one of the two, nor a wrong one: exit 14, and nothing is written."""
    before = bad.items(bad.table)
    typed = [bad.table if argument == "TABLE" else argument for argument in arguments]
    done = bad.shell.run("repair", bad.table, "--from", "latest", *typed)
    assert done.code == 14
    assert bad.items(bad.table) == before


def test_on_a_terminal_both_are_asked_for() -> None:
    """What was given as an option is not asked again; a wrong answer changes nothing."""
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return {"Type orders to write to it: ": "orders"}.get(question, ACCOUNT)

    require_consent("orders", ACCOUNT, Consent(), answer)
    assert len(asked) == 2
    require_consent("orders", ACCOUNT, Consent(table="orders"), answer)
    assert len(asked) == 3
    with pytest.raises(CancelledError):
        require_consent("orders", ACCOUNT, Consent(account=ACCOUNT), lambda _: "order")
    with pytest.raises(UnsafeError):
        require_consent("orders", ACCOUNT, Consent(yes=True), answer)


def test_nothing_to_repair_asks_nothing(desk: Desk) -> None:
    """Exit 0 without a name."""
    desk.backed_up(desk.table)
    done = desk.shell.run("repair", desk.table, "--from", "latest")
    assert done.code == 0, done.err
    assert "0 items" in done.out


def test_help(desk: Desk) -> None:
    """Of the command, and of its subcommand; a table may be called undo."""
    done = desk.shell.run("repair", "--help")
    assert done.code == 0
    assert "--where" in done.out
    assert "ID|TABLE" in desk.shell.run("repair", "undo", "--help").out
    assert "no backup of table undo" in desk.shell.run("repair", "table", "undo", "--from", "latest").err

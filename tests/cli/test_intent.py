"""Intents on the command line: declared, accounted for, revoked."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError
from rich.console import Console

from cli.intent_lines import damaged_lines, declared_lines, intent_lines, intents_list
from cli.settings import IntentSettings
from recovery.errors import DamagedObjectError
from rules.intents import Intent, IntentState
from watcher.facts.intent_usage import IntentUsage, UsedFor

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Desk

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DECLARE = ("intent", "declare", "--by", "oncall", "--for", "2h", "--reason", "clean up")
ID = "20261123T120000Z-1a2b3c4d"
LONG_ID = f"20261123T120500Z-{'x' * 200}-4a98792c"


def declared(**changes: Any) -> Intent:
    """An intent; but for its changes."""
    whole: dict[str, Any] = {
        "id": ID,
        "table": "preview-*",
        "by": "ci-preview",
        "starts": NOON,
        "until": NOON + timedelta(hours=2),
        "reason": "end of sprint",
        "declared_by": "arn:aws:iam::123456789012:user/oncall",
        "declared_at": NOON,
    }
    return Intent(**{**whole, **changes})


def account(
    *,
    covered: int = 0,
    beyond: int = 0,
    before: int = 0,
    state: IntentState = IntentState.ACTIVE,
    **changes: Any,
) -> IntentUsage:
    """The account of an intent that has that many changes."""
    one = UsedFor(NOON, "DeleteTable", "preview-orders", LONG_ID)
    return IntentUsage(
        declared(**changes), state, (one,) * covered, (one,) * beyond, (one,) * before, covered + beyond
    )


def shown(renderable: Any, width: int) -> str:
    """What is on a terminal of that width."""
    console = Console(width=width, file=io.StringIO(), highlight=False)
    console.print(renderable, crop=False)
    printed = console.file
    assert isinstance(printed, io.StringIO)
    return printed.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_the_list_at_every_width(width: int) -> None:
    """State, window, what, who and why are there; an id is never folded, so that it can be copied."""
    text = shown(intents_list([account(covered=5, stack="shop", ticket="OPS-12", app="nightly")]), width)
    lines = [line.strip() for line in text.splitlines()]
    assert lines[0].startswith("active    2026-11-23 12:00 to 2026-11-23 14:00 UTC")
    assert ID in lines
    for said in ("table preview-* of stack shop", "by ci-preview", "app nightly", "end of sprint (OPS-12)"):
        assert said in " ".join(lines)
    assert lines[-5:] == ["covered 5 changes", *["2026-11-23 12:00:00 DeleteTable preview-orders"] * 3, "and 2 earlier ones"]  # fmt: skip
    assert all(len(line) <= width for line in text.splitlines())


@pytest.mark.parametrize("width", [80, 120])
def test_one_intent_at_every_width(width: int) -> None:
    """Even the longest id of an incident stands whole on a line of its own."""
    revoked: dict[str, Any] = {"revoked_at": NOON, "revoked_by": "arn:aws:iam::123456789012:user/bob"}
    text = shown(
        intent_lines(account(covered=1, beyond=1, max_changes=1, state=IntentState.REVOKED, **revoked)), width
    )
    assert [line.strip() for line in text.splitlines()].count(LONG_ID) == 2
    for said in ("user/oncall", "user/bob", "1 change, 1 allowed", "over-used: 2 changes fit, 1 was allowed"):
        assert said in text


def test_what_is_wrong_is_said() -> None:
    """Unused and declared after the fact have a line each; what is in order has none."""
    odd = shown(intents_list([account(before=1, state=IntentState.OVER)]), 80)
    assert "unused" in odd
    assert "after the fact" in odd
    fine = shown(intents_list([account(covered=1, state=IntentState.OVER)]), 80)
    assert not any(word in fine for word in ("unused", "after the fact", "over-used"))


def test_who_declared_his_own_change_is_said() -> None:
    """In the list and in the whole account; where somebody else declared it, nothing is said."""
    own = replace(account(covered=1), self_declared=True)
    for lines in (intents_list([own]), intent_lines(own)):
        assert "declared by the actor himself" in shown(lines, 80)
    for lines in (intents_list([account(covered=1)]), intent_lines(account(covered=1))):
        assert "himself" not in shown(lines, 80)


def test_a_damaged_document_is_red() -> None:
    """Its key and what is wrong with it, and no markup or escape code of its own."""
    console = Console(
        width=80, file=io.StringIO(), highlight=False, force_terminal=True, color_system="standard"
    )
    console.print(damaged_lines([DamagedObjectError("intents/x\x1b[2J.json", "is cut")]), crop=False)
    printed = console.file
    assert isinstance(printed, io.StringIO)
    assert printed.getvalue().startswith("\x1b[31m")
    assert "is cut" in printed.getvalue()
    assert "\x1b[2J" not in printed.getvalue()


def test_text_of_others_cannot_move_the_cursor() -> None:
    """Names and reasons are somebody's text: no escape codes, no markup, no lines of their own."""
    evil = "\x1b[2J[bold]x\u202e\nok"
    one = account(covered=1, reason=evil, table=evil, by=evil, ticket=evil)
    for text in (
        shown(intents_list([one]), 120),
        shown(intent_lines(one), 120),
        shown(declared_lines(one.intent), 120),
    ):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "[bold]x" in text


def test_an_intent_with_everything(desk: Desk) -> None:
    """Every option arrives in the stored intent, with who declared it; stdout is JSON alone."""
    begins = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    intent = desk.json(
        *DECLARE, "--table", "preview-*", "--stack", "shop", "--operation", "DeleteTable", "--operation", "UpdateTable",
        "--from", begins.isoformat(), "--max-changes", "3", "--ticket", "OPS-12", "--session", "job-*",
        "--source-identity", "me", "--app", "ci", "--request-token", "t-1",
    )  # fmt: skip
    wanted = {
        "table": "preview-*", "stack": "shop", "operations": ["DeleteTable", "UpdateTable"], "max_changes": 3,
        "ticket": "OPS-12", "session": "job-*", "source_identity": "me", "app": "ci", "request_token": "t-1",
        "by": "oncall", "account": "123456789012", "region": "eu-west-1",
    }  # fmt: skip
    assert intent.items() >= wanted.items()
    assert intent["declared_by"].startswith("arn:aws:")
    assert datetime.fromisoformat(intent["starts"]) == begins
    assert desk.json("intent", "show", intent["id"])["state"] == "planned"


def test_from_declaration_to_account(desk: Desk) -> None:
    """A declared deletion is quiet and in the account; the one too many alerts; the revocation says who."""
    intent = desk.json(*DECLARE, "--table", f"{desk.table}*", "--max-changes", "1")
    for number in range(2):
        desk.send(deletion(f"{desk.table}-{number}"))
    assert desk.shell.run("watch", "--once").code == 0
    (loud,) = desk.json("incidents", "list")
    assert any(intent["id"] in reason for reason in loud["reasons"])
    (listed,) = desk.json("intent", "list")
    assert (listed["id"], listed["state"], listed["over_used"]) == (intent["id"], "active", True)
    assert len(listed["covered"]) == 1
    assert [one["incident"] for one in listed["beyond"]] == [loud["id"]]
    assert intent["id"] in desk.shell.run("intent", "list").out
    revoked = desk.json("intent", "revoke", intent["id"])
    assert revoked["revoked_by"] == intent["declared_by"]
    assert desk.json("intent", "list") == []
    assert [one["state"] for one in desk.json("intent", "list", "--all")] == ["revoked"]


def deletion(table: str) -> str:
    """The record of a deletion by the person on call, a second from now at most."""
    return json.dumps(
        {
            "eventVersion": "1.11",
            "eventID": f"e-{table}",
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": "dynamodb.amazonaws.com",
            "eventName": "DeleteTable",
            "awsRegion": "eu-west-1",
            "recipientAccountId": "123456789012",
            "userIdentity": {"type": "IAMUser", "userName": "oncall", "accountId": "123456789012"},
            "requestParameters": {"tableName": table},
        }
    )


def test_a_damaged_intent_is_listed_after_the_others(desk: Desk) -> None:
    """The readable ones are listed all the same; the damaged one is named, and the exit code is 13."""
    damaged = "net/intents/20261123T000000Z-cut.json"
    desk.aws.s3().put_object(Bucket=desk.table, Key=damaged, Body=b"{")
    alone = desk.shell.run("intent", "list")
    assert (alone.code, "no active" in alone.out) == (13, False)
    fine = desk.json(*DECLARE, "--table", "preview-*")
    done = desk.shell.run("intent", "list")
    assert done.code == 13
    assert done.out.index(fine["id"]) < done.out.index("damaged   intents/20261123T000000Z-cut.json")
    assert "It covers nothing" in done.err
    as_json = desk.shell.run("intent", "list", "--json")
    assert ([one["id"] for one in json.loads(as_json.out)], as_json.code) == ([fine["id"]], 13)
    assert "intents/20261123T000000Z-cut.json" in as_json.err


@pytest.mark.parametrize(("by", "table", "said"), [("*", "x", "--by"), ("oncall", "*", "--table")])
def test_an_intent_for_everything_is_unsafe(desk: Desk, by: str, table: str, said: str) -> None:
    """Exit 14 with what to narrow; nothing is stored."""
    done = desk.shell.run(*DECLARE, "--by", by, "--table", table)
    assert (done.code, done.out) == (14, "")
    assert said in done.err
    assert desk.json("intent", "list", "--all") == []


BAD_INPUT = [
    pytest.param([], "a table or a stack", id="nothing named"),
    pytest.param(["--table", "x", "--operation", "DeleteTabel"], "Did you mean DeleteTable?", id="typo"),
    pytest.param(["--table", "x", "--operation", "DeleteStack"], "--stack", id="a stack's operation without a stack"),
    pytest.param(["--table", "x", "--max-changes", "0"], "--max-changes", id="no changes"),
    pytest.param(["--table", "x", "--from", "2026-11-23T22:00"], "2026-11-23T22:00Z", id="a time without a zone"),
    pytest.param(["--table", "x", "--from", "tonight"], "2026-11-23T22:00Z", id="no time"),
    pytest.param(["--table", "x", "--from", "2020-01-01T00:00Z"], "past", id="in the past"),
    pytest.param(["--table", "x", "--for", "2d"], "intents.longest", id="longer than the settings allow"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "said"), BAD_INPUT)
def test_bad_declarations_are_told_in_a_line(desk: Desk, arguments: list[str], said: str) -> None:
    """Exit 2 with what to do about it, and nothing is stored."""
    done = desk.shell.run(*DECLARE, *arguments, SAFETYNET_INTENTS__LONGEST="24h")
    assert (done.code, done.out) == (2, ""), done.err
    assert said in done.err
    assert "Traceback" not in done.err


def test_what_alerts_all_the_same_is_said(desk: Desk) -> None:
    """No rule silences tampering, so who declares it learns that at once; stdout is still JSON."""
    done = desk.shell.run(*DECLARE, "--table", "x", "--operation", "UpdateContinuousBackups", "--json")
    assert json.loads(done.out)["operations"] == ["UpdateContinuousBackups"]
    assert "alert all the same" in done.err


@pytest.mark.parametrize(
    ("value", "span"),
    [("7d", timedelta(days=7)), ("12h", timedelta(hours=12)), ("12", timedelta(hours=12)), (1.5, timedelta(minutes=90)),
     ("90d", timedelta(days=90))],
)  # fmt: skip
def test_the_longest_intent_in_settings(value: object, span: timedelta) -> None:
    """A duration, or hours."""
    assert IntentSettings.model_validate({"longest": value}).longest == span


@pytest.mark.parametrize(
    "value", ["0", 0, -1, "91d", "nan", "inf", 1e300, "1 fortnight", "", None, True, [], {}]
)
def test_what_is_no_longest_intent(value: object) -> None:
    """Nothing, for ever, and what is no duration are refused."""
    with pytest.raises(ValidationError, match="longest"):
        IntentSettings.model_validate({"longest": value})


def test_a_bad_setting_names_its_line(desk: Desk, tmp_path: Path) -> None:
    """A maximum that would be none is a fault in the file, and no command goes on without it."""
    (tmp_path / "safetynet.yaml").write_text("intents:\n  longest: 400d\n", encoding="utf-8")
    done = desk.shell.run("intent", "list")
    assert done.code == 2
    assert "safetynet.yaml:2" in done.err
    assert "at most 90d" in done.err

"""`safetynet status`: one screen that says how the net is, and an exit code that says whether all is well."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from cli.main import COMMANDS
from cli.rendering import Trimmed
from cli.status_lines import status_document, status_line, status_table
from recovery.clock import utc_now
from recovery.vault.s3 import S3Vault
from tests.watcher.health.test_health import WELL, alert, canary, depths
from tests.watcher.watching import NOON
from watcher.health.canary import Canaries, is_canary
from watcher.health.canary_queue import QueueCanarySender
from watcher.health.health import Check, CheckState, Health, IncidentsNow, Observed, health_of
from watcher.health.heartbeat import Heart

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tests.cli.conftest import Desk


@pytest.fixture(autouse=True)
def _the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is there, whatever its line in the overview says."""
    monkeypatch.setitem(COMMANDS, "status", ("cli.commands.status", "How the net itself is."))


def rendered(what: RenderableType) -> list[str]:
    """As on a terminal of 80 columns."""
    console = Console(file=io.StringIO(), width=80, highlight=False)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def vault_of(desk: Desk) -> S3Vault:
    """The desk's vault."""
    return S3Vault(desk.aws.s3(), desk.table, "net")


def with_dead_letters(desk: Desk) -> str:
    """Give the desk's queue a dead-letter queue; its URL."""
    sqs = desk.aws.sqs()
    url = sqs.create_queue(QueueName=f"{desk.table}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "5"})
    sqs.set_queue_attributes(QueueUrl=desk.queue_url, Attributes={"RedrivePolicy": policy})
    return url


def test_all_is_well(desk: Desk) -> None:
    """A watcher that beats, a canary that arrived by the real queue, a backup: exit 0, and the same as JSON."""
    with_dead_letters(desk)
    desk.backed_up(desk.table)
    vault = vault_of(desk)
    Heart(vault, utc_now, "one", version="1.2.3", source=desk.queue_url).beat()
    canaries = Canaries(
        vault, utc_now, QueueCanarySender(desk.aws.sqs(), desk.queue_url), "one", timedelta(minutes=5)
    )
    canaries.send_due()
    (message,) = desk.aws.sqs().receive_message(QueueUrl=desk.queue_url)["Messages"]
    arrived = is_canary(message["Body"].encode())
    assert arrived is not None
    assert canaries.arrived(arrived)
    desk.aws.sqs().delete_message(QueueUrl=desk.queue_url, ReceiptHandle=message["ReceiptHandle"])

    done = desk.shell.run("status", COLUMNS="80")
    assert done.code == 0, done.err + done.out
    for words in ("1 alive", "arrived 0 s ago", "0 waiting", "all are sent", "1 table,", "All is well"):
        assert words in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    document = desk.json("status")
    assert document["ok"]
    assert document["queue"]["dead_letters"] == 0
    assert [one["watcher"] for one in document["watchers"]] == ["one"]
    assert {one["state"] for one in document["checks"]} == {"ok"}


def test_what_is_not_well_has_an_exit_code(desk: Desk) -> None:
    """No watcher, no backup, a message given up: exit 3, with what to do; JSON is there all the same."""
    dead = with_dead_letters(desk)
    desk.aws.sqs().send_message(QueueUrl=dead, MessageBody="{")
    done = desk.shell.run("status")
    assert done.code == 3
    assert "no watcher has ever run" in done.out
    assert "Start it: safetynet watch." in done.out
    assert "not well: watcher, dead letters, backups" in done.err
    machine = desk.shell.run("status", "--json")
    assert machine.code == 3
    assert not json.loads(machine.out)["ok"]


def test_a_queue_that_is_not_there_is_one_line(desk: Desk) -> None:
    """What cannot be looked at is told, and the rest is shown."""
    done = desk.shell.run("status", SAFETYNET_QUEUE_URL=f"{desk.queue_url}-gone")
    assert done.code == 3
    assert "could not be looked at: no queue" in done.out


def test_a_vault_that_is_not_there_is_an_error_of_its_own(desk: Desk) -> None:
    """Then nothing can be told, and the code says why."""
    assert desk.shell.run("status", SAFETYNET_VAULT="s3://there-is-no-such-bucket/net").code == 10


def test_the_screen() -> None:
    """State, name, words, and under it what to do; 80 columns, whatever is in it."""
    whole: dict[str, Any] = {name: getattr(WELL, name) for name in WELL.__dataclass_fields__}
    unsent = IncidentsNow(unsent=(alert(42, "slack: not_in_channel " + "x" * 200),))
    health = health_of(
        Observed(**{**whole, "queue": depths(dead=2), "incidents": unsent, "canary": canary(20)}), NOON
    )
    lines = rendered(Trimmed(status_table(health)))
    assert max(map(len, lines)) <= 80
    assert lines[0] == "ok   watcher             1 alive, last beat 10 s ago, version 1.2.3"
    assert "bad  dead letters        2 given up" in lines
    assert "                         Their incidents say why: safetynet incidents list." in lines
    assert any(
        line.startswith("bad  alerts              1 unsent (slack), the oldest for 42 min") for line in lines
    )
    (last,) = rendered(status_line(health, "s3://vault/net", NOON))
    assert last == "3 troubles: s3://vault/net, 2026-11-23 12:00:00 UTC"


def test_foreign_text_stays_text() -> None:
    """Errors may hold what somebody else wrote: no markup, no control characters reach the terminal."""
    check = Check("alerts", CheckState.BAD, "[bold]x[/bold] \x1b[31mred\u202e", "see [link]")
    lines = rendered(status_table(Health((check,))))
    assert "[bold]x[/bold]" in lines[0]
    assert "see [link]" in "".join(lines)
    assert "\x1b" not in "".join(lines)
    assert "\u202e" not in "".join(lines)


def test_warnings_are_well() -> None:
    """They are counted, and the line stays green."""
    health = Health((Check("canary", CheckState.WARN, "late"),))
    (line,) = rendered(status_line(health, "s3://vault/net", datetime(2026, 11, 23, 12, tzinfo=UTC)))
    assert line == "All is well, 1 warning: s3://vault/net, 2026-11-23 12:00:00 UTC"


def test_the_document_can_be_written() -> None:
    """Everything that was read is in it, as JSON knows it."""
    document = json.loads(json.dumps(status_document(health_of(WELL, NOON), WELL, "s3://vault/net", NOON)))
    assert document["ok"]
    assert document["canary"]["arrived"]["seconds"] == 4
    assert document["positions"] == {"queue": "2026-11-23T11:58:00+00:00"}
    assert document["availability"][0]["region"] == "eu-west-1"
    assert document["backups"] == [
        {
            "account": "123456789012",
            "region": "eu-west-1",
            "table": "orders",
            "newest": "2026-11-23T02:00:00+00:00",
        }
    ]

"""The commands as people type them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import CHANNEL
from tests.cli.running import Shell
from tests.watcher.watching import delete_table

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Desk


def deletion(desk: Desk) -> bytes:
    """Delete the table, and the event that tells of it."""
    desk.aws.dynamodb().delete_table(TableName=desk.table)
    return delete_table(desk.table, eventTime=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")


def test_from_backup_to_recovered_table(desk: Desk) -> None:
    """Backup run, list, a deletion, watch, incidents, recover --dry-run, recover: the items are back."""
    before = desk.items(desk.table)
    (backup,) = desk.backed_up(desk.table)
    assert (backup["table"], backup["items"]) == (desk.table, 3)
    assert [one["backup_id"] for one in desk.json("backup", "list", desk.table)] == [backup["backup_id"]]
    desk.send(deletion(desk))
    watched = desk.shell.run("watch", "--once")
    assert watched.code == 0, watched.err
    (incident,) = desk.json("incidents", "list")
    (message,) = desk.slack.visible(CHANNEL)
    assert incident["recover_command"] in str(message.blocks)
    plan = desk.json("recover", incident["id"], "--dry-run")
    assert (plan["backup_id"], plan["item_count"]) == (backup["backup_id"], 3)
    report = desk.json("recover", incident["id"], "--yes")
    assert (report["items_verified"], report["differences"], report["follow_ups"]) == (3, [], [])
    assert desk.items(desk.table) == before
    assert desk.json("incidents", "show", incident["id"])["state"] == "recovered"
    texts = [reply.text for reply in desk.slack.replies(CHANNEL, message.ts)]
    assert len(texts) == 2
    assert "Recovered" in texts[1]
    assert "Recovered" in desk.slack.visible(CHANNEL)[0].text


def test_a_dry_run_writes_nothing(desk: Desk) -> None:
    """After --dry-run the vault holds what it held, and no table was made."""
    desk.backed_up(desk.table)
    desk.aws.dynamodb().delete_table(TableName=desk.table)
    bucket = desk.shell.exports["SAFETYNET_VAULT"].split("/")[2]

    def vault() -> list[tuple[str, str]]:
        found = desk.aws.s3().list_objects_v2(Bucket=bucket).get("Contents", [])
        return [(entry["Key"], entry["ETag"]) for entry in found]

    before = vault()
    for arguments in (("recover", desk.table, "--dry-run"), ("backup", "run", "*", "--dry-run")):
        desk.shell.run(*arguments)
    assert vault() == before
    assert desk.table not in desk.aws.dynamodb().list_tables()["TableNames"]


def test_recover_asks_for_a_terminal(desk: Desk) -> None:
    """Without a terminal and without --yes nothing is done."""
    desk.backed_up(desk.table)
    desk.aws.dynamodb().delete_table(TableName=desk.table)
    done = desk.shell.run("recover", desk.table, typed=f"{desk.table}\n")
    assert (done.code, "pass --yes" in done.err) == (2, True)


def test_wrong_slack_settings_do_not_stop_a_recovery(desk: Desk) -> None:
    """A token without a channel: the table comes back all the same, and the incident still owes its news."""
    desk.backed_up(desk.table)
    desk.send(deletion(desk))
    assert desk.shell.run("watch", "--once").code == 0
    (incident,) = desk.json("incidents", "list")
    # In a process of its own, whose log lines nobody catches.
    shell = Shell(desk.shell.exports, desk.shell.folder)
    done = shell.run("recover", incident["id"], "--yes", SAFETYNET_SLACK__CHANNEL="")
    assert done.code == 0, done.err
    assert "no channel" in done.err
    entries = desk.json("incidents", "show", incident["id"])["outbox"]
    assert [entry["state"] for entry in entries] == ["sent", "pending", "pending"]


def test_an_existing_table_is_refused(desk: Desk) -> None:
    """--yes alone never overwrites: exit 14, and the table is what it was."""
    desk.backed_up(desk.table)
    before = desk.items(desk.table)
    done = desk.shell.run("recover", desk.table, "--yes")
    assert done.code == 14
    assert "exists" in done.err
    assert desk.items(desk.table) == before


def test_recovery_under_another_name(desk: Desk) -> None:
    """--as brings a copy back beside the living table."""
    desk.backed_up(desk.table)
    report = desk.json("recover", desk.table, "--as", f"{desk.table}-copy", "--yes")
    assert report["items_verified"] == 3
    assert desk.items(f"{desk.table}-copy") == desk.items(desk.table)
    desk.send(deletion(desk))
    assert desk.shell.run("watch", "--once").code == 0
    (incident,) = desk.json("incidents", "list")
    desk.json("recover", incident["id"], "--as", f"{desk.table}-second", "--yes")
    assert desk.json("incidents", "show", incident["id"])["state"] == "open"


def test_staging_from_the_settings_file(desk: Desk, tmp_path: Path) -> None:
    """Stage run makes the testing table, and refuses one that has no marker tag."""
    desk.backed_up(desk.table)
    target = f"{desk.table}-test"
    settings = {
        "staging": {
            "account": "123456789012",
            "region": "eu-west-1",
            "tables": [{"source": desk.table, "target": target}],
        }
    }
    (tmp_path / "safetynet.yaml").write_text(json.dumps(settings), encoding="utf-8")
    for _ in range(2):
        assert desk.json("stage", "run", "--yes") == [{"table": target, "items_verified": 3}]
    assert desk.items(target) == desk.items(desk.table)
    arn = desk.aws.dynamodb().describe_table(TableName=target)["Table"]["TableArn"]
    desk.aws.dynamodb().untag_resource(ResourceArn=arn, TagKeys=["safetynet:staging"])
    refused = desk.shell.run("stage", "run", "--yes")
    assert (refused.code, "no tag" in refused.err) == (14, True)


def test_intents_from_declaration_to_revocation(desk: Desk) -> None:
    """Declare stores it, list shows it, revoke ends it."""
    declared = desk.json(
        "intent", "declare", "--table", "preview-*", "--by", "ci", "--for", "2h", "--reason", "clean up"
    )
    assert [one["id"] for one in desk.json("intent", "list")] == [declared["id"]]
    assert desk.shell.run("intent", "revoke", declared["id"]).code == 0
    assert desk.json("intent", "list") == []
    assert [one["id"] for one in desk.json("intent", "list", "--all")] == [declared["id"]]


def test_the_schedule_is_listed_in_its_time_zone(desk: Desk, tmp_path: Path) -> None:
    """Schedule list says when each job runs next."""
    settings = {
        "schedule": {"timezone": "Europe/Vienna", "backup": "0 2 * * 0"},
        "backup": {"tables": ["x*"]},
    }
    (tmp_path / "safetynet.yaml").write_text(json.dumps(settings), encoding="utf-8")
    (job,) = desk.json("schedule", "list")
    run = datetime.fromisoformat(job["next"])
    assert (job["job"], run.strftime("%A %H:%M")) == ("backup", "Sunday 02:00")


def test_a_poison_message_is_alerted_and_stays(desk: Desk) -> None:
    """An event that is not JSON: one alert, and it is still on the queue for the dead-letter queue."""
    desk.send("{ not json")
    watched = desk.shell.run("watch", "--once")
    assert "Traceback" not in watched.err
    (message,) = desk.slack.visible(CHANNEL)
    assert "cannot be understood" in message.text
    attributes = desk.aws.sqs().get_queue_attributes(
        QueueUrl=desk.queue_url, AttributeNames=["ApproximateNumberOfMessagesNotVisible"]
    )["Attributes"]
    assert attributes["ApproximateNumberOfMessagesNotVisible"] == "1"


BAD_INPUT = [
    pytest.param(["incidents", "list"], {"SAFETYNET_VAULT": ""}, 2, "no vault is set", id="no vault"),
    pytest.param(["backup", "list"], {"SAFETYNET_VAULT": "bucket"}, 2, "s3://BUCKET/PREFIX", id="not a location"),
    pytest.param(["backup", "list"], {"SAFETYNET_VAULT": "s3://is-not-there"}, 10, "SAFETYNET_VAULT", id="missing vault"),
    pytest.param(["watch"], {"SAFETYNET_SLACK__TOKEN": ""}, 2, "token", id="empty Slack token"),
    pytest.param(["watch"], {"SAFETYNET_SLACK__TOKEN": "xoxb-wrong"}, 12, "invalid_auth", id="wrong Slack token"),
    pytest.param(["watch"], {"SAFETYNET_QUEUE_URL": ""}, 2, "SAFETYNET_QUEUE_URL", id="no queue"),
    pytest.param(["recover", "never-seen"], {}, 10, "no backup in the vault for table never-seen", id="no backup"),
    pytest.param(["incidents", "show", "nonsense"], {}, 10, "not an incident id", id="not an incident"),
    pytest.param(["backup", "run", "no-such-*"], {}, 10, "no table", id="no table"),
    pytest.param(["backup", "run"], {}, 2, "no tables are named", id="nothing named"),
    pytest.param(["stage", "run"], {}, 2, "no staging is configured", id="no staging"),
    pytest.param(["schedule", "run"], {}, 2, "nothing is scheduled", id="no schedule"),
    pytest.param(["rules", "check", "no-such-file.yaml"], {}, 2, "no such rule file", id="no rule file"),
    pytest.param(["intent", "list", "--config", "none.yaml"], {}, 2, "no such settings file", id="no settings"),
    pytest.param(["intent", "declare", "--table", "x", "--by", "y", "--for", "1 fortnight", "--reason", "z"], {}, 2, "not a duration", id="no duration"),
    pytest.param(["backup", "run", "x"], {"AWS_REGION": ""}, 2, "region", id="no region"),
    pytest.param(["backup", "list"], {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, 12, "Log in", id="no credentials"),
    pytest.param(["backup", "list", "--profile", "nobody"], {}, 12, "nobody", id="no such profile"),
    pytest.param(["backup", "list"], {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}, 15, "127.0.0.1:9", id="out of reach"),
    pytest.param(["recovr"], {}, 2, "recover", id="typo"),
    pytest.param(["demo"], {}, 2, "--yes", id="demo without a terminal"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "exports", "code", "said"), BAD_INPUT)
def test_bad_input_is_told_in_a_line(
    desk: Desk, arguments: list[str], exports: dict[str, str], code: int, said: str
) -> None:
    """Each has its exit code and says what to do; nobody sees a traceback, and stdout stays empty."""
    done = desk.shell.run(*arguments, **exports)
    assert done.code == code, done.err
    assert said in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


def test_a_missing_vault_leaves_the_messages_alone(desk: Desk) -> None:
    """The watcher looks at the vault before it receives, so that no message is used up."""
    desk.send(delete_table(desk.table))
    for arguments in (["watch"], ["watch", "--once"]):
        done = desk.shell.run(*arguments, SAFETYNET_VAULT="s3://is-not-there")
        assert (done.code, "Traceback" in done.err) == (10, False)
    received = desk.aws.sqs().receive_message(
        QueueUrl=desk.queue_url, MessageSystemAttributeNames=["ApproximateReceiveCount"]
    )["Messages"]
    assert [one["Attributes"]["ApproximateReceiveCount"] for one in received] == ["1"]


def test_faults_in_files_are_named_by_line(desk: Desk, tmp_path: Path) -> None:
    """A typo, an unknown key and a duplicate id: file, line, column, and what was meant; exit 2."""
    rule = "  - id: one\n    verdict: intentional\n    match: {source: [aws.dynamodb]}\n"
    (tmp_path / "rules.yaml").write_text(
        f"version: 1\nrules:\n{rule}{rule}    unles: {{}}\n", encoding="utf-8"
    )
    done = desk.shell.run("rules", "check", "rules.yaml")
    assert done.code == 2
    assert "rules.yaml:9:5: error: unknown key 'unles'; did you mean 'unless'? [schema]" in done.out
    (tmp_path / "rules.yaml").write_text(f"version: 1\nrules:\n{rule}{rule}", encoding="utf-8")
    done = desk.shell.run("rules", "check", "rules.yaml")
    assert "rules.yaml:6:5: error: rule id 'one' is already used at rules.yaml:3 [schema]" in done.out
    assert "Traceback" not in done.err
    (tmp_path / "safetynet.yaml").write_text("vault: s3://a-bucket\nslak: {}\n", encoding="utf-8")
    done = desk.shell.run("incidents", "list")
    assert "safetynet.yaml:2:1: unknown key 'slak'; did you mean 'slack'?" in done.err
    assert done.code == 2


def test_a_damaged_backup_is_named_and_never_restored(desk: Desk) -> None:
    """One changed byte: list still works, recover ends with exit 13, names the object, makes no table."""
    desk.backed_up(desk.table)
    bucket = desk.shell.exports["SAFETYNET_VAULT"].split("/")[2]
    s3 = desk.aws.s3()
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    key = next(entry["Key"] for entry in listed if "/data/" in entry["Key"])
    body = bytearray(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    body[-1] ^= 1
    s3.put_object(Bucket=bucket, Key=key, Body=bytes(body))
    desk.aws.dynamodb().delete_table(TableName=desk.table)
    done = desk.shell.run("recover", desk.table, "--yes")
    assert done.code == 13
    assert key.removeprefix("net/") in done.err
    assert desk.table not in desk.aws.dynamodb().list_tables()["TableNames"]


def test_a_rule_test_that_fails_says_why(desk: Desk, tmp_path: Path) -> None:
    """Rules test: exit 2, what was expected and what came, and where the test stands."""
    (tmp_path / "rules.yaml").write_text(
        "version: 1\ntests:\n  - name: wrong\n    event: {eventName: DeleteTable, requestParameters: {tableName: t-1}}\n"
        "    expect: {verdict: intentional}\n",
        encoding="utf-8",
    )
    done = desk.shell.run("rules", "test", "rules.yaml")
    assert done.code == 2
    assert "FAIL wrong" in done.out
    assert "expected intentional, got suspicious" in done.out
    assert "rules.yaml:3" in done.out

"""`safetynet backup` as people type it: run, list, show, verify, adopt."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import CHANNEL

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Desk


def vault_bucket(desk: Desk) -> str:
    """The bucket of the vault."""
    return desk.shell.exports["SAFETYNET_VAULT"].split("/")[2]


def keys(desk: Desk, bucket: str, prefix: str = "") -> list[str]:
    """All keys of a bucket."""
    found = desk.aws.s3().list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return [entry["Key"] for entry in found]


def other_table(desk: Desk, suffix: str, **tags: str) -> str:
    """One more table, of one item."""
    name = f"{desk.table}{suffix}"
    client = desk.aws.dynamodb()
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    client.put_item(TableName=name, Item={"id": {"S": "only"}})
    return name


def test_run_tells_machines_a_line_for_each_event(desk: Desk) -> None:
    """Started, done and a summary, each a JSON document of its own with a time; nothing else on stdout."""
    started, done, summary = desk.lines("backup", "run", desk.table)
    assert (started["event"], started["table"]) == ("started", desk.table)
    assert (done["event"], done["items"], done["engine"], done["resumed"]) == ("done", 3, "scan", False)
    assert done["read_units"] >= 0
    assert (summary["event"], summary["done"], summary["failed"], summary["items"]) == ("summary", 1, 0, 3)
    assert all(line["time"].endswith("+00:00") for line in (started, done, summary))


def test_one_failed_table_does_not_stop_the_others(desk: Desk) -> None:
    """Exit 3 and a summary: what could be done is done, what could not is named with its reason."""
    half = other_table(desk, "-half", **{"safetynet:run": "some-run"})
    lines = desk.lines("backup", "run", f"{desk.table}*", code=3)
    assert {
        line["event"]: line.get("table", line.get("what")) for line in lines if line["event"] != "started"
    } == {
        "done": desk.table,
        "failed": half,
        "summary": None,
    }
    failed = next(line for line in lines if line["event"] == "failed")
    assert "is being recovered" in failed["error"]
    assert failed["exit_code"] == 14
    people = desk.shell.run("backup", "run", f"{desk.table}*")
    assert people.code == 3
    assert f"{half}: not done" in people.out
    assert f"{desk.table}: 3 items" in people.out


def test_tables_by_tag_and_by_pattern(desk: Desk) -> None:
    """--tag narrows what the patterns say; alone it looks at every table."""
    tagged = other_table(desk, "-tagged", owner=desk.table)
    other_table(desk, "-other", owner="nobody")
    wanted = desk.json("backup", "run", f"{desk.table}*", "--tag", f"owner={desk.table}", "--dry-run")
    assert wanted == {"tables": [tagged]}
    assert desk.json("backup", "run", "--tag", f"owner={desk.table}", "--dry-run") == {"tables": [tagged]}
    none = desk.shell.run("backup", "run", f"{desk.table}*", "--tag", "owner=else")
    assert none.code == 10
    wrong = desk.shell.run("backup", "run", "--tag", "owner")
    assert (wrong.code, "KEY=VALUE" in wrong.err) == (2, True)


TEMPLATE = {
    "Resources": {
        "Orders": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            },
        }
    }
}


def test_the_tables_of_a_stack(desk: Desk) -> None:
    """--stack backs up the tables of a stack, and the stack is captured alongside."""
    stack = f"{desk.table}-stack"
    desk.aws.session.client("cloudformation", endpoint_url=desk.aws.endpoint_url).create_stack(
        StackName=stack, TemplateBody=json.dumps(TEMPLATE), Tags=[{"Key": "team", "Value": "shop"}]
    )
    *_, summary = desk.lines("backup", "run", "--stack", stack)
    assert summary["done"] == 1
    (key,) = [key for key in keys(desk, vault_bucket(desk), "net/stacks/") if f"/{stack}/" in key]
    body = desk.aws.s3().get_object(Bucket=vault_bucket(desk), Key=key)["Body"].read()
    captured = json.loads(body)
    assert "AWS::DynamoDB::Table" in body.decode()
    assert captured["stack_name" if "stack_name" in captured else "name"] == stack


def test_show_and_list(desk: Desk) -> None:
    """Show tells definition, sizes, consistency and cost; list the engine."""
    (backup,) = desk.backed_up(desk.table)
    shown = desk.shell.run("backup", "show", desk.table, COLUMNS="100")
    assert shown.code == 0, shown.err
    for words in (
        backup["backup_id"],
        "per item only",
        "id (S, hash)",
        "pay-per-request",
        "not verified yet",
        "less than a cent",
    ):
        assert words in shown.out
    document = desk.json("backup", "show", desk.table, backup["backup_id"])
    assert document["manifest"]["item_count"] == 3
    assert document["definition"]["table"]["name"] == desk.table
    assert document["frozen"] is None
    (listed,) = desk.json("backup", "list", desk.table)
    assert (listed["engine"], listed["continues"], listed["suspicious"]) == ("scan", None, False)
    assert desk.shell.run("backup", "show", "no-such-table").code == 10


def test_verify_ends_with_one_of_three_outcomes(desk: Desk) -> None:
    """Pass is exit 0; one changed byte is fail, exit 13, and names the object."""
    desk.backed_up(desk.table)
    assert desk.json("backup", "verify", desk.table)["outcome"] == "pass"
    full = desk.json("backup", "verify", desk.table, "--full")
    assert (full["outcome"], full["content"]["item_count"]) == ("pass", 3)
    assert "(verified)" in desk.shell.run("backup", "show", desk.table, COLUMNS="160").out
    assert desk.json("backup", "verify", desk.table, "--sample", "1/1")["depth"] == "full"
    assert desk.json("backup", "verify", desk.table, "--sample", "10%")["outcome"] == "pass"
    bucket = vault_bucket(desk)
    key = next(key for key in keys(desk, bucket, "net/backups/") if "/data/" in key)
    body = bytearray(desk.aws.s3().get_object(Bucket=bucket, Key=key)["Body"].read())
    body[-1] ^= 1
    desk.aws.s3().put_object(Bucket=bucket, Key=key, Body=bytes(body))
    done = desk.shell.run("backup", "verify", desk.table, "--full")
    assert done.code == 13
    assert "fail" in done.out
    assert key.rpartition("/")[2] in done.out.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize("sample", ["0/3", "4/3", "0%", "101%", "x", "1/0"])
def test_a_sample_that_is_none(desk: Desk, sample: str) -> None:
    """A usage error that says how to write one."""
    done = desk.shell.run("backup", "verify", desk.table, "--sample", sample)
    assert (done.code, "3/28" in done.err) == (2, True)


def test_a_table_that_shrank_alerts(desk: Desk) -> None:
    """Most items gone since the last backup: an incident, a message, and the older backups are kept."""
    desk.backed_up(desk.table)
    for number in range(2):
        desk.aws.dynamodb().delete_item(TableName=desk.table, Key={"id": {"S": f"item-{number}"}})
    done = desk.shell.run("backup", "run", desk.table)
    assert done.code == 0, done.err
    assert "SUSPICIOUS" in done.out
    (incident,) = desk.json("incidents", "list")
    assert (incident["verdict"], incident["severity"]) == ("suspicious", "high")
    (message,) = desk.slack.visible(CHANNEL)
    assert "fewer than the 3" in str(message.blocks)
    shown = desk.shell.run("backup", "show", desk.table, COLUMNS="160")
    assert "frozen" in shown.out
    command = incident["recover_command"].split()[1:]
    beside = desk.shell.run(*command, "--yes")
    assert beside.code == 0, beside.err
    assert len(desk.items(f"{desk.table}-before")) == 3


def test_how_backups_are_kept(desk: Desk) -> None:
    """Storage class, key and packing of the settings are those of the objects; leases are not locked away."""
    desk.lines(
        "backup",
        "run",
        desk.table,
    )
    exports = {
        "SAFETYNET_BACKUP__STORAGE_CLASS": "STANDARD_IA",
        "SAFETYNET_BACKUP__KMS_KEY": "alias/backups",
        "SAFETYNET_BACKUP__COMPRESSION": "zstd",
    }
    done = desk.shell.run("backup", "run", desk.table, **exports)
    assert done.code == 0, done.err
    s3, bucket = desk.aws.s3(), vault_bucket(desk)
    key = next(key for key in keys(desk, bucket, "net/backups/") if key.endswith(".json.zst"))
    head = s3.head_object(Bucket=bucket, Key=key)
    assert (head["StorageClass"], head["ServerSideEncryption"]) == ("STANDARD_IA", "aws:kms")
    lease = next(key for key in keys(desk, bucket, "net/leases/"))
    assert s3.head_object(Bucket=bucket, Key=lease).get("StorageClass", "STANDARD") == "STANDARD"


def test_object_lock(desk: Desk) -> None:
    """With object_lock nobody can delete a backup before its days are over."""
    bucket = f"{vault_bucket(desk)}-locked"
    desk.aws.s3().create_bucket(
        Bucket=bucket,
        ObjectLockEnabledForBucket=True,
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
    )
    lock = json.dumps({"mode": "GOVERNANCE", "days": 30})
    done = desk.shell.run(
        "backup", "run", desk.table, SAFETYNET_VAULT=f"s3://{bucket}/net", SAFETYNET_BACKUP__OBJECT_LOCK=lock
    )
    assert done.code == 0, done.err
    for key in keys(desk, bucket, "net/backups/"):
        head = desk.aws.s3().head_object(Bucket=bucket, Key=key)
        assert head["ObjectLockMode"] == "GOVERNANCE"
    for key in keys(desk, bucket, "net/leases/"):
        assert "ObjectLockMode" not in desk.aws.s3().head_object(Bucket=bucket, Key=key)


def test_a_second_copy(desk: Desk) -> None:
    """With a replica every backup is in both vaults, and the second alone is enough to recover from."""
    bucket = f"{vault_bucket(desk)}-replica"
    desk.aws.s3().create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    replica = json.dumps({"vault": f"s3://{bucket}/copy"})
    done = desk.shell.run("backup", "run", desk.table, SAFETYNET_BACKUP__REPLICA=replica)
    assert done.code == 0, done.err
    assert "copied to the replica" in done.out
    there = {key.removeprefix("copy/") for key in keys(desk, bucket, "copy/backups/")}
    assert there == {key.removeprefix("net/") for key in keys(desk, vault_bucket(desk), "net/backups/")}
    items = desk.items(desk.table)
    desk.aws.dynamodb().delete_table(TableName=desk.table)
    back = desk.shell.run("recover", desk.table, "--yes", SAFETYNET_VAULT=f"s3://{bucket}/copy")
    assert back.code == 0, back.err
    assert desk.items(desk.table) == items


def test_a_replica_that_cannot_be_reached(desk: Desk) -> None:
    """The backup is made; exit 3 says that its copy is not."""
    replica = json.dumps({"vault": "s3://no-such-bucket-anywhere/copy"})
    done = desk.shell.run("backup", "run", desk.table, SAFETYNET_BACKUP__REPLICA=replica)
    assert done.code == 3
    assert "the copy of" in done.out
    assert len(desk.json("backup", "list", desk.table)) == 1


def test_adopt_what_backup_run_wrote(desk: Desk) -> None:
    """Our own data is in the form of an export: another vault adopts it where it lies, and recovers from it."""
    desk.backed_up(desk.table)
    bucket = vault_bucket(desk)
    summary = next(key for key in keys(desk, bucket) if key.endswith("manifest-summary.json"))
    other = f"{bucket}-other"
    desk.aws.s3().create_bucket(Bucket=other, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    exports = {"SAFETYNET_VAULT": f"s3://{other}/net"}
    done = desk.shell.run(
        "backup", "adopt", f"s3://{bucket}/{summary.rpartition('/')[0]}", "--json", **exports
    )
    assert done.code == 0, done.err
    (adopted,) = json.loads(done.out)
    assert (adopted["table"], adopted["items"]) == (desk.table, 3)
    assert desk.shell.run("backup", "verify", desk.table, "--full", **exports).code == 0
    copy = f"{desk.table}-copy"
    back = desk.shell.run("recover", desk.table, "--as", copy, "--yes", **exports)
    assert back.code == 0, back.err
    assert desk.items(copy) == desk.items(desk.table)


def dump(folder: Path, table: str, last_key: dict[str, Any] | None = None) -> Path:
    """What dynamodump writes."""
    data = folder / "dump" / table / "data"
    data.mkdir(parents=True)
    schema = {
        "Table": {
            "TableName": table,
            "CreationDateTime": "2024-05-01T10:00:00+00:00",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
        }
    }
    (data.parent / "schema.json").write_text(json.dumps(schema, indent=2), encoding="utf-8")
    page: dict[str, Any] = {"Items": [{"id": {"S": "a"}, "bin": {"B": "AP8="}}], "Count": 1}
    if last_key:
        page["LastEvaluatedKey"] = last_key
    (data / "0001.json").write_text(json.dumps(page, indent=2), encoding="utf-8")
    return folder / "dump"


def test_adopt_a_dump(desk: Desk, tmp_path: Path) -> None:
    """A dump of dynamodump becomes a backup that can be recovered from."""
    table = f"{desk.table}-dumped"
    path = dump(tmp_path, table)
    (adopted,) = desk.json("backup", "adopt", str(path), "--format", "dynamodump")
    assert (adopted["table"], adopted["items"]) == (table, 1)
    done = desk.shell.run("recover", table, "--yes")
    assert done.code == 0, done.err
    assert desk.items(table) == [{"id": {"S": "a"}, "bin": {"B": b"\x00\xff"}}]


def test_a_dump_that_was_broken_off(desk: Desk, tmp_path: Path) -> None:
    """The tool that wrote it said completed; we say what is wrong, exit 13, and have no backup of it."""
    table = f"{desk.table}-cut"
    path = dump(tmp_path, table, {"id": {"S": "a"}})
    done = desk.shell.run("backup", "adopt", str(path), "--format", "dynamodump")
    assert done.code == 13
    assert "broken off" in done.err
    assert desk.json("backup", "list", table) == []


def test_a_scan_is_in_the_form_of_an_export(desk: Desk) -> None:
    """Gzip lines of {"Item": ...} in DynamoDB JSON, as ImportTable, Glue, Athena and pandas read them."""
    desk.backed_up(desk.table)
    bucket = vault_bucket(desk)
    key = next(key for key in keys(desk, bucket) if "/data/" in key)
    lines = gzip.decompress(desk.aws.s3().get_object(Bucket=bucket, Key=key)["Body"].read()).splitlines()
    assert sorted(json.loads(line)["Item"]["id"]["S"] for line in lines) == ["item-0", "item-1", "item-2"]

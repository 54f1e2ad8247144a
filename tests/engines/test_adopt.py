"""`backup adopt` makes backups of what others wrote: exports of DynamoDB's own, and dumps of dynamodump."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from recovery.testing.embedded_aws import EXAMPLE_KEYS, LOOPBACK, REGION
from recovery.testing.equality import different_items, items
from tests.engines.dump import dump
from tests.engines.engine import INSTALLED
from tests.engines.native_export import export

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engines.desk import Desk

DYNAMODUMP = INSTALLED / "dynamodump" / "bin" / "python"
# It starts 25 workers a second apart; one is enough for one table.
ONE_WORKER = "from dynamodump import dynamodump as it; it.MAX_NUMBER_BACKUP_WORKERS = 1; it.main()"


@pytest.fixture
def source(desk: Desk, table: str) -> str:
    """An export of the table."""
    return exported(desk, table)


def exported(desk: Desk, table: str) -> str:
    """Write an export into a bucket that is not the vault's; its address."""
    bucket = f"{desk.name}-exports"
    desk.engine.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return export(desk.engine, table, items(desk.engine.aws, table), bucket, "of/last year")


def adopt(desk: Desk, *arguments: str) -> list[dict[str, Any]]:
    """Adopt, and say what was adopted."""
    adopted: list[dict[str, Any]] = desk.json("backup", "adopt", "--json", *arguments)
    return adopted


def test_an_export_is_recovered_from(desk: Desk, edges: str) -> None:
    """A native export becomes a backup like any other: listed, verified, and every item of it comes back."""
    before = desk.state(edges)
    (adopted,) = adopt(desk, exported(desk, edges))
    assert (adopted["table"], adopted["items"]) == (edges, len(before[0]))
    assert [one["backup_id"] for one in desk.backups(edges)] == [adopted["backup_id"]]
    assert desk.json("backup", "verify", "--full", "--json", edges)["outcome"] == "pass"
    desk.engine.lose(edges)
    desk.recover(edges)
    desk.same_as(before, edges)


def test_an_export_is_adopted_once(desk: Desk, table: str, source: str) -> None:
    """The same export again is the same backup."""
    assert adopt(desk, source) == adopt(desk, source)
    assert len(desk.backups(table)) == 1


def test_an_export_of_a_table_that_is_gone(desk: Desk, table: str, source: str, tmp_path: Path) -> None:
    """Without a definition it is refused with 2; with what `aws dynamodb describe-table` once printed it is taken."""
    before = items(desk.engine.aws, table)
    description = desk.engine.client.describe_table(TableName=table)
    file = tmp_path / "definition.json"
    file.write_text(json.dumps(description, default=str), encoding="utf-8")
    desk.engine.lose(table, wait=True)
    assert desk.shell.run("backup", "adopt", source).code == 2
    assert desk.backups(table) == []
    adopt(desk, source, "--definition", str(file))
    desk.recover(table)
    assert different_items(before, items(desk.engine.aws, table)) == 0


@pytest.mark.parametrize("what", ["a data file", "a manifest"])
def test_an_export_that_is_not_whole_is_not_adopted(desk: Desk, table: str, source: str, what: str) -> None:
    """A missing data file, or a manifest that is not what its checksum says, ends with 13, and nothing is listed."""
    s3, (bucket, _, root) = desk.engine.s3, source.removeprefix("s3://").partition("/")
    if what == "a manifest":
        s3.put_object(Bucket=bucket, Key=f"{root}/manifest-files.json", Body=b"{}\n")
    else:
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"{root}/data/")["Contents"]
        s3.delete_object(Bucket=bucket, Key=listed[0]["Key"])
    assert desk.shell.run("backup", "adopt", source).code == 13
    assert desk.backups(table) == []


def test_an_export_whose_data_changed_is_not_restored(desk: Desk, table: str, source: str) -> None:
    """A changed byte in an adopted data file is found before the table is created."""
    adopt(desk, source)
    s3, (bucket, _, root) = desk.engine.s3, source.removeprefix("s3://").partition("/")
    for entry in s3.list_objects_v2(Bucket=bucket, Prefix=f"{root}/data/")["Contents"]:
        body = bytearray(s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read())
        body[len(body) // 2] ^= 1
        s3.put_object(Bucket=bucket, Key=entry["Key"], Body=bytes(body))
    assert desk.shell.run("backup", "verify", "--full", table).code == 13
    desk.engine.lose(table, wait=True)
    assert desk.shell.run("recover", "--yes", table).code == 13
    assert table not in desk.engine.names()


def test_a_dump_is_recovered_from(desk: Desk, edges: str, tmp_path: Path) -> None:
    """A dump of dynamodump becomes a backup; nested binaries, which it would damage itself, are what they were."""
    before = items(desk.engine.aws, edges)
    dump(desk.engine, edges, tmp_path / "dump", page_items=7)
    (adopted,) = adopt(desk, str(tmp_path / "dump"), "--format", "dynamodump")
    assert (adopted["table"], adopted["items"]) == (edges, len(before))
    desk.engine.lose(edges)
    desk.recover(edges)
    assert different_items(before, items(desk.engine.aws, edges)) == 0


def test_one_table_of_a_dump(desk: Desk, table: str, tmp_path: Path) -> None:
    """With --table only that one is taken."""
    desk.engine.make_table(f"{table}-other")
    for name in (table, f"{table}-other"):
        dump(desk.engine, name, tmp_path / "dump", page_items=100)
    adopted = adopt(desk, str(tmp_path / "dump"), "--format", "dynamodump", "--table", f"{table}-other")
    assert [(one["table"], one["items"]) for one in adopted] == [(f"{table}-other", 0)]
    assert desk.backups(table) == []


def test_a_dump_that_was_broken_off_is_not_adopted(desk: Desk, table: str, tmp_path: Path) -> None:
    """A dump that dynamodump calls completed although it stopped in mid-scan ends with 13, and nothing is listed."""
    dump(desk.engine, table, tmp_path / "dump", page_items=7, pages=3)
    done = desk.shell.run("backup", "adopt", str(tmp_path / "dump"), "--format", "dynamodump")
    assert done.code == 13
    assert desk.backups(table) == []


@pytest.mark.skipif(
    not DYNAMODUMP.exists(),
    reason="dynamodump is not installed: `make .venv/dynamodump.stamp` gets it from PyPI",
)
def test_what_dynamodump_really_writes(desk: Desk, edges: str, tmp_path: Path) -> None:
    """The program itself dumps the table, and every item comes back."""
    before = items(desk.engine.aws, edges)
    port = str(urlsplit(desk.engine.tables.url).port)
    keys = ("--accessKey", EXAMPLE_KEYS.access_key, "--secretKey", EXAMPLE_KEYS.secret_key)
    where = ("--host", LOOPBACK, "--port", port, "--region", REGION)
    what = ("--mode", "backup", "--srcTable", edges, "--dumpPath", str(tmp_path / "dump"))
    environment = desk.processes.environment()
    subprocess.run(
        [DYNAMODUMP, "-c", ONE_WORKER, *what, *where, *keys],
        check=True,
        timeout=60,
        capture_output=True,
        env=environment,
        cwd=tmp_path,
    )
    adopt(desk, str(tmp_path / "dump"), "--format", "dynamodump")
    desk.engine.lose(edges)
    desk.recover(edges)
    assert different_items(before, items(desk.engine.aws, edges)) == 0

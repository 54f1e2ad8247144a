"""Data files and manifests in the layout of DynamoDB's own export."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from recovery.backups.data_files import DataFileWriter, FileOptions
from recovery.backups.export_layout import ExportTimes, new_export_id, write_export_manifests
from recovery.backups.manifest import TableIdentity
from recovery.testing.memory_vault import MemoryVault

FOLDER = "backups/123456789012/eu-west-1/orders/id/"
NOW = datetime(2026, 11, 23, 2, 0, 0, 123456, tzinfo=UTC)
TABLE = TableIdentity(
    account="123456789012",
    region="eu-west-1",
    name="orders",
    arn="arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
    table_id="1f7d6d4e",
)
ITEMS = [b'{"pk":{"S":"item-%d"}}' % number for number in range(10)]


def written(vault: MemoryVault, items: list[bytes], file_raw_bytes: int) -> DataFileWriter:
    """A writer that has written items, one by one, and finished its file."""
    writer = DataFileWriter(vault, FOLDER, "01-ab", FileOptions(raw_bytes=file_raw_bytes))
    for item in items:
        writer.write([item])
    writer.finish_file()
    return writer


@pytest.fixture
def export() -> MemoryVault:
    """A vault with the data and manifests of an export."""
    vault = MemoryVault("net")
    writer = written(vault, ITEMS, file_raw_bytes=100)
    write_export_manifests(
        vault,
        folder=FOLDER,
        export_id="01-ab",
        table=TABLE,
        files=writer.written,
        times=ExportTimes(NOW, NOW + timedelta(seconds=5)),
        raw_bytes=writer.raw_bytes,
    )
    return vault


def body(vault: MemoryVault, name: str) -> bytes:
    """An object of the export."""
    return vault.get(f"{FOLDER}AWSDynamoDB/01-ab/{name}").body


def test_an_export_has_all_of_its_objects(export: MemoryVault) -> None:
    """_started, two manifests and their .md5: the names that the developer guide and real exports have."""
    names = {info.key.removeprefix(f"{FOLDER}AWSDynamoDB/01-ab/") for info in export.list("")}
    assert {name for name in names if not name.startswith("data/")} == {
        "_started",
        "manifest-files.json",
        "manifest-files.md5",
        "manifest-summary.json",
        "manifest-summary.md5",
    }
    assert body(export, "_started") == b""


@pytest.mark.parametrize("name", ["manifest-files", "manifest-summary"])
def test_the_md5_objects_are_24_bytes_of_base64(export: MemoryVault, name: str) -> None:
    """The checksum object of a manifest is the base64 of its MD5, and nothing else."""
    checksum = body(export, f"{name}.md5")
    md5 = hashlib.md5(body(export, f"{name}.json"), usedforsecurity=False).digest()
    assert len(checksum) == 24
    assert base64.b64decode(checksum) == md5


def test_manifest_files_has_one_line_a_file(export: MemoryVault) -> None:
    """Each line names a data file from the bucket's root, with count, MD5 and etag of its compressed bytes."""
    lines = [json.loads(line) for line in body(export, "manifest-files.json").splitlines()]
    assert [line["itemCount"] for line in lines] == [4, 4, 2]
    for line in lines:
        assert set(line) == {"itemCount", "md5Checksum", "etag", "dataFileS3Key"}
        data = export.get(line["dataFileS3Key"].removeprefix("net/")).body
        assert line["dataFileS3Key"].startswith("net/backups/")
        assert base64.b64decode(line["md5Checksum"]) == hashlib.md5(data, usedforsecurity=False).digest()
        assert line["etag"] == hashlib.md5(data, usedforsecurity=False).hexdigest()


def test_manifest_summary_has_the_documented_fields(export: MemoryVault) -> None:
    """The summary has exactly the fields of a full export, with the table's ARN, id, times and counts."""
    summary = json.loads(body(export, "manifest-summary.json"))
    raw = summary.pop("billedSizeBytes")
    assert raw == sum(len(item) + len(b'{"Item":}\n') for item in ITEMS)
    assert summary == {
        "version": "2020-06-30",
        "exportArn": f"{TABLE.arn}/export/01-ab",
        "startTime": "2026-11-23T02:00:00.123Z",
        "endTime": "2026-11-23T02:00:05.123Z",
        "tableArn": TABLE.arn,
        "tableId": "1f7d6d4e",
        "exportTime": "2026-11-23T02:00:00.123Z",
        "s3Bucket": "vault",
        "s3Prefix": f"net/{FOLDER}".rstrip("/"),
        "s3SseAlgorithm": None,
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": f"net/{FOLDER}AWSDynamoDB/01-ab/manifest-files.json",
        "itemCount": 10,
        "outputFormat": "DYNAMODB_JSON",
    }


def test_times_of_other_zones_are_written_in_utc() -> None:
    """The Z at the end of a time is true whatever the clock's time zone."""
    vault = MemoryVault()
    moment = NOW.astimezone(timezone(timedelta(hours=9)))
    write_export_manifests(
        vault,
        folder=FOLDER,
        export_id="01-ab",
        table=TABLE,
        files=[],
        times=ExportTimes(moment, moment),
        raw_bytes=0,
    )
    assert json.loads(body(vault, "manifest-summary.json"))["startTime"] == "2026-11-23T02:00:00.123Z"


def test_export_ids_have_dynamodbs_form() -> None:
    """Milliseconds with a leading zero, a hyphen and eight hex digits; two never meet."""
    one, other = new_export_id(NOW), new_export_id(NOW)
    assert one[:15] == f"0{int(NOW.timestamp() * 1000)}-"
    assert len(one) == 23
    assert one != other

"""Data files and manifests in the layout of DynamoDB's own export."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from recovery.export_layout import (
    DataFileWriter,
    ExportTimes,
    new_export_id,
    read_items,
    write_export_manifests,
)
from recovery.manifest import TableIdentity
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


def written(vault: MemoryVault, items: list[bytes], file_raw_bytes: int = 1 << 20) -> DataFileWriter:
    """A writer that has written and flushed items, one by one."""
    with DataFileWriter(vault, FOLDER, "01-ab", file_raw_bytes) as writer:
        for item in items:
            writer.write([item])
        writer.flush()
    return writer


def read_back(vault: MemoryVault, writer: DataFileWriter) -> list[bytes]:
    """All items of all files, by the product's reader."""
    return [item for file in writer.written for item in read_items(vault.open(FOLDER + file.key))]


def test_data_files_are_what_import_table_reads() -> None:
    """Gzip, one {"Item": ...} a line, under AWSDynamoDB/<export id>/data/ with a name that ends in .json.gz."""
    vault = MemoryVault()
    (file,) = written(vault, ITEMS).written
    assert file.key.startswith("AWSDynamoDB/01-ab/data/")
    assert file.key.endswith(".json.gz")
    lines = gzip.decompress(vault.get(FOLDER + file.key).body).splitlines()
    assert [json.loads(line) for line in lines] == [{"Item": json.loads(item)} for item in ITEMS]


def test_what_is_noted_is_what_is_stored() -> None:
    """Size, SHA-256, MD5 and count of a file are those of the object in the vault."""
    vault = MemoryVault()
    writer = written(vault, ITEMS)
    (file,) = writer.written
    body = vault.get(FOLDER + file.key).body
    assert (file.size, file.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert base64.b64decode(file.md5) == hashlib.md5(body, usedforsecurity=False).digest()
    assert file.items == len(ITEMS)
    assert writer.raw_bytes == len(gzip.decompress(body))


def test_items_come_back_byte_for_byte() -> None:
    """Reading returns the very bytes that were written, in order."""
    vault = MemoryVault()
    assert read_back(vault, written(vault, ITEMS)) == ITEMS


def test_a_full_file_is_followed_by_another() -> None:
    """No file is much longer than the limit; together they hold everything once."""
    vault = MemoryVault()
    writer = written(vault, ITEMS, file_raw_bytes=100)
    assert [file.items for file in writer.written] == [4, 4, 2]
    assert len({file.key for file in writer.written}) == 3
    assert read_back(vault, writer) == ITEMS


def test_nothing_written_nothing_uploaded() -> None:
    """An empty table has no data file."""
    vault = MemoryVault()
    writer = written(vault, [])
    assert writer.write([]) == 0
    assert (writer.written, vault.writes, writer.raw_bytes) == ([], [], 0)


def test_a_line_end_inside_an_item_does_not_break_the_lines() -> None:
    """JSON that an endpoint wrote over several lines becomes one line; line ends in strings stay."""
    vault = MemoryVault()
    items = [b'{\n "pk": {"S":\n"a\\nb"}\n}', b'{"pk":{"S":"b"}}']
    with DataFileWriter(vault, FOLDER, "01-ab") as writer:
        writer.write(items)
        writer.flush()
    assert [json.loads(item) for item in read_back(vault, writer)] == [json.loads(item) for item in items]


def test_what_was_not_flushed_is_thrown_away() -> None:
    """A writer that is left early uploads nothing more and leaves no temporary file."""
    vault = MemoryVault()
    with DataFileWriter(vault, FOLDER, "01-ab") as writer:
        writer.write(ITEMS)
    assert vault.writes == []
    assert not writer._path.parent.exists()  # noqa: SLF001 - nothing public names the temporary folder


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


def zipped(text: bytes) -> bytes:
    """Gzip without the time of day in it, so that the tests are the same in every process."""
    return gzip.compress(text, mtime=0)


GOOD = zipped(b'{"Item":{"pk":{"S":"secret"}}}\n' * 50)
BROKEN = {
    "one byte short": GOOD[:-1],
    "no trailer": GOOD[:-9],
    "half": GOOD[: len(GOOD) // 2],
    "half a header": GOOD[:5],
    "not gzip": b"not gzip",
    "something before": b"\x00" + GOOD,
    "something after": GOOD + b"more",
    "wrong trailer": GOOD[:-6] + b"\x00\x00\x00\x00\x00\x00",
    "half a line": zipped(b'{"Item":{"pk":{"S":"secret"}}'),
    "an incremental export": zipped(b'{"Keys":{"pk":{"S":"secret"}}}\n'),
    "an item that is none": zipped(b'{"Item":"secret"}\n'),
    "a list": zipped(b'[{"Item":{"pk":{"S":"secret"}}}]\n'),
    "no JSON": zipped(b"secret\n"),
    "an empty line": zipped(b"\n"),
    "no text": zipped(b"\xff\xfe\n"),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_an_error_without_its_content(data: bytes) -> None:
    """Cut, changed or foreign data raises ValueError, and no item's content gets into the message."""
    with pytest.raises(ValueError, match=r"line|gzip") as caught:
        list(read_items(io.BytesIO(data)))
    assert "secret" not in str(caught.value)


def test_every_flipped_byte_of_the_data_is_seen() -> None:
    """Wherever in the compressed data or its trailer a byte changes, it is ValueError and nothing else."""
    for place in range(10, len(GOOD)):  # the ten bytes before are gzip's header, with a time in it
        flipped = GOOD[:place] + bytes([GOOD[place] ^ 0xFF]) + GOOD[place + 1 :]
        with pytest.raises(ValueError, match=r"line|gzip"):
            list(read_items(io.BytesIO(flipped)))


def test_lines_before_a_broken_one_have_been_handed_out() -> None:
    """The error names the line's number."""
    stream = io.BytesIO(zipped(b'{"Item":{}}\n{"Item":{}}\nbroken\n'))
    with pytest.raises(ValueError, match="line 3"):
        list(read_items(stream))

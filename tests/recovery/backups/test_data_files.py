"""Data files: lines in parts, whole at every part, and what an interrupted upload leaves."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import random

import pytest
import zstandard

from recovery.backups.compression import Compression
from recovery.backups.data_files import DataFileWriter, FileOptions, OpenFile, resumed_file
from recovery.backups.data_reader import read_items
from recovery.testing.memory_vault import MemoryVault

FOLDER = "backups/123456789012/eu-west-1/orders/id/"
ITEMS = [b'{"pk":{"S":"item-%d"}}' % number for number in range(10)]
PART = 100_000
SMALL_PARTS = FileOptions(raw_bytes=8 * PART, part_bytes=PART)


def written(vault: MemoryVault, items: list[bytes], options: FileOptions | None = None) -> DataFileWriter:
    """A writer that has written items, one by one, and finished its file."""
    writer = DataFileWriter(vault, FOLDER, "01-ab", options or FileOptions())
    for item in items:
        writer.write([item])
    writer.finish_file()
    return writer


def read_back(vault: MemoryVault, writer: DataFileWriter) -> list[bytes]:
    """All items of all files, by the product's reader."""
    return [
        bytes(item)
        for file in writer.written
        for some in read_items(vault.open(FOLDER + file.key), file.key)
        for item in some
    ]


def noise(count: int) -> list[bytes]:
    """Items that hardly pack, each of about four kilobytes."""
    rng = random.Random(7)
    return [b'{"pk":{"B":"%s"}}' % base64.b64encode(rng.randbytes(3000)) for _ in range(count)]


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
    writer = written(vault, ITEMS, FileOptions(raw_bytes=100))
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
    writer = DataFileWriter(vault, FOLDER, "01-ab", FileOptions())
    writer.write(items)
    writer.finish_file()
    assert [json.loads(item) for item in read_back(vault, writer)] == [json.loads(item) for item in items]


@pytest.mark.parametrize("compression", Compression)
def test_files_in_parts(compression: Compression) -> None:
    """Several parts make a file that reads like any other, in either format; its hashes and ETag are S3's."""
    vault, items = MemoryVault(), noise(200)
    options = FileOptions(raw_bytes=4 * PART, part_bytes=PART, compression=compression)
    writer = written(vault, items, options)
    assert read_back(vault, writer) == items
    for file in writer.written:
        assert file.key.endswith(compression.suffix)
        body = vault.get(FOLDER + file.key).body
        assert (file.size, file.sha256) == (len(body), hashlib.sha256(body).hexdigest())
        assert base64.b64decode(file.md5) == hashlib.md5(body, usedforsecurity=False).digest()
    assert "-" in writer.written[0].etag
    assert list(vault.uploads("")) == []


def test_other_readers_read_files_in_parts() -> None:
    """Python's own gzip and zstandard read what was written in several streams."""
    items = noise(100)
    vault = MemoryVault()
    (file,) = written(vault, items, FileOptions(part_bytes=PART)).written
    lines = gzip.decompress(vault.get(FOLDER + file.key).body).splitlines()
    assert [json.loads(line)["Item"] for line in lines] == [json.loads(item) for item in items]
    (packed,) = written(vault, items, FileOptions(part_bytes=PART, compression=Compression.ZSTD)).written
    with zstandard.open(vault.open(FOLDER + packed.key), "rb") as plain:
        assert len(plain.read(1 << 20)) > 0


def test_durable_means_in_the_vault() -> None:
    """Right after a part, and not before, everything that was written can be read from what S3 has."""
    vault, items = MemoryVault(), noise(1000)
    writer = DataFileWriter(vault, FOLDER, "01-ab", SMALL_PARTS)
    assert writer.is_durable
    seen = 0
    for number, item in enumerate(items, 1):
        writer.write([item])
        if not writer.is_durable:
            continue
        seen += 1
        open_file = writer.open_file
        in_files = sum(file.items or 0 for file in writer.written)
        assert in_files + (open_file.items if open_file else 0) == number
    assert seen > 10


def interrupted(vault: MemoryVault, items: list[bytes]) -> tuple[DataFileWriter, OpenFile]:
    """A writer that stopped in the middle of a file, and its last checkpoint."""
    writer = DataFileWriter(vault, FOLDER, "01-ab", FileOptions(part_bytes=PART))
    checkpoint = None
    for item in items:
        writer.write([item])
        checkpoint = writer.open_file if writer.is_durable else checkpoint
    assert checkpoint is not None
    return writer, checkpoint


def test_an_interrupted_file_is_made_whole() -> None:
    """The parts that a checkpoint knows become a file with their items; what came later is dropped."""
    vault, items = MemoryVault(), noise(400)
    _, checkpoint = interrupted(vault, items)
    file = resumed_file(vault, FOLDER, checkpoint)
    assert file is not None
    stream = vault.open(FOLDER + file.key)
    found = [bytes(item) for some in read_items(stream, file.key) for item in some]
    assert found == items[: checkpoint.items]
    assert hashlib.sha256(vault.get(FOLDER + file.key).body).hexdigest() == file.sha256
    assert file.items == checkpoint.items < len(items)


def test_an_interrupted_file_whose_upload_is_gone() -> None:
    """Parts that S3 does not have any more are no file: reading starts again where the file had begun."""
    vault = MemoryVault()
    _, checkpoint = interrupted(vault, noise(400))
    vault.abort_upload(FOLDER + checkpoint.key, checkpoint.upload_id)
    assert resumed_file(vault, FOLDER, checkpoint) is None


def test_a_file_that_was_finished_after_the_checkpoint() -> None:
    """An object that holds more than the checkpoint knows is removed, and read again."""
    vault = MemoryVault()
    writer, checkpoint = interrupted(vault, noise(400))
    writer.finish_file()
    assert resumed_file(vault, FOLDER, checkpoint) is None
    assert list(vault.list(FOLDER)) == []

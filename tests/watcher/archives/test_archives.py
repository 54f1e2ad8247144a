"""Pieces of archives: decompressed within bounds, found in folders, told from what holds no records."""

from __future__ import annotations

import gzip
import os
import pickle
from datetime import date
from pathlib import Path
from threading import Event, Thread

import pytest

from rules.backtest import ALL_TIME, Period, days
from rules.errors import NotFoundError
from watcher.archives.archive import (
    ArchiveError,
    Stored,
    StoredBytes,
    StoredFile,
    holds_records,
    inflated,
    trail_day,
)
from watcher.archives.archive_files import FileArchive

TEXT = b'{"Records": []}'
LIMIT = 1000
DAY = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11"


def labels(path: Path, period: Period = ALL_TIME) -> list[str]:
    """The names of the pieces of an archive, without the folder."""
    return [piece.label.removeprefix(f"{path}/") for piece in FileArchive(path, period).pieces()]


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        gzip.compress(TEXT, mtime=0),
        gzip.compress(TEXT[:5], mtime=0) + gzip.compress(TEXT[5:], mtime=0),
        gzip.compress(TEXT, mtime=0) + b"\0" * 9,
    ],
    ids=["plain", "gzip", "two members", "padded"],
)
def test_content_is_decompressed_by_what_it_is(content: bytes) -> None:
    """Plain, gzip, several members, padded with zeros: the first bytes tell, not the name."""
    assert inflated(content, LIMIT) == TEXT


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (gzip.compress(TEXT, mtime=0)[:-3], "cut short"),
        (gzip.compress(TEXT, mtime=0)[:12], "cut short"),
        (gzip.compress(TEXT, mtime=0)[:2], "cut short"),
        (gzip.compress(TEXT, mtime=0)[:-8] + b"\1" * 8, "gzip"),
        (gzip.compress(TEXT, mtime=0)[:10] + b"\xff" * 40, "gzip"),
        (b"\x1f\x8b" + b"\xff" * 40, "gzip"),
        (gzip.compress(TEXT, mtime=0) + b"more", "something else"),
    ],
)
def test_a_damaged_file_is_refused(content: bytes, why: str) -> None:
    """Cut at any place, changed, or with something behind it: nothing of it is taken for the whole."""
    with pytest.raises(ArchiveError, match=why):
        inflated(content, LIMIT)


def test_every_cut_of_a_gzip_file_is_noticed() -> None:
    """There is no length at which a part of a file passes for the whole."""
    whole = gzip.compress(os.urandom(100))
    for length in range(2, len(whole)):
        with pytest.raises(ArchiveError):
            inflated(whole[:length], LIMIT)


@pytest.mark.parametrize(
    "content",
    [
        b" " * (LIMIT + 1),
        gzip.compress(b" " * (LIMIT + 1)),
        gzip.compress(b" " * LIMIT) + gzip.compress(b" "),
        gzip.compress(b" " * 100 * LIMIT),
    ],
    ids=["plain", "gzip", "in two members", "bomb"],
)
def test_what_unpacks_to_too_much_is_refused(content: bytes) -> None:
    """A file of a kilobyte that holds a terabyte does not fill the memory."""
    with pytest.raises(ArchiveError, match="more than 1,000 bytes"):
        inflated(content, LIMIT)
    assert len(inflated(gzip.compress(b" " * LIMIT), LIMIT)) == LIMIT


def test_what_is_fetched_goes_to_another_process(tmp_path: Path) -> None:
    """Both kinds of stored content survive pickling."""
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(TEXT, mtime=0))
    stored: list[Stored] = [StoredFile(tmp_path / "a.json.gz"), StoredBytes(gzip.compress(TEXT, mtime=0))]
    copies: list[Stored] = pickle.loads(pickle.dumps(stored))
    assert [copy.read() for copy in copies] == [TEXT, TEXT]


def test_a_file_that_is_gone_or_locked_is_told(tmp_path: Path) -> None:
    """A file may go away between the listing and the reading."""
    with pytest.raises(ArchiveError, match="cannot be read: No such file"):
        StoredFile(tmp_path / "gone.json").read()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"{DAY}/23/a.json.gz", True),
        ("a.json", True),
        ("b/a.jsonl", True),
        ("a.JSON.txt", False),
        ("a.csv.gz", False),
        ("AWSLogs/1/CloudTrail-Digest/eu-west-1/2026/11/23/a.json.gz", False),
        ("AWSLogs/1/CloudTrail-Insight/eu-west-1/2026/11/23/a.json.gz", False),
    ],
)
def test_digests_and_insights_hold_no_records(path: str, expected: bool) -> None:
    """They lie beside the records, in files of the same form."""
    assert holds_records(path) is expected


def test_the_day_of_a_file_is_in_its_path() -> None:
    """None where the path is in no trail's layout, or names a day that there is not."""
    assert trail_day(f"x/{DAY}/23/a.json.gz") == date(2026, 11, 23)
    assert trail_day(f"{DAY}/31/a.json.gz") is None
    assert trail_day("2026/11/23/a.json.gz") is None


def test_a_folder_is_searched_for_archive_files(tmp_path: Path) -> None:
    """With its subfolders; other files, digests and folders of such a name are left out."""
    for name in (
        "a.json",
        "b.json.gz",
        "deep/er/c.jsonl",
        "deep/notes.txt",
        "CloudTrail-Digest/d.json.gz",
        "e.json/f.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(TEXT)
    assert labels(tmp_path) == ["a.json", "b.json.gz", "deep/er/c.jsonl"]


def test_of_a_copied_trail_only_the_days_that_matter_are_read(tmp_path: Path) -> None:
    """As `aws s3 sync` leaves it; the day after the last is read too, for what was delivered late."""
    for day in range(20, 28):
        (tmp_path / DAY / str(day)).mkdir(parents=True)
        (tmp_path / DAY / str(day) / "a.json.gz").write_bytes(TEXT)
    wanted = days(date(2026, 11, 22), date(2026, 11, 23))
    found = {int(label.split("/")[-2]) for label in labels(tmp_path, wanted)}
    assert found >= {22, 23, 24}
    assert not found & {20, 21, 26, 27}


def test_a_named_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    """Its size is known, for the bar."""
    (tmp_path / "export").write_bytes(TEXT)
    (piece,) = FileArchive(tmp_path / "export", ALL_TIME).pieces()
    assert (piece.size_bytes, piece.fetch(Event()).read()) == (len(TEXT), TEXT)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_read(tmp_path: Path) -> None:
    """The shell's <(...) is one: it can be read once only, and by this process only."""
    os.mkfifo(tmp_path / "pipe")
    writer = Thread(target=(tmp_path / "pipe").write_bytes, args=(TEXT,))
    writer.start()
    (piece,) = FileArchive(tmp_path / "pipe", ALL_TIME).pieces()
    writer.join()
    assert piece.fetch(Event()).read() == TEXT


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no endless device here")
def test_an_endless_device_is_refused() -> None:
    """Only as much of it is read as a file may hold."""
    (piece,) = FileArchive(Path("/dev/zero"), ALL_TIME, LIMIT).pieces()
    with pytest.raises(ArchiveError, match="more than"):
        piece.fetch(Event()).read()


def test_nothing_there_is_told(tmp_path: Path) -> None:
    """A typing mistake is no empty report."""
    with pytest.raises(NotFoundError, match="no such file or folder"):
        labels(tmp_path / "missing")
    with pytest.raises(NotFoundError, match="no archive files"):
        labels(tmp_path)

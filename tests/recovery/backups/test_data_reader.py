"""Reading data files: broken ones are told, and nothing of an item gets into a message."""

from __future__ import annotations

import gzip
import io

import pytest

from recovery.backups.data_reader import read_items


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
    "no text": zipped(b"\xff\xfe\n"),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_an_error_without_its_content(data: bytes) -> None:
    """Cut, changed or foreign data raises ValueError, and no item's content gets into the message."""
    with pytest.raises(ValueError, match=r"line|compressed") as caught:
        list(read_items(io.BytesIO(data), "x.json.gz"))
    assert "secret" not in str(caught.value)


def test_every_flipped_byte_of_the_data_is_seen() -> None:
    """Wherever in the compressed data or its trailer a byte changes, it is ValueError and nothing else."""
    for place in range(10, len(GOOD)):  # the ten bytes before are gzip's header, with a time in it
        flipped = GOOD[:place] + bytes([GOOD[place] ^ 0xFF]) + GOOD[place + 1 :]
        with pytest.raises(ValueError, match=r"line|compressed"):
            list(read_items(io.BytesIO(flipped), "x.json.gz"))


def test_lines_before_a_broken_one_have_been_handed_out() -> None:
    """The error names the line's number."""
    stream = io.BytesIO(zipped(b'{"Item":{}}\n{"Item":{}}\nbroken\n'))
    with pytest.raises(ValueError, match="line 3"):
        list(read_items(stream, "x.json.gz"))

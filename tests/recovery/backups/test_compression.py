"""Packed files: several streams in one, and no end that is not the real one."""

from __future__ import annotations

import gzip
import io
import random

import pytest
import zstandard

from recovery.backups.compression import BLOCK_BYTES, READ_BYTES, Compression, compressor, unpacked

SUFFIXES = [one.suffix for one in Compression]
TEXT = b"".join(b'{"Item":{"pk":{"S":"item-%d"}}}\n' % number for number in range(500))
NOISE = random.Random(7).randbytes(3 * READ_BYTES + 17)


def packed(data: bytes, compression: Compression) -> bytes:
    """One whole stream."""
    stream = compressor(compression)
    return stream.compress(data) + stream.flush()


def unpack(body: bytes, key: str) -> bytes:
    """All that is in it."""
    return b"".join(unpacked(io.BytesIO(body), key))


@pytest.mark.parametrize("compression", Compression)
def test_what_is_packed_is_unpacked(compression: Compression) -> None:
    """Nothing, a little, and more than a reader's block come back as they were."""
    for data in (b"", b"a", TEXT, NOISE, bytes(3 * BLOCK_BYTES)):
        assert unpack(packed(data, compression), f"x{compression.suffix}") == data


def test_others_can_read_what_is_packed() -> None:
    """Python's gzip and zstandard's own decompressor do."""
    assert gzip.decompress(packed(TEXT, Compression.GZIP)) == TEXT
    assert zstandard.ZstdDecompressor().decompressobj().decompress(packed(TEXT, Compression.ZSTD)) == TEXT


def test_what_others_pack_is_unpacked() -> None:
    """Gzip with a file name in its header, zstd without a content size, and both ends of a zstd key."""
    buffer = io.BytesIO()
    with gzip.GzipFile("name.json", "wb", 9, buffer) as stream:
        stream.write(TEXT)
    assert unpack(buffer.getvalue(), "x.json.gz") == TEXT
    body = zstandard.ZstdCompressor(level=19, write_content_size=False).compress(TEXT)
    assert unpack(body, "x.json.zst") == unpack(body, "x.zstd") == TEXT


@pytest.mark.parametrize("compression", Compression)
def test_several_streams_in_a_file(compression: Compression) -> None:
    """One after the other, some of them empty, with ends on and around the edges of what is read at once."""
    for size in (1, 100, READ_BYTES - 1, READ_BYTES, READ_BYTES + 1):
        parts = [NOISE[:size], b"", TEXT, NOISE]
        body = b"".join(packed(part, compression) for part in parts)
        assert unpack(body, f"x{compression.suffix}") == b"".join(parts)


@pytest.mark.parametrize("compression", Compression)
def test_a_stream_that_ends_where_a_read_ends(compression: Compression) -> None:
    """The last byte of one stream is the last of a read: the next one is not lost, and its absence no fault."""
    for size in range(READ_BYTES - 200, READ_BYTES + 1):
        first = packed(NOISE[:size], compression)
        if len(first) == READ_BYTES:
            break
    else:
        pytest.fail("no stream of that length")
    suffix = f"x{compression.suffix}"
    assert unpack(first, suffix) == NOISE[:size]
    assert unpack(first + packed(TEXT, compression), suffix) == NOISE[:size] + TEXT


@pytest.mark.parametrize("compression", Compression)
def test_a_cut_file_is_an_error_wherever_it_is_cut(compression: Compression) -> None:
    """At every byte of the second of two streams but its beginning; an empty file is cut as well."""
    first, second = packed(TEXT, compression), packed(TEXT[:200], compression)
    for length in [0, 1, len(first) - 1, *range(len(first) + 1, len(first) + len(second))]:
        with pytest.raises(ValueError, match="compressed"):
            unpack((first + second)[:length], f"x{compression.suffix}")


@pytest.mark.parametrize("compression", Compression)
def test_a_broken_file_never_becomes_another_text(compression: Compression) -> None:
    """Wherever a bit flips: an error, or, in the parts of a header that say nothing of the data, the same text."""
    body = packed(TEXT[:300], compression) + packed(TEXT[300:600], compression)
    for place in range(len(body)):
        flipped = body[:place] + bytes([body[place] ^ 0x10]) + body[place + 1 :]
        try:
            found = unpack(flipped, f"x{compression.suffix}")
        except ValueError as error:
            assert "compressed" in str(error)  # noqa: PT017 - not every flip is an error
        else:
            assert found == TEXT[:600], place


@pytest.mark.parametrize("compression", Compression)
@pytest.mark.parametrize("more", [b"\x00", b"more", bytes(100), TEXT], ids=["a zero", "4", "zeros", "text"])
def test_what_follows_the_last_stream_is_an_error(compression: Compression, more: bytes) -> None:
    """Nothing may hide behind the end."""
    with pytest.raises(ValueError, match="compressed"):
        unpack(packed(TEXT, compression) + more, f"x{compression.suffix}")


@pytest.mark.parametrize("compression", Compression)
def test_a_file_of_the_other_format_is_an_error(compression: Compression) -> None:
    """The key says how to read it; what does not fit is not guessed at."""
    (other,) = set(Compression) - {compression}
    with pytest.raises(ValueError, match="compressed"):
        unpack(packed(TEXT, other), f"x{compression.suffix}")


def test_another_key_is_read_as_it_is() -> None:
    """An export without compression, in blocks of bounded size."""
    assert unpack(TEXT, "x.json") == TEXT
    assert max(map(len, unpacked(io.BytesIO(NOISE), "x.json"))) <= READ_BYTES


def test_gzip_gives_bounded_blocks() -> None:
    """A hundred megabytes that were packed into a hundred kilobytes never stand in memory at once."""
    stream = compressor(Compression.GZIP)
    count = 100
    body = b"".join(stream.compress(bytes(BLOCK_BYTES)) for _ in range(count)) + stream.flush()
    assert len(body) < BLOCK_BYTES
    sizes = [len(block) for block in unpacked(io.BytesIO(body), "x.json.gz")]
    assert max(sizes) <= BLOCK_BYTES
    assert sum(sizes) == count * BLOCK_BYTES


def test_the_suffixes_are_those_of_import_table() -> None:
    """Readers go by them."""
    assert SUFFIXES == [".json.gz", ".json.zst"]

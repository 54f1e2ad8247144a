"""How data files are packed: gzip, which everything reads, or zstd, which ImportTable reads as well.

Both formats allow several of their streams one after the other in a file (RFC 1952, 'members'; RFC 8878,
'frames'). A data file uses that: each part of an upload ends with a whole stream, so that an interrupted
backup can go on with the next part.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

import zstandard
from isal import isal_zlib
from isal.igzip_lib import IsalError as UntypedIsalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# isal ships types that do not know that its error is one.
IsalError = cast("type[Exception]", UntypedIsalError)

GZIP_WINDOW = 31  # zlib's window bits for a gzip header and trailer
# Level 1 of isal packs as well as zlib's does, at a tenth of its time; level 0 is hardly faster.
GZIP_LEVEL = 1
ZSTD_LEVEL = 1
READ_BYTES = 64 * 1024
BLOCK_BYTES = 1 << 20


class Compression(StrEnum):
    """The formats, by their names in the settings; ``suffix`` is how their files end."""

    GZIP = "gzip"
    ZSTD = "zstd"

    @property
    def suffix(self) -> str:
        """``.json.gz`` or ``.json.zst``, as DynamoDB's documents have them."""
        return ".json.gz" if self is Compression.GZIP else ".json.zst"


class Compressor(Protocol):
    """One stream."""

    def compress(self, data: bytes, /) -> bytes:
        """Take data in; returns what is packed so far, often nothing."""
        ...

    def flush(self) -> bytes:
        """The rest of the stream; nothing can be taken in afterwards."""
        ...


def compressor(compression: Compression) -> Compressor:
    """A new stream."""
    if compression is Compression.ZSTD:
        return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compressobj()
    return cast("Compressor", isal_zlib.compressobj(GZIP_LEVEL, isal_zlib.DEFLATED, GZIP_WINDOW))


class _Unpacker(Protocol):
    """One stream, the other way."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    @property
    def unconsumed_tail(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


def unpacked(stream: BinaryIO, key: str) -> Iterator[bytes]:
    """What is in a data file, block by block, by the end of its key; another key is read as it is.

    Raises ValueError for a stream that is cut or broken.
    """
    if key.endswith(".gz"):
        blocks = _unpack(stream, _GzipUnpacker)
    elif key.endswith((".zst", ".zstd")):
        blocks = _unpack(stream, lambda: zstandard.ZstdDecompressor().decompressobj())
    else:
        while plain := stream.read(READ_BYTES):
            yield plain
        return
    try:
        yield from blocks
    except (IsalError, zstandard.ZstdError) as error:
        raise ValueError(f"is no whole compressed file: {error}") from error


def _unpack(stream: BinaryIO, make: Callable[[], _Unpacker]) -> Iterator[bytes]:
    whole, unpacker = False, make()
    while data := stream.read(READ_BYTES):
        while data:
            if plain := unpacker.decompress(data):
                yield plain
            whole = unpacker.eof
            data = unpacker.unused_data if whole else unpacker.unconsumed_tail
            if whole:
                unpacker = make()
    if not whole:
        if plain := unpacker.flush():
            yield plain
        if not unpacker.eof:
            raise ValueError("is no whole compressed file: its last stream has no end")


class _GzipUnpacker:
    """Gives a bounded block at a time, however well the data was packed."""

    def __init__(self) -> None:
        self._stream = isal_zlib.decompressobj(GZIP_WINDOW)

    @property
    def eof(self) -> bool:
        return bool(self._stream.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._stream.unused_data)

    @property
    def unconsumed_tail(self) -> bytes:
        return bytes(self._stream.unconsumed_tail)

    def decompress(self, data: bytes) -> bytes:
        return bytes(self._stream.decompress(data, BLOCK_BYTES))

    def flush(self) -> bytes:
        return bytes(self._stream.flush())

"""The journal of a repair: the images of each batch, in the vault before the first of its items is written."""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from recovery.backups.compression import Compression, compressor, unpacked
from recovery.errors import DamagedObjectError, ObjectNotFoundError
from recovery.repairs.documents import PartResult
from recovery.vault.vault import body_of, document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from recovery.vault.vault import Vault

MAX_PART_STEPS = 1000
MAX_PART_BYTES = 8 * 1024 * 1024
_PART = re.compile(r"(\d{6,})\.json\.gz")
_EMPTY = b"null"


@dataclass(frozen=True, slots=True)
class Step:
    """One item's way: ``before`` is what the table holds, ``after`` what it is to hold; b"" is no item."""

    key: bytes
    before: bytes
    after: bytes

    def reversed(self) -> Step:
        """The way back."""
        return Step(self.key, self.after, self.before)


class _Head(msgspec.Struct):
    format_version: int
    repair_id: str
    part: int
    steps: int
    sha256: str


class _Line(msgspec.Struct):
    key: msgspec.Raw
    before: msgspec.Raw
    after: msgspec.Raw


_HEAD = msgspec.json.Decoder(_Head)
_LINES = msgspec.json.Decoder(_Line)


class Journal:
    """The parts of one repair. Each is written once; what became of it is written beside it, once."""

    def __init__(self, vault: Vault, folder: str) -> None:
        self._vault = vault
        self.folder = folder

    def numbers(self) -> list[int]:
        """The numbers of the parts that were written."""
        names = (info.key.rpartition("/")[2] for info in self._vault.list(f"{self.folder}parts/"))
        return [int(found[1]) for name in names if (found := _PART.fullmatch(name))]

    def write(self, number: int, steps: Sequence[Step]) -> None:
        """Write a part. Raises ConflictError where there is another one."""
        lines = b"".join(
            b'{"key":%b,"before":%b,"after":%b}\n' % (step.key, step.before or _EMPTY, step.after or _EMPTY)
            for step in steps
        )
        head = _Head(
            format_version=1,
            repair_id=self._repair_id,
            part=number,
            steps=len(steps),
            sha256=hashlib.sha256(lines).hexdigest(),
        )
        packer = compressor(Compression.GZIP)
        body = packer.compress(msgspec.json.encode(head) + b"\n" + lines) + packer.flush()
        self._vault.put_new(self._key("parts", number, ".json.gz"), body)

    def read(self, number: int) -> list[Step]:
        """The steps of a part. Raises DamagedObjectError."""
        key = self._key("parts", number, ".json.gz")
        try:
            plain = b"".join(unpacked(io.BytesIO(self._vault.get(key).body), key))
            first, _, lines = plain.partition(b"\n")
            head = _HEAD.decode(first)
            found = _LINES.decode_lines(lines)
        except ObjectNotFoundError as error:
            raise DamagedObjectError(key, "is missing", hint=_HINT) from error
        except ValueError as error:
            # What the parser says may quote an item.
            raise DamagedObjectError(key, "is no part of a journal", hint=_HINT) from error
        if (head.repair_id, head.part, head.steps) != (self._repair_id, number, len(found)) or (
            head.sha256 != hashlib.sha256(lines).hexdigest()
        ):
            raise DamagedObjectError(key, "is not what was written", hint=_HINT)
        return [Step(bytes(line.key), _image(line.before), _image(line.after)) for line in found]

    def result(self, kind: str, number: int) -> PartResult | None:
        """What became of a part, None where nobody has noted it. ``kind``: ``results`` or ``undo``."""
        try:
            return document(PartResult, self._vault.get(self._key(kind, number, ".json")))
        except ObjectNotFoundError:
            return None

    def note(self, kind: str, result: PartResult) -> None:
        """Note what became of a part. Raises ConflictError where somebody has noted something else."""
        self._vault.put_new(self._key(kind, result.part, ".json"), body_of(result))

    @property
    def _repair_id(self) -> str:
        return self.folder.rstrip("/").rpartition("/")[2]

    def _key(self, kind: str, number: int, suffix: str) -> str:
        return f"{self.folder}{kind}/{number:06}{suffix}"


_HINT = "Nothing was written. The images are in the older versions of the object, if the bucket keeps them."


def parts_of(steps: Iterable[Step]) -> Iterator[list[Step]]:
    """Steps put together to parts of the journal, by number and by bytes."""
    part: list[Step] = []
    size = 0
    for step in steps:
        step_bytes = len(step.key) + len(step.before) + len(step.after)
        if part and (len(part) == MAX_PART_STEPS or size + step_bytes > MAX_PART_BYTES):
            yield part
            part, size = [], 0
        part.append(step)
        size += step_bytes
    if part:
        yield part


def _image(raw: msgspec.Raw) -> bytes:
    image = bytes(raw)
    return b"" if image == _EMPTY else image

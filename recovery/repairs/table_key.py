"""A table's key: which attributes, of which types; the key of a raw item in one spelling."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from recovery.backups.digest import ContentDigest, canonical_number
from rules.errors import UnsafeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recovery.backups.content import RawItem


@dataclass(frozen=True, slots=True)
class TableKey:
    """``names`` in order, partition key first; ``types`` are ``S``, ``N`` or ``B``, one for each name."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    _decoder: msgspec.json.Decoder[Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Only the key is decoded; msgspec skips whatever else an item holds.
        fields = [(f"k{number}", dict[str, str]) for number in range(len(self.names))]
        spelled = {f"k{number}": name for number, name in enumerate(self.names)}
        struct = msgspec.defstruct("Key", fields, rename=spelled)
        object.__setattr__(self, "_decoder", msgspec.json.Decoder(struct))

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> TableKey:
        """From a CreateTable request or an answer of DescribeTable."""
        types = {row["AttributeName"]: row["AttributeType"] for row in described["AttributeDefinitions"]}
        names = tuple(str(row["AttributeName"]) for row in described["KeySchema"])
        return cls(names, tuple(str(types[name]) for name in names))

    def of_item(self, item: RawItem) -> bytes:
        """The key of an item as DynamoDB JSON in one spelling: ``{"pk":{"S":"a"}}``.

        Raises ValueError (msgspec.DecodeError) for what is no item of such a table.
        """
        found = self._decoder.decode(item)
        return self.spelled(tuple(getattr(found, f"k{number}") for number in range(len(self.names))))

    def spelled(self, attributes: tuple[dict[str, str], ...]) -> bytes:
        """The same from the key's attributes, in order. Raises ValueError for one of another type."""
        key = {}
        for name, kind, attribute in zip(self.names, self.types, attributes, strict=True):
            if kind not in attribute:
                raise ValueError("the key is of another type")
            try:
                key[name] = {kind: canonical_number(attribute[kind]) if kind == "N" else attribute[kind]}
            except ArithmeticError as error:
                raise ValueError("the key is no number") from error
        return msgspec.json.encode(key)

    def refuse_other(self, other: TableKey, whose: str) -> None:
        """Raises UnsafeError where ``other``, which belongs to ``whose``, is not this key."""
        if other != self:
            raise UnsafeError(
                f"the key of {whose} is {other}, the backup's is {self}: they cannot be compared"
            )

    def __str__(self) -> str:
        return ", ".join(f"{name} ({kind})" for name, kind in zip(self.names, self.types, strict=True))


def item_hash(item: RawItem) -> bytes:
    """32 bytes that are equal for equal items, however they are spelled. Raises as ``ContentDigest.add``."""
    digest = ContentDigest()
    digest.add(item)
    return bytes.fromhex(digest.value)


def same_item(one: RawItem, other: RawItem) -> bool:
    """Whether two images are one item; spelling does not count. An item that is not there is b""."""
    if not one or not other:
        return not one and not other
    return bytes(one) == bytes(other) or item_hash(one) == item_hash(other)

"""The engines that the contract is kept on, and where each differs from DynamoDB, with what was seen.

Nothing else in this folder knows one engine from another. ``test_engines.py`` holds every line below against
the engine itself, in both directions, and docs/engines.md tells them to people.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine lacks.

    ``lacks``: features of tables (``features.FEATURES``). ``refuses``: items that it does not take, ``respells``
    items that it takes and gives back otherwise (``edge_items``), ``takes`` what DynamoDB refuses
    (``wrong_requests``). Each by name, with the reason.
    """

    lacks: Mapping[str, str] = field(default_factory=dict)
    refuses: Mapping[str, str] = field(default_factory=dict)
    respells: Mapping[str, str] = field(default_factory=dict)
    takes: Mapping[str, str] = field(default_factory=dict)

    @property
    def all(self) -> dict[str, str]:
        """Every line."""
        return {**self.lacks, **self.refuses, **self.respells, **self.takes}


_NOT_IMPLEMENTED = "answers UnknownOperationException"
_IGNORED = "takes it with CreateTable and forgets it"
_TOO_LARGE = "takes at most 405,000 bytes, where DynamoDB takes 409,600"
_TAKEN = "takes it, where DynamoDB refuses it"

ENGINES: dict[str, Capabilities] = {
    "moto": Capabilities(
        lacks={
            "table class": _IGNORED,
            "limits of on-demand capacity": _IGNORED,
            "whole exports": "says COMPLETED, and writes a data file without any manifest",
            "table id": "DescribeTable has none",
            "states that last": "a table is ACTIVE at once, and gone at once",
        },
        refuses={
            "size: the largest item, of letters": _TOO_LARGE,
            "size: the largest item, of what JSON escapes": _TOO_LARGE,
            "size: the largest item, of bytes": _TOO_LARGE,
        },
        takes={
            "a number of 39 digits": _TAKEN,
            "a number above 9.99E+125": _TAKEN,
            "the same string twice in a set": _TAKEN,
            "the same number twice in a set, spelled otherwise": _TAKEN,
            "33 levels of lists": _TAKEN,
            "a batch of 26": _TAKEN,
            "a table's name of two characters": _TAKEN,
            "a tag's value of 257 characters": _TAKEN,
        },
    ),
    "ministack": Capabilities(
        lacks={
            "days of point-in-time recovery": "takes RecoveryPeriodInDays and forgets it",
            "whole exports": "says COMPLETED, and writes nothing",
            "states that last": "a table is ACTIVE at once, and gone at once",
        },
        takes={
            "a tag's value of 257 characters": _TAKEN,
        },
    ),
    "dynalite": Capabilities(
        lacks={
            "tags with CreateTable": "takes them and forgets them; TagResource does work",
            "time to live": _NOT_IMPLEMENTED,
            "point-in-time recovery": _NOT_IMPLEMENTED,
            "days of point-in-time recovery": _NOT_IMPLEMENTED,
            "whole exports": _NOT_IMPLEMENTED,
            "resource policy": _NOT_IMPLEMENTED,
            "stream": _IGNORED,
            "deletion protection": _IGNORED,
            "table class": _IGNORED,
            "encryption with a key": _IGNORED,
            "limits of on-demand capacity": _IGNORED,
        },
        refuses={
            "number: spelled with a plus": "cannot be converted to a numeric value",
            "name: of every object in node": "an attribute called __proto__ is lost in JavaScript's objects",
        },
        takes={
            "33 levels of lists": _TAKEN,
            "a tag's value of 257 characters": _TAKEN,
        },
    ),
}

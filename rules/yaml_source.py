"""YAML with line numbers: loaded safely, and every place in it can be named in an error."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from rules.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

    from rules.yaml_nodes import Node

_SHOWN = 80
_LONGEST = 400
_CLOSE = 0.7


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault in a file; line and column count from 1, 0 where the place is the whole file."""

    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        """``file:line:column: message``, as editors understand it."""
        return (
            f"{self.path}:{self.line}:{self.column}: {self.message}"
            if self.line
            else f"{self.path}: {self.message}"
        )


class FileFaultsError(UsageError):
    """Files with faults; ``str`` is one line a fault."""

    default_hint = "Nothing was loaded. Mend the lines above and run the command again."

    def __init__(self, faults: Iterable[Fault], *, hint: str | None = None) -> None:
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(str(fault) for fault in self.faults), hint=hint)


@dataclass(frozen=True, slots=True)
class YamlSource:
    """A loaded file: ``plain`` holds what JSON has and nothing else, ``root`` remembers the places."""

    path: str
    root: Node
    plain: Any

    def fault(self, place: Sequence[str | int], message: str) -> Fault:
        """A fault at a place like ``("rules", 0, "verdict")``; the deepest part that exists is named."""
        line, column = _position(self.root, place)
        return Fault(self.path, line, column, message)

    def faults_of(
        self, error: ValidationError, model: type[BaseModel], prefix: Sequence[str | int] = ()
    ) -> list[Fault]:
        """The faults that pydantic found, each at its line, with what was probably meant."""
        return [
            self.fault([*prefix, *detail["loc"]], _explain(detail, model))
            for detail in error.errors(include_url=False)
        ]


def load_yaml(text: str, path: str) -> YamlSource:
    """The document in ``text``; ``path`` is only for messages.

    Raises FileFaultsError for anything that is not one safe YAML document (see ``read_nodes``).
    """
    # Every command can read a file, and many have none to read.
    from rules.yaml_nodes import NodeError, read_nodes

    try:
        root = read_nodes(text)
    except NodeError as error:
        raise FileFaultsError([Fault(path, error.line, error.column, _one_line(error.message))]) from error
    return YamlSource(path, root, root.value)


def _position(root: Node, place: Sequence[str | int]) -> tuple[int, int]:
    """Line and column (from 1) of the deepest part of ``place`` that exists."""
    node, found = root, (1, 1)
    for part in place:
        if node.entries is not None and isinstance(part, str) and part in node.entries:
            found, node = node.keys[part], node.entries[part]
        elif node.items is not None and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            found = (node.line, node.column)
        else:
            break
    return found


def _explain(detail: ErrorDetails, model: type[BaseModel]) -> str:
    place = detail["loc"]
    name = str(place[-1])[:_SHOWN] if place else ""
    if detail["type"] == "extra_forbidden":
        return f"unknown key {name!r}" + did_you_mean(name, _keys_at(model, place[:-1]))
    if detail["type"] == "missing":
        return f"missing key {name!r}"
    message = detail["msg"].removeprefix("Value error, ")
    message = _one_line(f"{message[:1].lower()}{message[1:]}")
    given = detail["input"]
    if detail["type"] in {"enum", "literal_error"} and isinstance(given, str):
        message += did_you_mean(given[:_SHOWN], re.findall(r"'([^']*)'", message))
    return f"{name}: {message}" if name else message


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]


def _keys_at(model: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The keys that are known at a place. Indexes and the keys of free mappings lead to the models below."""
    models = [model]
    for part in place:
        below = [
            found
            for one in models
            for name, field in one.model_fields.items()
            if (field.alias or name) == part
            for found in _models_in(field.annotation)
        ]
        models = below or models
    return [field.alias or name for one in models for name, field in one.model_fields.items()]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'match'?`` or ""."""
    close = get_close_matches(name, list(known), n=1, cutoff=_CLOSE)
    return f"; did you mean {close[0]!r}?" if close else ""

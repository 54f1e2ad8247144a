"""YAML with line numbers: loaded safely, and every place in it can be named in an error.

YAML 1.2 (ruamel.yaml), so ``no`` and ``22:00`` stay text; duplicate keys are refused; aliases cannot blow up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from rules.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import BaseModel, ValidationError

MAX_NODES = 200_000
MAX_DEPTH = 100


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
    """A loaded file: ``plain`` holds dicts, lists and scalars only, ``root`` remembers the places."""

    path: str
    root: Any
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
            self.fault(
                [*prefix, *detail["loc"]], _explain(detail["type"], detail["msg"], detail["loc"], model)
            )
            for detail in error.errors()
        ]


def load_yaml(text: str, path: str) -> YamlSource:
    """The document in ``text``; ``path`` is only for messages.

    Raises FileFaultsError for anything that is not one safe YAML document.
    """
    yaml = YAML(typ="rt", pure=True)
    yaml.allow_duplicate_keys = False
    try:
        root = yaml.load(text)
        return YamlSource(path, root, _Plain(path).value(root, 0))
    except DuplicateKeyError as error:
        mark = error.problem_mark
        key = str(error.problem).partition('"')[2].partition('"')[0]
        raise FileFaultsError(
            [Fault(path, mark.line + 1, mark.column + 1, f"key {key!r} appears twice")]
        ) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        message = f"not valid YAML: {error.problem or error.context}"
        raise FileFaultsError([Fault(path, line, column, message)]) from error
    except (YAMLError, ValueError, RecursionError, TypeError) as error:
        raise FileFaultsError(
            [Fault(path, 0, 0, f"not valid YAML: {str(error) or type(error).__name__}")]
        ) from error


class _Plain:
    """Turns ruamel's nodes into plain values, counting what aliases repeat (the 'billion laughs')."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.nodes = 0

    def value(self, node: Any, depth: int) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES or depth > MAX_DEPTH:
            raise ValueError("too large or too deeply nested")
        if isinstance(node, dict):
            return {self._key(key): self.value(child, depth + 1) for key, child in node.items()}
        if isinstance(node, list):
            return [self.value(child, depth + 1) for child in node]
        return self._scalar(node)

    def _scalar(self, node: Any) -> Any:
        if node is None or isinstance(node, bool):
            return node
        for kind in (int, float, str):
            if isinstance(node, kind):
                return kind(node)
        if isinstance(node, (datetime, date)):
            return node
        raise ValueError(f"a value of an unknown kind: {node!r:.80}")

    def _key(self, key: Any) -> str:
        if not isinstance(key, str):
            raise ValueError(f"a key must be text: {key!r:.80}")  # noqa: TRY004 - one kind of fault for the caller
        return str(key)


def _position(root: Any, place: Sequence[str | int]) -> tuple[int, int]:
    """Line and column (from 1) of the deepest part of ``place`` that exists."""
    node, found = root, (1, 1)
    for part in place:
        if isinstance(node, CommentedMap) and part in node:
            line, column = node.lc.key(part)
        elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
            line, column = node.lc.item(part)
        else:
            break
        found = (line + 1, column + 1)
        node = node[part]
    return found


def _explain(kind: str, message: str, place: Sequence[str | int], model: type[BaseModel]) -> str:
    name = str(place[-1]) if place else ""
    if kind == "extra_forbidden":
        return f"unknown key {name!r}" + did_you_mean(name, _field_names(model))
    if kind == "missing":
        return f"missing key {name!r}"
    return f"{name}: {message[:1].lower()}{message[1:]}" if name else message


def _field_names(model: type[BaseModel]) -> list[str]:
    """All field names of a model and the models in it."""
    names: dict[str, None] = {}
    stack: list[type[BaseModel]] = [model]
    seen: set[type[BaseModel]] = set()
    while stack:
        current = stack.pop()
        if current in seen:
            continue
        seen.add(current)
        for name, field in current.model_fields.items():
            names[field.alias or name] = None
            stack.extend(_models_in(field.annotation))
    return list(names)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'match'?`` or ""."""
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""

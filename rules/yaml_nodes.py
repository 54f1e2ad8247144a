"""YAML 1.2 as a tree of plain values, each with its place: only what JSON can say, and nothing that blows up.

ruamel.yaml reads the text into events; the tree is made of them here, because its own loaders give an anchored
``true`` as 1, drop tags in silence, recurse as deep as the file says and lose the place of half the faults.
Scalars follow the core schema (YAML 1.2.2, chapter 10.3), so ``no``, ``22:00`` and ``2026-01-31`` stay text.
Merge keys (``<<``), which 1.2 no longer has, are understood, since people use them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

if TYPE_CHECKING:
    from ruamel.yaml.events import Event

MAX_CHARACTERS = 500_000
MAX_NODES = 200_000
MAX_DEPTH = 100
MAX_DIGITS = 100
_SHOWN = 80

_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# No leading zeros: 012345678901 is an account id, and its zero must stay.
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_TAGS = {
    "str": "tag:yaml.org,2002:str",
    "seq": "tag:yaml.org,2002:seq",
    "map": "tag:yaml.org,2002:map",
}


class NodeError(ValueError):
    """Why a text is no tree; line and column count from 1, 0 where the place is the whole text."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


@dataclass(slots=True, eq=False)
class Node:
    """One value and where it stands. ``entries`` is set for a mapping only, ``items`` for a sequence only.

    ``keys`` are the places of a mapping's keys. ``size`` and ``height`` count with every alias written out.
    """

    line: int
    column: int
    value: Any = None
    entries: dict[str, Node] | None = None
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    items: list[Node] | None = None
    size: int = 1
    height: int = 0


def read_nodes(text: str) -> Node:
    """The tree of the one document in ``text``; an empty text gives a node whose value is None.

    Raises NodeError for what is not YAML, for several documents, for tags, keys that are no text or stand
    twice, numbers that JSON does not have, and for more than ``MAX_*`` allows.
    """
    if len(text) > MAX_CHARACTERS:
        raise NodeError(f"more than {MAX_CHARACTERS:,} characters")
    builder = _Builder()
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            builder.take(event)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise NodeError(f"not valid YAML: {error.problem or error.context}", line, column) from error
    except ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise NodeError(
            f"not valid YAML: a character that is not allowed: {chr(error.character)!r}", line, column
        ) from error
    except NodeError:
        raise
    # A parser of twenty years has ways to fail that it does not document; its last sign of life is the place.
    except (
        YAMLError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise NodeError(f"not valid YAML: {error}", builder.line, builder.column) from error
    return builder.root or Node(1, 1)


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not come yet."""

    node: Node
    anchor: str | None
    key: str | None = None
    merging: bool = False
    merged: Node | None = None

    @property
    def awaits_key(self) -> bool:
        """Whether what comes next is the key of a mapping."""
        return self.node.entries is not None and self.key is None and not self.merging


_MERGE = "<<"


class _Builder:
    """Makes the tree from events, without recursion."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.line, self.column = 1, 1
        self._open: list[_Open] = []
        # None: the anchor is inside what it names, which would never end.
        self._anchors: dict[str, Node | None] = {}

    def take(self, event: Event) -> None:
        """One more event."""
        self.line, self.column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, DocumentStartEvent):
            if self.root is not None:
                raise self._fault("a second document; a file holds one")
            if event.version not in (None, (1, 2)):
                raise self._fault("only YAML 1.2 is read; leave the %YAML line out")
        elif isinstance(event, AliasEvent):
            self._alias(str(event.anchor))
        elif isinstance(event, ScalarEvent):
            self._scalar(event)
        elif isinstance(event, MappingStartEvent):
            self._begin(event, Node(self.line, self.column, entries={}), "map")
        elif isinstance(event, SequenceStartEvent):
            self._begin(event, Node(self.line, self.column, items=[]), "seq")
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            self._end()

    def _fault(self, message: str) -> NodeError:
        return NodeError(message, self.line, self.column)

    def _begin(self, event: Any, node: Node, kind: str) -> None:
        if self._awaits_key():
            raise self._fault("a key must be text")
        self._check_tag(event, kind)
        if len(self._open) >= MAX_DEPTH:
            raise self._fault(f"nested deeper than {MAX_DEPTH} levels")
        if event.anchor is not None:
            self._anchors[str(event.anchor)] = None
        self._open.append(_Open(node, None if event.anchor is None else str(event.anchor)))

    def _end(self) -> None:
        opened = self._open.pop()
        node = opened.node
        if node.entries is not None:
            _merge(opened)
            node.value = {key: child.value for key, child in node.entries.items()}
        else:
            node.value = [child.value for child in node.items or ()]
        if opened.anchor is not None:
            self._anchors[opened.anchor] = node
        self._add(node)

    def _alias(self, anchor: str) -> None:
        if self._awaits_key():
            raise self._fault("a key must be text, not an alias")
        if anchor not in self._anchors:
            raise self._fault(f"there is no anchor {anchor[:_SHOWN]!r} before this alias")
        node = self._anchors[anchor]
        if node is None:
            raise self._fault(f"alias {anchor[:_SHOWN]!r} stands inside what it names")
        self._add(node)

    def _scalar(self, event: ScalarEvent) -> None:
        self._check_tag(event, "str")
        plain = event.tag is None and not event.style
        text = str(event.value)
        if not text.isascii():
            self._check_characters(text)
        if self._awaits_key():
            self._key(text, plain=plain)
            return
        node = Node(self.line, self.column, self._plain(text) if plain else text)
        if event.anchor is not None:
            self._anchors[str(event.anchor)] = node
        self._add(node)

    def _check_characters(self, text: str) -> None:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise self._fault(r"half of a surrogate pair; write \UXXXXXXXX for such a character") from error

    def _check_tag(self, event: Any, kind: str) -> None:
        if event.tag not in (None, "!", _TAGS[kind]):
            shown = str(event.tag).replace("tag:yaml.org,2002:", "!!")[:_SHOWN]
            raise self._fault(f"tags are not allowed: {shown!r}")

    def _awaits_key(self) -> bool:
        return bool(self._open) and self._open[-1].awaits_key

    def _key(self, text: str, *, plain: bool) -> None:
        opened = self._open[-1]
        if plain and text == _MERGE:
            if opened.merged is not None:
                raise self._fault(f"key {_MERGE!r} appears twice")
            opened.merging = True
            return
        if plain and not isinstance(self._plain(text), str):
            raise self._fault(f"a key must be text; put it in quotes: {text[:_SHOWN]!r}")
        if text in (opened.node.entries or {}):
            raise self._fault(f"key {text[:_SHOWN]!r} appears twice")
        opened.key = text
        opened.node.keys[text] = (self.line, self.column)

    def _plain(self, text: str) -> Any:
        try:
            return _plain(text)
        except ValueError as error:
            raise self._fault(str(error)) from error

    def _add(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        opened = self._open[-1]
        parent = opened.node
        parent.size += node.size
        parent.height = max(parent.height, node.height + 1)
        if parent.size > MAX_NODES:
            raise self._fault(f"more than {MAX_NODES:,} values, aliases written out")
        if len(self._open) + node.height > MAX_DEPTH:
            raise self._fault(f"nested deeper than {MAX_DEPTH} levels, aliases written out")
        if opened.merging:
            self._check_merged(node)
            opened.merged, opened.merging = node, False
        elif parent.items is not None:
            parent.items.append(node)
        elif parent.entries is not None and opened.key is not None:
            parent.entries[opened.key], opened.key = node, None

    def _check_merged(self, node: Node) -> None:
        if any(part.entries is None for part in _merge_parts(node)):
            raise self._fault(f"{_MERGE!r} takes a mapping or a list of mappings")


def _merge_parts(node: Node) -> list[Node]:
    return node.items if node.items is not None else [node]


def _merge(opened: _Open) -> None:
    """Take over the keys of ``<<`` that the mapping does not have itself; of several, the first one counts."""
    node = opened.node
    if opened.merged is None or node.entries is None:
        return
    for part in _merge_parts(opened.merged):
        for key, child in (part.entries or {}).items():
            if key not in node.entries:
                node.entries[key] = child
                node.keys[key] = part.keys[key]


def _plain(text: str) -> Any:
    """The value of an unquoted scalar. Raises ValueError for a number that JSON does not have."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"not a number that JSON has: {text}")
    return _number(text) if _BASED.fullmatch(text) or _FLOAT.fullmatch(text) else text


def _number(text: str) -> int | float:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of more than {MAX_DIGITS} characters; put it in quotes if it is text")
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"not a number that JSON has: {text}")
    return number

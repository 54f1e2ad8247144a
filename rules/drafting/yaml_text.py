"""A drafted rule file as YAML for people: block style, short lists on one line, with comments."""

from __future__ import annotations

import io
import re
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Of comments; lines are never folded, since an ARN in two lines cannot be copied.
_WIDTH, _UNFOLDED = 110, 10_000
_INDENT = 2
_MERGE = "<<"
# ruamel quotes the key that it is given; in quotes it would be a key like any other.
_QUOTED_MERGE = re.compile(r"^( +(?:[a-z]+: \{)?)'<<'(?=: \*)", re.MULTILINE)
_LONGEST_LINE = 88


@dataclass(frozen=True, slots=True)
class Note:
    """A comment above the key at a place such as ``("rules", 0, "expires")``; its text is plain ASCII."""

    place: tuple[str | int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Anchored:
    """An object that ``Changed`` ones refer to; it stands before all of them. A document has one at most."""

    name: str
    value: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Changed:
    """The anchored object, with some keys changed: ``{<<: *event, awsRegion: us-east-1}``, or ``*event``."""

    changes: Mapping[str, Any]


@dataclass(slots=True)
class _Nodes:
    """Makes ruamel's nodes of a document; remembers the anchored one."""

    anchored: list[CommentedMap] = field(default_factory=list)

    def of(self, value: Any) -> Any:
        node: Any = value
        if isinstance(value, Anchored):
            node = self.of(value.value)
            node.yaml_set_anchor(value.name, always_dump=True)
            self.anchored.append(node)
        elif isinstance(value, Changed):
            node = self._changed(value)
        elif isinstance(value, dict):
            node = CommentedMap({key: self.of(one) for key, one in value.items()})
        elif isinstance(value, list):
            node = CommentedSeq(self.of(one) for one in value)
        elif isinstance(value, str) and not (value.isascii() and value.isprintable()):
            node = DoubleQuotedScalarString(value)
        if isinstance(value, (dict, list)) and _is_short(value):
            node.fa.set_flow_style()
        return node

    def _changed(self, value: Changed) -> CommentedMap:
        if not value.changes:
            return self.anchored[0]
        node: CommentedMap = self.of({_MERGE: None, **value.changes})
        node[_MERGE] = self.anchored[0]
        return node


def written(document: Mapping[str, Any], notes: Sequence[Note], heading: Sequence[str]) -> str:
    """The document as YAML 1.2 in ASCII, with its comments.

    Everything that is not ASCII or cannot be seen is escaped, so that a stranger's name cannot forge a line.
    """
    root = _Nodes().of(document)
    for note in notes:
        _comment(root, note)
    for key in list(root)[1:]:
        root.yaml_set_comment_before_after_key(key, before="\n")
    out = io.StringIO()
    yaml = YAML()
    yaml.width = _UNFOLDED
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    yaml.allow_unicode = False
    yaml.indent(mapping=_INDENT, sequence=2 * _INDENT, offset=_INDENT)
    yaml.dump(root, out)
    lines = [f"# {line}".rstrip() for line in heading]
    return "\n".join(lines) + "\n" + _QUOTED_MERGE.sub(r"\1<<", out.getvalue())


def _comment(root: Any, note: Note) -> None:
    node = root
    for step in note.place[:-1]:
        node = node[step]
    # Sequences are indented by twice as much as mappings are.
    depth = sum(2 * _INDENT if isinstance(step, int) else _INDENT for step in note.place[:-1])
    depth -= sum(_INDENT for step in note.place[:-1] if isinstance(step, int))
    text = "\n".join(textwrap.wrap(note.text, _WIDTH - depth, break_long_words=False))
    node.yaml_set_comment_before_after_key(note.place[-1], before=text, indent=depth)


def _is_short(value: Any) -> bool:
    """Whether it reads best on one line: little, and nested no deeper than an operator with an operator in it."""
    return len(repr(value)) <= _LONGEST_LINE and _height(value) <= (3 if isinstance(value, list) else 2)


def _height(value: Any) -> int:
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if not below else 1 + max((_height(one) for one in below), default=0)

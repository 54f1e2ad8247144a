"""Findings of the lint, and what it looks at: each rule as written, field by field, each with its place."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rules.named_lists import list_name, with_lists
from rules.patterns.structure import flatten
from rules.rulefile import DEFAULT_PACK
from rules.yaml_source import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rules.patterns.structure import Combination
    from rules.rule_schema import Rule
    from rules.rulefile import LoadedRules
    from rules.verdicts import CompiledRule
    from rules.yaml_source import YamlSource

OR = "$or"
_LONGEST = 100


class Level(StrEnum):
    """How bad a finding is: an error has to be mended, a warning is probably a mistake, a note is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: where, how bad, what, and the name of the check that made it."""

    fault: Fault
    level: Level
    check: str

    def __str__(self) -> str:
        """``file:line:column: level: message [check]``, as editors understand it."""
        message = f"{self.level}: {self.fault.message} [{self.check}]"
        return str(Fault(self.fault.path, self.fault.line, self.fault.column, message))

    @property
    def sort_key(self) -> tuple[Fault, str]:
        """By file, line, column, then text."""
        return self.fault, self.check


@dataclass(frozen=True, slots=True)
class Asked:
    """One field of a pattern: its dotted path, its values with lists written out, and where it stands in the rule.

    ``index_of`` says for each value which element of the written array it came from.
    """

    path: str
    values: tuple[Any, ...]
    steps: tuple[str | int, ...]
    index_of: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """One rule under the lint: as written, compiled, and how to name a place in it."""

    source: YamlSource
    index: int
    rule: Rule
    compiled: CompiledRule
    lists: Mapping[str, list[Any]]

    @property
    def of_default_pack(self) -> bool:
        """Whether it is a rule of the product's own pack, which has no other owner and nobody can change."""
        return (
            self.source.path == "default pack" or Path(self.source.path).resolve() == DEFAULT_PACK.resolve()
        )

    def finding(self, level: Level, check: str, message: str, *steps: str | int) -> Finding:
        """A finding on the rule, at the steps below its entry."""
        place = ["rules", self.index, *steps]
        return Finding(self.source.fault(place, f"rule {self.rule.id}: {message}"), level, check)

    def asked(self, key: str) -> list[Asked]:
        """Every field of ``match`` or ``unless``, in every branch of ``$or``."""
        pattern = self.rule.match if key == "match" else self.rule.unless
        return list(_asked(pattern, self.lists, "", (key,)))

    @property
    def everything_asked(self) -> list[Asked]:
        """Every field of both patterns."""
        return [*self.asked("match"), *self.asked("unless")]

    @property
    def combinations(self) -> list[Combination]:
        """The combinations of ``match``, one of which an event has to satisfy."""
        return flatten(self.compiled.written_match)

    @property
    def excluding(self) -> list[Combination]:
        """The combinations of ``unless``; none where there is none."""
        return flatten(self.compiled.written_unless) if self.compiled.written_unless else []

    def steps_of(self, path: str, written: Sequence[object] | None = None) -> tuple[str | int, ...]:
        """Where in ``match`` a path is asked about; the whole of it where it cannot be told."""
        found = [asked for asked in self.asked("match") if asked.path == path]
        best = [asked for asked in found if written is None or asked.values == tuple(written)] or found
        return best[0].steps if best else ("match",)


def subjects_of(loaded: LoadedRules) -> list[Subject]:
    """Every rule of every file."""
    lists = {name: values for _, file in loaded.files for name, values in file.lists.items()}
    compiled = {rule.id: rule for rule in loaded.rule_set.rules}
    return [
        Subject(source, index, rule, compiled[rule.id], lists)
        for source, index, rule in loaded.written
        if rule.id in compiled
    ]


def shown(value: object) -> str:
    """A value of a pattern as JSON, cut to what fits a line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def is_alternatives(value: object) -> bool:
    """Whether what stands under ``$or`` is the operator's: some objects."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _asked(
    node: Any, lists: Mapping[str, list[Any]], path: str, steps: tuple[str | int, ...]
) -> Iterator[Asked]:
    if isinstance(node, dict) and list_name(node) is None:
        for name, value in node.items():
            if name == OR and is_alternatives(value):
                for index, branch in enumerate(value):
                    yield from _asked(branch, lists, path, (*steps, OR, index))
            else:
                below = f"{path}.{name}" if path else str(name)
                yield from _asked(value, lists, below, (*steps, name))
    elif node is not None:
        yield _field(node, lists, path, steps)


def _field(node: Any, lists: Mapping[str, list[Any]], path: str, steps: tuple[str | int, ...]) -> Asked:
    values: list[Any] = []
    index_of: list[int] = []
    for index, element in enumerate(node if isinstance(node, list) else [node]):
        written = with_lists([element], lists)
        values += written
        index_of += [index] * len(written)
    return Asked(path, tuple(values), steps, tuple(index_of))

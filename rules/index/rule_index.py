"""The index of a rule set: which rules match an event, told from a lookup for each path that rules ask about.

Every alternative of every rule (a pattern has several with ``$or``) is a bit of an integer. For each path there is a
table that says which bits a value lets through (``rules.index.tables``). The bits that are left after all tables are
the rules that match, so that the cost hardly grows with the number of rules. Values in arrays, dotted keys and
unknown facts cannot be told this way: then the bit above all others, ``sure``, is taken out, no table takes a bit
out that could still match, and the patterns themselves have the last word.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from rules.index.record_paths import ATTRIBUTES, FREE_OBJECTS
from rules.index.tables import MOST_KEPT, Tables
from rules.index.trees import Tree
from rules.patterns.fields import Field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rules.events import ChangeEvent
    from rules.patterns import Pattern
    from rules.patterns.conditions import Condition

_FACTS = "facts."
_EVENT_ATTRIBUTES = {"source": "source", **{path: f"record.{name}" for path, name in ATTRIBUTES.items()}}


class RuleIndex:
    """For rules numbered in the order given, each by its pattern.

    ``asking_facts`` has the bits of the alternatives that ask about facts.
    """

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = patterns
        self._rule_of: list[int] = []
        self._bits_of_rule = [0] * len(patterns)
        for number, pattern in enumerate(patterns):
            for _ in pattern.conditions:
                self._bits_of_rule[number] |= 1 << len(self._rule_of)
                self._rule_of.append(number)
        alternatives = [combination for pattern in patterns for combination in pattern.conditions]
        self.all = (1 << len(alternatives)) - 1
        self.sure = self.all + 1
        self.asking_facts = sum(
            1 << number for number, one in enumerate(alternatives) if any(map(asks_facts, one))
        )
        tables = Tables(alternatives, _can_be_looked_up, _is_in_free_object)
        self._rest = [_Rest(rest) if rest else None for rest in tables.rest]
        everything = self.all | self.sure
        self._event, self._facts = Tree(everything), Tree(everything)
        for path, table in tables.by_path.items():
            tree = self._facts if path.startswith(_FACTS) else self._event
            tree.add(path.removeprefix(_FACTS), table)
        asked = [path for path in tables.by_path if path in _EVENT_ATTRIBUTES]
        plain = [path for path in asked if not tables.by_path[path].asks_more]
        others = [path for path in asked if tables.by_path[path].asks_more]
        self._plain_tables = [tables.by_path[path] for path in plain]
        self._plain_values = _getter(plain)
        self._kept: dict[tuple[Any, ...], int] = {}
        self._tables = [tables.by_path[path] for path in others]
        self._values = _getter(others)
        self._objects = [
            (attrgetter(f"record.{attribute}"), found)
            for path, attribute in FREE_OBJECTS.items()
            if (found := self._event.at(path)) is not None
        ]

    def select_by_event(self, event: ChangeEvent) -> int:
        """The bits that an event lets through, with ``sure`` if nothing was left open."""
        bits = self.all | self.sure
        if event.document is not None:
            return self._event.select(bits, event.document)
        try:
            plain = self._plain_values(event)
            others = self._values(event)
        except AttributeError:  # a part of the record is null
            return self._event.select(bits, event.envelope)
        kept = self._kept.get(plain)
        bits = self._select_by_plain(plain) if kept is None else kept
        for table, value in zip(self._tables, others, strict=False):
            if not bits & table.asking:
                continue
            bits &= table.passed(value) if value.__class__ is str else table.passed_unless_text(value, bits)
        for attribute, tree in self._objects:
            found = attribute(event)
            if found is None:
                bits &= tree.nothing
            elif bits & tree.asking:
                bits = tree.select(bits, found)
        return bits

    def _select_by_plain(self, values: tuple[Any, ...]) -> int:
        """What the plain tables let through; the same few callers come again and again, so it is kept."""
        bits = self.all | self.sure
        for table, value in zip(self._plain_tables, values, strict=False):
            text = isinstance(value, str)
            bits &= table.exact.get(value, table.free) if text else table.passed_unless_text(value, bits)
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[values] = bits
        return bits

    def select_by_facts(self, bits: int, facts: Mapping[str, Any], unknown: tuple[str, ...]) -> int:
        """Those that the facts let through, too; paths at or below an ``unknown`` one are not asked."""
        return self._facts.select_known(bits, facts, unknown) if unknown else self._facts.select(bits, facts)

    def bits_of(self, rules: Iterable[int]) -> int:
        """The bits of some rules."""
        return sum(self._bits_of_rule[rule] for rule in rules)

    def matching(self, bits: int, event: ChangeEvent, facts: Mapping[str, Any] | None) -> list[int]:
        """The numbers of the rules that the bits belong to and whose patterns match, in order.

        After a sure selection only what could not be looked up is left to see; the document is made only for that.
        """
        matching = []
        document: Mapping[str, Any] | None = None
        sure = bits & self.sure
        bits &= self.all
        while bits:
            lowest = bits & -bits
            alternative = lowest.bit_length() - 1
            number = self._rule_of[alternative]
            own = bits & self._bits_of_rule[number]
            bits ^= own
            matches: bool | None = None
            if sure and own == lowest:
                rest = self._rest[alternative]
                matches = True if rest is None else rest.satisfied(event)
            if matches is None:
                document = document or seen_by_rules(event, facts)
                matches = self._patterns[number].matches(document)
            if matches:
                matching.append(number)
        return matching

    def rules_of(self, bits: int) -> list[int]:
        """The numbers of the rules that the bits belong to, in order."""
        return [number for number, own in enumerate(self._bits_of_rule) if own & bits]


def seen_by_rules(event: ChangeEvent, facts: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The document that patterns are held against: the envelope, with the facts under ``facts``."""
    return event.envelope if facts is None else {**event.envelope, "facts": facts}


def asks_facts(path: str) -> bool:
    """Whether a path of a pattern leads to facts, or is that of all facts together."""
    return path.startswith(_FACTS) or path == _FACTS[:-1]


def _getter(paths: Sequence[str]) -> Callable[[ChangeEvent], tuple[Any, ...]]:
    """What gives the values at some paths of an event. One is read once more, so that it is always a tuple."""
    return attrgetter(*(_EVENT_ATTRIBUTES[path] for path in paths), "source", "source")


class _Rest:
    """What of one alternative no table has: fields in the objects of a record, and others."""

    __slots__ = ("_fields", "_others")

    def __init__(self, conditions: Mapping[str, Condition]) -> None:
        self._fields: list[tuple[Callable[[Any], Any], Field, Field]] = []
        self._others = False
        for path, condition in conditions.items():
            within = next((one for one in FREE_OBJECTS if path.startswith(one + ".")), None)
            if within is None:
                self._others = True
            else:
                relative = path.removeprefix(within + ".")
                of = attrgetter(FREE_OBJECTS[within])
                self._fields.append((of, Field(relative, condition), Field(path, condition)))

    def satisfied(self, event: ChangeEvent) -> bool | None:
        """Whether the event has what is left; None if that hangs on more than this."""
        undecided = self._others
        document = event.document
        for of, relative, whole in self._fields:
            # A service's own event has a record that was made up to read it by, so its document counts.
            found = (
                relative.satisfied(of(event.record) or _NOTHING)
                if document is None
                else whole.satisfied(document)
            )
            if found is None:
                undecided = True
            elif not found:
                return False
        return None if undecided else True


_NOTHING: dict[str, Any] = {}


def _can_be_looked_up(path: str) -> bool:
    return path in _EVENT_ATTRIBUTES or path.startswith(_FACTS) or _is_in_free_object(path)


def _is_in_free_object(path: str) -> bool:
    return any(path.startswith(f"{one}.") for one in FREE_OBJECTS)

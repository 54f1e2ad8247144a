"""Mutation of rules: a part is taken out, and a test of the rule has to notice, or it proves nothing.

For each rule in turn: the rule itself, each field of ``match`` and ``unless``, each of a field's values, each branch of
``$or``, the whole ``unless``, ``during`` and each of its windows. A negated condition need not be tried: whatever test
would notice it notices one of these, too. A named list is one value: its entries are data, not conditions.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from rules.errors import PatternError
from rules.lint.findings import OR, is_alternatives, shown, subjects_of
from rules.named_lists import list_name, with_lists
from rules.patterns import compile_pattern
from rules.rule_set import RuleSet
from rules.rule_tests import differences
from rules.verdicts import resolve

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from rules.lint.findings import Subject
    from rules.rule_tests import PreparedTest
    from rules.rulefile import LoadedRules
    from rules.verdicts import CompiledRule, Judged
    from rules.yaml_source import Fault

    Steps = tuple[str | int, ...]

# What every event satisfies: no event has a field of that name.
_ALWAYS: Final = {"-": [{"exists": False}]}
GONE: Final = "the whole rule"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule with a part taken out: what was, and where it stands. ``rule`` None: the rule itself is gone."""

    rule_id: str
    what: str
    place: Fault
    rule: CompiledRule | None


@dataclass(frozen=True, slots=True)
class Mutation:
    """How many mutants there were, and those that no test noticed."""

    tried: int
    survivors: tuple[Mutant, ...]


def mutate(
    loaded: LoadedRules, tests: Sequence[PreparedTest], files: Collection[str], at: datetime
) -> Mutation:
    """Every mutant of the rules of some files, against tests all of which pass as the rules are."""
    judged = [
        {one.rule.id: one for one in loaded.rule_set.judge_each(test.event, test.facts, at)} for test in tests
    ]
    mutants = [
        mutant
        for subject in subjects_of(loaded)
        if subject.source.path in files
        for mutant in mutants_of(subject)
    ]
    survivors = [mutant for mutant in mutants if not _noticed(mutant, loaded.rule_set, tests, judged, at)]
    return Mutation(len(mutants), tuple(survivors))


def mutants_of(subject: Subject) -> Iterator[Mutant]:
    """Every mutant of one rule."""
    rule, compiled = subject.rule, subject.compiled
    yield Mutant(rule.id, GONE, _place(subject), None)
    for what, steps, match in _smaller(rule.match):
        yield from _compiled(subject, "match", what, steps, match)
    if rule.unless is not None:
        without = replace(compiled, unless=None, written_unless=None)
        yield Mutant(rule.id, "unless", _place(subject, "unless"), without)
        for what, steps, unless in _smaller(rule.unless):
            if unless != _ALWAYS:  # then the rule would never count, which is as if it were gone
                yield from _compiled(subject, "unless", what, steps, unless)
    if rule.during:
        yield Mutant(rule.id, "during", _place(subject, "during"), replace(compiled, during=()))
        for index, name in enumerate(rule.during if len(rule.during) > 1 else ()):
            fewer = tuple(one for one in rule.during if one != name)
            place = _place(subject, "during", index)
            yield Mutant(rule.id, f"during: {name}", place, replace(compiled, during=fewer))


def _compiled(subject: Subject, key: str, what: str, steps: Steps, pattern: Any) -> Iterator[Mutant]:
    written = with_lists(pattern, subject.lists)
    try:
        compiled = compile_pattern(written)
    except PatternError:  # what is left is no pattern
        return
    mutated = (
        replace(subject.compiled, match=compiled, written_match=written)
        if key == "match"
        else replace(subject.compiled, unless=compiled, written_unless=written)
    )
    yield Mutant(subject.rule.id, f"{key}: {what}", _place(subject, key, *steps), mutated)


def _place(subject: Subject, *steps: str | int) -> Fault:
    return subject.source.fault(["rules", subject.index, *steps], "")


def _smaller(pattern: dict[str, Any]) -> Iterator[tuple[str, Steps, Any]]:
    """The pattern without each of its parts: what was taken out, where it stood, and what is left."""
    for what, steps in _parts(pattern, "", ()):
        left = deepcopy(pattern)
        _take_out(left, steps)
        yield what, steps, left or _ALWAYS


def _parts(node: Any, path: str, steps: Steps) -> Iterator[tuple[str, Steps]]:
    """Every part of a pattern that can be taken out, in words and with the steps to it."""
    if isinstance(node, dict) and list_name(node) is None:
        for name, value in node.items():
            here = (*steps, name)
            if name == OR and is_alternatives(value):
                for index, branch in enumerate(value):
                    yield f"alternative {index + 1} of $or", (*here, index)
                    yield from _parts(branch, path, (*here, index))
            else:
                yield from _parts(value, f"{path}.{name}" if path else str(name), here)
        return
    yield path, steps
    for index, value in enumerate(node if isinstance(node, list) and len(node) > 1 else ()):
        yield f"{path} {shown(value)}", (*steps, index)
    for index, value in enumerate(node if isinstance(node, list) else ()):
        yield from _excluded(value, path, (*steps, index))


def _excluded(value: Any, path: str, steps: Steps) -> Iterator[tuple[str, Steps]]:
    """Each of several values of ``anything-but``, also where an operator holds them."""
    while isinstance(value, dict) and len(value) == 1 and list_name(value) is None:
        ((operator, value),) = value.items()
        steps = (*steps, operator)
        if operator == "numeric":
            return
    if isinstance(value, list) and len(value) > 1:
        yield from ((f"{path} {shown(one)}", (*steps, index)) for index, one in enumerate(value))


def _take_out(pattern: Any, steps: Steps) -> None:
    """Take out the part, and what is empty then. A ``$or`` keeps two branches, as it must: the last one twice."""
    nodes = [pattern]
    for step in steps[:-1]:
        nodes.append(nodes[-1][step])
    for node, step, above in zip(
        reversed(nodes), reversed(steps), (*reversed(steps[:-1]), None), strict=True
    ):
        branches = isinstance(node, list) and above == OR
        if branches and isinstance(node[step], dict) and not node[step] and step != steps[-1]:
            node[step] = deepcopy(_ALWAYS)
            return
        del node[step]
        if branches and len(node) == 1:
            node.append(deepcopy(node[0]))
        if node:
            return


def _noticed(
    mutant: Mutant,
    rules: RuleSet,
    tests: Sequence[PreparedTest],
    judged: Sequence[dict[str, Judged]],
    at: datetime,
) -> bool:
    """Whether a test fails with the mutant in the place of its rule. Only that rule is judged again."""
    alone = RuleSet([] if mutant.rule is None else [mutant.rule], rules.windows)
    for test, before in zip(tests, judged, strict=True):
        now = alone.judge_each(test.event, test.facts, at)
        if now and now[0].state is before[mutant.rule_id].state:
            continue
        others = [one for rule_id, one in before.items() if rule_id != mutant.rule_id]
        if differences(test.test, resolve(test.event, [*others, *now])):
            return True
    return False

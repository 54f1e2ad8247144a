"""Lint of fields: paths that no event has, facts that are none, and values that never stand there."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from rules.fact_schema import FACT_PATHS, Fact, FactKind, fact_at
from rules.lint.findings import Finding, Level, Subject, shown
from rules.lint.implies import accepts
from rules.lint.structure import DOCUMENTED, FACTS_PREFIX, is_free, structure_at
from rules.yaml_source import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from rules.lint.findings import Asked

_WINDOWS = "facts.windows"
_DETAIL = "detail."
# A free parameter is another one unless its name is nearly that of a known one.
_NEARLY = 0.86
_TEXT_OPERATORS = frozenset({"exactly", "prefix", "suffix", "equals-ignore-case", "wildcard", "cidr"})


def field_findings(subject: Subject, windows: Collection[str]) -> Iterator[Finding]:
    """Findings on every field of a rule."""
    for asked in subject.everything_asked:
        if asked.path.startswith(FACTS_PREFIX):
            yield from _of_fact(subject, asked, windows)
        elif structure_at(asked.path) is None:
            yield from _unknown(subject, asked)


def _unknown(subject: Subject, asked: Asked) -> Iterator[Finding]:
    path = asked.path
    if path == "facts":
        return
    if is_free(path):
        meant = _nearly(path)
        if meant:
            message = f"no watched call has {path}; did you mean {meant!r}?"
            yield subject.finding(Level.WARNING, "unknown-field", message, *asked.steps)
        return
    named = [known for known in DOCUMENTED if known.endswith("." + path.rpartition(".")[2])]
    hint = did_you_mean(path, named or _beside(path)) or (f"; did you mean {named[0]!r}?" if named else "")
    if hint or not path.startswith(_DETAIL):
        level, top = Level.ERROR, "; at the top there are source, detail-type, detail and facts"
        message = f"no event has {path}{hint or top}"
    else:
        level, message = Level.WARNING, f"{path} is in no record that AWS documents"
    yield subject.finding(level, "unknown-field", message, *asked.steps)


def _beside(path: str) -> list[str]:
    """The known paths that a wrong one could be a slip of the pen for: those of as many steps, and itself below ``detail``."""
    return [known for known in DOCUMENTED if known.count(".") == path.count(".") or known == _DETAIL + path]


def _nearly(path: str) -> str:
    """The known path that one under a free object was probably meant for."""
    above, _, name = path.rpartition(".")
    names = {known.rpartition(".")[2]: known for known in DOCUMENTED if known.rpartition(".")[0] == above}
    by_case = {known.lower(): known for known in names}
    close = [by_case[name.lower()]] if name.lower() in by_case else []
    close = close or get_close_matches(name, names, n=1, cutoff=_NEARLY)
    return names[close[0]] if close else ""


def _of_fact(subject: Subject, asked: Asked, windows: Collection[str]) -> Iterator[Finding]:
    name = asked.path.removeprefix(FACTS_PREFIX)
    fact = fact_at(name)
    if fact is None:
        if structure_at(asked.path) is None:
            message = f"no fact {name!r}{meant_fact(name)}"
            yield subject.finding(Level.ERROR, "unknown-fact", message, *asked.steps)
        return
    for value, index in zip(asked.values, asked.index_of, strict=True):
        steps = (*asked.steps, index)
        wrong = wrong_type(fact, value)
        if wrong:
            yield subject.finding(Level.ERROR, "wrong-type", f"facts.{name} {wrong}", *steps)
        elif asked.path == _WINDOWS and isinstance(value, str) and value not in windows:
            known = did_you_mean(value, windows) or f"; there are {', '.join(sorted(windows)) or 'none'}"
            message = f"no change window {value!r}{known}"
            yield subject.finding(Level.ERROR, "unknown-window", message, *steps)
        elif fact.values and _names_none(fact, value):
            message = f"facts.{name} is never {shown(value)}{_values_of(fact, value)}"
            yield subject.finding(Level.ERROR, "unknown-value", message, *steps)


def meant_fact(name: str) -> str:
    """``; did you mean 'facts.actor.role'?``, by the whole path or by its last step, or ""."""
    last = name.rpartition(".")[2].lower()
    named = [path for path in FACT_PATHS if path.rpartition(".")[2].lower() == last]
    if named:
        return f"; did you mean {FACTS_PREFIX + named[0]!r}?"
    close = did_you_mean(FACTS_PREFIX + name, [FACTS_PREFIX + path for path in FACT_PATHS])
    return close or f"; known: {', '.join(FACT_PATHS)}"


def wrong_type(fact: Fact, value: Any) -> str:
    """``is true or false, and "true" is a text``: why a pattern's value is never a fact's, or ""."""
    if isinstance(value, dict):
        return _wrong_operator(fact, value)
    if value is None:
        return "is never null; what is absent is asked for with {exists: false}"
    if fact.kind is FactKind.FLAG:
        fits = isinstance(value, bool)
    elif fact.kind is FactKind.NUMBER:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    else:
        fits = isinstance(value, str)
    return "" if fits else f"is {_kind_of(fact)}, and {shown(value)} is {_kind_of_value(value)}"


def _wrong_operator(fact: Fact, value: dict[str, Any]) -> str:
    operator, operand = next(iter(value.items()))
    if fact.kind in {FactKind.FLAG, FactKind.NUMBER} and operator in _TEXT_OPERATORS:
        return f"is {_kind_of(fact)}, and {operator} looks at texts only"
    if fact.kind is not FactKind.NUMBER and operator == "numeric":
        return f"is {_kind_of(fact)}, and numeric looks at numbers only"
    if operator == "anything-but" and not isinstance(operand, dict):
        excluded = operand if isinstance(operand, list) else [operand]
        return next((wrong for one in excluded if (wrong := wrong_type(fact, one))), "")
    return ""


def _names_none(fact: Fact, value: Any) -> bool:
    """Whether no value of a closed fact satisfies one of a pattern's; what excludes a value that is none, too."""
    if isinstance(value, dict) and "anything-but" in value:
        excluded = value["anything-but"]
        excluded = excluded if isinstance(excluded, list) else [excluded]
        return any(isinstance(one, str) and one not in fact.values for one in excluded)
    if isinstance(value, dict) and "exists" in value:
        return False
    return not any(accepts([value], one) for one in fact.values)


def _values_of(fact: Fact, value: Any) -> str:
    text = next(iter(value.values())) if isinstance(value, dict) else value
    meant = did_you_mean(text, fact.values) if isinstance(text, str) else ""
    return meant or f"; it is one of {', '.join(fact.values)}"


def _kind_of(fact: Fact) -> str:
    return {FactKind.TEXT: "a text", FactKind.NUMBER: "a number", FactKind.FLAG: "true or false",
            FactKind.TEXTS: "texts", FactKind.MAP: "a text"}[fact.kind]  # fmt: skip


def _kind_of_value(value: object) -> str:
    if isinstance(value, bool):
        return "a flag"
    return "a text" if isinstance(value, str) else "a number"

"""The operators of a field's array: ``["a", 1, null, {"prefix": "b"}, {"anything-but": ["c"]}]``."""

from __future__ import annotations

import copy
from difflib import get_close_matches
from typing import TYPE_CHECKING

from rules.errors import PatternError
from rules.patterns.addresses import parse_address, parse_block
from rules.patterns.comparable import comparable, is_number, numeric_range, operand
from rules.patterns.conditions import Condition
from rules.patterns.letter_case import ends_ignoring_case, equals_ignoring_case, starts_ignoring_case
from rules.patterns.wildcards import check_complexity, parse_wildcard, wildcard_test

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rules.patterns.conditions import StringTest
    from rules.patterns.wildcards import Tokens

_SHOWN = 60
_CLOSE = 0.7


def compile_condition(written: list[object], path: str, *, or_is_field: bool = False) -> Condition:
    """The condition of one field from its array in the pattern.

    AWS reads patterns in which ``$or`` names a field with an older compiler, which knows fewer operators.

    Raises PatternError, with the place, for whatever EventBridge refuses: an empty array, values that are not
    JSON, unknown or malformed operators, wildcards that are too complex together.
    """
    if not written:
        raise PatternError("an empty array matches nothing and is refused", path=path)
    compiler = _Compiler(newest=not or_is_field)
    for index, value in enumerate(written):
        compiler.add(value, f"{path}[{index}]")
    check_complexity(compiler.wildcards, path)
    # Copied last, when it is known to be plain and shallow, so that changing the pattern changes no message.
    compiler.condition.written = tuple(copy.deepcopy(written))
    return compiler.condition


def single_entry(written: dict[object, object], known: Iterable[str], path: str) -> tuple[str, object]:
    """The one operator of an object and its operand; PatternError if it is unknown or not alone."""
    if not written:
        raise PatternError("an empty object is no operator", path=path)
    if len(written) > 1:
        raise PatternError("an object holds one operator; alternatives go in objects of their own", path=path)
    name, value = next(iter(written.items()))
    if not isinstance(name, str):
        raise PatternError("the name of an operator must be a string", path=path)
    known = list(known)
    if name not in known:
        raise PatternError(_unknown(name, known), path=path)
    return name, value


def _unknown(name: str, known: list[str]) -> str:
    message = f"unknown operator {name[:_SHOWN]!r}"
    close = get_close_matches(name[:_SHOWN].lower(), known, n=1, cutoff=_CLOSE)
    return f"{message}, did you mean {close[0]!r}?" if close else f"{message}; known here: {', '.join(known)}"


def _text(value: object, operator: str, path: str) -> str:
    if not isinstance(value, str):
        raise PatternError(f'"{operator}" takes a string', path=path)
    return value


class _Compiler:
    """Fills one condition; every method named after an operator takes its operand and the place of it."""

    def __init__(self, *, newest: bool) -> None:
        self._newest = newest
        self.condition = Condition()
        self.wildcards: list[list[Tokens]] = []
        self._operators: dict[str, Callable[[object, str], None]] = {
            "exactly": self._exactly,
            "prefix": self._prefix,
            "suffix": self._suffix,
            "equals-ignore-case": self._equals_ignore_case,
            "wildcard": self._wildcard,
            "anything-but": self._anything_but,
            "numeric": self._numeric,
            "cidr": self._cidr,
            "exists": self._exists,
        }

    def add(self, value: object, path: str) -> None:
        """One alternative of the field, a plain value or an operator."""
        condition = self.condition
        if isinstance(value, dict):
            name, operator_value = single_entry(value, self._operators, path)
            self._operators[name](operator_value, f"{path}.{name}")
        elif isinstance(value, str):
            self._plain_string(value)
        elif value is None:
            condition.null = True
        elif isinstance(value, bool):
            condition.true |= value
            condition.false |= not value
        elif isinstance(value, int | float):
            self._plain_number(value, path)
        else:
            kind = "an array" if isinstance(value, list) else f"of the type {type(value).__name__}"
            raise PatternError(
                f"a value to match is a string, a number, true, false or null, not {kind}", path=path
            )

    def _plain_string(self, text: str) -> None:
        # An address stands for all its spellings; only "exactly" takes it as text.
        address = parse_address(text)
        if address is None:
            self.condition.strings.add(text)
        else:
            self.condition.addresses.add(address)

    def _plain_number(self, value: float, path: str) -> None:
        number = comparable(value)
        if number is not None:
            self.condition.numbers.add(number)
        elif isinstance(value, float):
            raise PatternError("NaN and infinity are not JSON", path=path)
        else:
            self.condition.long_numbers.add(value)

    def _exactly(self, value: object, path: str) -> None:
        self.condition.strings.add(_text(value, "exactly", path))

    def _prefix(self, value: object, path: str) -> None:
        test = self._ignoring_case(value, starts_ignoring_case, path)
        self.condition.string_tests.append(test or _begins(_text(value, "prefix", path)))

    def _suffix(self, value: object, path: str) -> None:
        test = self._ignoring_case(value, ends_ignoring_case, path)
        self.condition.string_tests.append(test or _ends(_text(value, "suffix", path)))

    @staticmethod
    def _ignoring_case(value: object, build: Callable[[str], StringTest], path: str) -> StringTest | None:
        """The test of ``{"equals-ignore-case": "..."}`` in a prefix or suffix; None if it is no object."""
        if not isinstance(value, dict):
            return None
        name, text = single_entry(value, ["equals-ignore-case"], path)
        return build(_text(text, name, f"{path}.{name}"))

    def _equals_ignore_case(self, value: object, path: str) -> None:
        self.condition.string_tests.append(equals_ignoring_case(_text(value, "equals-ignore-case", path)))

    def _wildcard(self, value: object, path: str) -> None:
        tokens = parse_wildcard(value, path)
        self.wildcards.append([tokens])
        self.condition.string_tests.append(wildcard_test(tokens))

    def _numeric(self, value: object, path: str) -> None:
        self.condition.number_tests.append(numeric_range(value, path))

    def _cidr(self, value: object, path: str) -> None:
        self.condition.blocks.append(parse_block(value, path))

    def _exists(self, value: object, path: str) -> None:
        if not isinstance(value, bool):
            raise PatternError('"exists" takes true or false', path=path)
        self.condition.present |= value
        self.condition.absent |= not value

    def _anything_but(self, value: object, path: str) -> None:
        if isinstance(value, dict):
            self.condition.excluded_strings.append(self._excluded_strings(value, path))
            return
        values = value if isinstance(value, list) else [value]
        if values and all(isinstance(one, str) for one in values):
            self.condition.excluded_strings.append([frozenset(values).__contains__])
        elif values and all(is_number(one) for one in values):
            self.condition.excluded_numbers.append(frozenset(operand(one, path) for one in values))
        else:
            raise PatternError(
                '"anything-but" takes strings or numbers, not both, or one operator on strings', path=path
            )

    def _excluded_strings(self, value: dict[object, object], path: str) -> list[StringTest]:
        builders = {"prefix": _begins, "suffix": _ends, "equals-ignore-case": equals_ignoring_case}
        name, texts = single_entry(value, [*builders, "wildcard"] if self._newest else builders, path)
        path = f"{path}.{name}"
        if isinstance(texts, list) and name != "equals-ignore-case" and not self._newest:
            raise PatternError(f'"{name}" takes no array where $or names a field', path=path)
        texts = texts if isinstance(texts, list) else [texts]
        if not texts:
            raise PatternError("an empty array excludes nothing and is refused", path=path)
        if name == "wildcard":
            parsed = [parse_wildcard(text, path) for text in texts]
            self.wildcards.append(parsed)
            return [wildcard_test(tokens) for tokens in parsed]
        strings = [_text(text, name, path) for text in texts]
        if name in {"prefix", "suffix"} and "" in strings:
            raise PatternError(f"every string has the empty {name}, so it would exclude all", path=path)
        return [builders[name](text) for text in strings]


def _begins(text: str) -> StringTest:
    return lambda value: value.startswith(text)


def _ends(text: str) -> StringTest:
    return lambda value: value.endswith(text)

"""Which numbers can be compared, and how: AWS's matcher compares numbers as 64-bit floats.

A number counts only if the float is that number to the last written digit. 12345678901234567890 is not:
nearby integers share its float. Such a number equals only itself, and no range holds it.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import TYPE_CHECKING

from rules.errors import PatternError

if TYPE_CHECKING:
    from collections.abc import Callable

_LARGEST = sys.float_info.max
_EXACT_INTEGERS = 2**53
_LOWER_ENDS = (">", ">=")
_UPPER_ENDS = ("<", "<=")
_WITH_UPPER_END = 4


def comparable(number: float) -> float | None:
    """The number as AWS's matcher compares it; None if it cannot be compared (NaN, infinite, too long)."""
    if isinstance(number, float):
        return number if -_LARGEST <= number <= _LARGEST else None
    if -_EXACT_INTEGERS <= number <= _EXACT_INTEGERS:
        return float(number)
    try:
        nearest = float(number)
    except OverflowError:
        return None
    # The shortest decimal that gives this float, not the float's own value, is what is held against the text.
    return nearest if int(Decimal(repr(nearest))) == number else None


def is_number(value: object) -> bool:
    """Whether the JSON value is a number; Python's booleans are integers, JSON's are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def operand(value: object, path: str) -> float:
    """The number an operator was given, ready to compare.

    Raises PatternError if it is none, or one that AWS's matcher cannot compare. The float ``0.0`` is refused
    with them: parsers turn a number too small for a float (1E-325, which AWS refuses) into it without a word,
    so what was written can no longer be told. The integer ``0`` is zero without doubt.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise PatternError("must be a number", path=path)
    number = comparable(value)
    if number is None:
        raise PatternError("this number is outside what 64-bit floats can compare exactly", path=path)
    if number == 0 and isinstance(value, float):
        raise PatternError(
            f"write zero as 0: a number too small to compare, such as 1E-325, is read as {value}, too",
            path=path,
        )
    return number


def numeric_range(terms: object, path: str) -> Callable[[float], bool]:
    """A test from the operand of ``numeric``: ``["=", n]``, one comparison, or a lower and an upper end.

    Raises PatternError for anything else, and for a range that cannot hold two numbers. That goes for ranges
    without an end, too: AWS's matcher has them end at the largest 64-bit float.
    """
    if not isinstance(terms, list) or not terms:
        raise PatternError('"numeric" takes an array such as [">", 0, "<=", 5]', path=path)
    sign, low = terms[0], operand(terms[1] if len(terms) > 1 else None, f"{path}[1]")
    if sign in _LOWER_ENDS and len(terms) == _WITH_UPPER_END:
        return _between(terms, low, path)
    single = _SINGLE.get(sign) if isinstance(sign, str) else None
    if single is None:
        raise PatternError('the comparison must be one of "=", "<", "<=", ">", ">="', path=f"{path}[0]")
    if len(terms) > 2:  # noqa: PLR2004 - a sign and its number
        raise PatternError("only a lower end (> or >=) may be followed by an upper end (< or <=)", path=path)
    if (low == _LARGEST and sign in _LOWER_ENDS) or (low == -_LARGEST and sign in _UPPER_ENDS):
        raise PatternError("no other number is beyond this one", path=path)
    return single(low)


def _between(terms: list[object], low: float, path: str) -> Callable[[float], bool]:
    if terms[2] not in _UPPER_ENDS:
        raise PatternError('the upper end of a range must be "<" or "<="', path=f"{path}[2]")
    high = operand(terms[3], f"{path}[3]")
    if low >= high:
        raise PatternError("the lower end must be below the upper end", path=path)
    open_low, open_high = terms[0] == ">", terms[2] == "<"

    def inside(number: float) -> bool:
        above = number > low if open_low else number >= low
        return above and (number < high if open_high else number <= high)

    return inside


_SINGLE: dict[str, Callable[[float], Callable[[float], bool]]] = {
    "=": lambda bound: lambda number: number == bound,
    "<": lambda bound: lambda number: number < bound,
    "<=": lambda bound: lambda number: number <= bound,
    ">": lambda bound: lambda number: number > bound,
    ">=": lambda bound: lambda number: number >= bound,
}

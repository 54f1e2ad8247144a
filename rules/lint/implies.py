"""Whether one condition, or one pattern, implies another: everything that satisfies the first satisfies the second.

Sound, not complete: True is certain, False means "not that anybody could tell". Arrays change nothing: if some element
satisfies the narrower condition, the same element satisfies the wider one, and elements that the fields of the first
have in common are those of the second. Only what is absent below arrays depends on other fields: nothing is said of it.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rules.lint.structure import DOCUMENTED, FACTS_PREFIX, Structure, is_free
from rules.patterns import compile_pattern
from rules.patterns.addresses import parse_address
from rules.patterns.wildcards import parse_wildcard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rules.patterns import Pattern
    from rules.patterns.structure import Combination
    from rules.patterns.wildcards import Tokens

    # For some paths the texts, one of which an event that satisfies a pattern certainly has there.
    Certain = Mapping[str, frozenset[str]]

_STAR = None
_EXISTS, _ABSENT = {"exists": True}, {"exists": False}


def implies(
    narrow: Sequence[Combination], wide: Sequence[Combination], certain: Sequence[Certain] = ()
) -> bool:
    """Whether every event that satisfies one of the combinations ``narrow`` satisfies one of ``wide``.

    ``certain`` has for each of ``narrow`` what else is certain of the events that satisfy it.
    """
    known: Sequence[Certain] = certain or [{}] * len(narrow)
    return bool(narrow) and all(
        any(_combination_implies(one, other, more) for other in wide)
        for one, more in zip(narrow, known, strict=True)
    )


def _combination_implies(narrow: Combination, wide: Combination, certain: Certain) -> bool:
    return all(
        (path in narrow and condition_implies(narrow[path].written, condition.written, path))
        or (path in certain and all(accepts(condition.written, text) for text in certain[path]))
        for path, condition in wide.items()
    )


def accepts(written: Sequence[Any], value: object) -> bool:
    """Whether a value at a path satisfies the condition written there."""
    return _compiled(json.dumps(list(written))).matches({"value": value})


@lru_cache(maxsize=4096)
def _compiled(written: str) -> Pattern:
    """The condition as a pattern of its own: the same few are held against many others."""
    return compile_pattern({"value": json.loads(written)})


def condition_implies(narrow: Sequence[Any], wide: Sequence[Any], path: str) -> bool:
    """Whether whatever satisfies one condition at a path satisfies the other there."""
    return all(_alternative_implies(value, wide, path) for value in narrow)


def _alternative_implies(value: Any, wide: Sequence[Any], path: str) -> bool:
    if value == _ABSENT:
        return _ABSENT in wide and not _below_arrays(path)
    if _EXISTS in wide:
        return True
    if isinstance(value, dict) and "exactly" in value:
        return accepts(wide, value["exactly"])
    if isinstance(value, dict):
        return any(_operator_implies(value, other) for other in wide)
    address = parse_address(value) if isinstance(value, str) else None
    if address is None:
        return accepts(wide, value)
    # An address has other spellings, which only addresses and blocks match.
    blocks = [other for other in wide if isinstance(other, dict) and "cidr" in other]
    same = any(isinstance(other, str) and parse_address(other) == address for other in wide)
    return same or (bool(blocks) and accepts(blocks, value))


def _below_arrays(path: str) -> bool:
    """Whether there might be an array of objects on the way."""
    known = path.startswith(FACTS_PREFIX) or DOCUMENTED.get(path.rpartition(".")[0]) is Structure.OBJECT
    return is_free(path) or not ("." not in path or known)


def _operator_implies(narrow: dict[str, Any], wide: Any) -> bool:
    """Whether all that one operator matches is matched by one alternative of the other condition."""
    if narrow == wide or not isinstance(wide, dict):
        return bool(narrow == wide)
    (operator, operand), (other, wide_operand) = next(iter(narrow.items())), next(iter(wide.items()))
    if operator == "anything-but" or other == "anything-but":
        return _excludes_more(operator, operand, other, wide_operand)
    if operator == other and operator in _WITHIN:
        return _WITHIN[operator](operand, wide_operand)
    narrow_tokens, wide_tokens = _tokens(operator, operand), _tokens(other, wide_operand)
    if narrow_tokens is not None and wide_tokens is not None:
        return _wildcard_within(narrow_tokens, wide_tokens)
    return _same_letters(operator, operand, other, wide_operand)


def _tokens(operator: str, operand: Any) -> Tokens | None:
    """An operator on texts as a wildcard; None where it is none."""
    if not isinstance(operand, str):
        return None
    if operator == "prefix":
        return (*operand, _STAR)
    if operator == "suffix":
        return (_STAR, *operand)
    if operator == "wildcard":
        return parse_wildcard(operand, "")
    return tuple(operand) if operator == "exactly" else None


def _wildcard_within(narrow: Tokens, wide: Tokens) -> bool:
    """Whether ``wide`` matches ``narrow`` read as a text in which a star is a character that only a star matches."""
    reached = {0}
    for token in (*narrow, ...):
        while True:  # a star may stand for nothing
            more = {at + 1 for at in reached if at < len(wide) and wide[at] is _STAR} - reached
            if not more:
                break
            reached |= more
        if token is ...:
            break
        here = {at for at in reached if at < len(wide)}
        reached = {at for at in here if wide[at] is _STAR} | {at + 1 for at in here if wide[at] == token}
    return len(wide) in reached


def _same_letters(operator: str, operand: Any, other: str, wide: Any) -> bool:
    """Whether an operator is within ``equals-ignore-case``, or within a prefix or suffix of that kind."""
    if isinstance(wide, str) and other != "equals-ignore-case":
        return False
    narrow_letters, wide_letters = _letters(operator, operand), _letters(other, wide)
    if narrow_letters is None or wide_letters is None:
        return False
    (kind, text), (wide_kind, wide_text) = narrow_letters, wide_letters
    if wide_kind == "prefix":
        return kind in {"equals", "prefix"} and text.startswith(wide_text)
    if wide_kind == "suffix":
        return kind in {"equals", "suffix"} and text.endswith(wide_text)
    return kind == "equals" and text == wide_text


def _letters(operator: str, operand: Any) -> tuple[str, str] | None:
    """What an operator asks of letters, in small ones. Of ASCII only: other letters may have several forms."""
    if operator == "equals-ignore-case":
        kind, text = "equals", operand
    elif operator in {"prefix", "suffix"}:
        kind, text = operator, operand["equals-ignore-case"] if isinstance(operand, dict) else operand
    else:
        return None
    return (kind, text.lower()) if isinstance(text, str) and text.isascii() else None


def _excludes_more(operator: str, operand: Any, other: str, wide: Any) -> bool:
    """Whether the first matches nothing that the second excludes."""
    if other != "anything-but" or isinstance(wide, dict):
        return False
    excluded = wide if isinstance(wide, list) else [wide]
    if operator == "anything-but" and not isinstance(operand, dict):
        own = operand if isinstance(operand, list) else [operand]
        return all(one in own for one in excluded)
    return not any(accepts([{operator: operand}], one) for one in excluded)


def _ends(terms: list[Any]) -> tuple[float, bool, float, bool]:
    """Lower end, whether it is open, upper end, whether it is open."""
    low, open_low, high, open_high = float("-inf"), False, float("inf"), False
    for sign, bound in zip(terms[::2], terms[1::2], strict=True):
        if sign in {">", ">=", "="}:
            low, open_low = float(bound), sign == ">"
        if sign in {"<", "<=", "="}:
            high, open_high = float(bound), sign == "<"
    return low, open_low, high, open_high


def _range_within(narrow: list[Any], wide: list[Any]) -> bool:
    low, open_low, high, open_high = _ends(narrow)
    if low == high:
        return accepts([{"numeric": wide}], low)
    wide_low, wide_open_low, wide_high, wide_open_high = _ends(wide)
    above = low > wide_low or (low == wide_low and (open_low or not wide_open_low))
    below = high < wide_high or (high == wide_high and (open_high or not wide_open_high))
    return above and below


def _block_within(narrow: str, wide: str) -> bool:
    address, _, mask = narrow.rstrip("/").partition("/")
    _, _, wide_mask = wide.rstrip("/").partition("/")
    return int(mask) >= int(wide_mask) and accepts([{"cidr": wide}], address)


_WITHIN: Mapping[str, Callable[[Any, Any], bool]] = {"numeric": _range_within, "cidr": _block_within}

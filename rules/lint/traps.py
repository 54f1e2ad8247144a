"""Lint of EventBridge's traps: patterns that AWS takes and that match other events than their writer thinks.

All of them were confirmed on AWS's own matcher: ``exists`` sees leaves only; ``anything-but`` over an array matches if
any element differs, and never matches what is absent; ``"false"`` is not ``false``; a text never matches ``numeric``.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rules.lint.findings import Finding, Level, Subject, shown
from rules.lint.structure import FACTS_PREFIX, Structure, array_above, is_always_there, structure_at
from rules.patterns.addresses import parse_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rules.lint.findings import Asked

_OBJECTS = frozenset({Structure.OBJECT, Structure.OBJECTS, Structure.FREE})
_TEXTUAL = frozenset({Structure.TEXT, Structure.FLAG_TEXT, Structure.TEXTS})
_FLAGS = ("true", "false")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def trap_findings(subject: Subject) -> Iterator[Finding]:
    """Findings on every field of a rule."""
    for asked in subject.everything_asked:
        here = structure_at(asked.path)
        if here in _OBJECTS:
            yield from _on_object(subject, asked)
            continue
        for value, index in zip(asked.values, asked.index_of, strict=True):
            for check, message in _traps(asked, here, value):
                level = Level.NOTE if check == "quoted-flag" and here is None else Level.WARNING
                yield subject.finding(level, check, message, *asked.steps, index)
    for key in ("match", "unless"):
        yield from _same_element(subject, key)


def _on_object(subject: Subject, asked: Asked) -> Iterator[Finding]:
    """The fields of an object are the leaves; the object itself is no value, whatever is asked of it."""
    for value, index in zip(asked.values, asked.index_of, strict=True):
        if value == {"exists": False}:
            message = f"{asked.path} is an object, so exists: false always matches; ask about a field in it"
        elif value == {"exists": True}:
            message = f"{asked.path} is an object, so exists: true never matches; ask about a field in it"
        else:
            message = (
                f"{asked.path} is an object, and {shown(value)} matches values only; ask about a field in it"
            )
        yield subject.finding(Level.WARNING, "object-path", message, *asked.steps, index)


def _traps(asked: Asked, here: Structure | None, value: Any) -> Iterator[tuple[str, str]]:
    path = asked.path
    operator, operand = next(iter(value.items())) if isinstance(value, dict) else ("", None)
    if operator == "anything-but":
        yield from _anything_but(asked, here, operand)
    elif operator == "numeric" and here in _TEXTUAL and not path.startswith(FACTS_PREFIX):
        yield "numeric-on-text", f"{path} is a text, even where it is all digits; numeric never matches it"
    elif operator == "cidr" and isinstance(operand, str):
        network = _network(operand)
        if network:
            yield (
                "host-bits",
                f"{operand} has host bits, and is the same as {network}; did you mean a single address?",
            )
    if not path.startswith(FACTS_PREFIX):
        yield from _wrong_literal(path, here, value)


def _anything_but(asked: Asked, here: Structure | None, operand: Any) -> Iterator[tuple[str, str]]:
    path = asked.path
    above = array_above(path)
    if here is Structure.TEXTS or above:
        array = f"{above} is an array" if above else f"{path} is an array"
        message = f"{array}: anything-but matches if any element differs from {shown(operand)}"
        yield "anything-but-array", f"{message}; put the plain value under unless"
    elif not is_always_there(path) and {"exists": False} not in asked.values:
        message = f"anything-but never matches where {path} is absent"
        yield "anything-but-absent", f"{message}; add {{exists: false}} or put the plain value under unless"


def _wrong_literal(path: str, here: Structure | None, value: Any) -> Iterator[tuple[str, str]]:
    for one in _literals(value):
        if here is Structure.FLAG_TEXT and isinstance(one, bool):
            yield "quoted-flag", f'{path} is {here.value}: write "{str(one).lower()}" in quotes'
        elif here is Structure.FLAG and one in _FLAGS and isinstance(one, str):
            yield "quoted-flag", f"{path} is {here.value}: write {one} without quotes"
        elif here is None and isinstance(one, str) and one in _FLAGS:
            yield "quoted-flag", f'{path}: "{one}" is the text, and does not match the value {one}'
        elif here is Structure.NUMBER and isinstance(one, str) and _NUMBER.fullmatch(one):
            yield "quoted-number", f"{path} is a number: write {one} without quotes"
        elif here in _TEXTUAL and isinstance(one, int | float) and not isinstance(one, bool):
            yield "quoted-number", f'{path} is a text: write "{one}" in quotes'


def _literals(value: Any) -> list[Any]:
    """The plain values that a pattern's value compares with."""
    if not isinstance(value, dict):
        return [value]
    operand = value.get("anything-but", value.get("exactly"))
    if isinstance(operand, dict):
        return []
    return operand if isinstance(operand, list) else [operand]


def _network(block: str) -> str:
    """The block without its host bits; "" where it has none, or is no IPv4 block."""
    address, _, mask = block.partition("/")
    parsed = parse_address(address)
    if parsed is None or not mask.isdecimal() or not int(mask) <= parsed.bits:
        return ""
    host_bits = parsed.bits - int(mask)
    network = parsed.value >> host_bits << host_bits
    if network == parsed.value:
        return ""
    return f"{_written(parsed.bits, network)}/{mask}"


def _written(bits: int, value: int) -> str:
    if bits == 32:  # noqa: PLR2004 - of an IPv4 address
        return ".".join(str(value >> shift & 0xFF) for shift in (24, 16, 8, 0))
    return ":".join(f"{value >> shift & 0xFFFF:x}" for shift in range(112, -1, -16))


def _same_element(subject: Subject, key: str) -> Iterator[Finding]:
    """Fields below one array have to be satisfied by one and the same element of it."""
    through = [(array, asked) for asked in subject.asked(key) if (array := array_above(asked.path))]
    for array, group in groupby(sorted(through, key=lambda one: one[0]), key=lambda one: one[0]):
        fields = [asked for _, asked in group]
        paths = list(dict.fromkeys(asked.path for asked in fields))
        if len(paths) > 1:
            message = f"one and the same element of {array} must satisfy {' and '.join(paths)}"
            yield subject.finding(Level.NOTE, "same-element", message, *fields[-1].steps)

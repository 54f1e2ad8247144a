"""``--where``: a JMESPath expression over an item as plain JSON, the language of the AWS CLI's ``--query``.

Numbers become numbers, sets lists, binaries base64 text, NULL null. An item matches unless the result is what
JMESPath calls false: null, ``false``, and the empty text, list and object. JMESPath knows no missing attribute:
it is null, and no comparison with null holds but ``==`` and ``!=``.
"""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import jmespath  # type: ignore[import-untyped]  # it ships no types
import msgspec
from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]

from recovery.backups.digest import canonical_number
from rules.errors import UsageError

if TYPE_CHECKING:
    from recovery.backups.content import RawItem
    from recovery.repairs.differences import Difference

_DECODE = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode
_FALSE: tuple[Any, ...] = (None, False, "", [], {})


class Where:
    """A compiled expression. ``failures`` counts the images on which it could not be evaluated: they do not match."""

    def __init__(self, expression: str) -> None:
        """Raises UsageError for what is no JMESPath."""
        try:
            self._compiled = jmespath.compile(expression)
        except JMESPathError as error:
            raise UsageError(
                f"--where is no JMESPath expression: {error}",
                hint="For example: --where \"status == 'broken' && qty > `5`\" (see docs/repair.md).",
            ) from error
        self.expression = expression
        self.failures = 0
        self._lock = threading.Lock()

    def matches(self, difference: Difference) -> bool:
        """Whether either image matches."""
        return any(self.holds_of(image) for image in (difference.before, difference.after) if image)

    def holds_of(self, item: RawItem) -> bool:
        """Whether one image matches."""
        try:
            found = self._compiled.search(plain_item(item))
        except (JMESPathError, TypeError):
            # A function that does not take the type found here; items need not be alike. It is counted and told.
            with self._lock:
                self.failures += 1
            return False
        return not any(found is false or (type(found) is type(false) and found == false) for false in _FALSE)


def plain_item(item: RawItem) -> dict[str, Any]:
    """An item (DynamoDB JSON) as plain JSON."""
    return {name: plain_value(attribute) for name, attribute in _DECODE(item).items()}


def plain_value(attribute: dict[str, Any]) -> Any:
    """One attribute value as plain JSON: ``{"N": "5"}`` is 5."""
    ((kind, value),) = attribute.items()
    if kind == "N":
        return plain_number(value)
    if kind == "M":
        return {name: plain_value(child) for name, child in value.items()}
    if kind == "L":
        return [plain_value(child) for child in value]
    if kind == "NS":
        return sorted(plain_number(number) for number in value)
    if kind in {"SS", "BS"}:
        return sorted(value)
    return None if kind == "NULL" else value


def plain_number(text: str) -> int | float | Decimal:
    """An int where it is one, a float where that loses nothing, else a Decimal."""
    exact = Decimal(text)
    if exact == exact.to_integral_value() and exact.adjusted() < _LONGEST_INT:
        return int(exact)
    near = float(exact)
    return near if canonical_number(repr(near)) == canonical_number(text) else exact


# 1E+125 is an int of 126 digits; nobody writes that out.
_LONGEST_INT = 38

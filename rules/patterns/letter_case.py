"""``equals-ignore-case``: letters match in their lower or upper form, one letter of the pattern at a time.

One letter may have a form of several (``ß`` has ``SS``), and forms are not chained: ``k`` matches ``k`` and
``K``, but not the Kelvin sign, whose lower form is ``k``. Comparing ``casefold()`` would accept it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def equals_ignoring_case(text: str) -> Callable[[str], bool]:
    """A test for being the text, whatever the case of its letters."""
    if text.isascii():
        lowered = text.lower()
        return lambda value: value.isascii() and value.lower() == lowered
    forms = _forms(text)
    return lambda value: _end_of(forms, value) == len(value)


def starts_ignoring_case(text: str) -> Callable[[str], bool]:
    """A test for beginning with the text, whatever the case of its letters."""
    if text.isascii():
        equals, length = equals_ignoring_case(text), len(text)
        return lambda value: equals(value[:length])
    forms = _forms(text)
    return lambda value: _end_of(forms, value) is not None


def ends_ignoring_case(text: str) -> Callable[[str], bool]:
    """A test for ending with the text, whatever the case of its letters."""
    if text.isascii():
        equals, length = equals_ignoring_case(text), len(text)
        return lambda value: len(value) >= length and equals(value[len(value) - length :])
    forms = _forms(text)[::-1]
    return lambda value: _has_end(forms, value)


def _forms(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((letter.lower(), letter.upper()) for letter in text)


def _end_of(forms: tuple[tuple[str, str], ...], value: str) -> int | None:
    """Where the forms end when read from the value's start, or None.

    Taking the first form that fits is enough: no letter has one form that begins (or ends) with its other.
    """
    position = 0
    for lower, upper in forms:
        if value.startswith(lower, position):
            position += len(lower)
        elif value.startswith(upper, position):
            position += len(upper)
        else:
            return None
    return position


def _has_end(backwards: tuple[tuple[str, str], ...], value: str) -> bool:
    position = len(value)
    for lower, upper in backwards:
        if value.endswith(lower, 0, position):
            position -= len(lower)
        elif value.endswith(upper, 0, position):
            position -= len(upper)
        else:
            return False
    return True

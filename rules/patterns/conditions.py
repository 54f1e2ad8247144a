"""What one field of a pattern asks of the values found at its path: any one of its alternatives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rules.patterns.addresses import parse_address
from rules.patterns.comparable import comparable, is_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from rules.patterns.addresses import Address

    StringTest = Callable[[str], bool]
    NumberTest = Callable[[float], bool]
    ValueTest = Callable[[object], bool]


@dataclass(slots=True, eq=False)
class Condition:
    """The alternatives of one field; a value has to satisfy one of them.

    ``written`` is the array as it stands in the pattern. ``absent`` means that the path may also be missing,
    which no value can satisfy.
    """

    written: tuple[object, ...] = ()
    strings: set[str] = field(default_factory=set)
    addresses: set[Address] = field(default_factory=set)
    numbers: set[float] = field(default_factory=set)
    long_numbers: set[float] = field(default_factory=set)
    true: bool = False
    false: bool = False
    null: bool = False
    present: bool = False
    absent: bool = False
    string_tests: list[StringTest] = field(default_factory=list)
    number_tests: list[NumberTest] = field(default_factory=list)
    exclusions: list[ValueTest] = field(default_factory=list)

    def only_strings(self) -> frozenset[str] | None:
        """The strings, one of which must be there, if exact strings are all that is asked for; else None."""
        others = (
            self.addresses or self.numbers or self.long_numbers or self.true or self.false or self.null
            or self.present or self.absent or self.string_tests or self.number_tests or self.exclusions
        )  # fmt: skip
        return None if others else frozenset(self.strings)

    def acceptor(self) -> ValueTest:
        """A function that tells whether a value satisfies the condition; it takes any Python object."""
        strings = self.only_strings()
        if strings is not None:
            return lambda value: isinstance(value, str) and value in strings
        if self.present:
            return lambda _: True
        return self._accepts

    def _accepts(self, value: object) -> bool:
        if isinstance(value, str):
            accepted = self._accepts_string(value)
        elif value is None:
            accepted = self.null
        elif isinstance(value, bool):
            accepted = self.true if value else self.false
        elif isinstance(value, int | float):
            accepted = self._accepts_number(value)
        else:
            accepted = False
        return accepted or any(test(value) for test in self.exclusions)

    def _accepts_string(self, value: str) -> bool:
        return (
            value in self.strings
            or any(test(value) for test in self.string_tests)
            or (bool(self.addresses) and parse_address(value) in self.addresses)
        )

    def _accepts_number(self, value: float) -> bool:
        number = comparable(value)
        if number is None:
            return value in self.long_numbers
        return number in self.numbers or any(test(number) for test in self.number_tests)


def no_string_that(tests: list[StringTest]) -> ValueTest:
    """The exclusion of strings; every value that is no string passes it (null and false, too)."""
    return lambda value: not isinstance(value, str) or not any(test(value) for test in tests)


def none_of(numbers: frozenset[float]) -> ValueTest:
    """The exclusion of numbers; every value that is no number passes it."""

    def passes(value: object) -> bool:
        if not isinstance(value, int | float) or not is_number(value):
            return True
        number = comparable(value)
        return number is None or number not in numbers

    return passes

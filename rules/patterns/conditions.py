"""What one field of a pattern asks of the values found at its path: any one of its alternatives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rules.patterns.addresses import address_test
from rules.patterns.comparable import comparable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rules.patterns.addresses import Address, Block

    StringTest = Callable[[str], bool]
    NumberTest = Callable[[float], bool]


_NUMBERS = (int, float)


@dataclass(slots=True, eq=False)
class Condition:
    """The alternatives of one field; a value has to satisfy one of them.

    ``written`` is the array as it stands in the pattern. ``absent`` means that the path may also be missing,
    which no value can satisfy. Each member of ``excluded_strings`` is an ``anything-but``: any string passes it
    that passes none of its tests, and so does every value that is no string (null and false, too); for
    ``excluded_numbers`` likewise.
    """

    written: tuple[object, ...] = ()
    strings: set[str] = field(default_factory=set)
    addresses: set[Address] = field(default_factory=set)
    blocks: list[Block] = field(default_factory=list)
    numbers: set[float] = field(default_factory=set)
    long_numbers: set[float] = field(default_factory=set)
    true: bool = False
    false: bool = False
    null: bool = False
    present: bool = False
    absent: bool = False
    string_tests: list[StringTest] = field(default_factory=list)
    number_tests: list[NumberTest] = field(default_factory=list)
    excluded_strings: list[list[StringTest]] = field(default_factory=list)
    excluded_numbers: list[frozenset[float]] = field(default_factory=list)
    _string_test: StringTest | None = None

    def only_strings(self) -> frozenset[str] | None:
        """The strings, one of which must be there, if exact strings are all that is asked for; else None."""
        others = (
            self.addresses or self.blocks or self.numbers or self.long_numbers or self.true or self.false
            or self.null or self.present or self.absent or self.string_tests or self.number_tests
            or self.excluded_strings or self.excluded_numbers
        )  # fmt: skip
        return None if others else frozenset(self.strings)

    def accepts(self, value: object) -> bool:
        """Whether a value, any Python object, satisfies the condition."""
        if isinstance(value, str):
            return self.string_test(value)
        if self.present or self.excluded_strings:
            return True
        if isinstance(value, _NUMBERS) and not isinstance(value, bool):
            return self._accepts_number(value)
        if value is None:
            accepted = self.null
        else:
            accepted = self.true if value is True else self.false if value is False else False
        return accepted or bool(self.excluded_numbers)

    @property
    def string_test(self) -> StringTest:
        """A function that tells whether a string satisfies the condition, made when it is complete."""
        if self._string_test is None:
            self._string_test = self._compose()
        return self._string_test

    def _compose(self) -> StringTest:
        if self.present or self.excluded_numbers:
            return lambda _: True
        tests: list[StringTest] = []
        if self.strings:
            tests.append(frozenset(self.strings).__contains__)
        tests += self.string_tests
        if self.addresses or self.blocks:
            tests.append(address_test(self.addresses, self.blocks))
        tests += [_none_of(excluded) for excluded in self.excluded_strings]
        return any_of(tests)

    def _accepts_number(self, value: float) -> bool:
        number = comparable(value)
        if number is None:
            return value in self.long_numbers or bool(self.excluded_numbers)
        if number in self.numbers:
            return True
        for test in self.number_tests:  # any() with a generator takes twice the time
            if test(number):
                return True
        return any(number not in excluded for excluded in self.excluded_numbers)


def any_of(tests: Sequence[StringTest]) -> StringTest:
    """A test that passes what passes one of the tests."""
    if len(tests) == 1:
        return tests[0]

    def passes(value: str) -> bool:
        for test in tests:  # noqa: SIM110 - any() with a generator takes twice the time
            if test(value):
                return True
        return False

    return passes


def _none_of(tests: Sequence[StringTest]) -> StringTest:
    excluded = any_of(tests)
    return lambda value: not excluded(value)

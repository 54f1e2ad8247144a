r"""``wildcard``: ``*`` stands for any characters or none; ``\*`` and ``\\`` are the characters themselves.

EventBridge refuses patterns whose wildcards are too complex together, measured by how many beginnings of
wildcards one value can match at once: ``a*b`` has ``a``, ``a*`` and ``a*b``, and ``ab`` matches the last two.
The limit is not published; more than ten were refused wherever a refusal is known. All wildcards of a field
have the opening quote of the string in common, so more than ten in one field are always refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rules.errors import PatternError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Tokens = tuple[str | None, ...]

MOST_BEGINNINGS: Final = 10
# Bounds the time to compile. What people write needs a few hundred.
_MOST_STATES = 50_000
_STAR: Final = None
_TOO_COMPLEX = "too complex: use fewer wildcards, or fewer repeated characters after one"


def parse_wildcard(text: object, path: str) -> Tokens:
    """The characters of the wildcard, with None for each star; PatternError for ``**`` and bad escapes."""
    if not isinstance(text, str):
        raise PatternError('"wildcard" takes a string', path=path)
    return tuple(_tokens(text, path))


def _tokens(text: str, path: str) -> Iterator[str | None]:
    characters = iter(enumerate(text))
    for at, character in characters:
        following = text[at + 1 : at + 2]
        if character == "*":
            if following == "*":
                raise PatternError(f"two wildcards in a row at character {at}", path=path)
            yield _STAR
        elif character == "\\":
            if following not in ("*", "\\") or not following:
                raise PatternError(f"a backslash escapes only * and \\ (character {at})", path=path)
            yield following
            next(characters)
        else:
            yield character


def wildcard_test(tokens: Tokens) -> Callable[[str], bool]:
    """A test for the whole value; it takes time linear in the value's length."""
    texts: list[list[str]] = [[]]
    for token in tokens:
        if token is _STAR:
            texts.append([])
        else:
            texts[-1].append(token)
    first, *rest = ("".join(text) for text in texts)
    if not rest:
        return lambda value: value == first
    *middle, last = rest

    def fits(value: str) -> bool:
        position, end = len(first), len(value) - len(last)
        if position > end or not value.startswith(first) or not value.endswith(last):
            return False
        # The leftmost place of each text leaves the most room for the next, so no other need be tried.
        for text in middle:
            position = value.find(text, position, end)
            if position < 0:
                return False
            position += len(text)
        return True

    return fits


def check_complexity(operands: Sequence[Sequence[Tokens]], path: str) -> None:
    """PatternError if the wildcards of one field are more complex together than EventBridge takes.

    One operand is the wildcards of one operator: ``wildcard`` has one, ``anything-but`` may have many.
    """
    if not operands:
        return
    machine = _Machine()
    for number, operand in enumerate(dict.fromkeys(tuple(tokens) for tokens in operands)):
        for tokens in operand:
            machine.add(number, tokens)
    states = {machine.start()}
    waiting = list(states)
    while waiting:
        state = waiting.pop()
        if len(state) > MOST_BEGINNINGS or len(states) > _MOST_STATES:
            raise PatternError(_TOO_COMPLEX, path=path)
        for reached in machine.after(state):
            if reached not in states:
                states.add(reached)
                waiting.append(reached)


@dataclass(slots=True)
class _Machine:
    """All beginnings of some wildcards; a state is the set of those that the characters read so far match."""

    names: dict[tuple[object, ...], int] = field(default_factory=dict)
    first: set[int] = field(default_factory=set)
    stars: set[int] = field(default_factory=set)
    moves: dict[int, dict[str, set[int]]] = field(default_factory=dict)

    def add(self, operand: int, tokens: Tokens) -> None:
        # The quotes around a JSON string are characters to AWS's matcher, so they count here.
        whole: Tokens = ('"', *tokens, '"')
        names = self._names(operand, whole)
        self.first.update(names[: 2 if whole[1] is _STAR else 1])
        for at, (token, name) in enumerate(zip(whole, names, strict=True)):
            if token is _STAR:
                self.stars.add(name)
            following = whole[at + 1] if at + 1 < len(whole) else _STAR
            if following is not _STAR:
                # A star matches nothing, too, so the beginning that ends in it is reached with its text.
                upto = at + 3 if whole[at + 2 : at + 3] == (_STAR,) else at + 2
                self.moves.setdefault(name, {}).setdefault(following, set()).update(names[at + 1 : upto])

    def _names(self, operand: int, whole: Tokens) -> list[int]:
        """A number for each beginning; wildcards of one operator share those up to their first star."""
        shared = whole.index(_STAR) if _STAR in whole else len(whole)
        names: list[int] = []
        for at, token in enumerate(whole):
            parent = names[-1] if names else None
            key = (operand, parent, token) if at <= shared else (operand, whole, at)
            names.append(self.names.setdefault(key, len(self.names)))
        return names

    def start(self) -> frozenset[int]:
        return frozenset(self.first)

    def after(self, state: frozenset[int]) -> Iterator[frozenset[int]]:
        """The states that one more character can lead to."""
        kept = state & self.stars
        yield kept
        by_character: dict[str, set[int]] = {}
        for name in state:
            for character, reached in self.moves.get(name, {}).items():
                by_character.setdefault(character, set(kept)).update(reached)
        yield from map(frozenset, by_character.values())

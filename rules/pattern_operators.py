"""The operators of event patterns as people read about them: for the JSON Schema and the documents."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OperatorWords:
    """One operator: what it takes, what it means, and an example of the object in a field's array."""

    name: str
    takes: str
    meaning: str
    example: str


OPERATORS: tuple[OperatorWords, ...] = (
    OperatorWords("prefix", "text, or `{equals-ignore-case: text}`", "begins with it", "{prefix: preview-}"),
    OperatorWords("suffix", "text, or `{equals-ignore-case: text}`", "ends with it", "{suffix: -tmp}"),
    OperatorWords(
        "equals-ignore-case", "text", "is it, whatever the letters' case", "{equals-ignore-case: prod}"
    ),
    OperatorWords(
        "wildcard",
        "text",
        "fits it; `*` stands for any characters or none, `\\*` for a star",
        '{wildcard: "*-prod-*"}',
    ),
    OperatorWords(
        "anything-but",
        "a text or number, an array of texts or of numbers, or one of `prefix`, `suffix`, `wildcard`, "
        "`equals-ignore-case` with a text or an array",
        "is something else; a field that is missing is not, and of an array one other value is enough",
        "{anything-but: [console, cli]}",
    ),
    OperatorWords(
        "numeric",
        "a comparison (`=`, `<`, `<=`, `>`, `>=`) and a number, or a lower and an upper end",
        "is a number in that range; a number written as a text is none",
        '{numeric: [">", 0, "<=", 48]}',
    ),
    OperatorWords("cidr", "an IPv4 or IPv6 block", "is an address in it", '{cidr: "10.0.0.0/8"}'),
    OperatorWords(
        "exists",
        "true or false",
        "is there, or is not; only leaves are looked at, an object counts as missing",
        "{exists: false}",
    ),
    OperatorWords(
        "exactly", "text", "is that text; an address is not compared as an address", '{exactly: "10.0.0.1"}'
    ),
)
LIST_MEANING = "The values under `lists:` of that name."
OR_MEANING = "At least two objects, one of which has to match."

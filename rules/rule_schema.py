"""The model of a rule file: its keys, what they mean, and what may stand under them.

The JSON Schema for editors and the tables in docs/rule-keys.md are made from these models.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from rules.verdicts import Severity, VerdictKind
from rules.windows import Window

_DAY_LENGTH = len("2027-01-31")
_NAME = r"^[a-z0-9][a-z0-9-]*$"


def _day(value: object) -> object:
    """Bare numbers would be taken for seconds since 1970."""
    if value is None or isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) and len(value) == _DAY_LENGTH else "")
    except ValueError as error:
        raise ValueError("a day like 2027-01-31 is needed") from error


def _whole_number(value: object) -> object:
    """``true`` and ``1.0`` equal 1, but name no version."""
    if type(value) is not int:
        raise ValueError("input should be 1")
    return value


def _record_or_file(value: object) -> object:
    """One fault instead of one for each type that it might have been."""
    if not isinstance(value, (dict, str)):
        raise ValueError("a record or the name of a JSON file is needed")  # noqa: TRY004 - pydantic's way
    return value


def _one_or_more(value: object) -> object:
    """``during: release`` is ``during: [release]``."""
    return [value] if isinstance(value, str) else value


Day = Annotated[
    date | None, BeforeValidator(_day), WithJsonSchema({"type": ["string", "null"], "format": "date"})
]
Name = Annotated[str, Field(pattern=_NAME, max_length=100)]
EventPattern = Annotated[dict[str, Any], Field(min_length=1)]
Names = Annotated[
    list[str],
    BeforeValidator(_one_or_more),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Section):
    """One entry under ``rules:``."""

    id: Name = Field(description="Lower-case letters, digits and dashes; unique over all files.")
    description: str = Field(default="", description="What the rule is for, for people who read the file.")
    verdict: VerdictKind = Field(description="`intentional`, `suspicious` or `accidental`.")
    severity: Severity | None = Field(
        default=None,
        description="`info`, `low`, `medium`, `high` or `critical`; by default by the weight of the change.",
    )
    match: dict[str, Any] = Field(
        description="An EventBridge event pattern over the event and, under `facts`, over what is known around it."
    )
    unless: dict[str, Any] | None = Field(
        default=None, description="Another pattern; where it matches, the rule does not count."
    )
    during: Names = Field(
        default=[], description="Names of change windows; the rule counts only in one of them."
    )
    expires: Day = Field(
        default=None, description="`2027-01-31`: from that day on (UTC) the rule does not count."
    )
    owner: str = Field(default="", description="Whom to ask about the rule: a team or a person.")
    reason: str = Field(default="", description="What the alert says when the rule counts.")
    tags: list[str] = Field(default=[], description="Free words, for people and for searching.")


class Expectation(_Section):
    """What a test expects; what is left out is not compared."""

    verdict: VerdictKind = Field(description="The verdict.")
    rule: str | None = Field(default=None, description="The id of a rule that decided.")
    not_rule: Names = Field(default=[], description="Ids of rules that must not count, not even outweighed.")
    severity: Severity | None = Field(default=None, description="The severity.")


class RuleTest(_Section):
    """One entry under ``tests:``."""

    name: Annotated[str, Field(min_length=1)] = Field(description="One line that says what is guaranteed.")
    event: Annotated[dict[str, Any] | str, BeforeValidator(_record_or_file)] = Field(
        description="A CloudTrail record or EventBridge event, whole or in part, or the path of a JSON file "
        "beside the rule file."
    )
    facts: dict[str, Any] = Field(
        default={},
        description="Laid over the facts that the event itself gives. Looked-up facts that are left out are unknown.",
    )
    expect: Expectation = Field(description="What must come out; what is left out is not compared.")


class RuleFile(_Section):
    """A whole rule file."""

    version: Annotated[Literal[1], BeforeValidator(_whole_number)] = Field(description="Always 1.")
    windows: dict[Name, Window] = Field(
        default={}, description="Change windows by name, for `during` and `facts.windows`."
    )
    lists: dict[Name, list[Any]] = Field(
        default={}, description="Values by name; a pattern takes them in with `{list: NAME}`."
    )
    rules: list[Rule] = Field(default=[], description="The rules.")
    tests: list[RuleTest] = Field(default=[], description="Tests of the rules.")

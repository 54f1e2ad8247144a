"""Rule files: YAML in, a rule set out, and every fault with its file, line and column."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from rules.errors import PatternError, UsageError
from rules.pattern_places import steps_to
from rules.patterns import compile_pattern
from rules.verdicts import CompiledRule, RuleSet, Severity, VerdictKind
from rules.yaml_nodes import MAX_CHARACTERS
from rules.yaml_source import Fault, FileFaultsError, YamlSource, load_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rules.patterns import Pattern

DEFAULT_PACK = Path(__file__).parent / "packs" / "default.yaml"
SUFFIXES = (".yaml", ".yml")
_DAY_LENGTH = len("2027-01-31")


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


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Section):
    """One entry under ``rules:``.

    ``match`` and ``unless`` are EventBridge event patterns over the event and, under ``facts``, over what is
    known around it. ``expires`` is the first day (UTC) on which the rule no longer counts.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=100)]
    description: str = ""
    verdict: VerdictKind
    severity: Severity | None = None
    match: dict[str, Any]
    unless: dict[str, Any] | None = None
    expires: Annotated[date | None, BeforeValidator(_day)] = None
    owner: str = ""
    reason: str = ""
    tags: list[str] = []


class Expectation(_Section):
    """What a test expects; what is left out is not compared."""

    verdict: VerdictKind
    rule: str | None = None
    severity: Severity | None = None


class RuleTest(_Section):
    """One entry under ``tests:``.

    ``event`` is a record, whole or in part, or the path of a JSON file beside the rule file. ``facts`` are
    laid over those that the event itself gives; table facts that are left out are unknown.
    """

    name: Annotated[str, Field(min_length=1)]
    event: Annotated[dict[str, Any] | str, BeforeValidator(_record_or_file)]
    facts: dict[str, Any] = {}
    expect: Expectation


class RuleFile(_Section):
    """A whole rule file."""

    version: Annotated[Literal[1], BeforeValidator(_whole_number)]
    rules: list[Rule] = []
    tests: list[RuleTest] = []


@dataclass(frozen=True, slots=True)
class LoadedRules:
    """Everything that a set of rule files gives."""

    rule_set: RuleSet
    files: tuple[tuple[YamlSource, RuleFile], ...]

    @property
    def tests(self) -> list[tuple[YamlSource, int, RuleTest]]:
        """Every test with its file and its index there."""
        return [(source, index, test) for source, file in self.files for index, test in enumerate(file.tests)]


def load_rules(paths: Iterable[Path], *, default_pack: bool = True) -> LoadedRules:
    """The rules in files and directories (searched for ``*.yaml`` and ``*.yml``), with the default pack.

    All files are read before anything is reported, so that one run names every fault.
    Raises FileFaultsError with all faults, UsageError for a path that does not exist or holds no rule file.
    """
    files = [DEFAULT_PACK] if default_pack else []
    for path in paths:
        files.extend(_files_in(path))
    loaded: list[tuple[YamlSource, RuleFile]] = []
    faults: list[Fault] = []
    compiled: list[CompiledRule] = []
    for path in {file.resolve(): file for file in files}.values():
        try:
            source, file = read_rule_file(path)
        except FileFaultsError as error:
            faults.extend(error.faults)
            continue
        loaded.append((source, file))
        rules, found = _compile_all(source, file.rules)
        compiled.extend(rules)
        faults.extend(found)
    faults.extend(_duplicates(loaded))
    if faults:
        raise FileFaultsError(faults)
    return LoadedRules(RuleSet(compiled), tuple(loaded))


def read_rule_file(path: Path) -> tuple[YamlSource, RuleFile]:
    """One rule file, validated but not compiled. Raises FileFaultsError."""
    source = load_yaml(_text(path), _shown(path))
    if not isinstance(source.plain, dict):
        raise FileFaultsError([source.fault([], "a rule file is a mapping with version, rules and tests")])
    try:
        return source, RuleFile.model_validate(source.plain)
    except ValidationError as error:
        raise FileFaultsError(source.faults_of(error, RuleFile)) from error


def _text(path: Path) -> str:
    """The text of a file, but never more of it than a rule file may have: it may be an endless device."""
    try:
        with path.open("rb") as file:
            content = file.read(4 * MAX_CHARACTERS + 1)
    except (OSError, ValueError) as error:
        raise FileFaultsError([Fault(_shown(path), 0, 0, f"cannot be read: {_why(error)}")]) from error
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise FileFaultsError([Fault(_shown(path), line, column, "not text in UTF-8")]) from error


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _files_in(path: Path) -> list[Path]:
    try:
        return _found(path)
    except OSError as error:
        raise UsageError(f"cannot be read: {path}: {_why(error)}") from error


def _found(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for suffix in SUFFIXES for file in path.rglob(f"*{suffix}") if file.is_file())
        if not found:
            raise UsageError(f"no rule files (*.yaml, *.yml) in {path}")
        return found
    if not path.exists():
        raise UsageError(f"no such rule file: {path}", hint="Give a file or a directory with *.yaml files.")
    return [path]


def _shown(path: Path) -> str:
    return "default pack" if path == DEFAULT_PACK else str(path)


def _compile_all(source: YamlSource, rules: Sequence[Rule]) -> tuple[list[CompiledRule], list[Fault]]:
    compiled: list[CompiledRule] = []
    faults: list[Fault] = []
    for index, rule in enumerate(rules):
        patterns: dict[str, Pattern | None] = {"unless": None}
        for key, pattern in (("match", rule.match), ("unless", rule.unless)):
            if pattern is None:
                continue
            try:
                patterns[key] = compile_pattern(pattern)
            except PatternError as error:
                place = ["rules", index, key, *steps_to(pattern, error.path)]
                faults.append(source.fault(place, f"rule {rule.id}: {key}: {error}"))
        match = patterns.get("match")
        if match is not None:
            compiled.append(_compiled(rule, match, patterns["unless"], source.path))
    return compiled, faults


def _compiled(rule: Rule, match: Pattern, unless: Pattern | None, origin: str) -> CompiledRule:
    expires = datetime.combine(rule.expires, time.min, UTC) if rule.expires else None
    return CompiledRule(
        rule.id, rule.verdict, rule.severity, match, unless, expires, rule.reason, rule.description, origin
    )


def _duplicates(loaded: Sequence[tuple[YamlSource, RuleFile]]) -> list[Fault]:
    seen: dict[str, Fault] = {}
    faults: list[Fault] = []
    for source, file in loaded:
        for index, rule in enumerate(file.rules):
            here = source.fault(["rules", index, "id"], "")
            if rule.id in seen:
                first = seen[rule.id]
                message = f"rule id {rule.id!r} is already used at {first.path}:{first.line}"
                faults.append(Fault(here.path, here.line, here.column, message))
            else:
                seen[rule.id] = here
    return faults


def expired(rules: RuleSet, at: datetime, *, within: timedelta = timedelta()) -> list[CompiledRule]:
    """The rules that have expired, or will ``within`` that time."""
    return [rule for rule in rules.rules if rule.expires is not None and rule.expires <= at + within]

"""Rule files: YAML in, a rule set out, and every fault with its file, line and column."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rules.errors import PatternError, UsageError
from rules.patterns import compile_pattern
from rules.verdicts import CompiledRule, RuleSet, Severity, VerdictKind
from rules.yaml_source import Fault, FileFaultsError, YamlSource, load_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rules.patterns import Pattern

DEFAULT_PACK = Path(__file__).parent / "packs" / "default.yaml"
SUFFIXES = (".yaml", ".yml")


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
    expires: date | None = None
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
    event: dict[str, Any] | str
    facts: dict[str, Any] = {}
    expect: Expectation


class RuleFile(_Section):
    """A whole rule file."""

    version: Literal[1]
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
    for path in dict.fromkeys(files):
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
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileFaultsError([Fault(str(path), 0, 0, f"cannot be read: {error}")]) from error
    source = load_yaml(text, _shown(path))
    if not isinstance(source.plain, dict):
        raise FileFaultsError([source.fault([], "a rule file is a mapping with version, rules and tests")])
    try:
        return source, RuleFile.model_validate(source.plain)
    except ValidationError as error:
        raise FileFaultsError(source.faults_of(error, RuleFile)) from error


def _files_in(path: Path) -> list[Path]:
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
                place = ["rules", index, key, *_steps(pattern, error.path)]
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


def _steps(pattern: Any, path: str) -> list[str | int]:
    """The keys and indexes along a pattern path such as ``detail.eventName[0]``, as far as they exist."""
    steps: list[str | int] = []
    node, rest = pattern, path
    while rest:
        if isinstance(node, dict):
            key = next((key for key in sorted(node, key=len, reverse=True) if rest.startswith(key)), None)
            if key is None:
                break
            steps.append(key)
            node, rest = node[key], rest.removeprefix(key).lstrip(".")
        elif isinstance(node, list) and rest.startswith("["):
            index, _, rest = rest[1:].partition("]")
            if not index.isdigit() or int(index) >= len(node):
                break
            steps.append(int(index))
            node, rest = node[int(index)], rest.lstrip(".")
        else:
            break
    return steps


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

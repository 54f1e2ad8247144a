"""Rule files: YAML in, a rule set out, and every fault with its file, line and column."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from rules.errors import PatternError, UsageError
from rules.named_lists import lists_in, with_lists, written_steps
from rules.pattern_places import empty_lists, steps_to
from rules.patterns import compile_pattern
from rules.rule_schema import Rule, RuleFile, RuleTest
from rules.rule_set import RuleSet
from rules.verdicts import CompiledRule
from rules.yaml_nodes import MAX_CHARACTERS
from rules.yaml_source import Fault, FileFaultsError, YamlSource, did_you_mean, load_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rules.patterns import Pattern
    from rules.windows import Window

DEFAULT_PACK = Path(__file__).parent / "packs" / "default.yaml"
DEFAULT_PACK_NAME = "default pack"
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class LoadedRules:
    """Everything that a set of rule files gives."""

    rule_set: RuleSet
    files: tuple[tuple[YamlSource, RuleFile], ...]

    @property
    def tests(self) -> list[tuple[YamlSource, int, RuleTest]]:
        """Every test with its file and its index there."""
        return [(source, index, test) for source, file in self.files for index, test in enumerate(file.tests)]

    @property
    def written(self) -> list[tuple[YamlSource, int, Rule]]:
        """Every rule as written, with its file and its index there."""
        return [(source, index, rule) for source, file in self.files for index, rule in enumerate(file.rules)]


@dataclass(frozen=True, slots=True)
class _Shared:
    """What rules of all files may name."""

    lists: Mapping[str, list[Any]]
    windows: Mapping[str, Window]
    complete: bool


def load_rules(paths: Iterable[Path], *, default_pack: bool = True) -> LoadedRules:
    """The rules in files and directories (searched for ``*.yaml`` and ``*.yml``), with the default pack.

    All files are read before anything is reported, so that one run names every fault. Only a list or a window is not
    called missing while some file cannot be read: it may be in that one.
    Raises FileFaultsError with all faults, UsageError for a path that does not exist or holds no rule file.
    """
    return _loaded(_files(paths, default_pack=default_pack))


def load_faultless(paths: Iterable[Path], error: FileFaultsError) -> LoadedRules | None:
    """What is left without the files that ``error`` of ``load_rules`` names; None if that cannot stand alone.

    It cannot where a rule takes in a list or a window of a file that is left out.
    """
    faulty = {fault.path for fault in error.faults}
    try:
        return _loaded([file for file in _files(paths) if _shown(file) not in faulty])
    except FileFaultsError:
        return None


def _files(paths: Iterable[Path], *, default_pack: bool = True) -> list[Path]:
    files = [DEFAULT_PACK] if default_pack else []
    for path in paths:
        files.extend(_files_in(path))
    return list({file.resolve(): file for file in files}.values())


def _loaded(files: Iterable[Path]) -> LoadedRules:
    loaded: list[tuple[YamlSource, RuleFile]] = []
    faults: list[Fault] = []
    for path in files:
        try:
            loaded.append(read_rule_file(path))
        except FileFaultsError as error:
            faults.extend(error.faults)
    shared = _Shared(
        {name: values for _, file in loaded for name, values in file.lists.items()},
        {name: window for _, file in loaded for name, window in file.windows.items()},
        complete=not faults,
    )
    faults.extend(_twice(loaded))
    compiled: list[CompiledRule] = []
    for source, file in loaded:
        for index, rule in enumerate(file.rules):
            one, found = _compile(source, index, rule, shared)
            compiled.extend(one)
            faults.extend(found)
    if faults:
        raise FileFaultsError(faults)
    return LoadedRules(RuleSet(compiled, shared.windows), tuple(loaded))


def read_rule_file(path: Path) -> tuple[YamlSource, RuleFile]:
    """One rule file, validated but not compiled. Raises FileFaultsError."""
    return _default_pack() if path == DEFAULT_PACK else read_rule_text(_text(path), _shown(path))


@cache
def _default_pack() -> tuple[YamlSource, RuleFile]:
    """It is part of the program and does not change, so a process reads it once."""
    return read_rule_text(_text(DEFAULT_PACK), DEFAULT_PACK_NAME)


def read_rule_text(text: str, path: str) -> tuple[YamlSource, RuleFile]:
    """The same of a text; ``path`` is only for messages. Raises FileFaultsError."""
    source = load_yaml(text, path)
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
    return DEFAULT_PACK_NAME if path == DEFAULT_PACK else str(path)


def _compile(
    source: YamlSource, index: int, rule: Rule, shared: _Shared
) -> tuple[list[CompiledRule], list[Fault]]:
    """The rule, compiled, or no rule and its faults."""
    faults = [
        source.fault(
            ["rules", index, "during", at], f"no change window {name!r}{did_you_mean(name, shared.windows)}"
        )
        for at, name in enumerate(rule.during)
        if name not in shared.windows and shared.complete
    ]
    patterns: dict[str, Pattern | None] = {"match": None, "unless": None}
    written: dict[str, Any] = {"match": {}, "unless": None}
    for key, pattern in (("match", rule.match), ("unless", rule.unless)):
        if pattern is None:
            continue
        place: list[str | int] = ["rules", index, key]
        unusable = _unusable_lists(source, place, pattern, shared)
        if unusable:
            faults += unusable if shared.complete else []
            continue
        written[key] = with_lists(pattern, shared.lists)
        try:
            patterns[key] = compile_pattern(written[key])
        except PatternError as error:
            steps = written_steps(pattern, steps_to(written[key], error.path), shared.lists)
            faults.append(source.fault([*place, *steps], f"rule {rule.id}: {key}: {error}"))
    match = patterns["match"]
    if faults or match is None:
        return [], faults
    here = source.fault(["rules", index], "")
    expires = datetime.combine(rule.expires, time.min, UTC) if rule.expires else None
    compiled = CompiledRule(
        rule.id, rule.verdict, rule.severity, match, patterns["unless"], expires, rule.reason, rule.description,
        f"{here.path}:{here.line}", tuple(rule.during), rule.owner, tuple(rule.tags),
        written["match"], written["unless"],
    )  # fmt: skip
    return [compiled], faults


def _unusable_lists(source: YamlSource, place: list[str | int], pattern: Any, shared: _Shared) -> list[Fault]:
    return [
        source.fault([*place, *steps], f"no list {name[:80]!r}{did_you_mean(name, shared.lists)}")
        for name, steps in lists_in(pattern)
        if name not in shared.lists
    ] + [
        source.fault([*place, *steps], f"list {name!r} is empty, and an empty array is refused")
        for name, steps in empty_lists(pattern, shared.lists)
    ]


def _twice(loaded: Sequence[tuple[YamlSource, RuleFile]]) -> list[Fault]:
    """Rules, lists and windows whose name another one has, in whatever file."""
    seen: dict[tuple[str, str], Fault] = {}
    faults: list[Fault] = []
    for source, file in loaded:
        named: list[tuple[str, str, Sequence[str | int]]] = []
        named += [("rule id", rule.id, ("rules", index, "id")) for index, rule in enumerate(file.rules)]
        named += [("list", name, ("lists", name)) for name in file.lists]
        named += [("window", name, ("windows", name)) for name in file.windows]
        for kind, name, place in named:
            here = source.fault(place, "")
            first = seen.setdefault((kind, name), here)
            if first is not here:
                message = f"{kind} {name!r} is already used at {first.path}:{first.line}"
                faults.append(Fault(here.path, here.line, here.column, message))
    return faults


def expired(rules: RuleSet, at: datetime, *, within: timedelta = timedelta()) -> list[CompiledRule]:
    """The rules that have expired, or will ``within`` that time."""
    return [rule for rule in rules.rules if rule.expires is not None and rule.expires <= at + within]

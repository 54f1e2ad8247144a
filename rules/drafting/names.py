"""Names in a drafted rule: which part of one stays the same from time to time, and what looks like production."""

from __future__ import annotations

import re
from typing import Any

from rules.patterns import compile_pattern

# A number behind one of these words changes from one environment to the next.
EPHEMERAL = frozenset(
    [
        "branch",
        "build",
        "ci",
        "demo",
        "dev",
        "e2e",
        "ephemeral",
        "experiment",
        "feature",
        "integration",
        "issue",
        "job",
        "mr",
        "nightly",
        "playground",
        "pr",
        "preview",
        "qa",
        "review",
        "run",
        "sandbox",
        "scratch",
        "staging",
        "temp",
        "test",
        "testing",
        "tests",
        "tmp",
    ]
)
JOBS = frozenset(
    [
        "actions",
        "build",
        "ci",
        "circleci",
        "codebuild",
        "codepipeline",
        "cron",
        "deploy",
        "deployment",
        "githubactions",
        "gitlab",
        "jenkins",
        "job",
        "nightly",
        "pipeline",
        "run",
        "schedule",
        "workflow",
    ]
)
PRODUCTION = frozenset({"prod", "production", "prd", "live"})
# The tags that the default pack looks at.
PRODUCTION_TAGS = (
    "env", "Env", "ENV", "environment", "Environment", "ENVIRONMENT", "stage", "Stage", "STAGE",
)  # fmt: skip
# What it looks for there, and whatever else begins with the first of them, such as ``prod-eu``.
PRODUCTION_WORDS: tuple[dict[str, Any], ...] = (
    {"prefix": {"equals-ignore-case": "prod"}},
    {"equals-ignore-case": "prd"},
    {"equals-ignore-case": "live"},
)
_SHORTEST_UNSEPARATED = 6
_PART = re.compile(r"[^-_.]+")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NUMBERED = re.compile(r"([A-Za-z]+)[0-9]+")
_HEX = re.compile(r"(?=.*[0-9])[0-9a-f]{6,}")
# CloudFormation's physical names end in it (CloudFormation guide, 'Name type').
_STACK_SUFFIX = re.compile(r"(?=.*[0-9])(?=.*[A-Z])[A-Z0-9]{12,13}")
_TAGGED = compile_pattern({"$or": [{key: list(PRODUCTION_WORDS)} for key in PRODUCTION_TAGS]})


def stable_prefix(name: str) -> str:
    """The beginning of a name that stays the same: ``preview-pr-`` of ``preview-pr-42-orders``; "" if it is unclear.

    A number is taken for a changing part only in names that call themselves short-lived, and the random end that
    CloudFormation adds only at the end: ``orders-2024`` may well be next to ``orders-live``.
    """
    parts = list(_PART.finditer(name))
    for part in parts[1:] if parts else ():
        before = name[: part.start()]
        if part is parts[-1] and _STACK_SUFFIX.fullmatch(part[0]):
            return before
        if not EPHEMERAL.isdisjoint(_words(name[: part.end()])):
            if part[0].isdecimal() or _HEX.fullmatch(part[0]):
                return before
            numbered = _NUMBERED.fullmatch(part[0])
            if (
                numbered
                and numbered[1].lower() in EPHEMERAL
                and len(before + numbered[1]) >= _SHORTEST_UNSEPARATED
            ):
                return before + numbered[1]
    return ""


def job_session(session: str) -> str:
    """What of a role session's name stands for a job, up to its number: ``job-`` of ``job-7``; "" for anything else.

    Persons (with an @) and what SDKs make up (``botocore-session-1700000000``) are none.
    """
    if "@" in session or JOBS.isdisjoint(_words(session)):
        return ""
    number = re.search(r"[0-9]", session)
    return session[: number.start()] if number else session


def looks_like_production(name: str) -> bool:
    """Whether one of the words of a name says so: ``shop-prod``, ``ProdOrders``; ``products`` does not."""
    return not PRODUCTION.isdisjoint(_words(name))


def tagged_as_production(tags: object) -> bool:
    """Whether one of the tags that the default pack looks at says so, in whatever case."""
    return isinstance(tags, dict) and _TAGGED.matches(tags)


def production_names(name: str) -> list[tuple[dict[str, str], str]]:
    """The operators that find production in names, each with an end of a name that only it finds.

    None of them finds ``name``, which at most sounds like it (``products``).
    """
    if "prod" in name.lower():
        return [({"suffix": "-prod"}, "x-prod"), ({"wildcard": "*-prod-*"}, "x-prod-x")]
    return [({"wildcard": f"*{word}*"}, word) for word in ("prod", "PROD", "Prod")]


def rule_id_of(*words: str) -> str:
    """A rule id made of words: lower-case letters, digits and single dashes."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower())[:100].strip("-")


def _words(text: str) -> set[str]:
    """The words of a name, in lower case, whether they are told apart by dashes or by capitals."""
    return {word.lower() for word in _WORD.findall(text)} | {part.lower() for part in _PART.findall(text)}

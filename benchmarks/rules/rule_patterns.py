"""The patterns of the measurements: twenty as teams write them, and a thousand of the same kinds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rules.patterns import compile_pattern
from rules.rule_set import RuleSet
from rules.verdicts import CompiledRule, VerdictKind

AT = datetime(2026, 11, 24, tzinfo=UTC)


def _detail(**fields: Any) -> dict[str, Any]:
    return {"detail": fields}


def _by(role: str) -> dict[str, Any]:
    return {"sessionContext": {"sessionIssuer": {"userName": [role]}}}


TWENTY: tuple[dict[str, Any], ...] = (
    _detail(eventName=["DeleteTable"], userIdentity=_by("ci-preview"), requestParameters={"tableName": [{"prefix": "preview-"}]}),
    _detail(eventName=["DeleteStack"], userIdentity=_by("ci-preview"), requestParameters={"stackName": [{"prefix": "preview-"}]}),
    _detail(eventName=["DeleteTable"], userIdentity=_by("nightly"), requestParameters={"tableName": [{"prefix": "staging-"}]}),
    _detail(eventName=["DeleteTable", "DeleteStack"], userIdentity={"type": ["Root"]}),
    _detail(eventName=["DeleteTable"], requestParameters={"tableName": [{"wildcard": "*-prod-*"}]}),
    _detail(eventName=["DeleteStack"], requestParameters={"stackName": [{"suffix": "-prod"}]}),
    _detail(eventName=["DeleteTable"], sourceIPAddress=[{"cidr": "203.0.113.0/25"}], userIdentity=_by("admin")),
    _detail(eventName=["DeleteTable"], awsRegion=["us-east-1"], requestParameters={"tableName": ["sessions"]}),
    _detail(eventName=["DeleteTable"], responseElements={"tableDescription": {"itemCount": [{"numeric": [">", 1000000]}]}}),
    _detail(eventName=["UpdateTable"], requestParameters={"deletionProtectionEnabled": [False]}),
    _detail(eventName=["UpdateContinuousBackups"], userIdentity=_by("deploy")),
    _detail(eventName=["DeleteBackup"], eventSource=["dynamodb.amazonaws.com"]),
    _detail(eventName=["DeleteTable"], userAgent=[{"prefix": "Mozilla/"}], requestParameters={"tableName": [{"anything-but": {"prefix": "preview-"}}]}),
    _detail(eventName=["DeleteTable"], userIdentity=_by("team-7"), requestParameters={"tableName": [{"prefix": "team-7-"}]}),
    _detail(eventName=["DeleteTable"], userIdentity=_by("team-8"), requestParameters={"tableName": [{"prefix": "team-8-"}]}),
    {"source": ["aws.cloudformation"], **_detail(eventName=["DeleteStackInstances"])},
    {"source": ["aws.dynamodb"], **_detail(eventName=["DeleteTable"], errorCode=["AccessDenied"])},
    {"source": ["aws.dynamodb"], "region": ["eu-central-1"], **_detail(eventName=["DeleteTable"], userIdentity=_by("deploy"))},
    _detail(eventName=["DeleteTable"], userIdentity={"sessionContext": {"attributes": {"mfaAuthenticated": ["true"]}}}),
    _detail(eventName=["DeleteTable"], requestParameters={"tableName": [{"equals-ignore-case": "SHOP-PROD-CUSTOMERS"}]}),
)  # fmt: skip


def many(count: int) -> list[dict[str, Any]]:
    """The twenty, and rules of many teams of the same kinds until there are so many."""
    made = list(TWENTY)
    while len(made) < count:
        number = len(made)
        kind = number % 4
        if kind == 0:
            pattern = _detail(
                eventName=["DeleteTable"],
                userIdentity=_by(f"team-{number}"),
                requestParameters={"tableName": [{"prefix": f"team-{number}-"}]},
            )
        elif kind == 1:
            pattern = _detail(
                eventName=["DeleteStack"],
                requestParameters={"stackName": [f"stack-{number}", {"prefix": f"preview-{number}-"}]},
            )
        elif kind == 2:  # noqa: PLR2004 - one kind of four
            pattern = _detail(
                eventName=["DeleteTable"],
                requestParameters={"tableName": [{"wildcard": f"app-{number}-*-cache"}]},
            )
        else:
            pattern = _detail(
                eventName=["UpdateTable", "DeleteTable"],
                awsRegion=["eu-west-1"],
                userIdentity=_by(f"service-{number}"),
            )
        made.append(pattern)
    return made  # fmt: skip


def rule_set(patterns: list[dict[str, Any]] | tuple[dict[str, Any], ...]) -> RuleSet:
    """A rule set of these patterns, every third of them an intentional rule."""
    kinds = (VerdictKind.INTENTIONAL, VerdictKind.SUSPICIOUS, VerdictKind.SUSPICIOUS)
    return RuleSet(
        CompiledRule(
            id=f"rule-{number:04d}", verdict=kinds[number % 3], severity=None, match=compile_pattern(pattern), unless=None,
            expires=None, reason="", description="", origin="benchmark",
        )
        for number, pattern in enumerate(patterns)
    )  # fmt: skip

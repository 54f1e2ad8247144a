"""What an ``intentional`` rule narrows: who may do it, and what it may happen to.

A tool is nobody: a user agent is text that anybody can set. A rule that asks for a tool and for neither of these
would silence whoever claims to use it, so it never counts.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.patterns import Pattern
    from rules.patterns.conditions import Condition

_WHO = (
    "facts.actor.name", "facts.actor.arn", "facts.actor.role", "facts.actor.issuer", "facts.actor.session",
    "facts.actor.sourceIdentity", "facts.actor.sourceIp", "facts.origin.requestToken",
    "detail.sourceIPAddress", "detail.userIdentity.arn", "detail.userIdentity.userName", "detail.userIdentity.principalId",
    "detail.userIdentity.accessKeyId", "detail.userIdentity.onBehalfOf.", "detail.userIdentity.sessionContext.sessionIssuer.",
    "detail.userIdentity.sessionContext.sourceIdentity", "detail.userIdentity.sessionContext.webIdFederationData.",
    "detail.client-request-token", "detail.requestParameters.clientRequestToken",
)  # fmt: skip
_WHAT = (
    "facts.resource.name", "facts.resource.arn", "facts.resource.key", "facts.origin.stack", "facts.table.tags.",
    "facts.account", "account", "detail.recipientAccountId", "resources", "detail.resources.",
    "detail.requestParameters.tableName", "detail.requestParameters.stackName", "detail.requestParameters.backupArn",
    "detail.requestParameters.resourceArn", "detail.requestParameters.globalTableName", "detail.requestParameters.stackSetName",
    "detail.requestParameters.bucketName", "detail.requestParameters.key", "detail.responseElements.tableDescription.table",
    "detail.responseElements.stackId", "detail.stack-id", "detail.stack-set-arn", "detail.logical-resource-id",
    "detail.physical-resource-id", "detail.bucket.", "detail.object.",
)  # fmt: skip
_SAID_BY_CALLER = ("facts.tool", "facts.app", "detail.userAgent")
_INTENTS = "facts.intents"
# Issuers are roles; that it is one narrows nothing.
_KINDS_ONLY = frozenset({"detail.userIdentity.sessionContext.sessionIssuer.type", "detail.resources.type"})


def narrows_who(combination: Mapping[str, Condition]) -> bool:
    """Whether the fields say who may do it. That an intent was declared is enough: it names its own."""
    return _narrows(combination, _WHO)


def narrows_what(combination: Mapping[str, Condition]) -> bool:
    """Whether the fields say what it may happen to."""
    return _narrows(combination, _WHAT)


def tells_tool(combination: Mapping[str, Condition]) -> bool:
    """Whether the fields ask about what the caller says of himself."""
    return any(path in _SAID_BY_CALLER for path in combination)


@lru_cache(maxsize=4096)
def rests_on_tool_alone(pattern: Pattern) -> bool:
    """Whether an alternative of the pattern asks for a tool, and for neither who nor what."""
    return any(
        tells_tool(one) and not narrows_who(one) and not narrows_what(one) for one in pattern.conditions
    )


def _narrows(combination: Mapping[str, Condition], paths: tuple[str, ...]) -> bool:
    """Whether one of some paths is asked for few values."""
    return any(
        {"exists": False} not in condition.written
        if path == _INTENTS
        else path.startswith(paths) and path not in _KINDS_ONLY and all(map(_is_narrow, condition.written))
        for path, condition in combination.items()
    )


def _is_narrow(value: Any) -> bool:
    """Whether a value of a pattern names some and not nearly all."""
    if not isinstance(value, dict):
        return value not in ("", None)
    operator, operand = next(iter(value.items()))
    if operator in {"exists", "anything-but"}:
        return False
    if operator == "wildcard":
        return bool(operand.strip("*"))
    return operand not in ("", {"equals-ignore-case": ""})

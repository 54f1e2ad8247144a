"""What an ``intentional`` rule narrows: who may do it, and what it may happen to.

A tool is nobody: a user agent is text that anybody can set. A rule that asks for a tool and for neither of these
would silence whoever claims to use it, so it never counts. Other text that the caller chooses (a session's name, a
request token) is nobody either, nor is a service, a whole account, or nearly every address there is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rules.patterns.addresses import parse_address, parse_block

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rules.patterns import Pattern
    from rules.patterns.conditions import Condition

    # The operator ("" for a plain value) and the text that it takes.
    Test = Callable[[str, str], bool]

_IDENTITY = "detail.userIdentity."
_CONTEXT = f"{_IDENTITY}sessionContext."
_REQUEST, _RESPONSE = "detail.requestParameters.", "detail.responseElements."
_NAMES_OF_WHO = frozenset({
    "facts.actor.name", "facts.actor.role", "facts.actor.sourceIdentity", f"{_IDENTITY}userName",
    f"{_IDENTITY}onBehalfOf.userId", f"{_CONTEXT}sessionIssuer.userName", f"{_CONTEXT}sourceIdentity",
})  # fmt: skip
_ARNS_OF_WHO = frozenset({
    "facts.actor.arn", "facts.actor.issuer", f"{_IDENTITY}arn", f"{_CONTEXT}sessionIssuer.arn",
})  # fmt: skip
_IDS_OF_WHO = frozenset({
    f"{_IDENTITY}principalId", f"{_IDENTITY}accessKeyId", f"{_CONTEXT}sessionIssuer.principalId",
})  # fmt: skip
_ADDRESSES = frozenset({"facts.actor.sourceIp", "detail.sourceIPAddress"})
_ATTRIBUTES = f"{_CONTEXT}webIdFederationData.attributes."
_NAMES_OF_WHAT = frozenset({
    "facts.resource.name", "facts.resource.key", "facts.origin.stack", f"{_REQUEST}stackSetName",
    f"{_REQUEST}bucketName", f"{_REQUEST}key", f"{_RESPONSE}tableDescription.tableName",
    f"{_RESPONSE}tableDescription.tableId", "detail.logical-resource-id", "detail.bucket.name", "detail.object.key",
})  # fmt: skip
# Where ARNs stand, or where AWS takes an ARN for a name.
_ARNS_OF_WHAT = frozenset({
    "facts.resource.arn", "resources", "detail.resources.ARN", "detail.resources.arn", "detail.resources.ARNPrefix",
    f"{_REQUEST}tableName", f"{_REQUEST}globalTableName", f"{_REQUEST}stackName", f"{_REQUEST}backupArn",
    f"{_REQUEST}resourceArn", f"{_RESPONSE}tableDescription.tableArn", f"{_RESPONSE}stackId", "detail.stack-id",
    "detail.stack-set-arn", "detail.physical-resource-id",
})  # fmt: skip
_TAGS = "facts.table.tags."
_SAID_BY_CALLER = ("facts.tool", "facts.app", "detail.userAgent")
_INTENTS = "facts.intents"

_EXACT = frozenset({"", "exactly", "equals-ignore-case"})
_SHORTEST = 2
_SERVICE = re.compile(r"amazonaws\.com(\.cn)?", re.IGNORECASE)
# Both of a role's sessions and of roles and users themselves. What follows a session's role is the caller's own text.
_PRINCIPAL = re.compile(
    r"(?::(?P<kind>assumed-role|federated-user|role|user)/|assumed-role/(?=[^/]*/))(?P<rest>.*)"
)
_RESOURCE = re.compile(r":(?:table|global-table|stack|stackset|changeSet|backup)/(?P<name>[^/]*)")
_HEAD = "arn:"
_PARTS = 6
_KINDS = ("table/", "global-table/", "stack/", "stackset/", "changeSet/", "backup/")
_EVERYWHERE = (
    "arn:aws-cn:aws-us-gov:dynamodb:cloudformation:s3:table:global-table:stack:stackset:changeSet:backup"
)
_ACCOUNT_OR_REGION = re.compile(r"\d+|[a-z]{2}(-[a-z]+)+-\d")
_RESERVED_ROLES = ("AWSReservedSSO_", "AWSServiceRoleFor")
_RESERVED_FOLDERS = ("aws-reserved", "aws-service-role")
_ID_KINDS = ("AKIA", "ASIA", "AIDA", "AROA", "AGPA", "ANPA")
# Blocks that hold more of all addresses than this, together, are no place. Private networks are far below it.
_MOST_OF_ADDRESSES = 1 / 64


def narrows_who(combination: Mapping[str, Condition]) -> bool:
    """Whether the fields say who may do it. That an intent was declared is enough: it names its own."""
    return _is_declared(combination) or any(
        _tells_who(path, condition.written) for path, condition in combination.items()
    )


def narrows_what(combination: Mapping[str, Condition]) -> bool:
    """Whether the fields say what it may happen to; a declared intent does, too."""
    return _is_declared(combination) or any(
        _tells_what(path, condition.written) for path, condition in combination.items()
    )


def tells_tool(combination: Mapping[str, Condition]) -> bool:
    """Whether the fields ask about what the caller says of himself."""
    return any(path in _SAID_BY_CALLER for path in combination)


def excludes_tool(unless: Pattern | None) -> bool:
    """Whether ``unless`` asks for a tool: to silence all that is not done with another is to silence by tool."""
    return unless is not None and any(map(tells_tool, unless.conditions))


@lru_cache(maxsize=4096)
def rests_on_tool_alone(match: Pattern, unless: Pattern | None = None) -> bool:
    """Whether an alternative of the rule asks for a tool, and for neither who nor what.

    ``unless`` may name the tool; it narrows nothing, since what it asks of may be missing.
    """
    by_exclusion = excludes_tool(unless)
    return any(
        (by_exclusion or tells_tool(one)) and not narrows_who(one) and not narrows_what(one)
        for one in match.conditions
    )


def _is_declared(combination: Mapping[str, Condition]) -> bool:
    intents = combination.get(_INTENTS)
    return intents is not None and {"exists": False} not in intents.written


def _tells_who(path: str, written: Sequence[Any]) -> bool:
    if path in _ADDRESSES:
        return _are_few_addresses(written)
    if path in _ARNS_OF_WHO:
        return _all(written, _is_principal)
    if path in _IDS_OF_WHO:
        return _all(written, _is_id)
    return (path in _NAMES_OF_WHO or path.startswith(_ATTRIBUTES)) and _all(written, _is_somebody)


def _tells_what(path: str, written: Sequence[Any]) -> bool:
    if path in _ARNS_OF_WHAT:
        return _all(written, _is_resource)
    return (path in _NAMES_OF_WHAT or path.startswith(_TAGS)) and _all(written, _is_some)


def _all(written: Sequence[Any], test: Test) -> bool:
    """Whether every value of a field names some and not nearly all: together, two that do not may hold all."""
    return all(_names(value, test) for value in written)


def _names(value: Any, test: Test) -> bool:
    operator, operand = next(iter(value.items())) if isinstance(value, dict) else ("", value)
    if operator in {"prefix", "suffix"} and isinstance(operand, dict):
        operand = operand["equals-ignore-case"]
    if operator in {"exists", "anything-but", "numeric", "cidr"} or not isinstance(operand, str):
        return False
    return test(operator, operand)


def _is_some(operator: str, text: str) -> bool:
    """Whether a text says more than one letter, which nearly every name has."""
    literal = text.replace("*", "") if operator == "wildcard" else text
    least = 1 if operator in _EXACT else _SHORTEST
    return len(literal) >= least and any(map(str.isalnum, literal))


def _is_somebody(operator: str, text: str) -> bool:
    """Whether a name is a person's, a role's or a job's. A service does what somebody else tells it to."""
    literal = text.rstrip("*") if operator == "wildcard" else text
    nobody = _SERVICE.search(literal) or _of_services(operator, literal) or _of_many(operator, literal)
    return _is_some(operator, text) and not nobody


def _of_services(operator: str, literal: str) -> bool:
    """Whether services' names begin or end so: ``cloudformation.``, ``.com``."""
    ends = any(name.endswith(literal.lstrip("*")) for name in ("amazonaws.com", "amazonaws.com.cn"))
    return operator not in _EXACT and (ends or literal.endswith("."))


def _of_many(operator: str, literal: str) -> bool:
    """Whether the roles of all people in IAM Identity Center, or of all services, begin so."""
    folders, _, last = literal.rpartition("/")
    reserved = folders.startswith(_RESERVED_FOLDERS) if not last else False
    return operator not in _EXACT and (
        reserved or (bool(last) and any(kind.startswith(last) for kind in _RESERVED_ROLES))
    )


def _is_id(operator: str, text: str) -> bool:
    """Whether an id says more than its kind; behind the colon stands the session, which the caller names."""
    literal = text.partition(":")[0].partition("*")[0] if operator == "wildcard" else text.partition(":")[0]
    kind_only = any(kind.startswith(literal.upper()) for kind in _ID_KINDS)
    return operator != "suffix" and len(literal) >= _SHORTEST and not kind_only


def _is_principal(operator: str, text: str) -> bool:
    """Whether of a principal's ARN more is asked than the account, and other than the session."""
    found = _PRINCIPAL.search(text)
    if found is None:
        return operator != "prefix" and text.endswith(":root")
    of_session = found["kind"] in {None, "assumed-role"}
    rest = re.split(r"[/*]", found["rest"])[0] if of_session else found["rest"]
    if _of_many("exactly" if found["rest"].startswith(f"{rest}/") else operator, rest.rstrip("*")):
        return False
    return _is_some("exactly" if operator in _EXACT and not of_session else "wildcard", rest)


def _is_resource(operator: str, text: str) -> bool:
    """Whether of a resource's ARN or name more is asked than account, region and kind."""
    found = _RESOURCE.search(text)
    if found is not None:
        return _is_some(operator if operator in _EXACT else "wildcard", found["name"])
    if operator != "suffix" and (text.startswith(_HEAD) or (operator == "prefix" and _HEAD.startswith(text))):
        parts = text.split(":", _PARTS - 1)
        return (
            len(parts) == _PARTS
            and _is_some(operator, parts[-1])
            and not any(kind.startswith(parts[-1].rstrip("*")) for kind in _KINDS)
        )
    if operator in _EXACT or operator == "prefix":
        return _is_some(operator, text)
    # Somewhere in an ARN: that it is one, of an account and of a kind, nearly every one says.
    return any(
        _is_some(operator, piece) and piece not in _EVERYWHERE and not _ACCOUNT_OR_REGION.fullmatch(piece)
        for piece in re.split(r"[:/*]", text)
    )


def _are_few_addresses(written: Sequence[Any]) -> bool:
    """Whether the values are addresses, or blocks that do not hold a great part of all, together."""
    held = {32: 0.0, 128: 0.0}
    for value in written:
        if isinstance(value, dict) and "cidr" in value:
            block = parse_block(value["cidr"], "")
            held[block.bits] += 2.0 ** (block.host_bits - block.bits)
        else:
            text = value.get("exactly") if isinstance(value, dict) else value
            if not isinstance(text, str) or parse_address(text) is None:
                return False
    return max(held.values()) <= _MOST_OF_ADDRESSES

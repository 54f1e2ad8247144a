"""Whom and what a rule names: what everybody has, what the caller chooses and what holds nearly all is nobody."""

from __future__ import annotations

from typing import Any

import pytest

from rules.patterns import compile_pattern
from rules.rule_scope import rests_on_tool_alone

ACCOUNT = "111122223333"
IAM, STS = f"arn:aws:iam::{ACCOUNT}", f"arn:aws:sts::{ACCOUNT}"
DYNAMODB = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}"


def alone(facts: dict[str, Any], unless: dict[str, Any] | None = None, **event: Any) -> bool:
    """Whether a rule on a tool and these fields rests on the tool alone."""
    match = compile_pattern({"facts": {"tool": ["terraform"], **facts}, **event})
    return rests_on_tool_alone(match, compile_pattern(unless) if unless else None)


def by_actor(**fields: Any) -> bool:
    """The same of fields of the actor."""
    return alone({"actor": fields})


def by_address(*values: Any) -> bool:
    """The same of addresses, in the record as in the facts."""
    of_record = alone({}, detail={"sourceIPAddress": list(values)})
    assert by_actor(sourceIp=list(values)) is of_record
    return of_record


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"account": [ACCOUNT]},
        {"region": ["eu-west-1"], "failed": [False]},
        {"origin": {"requestToken": ["chosen-by-the-caller"]}},
        {"actor": {"session": ["job-7"]}},
        {"actor": {"kind": ["assumed-role"], "mfa": [True]}},
    ],
)
def test_what_everybody_has_or_may_choose(facts: dict[str, Any]) -> None:
    """A whole account, a session's name and a token say neither who nor what."""
    assert alone(facts)


@pytest.mark.parametrize(
    "event",
    [
        {"account": [ACCOUNT]},
        {"detail": {"recipientAccountId": [ACCOUNT]}},
        {"detail": {"requestParameters": {"clientRequestToken": ["t"]}}},
        {"detail": {"client-request-token": ["t"]}},
        {"detail": {"userIdentity": {"sessionContext": {"sessionIssuer": {"accountId": [ACCOUNT]}}}}},
        {"detail": {"resources": {"accountId": [ACCOUNT], "type": ["AWS::DynamoDB::Table"]}}},
        {"detail": {"responseElements": {"tableDescription": {"tableStatus": ["DELETING"]}}}},
    ],
)
def test_what_everybody_has_in_the_record(event: dict[str, Any]) -> None:
    """The same, asked of the record itself."""
    assert alone({}, **event)


@pytest.mark.parametrize("field", ["arn", "issuer"])
@pytest.mark.parametrize(
    ("value", "nobody"),
    [
        ({"prefix": "arn:"}, True),
        ({"prefix": f"{IAM}:"}, True),
        ({"prefix": f"{IAM}:ro"}, True),
        ({"prefix": f"{IAM}:role/"}, True),
        ({"prefix": {"equals-ignore-case": f"{IAM}:user/"}}, True),
        ({"prefix": f"{STS}:assumed-role/"}, True),
        ({"wildcard": "*"}, True),
        ({"wildcard": "*a*"}, True),
        ({"wildcard": f"*{ACCOUNT}*"}, True),
        ({"wildcard": "arn:aws:iam::*:role/*"}, True),
        ({"wildcard": "*:assumed-role/*/job-7"}, True),
        ({"wildcard": "*:assumed-role/*job-7"}, True),
        ({"suffix": "/job-7"}, True),
        ({"suffix": "role/job-7"}, True),
        ({"prefix": f"{IAM}:root"}, True),
        ({"prefix": f"{IAM}:role/aws-reserved/"}, True),
        ({"wildcard": "*:role/aws-reserved/sso.amazonaws.com/*"}, True),
        ({"prefix": f"{IAM}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_"}, True),
        ({"prefix": f"{STS}:assumed-role/AWSReservedSSO_"}, True),
        ({"prefix": f"{STS}:assumed-role/AWSReservedSSO_Deploy_1/"}, False),
        ({"wildcard": "*:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Deploy_*"}, False),
        ({"prefix": f"{IAM}:role/team/"}, False),
        (f"{IAM}:root", False),
        (f"{IAM}:role/x", False),
        ({"prefix": f"{IAM}:role/ci-"}, False),
        ({"prefix": f"{STS}:assumed-role/ci-preview/"}, False),
        ({"wildcard": "*:role/*ci*"}, False),
        ({"wildcard": "*assumed-role/ci/*"}, False),
        ({"suffix": ":user/bob"}, False),
        ({"equals-ignore-case": f"{IAM}:user/bob"}, False),
    ],
)
def test_arns_of_principals(field: str, value: Any, nobody: bool) -> None:
    """More has to be asked than account and kind, and a role of a session, whose name the caller chooses."""
    assert by_actor(**{field: [value]}) is nobody


@pytest.mark.parametrize(
    ("value", "nobody"),
    [
        ({"prefix": "A"}, True),
        ({"prefix": "AROA"}, True),
        ({"suffix": ":job-7"}, True),
        ({"wildcard": "*:job-7"}, True),
        ({"wildcard": "AROA*:job-7"}, True),
        ({"prefix": "AROAEXAMPLE:"}, False),
        ("AIDAEXAMPLE", False),
    ],
)
def test_ids_of_principals(value: Any, nobody: bool) -> None:
    """The kind that every id begins with is nobody, nor is the session behind the colon."""
    assert alone({}, detail={"userIdentity": {"principalId": [value]}}) is nobody


@pytest.mark.parametrize(
    ("values", "anybody"),
    [
        ([{"cidr": "0.0.0.0/0"}], True),
        ([{"cidr": "::/0"}], True),
        ([{"cidr": "0.0.0.0/0"}, {"cidr": "::/0"}], True),
        ([{"cidr": "0.0.0.0/1"}, {"cidr": "128.0.0.0/1"}], True),
        ([{"cidr": f"{first}.0.0.0/8"} for first in range(10)], True),
        ([{"cidr": "2000::/3"}], True),
        (["cloudformation.amazonaws.com"], True),
        (["203.0.113.7", "cloudformation.amazonaws.com"], True),
        ([{"suffix": ".com"}], True),
        ([{"wildcard": "*.*"}], True),
        ([{"prefix": "1"}], True),
        ([{"cidr": "203.0.113.0/24"}, {"anything-but": "x"}], True),
        ([{"cidr": "10.0.0.0/8"}, {"cidr": "fc00::/7"}], False),
        (["203.0.113.7", {"exactly": "203.0.113.8"}], False),
    ],
)
def test_addresses(values: list[Any], anybody: bool) -> None:
    """Some addresses are somebody's; nearly all of them together, and services, are anybody."""
    assert by_address(*values) is anybody


@pytest.mark.parametrize(
    ("values", "anybody"),
    [
        (["x", {"anything-but": "x"}], True),
        ([{"wildcard": "*a*"}, {"anything-but": {"wildcard": "*a*"}}], True),
        ([{"prefix": "ci"}, {"anything-but": {"prefix": "ci"}}], True),
        (["x", {"exists": False}], True),
        ([{"wildcard": "*a*"}], True),
        ([{"prefix": "c"}], True),
        ([None, "x"], True),
        (["cloudformation.amazonaws.com"], True),
        ([{"prefix": "cloudformation."}], True),
        ([{"wildcard": "*.amazonaws.com"}], True),
        ([{"suffix": ".com.cn"}], True),
        ([{"prefix": "AWSReservedSSO_"}], True),
        ([{"prefix": "AWSReservedSSO_Deploy_"}], False),
        (["x"], False),
        ([{"wildcard": "ci-*"}, {"prefix": {"equals-ignore-case": "CI"}}], False),
    ],
)
def test_names(values: list[Any], anybody: bool) -> None:
    """Every value has to name somebody: two that complete each other hold everybody."""
    assert by_actor(name=values) is anybody
    branches = [{"actor": {"name": [value]}} for value in values]
    assert alone({"$or": [*branches, {"actor": {"name": ["y"]}}]}) is anybody


@pytest.mark.parametrize("path", ["facts.resource.arn", "detail.requestParameters.resourceArn", "resources"])
@pytest.mark.parametrize(
    ("value", "anything"),
    [
        ({"prefix": "arn:"}, True),
        ({"prefix": f"{DYNAMODB}:"}, True),
        ({"prefix": f"{DYNAMODB}:table/"}, True),
        ({"wildcard": "*:table/*"}, True),
        ({"wildcard": "*:table/*/backup/*"}, True),
        ({"wildcard": "*table*"}, True),
        ({"wildcard": f"*:eu-west-1:{ACCOUNT}:*"}, True),
        (f"{DYNAMODB}:table/x", False),
        ({"prefix": f"{DYNAMODB}:table/preview-"}, False),
        ({"wildcard": "*:table/*-preview"}, False),
        ({"wildcard": "*preview*"}, False),
        ({"suffix": "/orders"}, False),
        ({"prefix": "arn:aws:s3:::preview-"}, False),
    ],
)
def test_arns_of_resources(path: str, value: Any, anything: bool) -> None:
    """More has to be asked than account, region and kind."""
    match = compile_pattern({"facts": {"tool": ["terraform"]}, path: [value]})
    assert rests_on_tool_alone(match) is anything


@pytest.mark.parametrize(
    "facts",
    [
        {"resource": {"name": ["orders"]}},
        {"origin": {"stack": [{"prefix": "preview-"}]}},
        {"table": {"tags": {"env": ["dev"]}}},
        {"intents": [{"exists": True}]},
        {"actor": {"role": ["deploy"]}},
    ],
)
def test_a_name_beside_the_tool_is_enough(facts: dict[str, Any]) -> None:
    """A role, a table, a stack, a tag or a declared intent is more than a tool, whatever ``unless`` says."""
    assert not alone(facts)
    assert not alone(facts, {"facts": {"tool": [{"anything-but": "terraform"}]}})


def test_a_tool_that_only_unless_names() -> None:
    """All but what another tool does is what one tool does; what ``unless`` asks of a role narrows nothing."""
    everything = compile_pattern({"facts": {"weight": ["destructive"]}})
    other_tool = compile_pattern({"facts": {"tool": [{"anything-but": "terraform"}]}})
    other_role = compile_pattern({"facts": {"actor": {"role": [{"anything-but": "ci"}]}}})
    assert rests_on_tool_alone(everything, other_tool)
    assert not rests_on_tool_alone(everything)
    assert not rests_on_tool_alone(everything, other_role)
    assert rests_on_tool_alone(compile_pattern({"facts": {"tool": ["terraform"]}}), other_role)

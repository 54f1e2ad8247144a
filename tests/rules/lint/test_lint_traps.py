"""Lint of EventBridge's traps: each is warned of, and the pattern really behaves as the warning says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rules.patterns import compile_pattern
from tests.rules.lint.test_lint import of_match

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("match", "message"),
    [
        (
            "{detail: {userIdentity: [{exists: true}]}}",
            "warning [object-path] detail.userIdentity is an object, so exists: true never matches; ask about a field in it",
        ),
        (
            "{detail: {requestParameters: {streamSpecification: [{exists: false}]}}}",
            (
                "warning [object-path] detail.requestParameters.streamSpecification is an object,"
                " so exists: false always matches; ask about a field in it"
            ),
        ),
        (
            "{facts: {table: {tags: [prod]}}}",
            'warning [object-path] facts.table.tags is an object, and "prod" matches values only; ask about a field in it',
        ),
        (
            "{facts: {actor: [{exists: true}]}}",
            "warning [object-path] facts.actor is an object, so exists: true never matches; ask about a field in it",
        ),
        (
            "{detail: {resources: {ARN: [{anything-but: {prefix: x}}]}}}",
            (
                'warning [anything-but-array] detail.resources is an array: anything-but matches if any element differs from {"prefix": "x"};'
                " put the plain value under unless"
            ),
        ),
        (
            "{facts: {intents: [{anything-but: [x]}]}}",
            (
                'warning [anything-but-array] facts.intents is an array: anything-but matches if any element differs from ["x"];'
                " put the plain value under unless"
            ),
        ),
        (
            "{detail: {errorCode: [{anything-but: [x]}]}}",
            (
                "warning [anything-but-absent] anything-but never matches where detail.errorCode is absent;"
                " add {exists: false} or put the plain value under unless"
            ),
        ),
        (
            "{facts: {table: {tags: {env: [{anything-but: prod}]}}}}",
            (
                "warning [anything-but-absent] anything-but never matches where facts.table.tags.env is absent;"
                " add {exists: false} or put the plain value under unless"
            ),
        ),
        (
            '{detail: {readOnly: ["false"]}}',
            "warning [quoted-flag] detail.readOnly is true or false: write false without quotes",
        ),
        (
            "{detail: {sessionCredentialFromConsole: [true]}}",
            'warning [quoted-flag] detail.sessionCredentialFromConsole is the text "true" or "false": write "true" in quotes',
        ),
        (
            '{detail: {requestParameters: {force: ["false"]}}}',
            'note [quoted-flag] detail.requestParameters.force: "false" is the text, and does not match the value false',
        ),
        (
            '{detail: {requestParameters: {pendingWindowInDays: ["7"]}}}',
            "warning [quoted-number] detail.requestParameters.pendingWindowInDays is a number: write 7 without quotes",
        ),
        (
            "{account: [111122223333]}",
            'warning [quoted-number] account is a text: write "111122223333" in quotes',
        ),
        (
            "{account: [{numeric: ['=', 111122223333]}]}",
            "warning [numeric-on-text] account is a text, even where it is all digits; numeric never matches it",
        ),
        (
            "{facts: {actor: {sourceIp: [{cidr: 10.1.2.3/8}]}}}",
            "warning [host-bits] 10.1.2.3/8 has host bits, and is the same as 10.0.0.0/8; did you mean a single address?",
        ),
        (
            "{detail: {sourceIPAddress: [{cidr: '2001:db8::1/32'}]}}",
            "warning [host-bits] 2001:db8::1/32 has host bits, and is the same as 2001:db8:0:0:0:0:0:0/32; did you mean a single address?",
        ),
        (
            "{detail: {resources: {ARN: [x], type: [y]}}}",
            (
                "note [same-element] one and the same element of detail.resources must satisfy"
                " detail.resources.ARN and detail.resources.type"
            ),
        ),
    ],
)
def test_traps(tmp_path: Path, match: str, message: str) -> None:
    """Each trap is named, with what happens and what to write instead."""
    assert message in of_match(tmp_path, match)


@pytest.mark.parametrize(
    "match",
    [
        "{detail: {userIdentity: {arn: [{exists: true}]}}}",
        "{detail: {errorCode: [{anything-but: [x]}, {exists: false}]}}",
        "{detail: {eventName: [{anything-but: UpdateTable}]}}",
        "{facts: {actor: {name: [{anything-but: bob}]}}}",
        '{detail: {readOnly: [false], sessionCredentialFromConsole: ["true"]}}',
        "{facts: {actor: {sourceIp: [{cidr: 10.0.0.0/8}, 10.1.2.3]}}}",
        "{detail: {resources: {ARN: [x]}}}",
        "{detail: {requestParameters: {pendingWindowInDays: [{numeric: ['<', 8]}]}}}",
    ],
)
def test_what_is_no_trap(tmp_path: Path, match: str) -> None:
    """What does as its writer thinks is left alone."""
    assert of_match(tmp_path, match) == []


@pytest.mark.parametrize(
    ("pattern", "event", "matches"),
    [
        ([{"exists": True}], {"a": {"b": 1}}, False),
        ([{"exists": False}], {"a": {"b": 1}}, True),
        ([{"anything-but": ["x"]}], {"a": ["x", "y"]}, True),
        ([{"anything-but": ["x"]}], {}, False),
        ([False], {"a": "false"}, False),
        ([{"numeric": ["=", 5]}], {"a": "5"}, False),
        ([{"cidr": "10.1.2.3/8"}], {"a": "10.9.9.9"}, True),
    ],
)
def test_the_traps_are_there(pattern: Any, event: dict[str, Any], matches: bool) -> None:
    """The matcher does what the warnings say of it."""
    assert compile_pattern({"a": pattern}).matches(event) is matches


def test_the_same_element(tmp_path: Path) -> None:
    """Two fields in different elements of one array do not match together; in branches of $or they need not."""
    pattern = compile_pattern({"detail": {"resources": {"ARN": ["x"], "type": ["y"]}}})
    assert not pattern.matches({"detail": {"resources": [{"ARN": "x"}, {"type": "y"}]}})
    assert pattern.matches({"detail": {"resources": [{"ARN": "x", "type": "y"}]}})
    assert of_match(tmp_path, "{detail: {resources: {ARN: [x]}}, $or: [{region: [a]}, {region: [b]}]}") == []

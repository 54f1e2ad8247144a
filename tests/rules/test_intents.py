"""Intents: what they cover, and what they can never cover."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from rules.intents import (
    NEW,
    Change,
    Intent,
    IntentState,
    change_of,
    fits_anybody,
    fits_anything,
    principal_of,
)
from tests.rules.judging import ACCOUNT, changed, event

CALL = event("delete-table-cli-assumed-role")
SSO = event("sso")
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def intent(**changes: Any) -> Intent:
    """An intent that covers ``CALL``, but for its changes."""
    return Intent.model_validate(
        {
            "id": "20261123-orders",
            "table": "orders",
            "by": "deploy",
            "starts": CALL.time - HOUR,
            "until": CALL.time + HOUR,
            "reason": "the table moved",
            "declared_by": "platform-engineer",
            "declared_at": CALL.time - HOUR,
            **changes,
        }
    )


def test_a_declared_change_is_covered() -> None:
    """Right operation, table, actor, place and time."""
    assert intent().covers(CALL)


@pytest.mark.parametrize(
    "changes",
    [
        {"starts": CALL.time}, {"until": CALL.time}, {"declared_at": CALL.time},
        {"revoked_at": CALL.time + SECOND}, {"account": ACCOUNT}, {"region": "eu-west-1"},
        {"table": "ord*"}, {"table": "[no]rders"}, {"table": "*"}, {"table": "order?"},
        {"by": "*"}, {"by": "dep*"}, {"by": "arn:aws:sts::*:assumed-role/deploy/*"},
        {"by": "arn:aws:iam::111122223333:role/deploy"}, {"by": CALL.actor.arn},
        {"operations": ("UpdateTable", "DeleteTable")}, {"session": "job-*"}, {"source_identity": "platform-*"},
        {"max_changes": 1},
    ],
    ids=str,
)  # fmt: skip
def test_bounds_and_patterns_that_still_cover(changes: dict[str, Any]) -> None:
    """The bounds of the window belong to it; patterns are shell patterns on ARNs and names."""
    assert intent(**changes).covers(CALL)


@pytest.mark.parametrize(
    "changes",
    [
        {"starts": CALL.time + SECOND}, {"until": CALL.time - SECOND}, {"declared_at": CALL.time + SECOND},
        {"revoked_at": CALL.time}, {"revoked_at": CALL.time - HOUR}, {"account": "123456789012"},
        {"region": "us-east-1"}, {"table": "order"}, {"table": "Orders"}, {"table": "orders-*"},
        {"by": "deploy-*"}, {"by": "Deploy"}, {"by": "platform-engineer"}, {"by": "assumed-role/deploy/job-7"},
        {"by": "job-7"}, {"by": "job-*"}, {"by": "*/job-7"}, {"by": "arn:aws:iam::123456789012:role/deploy"},
        {"operations": ("DeleteStack",)}, {"operations": ()}, {"operations": ("deletetable",)},
        {"session": "job-8"}, {"source_identity": "somebody"}, {"app": "*"}, {"request_token": "*"},
        {"stack": "*"}, {"stack": "shop", "table": ""},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_covered(changes: dict[str, Any]) -> None:
    """One thing that does not fit is enough; above all, nothing can be declared after the fact."""
    assert not intent(**changes).covers(CALL)


@pytest.mark.parametrize("by", ["developer@example.com", "AWSReservedSSO_*", "arn:*/developer@example.com"])
def test_people_of_single_sign_on(by: str) -> None:
    """With SSO the session name is the person, as AWS itself says, so a person can be named."""
    assert intent(by=by).covers(SSO)


def session_of(role: str, session: str, *, account: str = ACCOUNT, path: str = "") -> dict[str, Any]:
    """The identity of a role's session."""
    return {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
        "accountId": account,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role", "arn": f"arn:aws:iam::{account}:role/{path}{role}", "userName": role,
            }
        },
    }  # fmt: skip


FEDERATED = {
    "type": "FederatedUser",
    "arn": f"arn:aws:sts::{ACCOUNT}:federated-user/ci",
    "userName": "ci",
    "accountId": ACCOUNT,
    "sessionContext": {"sessionIssuer": {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/bob"}},
}
ELSEWHERE = "999999999999"
CHOSEN_NAMES = [
    pytest.param(session_of("support", "ci"), id="a session that calls itself so"),
    pytest.param(FEDERATED, id="a federated user that was called so"),
    pytest.param(session_of("ci", "job", account=ELSEWHERE), id="a role of another account"),
    pytest.param(
        {"type": "IAMUser", "arn": f"arn:aws:iam::{ELSEWHERE}:user/ci", "userName": "ci"},
        id="a user of an account that only the ARN says",
    ),
    pytest.param({"type": "IAMUser", "userName": "ci", "accountId": ELSEWHERE}, id="a user of another account"),
    pytest.param(session_of("AWSReservedSSO_fake", "ci"), id="a role that looks like single sign-on"),
    pytest.param({"type": "AWSService", "invokedBy": "ci"}, id="a service"),
]  # fmt: skip


@pytest.mark.parametrize("by", ["ci", "c*", "*ci", "*/ci"])
@pytest.mark.parametrize("identity", CHOSEN_NAMES)
def test_a_name_that_the_caller_chose_is_nobodys(identity: dict[str, Any], by: str) -> None:
    """Who may call himself what he likes, or is of another account, is not who was declared by name."""
    assert not intent(by=by).covers(changed(userIdentity=identity))


@pytest.mark.parametrize(
    ("by", "identity"),
    [
        ("ci", session_of("ci", "job")),
        ("ci", {"type": "IAMUser", "userName": "ci"}),
        ("ci", {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/teams/ci"}),
        (f"arn:aws:iam::{ACCOUNT}:role/teams/ci", session_of("ci", "job", path="teams/")),
        (f"arn:aws:iam::{ELSEWHERE}:role/ci", session_of("ci", "job", account=ELSEWHERE)),
        (f"arn:aws:sts::{ACCOUNT}:federated-user/ci", FEDERATED),
        (f"arn:aws:iam::{ACCOUNT}:user/bob", FEDERATED),
        ("sam", session_of("AWSReservedSSO_Admin_0", "sam", path="aws-reserved/sso.amazonaws.com/")),
    ],
    ids=str,
)
def test_who_can_be_declared(by: str, identity: dict[str, Any]) -> None:
    """A role or user by its name in the account, or by its ARN in any; a federated user only by an ARN."""
    assert intent(by=by).covers(changed(userIdentity=identity))


@pytest.mark.parametrize(
    ("pattern", "anything", "anybody"),
    [
        ("*", True, True), ("**", True, True), ("?*", True, True), ("[a-z]*", True, True), ("[!x]*", True, True),
        ("[]x]?", True, True), ("arn:*", False, True), ("*:*", False, True), ("*/*", False, True),
        ("arn:aws:iam::*:role/*", False, True), ("a*", False, False), ("role", False, False), ("user*", False, False),
        ("[*]", False, False), ("arn:aws:iam::111122223333:role/*", False, False), ("*:root", False, False),
        ("", False, False), ("---", False, True),
    ],
)  # fmt: skip
def test_patterns_that_say_nothing(pattern: str, anything: bool, anybody: bool) -> None:
    """Wildcards alone name nothing; in the ARN of a principal neither does what every ARN has."""
    assert (fits_anything(pattern), fits_anybody(pattern)) == (anything, anybody)


@pytest.mark.parametrize(
    ("arn", "principal"),
    [
        ("arn:aws:sts::1:assumed-role/ci/job-7", "arn:aws:sts::1:assumed-role/ci"),
        ("arn:aws:sts::1:assumed-role/AWSReservedSSO_A_0/sam", "arn:aws:sts::1:assumed-role/AWSReservedSSO_A_0/sam"),
        ("arn:aws:iam::1:user/ci", "arn:aws:iam::1:user/ci"),
        ("somebody", "somebody"),
    ],
)  # fmt: skip
def test_whose_session_it_is(arn: str, principal: str) -> None:
    """Two jobs of a role are one principal; two people of a permission set are two."""
    assert principal_of(arn) == principal


@pytest.mark.parametrize("reason", [".", "ok", " . . ", "\u200b\u200b\u200b"])
def test_a_new_intent_says_why(reason: str) -> None:
    """A reason that nobody can read is refused for new ones; what was stored before is still read."""
    old = intent(reason=reason).model_dump(mode="json")
    with pytest.raises(ValidationError, match="visible"):
        Intent.model_validate(old, context=NEW)
    assert Intent.model_validate_json(json.dumps(old)).reason == reason


def test_an_actor_without_a_name_is_not_anybody() -> None:
    """A record that does not say who it was is covered by nobody's intent, not even by one for all."""
    assert not intent(by="*").covers(changed())


def change(**changes: Any) -> Change:
    """A deletion of ``orders``, a table of stack ``shop``, by hand; but for its changes."""
    whole: dict[str, Any] = {
        "event_name": "DeleteTable",
        "time": CALL.time,
        "account": ACCOUNT,
        "region": "eu-west-1",
        "resource_type": "table",
        "resource_name": "orders",
        "origin_stack": "shop",
        "names": ("arn:aws:sts::111122223333:assumed-role/deploy/job-7", "deploy"),
        "session": "job-7",
    }
    return Change(**{**whole, **changes})


OF_STACK = {"table": "", "stack": "shop", "operations": ("DeleteStack",)}
STACK_GONE = change(event_name="DeleteStack", resource_type="stack", resource_name="shop", origin_stack="")
BY_CLOUDFORMATION = change(by_cloudformation=True)


def test_a_change_is_read_from_an_event() -> None:
    """What intents look at is what the event says; the stack of a table has to be looked up."""
    called = event("delete-stack-cli")
    assert change_of(CALL, "shop").origin_stack == "shop"
    assert change_of(CALL).session == "job-7"
    assert (change_of(called).resource_type, change_of(called).resource_name) == ("stack", "shop")
    assert change_of(event("delete-table-by-cloudformation")).by_cloudformation
    assert not change_of(CALL).by_cloudformation


def test_cloudformation_is_what_aws_says_and_not_a_user_agent() -> None:
    """Anybody can call himself CloudFormation; only AWS writes who invoked a call."""
    forged = change_of(changed(userAgent="cloudformation.amazonaws.com"))
    assert not forged.by_cloudformation


def test_the_caller_can_name_itself() -> None:
    """The application in the user agent and CloudFormation's token bind an intent to one job."""
    named = change_of(
        changed(userAgent="Boto3/1.44 app/nightly-7", requestParameters={"tableName": "orders", "clientRequestToken": "t-1"},
                userIdentity={"type": "IAMUser", "userName": "deploy"})
    )  # fmt: skip
    assert intent(app="nightly-*", request_token="t-1").covers(named)
    assert not intent(app="weekly").covers(named)
    assert not intent(request_token="t-2").covers(named)


def test_a_stack_covers_its_own_deletion_and_its_tables() -> None:
    """One declaration is enough for a stack: CloudFormation deletes the tables that belong to it."""
    declared = intent(**OF_STACK)
    assert declared.covers(STACK_GONE)
    assert declared.covers(BY_CLOUDFORMATION)


@pytest.mark.parametrize(
    "other",
    [
        change(), change(by_cloudformation=True, origin_stack="basket"), change(by_cloudformation=True, origin_stack=""),
        change(by_cloudformation=True, event_name="UpdateTable"), change(by_cloudformation=True, names=("root",)),
        change(event_name="DeleteStack", resource_type="stack", resource_name="basket"),
        change(event_name="DeleteStack", resource_type="stack-set", resource_name="shop"),
    ],
    ids=["by hand", "another stack's", "nobody knows whose", "another operation", "another caller", "another stack",
         "a stack set"],
)  # fmt: skip
def test_what_a_stack_does_not_cover(other: Change) -> None:
    """A table deleted by hand, another stack's, or one of which nobody knows the stack is not explained."""
    assert not intent(**OF_STACK).covers(other)


def test_a_table_pattern_never_covers_a_stack() -> None:
    """All tables are not all stacks."""
    assert not intent(table="*", operations=("DeleteTable", "DeleteStack")).covers(STACK_GONE)


def test_a_table_of_a_stack_needs_both_names() -> None:
    """With both patterns both must fit: the narrower reading is the safe one."""
    both = intent(table="ord*", stack="shop")
    assert both.covers(change())
    assert not both.covers(change(resource_name="basket"))
    assert not both.covers(change(origin_stack="other"))
    assert not both.covers(STACK_GONE)


def test_a_declared_deletion_of_a_stack_is_carried_out_by_anybody() -> None:
    """CloudFormation's calls do not say for whom they are made; that the deletion was covered is what counts."""
    bound = intent(**OF_STACK, request_token="t-1", app="nightly", max_changes=1)
    assert not bound.covers(BY_CLOUDFORMATION)
    with_role = change(
        by_cloudformation=True, names=("cfn-role", "AWSCloudFormation"), stack_intents=(bound.id,)
    )
    assert bound.covers(with_role, already=1)
    assert not bound.covers(change(by_cloudformation=True, stack_intents=("other",)))


def test_a_service_role_can_be_named() -> None:
    """Who lets CloudFormation delete by a role may declare the role."""
    of_role = intent(by="cfn-service-role", **OF_STACK)
    assert of_role.covers(change(by_cloudformation=True, names=("cfn-service-role", "AWSCloudFormation")))


def test_a_used_up_intent_covers_no_more() -> None:
    """The change after the last one that was declared is not explained."""
    two = intent(max_changes=2)
    assert [two.covers(CALL, count) for count in range(4)] == [True, True, False, False]
    assert intent().covers(CALL, 1000)


def test_the_tables_of_a_stack_are_no_changes_of_their_own() -> None:
    """Who allows one change allows one stack, with whatever is in it."""
    assert intent(**OF_STACK).counts(STACK_GONE)
    assert not intent(**OF_STACK).counts(BY_CLOUDFORMATION)


@pytest.mark.parametrize("key", ["starts", "until", "declared_at", "revoked_at"])
@pytest.mark.parametrize(
    "value", [datetime(2026, 11, 23), "2026-11-23T02:00:00", "2026-11-23", 1764000000, "9999-12-31T23:59:59-14:00"]  # noqa: DTZ001 - a naive time is the point
)  # fmt: skip
def test_times_without_a_zone_are_refused(key: str, value: Any) -> None:
    """A window that means another time elsewhere is no window."""
    with pytest.raises(ValidationError, match=key):
        intent(**{key: value})


@pytest.mark.parametrize(
    "changes",
    [
        {"tabel": "orders"}, {"id": "a/b"}, {"id": "a\n"}, {"id": ""}, {"table": ""}, {"by": ""}, {"reason": ""},
        {"table": "x" * 513}, {"format_version": 2}, {"max_changes": 0}, {"app": "x" * 513},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_intent(changes: dict[str, Any]) -> None:
    """Extra fields, ids that are no file names, empty or endless patterns and unknown versions are refused."""
    with pytest.raises(ValidationError, match=next(iter(changes))):
        intent(**changes)


def test_an_intent_survives_being_stored() -> None:
    """Written as JSON and read again it is the same."""
    one = intent(starts=datetime(2026, 11, 23, 3, 0, tzinfo=UTC), revoked_at=CALL.time)
    assert Intent.model_validate_json(one.model_dump_json()) == one


def test_an_intent_of_the_first_version_is_read() -> None:
    """What earlier versions declared, still counts: nothing it lacks narrows it."""
    old = {
        "format_version": 1, "id": "20261123T010000Z-1a2b3c4d", "table": "orders", "by": "deploy",
        "operations": ["DeleteTable"], "account": ACCOUNT, "region": "eu-west-1", "starts": "2026-11-23T01:00:00Z",
        "until": "2026-11-23T05:00:00Z", "reason": "moved", "declared_by": "x", "declared_at": "2026-11-23T01:00:00Z",
        "revoked_at": None,
    }  # fmt: skip
    assert Intent.model_validate_json(json.dumps(old)).covers(CALL)


@pytest.mark.parametrize(
    "pattern", ["*a" * 250 + "b", "*?" * 250 + "b", "*" * 512, "*[ab]*" * 80 + "c", "[" * 512, "[z-a]*" * 80]
)  # fmt: skip
def test_a_pattern_that_would_backtrack_is_quick(pattern: str) -> None:
    """Stars without end cannot stop the watcher, nor can brackets that mean nothing."""
    long = change(resource_name="a" * 255, names=("a" * 2048,), app="a" * 2048)
    assert intent(table=pattern, by=pattern, app=pattern).covers(long) is (pattern == "*" * 512)


@pytest.mark.parametrize(
    ("changes", "now", "state"),
    [
        ({}, CALL.time, IntentState.ACTIVE),
        ({}, CALL.time - HOUR, IntentState.ACTIVE),
        ({}, CALL.time + HOUR, IntentState.ACTIVE),
        ({}, CALL.time - HOUR - SECOND, IntentState.PLANNED),
        ({}, CALL.time + HOUR + SECOND, IntentState.OVER),
        ({"revoked_at": CALL.time}, CALL.time, IntentState.REVOKED),
    ],
)
def test_the_state_of_an_intent(changes: dict[str, Any], now: datetime, state: IntentState) -> None:
    """Active inside its window, and until somebody revokes it."""
    assert intent(**changes).state(now) is state
    assert intent(**changes).active(now) is (state is IntentState.ACTIVE)

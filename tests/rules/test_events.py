"""Events: published records, synthetic ones of every shape, and what they are about."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from rules.actions import API_CALL
from rules.actors import ActorKind, Tool
from rules.errors import EventError
from rules.events import API_CALL_DETAIL_TYPES, parse_event, parse_event_json
from rules.net import NetParts
from rules.resources import table_name
from rules.service_events import NO_TIME
from tests.rules.judging import ACCOUNT, EVENTS, PUBLISHED, changed, document, event, record

if TYPE_CHECKING:
    from pathlib import Path

TABLE_ARN = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/orders"
STACK_ARN = f"arn:aws:cloudformation:eu-west-1:{ACCOUNT}:stack/shop/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
TABLE_ID = "5f0c3c9e-3a52-4a86-9d6f-0c6f7a1b2c3d"
OMITTED = {"omitted": True, "originalSize": 104_857, "reason": "requestParameters too large"}


def published() -> list[Any]:
    """The published records beside the repository, one parameter each; one that skips where there are none."""
    files = sorted(path for path in PUBLISHED.glob("*.json") if path.name != "INDEX.json")
    missing = pytest.param(None, marks=pytest.mark.skip(reason="no published records beside the repository"))
    return [pytest.param(path, id=path.stem) for path in files] or [missing]


@pytest.mark.parametrize("path", published())
def test_published_records_are_understood(path: Path) -> None:
    """Every published record parses, bare or in its envelope, and so does every service's own event."""
    body = path.read_bytes()
    content = json.loads(body)
    found = parse_event_json(body)
    raw = content.get("detail", content)
    if content.get("detail-type", API_CALL) in API_CALL_DETAIL_TYPES:
        assert (found.id, found.event_name, found.region) == (
            raw["eventID"],
            raw["eventName"],
            raw["awsRegion"],
        )
    else:
        assert (found.id, found.region) == (content["id"], content["region"])
        assert found.envelope == content
    assert found.failed == bool(raw.get("errorCode"))
    assert len(found.account) == 12
    assert found.title


@pytest.mark.parametrize(
    ("name", "action", "tool", "kind"),
    [
        ("delete-table-console", "Table deleted", Tool.CONSOLE, ActorKind.IAM_USER),
        ("delete-table-cli-assumed-role", "Table deleted", Tool.CLI, ActorKind.ASSUMED_ROLE),
        ("delete-table-terraform", "Table deleted", Tool.TERRAFORM, ActorKind.ASSUMED_ROLE),
        ("delete-table-pulumi", "Table deleted", Tool.PULUMI, ActorKind.ASSUMED_ROLE),
        ("delete-table-cdk", "Table deleted", Tool.CDK, ActorKind.ASSUMED_ROLE),
        ("delete-table-sdk", "Table deleted", Tool.SDK, ActorKind.ASSUMED_ROLE),
        ("delete-table-by-cloudformation", "Table deleted", Tool.CLOUDFORMATION, ActorKind.IAM_USER),
        ("delete-table-by-cloudformation-service-role", "Table deleted", Tool.CLOUDFORMATION, ActorKind.ASSUMED_ROLE),
        ("delete-table-root", "Table deleted", Tool.CONSOLE, ActorKind.ROOT),
        ("delete-table-by-arn", "Table deleted", Tool.CLI, ActorKind.IAM_USER),
        ("delete-table-old-2015", "Table deleted", Tool.CONSOLE, ActorKind.ASSUMED_ROLE),
        ("delete-table-denied", "Attempt to delete a table", Tool.CLI, ActorKind.IAM_USER),
        ("delete-table-protected", "Attempt to delete a table", Tool.CLI, ActorKind.IAM_USER),
        ("omitted-parameters", "Table deleted", Tool.CLI, ActorKind.IAM_USER),
        ("sso", "Table deleted", Tool.CONSOLE, ActorKind.SSO),
        ("federated", "Table deleted", Tool.CLI, ActorKind.FEDERATED),
        ("envelope-delete-table", "Table deleted", Tool.CLI, ActorKind.IAM_USER),
        ("china-region", "Table deleted", Tool.CLI, ActorKind.ASSUMED_ROLE),
        ("update-table-protection-off", "Deletion protection switched off", Tool.CONSOLE, ActorKind.IAM_USER),
        ("update-continuous-backups-off", "Point-in-time recovery switched off", Tool.CLI, ActorKind.IAM_USER),
    ],
)  # fmt: skip
def test_shapes_of_table_events(name: str, action: str, tool: Tool, kind: ActorKind) -> None:
    """Who did what to which table, with what: right for every shape that a table event comes in."""
    found = event(name)
    assert (found.title, found.tool, found.actor.kind) == (action, tool, kind)
    assert found.action is not None
    assert (found.resource.type, found.resource.name) == ("table", "orders")
    assert (found.account, found.read_only) == (ACCOUNT, False)
    assert found.time.tzinfo is UTC
    assert found.failed == name.endswith(("denied", "protected"))


def test_every_synthetic_event_is_used() -> None:
    """No file in events/ lies there untested: each is an event that is understood."""
    for path in EVENTS.glob("*.json"):
        assert parse_event_json(path.read_bytes()).title


@pytest.mark.parametrize("name", ["delete-stack-console", "delete-stack-cli"])
def test_stacks(name: str) -> None:
    """A stack is named by its name or its ARN; the ARN also tells which stack of that name it was."""
    found = event(name)
    assert (found.title, found.resource.type, found.resource.name) == ("Stack deleted", "stack", "shop")
    by_arn = name == "delete-stack-console"
    assert found.resource.arn == (STACK_ARN if by_arn else "")
    assert found.resource.incarnation == (STACK_ARN.rpartition("/")[2] if by_arn else "")


@pytest.mark.parametrize(
    "arn", ["arn:", "arn:aws:cloudformation", "arn:aws:cloudformation:::stack/", "/", "a/b"]
)
def test_strange_stack_names_are_no_arns(arn: str) -> None:
    """What only begins like an ARN gives no incarnation, and no crash."""
    found = changed(
        eventSource="cloudformation.amazonaws.com",
        eventName="DeleteStack",
        requestParameters={"stackName": arn},
    )
    assert found.resource.incarnation == ""


@pytest.mark.parametrize("given", ["request", "response", "resources"])
def test_a_backup_is_named_by_its_table_and_its_own_arn(given: str) -> None:
    """DeleteBackup is about a backup, wherever the record names it; each backup is its own incarnation."""
    raw = document("delete-backup")
    backup_arn = raw["requestParameters"]["backupArn"]
    if given != "request":
        raw["requestParameters"] = OMITTED
    if given == "resources":
        raw["responseElements"] = None
        raw["resources"] = [{"ARN": backup_arn, "accountId": ACCOUNT, "type": "AWS::DynamoDB::Table"}]
    found = parse_event(raw)
    assert (found.title, found.resource.type, found.resource.name) == ("Backup deleted", "backup", "orders")
    assert (found.resource.arn, found.resource.incarnation) == (backup_arn, "01764000000000-1a2b3c4d")


@pytest.mark.parametrize(
    ("name_or_arn", "bare"),
    [
        ("orders", "orders"), (TABLE_ARN, "orders"), (f"{TABLE_ARN}/index/by-day", "orders"), ("", ""),
        (f"arn:aws-cn:dynamodb:cn-north-1:{ACCOUNT}:table/a.b_c-1", "a.b_c-1"), ("arn:aws:s3:::bucket", ""),
        (f"{TABLE_ARN}/backup/01764000000000-1a2b3c4d", "orders"),
    ],
)  # fmt: skip
def test_table_names(name_or_arn: str, bare: str) -> None:
    """The bare name comes out of a name and out of every ARN that a table is in."""
    assert table_name(name_or_arn) == bare


def test_the_arn_of_a_table_is_its_own() -> None:
    """An index or stream among the resources gives the table's ARN, not its own."""
    found = changed(
        requestParameters=OMITTED, resources=[{"ARN": f"{TABLE_ARN}/stream/2026-01-01T00:00:00.000"}]
    )
    assert (found.resource.name, found.resource.arn) == ("orders", TABLE_ARN)


def test_the_table_id_is_the_incarnation() -> None:
    """Two tables of one name differ by TableId; a record that lacks it, such as one of 2015, says nothing."""
    assert event("delete-table-console").resource.incarnation == TABLE_ID
    assert event("delete-table-old-2015").resource.incarnation == ""


def test_a_name_that_only_the_response_has() -> None:
    """UpdateTable records of 2015 lack the name in their request."""
    found = event("update-table-old-2015")
    assert (found.resource.name, found.action) == ("orders", None)


@pytest.mark.parametrize("name", ["UpdateTable", "UpdateContinuousBackups"])
def test_an_omitted_request_may_be_the_dangerous_one(name: str) -> None:
    """A request that CloudTrail cut out cannot be looked at, so it is watched: unknown means alert."""
    assert changed(eventName=name, requestParameters=OMITTED).action is not None
    assert changed(eventName=name, requestParameters={"tableName": "orders"}).action is None


def test_other_services_with_the_same_call_are_not_ours() -> None:
    """Glue has a DeleteTable of its own; it is no table of ours, nor any other resource."""
    found = event("delete-table-glue")
    assert found.action is None
    assert (found.resource.type, found.resource.name) == ("", "")
    assert found.title == "DeleteTable on glue.amazonaws.com"


def test_failed_calls_keep_their_error() -> None:
    """An attempt says why AWS refused it."""
    found = event("delete-table-protected")
    assert found.error_code == "ValidationException"
    assert "protected against deletion" in found.error_message


@pytest.mark.parametrize(
    ("name", "said", "read_only"),
    [
        ("DescribeTable", None, True), ("ListTables", None, True), ("GetItem", None, True), ("Query", None, True),
        ("Scan", None, True), ("BatchGetItem", None, True), ("TagResource", None, False),
        ("Listen", None, False), ("Getaway", None, False), ("TagResource", True, True), ("GetThing", False, False),
        ("DeleteTable", True, False), ("DeleteTable", None, False),
    ],
)  # fmt: skip
def test_read_only(name: str, said: bool | None, read_only: bool) -> None:
    """The record's word counts, else the name, whole words only; a watched call is never ignored as reading."""
    assert changed(eventName=name, readOnly=said).read_only is read_only


@pytest.mark.parametrize(
    ("recipient", "envelope", "identity", "owner"),
    [
        ("111111111111", "222222222222", "333333333333", "111111111111"),
        (None, "222222222222", "333333333333", "222222222222"),
        (None, None, "333333333333", "333333333333"),
        (None, None, None, ""),
    ],
)
def test_the_account(recipient: str | None, envelope: str | None, identity: str | None, owner: str) -> None:
    """The recipient owns the event, else whose bus it came over, else who called."""
    detail = record(recipientAccountId=recipient, userIdentity={"type": "IAMUser", "accountId": identity})
    wrapped = {
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.dynamodb",
        "account": envelope,
        "detail": detail,
    }
    assert parse_event(wrapped).account == owner


@pytest.mark.parametrize(
    ("region", "kind"),
    [("eu-west-1", "AWS API Call via CloudTrail"), ("cn-north-1", "Amazon API Call via CloudTrail")],
)
def test_a_bare_record_gets_the_envelope_that_eventbridge_would_have_made(region: str, kind: str) -> None:
    """Rules see the same document whether an event came over the bus or out of an archive."""
    raw = record(
        awsRegion=region, recipientAccountId=None, userIdentity={"type": "Root", "accountId": ACCOUNT}
    )
    made = parse_event(raw).envelope
    assert made["detail-type"] == kind
    assert made["source"] == "aws.dynamodb"
    assert (made["account"], made["region"]) == (ACCOUNT, region)
    assert made["time"] == "2026-11-23T02:13:44Z"
    assert made["detail"] == raw
    assert set(made) == set(document("envelope-delete-table"))


def test_an_envelope_is_kept_as_it_came() -> None:
    """What rules match is the document itself, with everything that we do not read."""
    assert event("envelope-delete-table").envelope == document("envelope-delete-table")


def test_time_is_the_calls_own() -> None:
    """The time of an event is when the call was made, in UTC."""
    assert event("delete-table-console").time == datetime(2026, 11, 23, 2, 13, 44, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "title", "failed"),
    [
        ("DELETE_IN_PROGRESS", "Stack deletion begun", False),
        ("DELETE_COMPLETE", "Stack deleted", False),
        ("DELETE_FAILED", "Stack deletion failed", True),
        ("UPDATE_COMPLETE", None, False),
        ("", None, False),
    ],
)
def test_a_stacks_own_events(status: str, title: str | None, failed: bool) -> None:
    """CloudFormation tells of a deletion itself, with the stack's ARN; what it did else is not watched."""
    raw = document("stack-status-change")
    raw["detail"]["status-details"]["status"] = status
    found = parse_event(raw)
    assert (
        (found.action.attempt if found.failed else found.action.past) == title if found.action else not title
    )
    assert (found.failed, found.resource.type, found.resource.name) == (failed, "stack", "shop")
    assert (found.resource.arn, found.actor.kind, found.tool) == (
        STACK_ARN,
        ActorKind.SERVICE,
        Tool.CLOUDFORMATION,
    )


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("AWS::DynamoDB::Table", "Table deleted by its stack"),
        ("AWS::DynamoDB::GlobalTable", "Table deleted by its stack"),
        ("AWS::S3::Bucket", None),
    ],
)
def test_a_stacks_tables_own_events(kind: str, title: str | None) -> None:
    """A table that goes with its stack, or by an update of it, is named with its stack and the operation's token."""
    raw = document("resource-status-change-table")
    raw["detail"]["resource-type"] = kind
    found = parse_event(raw)
    assert (None if found.action is None else found.title) == title
    if title:
        assert (found.resource.type, found.resource.name, found.resource.stack) == (
            "table",
            "orders",
            STACK_ARN,
        )
    assert found.request_token.startswith("Console-DeleteStack-")


def test_an_object_of_the_vault() -> None:
    """S3 tells of a deletion itself; it names the account that asked, or S3 where a lifecycle did it."""
    net = NetParts(vault_bucket="example-vault", vault_prefix="net")
    found = parse_event(document("object-deleted"), net)
    assert (found.title, found.resource.name) == ("Object of the vault deleted", "example-vault")
    assert found.resource.key.endswith("/manifest.json")
    assert (found.actor.account, found.actor.source_ip) == (ACCOUNT, "203.0.113.7")
    raw = document("object-deleted")
    raw["detail"] |= {"requester": "s3.amazonaws.com", "reason": "Lifecycle Expiration"}
    assert parse_event(raw, net).actor.label == "s3.amazonaws.com"
    assert parse_event(document("object-deleted")).action is None


def test_health() -> None:
    """A health event is known by its code; it is no change of anything."""
    found = event("health-dynamodb")
    assert (found.event_name, found.action) == ("AWS_DYNAMODB_OPERATIONAL_ISSUE", None)


@pytest.mark.parametrize("name", ["stack-status-change", "object-deleted"])
@pytest.mark.parametrize("time", [None, "yesterday", 7])
def test_the_time_of_a_services_event(name: str, time: Any) -> None:
    """What is watched must have one; what nobody watches is only counted."""
    with pytest.raises(EventError, match="time"):
        parse_event({**document(name), "time": time})
    created = {**document("object-deleted"), "detail-type": "Object Created", "time": time}
    assert parse_event(created).time == NO_TIME


@pytest.mark.parametrize(
    ("name", "lacking"),
    [("stack-status-change", "stack-id"), ("object-deleted", "bucket"), ("object-deleted", "object")],
)
def test_what_makes_a_services_event_must_be_there(name: str, lacking: str) -> None:
    """Without what it is about there is no event."""
    raw = document(name)
    del raw["detail"][lacking]
    with pytest.raises(EventError, match=lacking):
        parse_event(raw)


def test_other_kinds_of_event_are_unknown() -> None:
    """An event that was never to come here is named, not passed over."""
    with pytest.raises(EventError, match="unknown kind of event: detail-type 'EC2 Instance State-change"):
        parse_event(
            {**document("stack-status-change"), "detail-type": "EC2 Instance State-change Notification"}
        )


@pytest.mark.parametrize(
    ("agent", "app"),
    [
        ("Boto3/1.44.5 md/Botocore#1.44.5 app/nightly-cleanup ua/2.1", "nightly-cleanup"),
        ("app/first", "first"),
        ("[aws-cli/2.31.0 app/x-1]", "x-1"),
        ("aws-cli/2.31.0 webapp/1", ""),
        ("app/", ""),
        ("", ""),
    ],
)
def test_the_name_that_an_application_gave_itself(agent: str, app: str) -> None:
    """It stands as app/<id> in the user agent."""
    assert changed(userAgent=agent).app == app

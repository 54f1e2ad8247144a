"""Events: published records, synthetic ones of every shape, and what they are about."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from rules.actors import ActorKind, Tool
from rules.errors import EventError
from rules.events import API_CALL_DETAIL_TYPES, parse_event, parse_event_json, table_name
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
    """Every CloudTrail record parses, bare or in its envelope; every other kind of event is named as unknown."""
    body = path.read_bytes()
    content = json.loads(body)
    kind = content.get("detail-type")
    if kind is not None and kind not in API_CALL_DETAIL_TYPES:
        with pytest.raises(EventError, match="unknown kind of event") as caught:
            parse_event_json(body)
        assert kind in str(caught.value)
        return
    found = parse_event_json(body)
    raw = content.get("detail", content)
    assert (found.id, found.event_name, found.region) == (raw["eventID"], raw["eventName"], raw["awsRegion"])
    assert found.failed == bool(raw.get("errorCode"))
    assert len(found.account) == 12


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
    """No file in events/ lies there untested: each is a known event, or named as an unknown kind."""
    unknown = []
    for path in EVENTS.glob("*.json"):
        try:
            parse_event_json(path.read_bytes())
        except EventError:
            unknown.append(path.stem)
    assert unknown == ["stack-status-change"]


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
        ("Scan", None, True), ("BatchGetItem", None, True), ("CreateTable", None, False),
        ("Listen", None, False), ("Getaway", None, False), ("CreateTable", True, True), ("GetThing", False, False),
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

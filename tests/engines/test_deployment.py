"""The whole deployment, for real, on ministack: CloudFormation, event rule, queue, function, Slack, recovery."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from cli.deployment.template import template
from recovery.testing.embedded_aws import EmbeddedEndpoint, Keys
from recovery.testing.equality import different_items, items
from tests.engines.account import (
    PATIENCE_SECONDS,
    POLL_SECONDS,
    TEMPLATE,
    Account,
    deployed,
    imports_alone,
    packaged,
)
from tests.engines.edge_items import some
from tests.engines.engine import key
from tests.watcher.watching import delete_table
from watcher.health.canary import CANARY
from watcher.testing.slack import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)
CLOCK = {"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, made once."""
    return packaged(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def account(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account in which deploy/safetynet.yaml was deployed as it is."""
    with deployed(package, TEMPLATE.read_text("utf-8"), tmp_path_factory.mktemp("account")) as account:
        yield account


def deletion(table: str, **changes: Any) -> dict[str, Any]:
    """What CloudTrail records of a DeleteTable; each is somebody else's, so that none is told with another."""
    arn = f"arn:aws:iam::123456789012:user/{table}"
    who = {"type": "IAMUser", "arn": arn, "accountId": "123456789012", "userName": table}
    record: dict[str, Any] = json.loads(delete_table(table, **{"userIdentity": who, **changes}))["detail"]
    return record


def make_table(account: Account, name: str, count: int) -> dict[str, Any]:
    """A table with items; what DescribeTable says of it."""
    dynamodb = account.aws.dynamodb()
    asked: Any = {"TableName": name, "BillingMode": "PAY_PER_REQUEST", **key("S")}
    dynamodb.create_table(**asked)
    for item in some(count):
        dynamodb.put_item(TableName=name, Item=item)
    described: Any = dynamodb.describe_table(TableName=name)["Table"]
    found: dict[str, Any] = described
    return found


def test_a_deletion_is_alerted_and_the_table_comes_back(account: Account) -> None:
    """From the bus through rule, queue and function to Slack; what the message says to type brings the table back."""
    table = make_table(account, "orders", 60)
    before = items(account.aws, "orders")
    done = account.shell.run("backup", "run", "orders")
    assert done.code == 0, done.err
    account.aws.dynamodb().delete_table(TableName="orders")
    lost = {
        "tableDescription": {
            "tableName": "orders",
            "tableId": table["TableId"],
            "tableArn": table["TableArn"],
        }
    }
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    account.happen(deletion("orders", responseElements=lost, eventTime=now))

    (message,) = account.told("Table deleted: orders")
    command = re.search(r"safetynet recover (\S+?)[`\\\s]", message)
    assert command, message
    done = account.shell.run("recover", command[1], "--yes")
    assert done.code == 0, done.out + done.err
    assert different_items(before, items(account.aws, "orders")) == 0
    assert account.until_waiting("QueueUrl", 0)
    assert account.waiting("DeadLettersUrl") == 0


def test_an_event_that_comes_twice_is_told_once(account: Account) -> None:
    """EventBridge may deliver an event twice: it is one incident and one message."""
    record = deletion("twice")
    for _ in range(2):
        account.happen(record)
    account.told("twice")
    assert account.until_waiting("QueueUrl", 0)
    assert len(account.telling("twice")) == 1


def test_a_deleted_backup_is_told(account: Account) -> None:
    """S3 itself tells the bus of an object that is deleted from the vault; what is deleted elsewhere is nobody's."""
    bucket, prefix = account.outputs["Vault"].removeprefix("s3://").split("/", 1)
    s3, title = account.aws.s3(), "Object of the vault deleted"
    for name in (f"{prefix}/leases/a.json", "elsewhere/a.json"):
        s3.put_object(Bucket=bucket, Key=name, Body=b"{}")
        s3.delete_object(Bucket=bucket, Key=name)
    assert account.until_waiting("QueueUrl", 0)
    assert account.telling(title) == []
    s3.put_object(Bucket=bucket, Key=f"{prefix}/backups/a/manifest.json", Body=b"{}")
    s3.delete_object(Bucket=bucket, Key=f"{prefix}/backups/a/manifest.json")
    account.told(title)


def test_what_is_not_watched_stays_out(account: Account) -> None:
    """A call of another service, or one that only reads, never reaches the queue; the next deletion does."""
    account.happen(deletion("stranger-1", eventSource="glue.amazonaws.com"))
    account.happen(deletion("stranger-2", eventName="DescribeTable"))
    account.happen(deletion("watched"))
    account.told("watched")
    assert account.until_waiting("QueueUrl", 0)
    assert account.telling("stranger") == []


def test_a_message_that_cannot_be_understood_is_told_and_kept(account: Account) -> None:
    """People are told of it once, the good message beside it is handled, and it ends in the dead-letter queue."""
    sqs = account.client("sqs")
    queue = account.outputs["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
    sqs.send_message_batch(
        QueueUrl=queue,
        Entries=[
            {"Id": "bad", "MessageBody": "no event at all"},
            {"Id": "good", "MessageBody": delete_table("beside").decode()},
        ],
    )
    account.told("beside")
    assert account.until_waiting("DeadLettersUrl", 1)
    assert account.waiting("QueueUrl") == 0
    assert len(account.telling("cannot be understood")) == 1
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "360"})


def test_the_clock_delivers_what_is_owed(account: Account) -> None:
    """An alert that Slack did not take is sent by a scheduled run, once."""
    account.slack.fail_next(Fault.error("not_in_channel"), method="chat.postMessage")
    tried = account.slack.calls.get("chat.postMessage", 0)
    account.happen(deletion("owed"))
    assert account.slack.wait_for(lambda: account.slack.calls.get("chat.postMessage", 0) > tried, 60)
    assert account.until_waiting("QueueUrl", 0)
    assert account.telling("owed") == []
    while not account.telling("owed"):
        assert "FunctionError" not in account.call(CLOCK)
        time.sleep(POLL_SECONDS)
    assert "FunctionError" not in account.call(CLOCK)
    assert len(account.telling("owed")) == 1


def test_the_canary_comes_through(account: Account) -> None:
    """A scheduled run puts the canary on the bus; it arrives by the event rule and the queue, and nobody is told."""
    before = len(account.slack.messages)
    assert "FunctionError" not in account.call(CLOCK)
    assert canary_arrived(account)
    assert account.until_waiting("QueueUrl", 0)
    assert len(account.slack.messages) == before


def canary_arrived(account: Account) -> bool:
    """Whether one that was sent has arrived in the end."""
    for _ in range(int(PATIENCE_SECONDS / POLL_SECONDS)):
        state = account.stored(CANARY)
        if state is not None and state["arrived"] is not None:
            return True
        time.sleep(POLL_SECONDS)
    return False


def test_the_package_stands_alone(package: Path, tmp_path: Path) -> None:
    """With nothing but Python and what is in the zip the handler can be imported."""
    done = imports_alone(package, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "function handler" in done.stdout


def test_the_role_is_enough(package: Path, tmp_path: Path) -> None:
    """With every call of the function held against its role's policy an alert comes out at the end.

    ministack is reached without TLS, so the statements that refuse that are left out; and it does not know the
    condition ``events:source``.
    """
    policies = json.dumps(_for_ministack(template()))
    with deployed(package, policies, tmp_path, authorized=True) as account:
        account.happen(deletion("orders"))
        account.told("Table deleted: orders")
        assert account.until_waiting("QueueUrl", 0)
        assert "FunctionError" not in account.call(CLOCK)
        assert canary_arrived(account)


def test_nobody_comes_in_without_tls(package: Path, tmp_path: Path) -> None:
    """As deployed, vault and queue refuse plain http to somebody who may do everything.

    ministack never holds a policy against the account's root, so it is a user who tries; another bucket takes him.
    """
    with deployed(package, TEMPLATE.read_text("utf-8"), tmp_path, authorized=True) as account:
        user = _user(account)
        s3, sqs = (user.client(name, endpoint_url=account.url) for name in ("s3", "sqs"))
        assert s3.list_objects_v2(Bucket="code")["KeyCount"] == 1
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.list_objects_v2(Bucket=account.outputs["Vault"].split("/")[2])
        with pytest.raises(ClientError, match="AccessDenied"):
            sqs.send_message(QueueUrl=account.outputs["QueueUrl"], MessageBody="{}")


def _user(account: Account) -> Any:
    """A session of a user who may do everything."""
    iam = account.client("iam")
    iam.create_user(UserName="anybody")
    allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName="anybody", PolicyName="everything", PolicyDocument=policy)
    keys = iam.create_access_key(UserName="anybody")["AccessKey"]
    found = EmbeddedEndpoint(account.url).aws(Keys(keys["AccessKeyId"], keys["SecretAccessKey"]))
    return found.session


def _for_ministack(node: Any) -> Any:
    """The template with what ministack can hold a call against, and without policies that then say nothing."""
    if isinstance(node, dict):
        if node.get("Sid") == "Canary":
            return {name: child for name, child in node.items() if name != "Condition"}
        children = {name: _for_ministack(child) for name, child in node.items()}
        return {name: child for name, child in children.items() if not _empty_policy(child)}
    if isinstance(node, list):
        return [
            _for_ministack(one) for one in node if not (isinstance(one, dict) and one.get("Sid") == "TlsOnly")
        ]
    return node


def _empty_policy(node: Any) -> bool:
    properties = node.get("Properties", {}) if isinstance(node, dict) else {}
    return bool(properties.get("PolicyDocument", {}).get("Statement", True) == [])

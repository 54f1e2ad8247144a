"""A vault, a queue and a table of a test's own on the embedded AWS, and a shell to type into."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.running import QuickShell, Shell, shell_for
from watcher.testing.slack import TOKEN, SlackStandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from recovery.aws import Aws
    from recovery.testing.embedded_aws import EmbeddedEndpoint

CHANNEL = "C0ALERTS"


@dataclass(frozen=True, slots=True)
class Desk:
    """Where an on-call engineer sits: a table with three items, a vault, a queue, a Slack, a shell."""

    aws: Aws
    shell: Shell
    slack: SlackStandIn
    table: str
    queue_url: str

    def send(self, body: bytes | str) -> None:
        """Put a message on the queue."""
        text = body if isinstance(body, str) else body.decode()
        self.aws.sqs().send_message(QueueUrl=self.queue_url, MessageBody=text)

    def json(self, *arguments: str) -> Any:
        """Run a command that prints JSON and nothing else, and parse it."""
        done = self.shell.run(*arguments, "--json")
        assert done.code == 0, done.err
        return json.loads(done.out)

    def lines(self, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
        """Run a command that prints a line of JSON for each event, and nothing else."""
        done = self.shell.run(*arguments, "--json")
        assert done.code == code, done.err
        return [json.loads(line) for line in done.out.splitlines()]

    def backed_up(self, *tables: str) -> list[dict[str, Any]]:
        """Back tables up; the backups that were made."""
        return [line for line in self.lines("backup", "run", *tables) if line["event"] == "done"]

    def items(self, table: str) -> list[dict[str, Any]]:
        """All items of a table, through plain boto3, sorted by key."""
        found: list[Any] = self.aws.dynamodb().scan(TableName=table)["Items"]
        return sorted(found, key=lambda item: str(item["id"]["S"]))


@pytest.fixture
def desk(endpoint: EmbeddedEndpoint, tmp_path: Path) -> Iterator[Desk]:
    """All of it, set up."""
    aws, name = endpoint.aws(), f"desk-{uuid.uuid4().hex[:12]}"
    aws.s3().create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    queue = aws.sqs().create_queue(QueueName=name)["QueueUrl"]
    client = aws.dynamodb()
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        Tags=[{"Key": "team", "Value": "shop"}],
    )
    for number in range(3):
        client.put_item(TableName=name, Item={"id": {"S": f"item-{number}"}, "n": {"N": str(number)}})
    with SlackStandIn() as slack:
        shell = shell_for(
            endpoint,
            tmp_path,
            SAFETYNET_VAULT=f"s3://{name}/net",
            SAFETYNET_QUEUE_URL=queue,
            SAFETYNET_SLACK__TOKEN=TOKEN,
            SAFETYNET_SLACK__CHANNEL=CHANNEL,
            SAFETYNET_SLACK__API_URL=slack.base_url,
        )
        # Commands run in this process: there are many of them, and some tests have one of their own all the same.
        yield Desk(aws, QuickShell(shell.exports, shell.folder), slack, name, queue)

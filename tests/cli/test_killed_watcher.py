"""The real watcher process, killed with SIGKILL between the event and the alert, and started again."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.vault.s3 import S3Vault
from rules.watched import watched_event_pattern
from tests.cli.running import Shell, shell_for
from tests.watcher.watching import delete_table
from watcher.incidents.incident import Incident
from watcher.incidents.incident_store import IncidentStore
from watcher.testing.slack import TOKEN, Fault, SlackStandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from recovery.testing.embedded_aws import EmbeddedEndpoint

CHANNEL = "C0ALERTS"


@dataclass(frozen=True, slots=True)
class Deployed:
    """A queue behind the event rule, a vault, a Slack, and a shell with the settings."""

    endpoint: EmbeddedEndpoint
    shell: Shell
    slack: SlackStandIn
    incidents: IncidentStore

    def happen(self, table: str) -> None:
        """CloudTrail tells EventBridge of a deletion."""
        events: Any = self.endpoint.aws().session.client("events", endpoint_url=self.endpoint.url)
        record = json.loads(delete_table(table))["detail"]
        entry = {
            "Source": "aws.dynamodb",
            "DetailType": "AWS API Call via CloudTrail",
            "Detail": json.dumps(record),
        }
        events.put_events(Entries=[entry])

    def stored(self) -> list[Incident]:
        """All incidents."""
        return [one for one in self.incidents.all() if isinstance(one, Incident)]


@pytest.fixture
def deployed(endpoint: EmbeddedEndpoint, tmp_path: Path) -> Iterator[Deployed]:
    """All of a deployment but the watcher."""
    aws, name = endpoint.aws(), f"killed-{uuid.uuid4().hex[:12]}"
    aws.s3().create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    queue = aws.sqs().create_queue(QueueName=name)["QueueUrl"]
    events = aws.session.client("events", endpoint_url=endpoint.url)
    events.put_rule(Name=name, EventPattern=json.dumps(watched_event_pattern()))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"}])
    with SlackStandIn() as slack:
        shell = shell_for(
            endpoint,
            tmp_path,
            SAFETYNET_VAULT=f"s3://{name}/net",
            SAFETYNET_QUEUE_URL=queue,
            SAFETYNET_SLACK__TOKEN=TOKEN,
            SAFETYNET_SLACK__CHANNEL=CHANNEL,
            SAFETYNET_SLACK__API_URL=slack.base_url,
            SAFETYNET_TAKEOVER_SECONDS="0",
        )
        yield Deployed(endpoint, shell, slack, IncidentStore(S3Vault(aws.s3(), name, "net")))
    events.remove_targets(Rule=name, Ids=["queue"])
    events.delete_rule(Name=name)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.rate_limited(retry_after=19), id="before the alert is posted"),
        pytest.param(Fault.late_answer(20), id="after it is posted, before that is stored"),
    ],
)
def test_one_incident_and_one_visible_alert(deployed: Deployed, fault: Fault) -> None:
    """Killed after receiving the event and before the alert is marked as sent, then started again."""
    deployed.slack.fail_next(fault, method="chat.postMessage")
    with deployed.shell.running("watch") as watcher:
        deployed.happen("shop-prod-orders")
        assert deployed.slack.wait_for(lambda: deployed.slack.calls.get("chat.postMessage", 0) > 0, 20)
        watcher.kill()
    with deployed.shell.running("watch") as again:
        assert deployed.slack.wait_for(lambda: bool(deployed.slack.visible(CHANNEL)), 20)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and any(incident.unsent for incident in deployed.stored()):
            time.sleep(0.1)
        again.terminate()
        log, _ = again.communicate(timeout=30)
    (incident,) = deployed.stored()
    (message,) = deployed.slack.visible(CHANNEL)
    assert incident.outbox[0].reference["ts"] == message.ts
    assert again.returncode == 0, log
    assert "Traceback" not in log

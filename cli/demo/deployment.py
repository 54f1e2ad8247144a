"""What a deployment has, set up in the embedded AWS: vault, event rule, queue with dead-letter queue, settings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cli.demo.shop import TESTING
from recovery.testing.embedded_aws import ACCOUNT, REGION
from rules.actions import watched_event_pattern

if TYPE_CHECKING:
    from pathlib import Path

    from recovery.aws import Aws

VAULT_BUCKET, VAULT = "shop-safety-net", "s3://shop-safety-net/net"
QUEUE, DEAD_LETTERS, EVENT_RULE = "safetynet-events", "safetynet-dead-letters", "safetynet-watched-changes"
CHANNEL, TOKEN = "C0DEMOALERTS", "xoxb-demo-token"
MAX_RECEIVES = 3

RULE_FILE = """\
# Which changes of the shop's team are intended. Checked and tested with `safetynet rules test`.
version: 1
rules:
  - id: preview-environments
    description: CI takes preview environments down when a pull request is closed.
    verdict: intentional
    owner: team-shop
    reason: CI drops preview environments when their pull request is closed.
    match:
      detail:
        eventName: [DeleteTable, DeleteStack]
        userIdentity:
          sessionContext:
            sessionIssuer:
              userName: [ci-preview]
      facts:
        resource:
          name: [{prefix: preview-}]
tests:
  - name: CI drops a preview table
    event:
      eventName: DeleteTable
      requestParameters: {tableName: preview-pr-7-orders}
      userIdentity: {type: AssumedRole, sessionContext: {sessionIssuer: {userName: ci-preview}}}
    expect: {verdict: intentional, rule: preview-environments}
  - name: CI drops something that is no preview
    event:
      eventName: DeleteTable
      requestParameters: {tableName: shop-prod-orders}
      userIdentity: {type: AssumedRole, sessionContext: {sessionIssuer: {userName: ci-preview}}}
    expect: {verdict: suspicious, rule: production-name}
  - name: somebody else drops a preview table
    event: {eventName: DeleteTable, requestParameters: {tableName: preview-pr-7-orders}}
    expect: {verdict: suspicious}
"""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What was set up: the queue's URL and the settings file."""

    queue_url: str
    config: Path


def deploy(root: Aws, endpoint_url: str, slack_url: str, folder: Path) -> Deployment:
    """Set it all up. The event rule is the one that a deployment uses."""
    s3: Any = root.s3()
    s3.create_bucket(Bucket=VAULT_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=VAULT_BUCKET, VersioningConfiguration={"Status": "Enabled"})
    sqs = root.sqs()
    sqs.create_queue(QueueName=DEAD_LETTERS)
    policy = {
        "deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{DEAD_LETTERS}",
        "maxReceiveCount": MAX_RECEIVES,
    }
    queue_url = sqs.create_queue(
        QueueName=QUEUE, Attributes={"VisibilityTimeout": "30", "RedrivePolicy": json.dumps(policy)}
    )["QueueUrl"]
    events = root.session.client("events", endpoint_url=endpoint_url)
    events.put_rule(Name=EVENT_RULE, EventPattern=json.dumps(watched_event_pattern()))
    queue_arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{QUEUE}"
    events.put_targets(Rule=EVENT_RULE, Targets=[{"Id": "queue", "Arn": queue_arn}])
    return Deployment(queue_url, _write_settings(folder, queue_url, slack_url))


def _write_settings(folder: Path, queue_url: str, slack_url: str) -> Path:
    rules = folder / "rules.d"
    rules.mkdir()
    (rules / "shop.yaml").write_text(RULE_FILE, encoding="utf-8")
    # JSON is YAML, and quotes what has to be quoted.
    settings = {
        "vault": VAULT,
        "queue_url": queue_url,
        "slack": {"channel": CHANNEL, "api_url": slack_url},
        "rules": ["rules.d"],
        "backup": {"tables": ["shop-prod-*"]},
        "staging": {
            "account": ACCOUNT,
            "region": REGION,
            "tables": [{"source": source, "target": target} for source, target in TESTING.items()],
        },
        "schedule": {"timezone": "Europe/Vienna", "backup": "0 2 * * *", "staging": "30 3 * * *"},
    }
    config = folder / "safetynet.yaml"
    config.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    return config

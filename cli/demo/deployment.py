"""What a deployment has, set up in the embedded AWS: vault, event rule, queue with dead-letter queue, settings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cli.demo.shop import TESTING
from recovery.testing.embedded_aws import ACCOUNT, REGION
from rules.watched import watched_event_pattern

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

  - id: shop-set-up
    description: Operations switches time to live on where the shop's tables have it.
    verdict: intentional
    owner: team-shop
    reason: Operations sets the shop's tables up.
    match:
      detail:
        eventName: [UpdateTimeToLive]
        userIdentity:
          sessionContext:
            sessionIssuer:
              userName: [operations]
      facts:
        resource:
          name: [{prefix: shop-prod-}]

tests:
  - name: CI drops a preview table
    event: &drop
      eventName: DeleteTable
      requestParameters: {tableName: preview-pr-7-orders}
      userIdentity: &ci {type: AssumedRole, sessionContext: {sessionIssuer: {userName: ci-preview}}}
    expect: {verdict: intentional, rule: preview-environments}
  - name: CI drops a preview stack
    event:
      eventSource: cloudformation.amazonaws.com
      eventName: DeleteStack
      requestParameters: {stackName: preview-pr-7}
      userIdentity: *ci
    expect: {verdict: intentional, rule: preview-environments}
  - name: CI switches a stream off
    event:
      <<: *drop
      eventName: UpdateTable
      requestParameters: {tableName: preview-pr-7-orders, streamSpecification: {streamEnabled: false}}
    expect: {verdict: suspicious}
  - name: CI drops something that is no preview
    event: {<<: *drop, requestParameters: {tableName: shop-prod-orders}}
    expect: {verdict: suspicious, rule: production-name}
  - name: somebody else drops a preview table
    event: {eventName: DeleteTable, requestParameters: {tableName: preview-pr-7-orders}}
    expect: {verdict: suspicious}

  - name: operations switches time to live on
    event: &set-up
      eventName: UpdateTimeToLive
      requestParameters:
        tableName: shop-prod-orders
        timeToLiveSpecification: {enabled: true, attributeName: ends}
      userIdentity: &operations {type: AssumedRole, sessionContext: {sessionIssuer: {userName: operations}}}
    expect: {verdict: intentional, rule: shop-set-up}
  - name: somebody else switches time to live on
    event: {<<: *set-up, userIdentity: *ci}
    expect: {verdict: suspicious}
  - name: operations switches it on elsewhere
    event:
      <<: *set-up
      requestParameters: {tableName: basket, timeToLiveSpecification: {enabled: true, attributeName: ends}}
    expect: {verdict: suspicious}
  - name: operations deletes a table
    event: {eventName: DeleteTable, requestParameters: {tableName: shop-prod-orders}, userIdentity: *operations}
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
        # The embedded AWS has no event history to look up what was missed in.
        "watch": {"catch_up": "off"},
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

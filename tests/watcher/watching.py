"""Change events, and the parts of a watcher in memory."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from recovery.backups.catalog import Catalog
from recovery.intents import IntentStore
from rules.rulefile import load_rules
from watcher.alerts.outbox import Outbox, everybody
from watcher.facts.enrichment import VaultFacts
from watcher.incidents.causes import Causes
from watcher.incidents.incident_store import IncidentStore
from watcher.pipeline import Pipeline
from watcher.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from recovery.testing.memory_vault import MemoryVault
    from rules.rule_set import RuleSet
    from watcher.testing.memory_source import MemorySource
    from watcher.testing.recording_notifier import RecordingNotifier


@cache
def _default_rules() -> RuleSet:
    return load_rules([]).rule_set


NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


def by(name: str) -> dict[str, Any]:
    """Changes to a record that make it another person's: what one session does is one incident."""
    return {
        "userIdentity": {
            "type": "IAMUser",
            "arn": f"arn:aws:iam::123456789012:user/{name}",
            "accountId": "123456789012",
            "userName": name,
        }
    }


def delete_table(name: str = "orders", **changes: Any) -> bytes:
    """A synthetic DeleteTable envelope, shaped as EventBridge delivers one; ``changes`` go into the record."""
    record: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "arn": "arn:aws:iam::123456789012:user/developer",
            "accountId": "123456789012",
            "userName": "developer",
        },
        "eventTime": "2026-11-23T11:59:58Z",
        "eventSource": "dynamodb.amazonaws.com",
        "eventName": "DeleteTable",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli/2.31.0",
        "requestParameters": {"tableName": name},
        "responseElements": {"tableDescription": {"tableName": name, "tableId": f"id-of-{name}"}},
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "recipientAccountId": "123456789012",
        **changes,
    }
    envelope = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.dynamodb",
        "account": "123456789012",
        "time": record["eventTime"],
        "region": "eu-west-1",
        "resources": [],
        "detail": record,
    }
    return json.dumps(envelope).encode()


def delete_stack(name: str = "shop", **changes: Any) -> bytes:
    """A synthetic DeleteStack envelope; ``changes`` go into the record."""
    asked: dict[str, Any] = {"stackName": name, "clientRequestToken": f"token-{name}"}
    return delete_table(
        name,
        **{
            "eventSource": "cloudformation.amazonaws.com",
            "eventName": "DeleteStack",
            "requestParameters": asked,
            "responseElements": None,
            **changes,
        },
    )


@dataclass
class Clockwork:
    """A clock that stands still until it is moved, and a sleep that moves it."""

    now: datetime = NOON
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        """Now."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Move the clock on."""
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


@dataclass
class Parts:
    """A whole watcher in memory. ``restart`` gives what a new process would have: only the vault stays."""

    vault: MemoryVault
    source: MemorySource
    notifier: RecordingNotifier
    clock: Clockwork
    sleep: Callable[[float], None] | None = None

    def __post_init__(self) -> None:
        """Build what does not survive a restart."""
        self.incidents = IncidentStore(self.vault)
        self.intents = IntentStore(self.vault, self.clock)
        self.outbox = Outbox(self.incidents, [self.notifier], self.clock)
        facts = VaultFacts(Catalog(self.vault), self.intents, self.incidents)
        self.causes = Causes(self.vault, self.incidents, self.sleep or self.clock.sleep)
        self.pipeline = Pipeline(
            self.incidents,
            facts,
            _default_rules(),
            self.clock,
            everybody(self.outbox.names),
            self.causes,
        )
        self.watcher = Watcher([self.source], self.pipeline, self.outbox, self.clock, self.clock.sleep)

    def restart(self) -> Parts:
        """The same vault, queue, people and clock; everything else anew."""
        return Parts(self.vault, self.source, self.notifier, self.clock, self.sleep)

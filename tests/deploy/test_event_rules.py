"""The event rules of a deployment let everything through that can alert, by AWS's own matching, and little else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.session import get_session

from cli.deployment.event_rules import PATTERN_LIMIT, event_patterns, size
from rules.actions import API_CALL, API_CALL_IN_CHINA, Weight
from rules.events import parse_event, parse_event_json
from rules.net import NetParts
from rules.net_actions import OBJECT_CALLS
from rules.watched import STATUS_CHANGES, WATCHED_ACTIONS, watched_event_pattern
from tests.cli.running import ROOT
from tests.deploy.deployed import PREFIX, VAULT, passes
from tests.watcher.watching import NOON
from watcher.health.canary import Canary

if TYPE_CHECKING:
    from pathlib import Path

    from rules.actions import Action

NET = NetParts(vault_bucket=VAULT, vault_prefix=PREFIX)
EXAMPLES = ROOT / "tests" / "rules" / "events"
EVENTS = sorted(EXAMPLES.glob("*.json"))
ALERTING_CALLS = [
    action
    for action in WATCHED_ACTIONS
    if action.weight is not Weight.CONTEXT and action.event_name not in STATUS_CHANGES | OBJECT_CALLS
]


def example_of(name: str) -> dict[str, Any]:
    """An example event."""
    found: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))
    return found


def call(action: Action, **changes: Any) -> dict[str, Any]:
    """The smallest envelope of a call."""
    source = "aws." + action.event_source.removesuffix(".amazonaws.com")
    detail = {"eventSource": action.event_source, "eventName": action.event_name}
    return {"source": source, "detail-type": API_CALL, "detail": detail, **changes}


@pytest.mark.parametrize("detail_type", [API_CALL, API_CALL_IN_CHINA])
@pytest.mark.parametrize("action", ALERTING_CALLS, ids=lambda action: f"{action.event_name}-{action.change}")
def test_every_watched_call_passes(action: Action, detail_type: str) -> None:
    """Of the list that the code judges by, each call that can alert reaches the queue."""
    assert passes(call(action, **{"detail-type": detail_type}))


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_an_event_that_alerts_passes(path: Path) -> None:
    """Every example event that the parser calls alerting gets through the rules."""
    event = parse_event_json(path.read_bytes(), NET)
    if event.alerting:
        assert passes(event.envelope)


def status_change(kind: str, status: str, resource_type: str = "") -> dict[str, Any]:
    """An event of CloudFormation's own."""
    example = example_of("resource-status-change-table")
    example["detail-type"] = kind
    example["detail"]["status-details"]["status"] = status
    example["detail"]["resource-type"] = resource_type
    return example


def statuses(shape: str) -> list[str]:
    """All values of an enumeration in CloudFormation's model."""
    found: Any = get_session().get_service_model("cloudformation").shape_for(shape)
    return list(found.enum)


def test_status_changes_pass_as_they_are_judged() -> None:
    """Of all statuses of stacks and resources exactly those pass that can alert, and of resources only tables."""
    kind = "CloudFormation Stack Status Change"
    for status in statuses("StackStatus"):
        event = status_change(kind, status)
        assert passes(event) == parse_event(event, NET).alerting, status
    kind = "CloudFormation Resource Status Change"
    for status in statuses("ResourceStatus"):
        for resource_type in ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable", "AWS::SQS::Queue"):
            event = status_change(kind, status, resource_type)
            assert passes(event) == parse_event(event, NET).alerting, (status, resource_type)


def deleted(key: str, bucket: str = VAULT, reason: str = "DeleteObject") -> dict[str, Any]:
    """An event of S3's own."""
    example = example_of("object-deleted")
    example["detail"] |= {"bucket": {"name": bucket}, "object": {"key": key}, "reason": reason}
    return example


@pytest.mark.parametrize(
    "key", ["net/backups/1/manifest.json", "net/incidents/a.json", "net/runs/a", "net/leases/a"]
)
def test_deleted_objects_of_the_vault_pass_as_they_are_judged(key: str) -> None:
    """A deleted backup passes, a lease or a run that came and went does not: as the parser has it."""
    event = deleted(key)
    assert passes(event) == parse_event(event, NET).alerting


def test_deletions_that_nobody_did_or_elsewhere_stay_out() -> None:
    """What the vault's own lifecycle expires does not pass, nor does another bucket's object."""
    assert passes(deleted("net/backups/a"))
    assert not passes(deleted("net/backups/a", reason="Lifecycle Expiration"))
    assert not passes(deleted("net/backups/a", bucket="another-bucket"))


def test_trouble_of_dynamodb_passes_and_of_others_does_not() -> None:
    """AWS Health's issues of DynamoDB reach the watcher; plans and other services do not."""
    example = example_of("health-dynamodb")
    assert passes(example)
    assert not passes({**example, "detail": {**example["detail"], "service": "EC2"}})
    assert not passes({**example, "detail": {**example["detail"], "eventTypeCategory": "scheduledChange"}})


def test_the_canary_passes() -> None:
    """The synthetic event travels by the same rules as a real one."""
    assert passes(json.loads(Canary("0" * 32, NOON, "watcher-1").body))


def test_only_aws_is_believed() -> None:
    """An event that an application put is let through only where a test's source is named."""
    event = call(ALERTING_CALLS[0], source="shop.orders")
    assert not passes(event)
    assert passes(event, test_source="shop.orders")
    assert not passes(event, test_source="shop")


def test_no_pattern_is_longer_than_eventbridge_takes() -> None:
    """Even with the longest names in them, all patterns are within the quota."""
    assert {
        name: size(pattern) for name, pattern in event_patterns().items() if size(pattern) > PATTERN_LIMIT
    } == {}


def test_a_long_list_is_split_and_loses_nothing() -> None:
    """Where one pattern cannot hold all names, several hold each of them once."""
    limit = 1000
    patterns = {name: one for name, one in event_patterns(limit).items() if name.startswith("Calls")}
    names = [name for one in patterns.values() for name in one["detail"]["eventName"]]
    assert len(patterns) > 2
    assert max(map(size, patterns.values())) <= limit
    assert sorted(names) == watched_event_pattern()["detail"]["eventName"]

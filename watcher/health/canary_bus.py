"""The canary by the event bus (EventBridge PutEvents): it proves the event rule as well.

``aws.*`` is no source that may be put, so the rule must also let ``safetynet.canary`` pass.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from recovery.aws import aws_errors
from rules.errors import UnavailableError
from watcher.health.canary import DETAIL_TYPE, SOURCE

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

    from watcher.health.canary import Canary


class BusCanarySender:
    """See CanarySender. Needs ``events:PutEvents`` on the bus."""

    def __init__(self, client: EventBridgeClient, bus: str = "default") -> None:
        self._client = client
        self._bus = bus

    def send(self, canary: Canary) -> None:
        """See CanarySender.send. PutEvents answers 200 even where it took no event: its answer is read."""
        with aws_errors(f"put a canary on the bus {self._bus}"):
            answer = self._client.put_events(
                Entries=[
                    {
                        "EventBusName": self._bus,
                        "Source": SOURCE,
                        "DetailType": DETAIL_TYPE,
                        "Detail": json.dumps(canary.detail),
                        "Time": canary.sent,
                    }
                ]
            )
        if answer.get("FailedEntryCount", 0):
            entry = answer.get("Entries", [{}])[0]
            told = f"{entry.get('ErrorCode', '')} {entry.get('ErrorMessage', '')}".strip()
            raise UnavailableError(f"the bus {self._bus} did not take the canary: {told[:200]}")

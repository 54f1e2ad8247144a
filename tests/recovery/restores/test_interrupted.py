"""Whole recoveries by DynamoDB's own loads and restores, interrupted wherever another state is left.

`make test-crash` interrupts them at every single call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recovery.definitions.definition import RUN_TAG
from tests.recovery.recovering import definition_of
from tests.recovery.restores.interruptions import EVERYDAY, SCENES, sweep

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.testing.managed_loads import ManagedLoads
    from tests.recovery.recovering import Process

# What begins and marks the table, each way.
BEGINNINGS = {
    "bulk": {"CreateTable", "StartBulkPutItems"},
    "import": {"ImportTable", "TagResource"},
    "system": {"RestoreTableFromBackup", "TagResource"},
    "pitr": {"RestoreTableToPointInTime", "TagResource"},
}


@pytest.mark.parametrize("fault", EVERYDAY)
@pytest.mark.parametrize("way", SCENES)
def test_a_rerun_ends_in_the_same_table(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, table: str, way: str, fault: str
) -> None:
    """Killed, throttled, refused, or with its answer lost, at any call that changes something: no item lost or doubled."""
    scene = SCENES[way](managed, plain, loads, table)
    assert sweep(scene, fault, every=False) >= (4 if fault in {"throttled", "refused"} else 12)


@pytest.mark.parametrize("way", SCENES)
def test_what_an_undisturbed_recovery_does(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, table: str, way: str
) -> None:
    """The calls that the others are interrupted at: begun and marked once, settings put on, the mark taken away."""
    scene = SCENES[way](managed, plain, loads, table)
    calls, writes = scene.run_through()
    assert {call for call in writes if not call.startswith("vault.")} == BEGINNINGS[way] | {
        "UpdateTimeToLive",
        "UntagResource",
    }
    assert all(calls.count(call) == 1 for call in BEGINNINGS[way])
    assert RUN_TAG not in dict(definition_of(plain, scene.table)["tags"])

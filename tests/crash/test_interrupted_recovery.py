"""Recoveries by DynamoDB's own loads and restores, interrupted at every single call: `make test-crash`."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from recovery.testing.managed_front import ManagedFront
from recovery.testing.memory_vault import MemoryVault
from tests.recovery.recovering import Process
from tests.recovery.restores.interruptions import FAULTS, SCENES, sweep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recovery.testing.embedded_aws import EmbeddedEndpoint


@pytest.fixture(scope="module")
def front(endpoint: EmbeddedEndpoint) -> Iterator[ManagedFront]:
    """The stand-in for DynamoDB's own loads."""
    with ManagedFront(endpoint, MemoryVault()) as running:
        yield running


@pytest.fixture(scope="module")
def process(front: ManagedFront) -> Process:
    """The product on it; its clients are made once."""
    return Process(front.aws(max_attempts=1), MemoryVault())


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("way", SCENES)
def test_a_fault_at_any_call_is_mended_by_a_rerun(
    endpoint: EmbeddedEndpoint, front: ManagedFront, process: Process, way: str, fault: str
) -> None:
    """Whichever call it is, to AWS or to the vault, reading or writing: the same table in the end, no item lost or doubled."""
    net = process.renewed()
    front.loads.reset(net.store)
    scene = SCENES[way](net, endpoint.aws().dynamodb(), front.loads, f"t.{uuid.uuid4().hex[:12]}")
    met = sweep(scene, fault, every=True)
    print(f"{way}: {fault} at {met} calls")  # noqa: T201 - a proof
    assert met > 30

"""Fixtures of the managed loads: one stand-in a worker, in front of the embedded AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recovery.testing.managed_front import ManagedFront
from recovery.testing.memory_vault import MemoryVault
from tests.recovery.recovering import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recovery.testing.embedded_aws import EmbeddedEndpoint
    from recovery.testing.managed_loads import ManagedLoads


@pytest.fixture(scope="session")
def _front(endpoint: EmbeddedEndpoint) -> Iterator[ManagedFront]:
    with ManagedFront(endpoint, MemoryVault()) as front:
        yield front


@pytest.fixture(scope="session")
def _process_of_the_front(_front: ManagedFront) -> Process:
    return Process(_front.aws(max_attempts=1), MemoryVault())


@pytest.fixture
def managed(_front: ManagedFront, _process_of_the_front: Process) -> Process:
    """As ``net``, on an AWS that has StartBulkPutItems and ImportTable."""
    process = _process_of_the_front.renewed()
    _front.loads.reset(process.store)
    return process


@pytest.fixture
def loads(_front: ManagedFront, managed: Process) -> ManagedLoads:
    """What the stand-in does and remembers, empty."""
    return _front.loads

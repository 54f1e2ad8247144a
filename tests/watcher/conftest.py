"""The parts of a watcher in memory, for the tests of this room."""

from __future__ import annotations

import pytest

from recovery.testing.memory_vault import MemoryVault
from tests.watcher.watching import Clockwork, Parts
from watcher.testing.memory_source import MemorySource
from watcher.testing.recording_notifier import RecordingNotifier


@pytest.fixture
def clock() -> Clockwork:
    """A clock for the test to move."""
    return Clockwork()


@pytest.fixture
def parts(clock: Clockwork) -> Parts:
    """A watcher in memory."""
    return Parts(MemoryVault(), MemorySource(), RecordingNotifier(), clock)

"""Fixtures of the tests of stacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recovery.testing.stacks import StackStandIn
from tests.recovery.stacks.stage import Stage

if TYPE_CHECKING:
    from recovery.aws import Aws
    from recovery.testing.embedded_aws import EmbeddedEndpoint


@pytest.fixture(scope="session")
def _stand_in_aws(endpoint: EmbeddedEndpoint) -> tuple[Aws, StackStandIn]:
    aws = endpoint.aws(max_attempts=1)
    return aws, StackStandIn(aws)


@pytest.fixture
def stage(_stand_in_aws: tuple[Aws, StackStandIn]) -> Stage:
    """An account without stacks; its clients are made once."""
    aws, cloudformation = _stand_in_aws
    cloudformation.clear()
    return Stage(aws, cloudformation)


@pytest.fixture
def name(table: str) -> str:
    """A name for a stack of this test's own, and the beginning of its tables' names."""
    return table.replace(".", "-")

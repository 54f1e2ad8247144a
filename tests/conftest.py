"""What all tests need: no setting of the shell leaks in, and nothing talks to a real AWS."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from recovery.testing.embedded_aws import EmbeddedAws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recovery.testing.embedded_aws import EmbeddedEndpoint


@pytest.fixture(autouse=True)
def _no_settings_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "SAFETYNET_", "BOTO_"))]:
        if name != "AWS_CA_BUNDLE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture(scope="session")
def endpoint() -> Iterator[EmbeddedEndpoint]:
    """One embedded AWS for all tests of a worker; names in it must be a test's own."""
    with EmbeddedAws() as running:
        yield running

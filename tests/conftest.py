"""What all tests need: no setting of the shell leaks in, nothing talks to a real AWS, AWS's models are read once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import moto.backends
import pytest
from botocore.loaders import Loader

from recovery.testing.embedded_aws import EmbeddedAws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recovery.testing.embedded_aws import EmbeddedEndpoint


# What botocore has read of its own files, by where it looked: a session reads megabytes of JSON for each service.
_READ: dict[tuple[str, ...], dict[object, object]] = {}


def _cache_of_all_sessions(loader: Loader) -> dict[object, object]:
    return _READ.setdefault(tuple(loader.search_paths), {})


def pytest_configure() -> None:
    """Each test has sessions of its own, as each command has; only what they read from botocore's files is shared.

    And moto, which looks into its own folder for the names of its services at every call, does so once.
    """
    setattr(Loader, "_cache", property(_cache_of_all_sessions, lambda loader, _: None))  # noqa: B010
    services = frozenset(moto.backends.list_of_moto_modules())
    setattr(moto.backends, "list_of_moto_modules", lambda: services)  # noqa: B010


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

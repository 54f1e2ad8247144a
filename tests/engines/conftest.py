"""Each engine is started once, and a desk at it is made for each test."""

from __future__ import annotations

import uuid
from functools import cache
from typing import TYPE_CHECKING

import pytest
from botocore.loaders import create_loader

from recovery.testing.embedded_aws import EXAMPLE_KEYS, REGION
from tests.cli.running import QuickShell
from tests.engines.capabilities import ENGINES, Capabilities
from tests.engines.desk import Desk
from tests.engines.edge_items import edge_items, some
from tests.engines.engine import Engine, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session", autouse=True)
def _service_models_are_read_once() -> Iterator[None]:
    """Commands that run in this process share what botocore reads from its files: half of their time otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", cache(create_loader))
        yield


@pytest.fixture(scope="session", params=list(ENGINES))
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Every engine in turn; all tests of one run before the next is started."""
    name = str(request.param)
    with started(name, tmp_path_factory.mktemp(name)) as running:
        yield running


@pytest.fixture
def capabilities(engine: Engine) -> Capabilities:
    """What this engine lacks."""
    return ENGINES[engine.name]


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    """A vault, and a shell whose AWS is the engine. Commands run in this process, for they are many."""
    name = f"desk-{uuid.uuid4().hex[:12]}"
    engine.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return Desk(engine, QuickShell(exports_for(engine, name), tmp_path), name)


@pytest.fixture
def table(desk: Desk) -> str:
    """A table of sixty small items, under the desk's name."""
    desk.engine.make_table(desk.name, some(60))
    return desk.name


@pytest.fixture
def edges(desk: Desk, capabilities: Capabilities) -> str:
    """A table of all edges of an item that the engine takes, under the desk's name."""
    put = [item for name, item in edge_items().items() if name not in capabilities.refuses]
    desk.engine.make_table(desk.name, put)
    return desk.name


def exports_for(engine: Engine, bucket: str) -> dict[str, str]:
    """What somebody exports to work with an engine."""
    return {
        "AWS_ENDPOINT_URL": engine.others.url,
        "AWS_ENDPOINT_URL_DYNAMODB": engine.tables.url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": EXAMPLE_KEYS.access_key,
        "AWS_SECRET_ACCESS_KEY": EXAMPLE_KEYS.secret_key,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAFETYNET_VAULT": f"s3://{bucket}/net",
    }

"""An engine that is up: where its tables and its vault are, and tables made there with plain boto3."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions, version
from typing import TYPE_CHECKING, Any

import pytest

from recovery.testing.embedded_aws import ACCOUNT, LOOPBACK, REGION, EmbeddedAws
from tests.cli.running import ROOT
from tests.engines.processes import free_port, served

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from recovery.aws import Aws
    from recovery.testing.embedded_aws import EmbeddedEndpoint
    from tests.engines.edge_items import Item

INSTALLED = ROOT / ".venv"
MINISTACK = INSTALLED / "ministack"
DYNALITE = INSTALLED / "dynalite" / "node_modules"
POLLS, POLL_SECONDS = 400, 0.02


@dataclass(frozen=True, slots=True)
class Engine:
    """``tables`` speaks DynamoDB; ``others`` is where S3 and STS are. ``s3`` is plain boto3, as is ``client``."""

    name: str
    version: str
    tables: EmbeddedEndpoint
    others: EmbeddedEndpoint
    aws: Aws
    s3: Any

    @property
    def client(self) -> Any:
        """Plain boto3."""
        return self.aws.dynamodb()

    def make_table(self, table: str, items: Iterable[Item] = (), **request: Any) -> dict[str, Any]:
        """A table, on demand unless asked for otherwise, its key ``pk`` a string unless ``key`` said so.

        Returns what DescribeTable says of it, and as ``FirstStatus`` what CreateTable said.
        """
        whole = {"BillingMode": "PAY_PER_REQUEST", **key("S"), **request}
        created = self.client.create_table(TableName=table, **whole)["TableDescription"]
        description = self.wait_until_active(table)
        for item in items:
            self.client.put_item(TableName=table, Item=item)
        return {**description, "FirstStatus": created["TableStatus"]}

    def wait_until_active(self, table: str) -> dict[str, Any]:
        """What DescribeTable says once the table is there."""
        for _ in range(POLLS):
            description: dict[str, Any] = self.client.describe_table(TableName=table)["Table"]
            if description["TableStatus"] == "ACTIVE":
                return description
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"{table} never became ACTIVE")

    def lose(self, table: str, *, wait: bool = False) -> None:
        """Delete the table, as somebody did by mistake. Unless waited for it may still be DELETING."""
        self.client.delete_table(TableName=table)
        for _ in range(POLLS if wait else 0):
            if table not in self.names():
                return
            time.sleep(POLL_SECONDS)

    def names(self) -> list[str]:
        """All tables."""
        pages = self.client.get_paginator("list_tables").paginate()
        return [name for page in pages for name in page["TableNames"]]


def key(*kinds: str, names: tuple[str, str] = ("pk", "sk")) -> dict[str, Any]:
    """A key's part of CreateTable: one or two kinds of S, N and B."""
    named = list(zip(names, kinds, strict=False))
    return {
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in named],
        "KeySchema": [
            {"AttributeName": name, "KeyType": role}
            for (name, _), role in zip(named, ("HASH", "RANGE"), strict=False)
        ],
    }


@contextmanager
def started(name: str, folder: Path) -> Iterator[Engine]:
    """An engine while the block runs. One that is not installed is a reason to skip, which says how to get it."""
    with {"moto": _moto, "ministack": _ministack, "dynalite": _dynalite}[name](folder) as engine:
        yield engine


@contextmanager
def _moto(folder: Path) -> Iterator[Engine]:
    with EmbeddedAws() as endpoint:
        yield Engine("moto", version("moto"), endpoint, endpoint, endpoint.aws(), endpoint.aws().s3())


@contextmanager
def _ministack(folder: Path) -> Iterator[Engine]:
    found = [*distributions(name="ministack", path=[*map(str, MINISTACK.glob("lib/python*/site-packages"))])]
    if not found:
        pytest.skip("ministack is not installed: `make engines` gets it from PyPI")
    port = free_port()
    exports = {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": LOOPBACK,  # it listens on all addresses otherwise
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "CLOUDTRAIL_RECORDING": "1",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
    }
    with served([MINISTACK / "bin" / "ministack"], exports, port, folder) as endpoint:
        yield Engine("ministack", found[0].version, endpoint, endpoint, endpoint.aws(), endpoint.aws().s3())


@contextmanager
def _dynalite(folder: Path) -> Iterator[Engine]:
    """Has DynamoDB only, so S3 and STS are moto's, and its ARNs are made to name moto's account."""
    command = DYNALITE / ".bin" / "dynalite"
    if not command.exists():
        pytest.skip("dynalite is not installed: `make engines` gets it from npm")
    port = free_port()
    options = ["--host", LOOPBACK, "--port", str(port)]
    for state in ("create", "delete", "update"):
        options += [f"--{state}TableMs", "50"]
    exports = {"AWS_ACCOUNT_ID": ACCOUNT, "AWS_REGION": REGION}
    package = json.loads((DYNALITE / "dynalite" / "package.json").read_text(encoding="utf-8"))
    with EmbeddedAws() as others, served([command, *options], exports, port, folder) as endpoint:
        yield Engine("dynalite", package["version"], endpoint, others, endpoint.aws(), others.aws().s3())

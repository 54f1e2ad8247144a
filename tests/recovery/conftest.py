"""Fixtures of the recovery tests: one embedded AWS a worker, names of their own for every test."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from recovery.testing.memory_vault import MemoryVault
from tests.recovery.recovering import Process

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from recovery.testing.embedded_aws import EmbeddedEndpoint


@pytest.fixture
def table() -> str:
    """The name of a table of this test's own."""
    return f"t.{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def plain(endpoint: EmbeddedEndpoint) -> DynamoDBClient:
    """A boto3 client without anything of the product's or the faults' in it."""
    return endpoint.aws().dynamodb()


@pytest.fixture(scope="session")
def s3(endpoint: EmbeddedEndpoint) -> S3Client:
    """An S3 client; making one costs more than most tests do."""
    return endpoint.aws(max_attempts=1).s3()


@pytest.fixture
def bucket(s3: S3Client) -> str:
    """An empty bucket of this test's own."""
    name = f"vault-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return name


@pytest.fixture(scope="session")
def _shared_process(endpoint: EmbeddedEndpoint) -> Process:
    return Process(endpoint.aws(max_attempts=1), MemoryVault())


@pytest.fixture
def net(_shared_process: Process) -> Process:
    """A process with no faults scripted yet, and an empty vault in memory; its AWS clients are made once."""
    return _shared_process.renewed()

"""Secrets come from Secrets Manager or the Parameter Store, and show in no error."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from rules.errors import NotFoundError, UsageError
from watcher.stored_secret import read_secret

if TYPE_CHECKING:
    from recovery.aws import Aws
    from recovery.testing.embedded_aws import EmbeddedEndpoint

SECRET = "xoxb-very-secret"


@pytest.fixture
def aws(endpoint: EmbeddedEndpoint) -> Aws:
    """Clients for the embedded AWS."""
    return endpoint.aws()


def client(aws: Aws, service: str) -> Any:
    """Plain boto3."""
    session: Any = aws.session
    return session.client(service, endpoint_url=aws.endpoint_url)


def test_a_secret_of_secrets_manager(aws: Aws) -> None:
    """The text of a secret is read by its ARN."""
    made = client(aws, "secretsmanager").create_secret(Name=uuid.uuid4().hex, SecretString=SECRET)
    assert read_secret(aws, made["ARN"]) == SECRET


def test_a_secure_string_of_the_parameter_store(aws: Aws) -> None:
    """A SecureString is read by its ARN, decrypted."""
    ssm, name = client(aws, "ssm"), f"/{uuid.uuid4().hex}/slack"
    ssm.put_parameter(Name=name, Value=SECRET, Type="SecureString")
    assert read_secret(aws, ssm.get_parameter(Name=name)["Parameter"]["ARN"]) == SECRET


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:nothing-a1b2c3",
        "arn:aws:ssm:eu-west-1:123456789012:parameter/nothing",
    ],
)
def test_a_missing_secret_is_named(aws: Aws, arn: str) -> None:
    """What is not there is told by its ARN."""
    with pytest.raises(NotFoundError, match=arn):
        read_secret(aws, arn)


def test_a_secret_of_bytes_is_no_text(aws: Aws) -> None:
    """A binary secret is refused, and not shown."""
    made = client(aws, "secretsmanager").create_secret(Name=uuid.uuid4().hex, SecretBinary=SECRET.encode())
    with pytest.raises(UsageError, match="is no text") as refused:
        read_secret(aws, made["ARN"])
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("arn", ["", "slack", "arn:aws:s3:::bucket/key", "arn:aws:ssm"])
def test_other_arns_are_refused(aws: Aws, arn: str) -> None:
    """Only the two services that keep secrets are asked."""
    with pytest.raises(UsageError, match="neither the ARN"):
        read_secret(aws, arn)

"""A secret that is kept where secrets belong: in Secrets Manager, or in SSM's Parameter Store as a SecureString.

Sources: Secrets Manager GetSecretValue, SSM GetParameter; both take an ARN for a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from recovery.aws import aws_errors
from recovery.errors import AwsError, TableNotFoundError
from rules.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from recovery.aws import Aws

_SERVICE_AT, _LONG_ENOUGH = 2, 6
_MISSING: Final = frozenset({"ParameterNotFound", "ParameterVersionNotFound"})


def read_secret(aws: Aws, arn: str) -> str:
    """The text of the secret with that ARN.

    Raises NotFoundError, AccessDeniedError, UnavailableError, and UsageError for an ARN of something else or a
    secret that is no text. No error ever holds a part of the secret.
    """
    parts = arn.split(":")
    service = parts[_SERVICE_AT] if len(parts) >= _LONG_ENOUGH else ""
    reading = {"secretsmanager": _from_secrets_manager, "ssm": _from_parameter_store}.get(service)
    if reading is None:
        raise UsageError(f"neither the ARN of a secret nor of an SSM parameter: {arn}")
    try:
        with aws_errors(f"read the secret {arn}"):
            session: Any = aws.session
            text = reading(session.client(service, endpoint_url=aws.endpoint_url), arn)
    except TableNotFoundError as error:  # AWS's code is the same for whatever is not there
        raise NotFoundError(f"no secret {arn}") from error
    except AwsError as error:
        if error.code in _MISSING:
            raise NotFoundError(f"no secret {arn}") from error
        raise
    if not isinstance(text, str):
        raise UsageError(f"the secret {arn} is no text")
    return text


def _from_secrets_manager(client: Any, arn: str) -> object:
    return client.get_secret_value(SecretId=arn).get("SecretString")


def _from_parameter_store(client: Any, arn: str) -> object:
    return client.get_parameter(Name=arn, WithDecryption=True)["Parameter"].get("Value")

"""The one place where AWS clients are made and botocore's errors become ours."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import botocore.session
import msgspec
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)
from botocore.loaders import JSONFileLoader
from botocore.parsers import ResponseParserError
from isal import isal_zlib

from recovery.errors import AwsError, CredentialsError, TableNotFoundError, VaultNotFoundError
from rules.errors import AccessDeniedError, SafetyNetError, UnavailableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import boto3
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient

ACCESS_DENIED_CODES = frozenset(
    {"AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation", "UnauthorizedOperation", "403"}
)
CREDENTIAL_CODES = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
THROTTLE_CODES = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
ReadService = Literal[
    "application-autoscaling", "backup", "cloudformation", "cloudwatch", "dynamodb", "kms", "lambda"
]
WriteService = Literal[
    "application-autoscaling", "backup", "cloudformation", "cloudwatch", "events", "lambda", "sns"
]
GZIP_WINDOW = 31  # zlib's window bits for a gzip header and trailer
# What may go unanswered is asked once by botocore, and not waited for: ``readings`` knows when to ask again.
_READS = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=3, read_timeout=15)
_CREDENTIAL_ERRORS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)


def error_code(error: ClientError) -> str:
    """AWS's error code in an answer, for example ``ResourceNotFoundException``."""
    return str(error.response.get("Error", {}).get("Code", ""))


def translated(error: Exception, doing: str) -> SafetyNetError:
    """One botocore error in the words of our tree. ``doing`` says what was tried: "describe table orders"."""
    if isinstance(error, ClientError):
        return _translated_answer(error, doing)
    if isinstance(error, _CREDENTIAL_ERRORS):
        return CredentialsError(f"cannot {doing}: {error}")
    if isinstance(error, NoRegionError):
        return UsageError(f"cannot {doing}: no AWS region is set", hint="Pass --region or set AWS_REGION.")
    # What is not AWS's format comes from something in between: a proxy, a captive portal.
    if isinstance(error, (BotoConnectionError, HTTPClientError, IncompleteReadError, ResponseParserError)):
        return UnavailableError(f"cannot {doing}: {error}", hint="Is the region reachable from here?")
    if isinstance(error, ParamValidationError):
        return UsageError(f"cannot {doing}: {error}")
    return AwsError(f"cannot {doing}: {error}")


def _translated_answer(error: ClientError, doing: str) -> SafetyNetError:
    code = error_code(error)
    message = " ".join(str(error.response.get("Error", {}).get("Message", "")).split()) or code
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    # What stands in for AWS, or in front of it, answers with a web page where it knows no better.
    page = message.lower().find("<!doctype")
    if page >= 0:
        message = f"{message[:page]}a web page for an answer (HTTP {status})"
    text = f"cannot {doing}: {message[:500]}"
    if code in ACCESS_DENIED_CODES:
        return AccessDeniedError(text, hint=f"The caller lacks the permission for {error.operation_name}.")
    if code in CREDENTIAL_CODES:
        return CredentialsError(text)
    if code == "NoSuchBucket":
        return VaultNotFoundError(text)
    if code in {"ResourceNotFoundException", "TableNotFoundException"}:
        return TableNotFoundError(text)
    if code in THROTTLE_CODES or status in {500, 502, 503, 504}:
        return UnavailableError(text, hint="AWS is throttling or failing; run the command again.")
    return AwsError(text, code=code)


@contextmanager
def aws_errors(doing: str) -> Iterator[None]:
    """Whatever botocore raises inside comes out as an error of our tree."""
    try:
        yield
    except (ClientError, BotoCoreError, ResponseParserError) as error:
        raise translated(error, doing) from error


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """How to reach AWS. Empty values mean what botocore finds by itself (environment, profile, endpoint).

    ``max_attempts`` is how often botocore itself tries a call, the first time included, before anybody here
    hears of a fault.
    """

    profile: str = ""
    region: str = ""
    endpoint_url: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    max_attempts: int = 5


def _botocore_session(settings: AwsSettings) -> botocore.session.Session:
    session = botocore.session.get_session()
    if settings.profile:
        session.set_config_variable("profile", settings.profile)
    if settings.region:
        session.set_config_variable("region", settings.region)
    if settings.access_key or settings.secret_key or settings.session_token:
        session.set_credentials(
            settings.access_key, settings.secret_key, token=settings.session_token or None
        )
    session.get_component("data_loader").file_loader = _ModelFiles()
    # A profile that is not there is told of here, not by whichever call comes first.
    session.get_scoped_config()
    return session


class _ModelFiles(JSONFileLoader):
    """botocore's models, megabytes of JSON for each command: msgspec reads them in a third of the time."""

    def load_file(self, file_path: str) -> Any:
        """What is in a file, its ending left out; None where there is none."""
        for ending, opened in ((".json", Path.read_bytes), (".json.gz", _unzipped)):
            path = Path(file_path + ending)
            if path.is_file():
                return msgspec.json.decode(opened(path))
        return None


def _unzipped(path: Path) -> bytes:
    return isal_zlib.decompress(path.read_bytes(), GZIP_WINDOW)


def _path_style(builtins: dict[str, Any], **_: object) -> None:
    builtins["AWS::S3::ForcePathStyle"] = True


def _hashed_once(request: Any, **_: object) -> None:
    """Over https botocore signs the checksum's header and not the body as well; at an emulator's http, too.

    The signature covers the body all the same: S3 compares the body with the SHA-256 that was signed.
    """
    if "x-amz-checksum-sha256" in request.headers:
        config = request.context["client_config"]
        once: Any = {**(config.s3 or {}), "payload_signing_enabled": False}
        request.context["client_config"] = config.merge(Config(s3=once))


class Aws:
    """AWS clients for one account and region, made once when first asked for."""

    def __init__(self, settings: AwsSettings) -> None:
        with aws_errors("use the AWS settings"):
            self._botocore = _botocore_session(settings)
        self._config = Config(
            retries={"mode": "standard", "total_max_attempts": settings.max_attempts},
            connect_timeout=5,
            read_timeout=60,
            max_pool_connections=32,
            user_agent_extra="safetynet",
        )
        self._settings = settings
        self.endpoint_url = settings.endpoint_url or None
        self._account = ""
        self._tables: DynamoDBClient | None = None
        self._readers: dict[str, Any] = {}
        self._writers: dict[str, Any] = {}
        self._making = threading.Lock()

    @property
    def agent_extra(self) -> str:
        """What the session adds to every User-Agent: boto3 adds the version of botocore, once it is there."""
        return str(self._botocore.user_agent_extra)

    @cached_property
    def session(self) -> boto3.Session:
        """boto3's session on the same events and credentials, for who wants it: boto3 is slow to import."""
        import boto3  # noqa: PLC0415 - no command that runs every night needs it

        return boto3.Session(botocore_session=self._botocore)

    def _client(self, service: str, config: Config | None = None) -> Any:
        return self._botocore.create_client(
            service, endpoint_url=self.endpoint_url, config=config or self._config
        )

    def elsewhere(self, profile: str, region: str) -> Aws:
        """The same for another profile or region, where one is named."""
        settings = self._settings
        if profile:
            settings = replace(settings, profile=profile, access_key="", secret_key="", session_token="")
        return Aws(replace(settings, region=region or self.region))

    @property
    def region(self) -> str:
        """The region of all clients. Raises UsageError where none is set."""
        region: str | None = self._botocore.get_config_variable("region")
        if not region:
            raise UsageError("no AWS region is set", hint="Pass --region or set AWS_REGION.")
        return region

    @property
    def account(self) -> str:
        """The 12-digit account id of the caller (STS GetCallerIdentity), asked for once."""
        if not self._account:
            with aws_errors("find out the AWS account"):
                sts: STSClient = self._client("sts")
                self._account = sts.get_caller_identity()["Account"]
        return self._account

    @property
    def caller(self) -> str:
        """The ARN of the caller, for 'who did it'."""
        with aws_errors("find out who is calling"):
            sts: STSClient = self._client("sts")
            return sts.get_caller_identity()["Arn"]

    def dynamodb(self, config: Config | None = None) -> DynamoDBClient:
        """The DynamoDB client; with ``config``, one of its own on which that is laid over the usual one."""
        with aws_errors("set up DynamoDB"), self._making:
            if config is not None:
                return self._new_dynamodb(self._config.merge(config))
            if self._tables is None:
                self._tables = self._new_dynamodb(self._config)
            return self._tables

    def _new_dynamodb(self, config: Config) -> DynamoDBClient:
        client: DynamoDBClient = self._client("dynamodb", config)
        return client

    def s3(self) -> S3Client:
        """An S3 client; path-style addressing where the endpoint is not AWS's own, as emulators need it."""
        with aws_errors("set up S3"):
            client: S3Client = self._client("s3")
            client.meta.events.register("before-sign.s3", _hashed_once)
            # The endpoint may be from the environment or a profile: only a client knows what was found.
            if ".amazonaws." not in client.meta.endpoint_url:
                client.meta.events.register("before-endpoint-resolution.s3", _path_style)
            return client

    def sqs(self) -> SQSClient:
        """An SQS client."""
        with aws_errors("set up SQS"):
            client: SQSClient = self._client("sqs")
            return client

    def cloudtrail(self) -> Any:
        """A CloudTrail client; who uses it says what of it (a Protocol)."""
        with aws_errors("set up CloudTrail"):
            return self._client("cloudtrail")

    def athena(self) -> Any:
        """An Athena client; who uses it says what of it (a Protocol)."""
        with aws_errors("set up Athena"):
            return self._client("athena")

    def cloudformation(self) -> CloudFormationClient:
        """A CloudFormation client."""
        with aws_errors("set up CloudFormation"), self._making:
            client: CloudFormationClient = self._client("cloudformation")
            return client

    def service(self, service: WriteService) -> Any:
        """The client for calls that must succeed; threads may ask for it, who uses it says what of it."""
        with aws_errors(f"set up {service}"), self._making:
            if service not in self._writers:
                self._writers[service] = self._client(service)
            return self._writers[service]

    def reader(self, service: ReadService) -> Any:
        """The client for reads that may go unanswered; threads may ask for it, who uses it says what of it.

        A session is not made for making clients side by side, the clients themselves are for sharing.
        """
        with aws_errors(f"set up {service}"), self._making:
            if service not in self._readers:
                self._readers[service] = self._client(service, self._config.merge(_READS))
            return self._readers[service]

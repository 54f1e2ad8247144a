"""botocore's errors become ours: all of them, with the right exit codes."""

from __future__ import annotations

import base64
import hashlib
import inspect
import socket
import socketserver
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import botocore.exceptions
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from recovery.aws import Aws, AwsSettings, aws_errors, error_code, translated
from recovery.errors import AwsError, CredentialsError, TableNotFoundError, VaultNotFoundError
from recovery.testing.embedded_aws import ACCOUNT, EmbeddedEndpoint
from recovery.testing.faults import Faults
from recovery.vault.s3 import S3Vault
from recovery.wire import RawTables
from rules.errors import AccessDeniedError, SafetyNetError, UnavailableError, UnsafeError, UsageError
from tests.recovery.recovering import make_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.recovery.recovering import Process

# Not errors of a call: warnings, and faults in botocore's own service models.
NOT_RAISED_BY_CALLS = {
    "ImminentRemovalWarning",
    "MissingServiceIdError",
    "UndefinedModelAttributeError",
    "UnsupportedTLSVersionWarning",
}


def botocore_exceptions() -> list[type[Exception]]:
    """Every exception class of botocore.exceptions."""
    found = [
        value
        for name, value in vars(botocore.exceptions).items()
        if inspect.isclass(value) and issubclass(value, Exception) and name not in NOT_RAISED_BY_CALLS
    ]
    return sorted(found, key=lambda kind: kind.__name__)


class _Anything(dict[str, str]):
    """Fills in whatever a message template asks for."""

    def __missing__(self, name: str) -> str:
        return f"<{name}>"


def made(kind: type[Exception]) -> Exception:
    """An error of that class, whatever its constructor wants."""
    if issubclass(kind, ClientError):
        return kind({"Error": {"Code": "Whatever", "Message": "no"}}, "DescribeTable")
    error = kind.__new__(kind)
    text = str(getattr(kind, "fmt", "{msg}")).format_map(_Anything())
    Exception.__init__(error, text)
    return error


@pytest.mark.parametrize("kind", botocore_exceptions(), ids=lambda kind: kind.__name__)
def test_every_error_of_botocore_becomes_one_of_ours(kind: type[Exception]) -> None:
    """No class that botocore has, or will have, reaches a person as a traceback."""
    with pytest.raises(SafetyNetError, match="cannot do it") as caught, aws_errors("do it"):
        raise made(kind)
    assert caught.value.exit_code in {1, 2, 12, 15}


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("NoCredentialsError", CredentialsError),
        ("PartialCredentialsError", CredentialsError),
        ("ProfileNotFound", CredentialsError),
        ("UnauthorizedSSOTokenError", CredentialsError),
        ("SSOTokenLoadError", CredentialsError),
        ("TokenRetrievalError", CredentialsError),
        ("NoRegionError", UsageError),
        ("ParamValidationError", UsageError),
        ("EndpointConnectionError", UnavailableError),
        ("ConnectTimeoutError", UnavailableError),
        ("ReadTimeoutError", UnavailableError),
        ("ConnectionClosedError", UnavailableError),
        ("ProxyConnectionError", UnavailableError),
        ("SSLError", UnavailableError),
        ("IncompleteReadError", UnavailableError),
        ("ResponseStreamingError", UnavailableError),
    ],
)
def test_errors_without_an_answer(name: str, ours: type[SafetyNetError]) -> None:
    """Log in, set a region, or wait: each kind of failure leads to its own advice."""
    error = translated(made(getattr(botocore.exceptions, name)), "list tables")
    assert type(error) is ours
    assert error.hint or ours is UsageError


def answer(code: str, status: int = 400, message: str = "no") -> ClientError:
    """An error answer of AWS."""
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]  # only the status counts
        "Scan",
    )


@pytest.mark.parametrize(
    ("code", "status", "ours", "exit_code"),
    [
        ("AccessDenied", 403, AccessDeniedError, 12),
        ("AccessDeniedException", 400, AccessDeniedError, 12),
        ("Client.UnauthorizedOperation", 403, AccessDeniedError, 12),
        ("UnauthorizedOperation", 403, AccessDeniedError, 12),
        ("403", 403, AccessDeniedError, 12),
        ("ExpiredToken", 400, CredentialsError, 12),
        ("ExpiredTokenException", 400, CredentialsError, 12),
        ("UnrecognizedClientException", 400, CredentialsError, 12),
        ("InvalidClientTokenId", 403, CredentialsError, 12),
        ("SignatureDoesNotMatch", 403, CredentialsError, 12),
        ("NoSuchBucket", 404, VaultNotFoundError, 10),
        ("ResourceNotFoundException", 400, TableNotFoundError, 10),
        ("TableNotFoundException", 400, TableNotFoundError, 10),
        ("ProvisionedThroughputExceededException", 400, UnavailableError, 15),
        ("ThrottlingException", 400, UnavailableError, 15),
        ("RequestLimitExceeded", 400, UnavailableError, 15),
        ("LimitExceededException", 400, UnavailableError, 15),
        ("SlowDown", 503, UnavailableError, 15),
        ("SomethingNew", 500, UnavailableError, 15),
        ("503", 503, UnavailableError, 15),
        ("ValidationException", 400, AwsError, 1),
        ("", 418, AwsError, 1),
    ],
)
def test_answers_of_aws(code: str, status: int, ours: type[SafetyNetError], exit_code: int) -> None:
    """Each error code of AWS has the class and exit code that the command line promises."""
    error = translated(answer(code, status), "scan")
    assert (type(error), error.exit_code) == (ours, exit_code)


def test_an_unknown_answer_keeps_its_code() -> None:
    """Whoever handles AwsError can look at AWS's own code."""
    error = translated(answer("PolicyNotFoundException"), "read")
    assert isinstance(error, AwsError)
    assert error.code == "PolicyNotFoundException"
    assert error_code(ClientError({}, "Scan")) == ""


def test_a_long_message_is_cut() -> None:
    """A page of text from AWS does not fill the terminal."""
    assert len(str(translated(answer("ValidationException", message="x" * 10_000), "scan"))) < 600


def test_other_errors_pass_through() -> None:
    """A bug of ours is not dressed up as an error of AWS."""
    with pytest.raises(ZeroDivisionError), aws_errors("divide"):
        raise ZeroDivisionError


def test_without_credentials() -> None:
    """No credentials at all: CredentialsError, exit 12, and how to log in."""
    aws = Aws(AwsSettings(region="eu-west-1", endpoint_url="http://127.0.0.1:9"))
    with pytest.raises(CredentialsError) as caught:
        _ = aws.account
    assert caught.value.exit_code == 12
    assert "aws sso login" in caught.value.hint


def test_with_a_profile_that_is_not_there() -> None:
    """A profile that is misspelled is an error of the settings, not a traceback."""
    with pytest.raises(CredentialsError, match="nobody"):
        Aws(AwsSettings(profile="nobody"))


def test_without_a_region() -> None:
    """No region: UsageError, for the region itself and for clients."""
    aws = Aws(AwsSettings(access_key="a", secret_key="b"))
    with pytest.raises(UsageError, match="no AWS region"):
        _ = aws.region
    with pytest.raises(UsageError, match="no AWS region"):
        aws.dynamodb()


def test_an_endpoint_that_nobody_listens_on() -> None:
    """Connection refused: UnavailableError, exit 15."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    aws = EmbeddedEndpoint(url).aws(max_attempts=1)
    with pytest.raises(UnavailableError) as caught:
        _ = aws.account
    assert caught.value.exit_code == 15


def test_the_account_is_asked_for_once(net: Process) -> None:
    """One GetCallerIdentity tells the account for good; the caller's ARN is asked for each time."""
    assert {net.aws.account for _ in range(3)} == {ACCOUNT}
    assert net.faults.calls.count("GetCallerIdentity") <= 1
    assert net.aws.caller.startswith("arn:aws:")


def test_secrets_are_not_shown() -> None:
    """The repr of the settings, which may end in a log, holds no secret."""
    shown = repr(AwsSettings(access_key="a", secret_key="hidden-key", session_token="hidden-token"))
    assert "hidden" not in shown


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_emulators_get_path_style_addresses(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Also where the endpoint comes from the environment: ``bucket.localhost`` would not be found."""
    monkeypatch.setenv(variable, "http://localhost:9")
    assert presigned().startswith("http://localhost:9/bucket/k")


def test_aws_gets_the_addresses_it_wants() -> None:
    """S3 itself is addressed by the bucket's host name."""
    assert presigned().startswith("https://bucket.s3.")


def presigned() -> str:
    """The address of an object as the S3 client writes it."""
    aws = Aws(AwsSettings(region="eu-west-1", access_key="a", secret_key="b"))
    return aws.s3().generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "k"})


def test_the_embedded_aws_is_on_loopback_only() -> None:
    """Test credentials and test code can never be pointed at a real endpoint."""
    with pytest.raises(UnsafeError):
        EmbeddedEndpoint("https://dynamodb.eu-west-1.amazonaws.com").aws()


def test_the_embedded_aws_refuses_to_call_other_hosts(endpoint: EmbeddedEndpoint) -> None:
    """A client that goes astray from the embedded AWS is stopped before it sends."""
    aws = endpoint.aws(max_attempts=1)
    astray: Any = aws.session.client("dynamodb", endpoint_url="http://127.0.0.2:9")
    with pytest.raises(UnsafeError, match=r"127\.0\.0\.2"):
        astray.list_tables()


def test_an_answer_that_is_not_of_aws(endpoint: EmbeddedEndpoint) -> None:
    """A proxy's web page with status 200 is UnavailableError and not a traceback: S3's XML and STS's."""
    aws = endpoint.aws(max_attempts=1)
    Faults(aws).fail("GetCallerIdentity", status=200, code="<html>not & XML")
    with pytest.raises(UnavailableError):
        _ = aws.account


def test_parser_errors_of_botocore_are_translated() -> None:
    """ResponseParserError is outside of botocore's own error tree, and inside ours all the same."""
    assert not issubclass(ResponseParserError, BotoCoreError)
    with pytest.raises(UnavailableError), aws_errors("read"):
        raise ResponseParserError("<html>")


@pytest.mark.parametrize("call", ["Scan", "BatchWriteItem"])
def test_a_raw_answer_that_is_not_dynamodbs(net: Process, plain: Any, table: str, call: str) -> None:
    """The raw path does not trust an answer either, and does not quote it: it may hold items."""

    def garble(answer: dict[str, Any]) -> None:
        answer.clear()
        answer.update({"Items": "secret", "UnprocessedItems": "secret"})

    net.faults.change_answer(call, garble)
    make_table(plain, table)
    calls: dict[str, Callable[[], object]] = {
        "Scan": lambda: net.tables.scan_page(table, segment=0, segments=1, start_key=b"", consistent=True),
        "BatchWriteItem": lambda: net.tables.put_batch(table, [b'{"pk":{"S":"a"}}']),
    }
    with pytest.raises(UnavailableError, match="not DynamoDB's") as caught:
        calls[call]()
    assert "secret" not in str(caught.value)


def test_a_damaged_raw_answer_is_read_again(endpoint: EmbeddedEndpoint, plain: Any, table: str) -> None:
    """An answer whose CRC32 is wrong is botocore's to retry, before anybody here decodes it."""
    make_table(plain, table, [{"pk": {"S": "a"}}])
    aws = endpoint.aws(max_attempts=2)
    faults = Faults(aws)
    faults.damage_answer("Scan")
    page = RawTables(aws).scan_page(table, segment=0, segments=1, start_key=b"", consistent=True)
    assert [bytes(item) for item in page.items] == [b'{"pk": {"S": "a"}}']
    assert faults.calls == ["Scan", "Scan"]


def test_a_part_is_hashed_for_s3_once(net: Process) -> None:
    """What is signed at http is the checksum's header, which S3 compares with the body, and not the body again."""
    sent: list[dict[str, bytes]] = []
    client = net.aws.s3()
    client.meta.events.register(
        "before-send.s3.PutObject", lambda request, **_: sent.append(dict(request.headers))
    )
    client.create_bucket(Bucket="hashed-once", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    S3Vault(client, "hashed-once").put("data/one", b"packed")
    assert sent[0]["x-amz-checksum-sha256"] == base64.b64encode(hashlib.sha256(b"packed").digest())
    assert sent[0]["X-Amz-Content-SHA256"] == b"UNSIGNED-PAYLOAD"
    assert b"x-amz-checksum-sha256" in sent[0]["Authorization"]


@pytest.mark.parametrize(
    ("answer", "times"),
    [
        (b"Content-Length: 9999\r\n\r\n{", 3),
        (b"Transfer-Encoding: chunked\r\n\r\n99\r\n{", 3),
        (b"Content-Length: 2\r\nx-amz-crc32: 1\r\n\r\n{}", 3),
        (b"Content-Length: 2\r\nx-amz-crc32: 2745614147\r\n\r\n{}", 1),
    ],
    ids=["cut short", "cut chunk", "damaged to the last", "whole"],
)
def test_an_answer_that_is_cut_short_is_asked_for_again(answer: bytes, times: int) -> None:
    """A page that did not come in whole is never taken: botocore tries again as often as it may, then it is an error."""
    asked: list[bytes] = []

    class Answering(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked.append(self.request.recv(1 << 16))
            self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        tables = RawTables(
            EmbeddedEndpoint(f"http://127.0.0.1:{server.server_address[1]}").aws(max_attempts=3)
        )
        expected = pytest.raises(UnavailableError) if times > 1 else nullcontext()
        with expected:
            tables.scan_page("orders", segment=0, segments=1, start_key=b"", consistent=True)
        server.shutdown()
        thread.join()
    assert len(asked) == times

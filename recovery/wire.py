"""Items as raw bytes, from the wire to the file and back.

botocore signs, finds the endpoint and retries; only its parsing of Scan answers and its serialisation of
BatchWriteItem requests are left out, for they cost about 200 ms of CPU per MB, and its check of the CRC32, which is
made here. Items stay the DynamoDB JSON that the service sent, so nothing can be lost on the way through Python's
types.

Both hooks are botocore's own events: ``before-parse`` takes the body out of the parser's hands, and
``before-call`` puts a ready body into the request. The body itself is read in one piece, where botocore would
join it from pieces of 64 KB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import HTTPClientError
from botocore.response import StreamingBody
from isal import isal_zlib

from recovery.aws import aws_errors
from rules.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.aws import Aws

RAW_BODY = "_RawBody"
HTTP_OK = 200
MAX_BATCH_ITEMS = 25  # BatchWriteItem: 25 requests
BETWEEN_PUTS = b'}},{"PutRequest":{"Item":'
MAX_BATCH_BYTES = 4 * 1024 * 1024  # and 16 MB; ours is smaller, since one lost answer repeats the whole batch


class _Capacity(msgspec.Struct):
    CapacityUnits: float = 0.0


class _ScanAnswer(msgspec.Struct):
    Items: list[msgspec.Raw] = []
    Count: int = 0
    LastEvaluatedKey: msgspec.Raw = msgspec.Raw(b"")
    ConsumedCapacity: _Capacity | None = None


class _PutRequest(msgspec.Struct):
    Item: msgspec.Raw


class _WriteRequest(msgspec.Struct):
    PutRequest: _PutRequest


class _WriteAnswer(msgspec.Struct):
    UnprocessedItems: dict[str, list[_WriteRequest]] = {}


_SCAN_DECODER = msgspec.json.Decoder(_ScanAnswer)
_WRITE_DECODER = msgspec.json.Decoder(_WriteAnswer)


@dataclass(frozen=True, slots=True)
class RawPage:
    """One page of a Scan. ``items`` are the JSON of the items, ``last_key`` b"" on the last page.

    ``throttled``: botocore had to ask more than once. ``compact``: there is no line end in the whole answer.
    """

    items: Sequence[bytes | msgspec.Raw]
    last_key: bytes
    capacity_units: float
    throttled: bool = False
    compact: bool = False


class RawTables:
    """Scan and BatchWriteItem on raw bytes, for one account and region."""

    def __init__(self, aws: Aws) -> None:
        # The bodies are made here, so there is nothing for botocore to validate.
        self._client: Any = raw_client(aws, ("Scan", "BatchWriteItem"))

    def scan_page(
        self,
        table: str,
        *,
        segment: int,
        segments: int,
        start_key: bytes,
        consistent: bool,
        limit: int | None = None,
    ) -> RawPage:
        """One page of one segment, from ``start_key`` on (b"": from the start), of ``limit`` items at most.

        Raises UnavailableError when throttled for longer than botocore's own retries, TableNotFoundError,
        AccessDeniedError.
        """
        body = msgspec.json.encode(
            {
                "TableName": table,
                "ConsistentRead": consistent,
                "ReturnConsumedCapacity": "TOTAL",
                **({"Segment": segment, "TotalSegments": segments} if segments > 1 else {}),
                **({"ExclusiveStartKey": msgspec.Raw(start_key)} if start_key else {}),
                **({"Limit": limit} if limit else {}),
            }
        )
        with aws_errors(f"scan table {table}"):
            response = self._client.scan(TableName=table, **{RAW_BODY: body})
        raw: bytes = response[RAW_BODY]
        answer = decoded(_SCAN_DECODER, raw, f"scan table {table}")
        units = answer.ConsumedCapacity.CapacityUnits if answer.ConsumedCapacity else 0.0
        retries = response.get("ResponseMetadata", {}).get("RetryAttempts", 0)
        return RawPage(
            items=answer.Items,
            last_key=bytes(answer.LastEvaluatedKey),
            capacity_units=units,
            throttled=retries > 0,
            compact=b"\n" not in raw,
        )

    def put_batch(self, table: str, items: Sequence[bytes | msgspec.Raw]) -> list[bytes | msgspec.Raw]:
        """Put up to 25 items, replacing those with the same key; returns the items that were not processed.

        Raises as ``scan_page``.
        """
        # A join takes the raw items as they are: no copy of each.
        puts = BETWEEN_PUTS.join(items)
        body = b'{"RequestItems":{%b:[{"PutRequest":{"Item":%b}}]}}' % (msgspec.json.encode(table), puts)
        with aws_errors(f"write to table {table}"):
            raw: bytes = self._client.batch_write_item(RequestItems={table: []}, **{RAW_BODY: body})[RAW_BODY]
        answer = decoded(_WRITE_DECODER, raw, f"write to table {table}")
        return [request.PutRequest.Item for request in answer.UnprocessedItems.get(table, [])]


def raw_client(aws: Aws, operations: Sequence[str]) -> DynamoDBClient:
    """A client whose calls of these operations take a ready body as RAW_BODY, and give the answer's body as that.

    An answer whose CRC32 is wrong is never given out.
    """
    # botocore puts its User-Agent together for every request, twice, which is a fifth of what a request costs; one
    # that is given is taken as it is.
    name: str = aws.dynamodb().meta.config.user_agent  # type: ignore[attr-defined]
    # What the session adds it adds to a given one, too.
    name = name.replace(f" {aws.agent_extra}", "") if aws.agent_extra else name
    client = aws.dynamodb(Config(parameter_validation=False, user_agent=name, user_agent_extra=""))
    endpoint: Any = client._endpoint  # type: ignore[attr-defined]  # noqa: SLF001 - botocore has no option for it
    endpoint.http_session = _WholeBodies(endpoint.http_session)
    for operation in operations:
        client.meta.events.register(f"before-parameter-build.dynamodb.{operation}", _keep_body)
        client.meta.events.register(f"before-call.dynamodb.{operation}", _send_body)
        client.meta.events.register(f"before-parse.dynamodb.{operation}", _take_body)
    return client


class _WholeBodies:
    """botocore's HTTP session, but for how the body of an answer is read."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def send(self, request: Any) -> AWSResponse:
        """The answer, its body read. Raises botocore's errors, which its retries know."""
        request.stream_output = True
        answer = self._session.send(request)
        try:
            body = StreamingBody(answer.raw, answer.headers.get("content-length")).read()
        except HTTPClientError:
            raise
        except Exception as error:
            # As botocore has it: whatever else breaks while an answer comes in is worth another try.
            raise HTTPClientError(error=error) from error
        # botocore would compare it at six times the cost, and takes the last answer as it is once its retries are used
        # up; so the header is taken away from it.
        expected = answer.headers.pop("x-amz-crc32", None)
        if expected is not None and str(isal_zlib.crc32(body)) != str(expected):
            raise HTTPClientError(error="the CRC32 of the answer is not the one in its header")
        return _ReadAnswer(answer, body)

    def close(self) -> None:
        """Close its connections."""
        self._session.close()


class _ReadAnswer(AWSResponse):
    """An answer whose body was read."""

    def __init__(self, answer: Any, body: bytes) -> None:
        super().__init__(answer.url, answer.status_code, answer.headers, answer.raw)
        self._content = body


def _keep_body(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    context[RAW_BODY] = params.pop(RAW_BODY)


def _send_body(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    params["body"] = context[RAW_BODY]


def _take_body(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    """Gives botocore's parser an empty body. Its CRC32 was compared when it came in."""
    if response_dict["status_code"] == HTTP_OK:
        customized_response_dict[RAW_BODY] = response_dict["body"]
        response_dict["body"] = b"{}"


AnswerT = TypeVar("AnswerT")


def decoded(decoder: msgspec.json.Decoder[AnswerT], raw: bytes, doing: str) -> AnswerT:
    """An answer's outline, the items left raw. Raises UnavailableError for what DynamoDB did not write."""
    try:
        return decoder.decode(raw)
    except msgspec.DecodeError as error:
        # The parser's message may quote the body, and that is item content.
        raise UnavailableError(
            f"cannot {doing}: the answer is not DynamoDB's", hint="Is there a proxy on the way?"
        ) from error

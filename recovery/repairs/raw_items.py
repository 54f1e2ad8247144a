"""Single items as raw bytes: BatchGetItem, and PutItem and DeleteItem under a condition.

As in ``recovery.wire``, botocore signs, finds the endpoint, retries and checks the CRC32, and its parsing and
serialisation are left out: an item is written back in the very bytes that were read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from recovery.aws import aws_errors
from recovery.wire import RAW_BODY, decoded, raw_client

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recovery.aws import Aws
    from recovery.repairs.conditions import Condition

MAX_BATCH_KEYS = 100  # BatchGetItem: 100 keys, of one table
_OPERATIONS = ("BatchGetItem", "PutItem", "DeleteItem")


class _Keys(msgspec.Struct):
    Keys: list[msgspec.Raw] = []


class _GetAnswer(msgspec.Struct):
    Responses: dict[str, list[msgspec.Raw]] = {}
    UnprocessedKeys: dict[str, _Keys] = {}


class _WriteAnswer(msgspec.Struct):
    Attributes: msgspec.Raw = msgspec.Raw(b"")


_GET_DECODER = msgspec.json.Decoder(_GetAnswer)
_WRITE_DECODER = msgspec.json.Decoder(_WriteAnswer)


class RawItems:
    """Reads and writes single items of tables in one account and region."""

    def __init__(self, aws: Aws) -> None:
        self._client: Any = raw_client(aws, _OPERATIONS)

    def get_batch(self, table: str, keys: Sequence[bytes]) -> tuple[list[msgspec.Raw], list[bytes]]:
        """The items of up to 100 keys (DynamoDB JSON) that are there, and the keys that were not looked at.

        Strongly consistent. Raises UnavailableError, TableNotFoundError, AccessDeniedError.
        """
        doing = f"read items of table {table}"
        name = msgspec.json.encode(table)
        body = b'{"RequestItems":{%b:{"ConsistentRead":true,"Keys":[%b]}}}' % (name, b",".join(keys))
        with aws_errors(doing):
            raw: bytes = self._client.batch_get_item(RequestItems={table: {}}, **{RAW_BODY: body})[RAW_BODY]
        answer = decoded(_GET_DECODER, raw, doing)
        left = answer.UnprocessedKeys.get(table)
        return answer.Responses.get(table, []), [bytes(key) for key in left.Keys] if left else []

    def put(self, table: str, item: bytes, condition: Condition) -> bytes:
        """Put an item if the condition holds; the image that it replaced, b"" where there was none.

        Raises AwsError with the code ConditionalCheckFailedException, and as ``get_batch``.
        """
        return self._write("put_item", table, b'"Item":%b' % item, condition)

    def delete(self, table: str, key: bytes, condition: Condition) -> bytes:
        """Delete an item if the condition holds; the image that was deleted. Raises as ``put``."""
        return self._write("delete_item", table, b'"Key":%b' % key, condition)

    def _write(self, call: str, table: str, what: bytes, condition: Condition) -> bytes:
        doing = f"write to table {table}"
        body = b'{"TableName":%b,%b,"ReturnValues":"ALL_OLD",%b}' % (
            msgspec.json.encode(table),
            what,
            condition.members,
        )
        with aws_errors(doing):
            raw: bytes = getattr(self._client, call)(TableName=table, **{RAW_BODY: body})[RAW_BODY]
        return bytes(decoded(_WRITE_DECODER, raw, doing).Attributes)

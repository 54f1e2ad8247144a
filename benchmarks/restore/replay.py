"""A server that answers at once: tables that take BatchWriteItem, and an S3 that keeps a vault.

The one of the backup benchmark, with tables that can be lost and written to. Run as a process: prints its port, and
ends with its parent.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING, cast

from benchmarks.backup.replay import Connection, ReplayServer
from benchmarks.backup.replay_bucket import Reply
from benchmarks.backup.replay_tables import Refusal
from benchmarks.restore.replay_bucket import KeepingBucket
from benchmarks.restore.replay_tables import LostTables

if TYPE_CHECKING:
    from collections.abc import Mapping

OTHERWISE = "otherwise"
AMAZON_JSON = ("Content-Type", "application/x-amz-json-1.0")


class RestoreReplay(ReplayServer):
    """The tables and the bucket of a recovery."""

    def __init__(self, sizes: list[int], *, otherwise: bool = False) -> None:
        super().__init__(sizes)
        self.tables = self.lost = LostTables(sizes, otherwise=otherwise)
        self.bucket = KeepingBucket()
        self.RequestHandlerClass = WriteConnection


class WriteConnection(Connection):
    """As the backup's, but no body is dropped, and the items of a batch are not parsed."""

    def _body(self, headers: Mapping[str, str], *, drop: bool) -> tuple[bytes, int]:
        del drop
        return super()._body(headers, drop=False)

    def _dynamodb(self, operation: str, body: bytes) -> None:
        if operation != "BatchWriteItem":
            super()._dynamodb(operation, body)
            return
        self.replay.count(f"dynamodb:{operation}", 0)
        try:
            answer, crc = cast("RestoreReplay", self.server).lost.put_batch(body)
        except Refusal as refusal:
            told = {"__type": f"com.amazonaws.dynamodb.v20120810#{refusal.code}", "message": refusal.message}
            self._answer(Reply(400, json.dumps(told).encode(), (AMAZON_JSON,)), "POST")
            return
        self._answer(Reply(200, answer, (AMAZON_JSON, ("x-amz-crc32", str(crc)))), "POST")


def main(*sizes: str) -> None:
    """Serve tables of these sizes until stdin is closed; with OTHERWISE, those that were brought back spell otherwise."""
    numbers = [int(size) for size in sizes if size != OTHERWISE]
    with RestoreReplay(numbers, otherwise=OTHERWISE in sizes) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_address[1], flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])

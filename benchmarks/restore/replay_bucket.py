"""An S3 that keeps the data of backups, and forgets what recoveries note beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.backup.replay_bucket import MODIFIED_HTTP, Bucket, Reply, is_data

if TYPE_CHECKING:
    from collections.abc import Mapping

BACKUPS = "/backups/"


class KeepingBucket(Bucket):
    """What ``Bucket`` does, with the data objects' bodies."""

    def __init__(self) -> None:
        super().__init__()
        self._data: dict[str, bytes] = {}
        self._parts: dict[str, dict[int, bytes]] = {}

    def forget(self) -> None:
        """Forget all but the backups."""
        with self._lock:
            for path in [path for path in self._objects if BACKUPS not in path]:
                del self._objects[path]

    def answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
        size: int,
    ) -> Reply:
        """One request, as ``Bucket.answer``."""
        upload = query.get("uploadId")
        if method == "GET" and path in self._data and not query:
            return Reply(
                200, self._data[path], (("ETag", self._objects[path].etag), ("Last-Modified", MODIFIED_HTTP))
            )
        if method == "PUT" and upload:
            self._parts.setdefault(upload, {})[int(query["partNumber"])] = body
        elif method == "POST" and upload:
            parts = self._parts.pop(upload, {})
            self._data[path] = b"".join(parts[number] for number in sorted(parts))
        elif method == "PUT" and is_data(path, query):
            self._data[path] = body
        return super().answer(method, path, query, headers, body, size)

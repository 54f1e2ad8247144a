"""The S3 of the replay server: documents are kept, data is counted and dropped."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
MODIFIED = "2026-11-23T02:00:00.000Z"
MODIFIED_HTTP = "Mon, 23 Nov 2026 02:00:00 GMT"


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers and body of an answer."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Object:
    size: int
    etag: str
    body: bytes | None  # None: dropped


@dataclass(slots=True)
class _Upload:
    path: str
    size: int = 0


def is_data(path: str, query: Mapping[str, str]) -> bool:
    """Whether a body sent there need not be kept."""
    return "/data/" in path or "uploadId" in query


class Bucket:
    """All buckets in one: objects by ``/bucket/key``."""

    def __init__(self) -> None:
        self._objects: dict[str, _Object] = {}
        self._uploads: dict[str, _Upload] = {}
        self._begun = 0
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Start anew, so that every run finds the same: nothing."""
        with self._lock:
            self._objects.clear()
            self._uploads.clear()

    def answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
        size: int,
    ) -> Reply:
        """One request. ``body`` is b"" where it was dropped; ``size`` is what was sent."""
        with self._lock:
            if "uploads" in query or "uploadId" in query:
                return self._multipart(method, path, query, size)
            if method == "PUT":
                return self._put(path, headers, body if not is_data(path, query) else None, size)
            if method in {"GET", "HEAD"}:
                if path.count("/") == 1 or path.endswith("/"):
                    return self._list(path.strip("/"), query) if "list-type" in query else Reply(200)
                return self._get(path, whole=method == "GET")
            if method == "DELETE":
                self._objects.pop(path, None)
                return Reply(204)
        return _refused(404, "NoSuchKey")

    def _put(self, path: str, headers: Mapping[str, str], body: bytes | None, size: int) -> Reply:
        stored = self._objects.get(path)
        if headers.get("if-none-match") == "*" and stored:
            return _refused(412, "PreconditionFailed")
        if "if-match" in headers and stored is None:
            return _refused(404, "NoSuchKey")
        if stored and headers.get("if-match", stored.etag) != stored.etag:
            return _refused(412, "PreconditionFailed")
        etag = f'"{hashlib.md5(body or str(size).encode(), usedforsecurity=False).hexdigest()}"'
        self._objects[path] = _Object(size, etag, body)
        return Reply(200, headers=(("ETag", etag),))

    def _get(self, path: str, *, whole: bool) -> Reply:
        stored = self._objects.get(path)
        if stored is None or (whole and stored.body is None):
            return _refused(404, "NoSuchKey")
        headers = (("ETag", stored.etag), ("Last-Modified", MODIFIED_HTTP))
        if not whole:
            return Reply(200, headers=(*headers, ("Content-Length", str(stored.size))))
        return Reply(200, stored.body or b"", headers)

    def _multipart(self, method: str, path: str, query: Mapping[str, str], size: int) -> Reply:
        if "uploads" in query:
            return self._start(path) if method == "POST" else self._list_uploads(path.strip("/"), query)
        upload = self._uploads.get(query["uploadId"])
        if upload is None:
            return _refused(404, "NoSuchUpload")
        if method == "PUT":
            upload.size += size
            return Reply(200, headers=(("ETag", f'"{size:032x}"'),))
        del self._uploads[query["uploadId"]]
        if method == "DELETE":
            return Reply(204)
        etag = f'"{upload.size:032x}-1"'
        self._objects[path] = _Object(upload.size, etag, None)
        return _xml("CompleteMultipartUploadResult", f"{_names(path)}<ETag>{escape(etag)}</ETag>")

    def _start(self, path: str) -> Reply:
        self._begun += 1
        upload_id = f"upload-{self._begun}"
        self._uploads[upload_id] = _Upload(path)
        return _xml("InitiateMultipartUploadResult", f"{_names(path)}<UploadId>{upload_id}</UploadId>")

    def _list_uploads(self, bucket: str, query: Mapping[str, str]) -> Reply:
        start = f"/{bucket}/{query.get('prefix', '')}"
        found = "".join(
            f"<Upload><Key>{escape(upload.path.removeprefix(f'/{bucket}/'))}</Key><UploadId>{upload_id}</UploadId>"
            f"<Initiated>{MODIFIED}</Initiated></Upload>"
            for upload_id, upload in self._uploads.items()
            if upload.path.startswith(start)
        )
        return _xml(
            "ListMultipartUploadsResult",
            f"<Bucket>{bucket}</Bucket><IsTruncated>false</IsTruncated>{found}",
        )

    def _list(self, bucket: str, query: Mapping[str, str]) -> Reply:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        entries: list[str] = []
        folders: set[str] = set()
        for path in sorted(self._objects):
            key = path.removeprefix(f"/{bucket}/")
            if key == path or not key.startswith(prefix) or key <= query.get("start-after", ""):
                continue
            rest = key.removeprefix(prefix)
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.split(delimiter, 1)[0] + delimiter)
                continue
            stored = self._objects[path]
            entries.append(
                f"<Contents><Key>{escape(key)}</Key><LastModified>{MODIFIED}</LastModified>"
                f"<ETag>{escape(stored.etag)}</ETag><Size>{stored.size}</Size></Contents>"
            )
        entries += [
            f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>" for one in sorted(folders)
        ]
        return _xml(
            "ListBucketResult",
            f"<Name>{bucket}</Name><KeyCount>{len(entries)}</KeyCount><IsTruncated>false</IsTruncated>"
            + "".join(entries),
        )


def _names(path: str) -> str:
    bucket, key = (escape(part) for part in path.lstrip("/").split("/", 1))
    return f"<Bucket>{bucket}</Bucket><Key>{key}</Key>"


def _xml(name: str, inside: str) -> Reply:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} {NAMESPACE}>{inside}</{name}>'
    return Reply(200, text.encode(), (("Content-Type", "application/xml"),))


def _refused(status: int, code: str) -> Reply:
    text = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"
    return Reply(status, text.encode(), (("Content-Type", "application/xml"),))

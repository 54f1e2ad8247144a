"""A server that answers at once: canned pages of DynamoDB, an S3 that forgets, the caller's identity.

What a client spends while it talks to this server is the client's own: nothing here makes it wait, and nobody
counts what this process spends. Run as a process: prints its port, and ends with its parent.
"""

from __future__ import annotations

import json
import re
import socketserver
import sys
import threading
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from benchmarks.backup.replay_bucket import Bucket, Reply, is_data
from benchmarks.backup.replay_tables import ACCOUNT, TARGET, Refusal, Tables

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOPBACK = "127.0.0.1"
FIGURES = "/-/figures"
_SERVICE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")
# {"__type": "AccessDeniedException"} in CBOR, which some services of AWS talk.
CBOR_DENIED = b"\xa1\x66__type\x75AccessDeniedException"
DENIED = {"__type": "AccessDeniedException", "message": "denied: only tables and buckets are here"}


class ReplayServer(socketserver.ThreadingTCPServer):
    """A thread for each connection."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, sizes: list[int]) -> None:
        self.tables = Tables(sizes)
        self.bucket = Bucket()
        self.lock = threading.Lock()
        self.uploaded = 0
        self.requests: dict[str, int] = {}
        super().__init__((LOOPBACK, 0), Connection)

    def count(self, name: str, uploaded: int) -> None:
        """Note a request."""
        with self.lock:
            self.requests[name] = self.requests.get(name, 0) + 1
            self.uploaded += uploaded

    def figures(self) -> dict[str, object]:
        """What went over the wire since the last time somebody asked; the bucket is emptied."""
        self.bucket.forget()
        with self.lock:
            figures = {**self.tables.served(), "uploaded": self.uploaded, "requests": self.requests}
            self.uploaded, self.requests = 0, {}
        return figures


class Connection(socketserver.StreamRequestHandler):
    """HTTP/1.1 with what AWS's clients use of it."""

    disable_nagle_algorithm = True
    rbufsize = 1 << 16

    def handle(self) -> None:
        """Requests, one after the other, until the client hangs up."""
        self.scratch = memoryview(bytearray(1 << 18))
        self.replay = cast("ReplayServer", self.server)
        try:
            while line := self.rfile.readline():
                method, target, _ = line.decode("latin-1").split(" ", 2)
                self._request(method, target, self._headers())
        except (ConnectionError, EOFError):
            return

    def _headers(self) -> dict[str, str]:
        headers = {}
        while (line := self.rfile.readline().decode("latin-1").rstrip("\r\n")) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return headers

    def _request(self, method: str, target: str, headers: Mapping[str, str]) -> None:
        address = urlsplit(target)
        path, query = unquote(address.path), dict(parse_qsl(address.query, keep_blank_values=True))
        found = _SERVICE.search(headers.get("authorization", ""))
        service = found[1] if found else ""
        if headers.get("expect", "").lower() == "100-continue":
            self.request.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        drop = service == "s3" and is_data(path, query)
        body, size = self._body(headers, drop=drop)
        if path == FIGURES:
            self._answer(Reply(200, json.dumps(self.replay.figures()).encode()), method)
        elif headers.get("x-amz-target", "").startswith(TARGET):
            self._dynamodb(headers["x-amz-target"].removeprefix(TARGET), body)
        elif service == "s3":
            self.replay.count(f"s3:{method}", size)
            if "aws-chunked" in headers.get("content-encoding", ""):
                body = _dechunked(body)
                size = int(headers.get("x-amz-decoded-content-length", size))
            self._answer(self.replay.bucket.answer(method, path, query, headers, body, size), method)
        else:
            self.replay.count(f"{service}:{headers.get('x-amz-target', '') or path}", size)
            self._answer(_identity() if b"Action=GetCallerIdentity" in body else _denied(headers), method)

    def _body(self, headers: Mapping[str, str], *, drop: bool) -> tuple[bytes, int]:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            whole = bytearray()
            while length := int(self.rfile.readline().split(b";")[0], 16):
                whole += self._sent(length, drop=False)
                self.rfile.readline()
            while self.rfile.readline() not in {b"\r\n", b"\n", b""}:
                pass
            return (b"" if drop else bytes(whole)), len(whole)
        length = int(headers.get("content-length") or 0)
        return self._sent(length, drop=drop), length

    def _sent(self, length: int, *, drop: bool) -> bytes:
        if not drop:
            return self.rfile.read(length)
        while length:
            got = self.rfile.readinto(self.scratch[:length])
            if not got:
                raise EOFError
            length -= got
        return b""

    def _dynamodb(self, operation: str, body: bytes) -> None:
        self.replay.count(f"dynamodb:{operation}", 0)
        try:
            pieces, crc = self.replay.tables.answer(operation, json.loads(body or b"{}"))
        except Refusal as refusal:
            refused = {
                "__type": f"com.amazonaws.dynamodb.v20120810#{refusal.code}",
                "message": refusal.message,
            }
            self._answer(Reply(400, json.dumps(refused).encode(), _JSON), "POST")
            return
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nx-amzn-RequestId: REPLAY\r\n"
            f"x-amz-crc32: {crc}\r\nContent-Length: {sum(map(len, pieces))}\r\n\r\n"
        )
        self.request.sendall(head.encode())
        for piece in pieces:
            self.request.sendall(piece)

    def _answer(self, reply: Reply, method: str) -> None:
        lines = [f"HTTP/1.1 {reply.status} Replayed", "x-amz-request-id: REPLAY"]
        lines += [f"{name}: {value}" for name, value in reply.headers]
        if not any(name == "Content-Length" for name, _ in reply.headers) and reply.status != 204:  # noqa: PLR2004
            lines.append(f"Content-Length: {len(reply.body)}")
        head = "\r\n".join([*lines, "\r\n"]).encode()
        self.request.sendall(head + (b"" if method == "HEAD" else reply.body))


_JSON = (("Content-Type", "application/x-amz-json-1.0"),)


def _identity() -> Reply:
    text = (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>arn:aws:iam::{ACCOUNT}:user/bench</Arn><UserId>AIDAEXAMPLE</UserId><Account>{ACCOUNT}</Account>"
        "</GetCallerIdentityResult><ResponseMetadata><RequestId>REPLAY</RequestId></ResponseMetadata>"
        "</GetCallerIdentityResponse>"
    )
    return Reply(200, text.encode(), (("Content-Type", "text/xml"),))


def _denied(headers: Mapping[str, str]) -> Reply:
    """AccessDenied in the form that the asking client reads."""
    if "smithy-protocol" in headers:
        kind = (("smithy-protocol", headers["smithy-protocol"]), ("Content-Type", "application/cbor"))
        return Reply(400, CBOR_DENIED, kind)
    if "x-www-form-urlencoded" in headers.get("content-type", ""):
        text = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>denied</Message></Error></ErrorResponse>"
        return Reply(400, text.encode(), (("Content-Type", "text/xml"),))
    return Reply(400, json.dumps(DENIED).encode(), (*_JSON, ("x-amzn-ErrorType", "AccessDeniedException")))


def _dechunked(body: bytes) -> bytes:
    """What is inside ``aws-chunked``: lengths in hex before each chunk, trailers after the last."""
    whole = b""
    while body:
        line, _, body = body.partition(b"\r\n")
        length = int(line.split(b";")[0], 16)
        if not length:
            break
        whole, body = whole + body[:length], body[length + 2 :]
    return whole


def main(*sizes: str) -> None:
    """Serve tables of these sizes until stdin is closed."""
    with ReplayServer([int(size) for size in sizes]) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_address[1], flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])

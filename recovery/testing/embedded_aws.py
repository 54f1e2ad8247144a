"""An AWS inside this process: moto's threaded server on a free loopback port.

For tests and for the demo; needs the extra ``demo``. No account, no Docker, no network: clients made here
have fake credentials and refuse to talk to anything but this server.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from moto.server import ThreadedMotoServer

from recovery.aws import Aws, AwsSettings
from rules.errors import UnsafeError

if TYPE_CHECKING:
    from types import TracebackType

LOOPBACK = "127.0.0.1"
ACCOUNT = "123456789012"  # moto's own
REGION = "eu-west-1"


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials that mean something to the embedded AWS only."""

    access_key: str
    secret_key: str = "embedded"
    session_token: str = ""


EXAMPLE_KEYS = Keys("AKIAIOSFODNN7EXAMPLE")  # the example of AWS's own documents


@dataclass(frozen=True, slots=True)
class EmbeddedEndpoint:
    """Where an embedded AWS listens."""

    url: str

    def aws(self, keys: Keys = EXAMPLE_KEYS, region: str = REGION, max_attempts: int = 5) -> Aws:
        """Clients for it, which refuse every other host. Raises UnsafeError for a URL that is not loopback.

        ``max_attempts`` 1: a scripted fault reaches the code under test at once, botocore does not retry it.
        """
        host = urlsplit(self.url).hostname
        if host != LOOPBACK:
            raise UnsafeError(f"the embedded AWS is on {LOOPBACK}, not on {host}")
        aws = Aws(
            AwsSettings(
                region=region,
                endpoint_url=self.url,
                access_key=keys.access_key,
                secret_key=keys.secret_key,
                session_token=keys.session_token,
                max_attempts=max_attempts,
            )
        )
        aws.session.events.register("before-send", self._refuse_other_hosts)
        return aws

    def _refuse_other_hosts(self, request: Any, **_: object) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.url).netloc:
            raise UnsafeError(f"refused to call {urlsplit(request.url).hostname}: this is the embedded AWS")


class EmbeddedAws:
    """The server; use it in a ``with``."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address=LOOPBACK, port=0, verbose=False)

    def start(self) -> EmbeddedEndpoint:
        """Start listening, and say where."""
        # werkzeug logs every request, and moto a traceback for each call that it does not implement.
        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        self._server.start()
        host, port = self._server.get_host_and_port()
        return EmbeddedEndpoint(f"http://{host}:{port}")

    def stop(self) -> None:
        """Stop listening and forget everything."""
        self._server.stop()

    def __enter__(self) -> EmbeddedEndpoint:
        """Start it."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

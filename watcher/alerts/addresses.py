"""Where alerts may go: addresses, headers and topics, checked before anything is sent there.

What is refused is told in words without the address, which is a secret: ValueError, for settings and notifiers to
turn into their own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMESTAMP_HEADER = "X-Safetynet-Timestamp"
SIGNATURE_HEADER = "X-Safetynet-Signature"
IDEMPOTENCY_HEADER = "Idempotency-Key"
# Names that a message sets itself, or that belong to the connection.
_OURS = frozenset(
    {
        "connection",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        *(name.lower() for name in (TIMESTAMP_HEADER, SIGNATURE_HEADER, IDEMPOTENCY_HEADER)),
    }
)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# arn:aws:sns:eu-west-1:123456789012:alerts, of which the fourth part is the region.
_TOPIC_ARN = re.compile(r"arn:aws[a-z-]*:sns:([a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_-]{1,256}(?:\.fifo)?")


def checked_url(url: str) -> str:
    """The address, if an alert may be posted there: https, or http to this very machine. Raises ValueError."""
    url = url.strip()
    if re.fullmatch(r"[!-~]+", url) is None:
        raise ValueError("it is empty or has characters that no address has")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("it cannot be read as an address") from None
    if parts.scheme not in {"https", "http"} or not host:
        raise ValueError("write https://HOST/PATH")
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise ValueError("an alert is not sent in the clear: write https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it holds a user name or password: send them in a header")
    if parts.fragment:
        raise ValueError("it has a part after '#', which is never sent")
    return url


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for an address (HTTPS_PROXY, NO_PROXY); None for none."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in _LOOPBACK or proxy_bypass(host):
        return None
    proxy = getproxies().get(parts.scheme)
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def check_headers(headers: Mapping[str, str]) -> None:
    """Raises ValueError for a header that HTTP has no place for, or that a message sets itself."""
    for name, value in headers.items():
        if re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", name) is None:
            raise ValueError("a header's name has characters that no name has")
        if name.lower() in _OURS:
            raise ValueError(f"the header {name} is set by the message itself")
        if re.fullmatch(r"[ -~]*", value) is None:
            raise ValueError(f"the value of the header {name} has characters that no header can carry")


def topic_region(topic_arn: str) -> str:
    """The region of an SNS topic. Raises ValueError."""
    found = _TOPIC_ARN.fullmatch(topic_arn)
    if found is None:
        raise ValueError("not the ARN of an SNS topic: arn:aws:sns:REGION:ACCOUNT:NAME")
    return found[1]

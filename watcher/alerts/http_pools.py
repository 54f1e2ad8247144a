"""Connections to an address outside AWS: straight, or by the proxy that the environment names (HTTPS_PROXY, NO_PROXY)."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3


def pool_for(url: str, timeout: float) -> urllib3.PoolManager:
    """A pool for one address. ``timeout`` in seconds, for connecting and for each wait for data."""
    parts = urlsplit(url)
    limit = urllib3.Timeout(connect=timeout, read=timeout)
    proxy = None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
    if proxy is None:
        return urllib3.PoolManager(num_pools=1, timeout=limit)
    return urllib3.ProxyManager(proxy if "://" in proxy else f"http://{proxy}", num_pools=1, timeout=limit)

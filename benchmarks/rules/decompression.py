"""How fast gzip'd trail files become changes, on one core, and how much of it is decompression."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from isal import igzip

from rules.events import parse_archived
from rules.screen import may_be_watched, records_in


def main(folder: str) -> None:
    """Print {"seconds", "inflating", "raw_bytes", "packed_bytes"} of one pass over the files."""
    packed = [path.read_bytes() for path in sorted(Path(folder).glob("*.json.gz"))]
    start = time.perf_counter()
    contents: list[bytes] = [igzip.decompress(body) for body in packed]  # type: ignore[no-untyped-call]
    inflating = time.perf_counter() - start
    for content in contents:
        for record in records_in(content):
            if may_be_watched(record):
                parse_archived(record)
    seconds = time.perf_counter() - start
    figures = {"seconds": seconds, "inflating": inflating}
    sizes = {"raw_bytes": sum(map(len, contents)), "packed_bytes": sum(map(len, packed))}
    print(json.dumps({**figures, **sizes}))


if __name__ == "__main__":
    main(sys.argv[1])

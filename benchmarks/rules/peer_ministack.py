"""ministack's matcher: run as a process in an environment of its own; it gets the events parsed, for free."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from ministack.services import eventbridge


def main(patterns: str, events: str) -> None:
    """Print {"seconds": of one pass, "matches": how many (pattern, event) pairs} for files of JSON lines."""
    alternatives = [
        eventbridge._compiled_pattern(line)  # noqa: SLF001 - a peer has no other door
        for line in Path(patterns).read_text(encoding="utf-8").splitlines()
    ]
    parsed = [json.loads(line) for line in Path(events).read_bytes().splitlines()]
    start = time.perf_counter()
    matches = sum(
        any(eventbridge._matches_detail(event, one) for one in some)  # noqa: SLF001 - a peer has no other door
        for event in parsed
        for some in alternatives
    )
    print(json.dumps({"seconds": time.perf_counter() - start, "matches": matches}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

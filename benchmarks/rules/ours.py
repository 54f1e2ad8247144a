"""Ours, as a process of its own: from raw bytes to a verdict, on one core, parsing included."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from benchmarks.rules.rule_patterns import AT, rule_set
from rules.events import parse_archived
from rules.facts import unlooked_facts
from rules.screen import may_be_watched


def main(patterns: str, events: str) -> None:
    """Print {"seconds": of one pass, "matches": how many rules counted} for files of JSON lines."""
    rules = rule_set([json.loads(line) for line in Path(patterns).read_text(encoding="utf-8").splitlines()])
    raw = Path(events).read_bytes().splitlines()
    verdicts = []
    start = time.perf_counter()
    for record in raw:
        if may_be_watched(record):
            event = parse_archived(record)
            if event.action is not None:
                verdicts.append(rules.judge(event, unlooked_facts, AT))
    seconds = time.perf_counter() - start
    matches = sum(len(verdict.hits) + len(verdict.outweighed) for verdict in verdicts)
    print(json.dumps({"seconds": seconds, "matches": matches}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

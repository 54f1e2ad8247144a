"""The error report of a bulk operation: kinds and counts, never items."""

from __future__ import annotations

import gzip
import json

from recovery.restores.bulk_report import read_report
from recovery.testing.memory_vault import MemoryVault

SECRET = "nobody-may-read-this"


def test_a_report_of_whatever_form_is_read_without_its_items() -> None:
    """Codes only, of the line's own level; what is no line of JSON is counted as that; a cut object is said to be so."""
    vault = MemoryVault()
    lines = [
        {"ErrorCode": "ValidationException", "item": {"errorCode": {"S": SECRET}}},
        {"errorCode": SECRET + " is no code"},
        {"Item": {"code": SECRET}},
        ["no", "object"],
    ]
    vault.put(
        "reports/r/ERROR/a.json", b"".join(json.dumps(line).encode() + b"\n" for line in lines) + b"{cut"
    )
    vault.put("reports/r/manifest.json", b"{}")
    report = read_report(vault, "reports/r/")
    assert dict(report.kinds) == {"ValidationException": 1, "no code given": 2, "unreadable line": 2}
    assert SECRET not in report.in_words
    assert (report.lines, report.keys) == (5, ("reports/r/ERROR/a.json",))
    vault.put("reports/r/ERROR/b.json.gz", gzip.compress(b'{"code": "X"}\n' * 1000)[:-20])
    assert "ERROR/b.json.gz: is no whole compressed file" in read_report(vault, "reports/r/").in_words
    assert read_report(vault, "reports/none/").in_words == "there is no error report"


def test_an_endless_report_is_read_in_part() -> None:
    """Ten thousand lines tell what is wrong; memory and time stay bounded."""
    vault = MemoryVault()
    vault.put("reports/r/a.json.gz", gzip.compress(b'{"code": "TooLarge"}\n' * 10_001))
    report = read_report(vault, "reports/r/")
    assert (report.whole, report.kinds) == (False, (("TooLarge", 10_000),))
    assert "10000 TooLarge (of the first 10000 lines)" in report.in_words

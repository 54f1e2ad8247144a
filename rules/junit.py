"""Results of rule tests in the XML that continuous integration reads, as JUnit's Ant task writes it.

Names and texts come from people's files: characters that XML 1.0 cannot hold are written as U+FFFD.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rules.mutation import Mutation
    from rules.rule_tests import RuleTestResult

# XML 1.0, production 2 (Char).
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(results: Sequence[RuleTestResult], at: datetime, mutation: Mutation | None = None) -> bytes:
    """A document with a suite for each file and, where there was one, one for the mutation."""
    root = ET.Element("testsuites", name="safetynet rules test")
    by_file = sorted(results, key=_file)
    for file, group in groupby(by_file, key=_file):
        _suite(root, file, [(one.name, one.place, _failure(one)) for one in group], at)
    if mutation is not None:
        cases = [
            (
                f"rule {mutant.rule_id} without {mutant.what}",
                f"{mutant.place.path}:{mutant.place.line}",
                "no test notices",
            )
            for mutant in mutation.survivors
        ]
        noticed = mutation.tried - len(cases)
        _suite(root, "mutation", [*cases, (f"{noticed} other changes are noticed", "mutation", "")], at)
    for key in ("tests", "failures", "errors"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _suite(root: ET.Element, name: str, cases: Sequence[tuple[str, str, str]], at: datetime) -> None:
    """A suite of cases, each with its name, its place and, where it failed, why."""
    suite = ET.SubElement(
        root,
        "testsuite",
        name=_text(name),
        tests=str(len(cases)),
        failures=str(sum(bool(why) for _, _, why in cases)),
        errors="0",
        skipped="0",
        timestamp=f"{at:%Y-%m-%dT%H:%M:%S}",
    )
    for title, place, why in cases:
        file, _, line = place.rpartition(":")
        case = ET.SubElement(
            suite, "testcase", name=_text(title), classname=_text(name), file=_text(file or place)
        )
        if line.isdecimal():
            case.set("line", line)
        if why:
            failure = ET.SubElement(case, "failure", message=_text(why.splitlines()[0]), type="RuleTest")
            failure.text = _text(f"{place}\n{why}")


def _failure(result: RuleTestResult) -> str:
    return "\n".join((*result.differences, *result.explanations)) if result.differences else ""


def _file(result: RuleTestResult) -> str:
    return result.place.rpartition(":")[0]


def _text(value: str) -> str:
    return _NOT_XML.sub("\ufffd", value)

"""JUnit XML: what continuous integration counts, and a document whatever the names are."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from rules.junit import junit_xml
from rules.mutation import GONE, Mutant, Mutation
from rules.rule_tests import RuleTestResult
from rules.verdicts import Severity, Verdict, VerdictKind
from rules.yaml_source import Fault
from tests.rules.judging import NOW

VERDICT = Verdict(VerdictKind.SUSPICIOUS, Severity.HIGH, ())


def result(
    name: str, place: str = "f.yaml:3", *differences: str, why: tuple[str, ...] = ()
) -> RuleTestResult:
    """A test that passed, or failed with some differences."""
    return RuleTestResult(name, place, differences, VERDICT, why)


def test_suites_and_cases() -> None:
    """A suite for each file, failures with what differs and why, counts that add up."""
    results = [
        result("fine", "a.yaml:3"),
        result(
            "wrong", "b.yaml:7", "verdict: expected intentional, got suspicious", why=("no rule counted",)
        ),
        result("also fine", "a.yaml:9"),
    ]
    root = ET.fromstring(junit_xml(results, NOW))
    assert (root.tag, root.get("tests"), root.get("failures"), root.get("errors")) == (
        "testsuites",
        "3",
        "1",
        "0",
    )
    suites = [
        (suite.get("name"), suite.get("tests"), suite.get("failures"), suite.get("timestamp"))
        for suite in root
    ]
    assert suites == [
        ("a.yaml", "2", "0", "2026-11-23T03:00:00"),
        ("b.yaml", "1", "1", "2026-11-23T03:00:00"),
    ]
    (case,) = root.findall("./testsuite[@name='b.yaml']/testcase")
    assert (case.get("name"), case.get("classname"), case.get("file"), case.get("line")) == (
        "wrong",
        "b.yaml",
        "b.yaml",
        "7",
    )
    (failure,) = case
    assert failure.get("message") == "verdict: expected intentional, got suspicious"
    assert failure.text == "b.yaml:7\nverdict: expected intentional, got suspicious\nno rule counted"


def test_survivors_are_failures() -> None:
    """Mutation is a suite of its own; what is noticed is one case that passed."""
    mutant = Mutant("shop", GONE, Fault("f.yaml", 4, 3, ""), None)
    root = ET.fromstring(junit_xml([], NOW, Mutation(5, (mutant,))))
    (suite,) = root
    assert [(case.get("name"), len(case)) for case in suite] == [
        ("rule shop without the whole rule", 1),
        ("4 other changes are noticed", 0),
    ]
    assert suite.get("failures") == "1"


@given(st.text(), st.text(min_size=1), st.text())
def test_hostile_names(name: str, difference: str, file: str) -> None:
    """Control characters, halves of characters, markup: it stays one document, and what XML can hold arrives."""
    content = junit_xml([result(name, f"{file}:1", difference)], NOW)
    root = ET.fromstring(content)
    (case,) = root.iter("testcase")
    assert len(case) == 1
    if name.isprintable() and "\ufffe" not in name and "\uffff" not in name:
        assert case.get("name") == name


def test_a_control_character_is_replaced() -> None:
    """It is not dropped, so that two names stay two."""
    (case,) = ET.fromstring(junit_xml([result("a\x1b[31m\x00<b>&")], NOW)).iter("testcase")
    assert case.get("name") == "a\ufffd[31m\ufffd<b>&"

"""Lint: what is wrong with rules that load, from a name that no event has to a rule that silences everything.

Each group of checks has a module of its own; this one runs them all. What makes a file unloadable (YAML, keys,
operators) is told by ``rules.rulefile``, with its place, before anything comes here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.lint.fields import field_findings
from rules.lint.findings import Finding, Level, subjects_of
from rules.lint.inline_tests import test_findings, unused_findings
from rules.lint.overlap import overlap_findings
from rules.lint.reach import reach_findings
from rules.lint.scope import scope_findings
from rules.lint.traps import trap_findings

if TYPE_CHECKING:
    from datetime import datetime

    from rules.rulefile import LoadedRules

__all__ = ["Finding", "Level", "lint"]


# What these miss, or call unused, may stand in a file that does not load.
_NEED_EVERY_FILE = frozenset({"unknown-rule", "unknown-window", "unused-list", "unused-window"})


def lint(loaded: LoadedRules, at: datetime, *, whole: bool = True) -> list[Finding]:
    """Every finding on some rule files, by file and place. ``at`` (aware, UTC) decides what has expired.

    Not ``whole``: files are left out that do not load. All is told that holds whatever is in those.
    """
    subjects = subjects_of(loaded)
    windows = loaded.rule_set.windows
    findings: list[Finding] = []
    for subject in subjects:
        findings += field_findings(subject, windows)
        findings += trap_findings(subject)
        findings += reach_findings(subject, windows, at)
        findings += scope_findings(subject, at)
    findings += overlap_findings(subjects, at)
    findings += test_findings(loaded)
    findings += unused_findings(loaded, subjects)
    if not whole:
        findings = [finding for finding in findings if finding.check not in _NEED_EVERY_FILE]
    return sorted(dict.fromkeys(findings), key=lambda finding: finding.sort_key)

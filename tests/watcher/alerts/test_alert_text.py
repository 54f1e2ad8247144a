"""A message in plain text can be read on a phone at night, and says all that Slack says."""

from __future__ import annotations

import pytest

from rules.verdicts import Severity
from tests.watcher.alerting import ARN, INCIDENT_ID, a_notice, an_event, an_incident
from watcher.alerts.alert_text import (
    SHORT_LIMIT,
    SUBJECT_LIMIT,
    TEXT_LIMIT,
    command_of,
    headline,
    links_of,
    message_text,
    short_text,
    subject_line,
)
from watcher.incidents.incident import IncidentState, NoticeKind, Person, Subject


def test_the_first_lines_are_enough() -> None:
    """How bad, what, who, where and what to type, before anything else."""
    assert message_text(a_notice()).splitlines()[:3] == [
        "CRITICAL: Table deleted: orders",
        "by developer, account 123456789012, eu-west-1",
        f"To recover: safetynet recover {INCIDENT_ID}",
    ]


def test_the_rest_says_what_slack_says() -> None:
    """Cause, size, recovery point and links; without the pictures, which make an SMS three times as long."""
    text = message_text(a_notice())
    for part in (
        ARN,
        "aws-cli from 203.0.113.7",
        "1,234 items, 2.3 MB",
        "- A person deleted a table by hand (rule by-hand)",
        "- newest backup 2026-11-23 02:12:07 UTC, 1,234 items; changes of the last 1 h are lost",
        "CloudTrail event: https://eu-west-1.console.aws.amazon.com/",
    ):
        assert part in text
    assert text.isascii()


@pytest.mark.parametrize(
    ("kind", "first"),
    [
        (NoticeKind.OPENED, "CRITICAL: Table deleted: orders"),
        (NoticeKind.WORSE, "WORSE THAN TOLD BEFORE: CRITICAL: Table deleted: orders"),
        (NoticeKind.LEARNT, "MORE IS KNOWN: CRITICAL: Table deleted: orders"),
        (NoticeKind.ESCALATED, "NOBODY HAS ACKNOWLEDGED THIS: CRITICAL: Table deleted: orders"),
        (NoticeKind.ACKNOWLEDGED, "ACKNOWLEDGED: Table deleted: orders"),
        (NoticeKind.DISMISSED, "DISMISSED: Table deleted: orders"),
        (NoticeKind.RECOVERING, "RECOVERY STARTED: Table deleted: orders"),
        (NoticeKind.PROGRESS, "RECOVERY UNDER WAY: Table deleted: orders"),
        (NoticeKind.RECOVERED, "RECOVERED: Table deleted: orders"),
        (NoticeKind.RECOVERY_FAILED, "RECOVERY FAILED: Table deleted: orders"),
    ],
)
def test_every_kind_says_what_it_is(kind: NoticeKind, first: str) -> None:
    """The first line tells news from alarm; the news themselves and the incident are below it."""
    text = message_text(a_notice(kind, text="the news\nin two lines"))
    assert text.splitlines()[0] == headline(a_notice(kind)) == first
    assert "the news\nin two lines" in text
    assert INCIDENT_ID in text


def test_there_is_a_head_for_every_kind() -> None:
    """A kind that is added must get words of its own."""
    assert [kind for kind in NoticeKind if not headline(a_notice(kind))] == []


def test_an_escalation_tells_the_whole() -> None:
    """Whoever gets it may not have heard of the incident before."""
    text = message_text(a_notice(NoticeKind.ESCALATED, text="Nobody has acknowledged this within 10 min."))
    assert "aws-cli from 203.0.113.7" in text
    assert f"To recover: safetynet recover {INCIDENT_ID}" in text


@pytest.mark.parametrize("state", [IncidentState.RECOVERED, IncidentState.DISMISSED])
def test_a_late_alert_says_that_it_is_over(state: IncidentState) -> None:
    """Nobody runs for what has been recovered meanwhile, and there is nothing to type."""
    text = message_text(a_notice(incident=an_incident(state=state)))
    assert text.startswith(f"{state.value.upper()}: CRITICAL: Table deleted: orders")
    assert "safetynet recover" not in text


def test_the_subject_is_what_mail_can_carry() -> None:
    """ASCII, one line, less than 100 characters, with the region even where the name is long."""
    assert subject_line(a_notice()) == "[safetynet] CRITICAL: Table deleted: orders (eu-west-1)"
    odd = an_incident(subject=Subject(type="table", name="käse\r\nBcc: x@example.com " + "n" * 300))
    subject = subject_line(a_notice(incident=odd))
    assert len(subject) == SUBJECT_LIMIT
    assert subject.startswith("[safetynet] CRITICAL: Table deleted: k?se Bcc: x@example.com nnn")
    assert subject.endswith("n... (eu-west-1)")


def test_the_short_text_fits_an_sms() -> None:
    """What to know and what to type, and no more."""
    assert short_text(a_notice()).splitlines() == [
        "CRITICAL: Table deleted: orders",
        "by developer, account 123456789012, eu-west-1",
        f"To recover: safetynet recover {INCIDENT_ID}",
        f"Incident {INCIDENT_ID}",
    ]
    assert len(short_text(a_notice(NoticeKind.RECOVERED, text="long " * 1000))) <= SHORT_LIMIT


def test_foreign_text_cannot_make_lines_or_hide() -> None:
    """A name with line breaks, colours or bidi marks stays on its line, and what cannot be seen is made visible."""
    actor = Person(label="dev\nTo recover: rm -rf /\x1b[2J\u202e", kind="iam-user")
    text = message_text(a_notice(incident=an_incident(actor=actor)))
    assert "\nTo recover: rm" not in text
    assert not {"\x1b", "\u202e"} & set(text)


def test_nothing_is_longer_than_it_may_be() -> None:
    """Reasons and news of any length are cut."""
    incident = an_incident(reasons=("r" * 100_000,) * 5, title="t" * 100_000)
    notice = a_notice(NoticeKind.LEARNT, incident, text="n" * 100_000)
    assert len(headline(notice)) <= 300
    assert len(message_text(notice)) <= TEXT_LIMIT


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("safetynet recover x", "safetynet recover x"),
        ("safetynet recover x\u202e", f"safetynet incidents show {INCIDENT_ID}"),
        ("safetynet recover `x`", f"safetynet incidents show {INCIDENT_ID}"),
        ("", ""),
    ],
)
def test_a_command_is_shown_exactly_or_not_at_all(command: str, shown: str) -> None:
    """One that would have to be altered must not be typed."""
    assert command_of(an_incident(recover_command=command)) == shown


def test_what_nobody_understands_is_told_all_the_same() -> None:
    """An event that cannot be read has no actor, account, events or link."""
    incident = an_incident(
        title="Event that cannot be understood",
        severity=Severity.HIGH,
        account="",
        region="",
        subject=Subject(type="message", name=""),
        actor=Person(label="unknown", kind="unknown"),
        events=(),
        recovery_points=(),
        recover_command="",
    )
    text = message_text(a_notice(incident=incident))
    assert text.splitlines()[0] == "HIGH: Event that cannot be understood"
    assert "by unknown" not in text
    assert links_of(incident) == {}
    assert subject_line(a_notice(incident=incident)) == "[safetynet] HIGH: Event that cannot be understood"


def test_links_lead_to_the_event() -> None:
    """The first event in CloudTrail's console, of the incident's region."""
    links = links_of(an_incident(events=(an_event(id="e/1"),)))
    assert links["CloudTrail event"].endswith("home?region=eu-west-1#/events/e%2F1")

"""Changes found in pieces, gathered once each, judged in the order of their times."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from rules.backtest import COMPLAINTS_A_PIECE, Period, changes_in, days, judge_all
from rules.rule_set import RuleSet
from tests.rules.backtesting import deletion, description, replayed, trail_file
from tests.rules.judging import rule


def test_only_watched_changes_are_kept() -> None:
    """Of a trail file every record is counted, and what nobody watches is left out."""
    glue = {**deletion(3), "eventSource": "glue.amazonaws.com"}
    result = changes_in("a.json", trail_file(description(1), deletion(2), glue, description(4)))
    assert (result.records, result.unreadable) == (4, 0)
    (change,) = result.changes
    assert change.time == datetime(2026, 11, 23, 2, 2, tzinfo=UTC)
    assert json.loads(change.record)["eventID"] == change.id


def test_a_record_comes_back_byte_for_byte() -> None:
    """Rules judge the record that was archived, not one that was written anew."""
    raw = json.dumps({**deletion(1), "unknownToUs": [1.50, {"é": None}]}, ensure_ascii=False).encode()
    (change,) = changes_in("a.json", b'{"Records":[' + raw + b"]}").changes
    assert change.record == raw


@pytest.mark.parametrize("bad", [7, "text", None, [], {"eventName": "DeleteTable"}, {}])
def test_a_bad_record_is_told_and_the_rest_is_read(bad: Any) -> None:
    """What is no record is counted and named with its number; those beside it are judged."""
    result = changes_in("a.json", trail_file(deletion(1), bad, deletion(2)))
    assert (len(result.changes), result.unreadable) == (2, 1)
    (complaint,) = result.complaints
    assert complaint.piece == "a.json"
    assert complaint.why.startswith("record 2: ")


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff", b"<html>", b'{"Records": [', b"42", b'{"some": "thing"}', b"[" * 100_000]
)
def test_what_is_no_file_of_events_is_told(content: bytes) -> None:
    """Nothing, garbage, a cut text, another document, a deep nest: one fault, no traceback."""
    result = changes_in("a.json", content)
    assert (result.changes, result.unreadable, len(result.complaints)) == ((), 1, 1)


def test_many_faults_are_counted_and_a_few_kept() -> None:
    """A file of a million bad records fills neither a report nor a memory."""
    result = changes_in("a.json", trail_file(*[7] * 50))
    assert (result.unreadable, len(result.complaints)) == (50, COMPLAINTS_A_PIECE)


def test_each_change_counts_once() -> None:
    """Trails deliver records again, in the same file and in others."""
    replay = replayed(trail_file(deletion(1), deletion(1)), trail_file(deletion(1), deletion(2)))
    assert (len(replay.changes), replay.duplicates, replay.pieces, replay.records) == (2, 2, 2, 4)


def test_changes_are_in_the_order_of_time() -> None:
    """Whatever the order of the files and of the records in them."""
    pieces = [trail_file(deletion(30), deletion(10)), trail_file(deletion(20))]
    minutes = [change.time.minute for change in replayed(*pieces).changes]
    assert minutes == [10, 20, 30]
    assert replayed(*pieces).changes == replayed(*reversed(pieces)).changes


def test_a_period_holds_whole_days() -> None:
    """From the first moment of the first day to the last of the last, in UTC."""
    period = days(date(2026, 11, 22), date(2026, 11, 23))
    assert period.holds(datetime(2026, 11, 22, tzinfo=UTC))
    assert period.holds(datetime(2026, 11, 23, 23, 59, 59, 999999, tzinfo=UTC))
    assert not period.holds(datetime(2026, 11, 24, tzinfo=UTC))
    assert not period.holds(datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC))


def test_files_of_the_next_day_may_hold_late_events() -> None:
    """CloudTrail delivers minutes later: an event of 23:58 is in a file of the day after."""
    period = days(date(2026, 11, 22), date(2026, 11, 22))
    wanted = [day for day in range(20, 27) if period.may_hold(date(2026, 11, day), date(2026, 11, day))]
    assert set(wanted) >= {22, 23}
    assert not {20, 21, 26} & set(wanted)
    assert Period().may_hold(date(1, 1, 1), date(1, 1, 1))


def test_changes_outside_the_period_are_counted_apart() -> None:
    """Of a file with a late event of the day before, only those of the period are judged."""
    late = {**deletion(5), "eventTime": "2026-11-22T23:59:59Z"}
    replay = replayed(trail_file(late, deletion(6)), period=days(date(2026, 11, 23), None))
    assert (len(replay.changes), replay.outside) == (1, 1)


def test_rules_are_applied_as_of_the_time_of_the_event() -> None:
    """A rule that has expired since did count then."""
    expiring = rule("old", "intentional", expires=datetime(2026, 11, 23, 2, 30, tzinfo=UTC))
    replay = replayed(trail_file(deletion(29), deletion(31)))
    judged = list(judge_all(replay.changes, [RuleSet([expiring])]))
    assert [one.verdicts[0].alerts for one in judged] == [False, True]


def test_what_an_archive_cannot_tell_is_unknown() -> None:
    """Tags, backups and intents: a rule that rests on them neither alerts nor silences."""
    (judged,) = judge_all(replayed(trail_file(deletion(1))).changes, [RuleSet([])])
    assert {"table.tags", "backup", "intents"} <= set(judged.facts.unknown)


def test_what_happened_just_before_is_told_from_the_archive() -> None:
    """The deletions of the same actor in the last minutes are counted over the order of time, duplicates once."""
    pieces = [trail_file(deletion(3, "c"), deletion(1, "a")), trail_file(deletion(2, "b"), deletion(1, "a"))]
    judged = judge_all(replayed(*pieces).changes, [RuleSet([])])
    assert [one.facts.document["recent"]["deletions"] for one in judged] == [1, 2, 3]


def test_what_only_explains_other_changes_is_not_judged() -> None:
    """A table that was made alerts nobody."""
    made = {**deletion(1), "eventName": "CreateTable"}
    judged = list(judge_all(replayed(trail_file(made, deletion(2))).changes, [RuleSet([])]))
    assert [one.event.event_name for one in judged] == ["DeleteTable"]

"""Which recovery point is chosen, why, what would lose less, and what it is thought to take."""

from __future__ import annotations

import shlex
from datetime import timedelta
from typing import Any

import pytest

from recovery.errors import BackupNotFoundError
from recovery.prices import restore_cost
from recovery.restores.choosing import PointWish, choose
from recovery.restores.estimates import aws_backup_restore, native_restore, vault_write
from recovery.restores.gathering import FoundPoints
from recovery.restores.points import PointKind, RecoveryPoint
from rules.errors import UsageError
from tests.recovery.recovering import START

DELETED = START
NOW = START + timedelta(hours=1)
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"


def hours(before: float) -> Any:
    """A moment so many hours before the deletion."""
    return DELETED - timedelta(hours=before)


def point(kind: PointKind, before: float, name: str = "", **more: Any) -> RecoveryPoint:
    """A point of so many hours before the deletion, which takes ten minutes."""
    return RecoveryPoint(
        kind=kind, id=name or f"{kind.value}-{before}", time=hours(before), **{"seconds": 600.0, **more}
    )


NIGHTLY = point(PointKind.VAULT, 5)
OLDER = point(PointKind.VAULT, 29)
SYSTEM = point(PointKind.SYSTEM, 0, f"{TABLE}/backup/01", seconds=1800.0)
BY_HAND = point(PointKind.ON_DEMAND, 2, f"{TABLE}/backup/02", seconds=1800.0)
KEPT = point(PointKind.AWS_BACKUP, 8, seconds=None)
WINDOW = point(PointKind.PITR, 0.1, TABLE, earliest=hours(100), seconds=1500.0)


def found(*points: RecoveryPoint, **unread: str) -> FoundPoints:
    """Points as ``gather`` orders them."""
    ordered = sorted(points, key=lambda one: list(PointKind).index(one.kind))
    return FoundPoints(
        tuple(sorted(ordered, key=lambda one: one.time, reverse=True)),
        {PointKind(kind.replace("_", "-")): reason for kind, reason in unread.items()},
    )


ALL = found(NIGHTLY, OLDER, SYSTEM, BY_HAND, KEPT)


def wish(**asked: Any) -> PointWish:
    """A wish for the table that was deleted."""
    return PointWish(**{"deleted_at": DELETED, **asked})


def test_the_latest_backup_of_the_vault_by_default() -> None:
    """Whatever else there is: it has the settings, and every byte of it is checked."""
    choice = choose(ALL, wish(), NOW)
    assert (choice.point, choice.at, choice.loss_seconds) == (NIGHTLY, hours(5), 5 * 3600)
    assert choice.why == "the latest backup of the vault"


def test_what_would_lose_less_is_told_with_what_to_type() -> None:
    """One of each kind, the greatest gain first; nothing that loses more."""
    better = choose(ALL, wish(), NOW).better
    assert [(one.point, one.seconds_less, one.flags) for one in better] == [
        (SYSTEM, 5 * 3600, "--source system"),
        (BY_HAND, 3 * 3600, "--source on-demand"),
    ]
    assert choose(found(NIGHTLY, OLDER, KEPT), wish(), NOW).better == ()


def test_what_is_told_is_what_the_flags_choose() -> None:
    """Typing them gets that very point."""
    for asked in (wish(), wish(at=hours(1)), wish(backup_id=OLDER.id), wish(source=PointKind.AWS_BACKUP)):
        choice = choose(ALL, asked, NOW)
        assert choice.better
        for one in choice.better:
            words = shlex.split(one.flags)
            flags = dict(zip(words[::2], words[1::2], strict=True))
            again = PointWish(
                source=PointKind(flags["--source"]) if "--source" in flags else None,
                backup_id=flags.get("--backup", ""),
                at=asked.at if "--at" in flags else None,
                deleted_at=DELETED,
            )
            assert choose(ALL, again, NOW).point == one.point


def test_an_older_backup_is_told_of_the_newer_one() -> None:
    """``--backup`` may be a mistake of somebody half asleep."""
    choice = choose(ALL, wish(backup_id=OLDER.id), NOW)
    assert (choice.point, choice.why) == (OLDER, "asked for with --backup")
    assert [(one.point, one.flags) for one in choice.better][-1] == (KEPT, "--source aws-backup")
    assert (NIGHTLY, "--source vault") in [(one.point, one.flags) for one in choice.better]


@pytest.mark.parametrize(
    ("source", "chosen"),
    [
        (PointKind.VAULT, NIGHTLY),
        (PointKind.SYSTEM, SYSTEM),
        (PointKind.ON_DEMAND, BY_HAND),
        (PointKind.AWS_BACKUP, KEPT),
    ],
)
def test_a_kind_by_its_word(source: PointKind, chosen: RecoveryPoint) -> None:
    """``--source`` takes the latest of that kind."""
    choice = choose(ALL, wish(source=source), NOW)
    assert choice.point == chosen
    assert choice.at == chosen.time


def test_a_moment() -> None:
    """``--at`` takes the latest that is not after it, of the kind that is asked for."""
    assert choose(ALL, wish(at=hours(5)), NOW).point == NIGHTLY
    assert choose(ALL, wish(at=hours(5.1)), NOW).point == OLDER
    choice = choose(ALL, wish(at=hours(1)), NOW)
    assert choice.point == NIGHTLY
    assert choice.why == "the latest backup of the vault at or before 2026-11-23T02:00:00Z"
    assert [(one.point, one.flags) for one in choice.better] == [
        (BY_HAND, "--source on-demand --at 2026-11-23T02:00:00Z")
    ]


def test_a_window_gives_the_very_moment() -> None:
    """In whole seconds, as RestoreDateTime takes them; without ``--at`` it stays open to the latest."""
    at = hours(3) + timedelta(microseconds=1234)
    choice = choose(found(NIGHTLY, WINDOW), wish(source=PointKind.PITR, at=at), NOW)
    assert (choice.point.id, choice.point.time, choice.point.earliest) == (TABLE, hours(3), None)
    assert (choice.at, choice.loss_seconds) == (hours(3), 3 * 3600)
    assert choice.why == "point-in-time recovery, as of 2026-11-23T00:00:00Z"
    latest = choose(found(NIGHTLY, WINDOW), wish(source=PointKind.PITR), NOW)
    assert (latest.point, latest.at) == (WINDOW, hours(0.1))


def test_a_window_is_offered_for_the_very_moment() -> None:
    """The default is the vault; with ``--at`` point-in-time recovery would lose nothing up to it."""
    (better,) = choose(found(NIGHTLY, WINDOW), wish(at=hours(3)), NOW).better
    assert (better.point.time, better.seconds_less) == (hours(3), 2 * 3600)
    assert better.flags == "--source pitr --at 2026-11-23T00:00:00Z"


@pytest.mark.parametrize("before", [101, 0.01])
def test_a_moment_outside_the_window(before: float) -> None:
    """Refused with the window, which is what one needs to choose again."""
    with pytest.raises(BackupNotFoundError, match="2026-11-18T23:00:00Z to 2026-11-23T02:54:00Z"):
        choose(found(NIGHTLY, WINDOW), wish(source=PointKind.PITR, at=hours(before)), NOW)
    with pytest.raises(BackupNotFoundError, match="gives 2026"):
        choose(found(WINDOW), wish(backup_id=TABLE, at=hours(before)), NOW)


def test_by_arn() -> None:
    """``--backup`` takes the ARN of what AWS keeps, and that of the table for its window."""
    assert choose(ALL, wish(backup_id=BY_HAND.id), NOW).point == BY_HAND
    assert choose(ALL, wish(backup_id=BY_HAND.id, source=PointKind.ON_DEMAND), NOW).point == BY_HAND
    assert choose(found(WINDOW), wish(backup_id=TABLE, at=hours(7)), NOW).at == hours(7)


@pytest.mark.parametrize(
    "asked",
    [
        {"backup_id": BY_HAND.id, "source": PointKind.VAULT},
        {"backup_id": BY_HAND.id, "source": "auto"},
        {"max_minutes": 10},
        {"max_minutes": 10, "source": PointKind.PITR},
    ],
)
def test_flags_that_clash(asked: dict[str, Any]) -> None:
    """Nobody guesses which one was meant."""
    with pytest.raises(UsageError):
        choose(ALL, wish(**asked), NOW)


def test_a_named_backup_from_after_the_moment() -> None:
    """It cannot bring back what it has not, whatever its name."""
    with pytest.raises(BackupNotFoundError, match="after --at"):
        choose(ALL, wish(backup_id=NIGHTLY.id, at=hours(6)), NOW)


@pytest.mark.parametrize(
    ("minutes", "chosen"), [(None, SYSTEM), (60, SYSTEM), (30, SYSTEM), (29, NIGHTLY), (10, NIGHTLY)]
)
def test_auto_loses_least_in_time(minutes: float | None, chosen: RecoveryPoint) -> None:
    """What takes longer, and what nobody knows how long it takes, does not count under a limit."""
    choice = choose(ALL, wish(source="auto", max_minutes=minutes), NOW)
    assert choice.point == chosen
    assert choice.why.startswith("loses least of 5 recovery points")
    assert (SYSTEM in [one.point for one in choice.better]) == (chosen is not SYSTEM)


def test_auto_takes_the_vault_at_equal_loss() -> None:
    """It brings the settings back too; a second after the deletion is no less loss than at it."""
    at_once, later = point(PointKind.VAULT, 0), point(PointKind.SYSTEM, -0.01)
    assert choose(found(at_once, later), wish(source="auto"), NOW).point == at_once
    live = PointWish(source="auto")
    assert choose(found(at_once, point(PointKind.ON_DEMAND, 0)), live, NOW).point == at_once
    assert choose(found(at_once, later), live, NOW).point == later


def test_auto_with_a_moment() -> None:
    """Only what can give the state at that moment counts."""
    choice = choose(found(NIGHTLY, BY_HAND, SYSTEM, WINDOW), wish(source="auto", at=hours(3)), NOW)
    assert (choice.point.kind, choice.at) == (PointKind.PITR, hours(3))


def test_nothing_is_quick_enough() -> None:
    """The quickest is named with its time and its flags."""
    with pytest.raises(BackupNotFoundError, match="within 5 minutes") as caught:
        choose(ALL, wish(source="auto", max_minutes=5), NOW)
    assert caught.value.hint == "The quickest is the vault's backup, about 10 minutes: --source vault"


def test_a_quick_one_that_its_kind_does_not_choose_is_named_by_its_id() -> None:
    """An older backup may be much smaller; what is told to be typed gets that very one."""
    small = OLDER.model_copy(update={"seconds": 120.0})
    with pytest.raises(BackupNotFoundError) as caught:
        choose(found(NIGHTLY, small, SYSTEM), wish(source="auto", max_minutes=1), NOW)
    assert caught.value.hint.endswith(f"about 2 minutes: --backup {small.id}")


def test_the_loss_of_a_live_table_counts_to_now() -> None:
    """Nobody knows when it went wrong."""
    choice = choose(found(NIGHTLY, WINDOW), PointWish(), NOW)
    assert choice.loss_seconds == 6 * 3600
    assert choice.better[0].seconds_less == pytest.approx(4.9 * 3600)


def test_no_backup_names_what_there_is() -> None:
    """The hint is the way on: each kind with its flags; and what could not be looked at."""
    some = found(SYSTEM, BY_HAND, aws_backup="access denied")
    with pytest.raises(BackupNotFoundError, match="no backup in the vault") as caught:
        choose(some, wish(), NOW)
    hint = caught.value.hint
    assert "system recovery point of 2026-11-23T03:00:00Z: --source system" in hint
    assert "--source on-demand" in hint
    assert "aws-backup could not be read: access denied" in hint
    with pytest.raises(BackupNotFoundError, match="no recovery point nothing") as caught:
        choose(found(), wish(backup_id="nothing"), NOW)
    assert caught.value.hint == "There is no recovery point of any kind."


@pytest.mark.parametrize("asked", [{}, {"source": "auto"}, {"at": hours(200)}])
def test_nothing_at_all(asked: dict[str, Any]) -> None:
    """Said so, and nothing made up."""
    with pytest.raises(BackupNotFoundError):
        choose(found(), wish(**asked), NOW)
    with pytest.raises(BackupNotFoundError, match="2026-11-14T19:00:00Z"):
        choose(ALL, wish(**{**asked, "at": hours(200)}), NOW)


def test_an_unread_vault_is_not_an_empty_one() -> None:
    """The message says why it could not be read."""
    with pytest.raises(BackupNotFoundError, match="could be read: the bucket is not there"):
        choose(found(SYSTEM, vault="the bucket is not there"), wish(), NOW)


def test_what_a_restore_takes() -> None:
    """Twenty minutes at least, whatever the size; by the gigabyte; dearer and slower from the cold."""
    assert native_restore(0) == (20 * 60, 0)
    seconds, dollars = native_restore(100_000_000_000)
    assert seconds > 20 * 60
    assert dollars == pytest.approx(15.0)
    assert aws_backup_restore(100_000_000_000) == (seconds, dollars)
    cold = aws_backup_restore(100_000_000_000, cold=True)
    assert cold.dollars == pytest.approx(20.0)
    assert cold.seconds > seconds + 3600


def test_what_a_write_takes() -> None:
    """As fast as the table takes it or the engine was measured at, whichever is slower; priced as ``prices`` does."""
    on_demand: dict[str, Any] = {"BillingMode": "PAY_PER_REQUEST"}
    seconds, dollars = vault_write(4_000_000, 4_000_000 * 1500, on_demand)
    assert seconds == pytest.approx(60 + 2000)
    assert dollars == restore_cost(4_000_000 * 1500, 4_000_000, on_demand)
    slower = vault_write(4_000_000, 4_000_000 * 1500, on_demand, items_per_second=1000)
    assert slower.seconds == pytest.approx(60 + 4000)
    provisioned = {"ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 100}}
    assert vault_write(1000, 1000, provisioned).seconds == pytest.approx(60 + 10)
    limited = {"OnDemandThroughput": {"MaxWriteRequestUnits": 10}}
    assert vault_write(1000, 1000, limited).seconds == pytest.approx(60 + 100)
    assert vault_write(0, 0, on_demand) == (60, 0)

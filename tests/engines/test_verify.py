"""`backup verify` says of a backup what is true, on every engine: whole, damaged, or that it could not see."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.engines.front import front_of

if TYPE_CHECKING:
    from tests.engines.desk import Desk

DEPTHS = {"listed": (), "a part": ("--sample", "1/2"), "a tenth": ("--sample", "10%"), "full": ("--full",)}


@pytest.fixture
def backed_up(desk: Desk, table: str) -> str:
    """A table with a backup."""
    desk.back_up(table)
    return table


def verify(desk: Desk, *arguments: str, **exports: str) -> tuple[str, int, Any]:
    """The outcome, the exit code, and all that was printed."""
    done = desk.shell.run("backup", "verify", "--json", *arguments, **exports)
    document = json.loads(done.out)
    return document["outcome"], done.code, document


def test_a_whole_backup_passes_at_every_depth(desk: Desk, edges: str) -> None:
    """Whatever is in it, and however closely one looks; by the table's name, and by the backup's id."""
    desk.back_up(edges)
    for options in DEPTHS.values():
        assert verify(desk, edges, *options)[:2] == ("pass", 0)
    assert verify(desk, edges, desk.backups(edges)[0]["backup_id"])[:2] == ("pass", 0)


def test_a_changed_byte_fails(desk: Desk, backed_up: str) -> None:
    """One byte of a data file is enough: a full verification ends with 13 and names the file."""
    name = desk.damage_data()
    outcome, code, document = verify(desk, backed_up, "--full")
    assert (outcome, code) == ("fail", 13)
    assert name.rsplit("/", 1)[1] in json.dumps(document)


def test_a_missing_file_fails_at_every_depth(desk: Desk, backed_up: str) -> None:
    """A data file that is not there any more is noticed without reading any other."""
    name = desk.data_files()[0]
    desk.engine.s3.delete_object(Bucket=desk.name, Key=name)
    for options in DEPTHS.values():
        outcome, code, document = verify(desk, backed_up, *options)
        assert (outcome, code) == ("fail", 13)
        assert name.rsplit("/", 1)[1] in json.dumps(document)


def test_what_cannot_be_read_is_not_called_damaged(desk: Desk, backed_up: str) -> None:
    """Where the data must not be read the outcome is inconclusive, with 3: neither a pass nor a false alarm."""
    with front_of(desk.engine.others, unreadable=("/data/",)) as front:
        exports = {"AWS_ENDPOINT_URL": front.url, "AWS_ENDPOINT_URL_DYNAMODB": desk.engine.tables.url}
        assert verify(desk, backed_up, "--full", **exports)[:2] == ("inconclusive", 3)
    assert verify(desk, backed_up, "--full")[:2] == ("pass", 0)


def test_a_verified_backup_restores(desk: Desk, backed_up: str) -> None:
    """What a verification says of the content is what a recovery brings back."""
    assert verify(desk, backed_up, "--full")[0] == "pass"
    before = desk.state(backed_up)
    desk.engine.lose(backed_up)
    desk.recover(backed_up)
    desk.same_as(before, backed_up)


def test_there_is_nothing_to_verify(desk: Desk) -> None:
    """Without a backup the command ends with 10."""
    assert desk.shell.run("backup", "verify", f"{desk.name}-missing").code == 10

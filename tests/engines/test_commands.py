"""The commands keep their promises on every engine: black box, typed as people type them, judged by boto3."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from recovery.testing.equality import different_items, items
from tests.engines.edge_items import some
from tests.engines.front import front_of

if TYPE_CHECKING:
    from tests.engines.capabilities import Capabilities
    from tests.engines.desk import Desk


def test_a_lost_table_comes_back_the_same(desk: Desk, table: str) -> None:
    """Backup, deletion, recovery, each a process of its own: the API cannot tell the table from the lost one."""
    before = desk.state(table)
    assert desk.processes.run("backup", "run", table).code == 0
    desk.engine.lose(table)
    done = desk.processes.run("recover", table, "--yes")
    assert done.code == 0, done.out + done.err
    desk.same_as(before, table)


def test_backups_are_listed(desk: Desk, table: str) -> None:
    """Every backup is listed with its item count, newest first, and nothing of other tables with it."""
    desk.engine.make_table(f"{table}-other", some(1))
    desk.back_up(table)
    desk.engine.client.delete_item(TableName=table, Key={"pk": {"S": "item-0000"}})
    desk.back_up(table, f"{table}-other")
    listed = desk.backups(table)
    assert [(one["table"], one["items"]) for one in listed] == [(table, 59), (table, 60)]
    assert listed[0]["backup_id"] != listed[1]["backup_id"]
    assert len(desk.backups(f"{table}*")) == 3


def test_a_run_tells_machines_what_it_does(desk: Desk, table: str) -> None:
    """With --json every line of stdout is an event: the table begins, it is done, and a summary ends it all."""
    lines = [json.loads(line) for line in desk.ok("backup", "run", "--json", table).out.splitlines()]
    events = [line["event"] for line in lines if line["event"] != "progress"]
    assert events == ["started", "done", "summary"]
    done, summary = lines[-2:]
    assert (done["table"], done["items"]) == (table, 60)
    assert (summary["done"], summary["failed"], summary["items"]) == (1, 0, 60)
    assert [one["backup_id"] for one in desk.backups(table)] == [done["backup_id"]]


def test_a_pattern_backs_up_what_it_matches(desk: Desk, table: str) -> None:
    """Tables that match a shell pattern are backed up, the others are not."""
    for name in ("orders-1", "orders-2", "stock"):
        desk.engine.make_table(f"{table}-{name}", some(1))
    desk.back_up(f"{table}-orders-*")
    listed = desk.json("backup", "list", "--json")
    assert sorted(one["table"] for one in listed) == [f"{table}-orders-1", f"{table}-orders-2"]


def test_a_missing_table_is_not_found(desk: Desk) -> None:
    """Backup and recovery of what is not there end with 10, and write nothing."""
    assert desk.shell.run("backup", "run", f"{desk.name}-missing").code == 10
    assert desk.shell.run("recover", f"{desk.name}-missing", "--yes").code == 10
    assert desk.objects() == []


def test_an_older_backup_can_be_chosen(desk: Desk, table: str) -> None:
    """With --backup the table is what it was at that backup."""
    desk.back_up(table)
    older = items(desk.engine.aws, table)
    for item in some(30, "changed"):
        desk.engine.client.put_item(TableName=table, Item=item)
    desk.back_up(table)
    desk.engine.lose(table)
    desk.recover(table, "--backup", desk.backups(table)[1]["backup_id"])
    assert different_items(older, items(desk.engine.aws, table)) == 0


def test_a_copy_beside_the_table(desk: Desk, table: str) -> None:
    """With --as the items come back under another name, and the table itself is not touched."""
    before = items(desk.engine.aws, table)
    desk.back_up(table)
    desk.engine.client.put_item(TableName=table, Item={"pk": {"S": "since then"}})
    desk.recover(table, "--as", f"{table}.copy")
    assert different_items(before, items(desk.engine.aws, f"{table}.copy")) == 0
    assert len(items(desk.engine.aws, table)) == len(before) + 1


def test_an_existing_table_is_not_written_to(desk: Desk, table: str) -> None:
    """Recovery onto a table that is there is refused with 14, --yes or not."""
    desk.back_up(table)
    for item in some(5, "changed"):
        desk.engine.client.put_item(TableName=table, Item=item)
    before, _ = desk.state(table)
    assert desk.shell.run("recover", table, "--yes").code == 14
    assert desk.state(table)[0] == before


def test_a_dry_run_changes_nothing(desk: Desk, table: str) -> None:
    """--dry-run shows what would be done and does none of it: not in DynamoDB, not in the vault."""
    desk.ok("backup", "run", "--dry-run", table)
    assert desk.objects() == []
    desk.back_up(table)
    desk.engine.lose(table, wait=True)
    before = desk.objects()
    desk.ok("recover", "--dry-run", table)
    plan = desk.json("recover", "--dry-run", "--json", table)
    assert (plan["item_count"], plan["target"]["name"]) == (60, table)
    assert table not in desk.engine.names()
    assert desk.objects() == before


def test_a_damaged_backup_is_not_restored(desk: Desk, table: str) -> None:
    """A data file of which one byte was changed ends a recovery with 13, before the table is created."""
    desk.back_up(table)
    desk.engine.lose(table, wait=True)
    damaged = desk.damage_data()
    done = desk.shell.run("recover", table, "--yes")
    assert done.code == 13
    assert damaged.rsplit("/", 1)[1] in done.err.replace("\n", "")
    assert table not in desk.engine.names()


def test_tags_come_back_or_are_missed(desk: Desk, table: str, capabilities: Capabilities) -> None:
    """Tags come back; where an engine forgets them, the recovery says which, with exit code 3."""
    arn = desk.engine.client.describe_table(TableName=table)["Table"]["TableArn"]
    desk.engine.client.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "shop"}])
    desk.back_up(table)
    before = desk.state(table)
    desk.engine.lose(table)
    done = desk.shell.run("recover", table, "--yes")
    if done.code == 3 and "tags with CreateTable" in capabilities.lacks:
        assert "tags: wanted {'team': 'shop'}, found {}" in " ".join(done.out.split())
    else:
        assert done.code == 0, done.out + done.err
        assert desk.state(table)[1] == before[1]


def test_an_interrupted_recovery_is_continued(desk: Desk, table: str) -> None:
    """A recovery that ends with the table created and no item loaded is completed by the same command."""
    before, _ = desk.state(table)
    desk.back_up(table)
    desk.engine.lose(table)
    with front_of(desk.engine.tables, refused=("BatchWriteItem",)) as front:
        stopped = desk.shell.run("recover", table, "--yes", AWS_ENDPOINT_URL_DYNAMODB=front.url)
    assert stopped.code == 12, stopped.err
    assert table in desk.engine.names()
    assert desk.recover(table)["resumed"] is True
    assert different_items(before, items(desk.engine.aws, table)) == 0


def test_a_half_recovered_table_is_not_backed_up(desk: Desk, table: str) -> None:
    """A table that a recovery has only begun to load never becomes the newest backup."""
    desk.back_up(table)
    desk.engine.lose(table)
    with front_of(desk.engine.tables, refused=("BatchWriteItem",)) as front:
        assert desk.shell.run("recover", table, "--yes", AWS_ENDPOINT_URL_DYNAMODB=front.url).code == 12
    assert desk.shell.run("backup", "run", table).code != 0
    assert [one["items"] for one in desk.backups(table)] == [60]

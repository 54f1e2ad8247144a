"""Repairs on every engine: each edge of an item comes back under a condition, and goes again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recovery.testing.embedded_aws import ACCOUNT
from recovery.testing.equality import different_items, items
from tests.engines.edge_items import KEY

if TYPE_CHECKING:
    from tests.engines.desk import Desk


def repair(desk: Desk, *arguments: str, code: int = 0) -> Any:
    """With all that is needed where nobody can be asked."""
    done = desk.shell.run("repair", *arguments, "--confirm", desk.name, "--account", ACCOUNT, "--json")
    assert done.code == code, f"{done.code} {done.out} {done.err}"
    return done


def test_bad_writes_are_taken_back_and_made_again(desk: Desk, edges: str) -> None:
    """Items of every edge that were changed or removed: put back, all equal, and undone, all as before."""
    before = items(desk.engine.aws, edges)
    desk.back_up(edges)
    client = desk.engine.client
    for number, item in enumerate(before):
        if number % 3 == 0:
            client.delete_item(TableName=edges, Key={KEY: item[KEY]})
        elif number % 3 == 1:
            client.put_item(TableName=edges, Item={KEY: item[KEY], "broken": {"L": [{"NS": ["1", "2"]}]}})
    client.put_item(TableName=edges, Item={KEY: {"S": "added by mistake"}})
    bad = items(desk.engine.aws, edges)
    assert desk.shell.run("diff", edges).code == 3
    repair(desk, edges, "--from", "latest", "--only", "removed", "--only", "changed", "--only", "added")
    assert different_items(before, items(desk.engine.aws, edges)) == 0
    assert desk.shell.run("diff", edges).code == 0
    repair(desk, "undo", edges)
    assert different_items(bad, items(desk.engine.aws, edges)) == 0


def test_edges_stand_in_conditions(desk: Desk, edges: str) -> None:
    """Every edge is overwritten under a condition over all of its attributes, and put back under another."""
    aws, client = desk.engine.aws, desk.engine.client
    right = items(aws, edges)
    for item in right:
        client.put_item(TableName=edges, Item={KEY: item[KEY]})
    desk.back_up(edges)
    emptied = items(aws, edges)
    for item in right:
        client.put_item(TableName=edges, Item=item)
    repair(desk, edges, "--from", "latest")
    assert different_items(emptied, items(aws, edges)) == 0
    repair(desk, "undo", edges)
    assert different_items(right, items(aws, edges)) == 0


def test_somebody_elses_write_stays(desk: Desk, table: str) -> None:
    """An item that has changed since the repair is not undone."""
    client = desk.engine.client
    first = items(desk.engine.aws, table)[0]
    desk.back_up(table)
    client.put_item(TableName=table, Item={KEY: first[KEY]})
    repair(desk, table, "--from", "latest")
    theirs = {**first, "one more attribute": {"S": "theirs"}}
    client.put_item(TableName=table, Item=theirs)
    repair(desk, "undo", table, code=3)
    assert client.get_item(TableName=table, Key={KEY: first[KEY]}, ConsistentRead=True)["Item"] == theirs

"""The engines are what capabilities.py and docs/engines.md say of them: seen here, not believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from recovery.testing.equality import different_items
from tests.cli.running import ROOT
from tests.engines.capabilities import ENGINES
from tests.engines.edge_items import KEY, edge_items
from tests.engines.features import FEATURES
from tests.engines.wrong_requests import WRONG

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engines.capabilities import Capabilities
    from tests.engines.desk import Desk
    from tests.engines.edge_items import Item
    from tests.engines.engine import Engine
    from tests.engines.features import Feature


def test_what_the_engine_takes_is_what_is_said_of_it(desk: Desk, capabilities: Capabilities) -> None:
    """It refuses, and respells, those items that it is said to, and keeps every other one as it was put."""
    desk.engine.make_table(desk.name)
    seen = {name: fate(desk, item) for name, item in edge_items().items()}
    assert {name for name, what in seen.items() if what == "refused"} == set(capabilities.refuses)
    assert {name for name, what in seen.items() if what == "respelled"} == set(capabilities.respells)


def fate(desk: Desk, item: Item) -> str:
    """What becomes of an item that is put and read back."""
    try:
        desk.engine.client.put_item(TableName=desk.name, Item=item)
    except ClientError as error:
        # Anything else is no refusal but a fault, and no item is excused for one.
        if error.response["Error"]["Code"] != "ValidationException":
            raise
        return "refused"
    found = desk.engine.client.get_item(TableName=desk.name, Key={KEY: item[KEY]}, ConsistentRead=True)
    return "respelled" if different_items([item], [found["Item"]]) else "kept"


def test_wrong_requests_that_the_engine_takes_are_said(desk: Desk, capabilities: Capabilities) -> None:
    """What DynamoDB would refuse is refused, but for what is said to be taken."""
    desk.engine.make_table(desk.name)
    taken = {name for name, request in WRONG.items() if is_taken(desk, request)}
    assert taken == set(capabilities.takes)


def is_taken(desk: Desk, request: Callable[[Any, str], object]) -> bool:
    """Whether the engine answers a request without complaint."""
    try:
        request(desk.engine.client, desk.name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationException":
            raise
        return False
    return True


def test_what_the_engine_lacks_is_what_is_said_of_it(desk: Desk, capabilities: Capabilities) -> None:
    """Each feature, asked for by itself, is there unless it is said to be lacking."""
    missing = {
        name
        for number, (name, feature) in enumerate(FEATURES.items())
        if not has(desk.engine, f"{desk.name}-{number}", feature)
    }
    assert missing == set(capabilities.lacks)


def has(engine: Engine, table: str, feature: Feature) -> bool:
    """Whether the API shows a feature that was asked for."""
    try:
        description = engine.make_table(table, **feature.request)
        feature.put(engine, description)
        return bool(feature.read(engine, description) == feature.wanted)
    except ClientError:
        return False


def test_the_engine_is_documented(engine: Engine, capabilities: Capabilities) -> None:
    """docs/engines.md names the version that runs here, and every line of what it lacks, with the reason."""
    page = (ROOT / "docs" / "engines.md").read_text(encoding="utf-8")
    assert f"{engine.name} {engine.version}" in page
    rows = [
        [cell.strip() for cell in line.strip("| ").split(" | ")]
        for line in page.splitlines()
        if line[:1] == "|"
    ]
    told = {(row[0], row[1], row[2]) for row in rows if len(row) > 2}
    assert {(engine.name, name, reason) for name, reason in capabilities.all.items()} <= told


def test_no_engine_is_said_to_lack_what_nobody_asks_for() -> None:
    """Every name in capabilities.py is one of a feature or of an item: a misspelled one would excuse nothing."""
    known = {*FEATURES, *edge_items(), *WRONG}
    said = {name for one in ENGINES.values() for name in one.all}
    assert said <= known

"""Tables of every shape come back as they were: keys, indexes, settings, names, and those without items."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.loaders import Loader

from recovery.testing.equality import different_items, items
from tests.engines.edge_items import NINES
from tests.engines.engine import key
from tests.engines.features import FEATURES
from tests.engines.front import front_of

if TYPE_CHECKING:
    from tests.engines.capabilities import Capabilities
    from tests.engines.desk import Desk
    from tests.engines.edge_items import Item

# The longest keys that DynamoDB takes: 2,048 bytes for a partition key, 1,024 for a sort key.
KEYS: dict[str, tuple[list[Item], list[Item]]] = {
    "S": (
        [
            {"S": text}
            for text in (
                "a",
                " ",
                "\x00",
                "\u2028",
                "e\u0301",
                "\u00e9",
                "\U0001f680",
                "/",
                '"\\',
                "x" * 2048,
            )
        ],
        [{"S": text} for text in ("a", "#", "A", "\U0010ffff", "x" * 1024)],
    ),
    "N": (
        [{"N": text} for text in ("0", "1.50", "-1", NINES, f"-{NINES}", "1E-130", "9.9E+125", "-9.9E+125")],
        [{"N": text} for text in ("0", "-0.5", "100", "1E-130", f"0.{NINES}")],
    ),
    "B": (
        [{"B": value} for value in (b"\x00", b"\x00\x00", b"\xff", b"a", bytes(range(256)) * 8)],
        [{"B": value} for value in (b"\x00", b"\xff\xfe", b"AA==", bytes(range(256)) * 4)],
    ),
}
INDEX_KEYS = ("customer", "when", "amount")


def test_pairs_of_keys_of_every_type_come_back(desk: Desk) -> None:
    """Partition and sort keys of every type and at the edges of their range find the items that they found."""
    shapes = ["SN", "NB", "BS"]
    for shape in shapes:
        desk.engine.make_table(f"{desk.name}.{shape}", keyed(shape), **key(*shape))
    tables = {f"{desk.name}.{shape}": shape for shape in shapes}
    before = {table: items(desk.engine.aws, table) for table in tables}
    assert {table: len(before[table]) for table in tables} == {
        table: len(keyed(shape)) for table, shape in tables.items()
    }
    desk.back_up(*tables)
    for table in tables:
        desk.engine.lose(table)
    desk.recover_all(tables)
    for table in tables:
        assert different_items(before[table], items(desk.engine.aws, table)) == 0
        for item in before[table]:
            its_key = {name: item[name] for name in ("pk", "sk")}
            found = desk.engine.client.get_item(TableName=table, Key=its_key, ConsistentRead=True)
            assert different_items([item], [found["Item"]]) == 0


def keyed(shape: str) -> list[Item]:
    """An item for each pair of keys."""
    pairs = [(one, two) for one in KEYS[shape[0]][0] for two in KEYS[shape[1]][1]]
    return [{"pk": one, "sk": two, "number": {"N": str(number)}} for number, (one, two) in enumerate(pairs)]


def test_key_attributes_of_any_name(desk: Desk) -> None:
    """Names that have to be escaped do as names of keys, too."""
    names = ('h"\\ #:.\n\u2028', "\U0001f680" * 63)
    put = [{names[0]: {"S": f"{number}"}, names[1]: {"N": str(number)}} for number in range(3)]
    desk.engine.make_table(desk.name, put, **key("S", "N", names=names))
    before = desk.state(desk.name)
    desk.back_up(desk.name)
    desk.engine.lose(desk.name)
    desk.recover(desk.name)
    desk.same_as((put, before[1]), desk.name)


def test_names_of_tables(desk: Desk) -> None:
    """Whatever DynamoDB allows in a name is one: dots, dashes, an option, and up to the longest, 255 characters."""
    tables = ["...", "---", "--yes", f"{desk.name}.._.-UPPER.lower", desk.name.ljust(255, "x")]
    round_trip(desk, *tables)
    for table in tables:
        desk.engine.lose(table)


def test_a_name_that_begins_like_an_incident(desk: Desk) -> None:
    """A table may be called what an incident's id begins with, and is recovered by that name all the same."""
    round_trip(desk, f"20261123T031200Z-{desk.name}")


def round_trip(desk: Desk, *tables: str) -> None:
    """Make, back up, lose and recover tables of two items."""
    put: list[Item] = [{"pk": {"S": "a"}}, {"pk": {"S": "b"}}]
    for table in tables:
        desk.engine.make_table(table, put)
    before = {table: desk.state(table)[1] for table in tables}
    desk.back_up(*tables)
    for table in tables:
        desk.engine.lose(table)
    desk.recover_all(tables)
    for table in tables:
        desk.same_as((put, before[table]), table)


def test_what_is_sent_is_within_the_limits_of_the_api(desk: Desk) -> None:
    """The tags of a table with the longest name are as short as CreateTable wants them, which no engine checks."""
    model = Loader().load_service_model("dynamodb", "service-2")["shapes"]
    table = desk.name.ljust(255, "x")
    desk.engine.make_table(table)
    desk.back_up(table)
    desk.engine.lose(table)
    with front_of(desk.engine.tables) as front:
        desk.ok("recover", "--yes", table, AWS_ENDPOINT_URL_DYNAMODB=front.url)
    (created,) = front.of("CreateTable")
    for tag in created["Tags"]:
        assert len(tag["Key"]) <= model["TagKeyString"]["max"]
        assert len(tag["Value"]) <= model["TagValueString"]["max"]


def test_an_empty_table_comes_back(desk: Desk) -> None:
    """A table without items is backed up and recovered like any other."""
    desk.engine.make_table(desk.name)
    before = desk.state(desk.name)
    desk.back_up(desk.name)
    assert [one["items"] for one in desk.backups(desk.name)] == [0]
    desk.engine.lose(desk.name)
    assert desk.recover(desk.name)["items_verified"] == 0
    assert desk.state(desk.name) == before


def test_more_items_than_a_page_holds(desk: Desk) -> None:
    """Scans of several pages and files of many batches lose nothing at their seams."""
    put: list[Item] = [{"pk": {"S": f"{number:05}"}, "v": {"S": "x" * 20_000}} for number in range(150)]
    desk.engine.make_table(desk.name, put)
    page = desk.engine.client.scan(TableName=desk.name)
    assert "LastEvaluatedKey" in page
    desk.back_up(desk.name)
    desk.engine.lose(desk.name)
    desk.recover(desk.name)
    assert different_items(put, items(desk.engine.aws, desk.name)) == 0


def test_indexes_come_back_and_answer(desk: Desk) -> None:
    """Local and global indexes of every projection are there again, and a query on each finds what it found."""
    put: list[Item] = [
        {
            "customer": {"S": f"c{number % 3}"},
            "when": {"N": str(number)},
            "amount": {"N": f"{number * 7 % 10}"},
            "note": {"S": f"note {number}"},
            "left out": {"B": b"\x00"},
        }
        for number in range(30)
    ]
    desk.engine.make_table(desk.name, put, **indexed())
    before, answers = desk.state(desk.name), index_answers(desk)
    assert all(answers.values())
    desk.back_up(desk.name)
    desk.engine.lose(desk.name)
    desk.recover(desk.name)
    desk.same_as(before, desk.name)
    assert index_answers(desk) == answers


def indexed() -> dict[str, Any]:
    """A CreateTable request with two local and two global indexes, provisioned, so that each has its own units."""
    units = {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2}
    include = {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["note"]}

    def keyed_by(*names: str) -> list[dict[str, str]]:
        return [
            {"AttributeName": name, "KeyType": role}
            for name, role in zip(names, ("HASH", "RANGE"), strict=False)
        ]

    return {
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 4},
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": kind}
            for name, kind in zip(INDEX_KEYS, "SNN", strict=True)
        ],
        "KeySchema": keyed_by("customer", "when"),
        "LocalSecondaryIndexes": [
            {"IndexName": "by.amount", "KeySchema": keyed_by("customer", "amount"), "Projection": include},
            {
                "IndexName": "by-amount_all",
                "KeySchema": keyed_by("customer", "amount"),
                "Projection": {"ProjectionType": "ALL"},
            },
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "amounts",
                "KeySchema": keyed_by("amount", "when"),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
                "ProvisionedThroughput": units,
            },
            {
                "IndexName": "times",
                "KeySchema": keyed_by("when"),
                "Projection": include,
                "ProvisionedThroughput": units,
            },
        ],
    }


def index_answers(desk: Desk) -> dict[str, str]:
    """What a query on each index finds."""
    questions: dict[str, tuple[str, Item]] = {
        "by.amount": ("customer", {"S": "c1"}),
        "by-amount_all": ("customer", {"S": "c1"}),
        "amounts": ("amount", {"N": "7"}),
        "times": ("when", {"N": "11"}),
    }
    answers = {}
    for index, (name, value) in questions.items():
        found = desk.engine.client.query(
            TableName=desk.name,
            IndexName=index,
            KeyConditionExpression="#k = :v",
            ExpressionAttributeNames={"#k": name},
            ExpressionAttributeValues={":v": value},
        )["Items"]
        answers[index] = json.dumps(sorted(found, key=repr), default=repr, sort_keys=True)
        assert found, index
    return answers


def test_every_setting_that_the_engine_has_comes_back(desk: Desk, capabilities: Capabilities) -> None:
    """All settings at once, and not one of them is missing or other than it was."""
    has = [feature for name, feature in FEATURES.items() if name not in capabilities.lacks]
    request: dict[str, Any] = {}
    for feature in has:
        request.update(feature.request)
    description = desk.engine.make_table(desk.name, [{"pk": {"S": "a"}}], **request)
    for feature in has:
        feature.put(desk.engine, description)
    before = desk.state(desk.name)
    desk.back_up(desk.name)
    # With point-in-time recovery on, an export is asked for; one that is not whole must not be taken for a backup.
    assert desk.backups(desk.name)[0]["engine"] == (
        "scan" if "whole exports" in capabilities.lacks else "export"
    )
    if "deletion protection" not in capabilities.lacks:
        desk.engine.client.update_table(TableName=desk.name, DeletionProtectionEnabled=False)
    desk.engine.lose(desk.name)
    report = desk.recover(desk.name)
    assert (report["differences"], report["follow_ups"]) == ([], [])
    assert desk.state(desk.name) == before
    now = desk.engine.client.describe_table(TableName=desk.name)["Table"]
    now["FirstStatus"] = description["FirstStatus"]
    for feature in has:
        assert feature.read(desk.engine, now) == feature.wanted, feature.name

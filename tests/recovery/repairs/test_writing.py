"""Writing an item only while it still is what was seen."""

from __future__ import annotations

import json
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from botocore.validate import ParamValidator

from recovery.progress import NoProgress
from recovery.repairs.conditions import MAX_COMPARISONS, MAX_EXPRESSION_BYTES, absent, still
from recovery.repairs.journal import Step
from recovery.repairs.sides import TableSide
from recovery.repairs.writing import ItemWriter, Outcome
from rules.errors import UnavailableError
from tests.recovery.recovering import Item, Process, make_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY = b'{"pk":{"S":"a"}}'
EVERY_TYPE: Item = {
    "pk": {"S": "a"},
    "n": {"N": "12345678901234567890.5"},
    "b": {"B": b"\x00\xff"},
    "ss": {"SS": ["x", "y"]},
    "ns": {"NS": ["1", "2"]},
    "bs": {"BS": [b"\x01", b"\x02"]},
    "null": {"NULL": True},
    "yes": {"BOOL": True},
    "m": {"M": {"l": {"L": [{"N": "1"}, {"M": {}}]}}},
    "a name with #, : and spaces": {"S": "é"},
}


class Desk:
    """One item in one table, and what writes it."""

    def __init__(self, net: Process, plain: DynamoDBClient, table: str, item: Item | None) -> None:
        make_table(plain, table, [item] if item else [])
        self.net, self.plain, self.table = net, plain, table
        self.side = TableSide(net.aws, net.tables, table, net.sleep, NoProgress())
        self.writer = ItemWriter(self.side, net.sleep)
        self.seen = self.side.one(KEY)

    def take(self, after: bytes, before: bytes | None = None) -> Outcome:
        """Take a step from what was seen."""
        return self.writer.take(Step(KEY, self.seen if before is None else before, after), Event())

    def put(self, item: Item) -> None:
        """Somebody else writes."""
        self.plain.put_item(TableName=self.table, Item=item)

    def item(self) -> Any:
        """The item as it is."""
        return self.plain.get_item(TableName=self.table, Key={"pk": {"S": "a"}}).get("Item")


NEW = b'{"pk":{"S":"a"},"v":{"S":"new"}}'


def test_an_item_of_every_type_is_written_if_nobody_has_touched_it(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """All types can stand in a condition, and strange names, too."""
    desk = Desk(net, plain, table, EVERY_TYPE)
    assert desk.take(NEW) is Outcome.WRITTEN
    assert desk.item() == json.loads(NEW)


@pytest.mark.parametrize("name", [name for name in EVERY_TYPE if name != "pk"])
def test_one_changed_attribute_is_enough(net: Process, plain: DynamoDBClient, table: str, name: str) -> None:
    """Whichever it is, the item stays as somebody else has written it."""
    desk = Desk(net, plain, table, EVERY_TYPE)
    theirs = {**EVERY_TYPE, name: {"S": "theirs"}}
    desk.put(theirs)
    assert desk.take(NEW) is Outcome.REFUSED
    assert desk.item() == theirs


def test_a_missing_item_is_put_only_where_there_is_none(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """Somebody else's new item of that key stays."""
    desk = Desk(net, plain, table, None)
    theirs: Item = {"pk": {"S": "a"}, "v": {"S": "theirs"}}
    desk.put(theirs)
    assert desk.take(NEW) is Outcome.REFUSED
    assert desk.item() == theirs
    plain.delete_item(TableName=table, Key={"pk": {"S": "a"}})
    assert desk.take(NEW) is Outcome.WRITTEN
    assert desk.take(NEW) is Outcome.ALREADY


def test_an_item_is_deleted_only_as_it_was_seen(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Once changed it stays; once gone it is gone already."""
    desk = Desk(net, plain, table, EVERY_TYPE)
    desk.put({**EVERY_TYPE, "n": {"N": "1"}})
    assert desk.take(b"") is Outcome.REFUSED
    desk.put(EVERY_TYPE)
    assert desk.take(b"") is Outcome.WRITTEN
    assert desk.item() is None
    assert desk.take(b"") is Outcome.ALREADY


def test_an_attribute_that_the_write_would_bring(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Somebody has added it meanwhile: the condition knows its name."""
    desk = Desk(net, plain, table, {"pk": {"S": "a"}})
    theirs: Item = {"pk": {"S": "a"}, "v": {"S": "theirs"}}
    desk.put(theirs)
    net.faults.reset()
    assert desk.take(NEW) is Outcome.REFUSED
    assert net.faults.calls == ["PutItem", "BatchGetItem"]
    assert desk.item() == theirs


@pytest.mark.parametrize("after", [NEW, b""], ids=["put", "delete"])
def test_an_attribute_that_no_condition_could_name(
    net: Process, plain: DynamoDBClient, table: str, after: bytes
) -> None:
    """It is found in the image that was overwritten, which is put back at once."""
    desk = Desk(net, plain, table, {"pk": {"S": "a"}, "v": {"S": "bad"}})
    theirs: Item = {"pk": {"S": "a"}, "v": {"S": "bad"}, "theirs": {"S": "precious"}}
    desk.put(theirs)
    assert desk.take(after) is Outcome.REFUSED
    assert desk.item() == theirs


def test_who_writes_after_us_wins_even_while_we_put_back(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """The image that would be put back is older than theirs."""
    desk = Desk(net, plain, table, {"pk": {"S": "a"}, "v": {"S": "bad"}})
    desk.put({"pk": {"S": "a"}, "v": {"S": "bad"}, "theirs": {"S": "precious"}})
    last: Item = {"pk": {"S": "a"}, "v": {"S": "newest"}}
    writes = 0

    def meanwhile(_: dict[str, Any]) -> None:
        nonlocal writes
        writes += 1
        desk.put(last)

    net.faults.change_answer("PutItem", meanwhile)
    assert desk.take(NEW) is Outcome.REFUSED
    assert writes == 1
    assert desk.item() == last


def test_a_lost_answer_is_no_second_write(net: Process, plain: DynamoDBClient, table: str) -> None:
    """The item is what it should be: it is recognised."""
    desk = Desk(net, plain, table, {"pk": {"S": "a"}, "v": {"S": "bad"}})
    net.faults.lose_answer("PutItem")
    assert desk.take(NEW) is Outcome.ALREADY
    assert desk.item() == json.loads(NEW)


def test_throttling_is_waited_out(net: Process, plain: DynamoDBClient, table: str) -> None:
    """And given up after a quarter of an hour, not before."""
    desk = Desk(net, plain, table, {"pk": {"S": "a"}, "v": {"S": "bad"}})
    net.faults.fail("PutItem", times=5, code="ProvisionedThroughputExceededException")
    assert desk.take(NEW) is Outcome.WRITTEN
    assert len(net.sleep.slept) == 5
    net.faults.fail("PutItem", times=1000)
    with pytest.raises(UnavailableError):
        desk.take(b'{"pk":{"S":"a"},"v":{"S":"newer"}}', before=NEW)


def wide(count: int) -> Item:
    """An item of many attributes."""
    return {"pk": {"S": "a"}, **{f"attribute-{number:03}": {"N": str(number)} for number in range(count)}}


def test_more_attributes_than_a_condition_holds(net: Process, plain: DynamoDBClient, table: str) -> None:
    """What does not fit is compared just before the write; a change there is found, too."""
    desk = Desk(net, plain, table, wide(400))
    assert not still(desk.seen, NEW).whole
    theirs = {**wide(400), "attribute-399": {"S": "theirs"}}
    desk.put(theirs)
    net.faults.reset()
    assert desk.take(NEW) is Outcome.REFUSED
    assert "PutItem" not in net.faults.calls
    assert desk.item() == theirs
    desk.put(wide(400))
    assert desk.take(NEW) is Outcome.WRITTEN


def test_a_change_between_the_look_and_the_write(net: Process, plain: DynamoDBClient, table: str) -> None:
    """In an attribute that did not fit: found in the answer, and put back."""
    desk = Desk(net, plain, table, wide(400))
    theirs = {**wide(400), "attribute-399": {"S": "theirs"}}
    net.faults.change_answer("BatchGetItem", lambda _: desk.put(theirs))
    assert desk.take(NEW) is Outcome.REFUSED
    assert desk.item() == theirs


def test_requests_are_what_the_service_model_says(net: Process, plain: DynamoDBClient, table: str) -> None:
    """The ready-made bodies pass botocore by, so its own model of the service is asked here."""
    desk = Desk(net, plain, table, EVERY_TYPE)
    sent: dict[str, Any] = {}

    def look(request: Any, event_name: str, **_: object) -> None:
        sent[event_name.rsplit(".", 1)[-1]] = json.loads(request.body)

    events: Any = desk.side.items._client.meta.events  # noqa: SLF001 - what goes over the wire
    events.register_first("before-send.dynamodb", look)
    try:
        assert desk.take(NEW) is Outcome.WRITTEN
        assert desk.take(b"", before=NEW) is Outcome.WRITTEN
        assert desk.take(NEW, before=b"") is Outcome.WRITTEN
        desk.side.one(KEY)
    finally:
        events.unregister("before-send.dynamodb", look)
    assert set(sent) == {"PutItem", "DeleteItem", "BatchGetItem"}
    for operation, body in sent.items():
        shape: Any = plain.meta.service_model.operation_model(operation).input_shape
        assert not ParamValidator().validate(body, shape).has_errors(), operation


def test_conditions_stay_within_the_limits_of_expressions() -> None:
    """4 KB of text and 300 operators, whatever the item; what differs is compared first."""
    image = json.dumps(wide(3000)).encode()
    changed = json.dumps({**wide(3000), "attribute-2999": {"N": "0"}}).encode()
    document = json.loads(b"{%b}" % still(image, changed).members)
    text = document["ConditionExpression"]
    assert len(text.encode()) <= MAX_EXPRESSION_BYTES
    assert text.count("=") == MAX_COMPARISONS
    assert text.count("=") + text.count(" AND ") < 300
    assert document["ExpressionAttributeNames"]["#0"] == "attribute-2999"
    assert document["ExpressionAttributeValues"][":0"] == {"N": "2999"}


def test_an_endpoint_that_compares_documents_in_its_own_way(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """It refuses although nothing has changed: plain values are compared there, the rest before and after."""
    desk = Desk(net, plain, table, EVERY_TYPE)
    net.faults.fail("PutItem", code="ConditionalCheckFailedException")
    assert desk.take(NEW) is Outcome.WRITTEN
    desk.put(EVERY_TYPE)
    net.faults.reset()
    net.faults.fail("PutItem", times=2, code="ConditionalCheckFailedException")
    assert desk.take(NEW) is Outcome.REFUSED
    assert net.faults.calls.count("PutItem") == 2


def test_a_document_that_changes_where_it_is_not_compared(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """Between the look and the write: found in the answer, and put back."""
    desk = Desk(net, plain, table, EVERY_TYPE)
    theirs: Item = {**EVERY_TYPE, "m": {"M": {"theirs": {"S": "precious"}}}}
    net.faults.fail("PutItem", code="ConditionalCheckFailedException")
    # One look after the refusal, one before the second try, and then nobody looks before the write.
    net.faults.change_answer("BatchGetItem", lambda _: desk.put(theirs), nth=2)
    assert desk.take(NEW) is Outcome.REFUSED
    assert desk.item() == theirs


def test_a_condition_without_documents() -> None:
    """Lists, maps and sets are only to be there."""
    image = b'{"pk":{"S":"a"},"l":{"L":[]},"m": { "M":{}},"s":{"NS":["1"]},"b":{"BOOL":true}}'
    document = json.loads(b"{%b}" % still(image, documents=False).members)
    assert document["ConditionExpression"] == (
        "#0=:0 AND attribute_exists(#1) AND attribute_exists(#2) AND attribute_exists(#3) AND #4=:4"
    )
    assert set(document["ExpressionAttributeValues"]) == {":0", ":4"}


def test_a_missing_item_needs_no_values() -> None:
    """An empty ExpressionAttributeValues would be refused by DynamoDB."""
    assert json.loads(b"{%b}" % absent(["pk", "sk"]).members) == {
        "ConditionExpression": "attribute_not_exists(#0)",
        "ExpressionAttributeNames": {"#0": "pk"},
    }

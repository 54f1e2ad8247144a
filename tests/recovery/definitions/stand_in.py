"""A stand-in for what no emulator has: it answers in AWS's shapes, and remembers what it was told to change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recovery.backups.manifest import TableIdentity
from recovery.definitions.definition import Known, Settings
from recovery.definitions.putting import Putting, Wanted
from recovery.definitions.surroundings import Surroundings
from tests.recovery.recovering import FakeSleep
from tests.recovery.surroundings_answers import Answer, Answers, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.awsrequest import AWSResponse

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
STREAM = f"{ARN}/stream/2026-11-25T00:00:00.000"
OLD_STREAM = f"{ARN}/stream/2026-11-01T00:00:00.000"
SOURCE = TableIdentity(account="123456789012", region="eu-west-1", name="orders", arn=ARN)
ON = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
REQUEST: dict[str, Any] = {
    "TableName": "orders",
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}
NOTHING = Settings(
    stream=Known(),
    deletion_protection=Known(),
    ttl=Known(),
    pitr=Known(),
    tags=Known(),
    resource_policy=Known(),
)


class StandIn(Answers):
    """``described`` is what DescribeTable answers; ``when`` says what a call does. A table of its own for each test."""

    def renewed(self) -> StandIn:
        """The same clients, everything else new."""
        super().renewed()
        self.described: dict[str, Any] = {
            **{name: REQUEST[name] for name in ("TableName", "AttributeDefinitions", "KeySchema")},
            "TableArn": ARN,
            "TableStatus": "ACTIVE",
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        }
        self.sleep = FakeSleep()
        self.does: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "DescribeTable": lambda _: {"Table": dict(self.described)}
        }
        return self

    def when(self, operation: str, do: Callable[[dict[str, Any]], Answer]) -> None:
        """From now on a call does this."""
        self.does[operation] = do

    def updates(self, **members: str) -> None:
        """UpdateTable changes members of the description: by its argument's name, what DescribeTable calls it."""

        def update(request: dict[str, Any]) -> Answer:
            for argument, member in members.items():
                if argument in request:
                    self.described[member] = request[argument]
            return {"TableDescription": dict(self.described)}

        self.when("UpdateTable", update)

    def _answer(self, model: Any, **more: object) -> tuple[AWSResponse, dict[str, Any]]:
        do = self.does.get(model.name)
        if do is not None:
            self.give(model.name, do(self.calls[-1][1]))
        return super()._answer(model, **more)

    def putting(self, table: str = "orders", **surroundings: Any) -> Putting:
        """A pass for what surrounds the table; ``settings`` and ``create_table`` may be given, too."""
        settings = surroundings.pop("settings", NOTHING)
        request = {**REQUEST, **surroundings.pop("create_table", {})}
        known = {name: Known(value=value) for name, value in surroundings.items()}
        parts = Surroundings.not_asked().model_copy(update=known)
        return Putting(self.aws, Wanted(table, request, settings, parts, SOURCE), self.sleep)


__all__ = ["ARN", "NOTHING", "OLD_STREAM", "ON", "SOURCE", "STREAM", "Answer", "Refusal", "StandIn"]

"""Kinesis destinations, contributor insights and warm throughput, each of which takes a while to come about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recovery.definitions.follow_ups import Call
from recovery.definitions.putting import CONFIRM_ATTEMPTS, State, done
from recovery.definitions.surroundings_table import is_warmed_up, warm_throughput

if TYPE_CHECKING:
    from recovery.definitions.putting import Putting

_COMING = frozenset({"ENABLING", "UPDATING"})
_PRECISION = "ApproximateCreationDateTimePrecision"


def put_kinesis_destinations(putting: Putting) -> None:
    """The Kinesis data streams that the table feeds (EnableKinesisStreamingDestination)."""
    for destination in putting.known("kinesis_destinations") or ():
        _put_destination(putting, destination)


def _put_destination(putting: Putting, destination: dict[str, Any]) -> None:
    stream = destination["StreamArn"]
    precision = destination.get("EnableKinesisStreamingConfiguration", {}).get(_PRECISION)

    def found() -> dict[str, Any]:
        answer = putting.reader("dynamodb").ask(
            "describe_kinesis_streaming_destination", TableName=putting.table
        )
        fed = [one for one in answer.get("KinesisDataStreamDestinations", ()) if one["StreamArn"] == stream]
        # One that was switched off stays listed beside one that is on.
        return next((one for one in fed if one.get("DestinationStatus") in {"ACTIVE", *_COMING}), {})

    def enabled() -> State:
        return _state(found().get("DestinationStatus"), "ACTIVE")

    def precise() -> State:
        now = found()
        return (
            State.GOING
            if now.get("DestinationStatus") in _COMING
            else done(when=now.get(_PRECISION) == precision)
        )

    on = putting.put(
        "kinesis_destinations",
        Call(
            "dynamodb",
            "enable_kinesis_streaming_destination",
            {"TableName": putting.table, **destination},
        ),
        enabled,
        confirm=CONFIRM_ATTEMPTS,
    )
    if on and precision:
        update = {
            "TableName": putting.table,
            "StreamArn": stream,
            "UpdateKinesisStreamingConfiguration": {_PRECISION: precision},
        }
        putting.put(
            "kinesis_destinations", Call("dynamodb", "update_kinesis_streaming_destination", update), precise
        )


def put_contributor_insights(putting: Putting) -> None:
    """Contributor insights of the table and of each index that had them (UpdateContributorInsights)."""
    for wanted in putting.known("contributor_insights") or ():
        _put_insights(putting, wanted)


def _put_insights(putting: Putting, wanted: dict[str, Any]) -> None:
    index = {name: wanted[name] for name in ("IndexName",) if name in wanted}

    def state() -> State:
        found = putting.reader("dynamodb").ask(
            "describe_contributor_insights", TableName=putting.table, **index
        )
        # Where there is but one mode, none is told.
        mode = found.get("ContributorInsightsMode")
        if mode and mode != wanted.get("ContributorInsightsMode", mode):
            return State.TO_DO
        return _state(found.get("ContributorInsightsStatus"), "ENABLED")

    putting.put(
        "contributor_insights",
        Call("dynamodb", "update_contributor_insights", {"TableName": putting.table, **wanted}),
        state,
        confirm=CONFIRM_ATTEMPTS,
    )


def _state(status: str | None, on: str) -> State:
    return State.GOING if status in _COMING else done(when=status == on)


def put_warm_throughput(putting: Putting) -> None:
    """Warm throughput, only of what could do more at once than a new table can: it costs money."""
    wanted = putting.known("warm_throughput")
    if not wanted or not is_warmed_up(wanted, putting.wanted.create_table):
        return
    if update := warming(wanted, putting.described()):
        putting.put(
            "warm_throughput",
            putting.update_table(**update),
            lambda: done(when=not warming(wanted, putting.described())),
        )


def warming(wanted: dict[str, Any], description: dict[str, Any]) -> dict[str, Any]:
    """What of a recorded warm throughput the table and its indexes lack; it can only be raised."""
    found = warm_throughput(description) if description.get("WarmThroughput") else {}
    have = {
        update["Update"]["IndexName"]: update["Update"]["WarmThroughput"]
        for update in found.get("GlobalSecondaryIndexUpdates", ())
    }
    present = {index["IndexName"] for index in description.get("GlobalSecondaryIndexes") or ()}
    table = _raised(wanted.get("WarmThroughput", {}), found.get("WarmThroughput", {}))
    indexes = [
        {"Update": {"IndexName": name, "WarmThroughput": units}}
        for update in wanted.get("GlobalSecondaryIndexUpdates", ())
        if (name := update["Update"]["IndexName"]) in present
        and (units := _raised(update["Update"]["WarmThroughput"], have.get(name, {})))
    ]
    return {
        **({"WarmThroughput": table} if table else {}),
        **({"GlobalSecondaryIndexUpdates": indexes} if indexes else {}),
    }


def _raised(wanted: dict[str, int], found: dict[str, int]) -> dict[str, int]:
    """Both units, the higher of each, where one is higher than now: AWS takes no lower one."""
    if all(units <= found.get(name, 0) for name, units in wanted.items()):
        return {}
    return {name: max(units, found.get(name, 0)) for name, units in wanted.items()}

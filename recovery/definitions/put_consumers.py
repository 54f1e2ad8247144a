"""The Lambda functions that read the table's stream: their event source mappings, made anew on the new stream.

A mapping cannot be moved to another stream. The new one starts at LATEST, so that what was loaded is not told
again. The old one, which waits at a stream that will never say anything any more, is deleted once its successor is
there. Lambda takes one mapping for each function and stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recovery.definitions.follow_ups import Call
from recovery.definitions.putting import State, done
from recovery.errors import TableNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recovery.definitions.putting import Putting

_GOING = "Deleting"
# Where the old one stood does not count any more.
_OF_THE_OLD_STREAM = ("EventSourceArn", "StartingPosition", "StartingPositionTimestamp")


def put_stream_consumers(putting: Putting) -> None:
    """Each consumer that was recorded (CreateEventSourceMapping, DeleteEventSourceMapping)."""
    consumers = putting.known("stream_consumers") or ()
    stream = putting.stream_arn() if consumers else ""
    for consumer in consumers:
        unseen = bool(consumer.get("FilterCriteriaError"))
        request = mapping_request(consumer["CreateEventSourceMapping"], enabled=False if unseen else None)
        if not stream:
            option = (f"--event-source-arn {putting.stream_for_shell()}",)
            call = Call("lambda", "create_event_source_mapping", request, option)
            putting.leave("stream_consumers", "the table has no stream to read", call)
            created = False
        else:
            created = _created(putting, {**request, "EventSourceArn": stream})
        if created and unseen:
            _leave_filter(putting, consumer, stream)
        elif putting.renaming.same_table and not unseen:
            _delete_old(putting, str(consumer.get("UUID", "")), stream, now=created)


def mapping_request(recorded: dict[str, Any], *, enabled: bool | None = None) -> dict[str, Any]:
    """CreateEventSourceMapping but for the stream's ARN; ``enabled`` None keeps what was recorded."""
    kept = {name: value for name, value in recorded.items() if name not in _OF_THE_OLD_STREAM}
    # ListEventSourceMappings shows a destination that there is not as an empty one.
    if not any(kept.get("DestinationConfig", {}).values()):
        kept.pop("DestinationConfig", None)
    return {
        **kept,
        "StartingPosition": "LATEST",
        "Enabled": kept.get("Enabled", True) if enabled is None else enabled,
    }


def _created(putting: Putting, request: dict[str, Any]) -> bool:
    def state() -> State:
        return done(when=any(_mappings(putting, request["EventSourceArn"], request["FunctionName"])))

    return putting.put(
        "stream_consumers", Call("lambda", "create_event_source_mapping", request), state, must_see=True
    )


def _mappings(putting: Putting, stream: str, function: str) -> Iterator[dict[str, Any]]:
    """What reads a stream for one function, version or alias."""
    listed = putting.reader("lambda").listed(
        "list_event_source_mappings",
        "EventSourceMappings",
        marker="Marker",
        next_marker="NextMarker",
        EventSourceArn=stream,
    )
    return (one for one in listed if one.get("FunctionArn") == function and one.get("State") != _GOING)


def _leave_filter(putting: Putting, consumer: dict[str, Any], stream: str) -> None:
    """The new mapping is off, the old one stays: who may see its filter takes it over from there."""
    function, old = consumer["CreateEventSourceMapping"]["FunctionName"], consumer.get("UUID", "")
    mapping = next(_mappings(putting, stream, function), {})
    if mapping.get("FilterCriteria") or mapping.get("State") in {"Enabled", "Enabling"}:
        return  # somebody has done so
    filters = (
        f'--filter-criteria "$(aws lambda get-event-source-mapping --region {putting.region} --uuid {old} '
        '--query FilterCriteria --output json)"'
    )
    putting.leave(
        "stream_consumers",
        f"the filter of {function} could not be read at backup, so its new mapping is disabled: without a filter "
        "the function would be called with everything",
        Call(
            "lambda",
            "update_event_source_mapping",
            {"UUID": mapping.get("UUID", ""), "Enabled": True},
            (filters,),
        ),
    )


def _delete_old(putting: Putting, uuid: str, stream: str, *, now: bool) -> None:
    """Delete the mapping of the dead stream; one whose successor is not there yet is left to people, too."""
    if not uuid:
        return

    def state() -> State:
        try:
            mapping = putting.reader("lambda").ask("get_event_source_mapping", UUID=uuid)
        except TableNotFoundError:
            return State.DONE  # ResourceNotFoundException, of Lambda
        source = str(mapping.get("EventSourceArn", ""))
        mine = source.startswith(f"{putting.arn}/stream/") and source != stream
        return done(when=not mine or mapping.get("State") == _GOING)

    call = Call("lambda", "delete_event_source_mapping", {"UUID": uuid})
    if now:
        putting.put("stream_consumers", call, state, must_see=True)
    elif state() is State.TO_DO:
        putting.leave("stream_consumers", "it reads a stream that is dead, and has no successor yet", call)

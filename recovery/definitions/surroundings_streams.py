"""Who reads a table's stream: the event source mappings of Lambda functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recovery.definitions.reader import Reader

_OFF = frozenset({"Disabled", "Disabling"})
_GOING = "Deleting"


def stream_consumers(functions: Reader, description: dict[str, Any]) -> list[dict[str, Any]] | None:
    """One entry a mapping: its UUID and state, and what CreateEventSourceMapping takes but for the stream's ARN.

    A table that comes back has a stream of another ARN, and a mapping cannot be moved to it.
    ``FilterCriteriaError`` says that there is a filter which the caller may not see: without it the function
    would be called with everything.
    """
    arn = description.get("LatestStreamArn")
    if not arn:
        return None
    mappings = functions.listed(
        "list_event_source_mappings",
        "EventSourceMappings",
        marker="Marker",
        next_marker="NextMarker",
        EventSourceArn=arn,
    )
    return [_consumer(functions, mapping) for mapping in mappings if mapping.get("State") != _GOING] or None


def _consumer(functions: Reader, mapping: dict[str, Any]) -> dict[str, Any]:
    request = functions.request_for("CreateEventSourceMapping", mapping)
    request.pop("EventSourceArn", None)
    request["FunctionName"] = mapping["FunctionArn"]
    request["Enabled"] = mapping.get("State") not in _OFF
    seen = ("UUID", "State", "FilterCriteriaError")
    return {
        **{name: mapping[name] for name in seen if mapping.get(name)},
        "CreateEventSourceMapping": request,
    }

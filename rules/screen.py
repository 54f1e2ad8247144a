"""The screen before the parser: files into records, and records that nobody watches left out, on raw bytes.

Of a thousand records in a trail's archive a few are about tables, stacks or the net. Reading two names out of a
record costs a twentieth of parsing it; msgspec passes over the rest of it without making objects. What cannot be
told for sure is let through, so that the parser has the last word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from rules.actions import API_CALL, API_CALL_IN_CHINA
from rules.errors import EventError
from rules.json_documents import short
from rules.watched import ACTIONS_BY_CALL

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Call(msgspec.Struct):
    eventSource: str = ""  # noqa: N815 - CloudTrail's own name
    eventName: str = ""  # noqa: N815 - CloudTrail's own name


class _Probe(_Call):
    detail_type: str | None = msgspec.field(name="detail-type", default=None)
    detail: _Call | None = None


class _LookedUp(msgspec.Struct):
    """One entry of LookupEvents' answer; the record is a text in it."""

    record: str = msgspec.field(name="CloudTrailEvent")


class _Whole(msgspec.Struct):
    """A file: records of a trail, an answer of LookupEvents, a notification of SNS, or one event."""

    records: list[msgspec.Raw] | None = msgspec.field(name="Records", default=None)
    events: list[_LookedUp] | None = msgspec.field(name="Events", default=None)
    message: str | None = msgspec.field(name="Message", default=None)
    detail_type: Any = msgspec.field(name="detail-type", default=None)
    event_name: Any = msgspec.field(name="eventName", default=None)


_PROBE = msgspec.json.Decoder(_Probe)
_WHOLE = msgspec.json.Decoder(_Whole)
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_LINES = msgspec.json.Decoder(msgspec.Raw)
_EVENT_NAME = b'"eventName":"'
_WATCHED_NAMES = frozenset(name.encode() for _, name in ACTIONS_BY_CALL)
_API_CALLS = (API_CALL, API_CALL_IN_CHINA)


def records_in(content: bytes) -> Iterator[bytes]:
    """The raw JSON of every event in a file.

    A file is ``{"Records": [...]}``, an array, JSON lines, an answer of LookupEvents, a notification of SNS around
    one of these, or one event. Raises EventError for a content that is none of these.
    """
    text = content.strip()
    try:
        if text.startswith(b"["):
            yield from map(bytes, _ARRAY.decode(text))
            return
        try:
            whole = _WHOLE.decode(text)
        except msgspec.DecodeError:
            # Several documents, one a line; anything else fails again.
            lines = _LINES.decode_lines(text)
            if len(lines) < 2:  # noqa: PLR2004 - one line is one document
                raise
            yield from map(bytes, lines)
            return
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise EventError(short(f"not a file of events: {error}")) from error
    yield from _records_of(whole, text)


def _records_of(whole: _Whole, text: bytes) -> Iterator[bytes]:
    if whole.records is not None:
        yield from map(bytes, whole.records)
    elif whole.events is not None:
        for event in whole.events:
            yield event.record.encode()
    elif whole.detail_type is not None or whole.event_name is not None:
        yield text
    elif whole.message is not None and whole.message.lstrip()[:1] in ("{", "["):
        yield from records_in(whole.message.encode())
    else:
        raise EventError("not a file of events: neither Records, nor Events, nor an event")


def may_be_watched(record: bytes) -> bool:
    """Whether an event's raw JSON might be about something that is watched; only a sure no is False."""
    # A yes may be wrong, so a look at the text is enough for it; a no has to be read.
    start = record.find(_EVENT_NAME) + len(_EVENT_NAME)
    if record[start : record.find(b'"', start)] in _WATCHED_NAMES:
        return True
    try:
        probe = _PROBE.decode(record)
    except (msgspec.DecodeError, RecursionError):
        return True
    call: _Call | None = probe
    if probe.detail_type is not None:
        if probe.detail_type not in _API_CALLS:
            return True
        call = probe.detail
    if call is None or not call.eventName or not call.eventSource:
        return True
    return (call.eventSource, call.eventName) in ACTIONS_BY_CALL


def candidates(content: bytes) -> Iterator[bytes]:
    """The raw JSON of every event in a file that may be watched. Raises EventError as ``records_in``."""
    return filter(may_be_watched, records_in(content))

"""Where in a parsed record the values are that patterns ask about by their paths in the document."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from rules.records import CloudTrailRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

_DETAIL = "detail"
# Objects whose keys are the caller's or the service's own.
FREE_OBJECTS = {
    "detail.requestParameters": "request_parameters",
    "detail.responseElements": "response_elements",
}


def _paths(struct: type[msgspec.Struct], path: str, attribute: str) -> Iterator[tuple[str, str]]:
    for field in msgspec.structs.fields(struct):
        here, there = f"{path}.{field.encode_name}", attribute + field.name
        inner = [
            one for one in get_args(field.type) if isinstance(one, type) and issubclass(one, msgspec.Struct)
        ]
        if inner:
            yield from _paths(inner[0], here, there + ".")
        elif field.type is not datetime and not _is_container(field.type):
            yield here, there  # a time is no longer the text that patterns ask about


def _is_container(annotation: Any) -> bool:
    return any(getattr(one, "__origin__", one) in (list, dict) for one in (annotation, *get_args(annotation)))


# ``detail.userIdentity.sessionContext.sessionIssuer.userName`` and so on, each with the attributes that lead there.
ATTRIBUTES: dict[str, str] = dict(_paths(CloudTrailRecord, _DETAIL, ""))

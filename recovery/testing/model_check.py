"""Requests checked against botocore's own service model, as AWS would: what boto3 lets through is looked at, too.

boto3 itself checks types, required members and the lower ends of ranges. Patterns, enumerations and upper ends are
left to the service; a stand-in that left them out would take requests that AWS refuses.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import Shape

_PYTHON: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "long": int,
    "boolean": bool,
    "list": list,
    "map": dict,
    "structure": dict,
}


@cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def model_faults(service: str, operation: str, body: dict[str, Any]) -> list[str]:
    """What is wrong with a request's body, one line each: member and rule, never the value."""
    return list(_faults(_model(service).operation_model(operation).input_shape, body, operation))


def answer_faults(service: str, operation: str, body: dict[str, Any]) -> list[str]:
    """The same of an answer: what a stand-in says must be what AWS could say."""
    return list(_faults(_model(service).operation_model(operation).output_shape, body, operation))


def _faults(shape: Any, value: Any, where: str) -> Iterator[str]:
    kind = _PYTHON.get(shape.type_name)
    if kind is not None and not isinstance(value, kind):
        yield f"{where}: is no {shape.type_name}"
        return
    yield from _limits(shape, value, where)
    if shape.type_name == "structure":
        yield from _member_faults(shape, value, where)
    elif shape.type_name == "list":
        for number, member in enumerate(value):
            yield from _faults(shape.member, member, f"{where}[{number}]")
    elif shape.type_name == "map":
        for member in value.values():
            yield from _faults(shape.value, member, f"{where}.*")


def _member_faults(shape: Any, value: dict[str, Any], where: str) -> Iterator[str]:
    for name in shape.required_members:
        if name not in value:
            yield f"{where}.{name}: is required"
    for name, member in value.items():
        if name not in shape.members:
            yield f"{where}.{name}: is not in the model"
        else:
            yield from _faults(shape.members[name], member, f"{where}.{name}")


def _limits(shape: Shape, value: Any, where: str) -> Iterator[str]:
    rules = shape.metadata
    if "enum" in rules and value not in rules["enum"]:
        yield f"{where}: is none of {', '.join(rules['enum'])}"
    if (
        "pattern" in rules
        and isinstance(value, str)
        and not re.fullmatch(rules["pattern"].strip("^$"), value)
    ):
        yield f"{where}: does not fit {rules['pattern']}"
    size = len(value) if isinstance(value, str | list | dict) else value
    if "min" in rules and size < rules["min"]:
        yield f"{where}: is less than {rules['min']}"
    if "max" in rules and size > rules["max"]:
        yield f"{where}: is more than {rules['max']}"

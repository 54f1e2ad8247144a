"""The template as CloudFormation would fill it in, as far as tests look at it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cli.deployment.event_rules import event_patterns
from cli.deployment.parameters import CONDITIONS, PARAMETERS
from rules.patterns import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VAULT, PREFIX = "example-vault", "net"
_NOTHING = object()
_NAME = re.compile(r"\$\{([^}]+)\}")


def filled_in(node: Any, values: Mapping[str, str]) -> Any:
    """A part of the template with its references replaced; one that is not in ``values`` stays as ``<name>``."""
    if isinstance(node, list):
        return [one for one in (filled_in(child, values) for child in node) if one is not _NOTHING]
    if not isinstance(node, dict):
        return node
    for function, fill_in in _FUNCTIONS.items():
        if function in node:
            return fill_in(node[function], values)
    children = {key: filled_in(child, values) for key, child in node.items()}
    return {key: child for key, child in children.items() if child is not _NOTHING}


def _if(arguments: list[Any], values: Mapping[str, str]) -> Any:
    condition, then, otherwise = arguments
    return filled_in(then if holds(condition, values) else otherwise, values)


_FUNCTIONS: dict[str, Callable[[Any, Mapping[str, str]], Any]] = {
    "Ref": lambda name, values: _NOTHING if name == "AWS::NoValue" else values.get(name, f"<{name}>"),
    "Fn::GetAtt": lambda path, _: "<{}.{}>".format(*path),
    "Fn::Sub": lambda text, values: _NAME.sub(lambda found: values.get(found[1], f"<{found[1]}>"), text),
    "Fn::If": _if,
}


def holds(condition: str, values: Mapping[str, str]) -> bool:
    """Whether a condition of the template holds: all of them say that a parameter is not its empty value."""
    compared, empty = CONDITIONS[condition]["Fn::Not"][0]["Fn::Equals"]
    given = values.get(compared["Ref"], PARAMETERS[compared["Ref"]].get("Default"))
    return str(given) != str(empty)


def passes(event: Mapping[str, Any], test_source: str = "") -> bool:
    """Whether any event rule of the deployment lets an event through."""
    values = {"VaultBucket": VAULT, "VaultPrefix": PREFIX, "TestEventSource": test_source}
    return any(
        compile_pattern(filled_in(pattern, values)).matches(event) for pattern in event_patterns().values()
    )

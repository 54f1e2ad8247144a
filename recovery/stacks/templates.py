"""CloudFormation templates as data: JSON, and YAML with CloudFormation's short tags, in one form; what refers to what.

The form is that of JSON: ``!Ref Name`` is ``{"Ref": "Name"}``, ``!GetAtt A.B`` is ``{"Fn::GetAtt": ["A", "B"]}``
(CloudFormation user guide, 'Intrinsic function reference').
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from rules.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

Template = dict[str, Any]
RETAINING = frozenset({"Retain", "RetainExceptOnCreate"})

_SUB_VARIABLE = re.compile(r"\$\{([^!][^}]*)\}")
# Only what is written as JSON would write it is a number: CloudFormation's own ids may begin with a zero.
_INTEGER = re.compile(r"-?(?:0|[1-9]\d*)")
_FLOAT = re.compile(r"-?(?:0|[1-9]\d*)\.\d+")
# YAML 1.1, which CloudFormation reads. A date (``Version: 2012-10-17``) stays the text that it is.
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_STANDARD_TAG = "tag:yaml.org,2002:"
_WITHOUT_PREFIX = frozenset({"Ref", "Condition"})


@dataclass(frozen=True, slots=True)
class References:
    """The names that a part of a template refers to.

    ``names``: of Ref, Fn::GetAtt and Fn::Sub: resources, parameters and pseudo parameters. ``conditions``: of
    Fn::If and ``Condition``. ``mappings``: of Fn::FindInMap.
    """

    names: frozenset[str]
    conditions: frozenset[str]
    mappings: frozenset[str]


def parse_template(text: str) -> Template:
    """A template's text as data. Raises UsageError for what is neither JSON nor YAML, or no template."""
    try:
        found: Any = json.loads(text)
    except ValueError:
        found = _from_yaml(text)
    if not isinstance(found, dict) or not isinstance(found.get("Resources"), dict):
        raise UsageError("this is no CloudFormation template: it has no Resources")
    return found


def _from_yaml(text: str) -> Any:
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except YAMLError as error:
        # What YAML says of an error quotes the text, in which there may be secrets.
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise UsageError(f"this is neither a JSON nor a YAML template{where}") from None
    return _value(root) if isinstance(root, Node) else None


def _value(node: Node) -> Any:
    if isinstance(node, MappingNode):
        value: Any = {_key(key): _value(child) for key, child in node.value}
    elif isinstance(node, SequenceNode):
        value = [_value(child) for child in node.value]
    else:
        value = _scalar(node)
    tag = str(node.tag or "")
    if not tag.startswith("!") or tag == "!":
        return value
    name = tag[1:]
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in _WITHOUT_PREFIX else f"Fn::{name}": value}


def _key(node: Node) -> str:
    if not isinstance(node, ScalarNode):
        raise UsageError("this is no CloudFormation template: a key is no text")
    return str(node.value)


def _scalar(node: Node) -> Any:
    if not isinstance(node, ScalarNode):
        raise UsageError("this is no CloudFormation template: it holds what is neither text, list nor map")
    text = str(node.value)
    tagged = str(node.tag or "")
    if node.style in {"'", '"', "|", ">"} or (tagged.startswith("!") and tagged != "!"):
        return text
    if text in _WORDS:
        return _WORDS[text]
    if tagged == f"{_STANDARD_TAG}str":
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) and repr(float(text)) == text else text


def as_text(template: Template) -> str:
    """A template as JSON, as short as it may be: what is longer than 51,200 bytes has to go through S3."""
    return json.dumps(template, separators=(",", ":"), ensure_ascii=False)


def references(part: Any) -> References:
    """All names that a part of a template refers to, anywhere within it."""
    names: set[str] = set()
    conditions: set[str] = set()
    mappings: set[str] = set()
    for function, argument in _functions(part):
        first = argument[0] if isinstance(argument, list) and argument else argument
        if function == "Ref" and isinstance(argument, str):
            names.add(argument)
        elif function == "Fn::GetAtt" and isinstance(first, str):
            names.add(first.split(".", 1)[0])
        elif function == "Fn::Sub" and isinstance(first, str):
            own = argument[1] if isinstance(argument, list) and isinstance(argument[-1], dict) else {}
            used = {match.strip().split(".", 1)[0] for match in _SUB_VARIABLE.findall(first)}
            names |= used - set(own)
        elif function in {"Fn::If", "Condition"} and isinstance(first, str):
            conditions.add(first)
        elif function == "Fn::FindInMap" and isinstance(first, str):
            mappings.add(first)
    return References(frozenset(names), frozenset(conditions), frozenset(mappings))


def attribute_readers(template: Template, logical_id: str, attribute: str) -> tuple[str, ...]:
    """The resources and outputs that read an attribute of a resource (``Fn::GetAtt``, ``Fn::Sub``), by name."""
    wanted = f"{logical_id}.{attribute}"
    sections = (("", template.get("Resources")), ("Outputs.", template.get("Outputs")))
    return tuple(
        f"{prefix}{name}"
        for prefix, section in sections
        for name, part in (section or {}).items()
        if any(_reads(function, argument, wanted) for function, argument in _functions(part))
    )


def _reads(function: str, argument: Any, wanted: str) -> bool:
    if function == "Fn::GetAtt":
        return (argument if isinstance(argument, str) else ".".join(map(str, argument))) == wanted
    text = argument[0] if isinstance(argument, list) and argument else argument
    return function == "Fn::Sub" and isinstance(text, str) and wanted in _SUB_VARIABLE.findall(text)


def imported_values(template: Template) -> list[Any]:
    """The arguments of every ``Fn::ImportValue``: a name, or a function that makes one."""
    return [argument for function, argument in _functions(template) if function == "Fn::ImportValue"]


def transforms(template: Template) -> tuple[str, ...]:
    """The macros that CloudFormation runs over the whole template, and over parts of it."""
    declared = template.get("Transform") or []
    whole = declared if isinstance(declared, list) else [declared]
    parts = [argument for function, argument in _functions(template) if function == "Fn::Transform"]
    return tuple(str(one.get("Name", "?")) if isinstance(one, dict) else str(one) for one in [*whole, *parts])


def loops(template: Template) -> bool:
    """Whether resources are made by ``Fn::ForEach``, so that their logical ids are nowhere in the text."""
    return any(str(name).startswith("Fn::ForEach::") for name in template.get("Resources", {}))


def cdk_path(template: Template, logical_id: str) -> str:
    """The construct's path that the CDK notes in a resource's Metadata, "" where there is none."""
    resource = template.get("Resources", {}).get(logical_id)
    metadata = resource.get("Metadata") if isinstance(resource, dict) else None
    return str(metadata.get("aws:cdk:path") or "") if isinstance(metadata, dict) else ""


def with_values(argument: Any, values: dict[str, str]) -> str | None:
    """A name in which only ``Ref``, ``Fn::Sub`` and ``Fn::Join`` of known values stand, None for any other."""
    if isinstance(argument, (str, int)):
        return str(argument)
    if not isinstance(argument, dict) or len(argument) != 1:
        return None
    ((function, inner),) = argument.items()
    if function == "Ref":
        return values.get(str(inner))
    if function == "Fn::Join" and isinstance(inner, list) and len(inner) == len(("glue", "parts")):
        parts = [with_values(part, values) for part in inner[1]] if isinstance(inner[1], list) else [None]
        return None if None in parts else str(inner[0]).join(part for part in parts if part is not None)
    return _substituted(inner, values) if function == "Fn::Sub" else None


def _substituted(inner: Any, values: dict[str, str]) -> str | None:
    text, own = (inner[0], inner[1]) if isinstance(inner, list) else (inner, {})
    known = dict(values)
    for name, argument in own.items():
        value = with_values(argument, values)
        if value is not None:
            known[name] = value
    if any(match.strip() not in known for match in _SUB_VARIABLE.findall(text)):
        return None
    filled = _SUB_VARIABLE.sub(lambda match: known[match[1].strip()], text)
    return filled.replace("${!", "${")


def _functions(part: Any) -> Iterator[tuple[str, Any]]:
    """Every ``name: argument`` at any depth whose name is an intrinsic function's."""
    if isinstance(part, dict):
        for name, child in part.items():
            if name in _WITHOUT_PREFIX or str(name).startswith("Fn::"):
                yield str(name), child
            yield from _functions(child)
    elif isinstance(part, list):
        for child in part:
            yield from _functions(child)

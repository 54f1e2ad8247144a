"""The template of an import: cut down to the tables that are there, so that CloudFormation has nothing else to do.

An import change set takes the resources to import and those of the stack, and no other change; each imported one
needs a DeletionPolicy, and no output may be added (CloudFormation user guide, 'Import AWS resources').
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recovery.stacks.templates import References, Template, references, with_values

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

# Attributes of a resource that only say how it is created, updated or ordered among others.
_DROPPED = ("CreationPolicy", "UpdatePolicy")
_PSEUDO = "AWS::"
_NAME = "TableName"
RETAIN = "Retain"


@dataclass(frozen=True, slots=True)
class ImportTemplate:
    """``left_out``: by logical id the properties that could not be given yet, for they refer to what is not there.

    The update that follows the import gives them back. ``parameters`` are those that the template declares.
    """

    template: Template
    left_out: dict[str, tuple[str, ...]]
    parameters: tuple[str, ...]


def import_template(whole: Template, tables: Mapping[str, str]) -> ImportTemplate:
    """A template of the tables alone, by logical id with their names; all must be in ``whole``.

    Each is kept whatever happens: DeletionPolicy and UpdateReplacePolicy are Retain.
    """
    known = References(
        names=frozenset({*tables, *(whole.get("Parameters") or {})}),
        conditions=frozenset(whole.get("Conditions") or ()),
        mappings=frozenset(whole.get("Mappings") or ()),
    )
    blocks: dict[str, Any] = {}
    left_out: dict[str, tuple[str, ...]] = {}
    for logical_id, name in tables.items():
        block, gone = retained_block(whole["Resources"][logical_id], name, known)
        blocks[logical_id] = block
        if gone:
            left_out[logical_id] = gone
    conditions = _conditions(whole, blocks)
    used = references([blocks, conditions])
    parts: dict[str, Any] = {
        "AWSTemplateFormatVersion": whole.get("AWSTemplateFormatVersion"),
        "Description": whole.get("Description"),
        "Mappings": _only(whole, "Mappings", used.mappings),
        "Parameters": _only(whole, "Parameters", used.names),
        "Conditions": conditions,
        "Resources": blocks,
    }
    template = {name: part for name, part in parts.items() if part}
    return ImportTemplate(template, left_out, tuple(template.get("Parameters", {})))


def retained_block(
    block: Mapping[str, Any], table: str, known: References
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A table's block for an import, and the properties that were left out of it.

    Left out is what refers to anything but what is ``known``; a table's name that does so is written out.
    """
    kept = {name: part for name, part in block.items() if name not in _DROPPED}
    properties: dict[str, Any] = {}
    left_out = []
    for name, value in (block.get("Properties") or {}).items():
        if _is_known(references(value), known):
            properties[name] = value
        elif name == _NAME:
            properties[name] = table
        elif isinstance(value, list) and all(isinstance(one, dict) for one in value):
            # Replicas and indexes are required where there are any: only what is unknown within each goes.
            properties[name], gone = _pruned(name, value, known)
            left_out += gone
        else:
            left_out.append(name)
    needs = kept.pop("DependsOn", None) or []
    depends = [one for one in ([needs] if isinstance(needs, str) else needs) if one in known.names]
    if kept.get("Condition") not in known.conditions:
        kept.pop("Condition", None)
    kept |= {"Properties": properties, "DeletionPolicy": RETAIN, "UpdateReplacePolicy": RETAIN}
    return {**kept, **({"DependsOn": depends} if depends else {})}, tuple(left_out)


def _pruned(
    name: str, parts: list[dict[str, Any]], known: References
) -> tuple[list[dict[str, Any]], list[str]]:
    kept, gone = [], []
    for number, part in enumerate(parts):
        fine = {key: value for key, value in part.items() if _is_known(references(value), known)}
        gone += [f"{name}[{number}].{key}" for key in part if key not in fine]
        kept.append(fine)
    return kept, gone


def _is_known(used: References, known: References) -> bool:
    names = {name for name in used.names if not name.startswith(_PSEUDO)}
    return names <= known.names and used.conditions <= known.conditions and used.mappings <= known.mappings


def with_block(
    current: Template, logical_id: str, block: Mapping[str, Any], table: str, values: Mapping[str, str]
) -> ImportTemplate:
    """A living stack's template with the block of a table put back into it.

    ``values`` are those of the parameters that the block was written for: one that the template does not have any
    more is written out.
    """
    known = References(
        names=frozenset({*current["Resources"], *(current.get("Parameters") or {})}),
        conditions=frozenset(current.get("Conditions") or ()),
        mappings=frozenset(current.get("Mappings") or ()),
    )
    written_out = _written_out(block, {key: one for key, one in values.items() if key not in known.names})
    kept, left_out = retained_block(written_out, table, known)
    template = {**current, "Resources": {**current["Resources"], logical_id: kept}}
    return ImportTemplate(template, {logical_id: left_out} if left_out else {}, ())


def _written_out(part: Any, values: Mapping[str, str]) -> Any:
    """The same with the values of parameters in the place of ``Ref``, ``Fn::Sub`` and ``Fn::Join`` of them."""
    if isinstance(part, list):
        return [_written_out(child, values) for child in part]
    if not isinstance(part, dict):
        return part
    if len(part) == 1 and any(name in values for name in references(part).names):
        literal = with_values(part, dict(values))
        if literal is not None:
            return literal
    return {name: _written_out(child, values) for name, child in part.items()}


def _conditions(whole: Template, blocks: Mapping[str, Any]) -> dict[str, Any]:
    """The conditions that the blocks need, and those that these are made of."""
    declared = whole.get("Conditions") or {}
    needed: dict[str, Any] = {}
    wanted = references(blocks).conditions
    while missing := [name for name in declared if name in wanted and name not in needed]:
        needed |= {name: declared[name] for name in missing}
        wanted = wanted | references(needed).conditions
    return needed


def _only(whole: Template, section: str, names: Collection[str]) -> dict[str, Any]:
    return {name: part for name, part in (whole.get(section) or {}).items() if name in names}

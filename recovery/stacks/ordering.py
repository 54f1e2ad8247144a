"""Which stack comes first: one that imports what another exports comes after it."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from recovery.definitions.readings import Known
from recovery.stacks.templates import imported_values, parse_template, with_values
from rules.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recovery.stacks.documents import StackCapture


def imports_of(capture: StackCapture) -> tuple[tuple[str, ...], int]:
    """The exports that a stack's template imports, and how many more there are whose names cannot be told.

    A name may be made of parameters; one that hangs on a hidden one, or on a mapping, is not told.
    """
    text = processed_or_submitted(capture)
    if text is None:
        return (), 0
    known = known_values(capture)
    found = [with_values(argument, known) for argument in imported_values(parse_template(text))]
    names = dict.fromkeys(name for name in found if name is not None)
    return tuple(names), found.count(None)


def in_order(captures: Sequence[StackCapture]) -> list[StackCapture]:
    """The stacks so that each comes after those it imports from; otherwise by name.

    Raises UsageError for stacks that import from one another in a circle, as captures of different times may.
    """
    by_name = {capture.name: capture for capture in captures}
    sorter = TopologicalSorter({name: _before(capture, by_name) for name, capture in by_name.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " <- ".join(map(str, error.args[1]))
        raise UsageError(
            f"these stacks import from one another in a circle: {circle}",
            hint="Their captures are of different times. Recover them one by one, older captures with --at.",
        ) from error
    ordered: list[StackCapture] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        ordered += [by_name[name] for name in ready]
        sorter.done(*ready)
    return ordered


def _before(capture: StackCapture, others: Mapping[str, StackCapture]) -> set[str]:
    """The other stacks whose exports this one imports: by its own template, or as CloudFormation listed them."""
    wanted, _ = imports_of(capture)
    return {
        name
        for name, other in others.items()
        if name != capture.name
        and (any(export in other.exports for export in wanted) or capture.name in _importers(other))
    }


def _importers(capture: StackCapture) -> set[str]:
    told = capture.imported_by.value if isinstance(capture.imported_by, Known) else None
    return {str(name) for names in (told or {}).values() for name in names}


def processed_or_submitted(capture: StackCapture) -> str | None:
    """The template's text as macros left it, else as it was submitted; None where neither is known."""
    for stage in (capture.processed, capture.template):
        if isinstance(stage, Known) and stage.value:
            return str(stage.value)
    return None


def known_values(capture: StackCapture) -> dict[str, str]:
    """What ``Ref`` gives for parameters that are not hidden and for pseudo parameters."""
    china = capture.region.startswith("cn-")
    government = capture.region.startswith("us-gov-")
    return {
        "AWS::AccountId": capture.account,
        "AWS::Region": capture.region,
        "AWS::StackName": capture.name,
        "AWS::Partition": "aws-cn" if china else "aws-us-gov" if government else "aws",
        **{
            parameter.key: value
            for parameter in capture.parameters
            if (value := parameter.resolved or parameter.value) is not None
        },
    }

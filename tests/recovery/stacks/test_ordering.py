"""Stacks in order: who imports comes after who exports."""

from __future__ import annotations

import json
from typing import Any

import pytest

from recovery.definitions.readings import Known, NotKnown
from recovery.stacks.documents import StackCapture, StackOutput, StackParameter
from recovery.stacks.ordering import imports_of, in_order
from rules.errors import UsageError
from tests.recovery.recovering import START

ACCOUNT, REGION = "123456789012", "eu-west-1"


def capture(
    name: str, imports: tuple[Any, ...] = (), exports: tuple[str, ...] = (), **more: Any
) -> StackCapture:
    """A stack that imports and exports."""
    template = {
        "Resources": {
            f"R{number}": {"Type": "T", "Properties": {"X": {"Fn::ImportValue": one}}}
            for number, one in enumerate(imports)
        }
    }
    return StackCapture(
        **{
            "account": ACCOUNT,
            "region": REGION,
            "name": name,
            "stack_id": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/1",
            "status": "CREATE_COMPLETE",
            "created": START,
            "captured": START,
            "template": Known(value=json.dumps(template)),
            "outputs": tuple(StackOutput(key=f"O{one}", value="v", export=one) for one in exports),
            "imported_by": Known(),
            "policy": Known(),
            "resources": Known(),
            **more,
        }
    )


def names(*captures: StackCapture) -> list[str]:
    """The order."""
    return [one.name for one in in_order(captures)]


def test_by_exports_and_imports() -> None:
    """A chain in whatever order it is given; what is independent goes by name."""
    web = capture("a-web", ("data-table",))
    api = capture("b-api", ("web-url",), ())
    data = capture("z-data", (), ("data-table",))
    alone = capture("m-alone")
    web = web.model_copy(update={"outputs": (StackOutput(key="U", value="u", export="web-url"),)})
    for given in ([web, api, data, alone], [alone, data, api, web], [api, web, alone, data]):
        assert names(*given) == ["m-alone", "z-data", "a-web", "b-api"]


def test_by_what_cloudformation_listed() -> None:
    """Where the name of an import cannot be told, the exporting stack's capture knows who imported."""
    web = capture("a-web", ({"Fn::FindInMap": ["a", "b", "c"]},))
    data = capture("z-data", (), ("data-table",), imported_by=Known(value={"data-table": ["a-web"]}))
    assert imports_of(web) == ((), 1)
    assert names(web, data) == ["z-data", "a-web"]


def test_names_made_of_parameters() -> None:
    """Those that are not hidden, and CloudFormation's own."""
    web = capture(
        "web",
        ({"Fn::Sub": "${Data}-${AWS::Region}"}, {"Ref": "Hidden"}, "plain", "plain"),
        parameters=(
            StackParameter(key="Data", value="data"),
            StackParameter(key="Hidden", value=None, hidden=True),
        ),
    )
    assert imports_of(web) == ((f"data-{REGION}", "plain"), 1)


def test_a_circle_is_an_error() -> None:
    """With the stacks that are in it."""
    first, second = capture("first", ("b",), ("a",)), capture("second", ("a",), ("b",))
    with pytest.raises(UsageError, match=r"circle: .*first <- second|circle: .*second <- first"):
        in_order([first, second])


def test_what_macros_made_counts() -> None:
    """And a template that is unknown imports nothing that anybody could tell."""
    made = json.dumps({"Resources": {"R": {"Type": "T", "X": {"Fn::ImportValue": "e"}}}})
    assert imports_of(capture("web", processed=Known(value=made))) == (("e",), 0)
    assert imports_of(capture("web", template=NotKnown(reason="no"))) == ((), 0)

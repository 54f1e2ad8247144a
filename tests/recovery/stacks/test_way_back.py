"""A table that was recovered by itself finds its way back under its stack."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from recovery.definitions.definition import capture_definition
from recovery.definitions.readings import Known, NotKnown
from recovery.stacks.change_sets import StackFailedError
from recovery.stacks.importing import PreparedImport, discard_import, execute_import, prepare_import
from recovery.stacks.templates import parse_template
from recovery.stacks.way_back import WayBack, WayBackCase, way_back
from recovery.testing.faults import Crash
from rules.errors import NotFoundError, UnsafeError
from tests.recovery.recovering import START, make_table
from tests.recovery.stacks.stage import table_block

if TYPE_CHECKING:
    from recovery.definitions.definition import TableDefinition
    from tests.recovery.stacks.stage import Stage

STREAM = {"Fn::GetAtt": ["Orders", "StreamArn"]}


def template(name: str, *, orders: bool = True) -> dict[str, Any]:
    """A stack with a table, and one that may be there and who reads its stream."""
    block = table_block(
        {"Fn::Sub": f"{name}-${{Env}}"},
        Properties={"StreamSpecification": {"StreamViewType": "KEYS_ONLY"}},
        Metadata={"notes": "x"},
    )
    mapping = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {"EventSourceArn": STREAM}}
    return {
        "Parameters": {"Env": {"Type": "String"}},
        "Resources": {
            "Users": table_block(f"{name}-users"),
            **({"Orders": block, "Mapping": mapping} if orders else {}),
        },
        "Outputs": {"Users": {"Value": {"Ref": "Users"}}},
    }


PARAMETERS = [{"ParameterKey": "Env", "ParameterValue": "prod"}]


def definition(stage: Stage, name: str, table: str, **stack: Any) -> TableDefinition:
    """A table's definition as its backup holds it: of which stack it was."""
    found = capture_definition(stage.aws, table, START, surroundings=False)
    owner = {"stack_name": name, "stack_id": "arn", "logical_id": "Orders", "found_by": "tags", **stack}
    surroundings = found.surroundings.model_copy(update={"stack": Known(value=owner)})
    return found.model_copy(update={"surroundings": surroundings})


@pytest.fixture
def lost(stage: Stage, name: str) -> TableDefinition:
    """A stack with two tables, captured, and the definition of one of them."""
    stage.cloudformation.deploy(name, template(name), Parameters=PARAMETERS)
    stage.capture(name)
    return definition(stage, name, f"{name}-prod")


def let_go(stage: Stage, name: str) -> None:
    """A deployment took the table out of the template, and it was kept."""
    stack = stage.cloudformation.stacks[name]
    stack.template = json.dumps(template(name, orders=False))
    for logical_id in ("Orders", "Mapping"):
        del stack.resources[logical_id]
    stage.capture(name)
    stage.cloudformation.renew()


def look(stage: Stage, found: TableDefinition, **more: str) -> WayBack:
    """What is left to do."""
    return way_back(stage.aws, stage.vault, found, sleep=stage.sleep, **more)


def prepare(stage: Stage, way: WayBack) -> PreparedImport:
    """Make the change set."""
    return prepare_import(stage.aws, stage.vault, way, sleep=stage.sleep, run_id="abc")


def test_a_stack_that_still_lists_it(stage: Stage, name: str, lost: TableDefinition) -> None:
    """Nothing to import: drift can be looked at, and who reads the old stream is told."""
    stage.aws.dynamodb().delete_table(TableName=f"{name}-prod")
    make_table(stage.aws.dynamodb(), f"{name}-prod")
    stage.cloudformation.renew()
    way = look(stage, lost)
    assert (way.case, way.can_import) == (WayBackCase.IN_PLACE, False)
    assert way.stream_readers == ("Mapping",)
    assert way.steps[0].command == (
        f"aws cloudformation detect-stack-resource-drift --stack-name {name} --logical-resource-id Orders "
        "--region eu-west-1"
    )
    assert "Mapping of the stack hold the ARN of the lost table's stream" in way.steps[1].text
    assert stage.cloudformation.writes == []
    assert WayBack.model_validate_json(way.model_dump_json()) == way


def test_back_by_an_import(stage: Stage, name: str, lost: TableDefinition) -> None:
    """The newest capture that has its block gives it; everything else of the stack stays as it is."""
    let_go(stage, name)
    before = stage.state(name)
    way = look(stage, lost)
    assert (way.case, way.can_import, way.type) == (WayBackCase.IMPORT, True, "AWS::DynamoDB::Table")
    assert stage.cloudformation.writes == []
    prepared = prepare(stage, way)
    assert prepared.changes == (f"Import Orders (AWS::DynamoDB::Table): {name}-prod",)
    assert prepared.change_set_name == "safetynet-import-abc"
    assert stage.state(name) == before
    assert execute_import(stage.aws, prepared, sleep=stage.sleep) == "IMPORT_COMPLETE"
    after = stage.state(name)
    assert after["resources"] == {**before["resources"], "Orders": f"{name}-prod"}
    found = parse_template(after["template"])
    assert {**found, "Resources": template(name, orders=False)["Resources"]} == template(name, orders=False)
    assert found["Resources"]["Orders"]["DeletionPolicy"] == "Retain"
    assert after["values"] == before["values"]
    # Once it is done, to do it again changes nothing.
    stage.cloudformation.renew()
    assert execute_import(stage.aws, prepared, sleep=stage.sleep) == "IMPORT_COMPLETE"
    assert stage.cloudformation.writes == []
    assert look(stage, lost).case is WayBackCase.IN_PLACE


@pytest.mark.parametrize("role", ["", "arn:aws:iam::123456789012:role/deployer"])
def test_as_which_role_it_is_imported(stage: Stage, name: str, lost: TableDefinition, role: str) -> None:
    """As the one that is named; else the stack's own, which CloudFormation remembers, is not overridden."""
    let_go(stage, name)
    prepare_import(stage.aws, stage.vault, look(stage, lost), sleep=stage.sleep, role_arn=role)
    (asked,) = stage.cloudformation.asked("CreateChangeSet")
    assert asked.get("RoleARN", "") == role


def test_a_no_leaves_nothing(stage: Stage, name: str, lost: TableDefinition) -> None:
    """The change set is thrown away, and can be made again."""
    let_go(stage, name)
    way = look(stage, lost)
    before = stage.state(name)
    discard_import(stage.aws, prepare(stage, way), sleep=stage.sleep)
    assert stage.cloudformation.change_sets.keys() == {
        key for key in stage.cloudformation.change_sets if key[1] != "safetynet-import-abc"
    }
    assert stage.state(name) == before
    prepare(stage, way)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_crashes_at_every_call_of_an_import(
    stage: Stage, name: str, lost: TableDefinition, after: bool
) -> None:
    """The same again ends in the same stack: a change set that is left over is thrown away first."""
    let_go(stage, name)
    way = look(stage, lost)
    lean = dict(stage.cloudformation.stacks[name].resources)
    text = stage.cloudformation.stacks[name].template
    nth, ended = 0, False
    while not ended:
        nth += 1
        stage.cloudformation.renew()
        stage.cloudformation.crash(nth, after=after)
        try:
            execute_import(stage.aws, prepare(stage, way), sleep=stage.sleep)
            ended = True
        except Crash:
            stage.cloudformation.renew()
            stage.cloudformation.settle(name)
            if look(stage, lost).case is WayBackCase.IMPORT:
                execute_import(stage.aws, prepare(stage, way), sleep=stage.sleep)
        stack = stage.cloudformation.settle(name)
        assert stack.resources["Orders"]["id"] == f"{name}-prod", f"crashed at call {nth}"
        stack.resources, stack.template = dict(lean), text
        stage.cloudformation.change_sets.clear()
    assert nth > 8


def test_an_import_that_is_rolled_back(stage: Stage, name: str, lost: TableDefinition) -> None:
    """The reason is told, and the table is where it was."""
    let_go(stage, name)
    prepared = prepare(stage, look(stage, lost))
    stage.cloudformation.break_next("Orders", "the role may not describe it")
    with pytest.raises(StackFailedError, match=r"Orders \(AWS::DynamoDB::Table\): the role may not"):
        execute_import(stage.aws, prepared, sleep=stage.sleep)
    assert stage.items(f"{name}-prod") == {f"{name}-prod": []}


def test_only_this_one_table_may_change(stage: Stage, name: str, lost: TableDefinition) -> None:
    """What CloudFormation would do besides is a reason to refuse, and the change set is thrown away."""
    let_go(stage, name)
    way = look(stage, lost)
    stage.aws.dynamodb().delete_table(TableName=f"{name}-prod")
    with pytest.raises(UnsafeError, match="there is nothing to import"):
        prepare(stage, way)
    assert stage.cloudformation.writes == []


def test_a_logical_id_that_is_another_tables(stage: Stage, name: str, lost: TableDefinition) -> None:
    """A renamed table took its place: it is not thrown out."""
    stage.cloudformation.stacks[name].resources["Orders"]["id"] = f"{name}-new"
    way = look(stage, lost)
    assert (way.case, way.can_import) == (WayBackCase.TAKEN, False)
    assert f"Orders of stack {name} is table {name}-new by now" in way.steps[0].text
    with pytest.raises(UnsafeError, match="has a Orders already"):
        prepare(stage, way)


def test_a_stack_of_the_cdk(stage: Stage, name: str) -> None:
    """The commands and the mapping file are told, ready to be pasted."""
    text = template(name)
    text["Resources"]["Orders"]["Metadata"] = {"aws:cdk:path": "Shop/Orders/Resource"}
    stage.cloudformation.deploy(name, text, Parameters=PARAMETERS)
    stage.capture(name)
    found = definition(stage, name, f"{name}-prod")
    let_go(stage, name)
    way = look(stage, found)
    assert way.cdk_path == "Shop/Orders/Resource"
    assert [step.command for step in way.steps] == [
        "",
        "cdk diff Shop",
        f'printf %s \'{{"Orders": {{"TableName": "{name}-prod"}}}}\' > mapping.json',
        "cdk import Shop --resource-mapping mapping.json",
    ]


def test_recovered_under_another_name(stage: Stage, name: str, lost: TableDefinition) -> None:
    """A stack cannot take a copy for its own table."""
    way = look(stage, lost, recovered_as=f"{name}-copy")
    assert (way.case, way.can_import) == (WayBackCase.OTHER_NAME, False)
    assert way.steps[1].command == f"safetynet recover {name}-prod"


def test_a_stack_that_is_gone(stage: Stage, name: str, lost: TableDefinition) -> None:
    """It can be recreated around the table."""
    stage.lose(name)
    way = look(stage, lost)
    assert (way.case, way.steps[0].command) == (WayBackCase.STACK_GONE, f"safetynet recover {name}")
    with pytest.raises((NotFoundError, UnsafeError)):
        prepare(stage, way)


def test_without_any_capture(stage: Stage, name: str, lost: TableDefinition) -> None:
    """Nothing can be imported, and it is said."""
    let_go(stage, name)
    for info in list(stage.vault.list("")):
        stage.vault.delete(info.key)
    way = look(stage, lost)
    assert (way.case, way.can_import) == (WayBackCase.IMPORT, False)
    assert "it cannot be imported from here" in way.warnings[0]
    with pytest.raises(NotFoundError, match="has the block of table"):
        prepare(stage, way)


@pytest.mark.parametrize(
    ("made_by", "commands"),
    [
        ("terraform", 3),
        ("", 4),
        ("cloudformation", 1),
    ],
)
def test_a_table_of_no_stack(
    stage: Stage, name: str, lost: TableDefinition, made_by: str, commands: int
) -> None:
    """Terraform's ways are told exactly; where the tool is unknown, so is that it may need nothing."""
    surroundings = lost.surroundings.model_copy(update={"stack": Known()})
    way = look(stage, lost.model_copy(update={"surroundings": surroundings}), made_by=made_by)
    assert way.case is WayBackCase.NO_STACK
    assert len(way.steps) == commands
    told = "\n".join(step.command for step in way.steps)
    address = f"aws_dynamodb_table.{name}-prod"
    assert (f"terraform import {address} {name}-prod" in told) is (made_by != "cloudformation")
    assert (f'to = {address}\n  id = "{name}-prod"' in told) is (made_by != "cloudformation")


def test_a_stack_that_could_not_be_read(stage: Stage, lost: TableDefinition) -> None:
    """Unknown is not none: the reason is told."""
    unknown = lost.surroundings.model_copy(update={"stack": NotKnown(reason="access denied")})
    way = look(stage, lost.model_copy(update={"surroundings": unknown}))
    assert way.warnings == ("its stack is unknown: access denied",)

"""`recover STACK` as people type it, from backup to the stack that is there again: on ministack, judged by boto3.

Its change sets of type IMPORT work. A stack that CloudFormation makes over a table wipes it there, so that what must
never happen shows in the items.
"""

from __future__ import annotations

import json
import os
import pty
import subprocess
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from recovery.vault.s3 import S3Vault
from tests.cli.running import COMMAND, Outcome, QuickShell
from tests.engines.conftest import exports_for
from tests.engines.desk import Desk
from tests.engines.edge_items import some
from tests.engines.engine import started
from tests.engines.front import front_of
from tests.engines.test_stacks import OPTIONS, SECRET, Account, table_block, template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.engines.engine import Engine

OTHER = "eu-central-1"
HIDDEN = {"SAFETYNET_PARAMETER_Password": SECRET}

ITEMS = 60
ROLE = "arn:aws:iam::123456789012:role/deployer"


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The engine, started once."""
    with started("ministack", tmp_path_factory.mktemp("recover-stack")) as running:
        yield running


@dataclass
class Scene:
    """A desk to type at, and an account whose stacks are made, lost and looked at with plain boto3."""

    desk: Desk
    account: Account

    @property
    def name(self) -> str:
        """How all names of a test begin."""
        return self.account.name

    def deploy(self, stack: str, text: dict[str, Any], **options: Any) -> dict[str, Any]:
        """A stack with items in each of its tables, backed up from the command line; what boto3 sees of it."""
        self.account.plain.create_stack(StackName=stack, TemplateBody=json.dumps(text), **options)
        self.account.settle(stack)
        for table in self.account.tables(stack).values():
            for item in some(ITEMS, table):
                self.desk.engine.client.put_item(TableName=table, Item=item)
        self.desk.ok("backup", "run", "--stack", stack)
        return self.account.state(stack)

    def everything(self) -> dict[str, Any]:
        """All that a command could have written: objects, tables and their items, stacks, change sets."""
        plain, engine = self.account.plain, self.desk.engine
        stacks = [one for page in plain.get_paginator("describe_stacks").paginate() for one in page["Stacks"]]
        listed = engine.s3.get_paginator("list_objects_v2").paginate(Bucket=self.desk.name)
        return {
            "objects": sorted(
                (one["Key"], one["ETag"]) for page in listed for one in page.get("Contents", [])
            ),
            "tables": {table: self.desk.state(table) for table in engine.names() if self.name in table},
            "stacks": sorted((one["StackName"], one["StackStatus"]) for one in stacks),
            "change sets": {
                one["StackName"]: plain.list_change_sets(StackName=one["StackName"])["Summaries"]
                for one in stacks
            },
        }

    def recover(self, *arguments: str) -> Outcome:
        """Recover without being asked, with the hidden parameter in the environment."""
        return self.desk.shell.run("recover", *arguments, "--yes", **HIDDEN)

    def at_a_terminal(self, *arguments: str, typed: str) -> Outcome:
        """A command in a process whose standard input is a terminal, at which something is typed."""
        ours, theirs = pty.openpty()
        shell = self.desk.shell
        try:
            process = subprocess.Popen(
                [*COMMAND, *arguments],
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=shell.environment(**HIDDEN),
                cwd=shell.folder,
            )
            with process:
                os.write(ours, f"{typed}\n".encode())
                out, err = process.communicate(timeout=60)
        finally:
            os.close(ours)
            os.close(theirs)
        return Outcome(process.returncode, out, err)


@pytest.fixture
def scene(ministack: Engine, tmp_path: Path) -> Scene:
    """Names, a vault and a shell of a test's own."""
    name = f"s-{uuid.uuid4().hex[:10]}"
    ministack.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    desk = Desk(ministack, QuickShell(exports_for(ministack, name), tmp_path), name)
    return Scene(desk, Account(ministack, S3Vault(ministack.s3, name, "net"), name))


def exporting(name: str) -> dict[str, Any]:
    """A table whose name is exported."""
    return {
        "Resources": {"Table": table_block(f"{name}-table")},
        "Outputs": {"Name": {"Value": {"Ref": "Table"}, "Export": {"Name": f"{name}-export"}}},
    }


def importing(name: str, export: str) -> dict[str, Any]:
    """A table, and a parameter with a value that another stack exports."""
    value = {"Type": "String", "Name": f"/{name}/x", "Value": {"Fn::ImportValue": export}}
    return {
        "Resources": {
            "Table": table_block(f"{name}-table"),
            "Reader": {"Type": "AWS::SSM::Parameter", "Properties": value},
        }
    }


def test_a_lost_stack(scene: Scene) -> None:
    """Backup, deletion, a dry run that writes nothing, recovery; the stack owns its tables again, and all is as it was."""
    before = scene.deploy(scene.name, template(scene.name), **OPTIONS)
    scene.account.lose(scene.name)
    lost = scene.everything()
    assert list(lost["tables"]) == [f"{scene.name}-users"]  # DeletionPolicy Retain
    shown = scene.desk.ok("recover", scene.name, "--dry-run", **HIDDEN).out
    assert f"{scene.name} in 123456789012/eu-west-1: made again" in shown
    plan = scene.desk.json("recover", scene.name, "--dry-run", "--json")
    assert {table["target"]["name"] for table in plan["tables"]} == {
        table for table in before["items"] if table != f"{scene.name}-users"
    }
    assert SECRET not in json.dumps(plan)
    assert scene.everything() == lost
    done = scene.recover(scene.name, "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert [table["items_verified"] for table in report["tables"]] == [ITEMS, ITEMS]
    (made,) = report["stacks"]
    assert (made["status"], set(made["imported"])) == ("UPDATE_COMPLETE", set(before["items"]))
    assert SECRET not in done.out + done.err
    assert scene.account.state(scene.name) == before


def test_running_it_again(scene: Scene) -> None:
    """The second run says that nothing is to do, asks nobody, and changes nothing."""
    scene.deploy(scene.name, template(scene.name), **OPTIONS)
    scene.account.lose(scene.name)
    assert scene.recover(scene.name).code == 0
    whole = scene.everything()
    done = scene.desk.ok("recover", scene.name)
    assert "it is there, and whole: nothing to do" in " ".join(done.out.split())
    assert scene.desk.json("recover", scene.name, "--json")["tables"] == []
    assert scene.everything() == whole


def test_a_dry_run_calls_nothing_that_writes(scene: Scene) -> None:
    """Not one writing call of DynamoDB is even made."""
    scene.deploy(scene.name, exporting(scene.name))
    scene.account.lose(scene.name)
    with front_of(scene.desk.engine.tables) as front:
        scene.desk.ok("recover", scene.name, "--dry-run", AWS_ENDPOINT_URL_DYNAMODB=front.url)
    called = {call.operation for call in front.calls}
    assert called
    assert {one for one in called if not one.startswith(("Describe", "List"))} == set()


def test_two_stacks_at_once(scene: Scene) -> None:
    """Named in the wrong order they come back in the order of exports and imports, with both tables."""
    data, web = f"{scene.name}-z", f"{scene.name}-a"
    before = {data: scene.deploy(data, exporting(data))}
    before[web] = scene.deploy(web, importing(web, f"{data}-export"))
    scene.account.lose(web)
    scene.account.lose(data)
    lost = scene.everything()
    refused = scene.recover(web)
    assert refused.code == 14, refused.err
    assert f"it imports {data}-export" in " ".join(refused.err.split())
    assert scene.everything() == lost
    done = scene.recover(web, data, "--json")
    assert done.code == 0, done.err
    assert [one["stack"] for one in json.loads(done.out)["stacks"]] == [data, web]
    assert {stack: scene.account.state(stack) for stack in (data, web)} == before


def test_its_name_is_typed(scene: Scene) -> None:
    """Anything else cancels with 130 and changes nothing; without a terminal nobody can be asked."""
    before = scene.deploy(scene.name, template(scene.name), **OPTIONS)
    scene.account.lose(scene.name)
    lost = scene.everything()
    assert scene.desk.shell.run("recover", scene.name, **HIDDEN).code == 2
    assert scene.at_a_terminal("recover", scene.name, typed="yes").code == 130
    assert scene.everything() == lost
    done = scene.at_a_terminal("recover", scene.name, typed=scene.name)
    assert done.code == 0, done.out + done.err
    assert f"Type {scene.name} to recover" in done.err
    assert scene.account.state(scene.name) == before


def test_an_interrupted_recovery_of_its_table(scene: Scene) -> None:
    """A table that is there, but only half loaded, is ended first: no stack is built around it before."""
    before = scene.deploy(scene.name, exporting(scene.name))
    scene.account.lose(scene.name)
    with front_of(scene.desk.engine.tables, refused=("BatchWriteItem",)) as front:
        stopped = scene.desk.shell.run("recover", scene.name, "--yes", AWS_ENDPOINT_URL_DYNAMODB=front.url)
    assert stopped.code != 0
    assert f"{scene.name}-table" in scene.desk.engine.names()
    (table,) = scene.desk.json("recover", scene.name, "--dry-run", "--json")["stacks"][0]["tables"]
    assert (table["status"], table["half_recovered"]) == ("ACTIVE", True)
    done = scene.recover(scene.name)
    assert done.code == 0, done.err
    assert scene.account.state(scene.name) == before


def lean(whole: dict[str, Any], *gone: str) -> dict[str, Any]:
    """The template without some of its resources."""
    return {**whole, "Resources": {key: one for key, one in whole["Resources"].items() if key not in gone}}


def take_out(scene: Scene, text: dict[str, Any], logical_id: str) -> str:
    """Somebody takes a table out of the template and deletes it by hand; its name. It is recovered alone then."""
    table = scene.account.tables(scene.name)[logical_id]
    previous = [{"ParameterKey": one, "UsePreviousValue": True} for one in text.get("Parameters", ())]
    body = json.dumps(lean(text, logical_id))
    scene.account.plain.update_stack(StackName=scene.name, TemplateBody=body, Parameters=previous)
    scene.account.settle(scene.name)
    if table in scene.desk.engine.names():
        scene.desk.engine.lose(table)
    return table


def test_into_its_living_stack(scene: Scene) -> None:
    """Recovered alone, then shown, refused by a wrong name, and imported once the stack's name is typed."""
    text = template(scene.name)
    before = scene.deploy(scene.name, text, **OPTIONS)
    table = take_out(scene, text, "Users")
    told = scene.desk.ok("recover", table, "--yes").out
    assert f"put it back under stack {scene.name}: safetynet recover {table} --into-stack" in " ".join(
        told.split()
    )
    alone = scene.everything()
    assert (
        f"would import {table} into stack {scene.name} as Users"
        in scene.desk.ok("recover", table, "--into-stack", "--dry-run").out
    )
    assert scene.everything() == alone
    assert scene.at_a_terminal("recover", table, "--into-stack", typed=table).code == 130
    assert scene.everything() == alone
    done = scene.at_a_terminal("recover", table, "--into-stack", typed=scene.name)
    assert done.code == 0, done.out + done.err
    assert f"Import Users (AWS::DynamoDB::Table): {table}" in " ".join(done.out.split())
    after = scene.account.state(scene.name)
    assert dict(after["resources"])["Users"] == table
    assert after["items"] == before["items"]
    again = scene.desk.shell.run("recover", table, "--into-stack", "--yes")
    assert (again.code, "nothing to import" in again.err) == (14, True), again.err


def test_into_its_living_stack_for_machines(scene: Scene) -> None:
    """With --yes --json stdout is one document, and what the change set does is told on stderr."""
    scene.deploy(scene.name, two_tables(scene.name))
    table = take_out(scene, two_tables(scene.name), "Other")
    scene.desk.recover(table)
    done = scene.desk.ok("recover", table, "--into-stack", "--yes", "--json")
    assert json.loads(done.out) == {"table": table, "status": "IMPORT_COMPLETE"}
    assert f"Import Other (AWS::DynamoDB::Table): {table}" in " ".join(done.err.split())
    assert scene.account.tables(scene.name)["Other"] == table


def two_tables(name: str, **metadata: Any) -> dict[str, Any]:
    """A stack with two tables, both of which go with it."""
    blocks = {one: table_block(f"{name}-{one.lower()}", **metadata) for one in ("Orders", "Other")}
    return {"Resources": blocks}


def test_tables_of_other_tools(scene: Scene) -> None:
    """A table of no stack gets Terraform's commands, one that the CDK made those of the CDK; each can be copied."""
    made_by = {"Metadata": {"aws:cdk:path": "Shop/Other/Resource"}}
    text = two_tables(scene.name, **made_by)
    scene.deploy(scene.name, text)
    table = take_out(scene, text, "Other")
    plan = scene.desk.json("recover", table, "--dry-run", "--json")
    mapping = json.dumps({"Other": {"TableName": table}})
    assert any(f"printf %s '{mapping}' > mapping.json" in line for line in plan["afterwards"])
    assert any("cdk import Shop --resource-mapping mapping.json" in line for line in plan["afterwards"])
    plain = f"{scene.name}-by-terraform"
    scene.desk.engine.make_table(plain, some(1))
    scene.desk.back_up(plain)
    scene.desk.engine.lose(plain)
    told = " ".join(scene.desk.ok("recover", plain, "--yes").out.split())
    assert f"terraform import aws_dynamodb_table.{plain} {plain}" in told


def test_only_the_replica_in_reach(scene: Scene, tmp_path: Path) -> None:
    """The capture is in the replica, too; with --region of it the stack is made there, and the other vault not asked."""
    settings = tmp_path / "replica.yaml"
    settings.write_text(
        f"backup: {{replica: {{vault: 's3://{scene.desk.name}/copy', region: {OTHER}}}}}\n", encoding="utf-8"
    )
    stack = scene.name
    scene.account.plain.create_stack(StackName=stack, TemplateBody=json.dumps(exporting(stack)))
    scene.account.settle(stack)
    for item in some(ITEMS):
        scene.desk.engine.client.put_item(TableName=f"{stack}-table", Item=item)
    before = scene.account.state(stack)
    scene.desk.ok("backup", "run", "--stack", stack, "--config", str(settings))
    copied = [one for one in scene.desk.objects() if one.startswith("copy/stacks/")]
    assert copied == [f"copy/{one}" for one in [copied[0].removeprefix("copy/")]]
    assert f"net/{copied[0].removeprefix('copy/')}" in scene.desk.objects()
    gone = {"SAFETYNET_VAULT": "s3://out-of-reach/net"}
    there = ("recover", stack, "--config", str(settings), "--region", OTHER)
    unasked = scene.desk.shell.run(
        "recover",
        stack,
        "--config",
        str(settings),
        "--vault",
        "replica",
        "--yes",
        AWS_REGION="us-east-1",
        **gone,
    )
    assert unasked.code in {10, 14}, unasked.err
    plan = scene.desk.shell.run(*there, "--dry-run", **gone)
    assert f"{stack} in 123456789012/{OTHER}: made again" in plan.out, plan.err
    assert "UTC in eu-west-1" in plan.out
    done = scene.desk.shell.run(*there, "--yes", "--json", **gone)
    assert done.code == 0, done.err
    elsewhere = Account(scene.desk.engine, scene.account.vault, stack)
    elsewhere.plain = scene.desk.engine.aws.elsewhere("", OTHER).cloudformation()
    assert elsewhere.tables(stack) == {"Table": f"{stack}-table"}
    found: Any = (
        scene.desk.engine.aws.elsewhere("", OTHER).dynamodb().scan(TableName=f"{stack}-table")["Items"]
    )
    assert len(found) == ITEMS
    # Once more: it knows its own, there as well. And at home nothing has changed.
    again = scene.desk.shell.run(*there, **gone)
    assert (again.code, "nothing to do" in again.out) == (0, True), again.err
    unnamed = ("recover", stack, "--config", str(settings), "--vault", "replica")
    done = scene.desk.shell.run(*unnamed, AWS_REGION=OTHER, **gone)
    assert (done.code, f"To make it there: --region {OTHER}" in done.err) == (14, True), done.err
    assert scene.account.state(stack) == before


def test_as_which_role(scene: Scene) -> None:
    """--role-arn is what CloudFormation acts as; for a table alone, and where it is no role, it is a mistake."""
    scene.deploy(scene.name, exporting(scene.name))
    scene.account.lose(scene.name)
    for given, taken in (((), None), (("--role-arn", "none"), None), (("--role-arn", ROLE), ROLE)):
        (plan,) = scene.desk.json("recover", scene.name, "--dry-run", "--json", *given)["stacks"]
        assert plan["role_arn"] == taken
    told = scene.desk.ok("recover", scene.name, "--dry-run", "--role-arn", ROLE).out
    assert f"CloudFormation acts as {ROLE}" in " ".join(told.split())
    refused = scene.desk.shell.run("recover", scene.name, "--role-arn", "deployer", "--yes")
    assert (refused.code, "not the ARN of a role" in refused.err) == (2, True)
    alone = scene.desk.shell.run("recover", f"{scene.name}-table", "--role-arn", "none", "--yes")
    assert (alone.code, "--role-arn is for stacks" in alone.err) == (2, True)
    assert scene.desk.engine.names().count(f"{scene.name}-table") == 0


def looped(name: str) -> dict[str, Any]:
    """A stack whose table a macro makes."""
    block = table_block({"Fn::Sub": f"{name}-${{One}}"})
    return {
        "Transform": "AWS::LanguageExtensions",
        "Resources": {"Fn::ForEach::Tables": ["One", ["made"], {"Table${One}": block}]},
    }


def forget_what_the_macro_made(scene: Scene) -> None:
    """The capture is as an older one is: without what macros made of the template, and without a seal."""
    s3 = scene.desk.engine.s3
    (key,) = [one for one in scene.desk.objects() if "/stacks/" in one]
    document = json.loads(s3.get_object(Bucket=scene.desk.name, Key=key)["Body"].read())
    assert document.pop("seal")
    document["processed"] = {"state": "unknown", "reason": "access denied"}
    s3.put_object(Bucket=scene.desk.name, Key=key, Body=json.dumps(document).encode())


def test_loaded_afterwards_and_once_more(scene: Scene) -> None:
    """What the stack has to make is loaded then; an interrupted load goes on, a finished one counts as done."""
    before = scene.deploy(scene.name, looped(scene.name))
    forget_what_the_macro_made(scene)
    # Broken off with a table that is marked, and with one that is not: the first one's record is no proof of that one.
    for refused in ("BatchWriteItem", "TagResource"):
        scene.account.lose(scene.name)
        with front_of(scene.desk.engine.tables, refused=(refused,)) as front:
            exports = {"AWS_ENDPOINT_URL_DYNAMODB": front.url}
            stopped = scene.desk.shell.run("recover", scene.name, "--yes", **exports)
        assert stopped.code != 0
        assert scene.account.settle(scene.name) == "CREATE_COMPLETE"
        (plan,) = scene.desk.json("recover", scene.name, "--dry-run", "--json")["stacks"]
        assert (plan["action"], plan["tables"][0]["loaded"]) == ("continue", False)
        done = json.loads(scene.recover(scene.name, "--json").out)
        assert [(one["items_verified"], one["resumed"]) for one in done["tables"]] == [(ITEMS, True)]
        assert done["not_made"] == {}
        assert scene.account.state(scene.name)["items"] == before["items"]
        whole = scene.everything()
        again = scene.desk.ok("recover", scene.name)
        assert "nothing to do" in again.out
        assert scene.everything() == whole


def gone(body: bytes, other: bytes) -> tuple[bytes | None, bytes]:
    """Deleted."""
    return None, other


def cut(body: bytes, other: bytes) -> tuple[bytes | None, bytes]:
    """One byte short."""
    return body[:-1], other


def flipped(body: bytes, other: bytes) -> tuple[bytes | None, bytes]:
    """One bit in the middle."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :], other


def swapped(body: bytes, other: bytes) -> tuple[bytes | None, bytes]:
    """In the place of another one."""
    return other, body


def forged(body: bytes, other: bytes) -> tuple[bytes | None, bytes]:
    """A number more than there is, as somebody would write it who does not know of the seal."""
    return body.replace(b'"item_count": 60', b'"item_count": 61'), other


@pytest.mark.parametrize(
    ("part", "damage"),
    [
        ("data/", gone),
        ("data/", cut),
        ("data/", flipped),
        ("data/", swapped),
        ("table.json", gone),
        ("table.json", flipped),
        ("table.json", swapped),
        ("/manifest.json", cut),
        ("/manifest.json", flipped),
        ("/manifest.json", swapped),
        ("/manifest.json", forged),
        ("stacks/", cut),
        ("stacks/", flipped),
        ("stacks/", swapped),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_damage_is_refused_before_anything_is_written(
    scene: Scene, part: str, damage: Callable[[bytes, bytes], tuple[bytes | None, bytes]]
) -> None:
    """Of two tables one has a bad backup: neither is made, nor is the stack, and the object is named.

    13; or 10 where there is nothing left of a backup that could be told from none.
    """
    # What is swapped is so with an object of the same kind, of another stack.
    for stack in (scene.name, *([f"{scene.name}-x"] if damage is swapped else [])):
        scene.deploy(stack, two_tables(stack))
    scene.account.lose(scene.name)
    s3, bucket = scene.desk.engine.s3, scene.desk.name
    found = [one for one in scene.desk.objects() if part in one]
    (mine,) = [one for one in found if f"/{scene.name}-other/" in one or f"/{scene.name}/" in one]
    (other,) = [one for one in found if f"/{scene.name}-x-other/" in one or f"/{scene.name}-x/" in one] or [
        mine
    ]
    bodies = [s3.get_object(Bucket=bucket, Key=one)["Body"].read() for one in (mine, other)]
    for key, body in dict(zip((other, mine), reversed(damage(*bodies)), strict=True)).items():
        if body is None:
            s3.delete_object(Bucket=bucket, Key=key)
        else:
            s3.put_object(Bucket=bucket, Key=key, Body=body)
    damaged = scene.everything()
    done = scene.recover(scene.name)
    assert done.code == (10 if part in {"table.json", "/manifest.json"} else 13), done.err
    assert mine.removeprefix("net/").rpartition("/")[2] in done.err.replace("\n", "")
    assert scene.everything() == damaged

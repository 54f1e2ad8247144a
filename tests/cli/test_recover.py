"""`recover` beyond one table: the replica alone, several tables, stacks, a table that is there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from recovery.testing.embedded_aws import ACCOUNT
from tests.watcher.watching import delete_table

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Desk

OTHER = "eu-central-1"


def with_replica(desk: Desk, folder: Path, prefix: str = "copy") -> str:
    """Settings with a second vault in another region; the settings file's path."""
    bucket = desk.shell.exports["SAFETYNET_VAULT"].removeprefix("s3://").partition("/")[0]
    settings = folder / "replica.yaml"
    settings.write_text(f"backup: {{replica: {{vault: 's3://{bucket}/{prefix}', region: {OTHER}}}}}\n")
    return str(settings)


def exists(desk: Desk, table: str) -> bool:
    """Whether there is such a table; a listing would show the first hundred of all that tests have made."""
    client: Any = desk.aws.dynamodb()
    try:
        client.describe_table(TableName=table)
    except client.exceptions.ResourceNotFoundException:
        return False
    return True


def test_with_only_the_replica_in_reach(desk: Desk, tmp_path: Path) -> None:
    """--region of the replica: the vault that is out of reach is not even asked, and the table comes back there."""
    settings = with_replica(desk, tmp_path)
    done = desk.shell.run("backup", "run", desk.table, "--config", settings)
    assert done.code == 0, done.err
    before = desk.items(desk.table)
    # The main vault is a bucket that does not exist: whatever touches it fails.
    gone = {"SAFETYNET_VAULT": "s3://out-of-reach/net"}
    refused = desk.shell.run("recover", desk.table, "--config", settings, "--yes", **gone)
    assert refused.code != 0
    done = desk.shell.run(
        "recover", desk.table, "--region", OTHER, "--config", settings, "--yes", "--json", **gone
    )
    assert done.code == 0, done.err
    assert json.loads(done.out)["items_verified"] == len(before)
    there: Any = desk.aws.elsewhere("", OTHER).dynamodb()
    assert sorted(there.scan(TableName=desk.table)["Items"], key=lambda item: item["id"]["S"]) == before


def test_several_tables_are_one_plan(desk: Desk) -> None:
    """Side by side; the JSON of the dry run names them all, and one that fails does not stop the other."""
    client: Any = desk.aws.dynamodb()
    other = f"{desk.table}-two"
    client.create_table(
        TableName=other,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    desk.backed_up(desk.table, other)
    assert desk.shell.run("recover", desk.table, other, "--dry-run").out.count("table of that name") == 2
    for name in (desk.table, other):
        client.delete_table(TableName=name)
    plan = desk.json("recover", desk.table, other, "--dry-run")
    assert [table["target"]["name"] for table in plan["tables"]] == [desk.table, other]
    done = desk.json("recover", desk.table, other, "--yes")
    assert [table["table"] for table in done["tables"]] == [desk.table, other]
    assert [table["items_verified"] for table in done["tables"]] == [3, 0]


def test_a_newer_point_of_another_kind_is_named(desk: Desk) -> None:
    """The plan lists the on-demand backup of DynamoDB beside the vault's, and the flags that take it."""
    desk.backed_up(desk.table)
    client: Any = desk.aws.dynamodb()
    made = client.create_backup(TableName=desk.table, BackupName="by-hand")["BackupDetails"]
    client.delete_table(TableName=desk.table)
    plan = desk.json("recover", desk.table, "--dry-run")
    assert plan["point"]["kind"] == "vault"
    assert {point["kind"] for point in plan["points"]} == {"vault", "on-demand"}
    assert any("--source on-demand" in line for line in plan["better"])
    done = desk.json("recover", desk.table, "--source", "on-demand", "--yes")
    assert done["items_verified"] is None
    assert len(desk.items(desk.table)) == 3
    client.delete_backup(BackupArn=made["BackupArn"])


@pytest.mark.parametrize(
    "typed", [[], ["--yes"], ["--confirm", "TABLE", "--yes"], ["--account", ACCOUNT, "--yes"]]
)
def test_a_table_that_is_there_takes_more_than_yes(desk: Desk, typed: list[str]) -> None:
    """--into-existing without both the name and the account writes nothing: exit 14."""
    desk.backed_up(desk.table)
    client: Any = desk.aws.dynamodb()
    client.put_item(TableName=desk.table, Item={"id": {"S": "new"}})
    before = desk.items(desk.table)
    client.delete_item(TableName=desk.table, Key={"id": before[0]["id"]})
    left = desk.items(desk.table)
    words = [desk.table if word == "TABLE" else word for word in typed]
    done = desk.shell.run("recover", desk.table, "--into-existing", "merge", *words)
    assert done.code == 14, done.err
    assert desk.items(desk.table) == left


def test_into_existing(desk: Desk) -> None:
    """With name and account the missing items come back and others stay; replace-items leaves the backup's alone."""
    desk.backed_up(desk.table)
    client: Any = desk.aws.dynamodb()
    whole = desk.items(desk.table)
    client.put_item(TableName=desk.table, Item={"id": {"S": "zz-new"}})
    client.delete_item(TableName=desk.table, Key={"id": whole[0]["id"]})
    consent = ("--confirm", desk.table, "--account", ACCOUNT, "--yes")
    done = desk.json("recover", desk.table, "--into-existing", "only-missing", *consent)
    assert (done["written"], done["complete"]) == (1, True)
    assert desk.items(desk.table) == [*whole, {"id": {"S": "zz-new"}}]
    done = desk.json("recover", desk.table, "--into-existing", "replace-items", *consent)
    assert (done["written"], done["complete"]) == (1, True)
    assert desk.items(desk.table) == whole


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--source", "tape"], 2, "not a kind of recovery point"),
        (["--at", "yesterday"], 2, "not a time with a zone"),
        (["--from", "nowhere"], 2, "not an account and a region"),
        (["--max-minutes", "5"], 2, "--source auto"),
        (["--vault", "replica"], 2, "no replica of the vault is set"),
        (["--source", "pitr"], 10, "pitr"),
        (["--stack"], 10, "no capture of the stack"),
    ],
)
def test_bad_options(desk: Desk, arguments: list[str], code: int, said: str) -> None:
    """Each is told in a line with its exit code, and nothing is written."""
    desk.backed_up(desk.table)
    done = desk.shell.run("recover", desk.table, "--as", f"{desk.table}-x", *arguments, "--yes")
    assert (done.code, said in done.err) == (code, True), done.err
    assert not exists(desk, f"{desk.table}-x")


def template(table: str) -> dict[str, Any]:
    """A stack with a topic and a table of that name."""
    return {
        "Resources": {
            "Topic": {"Type": "AWS::SNS::Topic"},
            "Orders": {
                "Type": "AWS::DynamoDB::Table",
                "DeletionPolicy": "Retain",
                "Properties": {
                    "TableName": table,
                    "BillingMode": "PAY_PER_REQUEST",
                    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                },
            },
        }
    }


@pytest.fixture
def stack(desk: Desk) -> tuple[str, str, Any]:
    """A stack that was captured with the backup of its table: its name, the table's, CloudFormation."""
    name, table = f"{desk.table}-stack", f"{desk.table}-owned"
    stacks: Any = desk.aws.session.client("cloudformation", endpoint_url=desk.aws.endpoint_url)
    stack_id = stacks.create_stack(StackName=name, TemplateBody=json.dumps(template(table)))["StackId"]
    # What CloudFormation puts on its tables, and the embedded one does not.
    owner = {"stack-name": name, "stack-id": stack_id, "logical-id": "Orders"}
    client: Any = desk.aws.dynamodb()
    client.tag_resource(
        ResourceArn=client.describe_table(TableName=table)["Table"]["TableArn"],
        Tags=[{"Key": f"aws:cloudformation:{key}", "Value": value} for key, value in owner.items()],
    )
    desk.backed_up(table)
    return name, table, stacks


def test_a_dry_run_into_a_stack_makes_no_change_set(desk: Desk, stack: tuple[str, str, Any]) -> None:
    """The stack has lost its table: the dry run says where it would go, and writes nothing."""
    name, table, stacks = stack
    without = template(table)
    del without["Resources"]["Orders"]
    stacks.update_stack(StackName=name, TemplateBody=json.dumps(without))
    done = desk.shell.run("recover", table, "--into-stack", "--dry-run")
    assert done.code == 0, done.err
    assert done.out.strip() == f"would import {table} into stack {name} as Orders"
    assert desk.json("recover", table, "--into-stack", "--dry-run")["case"] == "import"
    assert stacks.list_change_sets(StackName=name)["Summaries"] == []
    refused = desk.shell.run("recover", desk.table, "--into-stack", "--dry-run")
    assert (refused.code, "no backup" in refused.err) == (10, True)


def test_a_stack_that_could_not_be_made_is_told_in_its_incident(
    desk: Desk, stack: tuple[str, str, Any]
) -> None:
    """No table of it was lost, only the stack; the embedded AWS cannot import: the incident is open again and says why."""
    name, table, stacks = stack
    stack_id = stacks.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    stacks.delete_stack(StackName=name)
    client: Any = desk.aws.dynamodb()
    if not exists(desk, table):  # the embedded AWS knows no Retain
        made = template(table)["Resources"]["Orders"]["Properties"]
        client.create_table(**made)
    record = json.loads(delete_table(table, eventTime=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"))
    record["source"] = "aws.cloudformation"
    record["detail"] |= {
        "eventSource": "cloudformation.amazonaws.com",
        "eventName": "DeleteStack",
        "requestParameters": {"stackName": stack_id},
        "responseElements": None,
        "resources": [],
    }
    desk.send(json.dumps(record))
    assert desk.shell.run("watch", "--once").code == 0
    (incident,) = desk.json("incidents", "list")
    assert incident["subject"]["type"] == "stack"
    done = desk.shell.run("recover", incident["id"], "--yes")
    assert done.code not in {0, 2}, done.err
    shown = desk.json("incidents", "show", incident["id"])
    assert shown["state"] == "open"
    assert f"stack {name}: " in shown["timeline"][-1]["what"]

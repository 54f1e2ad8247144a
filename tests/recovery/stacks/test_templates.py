"""Templates as data: both spellings come out the same, and what refers to what is found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from recovery.stacks.import_template import import_template, with_block
from recovery.stacks.templates import (
    as_text,
    attribute_readers,
    cdk_path,
    imported_values,
    loops,
    parse_template,
    references,
    transforms,
    with_values,
)
from rules.errors import UsageError
from tests.recovery.stacks.stage import table_block

YAML = """\
AWSTemplateFormatVersion: 2010-09-09   # a date to YAML, text to CloudFormation
Parameters:
  Env: {Type: String, Default: yes}
Conditions:
  Prod: !Equals [!Ref Env, prod]
  Both: !And [!Condition Prod, !Not [!Equals [!Ref 'AWS::Region', "us-east-1"]]]
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      Account: 012345678901
      Big: 123456789012
      Part: 0.5
      Quoted: '5'
      Wait: no
      Nothing:
      Text: |
        two
        lines
      Arn: !GetAtt Table.StreamArn
      Output: !GetAtt Inner.Outputs.Url
      Name: !Sub "${Env}-${!Literal}-${Table.Arn}"
      Made: !Join ["-", [!Ref Env, !ImportValue shop-key]]
      Both: !If [Both, !FindInMap [Map, a, b], !Base64 x]
      Long: {"Fn::GetAtt": "Table.Arn"}
"""


def test_both_spellings_are_one() -> None:
    """Short tags become functions; dates, account ids and quoted numbers stay text; YAML 1.1's words are booleans."""
    properties = parse_template(YAML)["Resources"]["Queue"]["Properties"]
    assert properties == {
        "Account": "012345678901",
        "Big": 123456789012,
        "Part": 0.5,
        "Quoted": "5",
        "Wait": False,
        "Nothing": None,
        "Text": "two\nlines\n",
        "Arn": {"Fn::GetAtt": ["Table", "StreamArn"]},
        "Output": {"Fn::GetAtt": ["Inner", "Outputs.Url"]},
        "Name": {"Fn::Sub": "${Env}-${!Literal}-${Table.Arn}"},
        "Made": {"Fn::Join": ["-", [{"Ref": "Env"}, {"Fn::ImportValue": "shop-key"}]]},
        "Both": {"Fn::If": ["Both", {"Fn::FindInMap": ["Map", "a", "b"]}, {"Fn::Base64": "x"}]},
        "Long": {"Fn::GetAtt": "Table.Arn"},
    }
    assert parse_template(YAML)["AWSTemplateFormatVersion"] == "2010-09-09"
    assert parse_template(YAML)["Parameters"]["Env"]["Default"] is True


def test_json_and_yaml_of_the_same_template_are_equal() -> None:
    """What is written out as JSON reads back as the same."""
    assert parse_template(as_text(parse_template(YAML))) == parse_template(YAML)


@pytest.mark.parametrize(
    "text", ["", "[]", "words", '{"Description": "x"}', "Resources: 5", "Resources: {? [a] : b}"]
)
def test_what_is_no_template(text: str) -> None:
    """An error, exit 2, and no traceback."""
    with pytest.raises(UsageError, match="no CloudFormation template"):
        parse_template(text)


def test_a_broken_template_is_not_quoted() -> None:
    """Where it is broken is said, but not what stands there."""
    with pytest.raises(UsageError, match="line 3") as caught:
        parse_template("Resources:\n  A: 1\n B: [hunter2\n")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_references() -> None:
    """Names, conditions and mappings, wherever they stand; a Sub's own variables are nobody else's."""
    found = references(parse_template(YAML)["Resources"])
    assert found.names == {"Table", "Inner", "Env"}
    assert found.conditions == {"Both"}
    assert found.mappings == {"Map"}
    assert references(parse_template(YAML)["Conditions"]).conditions == {"Prod"}
    own = references({"Fn::Sub": ["${Mine}-${Theirs}", {"Mine": {"Ref": "Else"}}]})
    assert own.names == {"Theirs", "Else"}


def test_who_reads_an_attribute() -> None:
    """Resources and outputs, in all spellings."""
    template = {
        "Resources": {
            "Mapping": {"Type": "T", "Properties": {"Arn": {"Fn::GetAtt": ["Orders", "StreamArn"]}}},
            "Text": {"Type": "T", "Properties": {"Arn": {"Fn::Sub": "x/${Orders.StreamArn}"}}},
            "Long": {"Type": "T", "Properties": {"Arn": {"Fn::GetAtt": "Orders.StreamArn"}}},
            "Other": {"Type": "T", "Properties": {"Arn": {"Fn::GetAtt": ["Orders", "Arn"]}}},
        },
        "Outputs": {"Stream": {"Value": {"Fn::GetAtt": ["Orders", "StreamArn"]}}},
    }
    assert attribute_readers(template, "Orders", "StreamArn") == ("Mapping", "Text", "Long", "Outputs.Stream")


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("shop-key", "shop-key"),
        ({"Ref": "Env"}, "prod"),
        ({"Ref": "Other"}, None),
        ({"Fn::Sub": "${Env}-key"}, "prod-key"),
        ({"Fn::Sub": "${Env}-${!Env}"}, "prod-${Env}"),
        ({"Fn::Sub": ["${A}-${Env}", {"A": {"Ref": "Env"}}]}, "prod-prod"),
        ({"Fn::Sub": "${Env}-${Table.Arn}"}, None),
        ({"Fn::Join": ["-", ["a", {"Ref": "Env"}]]}, "a-prod"),
        ({"Fn::Join": ["-", {"Ref": "List"}]}, None),
        ({"Fn::FindInMap": ["a", "b", "c"]}, None),
    ],
)
def test_names_made_of_values(argument: Any, value: str | None) -> None:
    """What can be told is told, and the rest is not guessed."""
    assert with_values(argument, {"Env": "prod"}) == value


def test_imports_macros_and_paths() -> None:
    """Found at any depth, and in both forms."""
    template: dict[str, Any] = {
        "Transform": ["AWS::Serverless-2016-10-31", {"Name": "AWS::Include"}],
        "Resources": {
            "A": {
                "Type": "T",
                "Metadata": {"aws:cdk:path": "Shop/A/Resource"},
                "Properties": {"X": {"Fn::Transform": {"Name": "Mine"}}, "Y": {"Fn::ImportValue": "e"}},
            }
        },
    }
    assert transforms(template) == ("AWS::Serverless-2016-10-31", "AWS::Include", "Mine")
    assert imported_values(template) == ["e"]
    assert cdk_path(template, "A") == "Shop/A/Resource"
    assert cdk_path(template, "B") == ""
    assert not loops(template)
    assert loops({"Resources": {"Fn::ForEach::Tables": ["N", ["a"], {}]}})


def test_an_import_keeps_what_a_table_needs() -> None:
    """Its parameters, mappings, and conditions with all that these are made of; nothing else."""
    whole: dict[str, Any] = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "Mine",
        "Parameters": {name: {"Type": "String"} for name in ("Env", "Region", "Unused")},
        "Mappings": {"Capacity": {"a": {"b": "5"}}, "Unused": {"a": {"b": "c"}}},
        "Conditions": {
            "Outer": {"Fn::Not": [{"Condition": "Inner"}]},
            "Inner": {"Fn::Equals": [{"Ref": "Region"}, "x"]},
            "Unused": {"Fn::Equals": [{"Ref": "Unused"}, "x"]},
        },
        "Resources": {
            "Orders": table_block(
                {"Fn::Sub": "${Env}-orders"},
                Condition="Outer",
                UpdatePolicy={"x": 1},
                Metadata={"aws:cdk:path": "Shop/Orders"},
                Properties={"WarmThroughput": {"Fn::FindInMap": ["Capacity", "a", "b"]}},
            ),
            "Queue": {"Type": "AWS::SQS::Queue"},
        },
        "Outputs": {"X": {"Value": {"Ref": "Queue"}}},
    }
    cut = import_template(whole, {"Orders": "prod-orders"})
    assert cut.left_out == {}
    assert cut.parameters == ("Env", "Region")
    assert set(cut.template) == {
        "AWSTemplateFormatVersion",
        "Parameters",
        "Mappings",
        "Conditions",
        "Resources",
    }
    assert set(cut.template["Mappings"]) == {"Capacity"}
    assert set(cut.template["Conditions"]) == {"Outer", "Inner"}
    (block,) = cut.template["Resources"].values()
    assert block["Metadata"] == {"aws:cdk:path": "Shop/Orders"}
    assert "UpdatePolicy" not in block
    assert block["Properties"] == whole["Resources"]["Orders"]["Properties"]


def test_a_name_that_another_resource_makes_is_written_out() -> None:
    """An import without the name would be another table's; other properties come with the update."""
    block = table_block(
        {"Ref": "Queue"}, Properties={"KinesisStreamSpecification": {"StreamArn": {"Ref": "Queue"}}}
    )
    whole = {"Resources": {"Orders": block, "Queue": {"Type": "AWS::SQS::Queue"}}}
    cut = import_template(whole, {"Orders": "orders"})
    assert cut.template["Resources"]["Orders"]["Properties"]["TableName"] == "orders"
    assert cut.left_out == {"Orders": ("KinesisStreamSpecification",)}


def test_what_a_global_table_needs_is_kept() -> None:
    """Its replicas are required: of each only what refers to another resource waits for the update."""
    replicas = [
        {"Region": "eu-west-1", "SSESpecification": {"KMSMasterKeyId": {"Fn::GetAtt": ["Key", "Arn"]}}},
        {"Region": {"Ref": "AWS::Region"}},
    ]
    block = table_block("orders", "AWS::DynamoDB::GlobalTable", Properties={"Replicas": replicas})
    whole = {"Resources": {"Orders": block, "Key": {"Type": "AWS::KMS::Key"}}}
    cut = import_template(whole, {"Orders": "orders"})
    assert cut.template["Resources"]["Orders"]["Properties"]["Replicas"] == [
        {"Region": "eu-west-1"},
        {"Region": {"Ref": "AWS::Region"}},
    ]
    assert cut.left_out == {"Orders": ("Replicas[0].SSESpecification",)}


def test_a_block_put_back_into_another_template() -> None:
    """Parameters that are gone are written out, what else is gone is left out, everything there stays as it is."""
    block = table_block(
        {"Fn::Sub": "${Env}-orders"},
        Condition="Gone",
        DependsOn=["Queue", "Topic"],
        Properties={
            "BillingMode": {"Fn::If": ["Gone", "PAY_PER_REQUEST", "PROVISIONED"]},
            "TableClass": {"Ref": "Class"},
            "SSESpecification": {"KMSMasterKeyId": {"Ref": "Key"}},
        },
    )
    current = {
        "Parameters": {"Class": {"Type": "String"}},
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {"X": {"Value": "x"}},
    }
    before = json.dumps(current)
    put_back = with_block(current, "Orders", block, "prod-orders", {"Env": "prod", "Class": "STANDARD"})
    assert json.dumps(current) == before
    assert {**put_back.template, "Resources": current["Resources"]} == current
    found = put_back.template["Resources"]["Orders"]
    assert found["Properties"]["TableName"] == "prod-orders"
    assert found["Properties"]["TableClass"] == {"Ref": "Class"}
    assert found["DependsOn"] == ["Queue"]
    assert "Condition" not in found
    assert (found["DeletionPolicy"], found["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert put_back.left_out == {"Orders": ("BillingMode", "SSESpecification")}

"""Stacks on a terminal of 80 columns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from cli.stack_lines import prepared_import_lines, stack_plan_lines, stack_report_lines
from recovery.definitions.follow_ups import FollowUp
from recovery.stacks.importing import PreparedImport
from recovery.stacks.plans import StackAction, StackPlan, StackTable, TableWay
from recovery.stacks.recreating import StackReport, TableToLoad

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def told(lines: Any) -> str:
    """What is printed."""
    console = Console(width=80, highlight=False)
    with console.capture() as capture:
        console.print(lines)
    assert all(len(line) <= 80 for line in capture.get().splitlines())
    # Where a line was broken does not count.
    return " ".join(capture.get().split())


def table(name: str, way: TableWay, **more: Any) -> StackTable:
    """One of the stack's tables."""
    return StackTable(
        name=name, logical_id=name.title(), type="AWS::DynamoDB::Table", way=way, **{"status": None, **more}
    )


def test_a_plan() -> None:
    """What becomes of each table, what is asked for, what stands in the way; markup in names is text."""
    plan = StackPlan(
        account="123456789012",
        region="eu-west-1",
        stack="shop",
        capture_key="stacks/x.json",
        captured=NOW,
        template_sha256="0",
        template_bytes=1,
        status=None,
        action=StackAction.CREATE,
        tables=(
            table("orders", TableWay.IMPORT),
            table("users", TableWay.IMPORT, status="ACTIVE"),
            table("made", TableWay.LOAD, nested=("Inner",), why="in a nested stack"),
        ),
        creates=tuple(f"Queue{number} (AWS::SQS::Queue)" for number in range(14)),
        hidden=("Password",),
        warnings=("made anew: [bold]Queue[/bold]",),
        blocks=("stack shop is DELETE_IN_PROGRESS",),
    )
    text = told(stack_plan_lines(plan))
    assert "shop in 123456789012/eu-west-1: made again" in text
    assert "orders (Orders): recovered first, then imported with its items" in text
    assert "users (Users): imported with its items" in text
    assert "made (Inner/Made): made by the stack, loaded afterwards (in a nested stack)" in text
    assert "and 2 more resources" in text
    assert "asks for Password" in text
    assert "[bold]Queue[/bold]" in text
    assert "BLOCKED stack shop is DELETE_IN_PROGRESS" in text


def plan_of(**more: Any) -> StackPlan:
    """A plan for the stack ``shop``."""
    return StackPlan(
        **{
            "account": "123456789012",
            "region": "eu-west-1",
            "stack": "shop",
            "capture_key": "stacks/x.json",
            "captured": NOW,
            "template_sha256": "0",
            "template_bytes": 1,
            "status": None,
            "action": StackAction.CREATE,
            "tables": (table("orders", TableWay.IMPORT),),
            **more,
        }
    )


def test_the_steps_of_a_plan() -> None:
    """In order: tables, import, update with what it puts on tables, load, and what comes last."""
    made = table("made", TableWay.LOAD)
    text = told(
        stack_plan_lines(
            plan_of(
                tables=(table("orders", TableWay.IMPORT), made),
                left_out={"Orders": ("SSESpecification",)},
                parameters={"Env": "x" * 50},
                has_policy=True,
                termination_protection=True,
                lost_in="eu-central-1",
            )
        )
    )
    assert "captured 2026-11-23 03:00:00 UTC in eu-central-1" in text
    steps = [
        text.index(f"{number}. {step}")
        for number, step in enumerate(
            (
                "recover 1 table",
                "import Orders by",
                "update to the whole template",
                "load 1 table",
                "put on stack policy and",
            ),
            1,
        )
    ]
    assert steps == sorted(steps)
    assert "puts on SSESpecification of Orders" in text
    assert f"Env = {'x' * 40}..." in text


@pytest.mark.parametrize(
    ("status", "first"),
    [
        ("IMPORT_COMPLETE", "1. update to the whole template"),
        ("UPDATE_ROLLBACK_COMPLETE", "1. update to the whole template"),
        ("UPDATE_COMPLETE", "1. put on termination protection"),
    ],
)
def test_a_recreation_that_goes_on(status: str, first: str) -> None:
    """What is done is not among the steps any more."""
    text = told(
        stack_plan_lines(
            plan_of(
                action=StackAction.CONTINUE,
                status=status,
                tables=(table("orders", TableWay.IMPORT, status="ACTIVE"),),
                termination_protection=True,
            )
        )
    )
    assert f"steps {first}" in text


def test_nothing_to_do() -> None:
    """A stack that is whole is said to be so; a table of it that is half recovered is not overlooked."""
    kept = table("orders", TableWay.KEPT, status="ACTIVE")
    whole = plan_of(action=StackAction.NONE, status="UPDATE_COMPLETE", tables=(kept,))
    assert "it is there, and whole: nothing to do" in told(stack_plan_lines(whole))
    half = whole.model_copy(update={"tables": (kept.model_copy(update={"half_recovered": True}),)})
    text = told(stack_plan_lines(half))
    assert "only its tables come back" in text
    assert "its recovery is ended first" in text


def test_a_change_set_that_waits() -> None:
    """All that it would do, and what stays at the table alone."""
    prepared = PreparedImport(
        account="123456789012",
        region="eu-west-1",
        stack="shop",
        logical_id="Orders",
        table="orders",
        change_set="arn",
        change_set_name="safetynet-import-1",
        changes=("Import Orders (AWS::DynamoDB::Table): orders",),
        left_out=("SSESpecification",),
    )
    text = told(prepared_import_lines(prepared))
    assert "shop in 123456789012/eu-west-1" in text
    assert "does Import Orders (AWS::DynamoDB::Table): orders" in text
    assert "SSESpecification: it stays as it is at the table" in text


def test_a_report() -> None:
    """What the stack took over, what is loaded, and the command that is still to be run, whole."""
    report = StackReport(
        stack="shop",
        stack_id="arn",
        status="UPDATE_COMPLETE",
        imported=("orders",),
        to_load=(TableToLoad(lost="made-1", name="made-2"),),
        follow_ups=(FollowUp("stack policy", "not authorized", "aws cloudformation set-stack-policy"),),
        started_at=NOW,
        ended_at=NOW + timedelta(seconds=75),
        resumed=True,
    )
    text = told(stack_report_lines(report))
    assert "shop: UPDATE_COMPLETE (continued)" in text
    assert "imported orders" in text
    assert "made-2, from the backups of made-1" in text
    assert "took 1 min 15 s" in text
    assert "still to do stack policy: not authorized aws cloudformation set-stack-policy" in text

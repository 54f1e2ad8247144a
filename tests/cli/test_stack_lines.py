"""Stacks on a terminal of 80 columns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from cli.stack_lines import stack_plan_lines, stack_report_lines
from recovery.definitions.follow_ups import FollowUp
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

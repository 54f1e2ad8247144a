"""Stacks in the vault: stored when they change, found by name and time, trusted only when whole."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from recovery.definitions.readings import Known, NotKnown
from recovery.errors import DamagedObjectError
from recovery.stacks.documents import (
    StackCapture,
    StackOutput,
    StackParameter,
    latest_stack,
    region_of_captures,
    stack_name_of,
    store_stack,
)
from recovery.testing.memory_vault import MemoryVault
from recovery.vault.vault import body_of
from rules.errors import NotFoundError, UsageError
from tests.recovery.recovering import START

ACCOUNT, REGION = "123456789012", "eu-west-1"
STACK_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/shop/1f7d6d4e-0000-4000-8000-000000000000"
DAY = timedelta(days=1)


def capture(**more: Any) -> StackCapture:
    """A capture of the stack ``shop``."""
    return StackCapture(
        **{
            "account": ACCOUNT,
            "region": REGION,
            "name": "shop",
            "stack_id": STACK_ID,
            "status": "CREATE_COMPLETE",
            "created": START,
            "captured": START,
            "template": Known(value="Resources: {}"),
            "imported_by": Known(),
            "policy": Known(),
            "resources": Known(value=[resource("Orders", "orders")]),
            **more,
        }
    )


def resource(logical_id: str, physical_id: str | None, **more: str) -> dict[str, Any]:
    """A resource as a capture holds it."""
    kind = {"type": "AWS::DynamoDB::Table", "status": "CREATE_COMPLETE"}
    return {"logical_id": logical_id, "physical_id": physical_id, **kind, **more}


def newest(vault: MemoryVault, **more: Any) -> StackCapture:
    """The newest capture of the stack ``shop``."""
    return latest_stack(vault, ACCOUNT, REGION, "shop", **more)


def test_a_capture_comes_back_as_it_was_stored() -> None:
    """Everything of it, under a key made of account, region, stack and time."""
    vault = MemoryVault()
    whole = capture(
        updated=START - DAY,
        parameters=(
            StackParameter(key="Password", value=None, hidden=True),
            StackParameter(key="N", value="1"),
        ),
        outputs=(StackOutput(key="Arn", value="arn", export="shop-arn"), StackOutput(key="Url", value="u")),
        rollback={"RollbackTriggers": [], "MonitoringTimeInMinutes": 5},
        policy=NotKnown(reason="access denied"),
    )
    assert store_stack(vault, whole) == f"stacks/{ACCOUNT}/{REGION}/shop/20261123T030000Z.json"
    assert newest(vault) == whole
    assert whole.exports == {"shop-arn": "arn"}
    assert whole.hidden_parameters == ("Password",)
    assert whole.unknown == {"policy": "access denied"}


def test_a_stack_that_has_not_changed_is_not_stored_again() -> None:
    """The old key is returned, and nothing is written; a change is stored beside the old one."""
    vault = MemoryVault()
    first = store_stack(vault, capture())
    assert store_stack(vault, capture(captured=START + DAY)) == first
    assert vault.writes == [first]
    second = store_stack(vault, capture(captured=START + DAY, tags={"team": "shop"}))
    assert vault.writes == [first, second]
    assert newest(vault).tags == {"team": "shop"}
    # Back to what it was: compared is with the newest one, not with any.
    assert store_stack(vault, capture(captured=START + 2 * DAY)) not in {first, second}


def test_storing_once_more_is_no_error() -> None:
    """A run that is repeated within its second finds its own capture."""
    vault = MemoryVault()
    assert store_stack(vault, capture()) == store_stack(vault, capture())


@pytest.mark.parametrize("part", ["template", "imported_by", "policy", "resources"])
def test_what_could_not_be_read_is_no_change(part: str) -> None:
    """A template that is stored does not give way to the news that it could not be read today."""
    vault = MemoryVault()
    first = store_stack(vault, capture())
    unread = capture(captured=START + DAY, **{part: NotKnown(reason="throttled")})
    assert store_stack(vault, unread) == first
    changed = unread.model_copy(update={"status": "UPDATE_COMPLETE"})
    assert store_stack(vault, changed) != first


def test_what_can_be_read_at_last_is_a_change() -> None:
    """The first capture that knows the template is kept."""
    vault = MemoryVault()
    store_stack(vault, capture(template=NotKnown(reason="access denied")))
    store_stack(vault, capture(captured=START + DAY))
    assert newest(vault).template == Known(value="Resources: {}")


def test_the_capture_before_a_time() -> None:
    """As it was before the deletion; a name and an ARN find the same."""
    vault = MemoryVault()
    for number in range(3):
        store_stack(vault, capture(captured=START + number * DAY, description=str(number)))
    assert newest(vault).description == "2"
    assert newest(vault, before=START + 2 * DAY).description == "1"
    assert newest(vault, before=START + 2 * DAY + timedelta(seconds=1)).description == "2"
    assert latest_stack(vault, ACCOUNT, REGION, STACK_ID).description == "2"
    with pytest.raises(NotFoundError, match="no capture of the stack shop"):
        newest(vault, before=START)


def test_other_places_have_other_captures() -> None:
    """A namesake in another account, region or with a longer name is not found."""
    vault = MemoryVault()
    store_stack(vault, capture())
    for account, region, name in (
        ("210987654321", REGION, "shop"),
        (ACCOUNT, "us-east-1", "shop"),
        (ACCOUNT, REGION, "sho"),
        (ACCOUNT, REGION, "shop-2"),
    ):
        with pytest.raises(NotFoundError):
            latest_stack(vault, account, region, name)


def test_a_damaged_capture_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    """An older one that is whole is better than none, and the damage is said; the next run stores anew."""
    vault = MemoryVault()
    store_stack(vault, capture())
    damaged = capture(captured=START + DAY).key
    vault.put_new(damaged, b"{")
    assert newest(vault).captured == START
    assert damaged in caplog.text


def test_a_copied_capture_is_not_believed(caplog: pytest.LogCaptureFixture) -> None:
    """Under another time it would be taken for what the stack was then."""
    vault = MemoryVault()
    store_stack(vault, capture())
    vault.put_new(capture(captured=START + DAY).key, body_of(capture(description="copied")))
    assert newest(vault).description == ""
    assert "says that it is" in caplog.text


@pytest.mark.parametrize("bit", range(8))
def test_no_byte_can_change_unseen(bit: int) -> None:
    """Whichever bit of a capture is flipped, it is damaged: a template that is changed is still a template."""
    vault = MemoryVault()
    key = store_stack(vault, capture())
    body = vault.get(key).body
    for place in range(len(body)):
        changed = bytearray(body)
        changed[place] ^= 1 << bit
        vault.put(key, bytes(changed))
        found = whole(vault)
        # Spaces between the parts of a document are nobody's.
        assert found is None or found == capture()


def whole(vault: MemoryVault) -> StackCapture | None:
    """The newest capture, None where it is damaged."""
    try:
        return newest(vault)
    except DamagedObjectError:
        return None


def test_a_stack_whose_captures_are_all_damaged() -> None:
    """That is not the same as a stack without captures."""
    vault = MemoryVault()
    vault.put_new(capture().key, b"{")
    with pytest.raises(DamagedObjectError, match=capture().key) as caught:
        newest(vault)
    assert "deploy the stack from its source" in caught.value.hint


def test_a_capture_of_an_earlier_version_has_no_seal() -> None:
    """It is believed as before."""
    vault = MemoryVault()
    vault.put_new(capture().key, body_of(capture()))
    assert newest(vault) == capture()


def test_in_which_region_a_stack_was() -> None:
    """Here if it was here; else in the only other one; several others are told, and an ARN says it anyway."""
    vault = MemoryVault()

    def found(stack: str = "shop", region: str = REGION) -> str:
        return region_of_captures(vault, ACCOUNT, region, stack)

    assert found() == REGION
    store_stack(vault, capture(region="us-east-1"))
    store_stack(vault, capture(region="us-west-1", name="shop-2"))
    assert found() == "us-east-1"
    assert found("shop-2") == "us-west-1"
    store_stack(vault, capture(region="us-west-2"))
    with pytest.raises(UsageError, match="was in us-east-1, us-west-2"):
        found()
    assert found(STACK_ID) == REGION
    assert found(region="us-west-2") == "us-west-2"


def test_own_tables_and_nested_stacks() -> None:
    """Tables by both types; what failed to be created or was let go of is not the stack's."""
    nested = {"type": "AWS::CloudFormation::Stack"}
    found = capture(
        resources=Known(
            value=[
                resource("Orders", "orders"),
                resource("Global", "global", type="AWS::DynamoDB::GlobalTable"),
                resource("Queue", "queue", type="AWS::SQS::Queue"),
                resource("Taken", "taken", status="CREATE_FAILED"),
                resource("Kept", "kept", status="DELETE_SKIPPED"),
                resource("Inner", f"{STACK_ID}-inner", **nested),
                resource("Never", None, **nested),
            ]
        )
    )
    assert [table.physical_id for table in found.tables] == ["orders", "global"]
    assert found.nested == (f"{STACK_ID}-inner",)
    unread = capture(resources=NotKnown(reason="access denied"))
    assert (unread.tables, unread.nested) == ((), ())


@pytest.mark.parametrize(
    ("stack", "name"), [("shop", "shop"), ("a-B-3", "a-B-3"), (STACK_ID, "shop"), ("s" * 128, "s" * 128)]
)
def test_names_of_stacks(stack: str, name: str) -> None:
    """A name is itself, an ARN holds it."""
    assert stack_name_of(stack) == name


@pytest.mark.parametrize(
    "stack",
    ["", "../x", "shop/x", "sh op", "1shop", "s" * 129, "arn:aws:cloudformation", "shop\n", "arn:x/../y"],
)
def test_what_is_no_name_of_a_stack(stack: str) -> None:
    """Nothing that could lead to another place of the vault becomes part of a key."""
    with pytest.raises(UsageError, match="not a stack's name"):
        stack_name_of(stack)
    with pytest.raises(ValidationError):
        capture(name=stack)

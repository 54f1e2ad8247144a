"""The canary: it proves that events arrive, and can do nothing else, whoever wrote it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from recovery.testing.memory_vault import MemoryVault
from rules.errors import NotFoundError, UnavailableError
from tests.watcher.watching import NOON, delete_table
from watcher.health.canary import CANARY, Canaries, Canary, canary_state, is_canary
from watcher.health.canary_bus import BusCanarySender
from watcher.health.canary_queue import QueueCanarySender
from watcher.testing.recording_canary import RecordingCanarySender

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

    from recovery.testing.embedded_aws import EmbeddedEndpoint
    from tests.watcher.watching import Clockwork

ONE = Canary("0" * 32, NOON, "one")
EVERY = timedelta(minutes=5)


class Cage:
    """A canary's whole world: a vault, a clock, a sender."""

    def __init__(self, clock: Clockwork) -> None:
        self.vault = MemoryVault()
        self.clock = clock
        self.sender = RecordingCanarySender()
        self.canaries = self.another("one")

    def another(self, watcher: str) -> Canaries:
        """What another watcher has of it."""
        return Canaries(self.vault, self.clock, self.sender, watcher, EVERY)

    def sent(self) -> Canary:
        """Send one, now."""
        canary = self.canaries.send_due()
        assert canary is not None
        return canary


@pytest.fixture
def cage(clock: Clockwork) -> Cage:
    """A canary in memory."""
    return Cage(clock)


def test_it_looks_like_an_event_of_eventbridge() -> None:
    """The members of an EventBridge event; and it is known again as the one it was."""
    document = json.loads(ONE.body)
    assert document["source"] == "safetynet.canary"
    assert document["detail-type"] == "safetynet canary"
    assert document["detail"] == {"canary": "0" * 32, "sent": "2026-11-23T12:00:00+00:00", "watcher": "one"}
    assert is_canary(ONE.body) == ONE


def test_as_the_bus_delivers_it_it_is_known_again() -> None:
    """EventBridge gives it an id, an account and a region of its own."""
    document = json.loads(ONE.body) | {"id": "abc", "account": "123456789012", "region": "eu-west-1"}
    assert is_canary(json.dumps(document).encode()) == ONE


CHANGES: list[dict[str, Any]] = [
    {"source": "aws.dynamodb"},
    {"detail-type": "AWS API Call via CloudTrail"},
    {"detail": {}},
    {"detail": ONE.detail | {"eventName": "DeleteTable"}},
    {"detail": ONE.detail | {"sent": 1764000000}},
    {"detail": ONE.detail | {"sent": "2026-11-23T12:00:00"}},
    {"detail": ONE.detail | {"canary": "../x"}},
    {"detail": ONE.detail | {"watcher": "x" * 101}},
    {"resources": ["arn:aws:dynamodb:eu-west-1:123456789012:table/orders"]},
    {"unheard": "of"},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_what_is_anything_else_is_no_canary(change: dict[str, Any]) -> None:
    """Strict: no event passes for a canary by looking a little like one."""
    assert is_canary(json.dumps(json.loads(ONE.body) | change).encode()) is None


def test_no_event_hides_behind_it() -> None:
    """A deletion that names the canary's source stays a deletion, and so does a very long message."""
    assert is_canary(delete_table("safetynet.canary")) is None
    assert is_canary(ONE.body + b" " * 5000) is None


@given(st.binary(max_size=200))
def test_any_message_can_be_asked(body: bytes) -> None:
    """No message makes it raise."""
    assert is_canary(body) is None
    assert is_canary(b'"safetynet.canary"' + body) is None


def test_one_is_sent_every_few_minutes(cage: Cage) -> None:
    """Not before it is time, and by one watcher of several."""
    assert cage.canaries.send_due() is not None
    assert cage.another("two").send_due() is None
    cage.clock.now += EVERY - timedelta(seconds=1)
    assert cage.canaries.send_due() is None
    cage.clock.now += timedelta(seconds=1)
    assert cage.another("two").send_due() is not None
    assert [canary.watcher for canary in cage.sender.sent] == ["one", "two"]


def test_it_is_stored_before_it_is_sent(cage: Cage) -> None:
    """So that one that arrives at once is known; one that could not be sent is told of, and waited for no less."""
    cage.sender.failures = [UnavailableError("SQS is down")]
    assert cage.canaries.send_due() is None
    state = canary_state(cage.vault)
    assert state is not None
    assert (len(state.waiting), state.last_error) == (1, "SQS is down")


def test_an_arrival_is_stored_with_its_time_on_the_way(cage: Cage) -> None:
    """Sent, arrived, seconds."""
    canary = cage.sent()
    cage.clock.sleep(7)
    assert cage.another("two").arrived(canary)
    state = canary_state(cage.vault)
    assert state is not None
    assert state.arrived is not None
    assert (state.arrived.sent_at, state.arrived.arrived_at) == (NOON, NOON + timedelta(seconds=7))
    assert (state.arrived.seconds, state.waiting) == (7, ())


def test_a_second_arrival_changes_nothing(cage: Cage) -> None:
    """Queues deliver twice."""
    canary = cage.sent()
    assert cage.canaries.arrived(canary)
    writes = len(cage.vault.writes)
    cage.clock.sleep(60)
    assert not cage.canaries.arrived(canary)
    assert len(cage.vault.writes) == writes


def test_it_only_moves_forward(cage: Cage) -> None:
    """One that was overtaken on its way changes nothing any more."""
    first = cage.sent()
    cage.clock.now += EVERY
    second = cage.sent()
    assert cage.canaries.arrived(second)
    assert not cage.canaries.arrived(first)
    state = canary_state(cage.vault)
    assert state is not None
    assert state.arrived is not None
    assert state.arrived.id == second.id


def test_a_forged_one_counts_for_nothing(cage: Cage) -> None:
    """Whoever writes to the queue can neither pretend that canaries arrive, nor move anything else."""
    cage.sent()
    writes = list(cage.vault.writes)
    assert not cage.canaries.arrived(replace(ONE, id="f" * 32))
    assert cage.vault.writes == writes
    assert set(cage.vault.writes) == {CANARY}


def test_one_from_the_future_is_refused(cage: Cage) -> None:
    """Even with the right id; and what it says of its sending never counts, but what was stored."""
    canary = cage.sent()
    assert not cage.canaries.arrived(replace(canary, sent=cage.clock.now + timedelta(minutes=3)))
    cage.clock.sleep(5)
    assert cage.canaries.arrived(replace(canary, sent=NOON - timedelta(days=1)))
    state = canary_state(cage.vault)
    assert state is not None
    assert state.arrived is not None
    assert (state.arrived.sent_at, state.arrived.seconds) == (NOON, 5)


def test_what_was_never_sent_never_arrives(cage: Cage) -> None:
    """A canary in a vault that never sent one writes nothing."""
    assert not cage.canaries.arrived(ONE)
    assert cage.vault.writes == []


def test_those_that_are_waited_for_do_not_pile_up(cage: Cage) -> None:
    """A queue that is down for a month leaves a short document."""
    for _ in range(50):
        cage.sent()
        cage.clock.now += EVERY
    state = canary_state(cage.vault)
    assert state is not None
    assert len(state.waiting) == 20
    assert cage.canaries.arrived(cage.sender.sent[-1])


def test_the_switch_is_told_of_each_arrival_once(cage: Cage) -> None:
    """By whichever watcher comes first, and it is remembered across restarts."""
    canary = cage.sent()
    assert cage.canaries.untold() is None
    cage.canaries.arrived(canary)
    arrival = cage.another("two").untold()
    assert arrival is not None
    cage.another("two").told(arrival)
    assert cage.canaries.untold() is None


def test_by_the_queue(endpoint: EmbeddedEndpoint) -> None:
    """What the sender puts into a queue is a canary when it comes out."""
    sqs = endpoint.aws().sqs()
    url = sqs.create_queue(QueueName="canaries")["QueueUrl"]
    QueueCanarySender(sqs, url).send(ONE)
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert is_canary(message["Body"].encode()) == ONE
    with pytest.raises(NotFoundError):
        QueueCanarySender(sqs, f"{url}-that-is-not-there").send(ONE)


def test_by_the_bus(endpoint: EmbeddedEndpoint) -> None:
    """Through a rule that lets it pass, into the queue."""
    aws = endpoint.aws()
    sqs, events = aws.sqs(), aws.session.client("events", endpoint_url=endpoint.url)
    url = sqs.create_queue(QueueName="canaries-of-the-bus")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="canaries", EventPattern='{"source": ["safetynet.canary"]}')
    events.put_targets(Rule="canaries", Targets=[{"Id": "queue", "Arn": arn}])
    BusCanarySender(events).send(ONE)
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert is_canary(message["Body"].encode()) == ONE


def test_the_bus_may_take_none_and_answer_200(endpoint: EmbeddedEndpoint) -> None:
    """PutEvents tells of refused entries inside its answer."""
    events: EventBridgeClient = endpoint.aws().session.client("events")
    with Stubber(events) as stub:
        refused = {"ErrorCode": "ThrottlingException", "ErrorMessage": "Rate exceeded"}
        stub.add_response("put_events", {"FailedEntryCount": 1, "Entries": [refused]})
        with pytest.raises(UnavailableError, match="ThrottlingException"):
            BusCanarySender(events).send(ONE)

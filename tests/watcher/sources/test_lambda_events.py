"""The Lambda handlers: what failed is named, what is done is not, and what cannot be understood is told of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rules.errors import AccessDeniedError, EventError, NotFoundError, SafetyNetError, UnavailableError
from tests.watcher.watching import by, delete_table
from watcher.sources.lambda_events import LambdaEvents

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.watcher.watching import Parts
    from watcher.incidents.incident import Incident

STANDARD = "arn:aws:sqs:eu-west-1:111122223333:safetynet-events"
POISON = "{ this is no event"


def sqs_event(*bodies: str | bytes, arn: str = STANDARD, groups: str = "") -> dict[str, Any]:
    """An SQS event as Lambda's guide shows it ('Using Lambda with Amazon SQS'); messages ``m0``, ``m1``, ..."""
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a...",
                "body": body if isinstance(body, str) else body.decode(),
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1545082649183",
                    "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                    **({"MessageGroupId": groups[number]} if groups else {}),
                },
                "messageAttributes": {},
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": arn,
                "awsRegion": "eu-west-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


def failed(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    """The messages that Lambda would leave on the queue."""
    assert set(answer) == {"batchItemFailures"}
    assert all(set(entry) == {"itemIdentifier"} for entry in answer["batchItemFailures"])
    return [entry["itemIdentifier"] for entry in answer["batchItemFailures"]]


@pytest.fixture
def events(parts: Parts) -> LambdaEvents:
    """The handlers over a whole pipeline in memory."""
    return LambdaEvents(parts.pipeline, lambda incident: parts.outbox.deliver(incident.id))


def subjects(parts: Parts) -> list[str]:
    """Of what people were told."""
    return [notice.incident.subject.name for notice in parts.notifier.sent]


def two_deletions() -> tuple[bytes, bytes]:
    """By two people, so that they are two incidents."""
    return delete_table("orders", **by("one")), delete_table("carts", **by("another"))


def test_every_message_is_taken_in_and_told(events: LambdaEvents, parts: Parts) -> None:
    """Nothing failed: Lambda deletes them all."""
    assert failed(events.handle_sqs(sqs_event(*two_deletions()))) == []
    assert subjects(parts) == ["orders", "carts"]


def test_a_batch_that_comes_again_changes_nothing(events: LambdaEvents, parts: Parts) -> None:
    """Lambda died before it answered, or two functions got the same message."""
    batch = sqs_event(*two_deletions())
    for _ in range(2):
        assert failed(events.handle_sqs(batch)) == []
    assert len(parts.notifier.sent) == len(list(parts.incidents.all())) == 2


def test_one_poison_message_is_alerted_and_named(events: LambdaEvents, parts: Parts) -> None:
    """The others of the batch are done; it comes back until SQS gives it up, and is told of once."""
    first, second = two_deletions()
    for _ in range(3):
        assert failed(events.handle_sqs(sqs_event(first, POISON, second))) == ["m1"]
    titles = sorted(notice.incident.title for notice in parts.notifier.sent)
    assert titles == ["Event that cannot be understood", "Table deleted", "Table deleted"]


def test_half_a_character_is_no_reason_to_lose_the_batch(events: LambdaEvents, parts: Parts) -> None:
    """JSON can name a half of a character, which no UTF-8 has: one poison message like others."""
    event = json.loads(json.dumps(sqs_event(delete_table(), "x")).replace('"x"', r'"\ud83d"'))
    assert failed(events.handle_sqs(event)) == ["m1"]
    assert len(parts.notifier.sent) == 2


def _breaking(parts: Parts, monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[bytes]:
    """Have the pipeline fail at the second message; what it was asked to take in."""
    asked: list[bytes] = []
    take_all: Callable[[bytes], list[Incident]] = parts.pipeline.take_all

    def unreliable(body: bytes) -> list[Incident]:
        asked.append(body)
        if len(asked) == 2:
            raise error
        return take_all(body)

    monkeypatch.setattr(parts.pipeline, "take_all", unreliable)
    return asked


def test_a_vault_out_of_reach_leaves_the_rest_on_the_queue(
    events: LambdaEvents, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Untried: each attempt would wait as long, and the function's time is limited. What was done is done."""
    asked = _breaking(parts, monkeypatch, UnavailableError("S3 is down"))
    bodies = [delete_table(name, **by(name)) for name in ("a-table", "b-table", "c-table")]
    assert failed(events.handle_sqs(sqs_event(*bodies))) == ["m1", "m2"]
    assert asked == bodies[:2]
    assert subjects(parts) == ["a-table"]


@pytest.mark.parametrize("error", [AccessDeniedError("s3:PutObject"), NotFoundError("no bucket")])
def test_what_no_retry_mends_fails_the_function(
    events: LambdaEvents, parts: Parts, monkeypatch: pytest.MonkeyPatch, error: SafetyNetError
) -> None:
    """So that Lambda counts an error, and the alarm on it goes off."""
    _breaking(parts, monkeypatch, error)
    with pytest.raises(type(error)):
        events.handle_sqs(sqs_event(delete_table(), delete_table()))


def test_a_defect_of_ours_is_alerted_too(
    events: LambdaEvents, parts: Parts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception that nobody foresaw: the message stays, people are told, the next one is done."""
    _breaking(parts, monkeypatch, ZeroDivisionError())
    bodies = [delete_table(name, **by(name)) for name in ("a-table", "b-table", "c-table")]
    assert failed(events.handle_sqs(sqs_event(*bodies))) == ["m1"]
    reasons = [notice.incident.reasons[0] for notice in parts.notifier.sent]
    assert any("ZeroDivisionError" in reason for reason in reasons)
    assert len(reasons) == 3
    assert "could not be handled" in caplog.text


def test_an_alert_that_fails_does_not_fail_the_message(
    events: LambdaEvents, parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    """The incident is stored and its alert is owed: whoever delivers what is owed sends it."""
    parts.notifier.failures = [UnavailableError("Slack is down")]
    assert failed(events.handle_sqs(sqs_event(delete_table()))) == []
    assert len(list(parts.incidents.all())) == 1
    assert parts.notifier.sent == []


def test_an_outbox_that_fails_does_not_fail_the_message(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    """Even where not so much as the attempt can be noted."""

    def down(_: Incident) -> None:
        raise UnavailableError("S3 is down")

    events = LambdaEvents(parts.pipeline, down)
    assert failed(events.handle_sqs(sqs_event(delete_table()))) == []
    assert "not delivered yet: S3 is down" in caplog.text


def test_in_a_fifo_queue_nothing_passes_what_failed(events: LambdaEvents, parts: Parts) -> None:
    """Of the same group; other groups go on."""
    first, second = two_deletions()
    batch = sqs_event(POISON, first, second, arn=f"{STANDARD}.fifo", groups="aab")
    assert failed(events.handle_sqs(batch)) == ["m0", "m1"]
    assert "carts" in subjects(parts)
    assert "orders" not in subjects(parts)


def test_the_groups_of_a_standard_queue_have_no_order(events: LambdaEvents, parts: Parts) -> None:
    """They are there to be fair between tenants; a message that failed holds up nobody."""
    first, second = two_deletions()
    assert failed(events.handle_sqs(sqs_event(POISON, first, second, groups="aaa"))) == ["m0"]


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"Records": None},
        {"Records": [{"body": "{}"}]},
        {"Records": [{"messageId": "", "body": "{}"}]},
        {"Records": [{"messageId": "m", "body": 5}]},
    ],
)
def test_what_is_no_event_of_sqs_fails_the_function(events: LambdaEvents, event: dict[str, Any]) -> None:
    """An answer that names no message, or an empty one, would be taken for success, or for nothing."""
    with pytest.raises(EventError, match="not an event of SQS"):
        events.handle_sqs(event)


def test_messages_can_be_read_first(parts: Parts) -> None:
    """Where they only point to events, such as a trail's files; a file that is gone is named and told of."""

    def read(body: bytes) -> bytes:
        if body == b"gone":
            raise EventError("trail file 's3://trail/gone' is not there any more")
        return delete_table("from-a-file")

    events = LambdaEvents(parts.pipeline, lambda incident: parts.outbox.deliver(incident.id), read)
    assert failed(events.handle_sqs(sqs_event("gone", "there"))) == ["m0"]
    assert subjects(parts)[1:] == ["from-a-file"]
    assert "not there any more" in parts.notifier.sent[0].incident.reasons[0]


def test_eventbridge_may_call_directly(events: LambdaEvents, parts: Parts) -> None:
    """Without a queue: the same pipeline."""
    events.handle_event(json.loads(delete_table()))
    assert subjects(parts) == ["orders"]


def test_a_direct_event_that_cannot_be_understood_is_told_and_fails(
    events: LambdaEvents, parts: Parts
) -> None:
    """Lambda tries it twice more and then sends it to the dead-letter queue; people hear of it once."""
    for _ in range(3):
        with pytest.raises(EventError, match="could not be taken in"):
            events.handle_event({"id": "odd", "detail-type": "Nothing anybody knows"})
    (notice,) = parts.notifier.sent
    assert notice.incident.title == "Event that cannot be understood"


def test_a_direct_event_that_cannot_be_stored_fails(
    events: LambdaEvents, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then Lambda tries again."""

    def down(_: bytes) -> list[Incident]:
        raise UnavailableError("S3 is down")

    monkeypatch.setattr(parts.pipeline, "take_all", down)
    with pytest.raises(UnavailableError):
        events.handle_event(json.loads(delete_table()))

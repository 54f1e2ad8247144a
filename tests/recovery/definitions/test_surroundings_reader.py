"""Reads that may go unanswered: asked a few times, from any thread, and never for long."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from recovery.definitions.reader import FAILED_ATTEMPTS, THROTTLED_ATTEMPTS, Reader
from recovery.definitions.readings import Known, NotKnown, as_json, reading
from recovery.errors import AwsError
from recovery.testing.embedded_aws import EmbeddedEndpoint
from rules.errors import AccessDeniedError, UnavailableError
from tests.recovery.recovering import START, FakeSleep
from tests.recovery.surroundings_answers import NOBODY, Answers, Refusal


@pytest.fixture(scope="module")
def _nobody() -> Answers:
    return Answers()


@pytest.fixture
def answers(_nobody: Answers) -> Answers:
    """An AWS that answers nothing yet."""
    return _nobody.renewed()


@pytest.mark.parametrize(
    ("refusal", "attempts", "error"),
    [
        (Refusal("ThrottlingException"), THROTTLED_ATTEMPTS, UnavailableError),
        (Refusal("Throttling"), THROTTLED_ATTEMPTS, UnavailableError),
        (Refusal("TooManyRequestsException", status=429), THROTTLED_ATTEMPTS, UnavailableError),
        (Refusal("429", status=429), THROTTLED_ATTEMPTS, AwsError),
        (Refusal("InternalServerError", status=500), FAILED_ATTEMPTS, UnavailableError),
        (Refusal("503", status=503), FAILED_ATTEMPTS, UnavailableError),
        (Refusal("AccessDeniedException"), 1, AccessDeniedError),
        (Refusal("ValidationException"), 1, AwsError),
    ],
)
def test_how_often_is_asked(
    answers: Answers, refusal: Refusal, attempts: int, error: type[Exception]
) -> None:
    """A throttle is waited for, a failure tried once more, a refusal is an answer."""
    answers.give("DescribeAlarms", refusal)
    sleep = FakeSleep()
    with pytest.raises(error, match="cannot call DescribeAlarms"):
        Reader(answers.aws.reader("cloudwatch"), sleep).ask("describe_alarms")
    assert len(answers.calls) == attempts
    assert len(sleep.slept) == attempts - 1


def test_a_throttle_costs_one_page_only(answers: Answers) -> None:
    """What was read before a throttle is not read again."""
    key = {"Key": "a", "Value": "b"}
    answers.give(
        "ListTagsOfResource",
        {"Tags": [key], "NextToken": "two"},
        Refusal("ThrottlingException"),
        {"Tags": [key], "NextToken": "three"},
        {"Tags": []},
    )
    reader = Reader(answers.aws.reader("dynamodb"), FakeSleep())
    found = list(reader.listed("list_tags_of_resource", "Tags", ResourceArn="arn"))
    assert found == [key, key]
    asked = [call.get("NextToken") for call in answers.asked("ListTagsOfResource")]
    assert asked == [None, "two", "two", "three"]


def test_a_client_is_made_once_whoever_asks() -> None:
    """Many threads that ask at once get the same client."""
    aws = EmbeddedEndpoint(NOBODY).aws()
    with ThreadPoolExecutor(16) as pool:
        clients = list(pool.map(lambda _: aws.reader("kms"), range(64)))
    assert len({id(client) for client in clients}) == 1
    assert clients[0] is not aws.reader("lambda")


def test_botocore_itself_asks_once(answers: Answers) -> None:
    """Its own retries, with their long waits, are off, and its timeouts short; the rest is as for all clients."""
    config = answers.aws.reader("cloudwatch").meta.config
    assert config.retries["total_max_attempts"] == 1
    assert config.retries["mode"] == "standard"
    assert config.connect_timeout + config.read_timeout <= 20
    assert config.user_agent_extra == "safetynet"


def broken(error: Exception) -> Any:
    """A read that raises."""

    def read() -> object:
        raise error

    return read


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AccessDeniedError("not yours"), "access denied: not yours"),
        (AwsError("no\n such thing"), "no such thing"),
        (UnavailableError("cannot: <!DOCTYPE html><h1>500</h1>"), "cannot: a web page for an answer"),
        (AwsError("cannot call Describe: "), "cannot call Describe: an empty answer"),
        (KeyError("Table"), "cannot read it: the answer has not AWS's shape (KeyError('Table'))"),
    ],
)
def test_a_reading_that_failed(error: Exception, reason: str) -> None:
    """One line that says why, whatever the endpoint sent."""
    assert reading("it", broken(error)) == NotKnown(reason=reason)


def test_what_is_fatal_comes_out() -> None:
    """Some errors are more than a gap."""
    with pytest.raises(AwsError):
        reading("it", broken(AwsError("gone")), fatal=(AwsError,))


def test_values_are_what_json_has() -> None:
    """Times become text in UTC, at any depth; the rest stays."""
    assert reading("it", lambda: {"at": [START, {"n": (1, None)}]}) == Known(
        value={"at": ["2026-11-23T03:00:00Z", {"n": [1, None]}]}
    )
    assert as_json(0.5) == 0.5

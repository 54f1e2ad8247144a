"""The Lambda function: what it is called with, where its secrets come from, and that it goes on."""

from __future__ import annotations

import json
import os
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from cli.lambda_entry import (
    KEPT_FOR,
    SECRET_ARN,
    SLACK_TOKEN,
    Container,
    Watching,
    secret_variables,
    watching_from,
)
from recovery.testing.embedded_aws import EXAMPLE_KEYS, REGION
from rules.errors import EventError, NotFoundError, UnavailableError, UsageError
from tests.watcher.watching import Clockwork, delete_table
from watcher.sources.lambda_events import LambdaEvents
from watcher.testing.slack import TOKEN, SlackStandIn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recovery.testing.embedded_aws import EmbeddedEndpoint
    from watcher.incidents.incident import Incident

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack-a1b2c3"
CHANNEL = "C0ALERTS"
CLOCK = {"version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}


class Intake:
    """Takes everything in and makes no incident of it."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def take_all(self, body: bytes) -> list[Incident]:
        """See LambdaEvents' Intake."""
        self.taken.append(body)
        return []

    def take_unreadable(self, body: bytes, error: EventError) -> Incident:
        """See LambdaEvents' Intake."""
        raise AssertionError(error)


def message(body: str, name: str = "1") -> dict[str, Any]:
    """An entry of an SQS event."""
    return {"messageId": name, "body": body, "eventSource": "aws:sqs"}


def test_each_kind_of_call_goes_where_it_belongs() -> None:
    """Messages of the queue, ticks of the clock and single events are told apart by their shape."""
    intake, ticks = Intake(), []
    watching = Watching(LambdaEvents(intake, lambda _: None), lambda: ticks.append("tick"))
    assert watching.handle({"Records": [message("one")]}) == {"batchItemFailures": []}
    assert (intake.taken, ticks) == ([b"one"], [])
    assert watching.handle(CLOCK) is None
    assert (intake.taken, ticks) == ([b"one"], ["tick"])
    event = json.loads(delete_table())
    assert watching.handle(event) is None
    assert (json.loads(intake.taken[1]), ticks) == (event, ["tick"])


def nothing() -> Watching:
    """A watcher that does nothing."""
    return Watching(LambdaEvents(Intake(), lambda _: None), lambda: None)


def test_a_container_keeps_its_watcher_for_a_while() -> None:
    """Between calls nothing is set up again; after a while it is, so that a rotated token is known."""
    clock, made = Clockwork(), [nothing(), nothing()]
    waiting = iter(made)
    container = Container(lambda: next(waiting), clock)
    assert container.watching() is container.watching() is made[0]
    clock.now += KEPT_FOR - timedelta(seconds=1)
    assert container.watching() is made[0]
    clock.now += timedelta(seconds=1)
    assert container.watching() is made[1]


def test_a_watcher_goes_on_where_no_new_one_can_be_made() -> None:
    """While the secret is out of reach, the one that there is goes on; a first one that fails is an error."""
    clock, faults = Clockwork(), [UnavailableError("not now")]
    first = nothing()

    def make() -> Watching:
        if faults:
            raise faults.pop()
        return first

    container = Container(make, clock)
    with pytest.raises(UnavailableError):
        container.watching()
    assert container.watching() is first
    clock.now += KEPT_FOR
    faults.append(UnavailableError("not now"))
    assert container.watching() is first


def test_a_secret_is_a_token_or_settings() -> None:
    """The Slack token alone will do; a JSON object sets whatever is secret."""
    assert secret_variables(" xoxb-1 \n", ARN) == {SLACK_TOKEN: "xoxb-1"}
    written = {SLACK_TOKEN: "xoxb-1", "SAFETYNET_WATCH__DEAD_MAN__URL": "https://ping.example"}
    assert secret_variables(json.dumps(written), ARN) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "two words",
        '{"SAFETYNET_SLACK__TOKEN": "xoxb-1',
        '{"SAFETYNET_SLACK__TOKEN": {"nested": "xoxb-1"}}',
        '{"AWS_ACCESS_KEY_ID": "xoxb-1"}',
    ],
)
def test_other_secrets_are_refused_and_not_quoted(text: str) -> None:
    """A secret can set nothing but our settings; the error says which secret it is, and nothing that is in it."""
    with pytest.raises(UsageError, match="slack-a1b2c3") as refused:
        secret_variables(text, ARN)
    assert "xoxb-1" not in f"{refused.value}{refused.value.__cause__}"
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    """A Slack."""
    with SlackStandIn() as running:
        yield running


@pytest.fixture
def environment(
    endpoint: EmbeddedEndpoint, slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """The variables of a function whose AWS is the embedded one; the token is in Secrets Manager."""
    aws, name = endpoint.aws(), f"lambda-{uuid.uuid4().hex[:12]}"
    aws.s3().create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    session: Any = aws.session
    secrets = session.client("secretsmanager", endpoint_url=endpoint.url)
    variables = {
        "AWS_ENDPOINT_URL": endpoint.url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": EXAMPLE_KEYS.access_key,
        "AWS_SECRET_ACCESS_KEY": EXAMPLE_KEYS.secret_key,
        "SAFETYNET_VAULT": f"s3://{name}/net",
        "SAFETYNET_SLACK__CHANNEL": CHANNEL,
        "SAFETYNET_SLACK__API_URL": slack.base_url,
        SECRET_ARN: secrets.create_secret(Name=name, SecretString=TOKEN)["ARN"],
    }
    monkeypatch.setenv(SLACK_TOKEN, "")  # so that what the code sets is gone after the test
    monkeypatch.delenv(SLACK_TOKEN)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    return variables


def test_messages_of_the_queue_become_alerts(environment: dict[str, str], slack: SlackStandIn) -> None:
    """With the token from Secrets Manager a deletion is told, and the bad message beside it is reported."""
    watching = watching_from(environment)
    answer = watching.handle(
        {"Records": [message("no event", "bad"), message(delete_table("orders").decode(), "good")]}
    )
    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert len([one for one in slack.visible(CHANNEL) if "Table deleted: orders" in one.text]) == 1
    watching.handle(CLOCK)
    assert len(slack.visible(CHANNEL)) == 2


def test_the_token_is_in_no_variable_that_is_given(environment: dict[str, str]) -> None:
    """The function's own variables hold no token; only the process knows it."""
    assert TOKEN not in environment.values()
    watching_from(environment)
    assert os.environ[SLACK_TOKEN] == TOKEN


def test_a_watcher_that_would_be_silent_is_an_error(environment: dict[str, str]) -> None:
    """Without a token nobody would be told: then nothing is taken off the queue."""
    with pytest.raises(UsageError, match="silent"):
        watching_from({})


def test_a_secret_that_is_gone_is_an_error(environment: dict[str, str]) -> None:
    """A function that cannot read its secret fails, which Lambda counts and an alarm tells."""
    with pytest.raises(NotFoundError, match="nothing-a1b2c3"):
        watching_from({SECRET_ARN: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:nothing-a1b2c3"})

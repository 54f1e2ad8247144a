"""What the probes make of DynamoDB's answers, its silence, and our own mistakes."""

from __future__ import annotations

import itertools
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import (
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
    SSLError,
)
from botocore.stub import Stubber

from recovery.aws import Aws, AwsSettings
from rules.errors import UsageError
from watcher.availability.probe import PROBE_CONFIG, RegionClients, SignalState
from watcher.availability.probe_canary_item import CanaryItemProbe
from watcher.availability.probe_describe_endpoints import DescribeEndpointsProbe
from watcher.availability.probe_dns import DnsProbe
from watcher.availability.probe_independent import IndependentProbe, another_region, reached
from watcher.testing.http_sink import HttpSink, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.testing.embedded_aws import EmbeddedEndpoint
    from watcher.availability.probe import Probe

OK, FAILED, UNKNOWN = SignalState.OK, SignalState.FAILED, SignalState.UNKNOWN
URL = "https://dynamodb.eu-west-1.amazonaws.com"


@pytest.fixture
def client(endpoint: EmbeddedEndpoint) -> DynamoDBClient:
    """A client of a test's own, to stub."""
    return endpoint.aws().dynamodb(PROBE_CONFIG)


def broken(client: DynamoDBClient, error: Exception) -> DynamoDBClient:
    """A client that gets no answer."""

    def fail(**_: object) -> None:
        raise error

    client.meta.events.register("before-send", fail)
    return client


def test_dynamodb_answers(endpoint: EmbeddedEndpoint) -> None:
    """The real calls, against the embedded AWS."""
    client = endpoint.aws().dynamodb(PROBE_CONFIG)
    assert DescribeEndpointsProbe(lambda _: client).probe("eu-west-1").state is OK
    client.create_table(
        TableName="of-canaries",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "no", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "no", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    read = CanaryItemProbe(lambda _: client, "of-canaries", {"id": "canary", "no": 7})
    assert read.probe("eu-west-1").state is OK
    client.put_item(
        TableName="of-canaries", Item={"id": {"S": "canary"}, "no": {"N": "7"}, "x": {"S": "secret"}}
    )
    signal = read.probe("eu-west-1")
    assert (signal.state, "secret" in signal.detail) == (OK, False)


@pytest.mark.parametrize(
    ("code", "status", "endpoints", "item"),
    [
        ("AccessDeniedException", 400, OK, UNKNOWN),
        ("ResourceNotFoundException", 400, OK, UNKNOWN),
        ("ThrottlingException", 400, OK, UNKNOWN),
        ("InternalServerError", 500, FAILED, FAILED),
        ("ServiceUnavailable", 503, FAILED, FAILED),
    ],
)
def test_what_an_error_of_dynamodb_means(
    client: DynamoDBClient, code: str, status: int, endpoints: SignalState, item: SignalState
) -> None:
    """A refusal is an answer of the front end, and says nothing of reads; a server's error is a failure of both."""
    with Stubber(client) as stub:
        stub.add_client_error("describe_endpoints", code, http_status_code=status)
        stub.add_client_error("get_item", code, http_status_code=status)
        assert DescribeEndpointsProbe(lambda _: client).probe("eu-west-1").state is endpoints
        assert CanaryItemProbe(lambda _: client, "canaries", {"id": "x"}).probe("eu-west-1").state is item


@pytest.mark.parametrize(
    ("error", "state", "detail"),
    [
        (ConnectTimeoutError(endpoint_url=URL), FAILED, "no answer within 2 s"),
        (ReadTimeoutError(endpoint_url=URL), FAILED, "no answer within 2 s"),
        (EndpointConnectionError(endpoint_url=URL), FAILED, "no connection"),
        (SSLError(endpoint_url=URL, error=OSError("x")), FAILED, "connection broken: SSLError"),
        (NoCredentialsError(), UNKNOWN, "could not be asked: NoCredentialsError"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_no_answer(client: DynamoDBClient, error: Exception, state: SignalState, detail: str) -> None:
    """Silence is a failure; that we cannot even ask is our own matter."""
    signal = DescribeEndpointsProbe(lambda _: broken(client, error)).probe("eu-west-1")
    assert (signal.state, signal.detail) == (state, detail)


def test_a_client_that_cannot_be_made_is_unknown() -> None:
    """A region that does not exist, credentials that expired: no probe raises."""

    def no_client(_: str) -> DynamoDBClient:
        raise UsageError("no such region")

    probes: list[Probe] = [
        DescribeEndpointsProbe(no_client),
        CanaryItemProbe(no_client, "canaries", {"id": "x"}),
        DnsProbe(no_client),
    ]
    assert [probe.probe("nowhere-1").state for probe in probes] == [UNKNOWN] * 3


def test_it_is_asked_once_and_not_waited_for(endpoint: EmbeddedEndpoint) -> None:
    """Two seconds, no retry: the next round asks again."""
    told: Any = endpoint.aws().dynamodb(PROBE_CONFIG).meta.config
    assert (told.connect_timeout, told.read_timeout, told.retries["total_max_attempts"]) == (2, 2, 1)


def test_each_region_has_a_client_of_its_own(endpoint: EmbeddedEndpoint) -> None:
    """With the region's own endpoint, and made once."""
    clients = RegionClients(endpoint.aws())
    assert clients("us-west-2").meta.region_name == "us-west-2"
    assert clients("us-west-2") is clients("us-west-2")
    assert clients("us-west-2") is not clients("eu-west-1")
    real = RegionClients(Aws(AwsSettings(region="eu-west-1")))
    assert real("us-west-2").meta.endpoint_url == "https://dynamodb.us-west-2.amazonaws.com"


def test_how_long_it_took_is_told(client: DynamoDBClient) -> None:
    """By a clock that only goes forward."""
    ticks = itertools.count(0.0, 0.25)
    signal = DescribeEndpointsProbe(lambda _: client, elapsed=lambda: next(ticks)).probe("eu-west-1")
    assert signal.seconds == 0.25


def dns(client: DynamoDBClient, resolve: Callable[[str], Any], timeout: float = 5.0) -> DnsProbe:
    """A DNS of a test's own."""
    return DnsProbe(lambda _: client, resolve, timeout)


def test_dns(client: DynamoDBClient) -> None:
    """The name of the endpoint is looked up; a name that is not there, or has no address, is a failure."""
    asked: list[str] = []

    def no_name(host: str) -> None:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    assert dns(client, no_name).probe("eu-west-1").state is FAILED
    assert dns(client, lambda _: []).probe("eu-west-1").state is FAILED
    assert dns(client, lambda _: ["an address"]).probe("eu-west-1").state is OK
    assert asked == ["127.0.0.1"]


def test_a_lookup_that_hangs_is_not_waited_for(client: DynamoDBClient) -> None:
    """And while it hangs, no second one is begun: threads do not pile up."""
    release, started = threading.Event(), []

    def hang(host: str) -> list[str]:
        started.append(host)
        release.wait(30)
        return [host]

    probe = dns(client, hang, timeout=0.01)
    assert [probe.probe("eu-west-1").state for _ in range(3)] == [FAILED] * 3
    assert len(started) == 1
    release.set()
    patient = DnsProbe(lambda _: client, lambda _: ["x"])
    assert patient.probe("eu-west-1").state is OK


def test_the_real_resolver(client: DynamoDBClient) -> None:
    """The embedded AWS is at an address that needs no DNS."""
    assert DnsProbe(lambda _: client).probe("eu-west-1").state is OK


def test_elsewhere_something_answers(client: DynamoDBClient) -> None:
    """DynamoDB in another region is enough; the address is then not even asked."""
    regions: list[str] = []

    def client_in(region: str) -> DynamoDBClient:
        regions.append(region)
        return client

    probe = IndependentProbe(client_in, url="https://example.com/", reach=lambda _: pytest.fail("asked"))
    assert probe.probe("eu-west-1").state is OK
    assert regions == ["us-east-1"]


@pytest.mark.parametrize(("reaches", "state"), [(True, OK), (False, FAILED)])
def test_the_address_decides_where_the_other_region_is_silent(
    client: DynamoDBClient, *, reaches: bool, state: SignalState
) -> None:
    """Then AWS as a whole may be down, or our network: whoever is not AWS tells."""
    silent = broken(client, EndpointConnectionError(endpoint_url=URL))
    probe = IndependentProbe(lambda _: silent, "eu-central-1", "https://example.com/x", lambda _: reaches)
    signal = probe.probe("eu-west-1")
    assert signal.state is state
    assert "eu-central-1" in signal.detail
    assert "example.com" in signal.detail


def test_without_an_address_the_other_region_decides(client: DynamoDBClient) -> None:
    """Nobody set one: a silent other region means that we see nothing."""
    silent = broken(client, EndpointConnectionError(endpoint_url=URL))
    assert IndependentProbe(lambda _: silent).probe("eu-west-1").state is FAILED


@pytest.mark.parametrize(
    ("region", "other"),
    [
        ("eu-west-1", "us-east-1"),
        ("us-east-1", "eu-west-1"),
        ("cn-north-1", "cn-northwest-1"),
        ("us-gov-west-1", "us-gov-east-1"),
    ],
)
def test_another_region(region: str, other: str) -> None:
    """Never the one that is in doubt, and of its own partition."""
    assert another_region(region) == other
    assert IndependentProbe.name == "independent"


def test_whatever_answers_is_there() -> None:
    """Any status will do, a redirect is not followed; nothing listening is nothing there."""
    with HttpSink(Reply(status=503)) as sink:
        url = f"{sink.url}/x"
        answers = reached(url)
    assert answers
    assert not reached(url)

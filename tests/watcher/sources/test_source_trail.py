"""A trail's files as they are written: notified by S3, SNS or EventBridge, fetched from the embedded AWS."""

from __future__ import annotations

import gzip
import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import pytest

from recovery.testing.faults import Faults
from rules.errors import AccessDeniedError, EventError, UnavailableError
from tests.rules.backtesting import deletion, description, trail_file
from watcher.archives.archive_s3 import TrailFilter
from watcher.sources.source_trail import TrailFiles, TrailSource
from watcher.sources.trail_notifications import CreatedObject, created_objects
from watcher.testing.memory_source import MemorySource

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from recovery.testing.embedded_aws import EmbeddedEndpoint
    from tests.watcher.watching import Parts
    from watcher.sources.source import Delivery

KEY = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/23/111122223333_CloudTrail_eu-west-1_20261123T0210Z_a.json.gz"


def from_s3(bucket: str, *keys: str, name: str = "ObjectCreated:Put") -> bytes:
    """S3's own notification, as its guide shows it ('Event message structure')."""
    records = [
        {
            "eventVersion": "2.2",
            "eventSource": "aws:s3",
            "awsRegion": "eu-west-1",
            "eventTime": "2026-11-23T02:15:00.000Z",
            "eventName": name,
            "userIdentity": {"principalId": "AWS:AROAEXAMPLE:regionalDeliverySession"},
            "requestParameters": {"sourceIPAddress": "203.0.113.7"},
            "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810"},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "trail",
                "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
                "object": {"key": quote_plus(key, safe="/"), "size": 1024, "sequencer": "0055AED6DCD90281E5"},
            },
        }
        for key in keys
    ]
    return json.dumps({"Records": records}).encode()


def from_eventbridge(bucket: str, key: str, kind: str = "Object Created") -> bytes:
    """The same by EventBridge ('EventBridge event message structure')."""
    event = {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": kind,
        "source": "aws.s3",
        "account": "111122223333",
        "time": "2026-11-23T02:15:00Z",
        "region": "eu-west-1",
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {"version": "0", "bucket": {"name": bucket}, "object": {"key": key, "size": 5}},
    }
    return json.dumps(event).encode()


def from_cloudtrail(bucket: str, key: str) -> bytes:
    """CloudTrail's own notification ('Configuring Amazon SNS notifications for CloudTrail')."""
    return json.dumps({"s3Bucket": bucket, "s3ObjectKey": [key]}).encode()


def by_sns(message: bytes) -> bytes:
    """Wrapped by SNS, as an SQS queue gets it."""
    return json.dumps({"Type": "Notification", "MessageId": "m", "Message": message.decode()}).encode()


TEST_EVENT = b'{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-11-23T02:00:00.000Z","Bucket":"trail","RequestId":"5582815E1AEA5ADF","HostId":"8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR"}'


@dataclass
class Trail:
    """A trail's bucket, and a queue that is told of its files."""

    client: S3Client
    bucket: str
    queue: MemorySource = field(default_factory=MemorySource)
    waited: list[float] = field(default_factory=list)

    def source(self, wanted: TrailFilter | None = None, **options: Any) -> TrailSource:
        """The source over both."""
        files = TrailFiles(self.client, [self.bucket], wanted, self.waited.append, **options)
        return TrailSource(self.queue, files)

    def write(self, *records: Any, key: str = KEY) -> None:
        """CloudTrail writes a file, and the queue is told."""
        self.put(gzip.compress(trail_file(*records)), key)

    def put(self, content: bytes, key: str = KEY) -> None:
        """Somebody writes an object, and the queue is told."""
        self.client.put_object(Bucket=self.bucket, Key=key, Body=content)
        self.queue.put(from_s3(self.bucket, key))

    def only(self, **options: Any) -> Delivery:
        """The one delivery."""
        (delivery,) = self.source(**options).receive()
        return delivery


def made(client: S3Client) -> Trail:
    """A bucket of a test's own."""
    name = f"trail-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return Trail(client, name)


@pytest.fixture
def trail(endpoint: EmbeddedEndpoint) -> Trail:
    """An empty trail."""
    return made(endpoint.aws().s3())


def tables(delivery: Delivery) -> list[str]:
    """The tables that a delivery's events are about."""
    return [record["requestParameters"]["tableName"] for record in json.loads(delivery.body)]


@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "by SNS"])
@pytest.mark.parametrize("notification", [from_s3, from_eventbridge, from_cloudtrail])
def test_every_kind_of_notification_is_understood(notification: Any, *, wrapped: bool) -> None:
    """Bucket and key, the key as it is in S3."""
    body = notification("trail", "a b+c/ü%20.json.gz")
    assert created_objects(by_sns(body) if wrapped else body) == (
        CreatedObject("trail", "a b+c/ü%20.json.gz"),
    )


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        json.dumps(deletion(1)).encode(),
        trail_file(deletion(1)),
        from_s3("trail", KEY, name="ObjectRemoved:Delete"),
        from_eventbridge("trail", KEY, "Object Deleted"),
        by_sns(by_sns(by_sns(by_sns(from_s3("trail", KEY))))),
        from_s3("trail"),
    ],
)
def test_what_is_no_notification_of_a_new_object_is_left_as_it_is(trail: Trail, body: bytes) -> None:
    """The pipeline has the last word: it takes an event in, and tells of what it cannot understand."""
    assert created_objects(body) is None
    trail.queue.put(body)
    delivery = trail.only()
    assert (delivery.body, delivery.fault) == (body, "")


def test_a_delivery_holds_the_events_of_the_file(trail: Trail) -> None:
    """Those that may be watched, with the message's own receipt."""
    trail.write(deletion(1), description(2), deletion(3, "carts"))
    source = trail.source()
    (delivery,) = source.receive()
    assert tables(delivery) == ["orders", "carts"]
    assert len(trail.queue.waiting) == 1
    source.acknowledge(delivery)
    assert trail.queue.waiting == []


def test_several_files_in_one_message_are_one_delivery(trail: Trail) -> None:
    """S3 may put them together; the message is done when all of them are."""
    for number in (1, 2):
        content = gzip.compress(trail_file(deletion(number, f"table-{number}")))
        trail.client.put_object(Bucket=trail.bucket, Key=f"AWSLogs/{number}.json.gz", Body=content)
    trail.queue.put(from_s3(trail.bucket, "AWSLogs/1.json.gz", "AWSLogs/2.json.gz"))
    assert tables(trail.only()) == ["table-1", "table-2"]


@pytest.mark.parametrize("body", [TEST_EVENT, by_sns(TEST_EVENT)])
def test_a_test_message_is_done_with_nothing_in_it(trail: Trail, parts: Parts, body: bytes) -> None:
    """S3 sends one when notifications are set up: nobody is told, and it does not come back."""
    trail.queue.put(body)
    delivery = trail.only()
    assert (delivery.body, delivery.fault) == (b"[]", "")
    assert parts.pipeline.take_all(delivery.body) == []


@pytest.mark.parametrize(
    "key", [KEY.replace("CloudTrail", "CloudTrail-Digest"), KEY.replace("CloudTrail", "Config"), "notes.txt"]
)
def test_objects_that_are_no_trail_files_are_passed_over(trail: Trail, key: str) -> None:
    """Other services log to the same bucket; what they write is not even fetched."""
    trail.queue.put(from_s3(trail.bucket, key))
    assert trail.only().body == b"[]"


def test_accounts_and_regions_can_be_chosen(trail: Trail) -> None:
    """Of an organization's trail only a part may be wanted."""
    trail.write(deletion(1))
    assert trail.only(wanted=TrailFilter(regions=("us-east-1",))).body == b"[]"
    assert tables(trail.only(wanted=TrailFilter(accounts=("111122223333",)))) == ["orders"]


def test_a_file_that_is_gone_is_a_fault(trail: Trail, parts: Parts) -> None:
    """What was in it nobody will know: people are told, and the message goes to the dead-letter queue."""
    trail.queue.put(from_s3(trail.bucket, KEY))
    delivery = trail.only()
    assert delivery.body == trail.queue.waiting[0]
    assert KEY in delivery.fault
    assert "not there any more" in delivery.fault
    with pytest.raises(EventError):
        parts.pipeline.take_all(delivery.body)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (gzip.compress(trail_file(deletion(1)))[:-9], "cut short"),
        (b"no json", "not a file of events"),
        (gzip.compress(b" " * 10_000), "unpacks to more than 9,000 bytes"),
    ],
    ids=["cut", "no events", "too large"],
)
def test_a_file_that_cannot_be_read_is_a_fault(trail: Trail, content: bytes, why: str) -> None:
    """Damaged, not a trail file at all, or made to fill a memory."""
    trail.put(content)
    fault = trail.only(limit=9_000).fault
    assert why in fault
    assert KEY in fault


def test_another_bucket_is_not_touched(trail: Trail) -> None:
    """A message that was put on the queue by somebody else does not make the watcher fetch what he likes."""
    asked: list[str] = []
    trail.client.meta.events.register(
        "before-parameter-build.s3.GetObject", lambda params, **_: asked.append(params["Bucket"])
    )
    trail.queue.put(from_s3("somebody-elses", KEY))
    assert "not in the trail's bucket" in trail.only().fault
    assert asked == []


def test_one_bad_message_does_not_hold_up_the_others(trail: Trail) -> None:
    """The rest of the batch is read all the same."""
    trail.queue.put(from_s3(trail.bucket, "AWSLogs/gone.json.gz"))
    trail.write(deletion(1))
    first, second = trail.source().receive()
    assert first.fault
    assert tables(second) == ["orders"]


def test_throttling_is_waited_for(endpoint: EmbeddedEndpoint) -> None:
    """The message stays invisible meanwhile."""
    aws = endpoint.aws(max_attempts=1)
    faults = Faults(aws)
    trail = made(aws.s3())
    trail.write(deletion(1))
    faults.fail("GetObject", code="SlowDown", status=503, times=3)
    assert tables(trail.only()) == ["orders"]
    assert len(trail.waited) == 3


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [("SlowDown", 503, UnavailableError), ("AccessDenied", 403, AccessDeniedError)],
)
def test_a_bucket_out_of_reach_loses_nothing(
    endpoint: EmbeddedEndpoint, code: str, status: int, error: type[Exception]
) -> None:
    """All that was received is released, and comes back."""
    aws = endpoint.aws(max_attempts=1)
    trail = made(aws.s3())
    trail.write(deletion(1))
    trail.write(deletion(2), key=f"{KEY[:-8]}b.json.gz")
    faults = Faults(aws)
    trail.client = aws.s3()
    faults.fail("GetObject", nth=2, code=code, status=status)
    source = trail.source(patient=False)
    with pytest.raises(error):
        source.receive()
    assert trail.queue.released == ["m1", "m2"]
    assert [tables(one) for one in source.receive()] == [["orders"], ["orders"]]
    assert trail.waited == []


def test_what_is_done_is_told_to_the_queue(trail: Trail) -> None:
    """Together or not at all."""
    for number in range(3):
        trail.write(deletion(number), key=f"AWSLogs/{number}.json.gz")
    source = trail.source()
    first, *others = source.receive()
    source.release(first)
    assert source.acknowledge_all(others) == []
    assert trail.queue.released == [first.id]
    assert trail.queue.waiting == [from_s3(trail.bucket, "AWSLogs/0.json.gz")]
    assert source.location == "memory"

"""Trails in S3, on the embedded AWS: only the folders that matter are listed, in every layout there is."""

from __future__ import annotations

import gzip
import uuid
from dataclasses import dataclass, field
from datetime import date
from threading import Event
from typing import TYPE_CHECKING

import pytest

from recovery.testing.faults import Faults
from rules.backtest import days
from rules.errors import NotFoundError, UsageError
from watcher.archives.archive import ArchiveError
from watcher.archives.archive_s3 import S3Archive, TrailFilter, trail_steps

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from recovery.testing.embedded_aws import EmbeddedEndpoint

TEXT = b'{"Records": []}'
ONE, TWO = "111122223333", "444455556666"
NOV_22_TO_23 = TrailFilter(days(date(2026, 11, 22), date(2026, 11, 23)))


def key(
    day: str = "2026/11/23", account: str = ONE, region: str = "eu-west-1", kind: str = "CloudTrail"
) -> str:
    """The key of a trail file."""
    return f"AWSLogs/{account}/{kind}/{region}/{day}/{account}_{kind}_{region}.json.gz"


@dataclass(slots=True)
class Bucket:
    """A bucket of a test's own, and what was listed in it."""

    client: S3Client
    name: str
    listed: list[str] = field(default_factory=list)

    def put(self, *keys: str) -> None:
        """Trail files with no records in them."""
        for one in keys:
            self.client.put_object(Bucket=self.name, Key=one, Body=gzip.compress(TEXT))

    def keys(self, prefix: str = "", wanted: TrailFilter | None = None) -> list[str]:
        """The keys of the pieces of the archive at a prefix, sorted."""
        archive = S3Archive(self.client, f"s3://{self.name}/{prefix}", wanted or TrailFilter())
        return sorted(piece.label.removeprefix(f"s3://{self.name}/") for piece in archive.pieces())


@pytest.fixture
def bucket(endpoint: EmbeddedEndpoint) -> Bucket:
    """An empty bucket."""
    aws = endpoint.aws()
    found = Bucket(aws.s3(), f"trail-{uuid.uuid4().hex[:12]}")
    found.client.create_bucket(
        Bucket=found.name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    found.client.meta.events.register(
        "before-parameter-build.s3.ListObjectsV2", lambda params, **_: found.listed.append(params["Prefix"])
    )
    return found


def test_all_accounts_and_regions_are_found(bucket: Bucket) -> None:
    """From the bucket down; digests, Insights and the logs of other services are left out."""
    wanted = [key(), key(account=TWO), key(region="us-east-1"), key("2025/01/02")]
    bucket.put(*wanted, key(kind="CloudTrail-Digest"), key(kind="CloudTrail-Insight"), key(kind="Config"))
    assert bucket.keys() == sorted(wanted)


@pytest.mark.parametrize("depth", range(1, 8))
def test_a_prefix_may_end_anywhere_in_the_layout(bucket: Bucket, depth: int) -> None:
    """People paste what the console shows: the bucket's root, an account, a region, a month."""
    bucket.put(f"logs/{key()}", f"logs/{key(kind='CloudTrail-Digest')}")
    prefix = "/".join(f"logs/{key()}".split("/")[:depth])
    assert bucket.keys(prefix) == [f"logs/{key()}"]
    assert bucket.keys(prefix + "/", NOV_22_TO_23) == [f"logs/{key()}"]


def test_the_trail_of_an_organization_is_read(bucket: Bucket) -> None:
    """Its accounts are one folder further down."""
    bucket.put(key().replace("AWSLogs/", "AWSLogs/o-exampleorgid/"), key())
    assert len(bucket.keys()) == 2
    assert len(bucket.keys("AWSLogs/o-exampleorgid")) == 1
    assert bucket.keys(wanted=TrailFilter(accounts=(ONE,))) == bucket.keys()


def test_only_the_days_that_matter_are_listed(bucket: Bucket) -> None:
    """A trail of years costs a list of its days, not of its files."""
    bucket.put(*(key(f"2026/11/{day}") for day in range(10, 28)), key("2026/10/23"), key("2025/11/23"))
    found = {int(one.split("/")[-2]) for one in bucket.keys(wanted=NOV_22_TO_23)}
    assert found >= {22, 23, 24}
    assert found <= {22, 23, 24, 25}
    assert not [
        prefix for prefix in bucket.listed if "/2025/" in prefix or "/2026/10/" in prefix or "/11/1" in prefix
    ]


def test_a_period_over_a_new_year_is_listed(bucket: Bucket) -> None:
    """Both years, each with its month."""
    bucket.put(key("2025/12/31"), key("2026/01/01"), key("2025/11/30"), key("2026/03/01"))
    wanted = TrailFilter(days(date(2025, 12, 31), date(2026, 1, 1)))
    assert bucket.keys(wanted=wanted) == [key("2025/12/31"), key("2026/01/01")]


def test_accounts_and_regions_can_be_chosen(bucket: Bucket) -> None:
    """What is not wanted is not even listed."""
    bucket.put(key(), key(account=TWO), key(region="us-east-1"))
    assert bucket.keys(wanted=TrailFilter(accounts=(TWO,))) == [key(account=TWO)]
    assert bucket.keys(wanted=TrailFilter(regions=("us-east-1",))) == [key(region="us-east-1")]
    assert f"AWSLogs/{ONE}/CloudTrail/eu-west-1/" not in bucket.listed[-4:]


def test_folders_in_no_layout_are_passed_over(bucket: Bucket) -> None:
    """A day 99 or a folder of somebody's own beside the trail is no reason to stop."""
    bucket.put(key(), key("2026/11/99"), key("2026/13/01"), "AWSLogs/notes/a.json.gz")
    assert bucket.keys() == [key()]


def test_files_in_no_layout_are_all_taken(bucket: Bucket) -> None:
    """Somebody copied some files to a bucket."""
    bucket.put("copied/a.json.gz", "copied/b/c.jsonl", "copied/readme.txt")
    assert bucket.keys("copied") == ["copied/a.json.gz", "copied/b/c.jsonl"]
    assert bucket.keys("copied/a.json.gz") == ["copied/a.json.gz"]


def test_more_than_a_page_of_files_is_listed(bucket: Bucket) -> None:
    """S3 lists a thousand a time; here ten, so that a few files are several pages, the last one not full."""
    files = [key().replace(".json", f"{number:02}.json") for number in range(23)]
    bucket.put(*files)
    pages: list[int] = []
    events = bucket.client.meta.events
    events.register("before-parameter-build.s3.ListObjectsV2", lambda params, **_: params.update(MaxKeys=10))
    events.register("after-call.s3.ListObjectsV2", lambda parsed, **_: pages.append(parsed["KeyCount"]))
    assert bucket.keys() == files
    assert pages[-3:] == [10, 10, 3]


def test_a_piece_is_read(bucket: Bucket) -> None:
    """Its size is known from the listing."""
    bucket.put(key())
    (piece,) = S3Archive(bucket.client, f"s3://{bucket.name}", TrailFilter()).pieces()
    assert piece.size_bytes == len(gzip.compress(TEXT))
    assert piece.fetch(Event()).read() == TEXT


def test_an_object_that_is_too_large_is_not_fetched(bucket: Bucket) -> None:
    """Its size is looked at before its content."""
    bucket.put(key())
    (piece,) = S3Archive(bucket.client, f"s3://{bucket.name}", TrailFilter(), limit=5).pieces()
    with pytest.raises(ArchiveError, match="more than 5 bytes"):
        piece.fetch(Event())


def test_throttling_is_waited_for(bucket: Bucket, endpoint: EmbeddedEndpoint) -> None:
    """Every request of the botocore client was slowed down; the product's own patience goes on."""
    bucket.put(key())
    aws = endpoint.aws(max_attempts=1)
    Faults(aws).fail("GetObject", code="SlowDown", status=503, times=3)
    waited: list[float] = []
    (piece,) = S3Archive(aws.s3(), f"s3://{bucket.name}", TrailFilter(), waited.append).pieces()
    assert piece.fetch(Event()).read() == TEXT
    assert len(waited) == 3


def test_an_empty_place_and_a_missing_bucket_are_told(bucket: Bucket) -> None:
    """A typing mistake is no empty report."""
    with pytest.raises(NotFoundError, match="no trail files"):
        bucket.keys("nowhere")
    with pytest.raises(NotFoundError, match="no bucket") as error:
        list(S3Archive(bucket.client, f"s3://{bucket.name}-x", TrailFilter()).pieces())
    assert "vault" not in error.value.hint
    with pytest.raises(UsageError, match="not an archive"):
        S3Archive(bucket.client, "s3://", TrailFilter())


def test_steps_start_at_the_account() -> None:
    """With and without an organization; None outside."""
    assert trail_steps(f"x/AWSLogs/o-abc/{ONE}/CloudTrail/") == [ONE, "CloudTrail"]
    assert trail_steps(f"AWSLogs/{ONE}/") == [ONE]
    assert trail_steps("my-AWSLogs/x") is None

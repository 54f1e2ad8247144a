"""A trail in S3, in CloudTrail's layout, of one account or of an organization.

CloudTrail guide, 'Finding your CloudTrail log files' and 'Organization trails':
``<prefix>/AWSLogs/[<organization>/]<account>/CloudTrail/<region>/<yyyy>/<mm>/<dd>/<file>.json.gz``.
"""

from __future__ import annotations

import re
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING

from recovery.aws import aws_errors
from recovery.errors import VaultNotFoundError
from recovery.pacing import patient
from recovery.vault.s3 import parse_location
from rules.backtest import ALL_TIME
from rules.errors import NotFoundError, UsageError
from watcher.archives.archive import (
    MAX_CONTENT_BYTES,
    SUFFIXES,
    ArchiveError,
    Piece,
    StoredBytes,
    holds_records,
    trail_day,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from threading import Event

    from mypy_boto3_s3 import S3Client

    from recovery.clock import Sleep
    from rules.backtest import Period

_ROOT = "AWSLogs"
_ORGANIZATION = re.compile(r"o-[a-z0-9]+")
_ACCOUNT = re.compile(r"\d{12}")
_DAY_DEPTH = 6  # account, CloudTrail, region, year, month, day


@dataclass(frozen=True, slots=True)
class TrailFilter:
    """Which part of a trail is wanted; what is empty excludes nothing."""

    period: Period = ALL_TIME
    accounts: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()

    def wants(self, steps: Sequence[str]) -> bool:
        """Whether there may be something in a folder, given by its steps from the account on."""
        checks = (self._wants_account, "CloudTrail".__eq__, self._wants_region)
        return (
            all(check(step) for check, step in zip(checks, steps, strict=False))
            and len(steps) <= _DAY_DEPTH
            and self._wants_days(steps[len(checks) :])
        )

    def _wants_account(self, name: str) -> bool:
        return _ACCOUNT.fullmatch(name) is not None and (not self.accounts or name in self.accounts)

    def _wants_region(self, name: str) -> bool:
        return not self.regions or name in self.regions

    def _wants_days(self, steps: Sequence[str]) -> bool:
        """Whether a year, a month of it, or a day of that is in the period."""
        if not steps:
            return True
        try:
            numbers = [int(step) for step in steps]
            first = date(*[*numbers, 1, 1][:3])
        except ValueError:
            return False
        # The last day: that before the next year, month or day begins.
        following = (
            date.max if first.year == date.max.year else date(first.year + 1, 1, 1),
            (first.replace(day=1) + timedelta(days=31)).replace(day=1),
            first + timedelta(days=1),
        )[len(numbers) - 1]
        return self.period.may_hold(first, following - timedelta(days=1))

    def wants_file(self, key: str) -> bool:
        """Whether an object may hold wanted records. What is in no trail's layout may."""
        if not holds_records(key):
            return False
        steps = trail_steps(key)
        if steps is not None and len(steps) > _DAY_DEPTH:
            return self.wants(steps[:_DAY_DEPTH])
        day = trail_day(key)
        return day is None or self.period.may_hold(day, day)


def trail_steps(path: str) -> list[str] | None:
    """The steps of a key or prefix from the account on; None where it is not inside an ``AWSLogs`` folder."""
    steps = [step for step in path.split("/") if step]
    if _ROOT not in steps:
        return None
    steps = steps[steps.index(_ROOT) + 1 :]
    return steps[1:] if steps and _ORGANIZATION.fullmatch(steps[0]) else steps


def parse_archive_location(location: str) -> tuple[str, str]:
    """Bucket and prefix of ``s3://bucket/prefix``. Raises UsageError."""
    try:
        return parse_location(location)
    except UsageError as error:
        raise UsageError(f"not an archive: {location!r}", hint="Write it as s3://BUCKET/PREFIX.") from error


@contextmanager
def listing_errors(bucket: str) -> Iterator[None]:
    """S3's 'no such bucket' with a hint that fits an archive, and all else as ``aws_errors`` has it."""
    try:
        with aws_errors(f"list the trail in bucket {bucket}"):
            yield
    except VaultNotFoundError as error:
        raise NotFoundError(
            f"no bucket {bucket}", hint="Is it the bucket that the trail writes to?"
        ) from error


class S3Archive:
    """All trail files under ``s3://bucket/prefix``, wherever in the layout the prefix ends; or one object.

    Only the days that matter are listed. Where no ``AWSLogs`` folder is found every JSON file is taken.
    """

    def __init__(
        self,
        client: S3Client,
        location: str,
        wanted: TrailFilter,
        sleep: Sleep = time.sleep,
        limit: int = MAX_CONTENT_BYTES,
    ) -> None:
        self._client = client
        self._bucket, prefix = parse_archive_location(location)
        self._prefix = f"{prefix}/" if prefix and not prefix.endswith(SUFFIXES) else prefix
        self._wanted = wanted
        self._sleep = sleep
        self._limit = limit

    @property
    def location(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self._bucket}/{self._prefix}"

    def pieces(self) -> Iterator[Piece]:
        """See Archive.pieces."""
        if self._prefix.endswith(SUFFIXES):
            yield self.piece(self._prefix, None)
            return
        found = False
        for piece in self._in_folder(self._prefix):
            found = True
            yield piece
        if not found:
            raise NotFoundError(
                f"no trail files under {self.location} for what was asked",
                hint="Looked for AWSLogs/ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/ and *.json.gz.",
            )

    def piece(self, key: str, size_bytes: int | None) -> Piece:
        """The piece that an object is."""
        return Piece(f"s3://{self._bucket}/{key}", size_bytes, partial(self._fetch, key))

    def _fetch(self, key: str, stop: Event) -> StoredBytes:
        return patient(self._sleep, stop)(self._get, key)

    def _get(self, key: str) -> StoredBytes:
        with aws_errors(f"read s3://{self._bucket}/{key}"):
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
            with closing(answer["Body"]) as body:
                if answer["ContentLength"] > self._limit:
                    raise ArchiveError(f"holds more than {self._limit:,} bytes")
                return StoredBytes(body.read(), self._limit)

    def _in_folder(self, prefix: str) -> Iterator[Piece]:
        steps = trail_steps(prefix) if f"/{_ROOT}/" in f"/{prefix}" else None
        if steps is None:
            root = f"{prefix}{_ROOT}/"
            yield from self._in_folder(root) if root in self._folders(prefix) else self._files(prefix)
        elif len(steps) >= _DAY_DEPTH:
            yield from self._files(prefix)
        else:
            for folder in self._folders(prefix):
                if self._wanted.wants(trail_steps(folder) or []):
                    yield from self._in_folder(folder)

    def _folders(self, prefix: str) -> list[str]:
        pages = self._client.get_paginator("list_objects_v2")
        with listing_errors(self._bucket):
            return [
                folder["Prefix"]
                for page in pages.paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/")
                for folder in page.get("CommonPrefixes", [])
            ]

    def _files(self, prefix: str) -> Iterator[Piece]:
        pages = self._client.get_paginator("list_objects_v2")
        with listing_errors(self._bucket):
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                for entry in page.get("Contents", []):
                    if self._wanted.wants_file(entry["Key"]):
                        yield self.piece(entry["Key"], entry["Size"])

"""Events from a trail's files in S3, as they are written: a queue is notified of each, the file is fetched.

For organizations whose trail is all there is: one queue, whatever the accounts and regions. Slower than the bus, for
a file comes some minutes after its events (five on average, says CloudTrail's guide).
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING

from recovery.errors import AwsError
from rules.errors import EventError
from rules.screen import candidates
from watcher.archives.archive import MAX_CONTENT_BYTES, ArchiveError
from watcher.archives.archive_s3 import S3Archive, TrailFilter
from watcher.sources.trail_notifications import created_objects

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_s3 import S3Client

    from recovery.clock import Sleep
    from watcher.sources.source import Delivery, EventSource
    from watcher.sources.trail_notifications import CreatedObject

log = logging.getLogger(__name__)


class TrailFiles:
    """Turns notifications into the events in the files they tell of. Objects of other buckets are not touched."""

    def __init__(
        self,
        client: S3Client,
        buckets: Sequence[str],
        wanted: TrailFilter | None = None,
        sleep: Sleep = time.sleep,
        limit: int = MAX_CONTENT_BYTES,
        *,
        patient: bool = True,
    ) -> None:
        self._client = client
        self._buckets = frozenset(buckets)
        self._wanted = wanted or TrailFilter()
        self._sleep = sleep
        self._limit = limit
        self._impatient = Event()
        if not patient:
            self._impatient.set()

    def events_of(self, body: bytes) -> bytes:
        """The events, as a JSON array, that may be watched in the files that a message tells of.

        A message that tells of no created object comes back as it is: the pipeline has the last word on it. ``[]``:
        there is nothing in it, as in S3's test messages and in objects that are no trail files.
        Raises EventError for a file that is gone, damaged, or in another bucket; UnavailableError, AccessDeniedError.
        """
        created = created_objects(body)
        if created is None:
            return body
        return b"[" + b",".join(record for one in created for record in self._events_in(one)) + b"]"

    def _events_in(self, one: CreatedObject) -> Iterator[bytes]:
        place = f"s3://{one.bucket}/{one.key}"
        if one.bucket not in self._buckets:
            raise EventError(f"a notification of {place!r}, which is not in the trail's bucket")
        if not self._wanted.wants_file(one.key):
            log.info("passed over, no file of the trail: %r", place)
            return
        archive = S3Archive(self._client, f"s3://{one.bucket}", self._wanted, self._sleep, self._limit)
        try:
            yield from candidates(archive.piece(one.key, None).fetch(self._impatient).read())
        except ArchiveError as error:
            raise EventError(f"trail file {place!r} cannot be read: {error}") from error
        except EventError as error:
            raise EventError(f"trail file {place!r}: {error}") from error
        except AwsError as error:
            if error.code != "NoSuchKey":
                raise
            raise EventError(f"trail file {place!r} is not there any more") from error


class TrailSource:
    """A queue of notifications whose deliveries hold the events of the files instead. See EventSource."""

    def __init__(self, queue: EventSource, files: TrailFiles) -> None:
        self._queue = queue
        self._files = files

    @property
    def location(self) -> str:
        """The queue's."""
        return self._queue.location

    def receive(self) -> Sequence[Delivery]:
        """See EventSource.receive. What cannot be read comes as it is, with its ``fault``."""
        deliveries = self._queue.receive()
        try:
            return [self._read(delivery) for delivery in deliveries]
        except BaseException:
            for delivery in deliveries:
                self._queue.release(delivery)
            raise

    def acknowledge(self, delivery: Delivery) -> None:
        """See EventSource.acknowledge."""
        self._queue.acknowledge(delivery)

    def acknowledge_all(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """See EventSource.acknowledge_all."""
        return self._queue.acknowledge_all(deliveries)

    def release(self, delivery: Delivery) -> None:
        """See EventSource.release."""
        self._queue.release(delivery)

    def _read(self, delivery: Delivery) -> Delivery:
        try:
            return replace(delivery, body=self._files.events_of(delivery.body))
        except EventError as error:
            return replace(delivery, fault=str(error))

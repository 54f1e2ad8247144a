"""What belongs to a table and is not part of it: noted down with each backup, put back after a recovery."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from recovery.definitions.reader import Reader
from recovery.definitions.readings import Known, NotKnown, Setting, reading
from recovery.definitions.surroundings_alarms import AlarmListing
from recovery.definitions.surroundings_scaling import auto_scaling
from recovery.definitions.surroundings_stack import stack_of
from recovery.definitions.surroundings_streams import stream_consumers
from recovery.definitions.surroundings_table import (
    contributor_insights,
    is_warmed_up,
    kinesis_destinations,
    replica_auto_scaling,
    replicas,
    stream_policy,
    warm_throughput,
)
from recovery.threads import side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from recovery.aws import Aws, ReadService
    from recovery.backups.manifest import TableIdentity
    from recovery.clock import Sleep

EARLIER_VERSION = NotKnown(reason="the backup was made by an earlier version")
NOT_ASKED = NotKnown(reason="nobody asked for it")


class Surroundings(BaseModel):
    """Each in the shape of the call that would put it back, or that described it.

    A document of an earlier version has none of this. ``stack`` is not put back by a call: a table gets into its
    stack again by an import. ``encryption_key`` tells whose the key in the CreateTable request is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    warm_throughput: Setting = EARLIER_VERSION  # of table and indexes: UpdateTable
    stream_policy: Setting = EARLIER_VERSION  # the policy's text
    kinesis_destinations: Setting = EARLIER_VERSION  # [EnableKinesisStreamingDestination]
    contributor_insights: Setting = EARLIER_VERSION  # [UpdateContributorInsights]
    replicas: Setting = EARLIER_VERSION  # parts of DescribeTable
    replica_auto_scaling: Setting = EARLIER_VERSION  # DescribeTableReplicaAutoScaling's Replicas
    auto_scaling: Setting = EARLIER_VERSION  # {call: [its request]}
    stream_consumers: Setting = EARLIER_VERSION  # [UUID, State and CreateEventSourceMapping]
    alarms: Setting = EARLIER_VERSION  # [PutMetricAlarm]
    stack: Setting = EARLIER_VERSION  # {stack_name, stack_id, logical_id, found_by}
    encryption_key: Setting = EARLIER_VERSION  # {"KeyManager": "AWS" or "CUSTOMER", "MultiRegion": bool}

    @classmethod
    def not_asked(cls) -> Surroundings:
        """For a definition that is taken for its settings alone."""
        return cls(**dict.fromkeys(cls.model_fields, NOT_ASKED))

    def in_words(self, create_table: dict[str, Any]) -> list[str]:
        """What there is, in plain words, for a table with that CreateTable request."""
        return [
            words(value)
            for name, words in _WORDS.items()
            if isinstance(setting := getattr(self, name), Known)
            and (value := setting.value)
            and (name != "warm_throughput" or is_warmed_up(value, create_table))
        ]


_WORDS: dict[str, Callable[[Any], str]] = {
    "warm_throughput": lambda _: "warm throughput",
    "stream_policy": lambda _: "the resource policy of the stream",
    "kinesis_destinations": lambda _: "Kinesis destinations",
    "contributor_insights": lambda _: "contributor insights",
    "replicas": lambda value: f"replicas in {', '.join(_regions(value))}",
    "replica_auto_scaling": lambda _: "auto scaling of replicas",
    "auto_scaling": lambda _: "auto scaling",
    "stream_consumers": lambda _: "stream consumers",
    "alarms": lambda _: "alarms",
    "stack": lambda value: f"the place in the stack {value['stack_name']}",
}


def _regions(found: dict[str, Any]) -> list[str]:
    places = [*found.get("Replicas", ()), *found.get("GlobalTableWitnesses", ())]
    return [str(place.get("RegionName", "?")) for place in places]


def read_surroundings(
    aws: Aws,
    table: TableIdentity,
    description: dict[str, Any],
    tags: dict[str, str],
    now: datetime,
    *,
    encryption_key: Known | NotKnown,
    alarms: AlarmListing | None = None,
    sleep: Sleep = time.sleep,
) -> Surroundings:
    """All that can be found around a table that has just been described; nothing of it is worth failing for.

    The services are asked side by side, each at most a few times.
    """
    listing = alarms or AlarmListing()
    name = table.name

    def of(service: ReadService) -> Reader:
        return Reader(lambda: aws.reader(service), sleep)

    reads: dict[str, Callable[[], object]] = {
        "warm_throughput": lambda: warm_throughput(description),
        "stream_policy": lambda: stream_policy(of("dynamodb"), description),
        "kinesis_destinations": lambda: kinesis_destinations(of("dynamodb"), name),
        "contributor_insights": lambda: contributor_insights(of("dynamodb"), name),
        "replicas": lambda: replicas(of("dynamodb"), description),
        "replica_auto_scaling": lambda: replica_auto_scaling(of("dynamodb"), description),
        "auto_scaling": lambda: auto_scaling(of("application-autoscaling"), description),
        "stream_consumers": lambda: stream_consumers(of("lambda"), description),
        "alarms": lambda: listing.of(of("cloudwatch"), table, now),
        "stack": lambda: stack_of(of("cloudformation"), name, tags),
    }
    each = list(reads.items())
    found = side_by_side(len(each), lambda number, _: reading(*each[number]), name="surroundings")
    return Surroundings(**dict(zip(reads, found, strict=True)), encryption_key=encryption_key)

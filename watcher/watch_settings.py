"""``watch:`` in safetynet.yaml: how the watcher is watched itself, and which regions are probed."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from rules.windows import parse_duration
from watcher.alerts.addresses import checked_url
from watcher.sources.source_settings import SourceSettings


def _span(value: object) -> timedelta:
    """``30s`` is no duration of rule files, so seconds are given as a bare number."""
    if isinstance(value, timedelta):
        return value
    text = str(value).strip()
    return timedelta(seconds=int(text)) if text.isdecimal() else parse_duration(text)


def _between(shortest: timedelta, longest: timedelta, words: str) -> AfterValidator:
    def checked(span: timedelta) -> timedelta:
        if not shortest <= span <= longest:
            raise ValueError(words)
        return span

    return AfterValidator(checked)


def _secret_url(url: SecretStr) -> SecretStr:
    return SecretStr(checked_url(url.get_secret_value()))


Often = Annotated[
    timedelta,
    BeforeValidator(_span),
    _between(timedelta(seconds=30), timedelta(hours=1), "between 30 seconds and 1h"),
]
SourceName = Literal["sqs", "cloudtrail", "trail"]
RegionName = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[a-z0-9]{1,12}){1,3}-[0-9]{1,2}$")]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CanarySettings(_Settings):
    """``watch.canary:``. An event of our own, sent every few minutes. ``path``: to the queue, or onto the bus.

    ``bus`` is a name or an ARN; the event rule must let ``safetynet.canary`` pass.
    """

    enabled: bool = True
    every: Often = timedelta(minutes=5)
    path: Literal["queue", "bus"] = "queue"
    bus: str = "default"


class DeadManSettings(_Settings):
    """``watch.dead_man:``. The address that is pinged when a canary arrives; whoever knows it can keep it quiet."""

    url: Annotated[SecretStr, AfterValidator(_secret_url)] | None = None


class MetricsSettings(_Settings):
    """``watch.metrics:``. CloudWatch embedded metric format on stdout."""

    enabled: bool = False
    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/#:-]{1,255}$")] = "safetynet"


class CanaryItemSettings(_Settings):
    """``watch.probes.item:``. An item that is read to see whether reads work; its content is never looked at.

    ``key`` are the key attributes: text for a string, a whole number for a number.
    """

    table: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{3,255}$")]
    key: Annotated[
        dict[str, Annotated[str | int, Field(union_mode="left_to_right")]], Field(min_length=1, max_length=2)
    ]


class ProbeSettings(_Settings):
    """``watch.probes:``. Which regions' DynamoDB is looked after, and when it counts as unreachable.

    ``down_after`` bad rounds in a row it is down, ``up_after`` good ones it is up again. ``independent_region`` and
    ``independent_url`` are asked before anybody is told: if neither answers, it is our own network. ``recover_to``
    is the region that the recovery command names; the replica's if left out.
    """

    regions: tuple[RegionName, ...] = ()
    every: Often = timedelta(minutes=1)
    down_after: Annotated[int, Field(ge=2, le=60)] = 3
    up_after: Annotated[int, Field(ge=1, le=60)] = 3
    item: CanaryItemSettings | None = None
    independent_region: RegionName | None = None
    independent_url: Annotated[str, AfterValidator(checked_url)] | None = None
    recover_to: RegionName | None = None

    @model_validator(mode="after")
    def _independent(self) -> Self:
        if self.independent_region in self.regions and len(self.regions) == 1:
            raise ValueError("independent_region is the region that is probed")
        return self


class TrailSettings(_Settings):
    """``watch.trail:``. A queue that is told of the files of a trail, and the buckets in which those are."""

    queue_url: Annotated[str, Field(min_length=1)]
    buckets: Annotated[tuple[str, ...], Field(min_length=1)]


class WatchSettings(_Settings):
    """``watch:``. ``take_from``: where change events come from; several are fine, the same event twice is one.

    ``catch_up``: where what was missed is looked up, ``lookup:`` (CloudTrail's event history), a trail's
    ``s3://BUCKET/PREFIX``, or ``off``. ``id`` names this watcher in what is stored; left out, it gets a new one at each start.

    ``backup_hours``: a table whose newest backup is older is told of by ``safetynet status``.
    """

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{0,100}$")] = ""
    take_from: tuple[SourceName, ...] = ("sqs",)
    catch_up: Annotated[str, Field(pattern=r"^(lookup:|off|s3://.+)$")] = "lookup:"
    trail: TrailSettings | None = None
    sources: SourceSettings = SourceSettings()
    workers: Annotated[int, Field(ge=1, le=64)] = 8
    canary: CanarySettings = CanarySettings()
    dead_man: DeadManSettings = DeadManSettings()
    metrics: MetricsSettings = MetricsSettings()
    probes: ProbeSettings = ProbeSettings()
    backup_hours: Annotated[float, Field(gt=0)] = 26

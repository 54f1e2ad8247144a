"""The watcher's part of the composition root: sources, notifiers, pipeline and chores, as the settings have them."""

from __future__ import annotations

import logging
import sys
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.composition import net_parts_of
from recovery.backups.catalog import Catalog
from rules.errors import UnavailableError, UsageError
from watcher.alerts.alert_settings import (
    PagerDutySettings,
    SlackNotifierSettings,
    SlackWebhookSettings,
    SnsSettings,
)
from watcher.alerts.digest import DigestPolicy, Digests
from watcher.alerts.escalation import policy_of
from watcher.alerts.open_incidents import OpenIncidents
from watcher.alerts.outbox import Outbox
from watcher.alerts.routing import router_of
from watcher.facts.enrichment import VaultFacts
from watcher.facts.live_tables import AwsTables
from watcher.health.heartbeat import Heart, new_watcher_id
from watcher.health.metrics_emf import EmfMetrics, Metric, NoMetrics
from watcher.incidents.causes import Causes
from watcher.incidents.owing import Routing
from watcher.pipeline import Pipeline, TakenElsewhere
from watcher.watch import Chore, Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from cli.composition import Net
    from rules.backtest import Period
    from watcher.alerts.alert_settings import NotifierSettings
    from watcher.alerts.notifier import Notifier
    from watcher.alerts.slack_app import SlackApp
    from watcher.archives.archive import Archive
    from watcher.availability.region_watch import RegionWatch
    from watcher.facts.learning import Learning
    from watcher.health.canary import Canaries
    from watcher.health.dead_man import DeadMan
    from watcher.health.metrics_emf import Metrics
    from watcher.health.rounds import Rounds
    from watcher.incidents.correlation import Router
    from watcher.incidents.incident import Incident
    from watcher.sources.source import EventSource
    from watcher.watch_settings import SourceName

log = logging.getLogger(__name__)

ESCALATE_EVERY = timedelta(seconds=15)
LEARN_EVERY = timedelta(seconds=1)
BEAT_EVERY = timedelta(seconds=15)
PLAN_WIDTH = 76  # what Slack shows of a code block without breaking lines
METRICS_EVERY = timedelta(minutes=1)


@dataclass
class Watching:
    """A watcher with all that belongs to it. ``rounds`` go in a thread of their own, for a probe may take seconds."""

    watcher: Watcher
    pipeline: Pipeline
    open_incidents: OpenIncidents
    rounds: Rounds
    heart: Heart
    metrics: Metrics
    learning: Learning
    notifiers: tuple[Notifier, ...]
    apps: tuple[SlackApp, ...] = ()
    on_incident: Callable[[Incident], None] = field(default=lambda _: None)

    def check(self) -> None:
        """Ask those notifiers that can tell whether they are set up well. Raises AccessDeniedError and the like.

        One that is out of reach is only told of: it may be back when it is needed.
        """
        for notifier in self.notifiers:
            check: Callable[[], None] | None = getattr(notifier, "check", None)
            if check is None:
                continue
            try:
                check()
            except UnavailableError as error:
                log.warning("%s cannot be reached, its alerts will be sent later: %s", notifier.name, error)

    def run(self) -> None:
        """Watch until ``stop``. Raises as Watcher.run."""
        ended = threading.Event()
        rounds = threading.Thread(target=self.rounds.run, args=(ended,), name="rounds", daemon=True)
        rounds.start()
        for app in self.apps:
            app.start()
        try:
            self.watcher.run()
        finally:
            ended.set()
            for app in self.apps:
                app.stop()
            self.heart.stop()

    def drain(self) -> None:
        """Work through what is there once. Raises as Watcher.drain."""
        self.watcher.drain()
        self.learning.learn_now()
        self.open_incidents.escalate_due()
        self.heart.stop()

    def stop(self) -> None:
        """Stop after the messages at hand."""
        self.watcher.stop()

    def received(self, sent: datetime | None = None) -> None:
        """A message came in, ``sent`` when the source got it."""
        self.heart.received(sent)
        self.metrics.count(Metric.EVENTS_RECEIVED)

    def stored(self, incident: Incident) -> None:
        """An incident was stored, and the message it came from acknowledged."""
        if incident.alerted:
            self.metrics.count(Metric.INCIDENTS_OPENED)
        self.learning.note(incident)
        self.on_incident(incident)

    def upkeep(self) -> None:
        """What is to be done now and then where nothing runs all the time, such as in a Lambda function."""
        self.learning.learn_now()
        self.open_incidents.escalate_due()
        self.rounds.once()
        self.heart.beat()
        self.metrics.flush()


def notifiers_of(net: Net) -> Iterator[Notifier]:
    """The notifiers of the settings. Raises UsageError."""
    for name, settings in net.settings.notified.notifiers.items():
        yield _notifier(net, name, settings)


def _notifier(net: Net, name: str, settings: NotifierSettings) -> Notifier:
    """What only one kind of notifier needs is imported for that one."""
    if isinstance(settings, SlackNotifierSettings):
        from watcher.alerts.notifier_slack import SlackNotifier

        token = settings.token.get_secret_value()
        return SlackNotifier(
            token,
            settings.channel,
            settings.api_url,
            name=name,
            buttons=settings.app_token is not None,
            sleep=net.sleep,
        )
    if isinstance(settings, SlackWebhookSettings):
        from watcher.alerts.notifier_slack_webhook import SlackWebhookNotifier

        return SlackWebhookNotifier(settings.url.get_secret_value(), name=name, sleep=net.sleep)
    if isinstance(settings, SnsSettings):
        from watcher.alerts.addresses import topic_region
        from watcher.alerts.notifier_sns import SnsNotifier

        region = topic_region(settings.topic_arn)
        aws = net.aws if region == net.aws.region else net.aws.elsewhere("", region)
        return SnsNotifier(aws.service("sns"), settings.topic_arn, name=name, short=settings.short)
    if isinstance(settings, PagerDutySettings):
        from watcher.alerts.notifier_pagerduty import PagerDutyNotifier

        key = settings.routing_key.get_secret_value()
        return PagerDutyNotifier(key, settings.api_url, name=name, sleep=net.sleep)
    from watcher.alerts.notifier_webhook import WebhookNotifier

    return WebhookNotifier(
        settings.url.get_secret_value(),
        name=name,
        secret=settings.secret.get_secret_value() if settings.secret else "",
        headers={header: value.get_secret_value() for header, value in settings.headers.items()},
        clock=net.clock,
        sleep=net.sleep,
    )


def outbox_of(net: Net) -> Outbox:
    """What is owed, sent by the notifiers there are, in digests where there is too much of it."""
    digest = net.settings.alerts.digest
    digests = Digests(net.vault, net.incidents, net.clock, DigestPolicy(digest.more_than, digest.window))
    return Outbox(net.incidents, net.notifiers, net.clock, net.settings.takeover_seconds, digests)


def router_for(net: Net) -> Router:
    """Who is told of an incident: as the settings have it, and the notifiers that were added to them always."""
    route = router_of(net.settings.notified)
    always = dict.fromkeys((one.name for one in net.extra_notifiers), "told of everything")

    def told(incident: Incident) -> Routing:
        routing = route(incident)
        return Routing({**always, **routing.told}, routing.reasons)

    return told


def sources_of(net: Net, names: Sequence[SourceName] = ()) -> list[EventSource]:
    """The sources of the settings, or those that are named. Raises UsageError for one that is not set."""
    return [_source(net, name) for name in names or net.settings.watch.take_from]


def watching_of(net: Net, sources: Sequence[EventSource]) -> Watching:
    """The watcher of the settings on these sources: none where something else hands the messages in.

    Raises UsageError where nobody would be told, FileFaultsError for bad rules.
    """
    if not net.outbox.names:
        raise UsageError(
            "no way to alert anybody is set: the watcher would be silent",
            hint="Set slack.token and slack.channel (SAFETYNET_SLACK__TOKEN, SAFETYNET_SLACK__CHANNEL), or alerts.notifiers.",
        )
    settings = net.settings.watch
    name = settings.id or new_watcher_id()
    where = ", ".join(source.location for source in sources) or net.settings.queue_url
    heart = Heart(net.vault, net.clock, name, version=version("dynamodb-safetynet"), source=where)
    metrics = _metrics(net, name)
    canaries = _canaries(net, name)
    regions = _regions(net)
    pipeline = pipeline_of(net, canaries, regions)
    open_incidents = OpenIncidents(
        net.incidents,
        lambda one: watcher.deliver(one),  # noqa: PLW0108 - it is made below
        policy_of(net.settings.notified),
        net.clock,
    )
    learning = _learning(net)
    chores = (
        Chore("escalate", ESCALATE_EVERY, open_incidents.escalate_due),
        Chore("learn", LEARN_EVERY, learning.learn_due),
        Chore("beat", BEAT_EVERY, heart.beat),
        Chore("metrics", METRICS_EVERY, metrics.flush),
    )
    watcher = Watcher(
        sources, pipeline, net.outbox, net.clock, net.sleep, chores=chores, workers=settings.workers
    )
    watching = Watching(
        watcher=watcher,
        pipeline=pipeline,
        open_incidents=open_incidents,
        rounds=_rounds(net, canaries, regions, metrics),
        heart=heart,
        metrics=metrics,
        learning=learning,
        notifiers=net.notifiers,
        apps=tuple(_apps(net)),
    )
    watcher.on_received = lambda delivery: watching.received(delivery.sent)
    watcher.on_incident = watching.stored
    return watching


def without_source(net: Net) -> Watching:
    """The watcher for where something else hands the messages in, such as Lambda. Raises as ``watching_of``."""
    return watching_of(net, [])


def pipeline_of(net: Net, canaries: Canaries | None, regions: RegionWatch | None) -> Pipeline:
    """From a message to a stored incident; canaries and AWS Health's events are taken in on the way."""
    facts = VaultFacts(net.catalog, net.intents, net.incidents, AwsTables(net.aws), net.clock)
    return Pipeline(
        net.incidents,
        facts,
        net.rules.rule_set,
        net.clock,
        router_for(net),
        Causes(net.vault, net.incidents, net.sleep),
        net=net_parts_of(net.settings),
        others=(partial(_canary, canaries), partial(_health, regions)),
    )


def _canary(canaries: Canaries | None, body: bytes) -> TakenElsewhere | None:
    from watcher.health.canary import is_canary

    canary = is_canary(body)
    if canary is None:
        return None
    if canaries is not None:
        canaries.arrived(canary)
    return TakenElsewhere()


def _health(regions: RegionWatch | None, body: bytes) -> TakenElsewhere | None:
    from watcher.availability.health_events import health_event

    event = health_event(body)
    if event is None:
        return None
    return TakenElsewhere(regions.take_health(event) if regions is not None else None)


def _source(net: Net, name: SourceName) -> EventSource:
    """One source. Raises UsageError for one that is not set."""
    from watcher.sources.dead_letters import DeadLetters
    from watcher.sources.positions import Positions
    from watcher.sources.source_sqs import SqsSource

    settings = net.settings.watch
    positions, dead_letters = Positions(net.vault, net.clock), DeadLetters(net.vault)
    if name == "cloudtrail":
        from watcher.sources.source_lookup import LookupSource

        return LookupSource(
            net.aws.cloudtrail(),
            net.aws.region,
            f"cloudtrail-{net.aws.account}-{net.aws.region}",
            positions=positions,
            dead_letters=dead_letters,
            clock=net.clock,
            sleep=net.sleep,
            settings=settings.sources,
        )
    url = net.settings.queue_url
    if name == "trail":
        if settings.trail is None:
            raise UsageError("no trail is set", hint="Set watch.trail.queue_url and watch.trail.buckets.")
        url = settings.trail.queue_url
    if not url:
        raise UsageError("no queue is set", hint="Set `queue_url` in safetynet.yaml or SAFETYNET_QUEUE_URL.")
    queue: EventSource = SqsSource(net.aws.sqs(), url, net.poll_seconds, net.clock)
    if name == "trail" and settings.trail is not None:
        from watcher.sources.source_trail import TrailFiles, TrailSource

        queue = TrailSource(queue, TrailFiles(net.aws.s3(), settings.trail.buckets, sleep=net.sleep))
    if settings.catch_up == "off":
        return queue
    from watcher.sources.catching_up import CatchingUpSource
    from watcher.sources.source_lookup import earliest_lookup

    return CatchingUpSource(
        queue,
        f"sqs-{url.rstrip('/').rpartition('/')[2]}",
        positions=positions,
        archives=lambda period: [_past(net, settings.catch_up, period)],
        dead_letters=dead_letters,
        clock=net.clock,
        settings=settings.sources,
        earliest=earliest_lookup if settings.catch_up == "lookup:" else None,
    )


def _past(net: Net, location: str, period: Period) -> Archive:
    """What was missed. What comes now is not to wait for it, so CloudTrail is asked once, and again after a while."""
    from watcher.archives.archive_lookup import LookupArchive
    from watcher.archives.archive_s3 import TrailFilter

    if location == "lookup:":
        return LookupArchive(net.aws.cloudtrail(), net.aws.region, period, net.clock, net.sleep, attempts=1)
    return net.archive(location, TrailFilter(period=period), None)


def archive_source(
    net: Net, locations: Sequence[str], start: datetime | None, end: datetime | None
) -> EventSource:
    """What is archived of a range of days, as a source that ends. Raises as ``Net.archive``."""
    from rules.backtest import Period
    from watcher.archives.archive_files import FileArchive
    from watcher.archives.archive_s3 import TrailFilter
    from watcher.sources.dead_letters import DeadLetters
    from watcher.sources.source_archive import ArchiveSource

    period = Period(start, end)
    archives: list[Archive] = [
        net.archive(one, TrailFilter(period=period), None)
        if one.startswith(("s3://", "lookup:"))
        else FileArchive(Path(one), period)
        for one in locations
    ]
    return ArchiveSource(archives, period, "archive", DeadLetters(net.vault), net.clock)


def _learning(net: Net) -> Learning:
    """What looks at what only AWS can tell. The vault first: what is found there clears what could not be read before."""
    from recovery.restores.points_aws_backup import AwsBackupPoints
    from recovery.restores.points_backups import BackupPoints
    from watcher.facts.learning import Learning
    from watcher.facts.learnt_points import NewestInVault, PointsLook

    sources: list[Any] = [NewestInVault(net.catalog)]
    if net.replica is not None:
        sources.append(NewestInVault(Catalog(net.replica), f"replica {net.replica.location}"))
    sources += [AwsBackupPoints(net.aws, net.sleep), BackupPoints(net.aws, net.sleep)]
    look = PointsLook(net.aws, sources, net.sleep)
    return Learning(net.incidents, look, net.clock, net.outbox.deliver)


def _apps(net: Net) -> Iterator[SlackApp]:
    """What answers the buttons, for each Slack that has an app. Raises UsageError for a token that is none."""
    for settings in net.settings.notified.notifiers.values():
        if not isinstance(settings, SlackNotifierSettings) or settings.app_token is None:
            continue
        from cli.deciding import rule_for
        from watcher.alerts.slack_app import SlackApp
        from watcher.alerts.slack_client import posting_client
        from watcher.alerts.slack_press import Presses

        client = posting_client(settings.token.get_secret_value(), settings.api_url, net.sleep)
        presses = Presses(
            client,
            net.incidents,
            net.clock,
            draft=lambda one: rule_for(one, net_parts_of(net.settings), "", net.clock()),
            plan=partial(_plan_in_words, net),
            deliver=net.outbox.deliver,
        )
        yield SlackApp(settings.app_token.get_secret_value(), client, presses.handle)


def _plan_in_words(net: Net, incident_id: str) -> str:
    """What `recover INCIDENT --dry-run` prints. Raises as ``prepare``."""
    from io import StringIO

    from rich.console import Console

    from cli.recovering import RecoverOptions, prepare
    from cli.recovery_lines import prepared_lines

    out = StringIO()
    Console(file=out, width=PLAN_WIDTH, no_color=True, highlight=False).print(
        prepared_lines(prepare(net, [incident_id], RecoverOptions()))
    )
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _metrics(net: Net, watcher: str) -> Metrics:
    settings = net.settings.watch.metrics
    if not settings.enabled:
        return NoMetrics()
    return EmfMetrics(
        lambda line: print(line, file=sys.stdout, flush=True),  # noqa: T201 - that is what the format is
        net.clock,
        settings.namespace,
        {"Watcher": watcher},
    )


def _canaries(net: Net, watcher: str) -> Canaries | None:
    from watcher.health.canary import Canaries
    from watcher.health.canary_bus import BusCanarySender
    from watcher.health.canary_queue import QueueCanarySender

    settings = net.settings.watch.canary
    if not settings.enabled or not net.settings.queue_url:
        return None
    sender = (
        QueueCanarySender(net.aws.sqs(), net.settings.queue_url)
        if settings.path == "queue"
        else BusCanarySender(net.aws.service("events"), settings.bus)
    )
    return Canaries(net.vault, net.clock, sender, watcher, settings.every)


def _regions(net: Net) -> RegionWatch:
    from watcher.availability.availability import AvailabilityPolicy
    from watcher.availability.outages import Elsewhere, OutageIncidents
    from watcher.availability.probe import RegionClients
    from watcher.availability.probe_canary_item import CanaryItemProbe
    from watcher.availability.probe_describe_endpoints import DescribeEndpointsProbe
    from watcher.availability.probe_dns import DnsProbe
    from watcher.availability.probe_independent import IndependentProbe
    from watcher.availability.region_watch import RegionProbes, RegionWatch

    settings, replica = net.settings.watch.probes, net.settings.backup.replica
    clients = RegionClients(net.aws)
    probes: list[Any] = [DescribeEndpointsProbe(clients), DnsProbe(clients)]
    if settings.item is not None:
        probes.append(CanaryItemProbe(clients, settings.item.table, settings.item.key))
    independent = IndependentProbe(clients, settings.independent_region, settings.independent_url)
    elsewhere = Elsewhere(
        Catalog(net.replica or net.vault),
        replica=net.replica is not None,
        region=settings.recover_to or (replica.region if replica else ""),
    )
    return RegionWatch(
        net.vault,
        net.clock,
        RegionProbes(settings.regions, tuple(probes), independent),
        OutageIncidents(net.incidents, net.clock, router_for(net), elsewhere),
        AvailabilityPolicy(settings.every, settings.down_after, settings.up_after),
    )


def _rounds(net: Net, canaries: Canaries | None, regions: RegionWatch, metrics: Metrics) -> Rounds:
    from watcher.health.dead_man import PingedDeadMan
    from watcher.health.health_reading import HealthReader
    from watcher.health.rounds import Rounds
    from watcher.sources.queue_depth import queue_depths

    url, queue_url = net.settings.watch.dead_man.url, net.settings.queue_url
    # Without a catalog: to list all backups every few minutes costs more than it tells.
    reader = HealthReader(
        net.vault,
        net.incidents,
        net.clock,
        queue=(lambda: queue_depths(net.aws.sqs(), queue_url, net.clock)) if queue_url else None,
    )
    dead_man: DeadMan | None = PingedDeadMan(url.get_secret_value(), net.sleep) if url is not None else None
    return Rounds(net.clock, reader, canaries=canaries, regions=regions, dead_man=dead_man, metrics=metrics)

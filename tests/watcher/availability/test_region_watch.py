"""Outages: one incident each, with the tables that are hit, the way back elsewhere, and its end; across crashes."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from recovery.backups.catalog import Catalog
from recovery.backups.manifest import BackupObject, Consistency, Manifest, TableIdentity
from recovery.testing.memory_vault import MemoryVault
from recovery.vault.vault import body_of
from rules.errors import UnavailableError
from tests.watcher.watching import NOON
from watcher.alerts.outbox import Outbox, everybody
from watcher.alerts.slack_message import opened_message, thread_message
from watcher.alerts.slack_text import plain_text
from watcher.availability.availability import (
    AVAILABILITY,
    AvailabilityPolicy,
    RegionAvailability,
    RegionStatus,
)
from watcher.availability.health_events import HealthEvent
from watcher.availability.outages import Elsewhere, OutageIncidents
from watcher.availability.probe import SignalState
from watcher.availability.region_watch import RegionProbes, RegionWatch, availabilities
from watcher.incidents.incident import IncidentState, NoticeKind
from watcher.incidents.incident_store import IncidentStore
from watcher.testing.recording_notifier import RecordingNotifier
from watcher.testing.scripted_probe import ScriptedProbe
from watcher.testing.slack_blocks import check_blocks

if TYPE_CHECKING:
    from tests.watcher.watching import Clockwork
    from watcher.availability.probe import Signal
    from watcher.incidents.incident import Incident

HOME, OTHER, ACCOUNT = "eu-west-1", "eu-central-1", "123456789012"
MINUTE = timedelta(minutes=1)
FAILED, OK = SignalState.FAILED, SignalState.OK
ISSUE = HealthEvent(
    id="e1",
    arn="arn:aws:health:eu-west-1::event/DYNAMODB/X/1",
    code="AWS_DYNAMODB_OPERATIONAL_ISSUE",
    account=ACCOUNT,
    region=HOME,
    time=NOON + 10 * MINUTE,
    started=NOON,
    ended=NOON + 10 * MINUTE,
    closed=False,
)


class Killed(BaseException):
    """The process ends here; nothing catches it."""


def backed_up(
    vault: MemoryVault, table: str, time: datetime, region: str = HOME, account: str = ACCOUNT
) -> None:
    """A whole backup, as far as a catalog looks."""
    backup = Manifest(
        backup_id=f"{time:%Y%m%dT%H%M%SZ}-0a1b2c3d",
        table=TableIdentity(account=account, region=region, name=table, arn=f"arn:{table}", table_id="id"),
        engine="scan",
        consistency=Consistency(kind="per-item", started=time, ended=time),
        item_count=0,
        data_bytes=0,
        consumed_read_units=1,
        export_id="01-ab",
        objects=(BackupObject(key="table.json", size=1, sha256="0" * 64),),
        tool_version="0.1.0",
    ).sealed()
    vault.put_new(f"{backup.folder}manifest.json", body_of(backup))


class Station:
    """A watcher of one region; ``restart`` gives what a new process would have."""

    def __init__(self, clock: Clockwork, vault: MemoryVault | None = None) -> None:
        self.clock = clock
        self.vault = vault or MemoryVault()
        self.replica = MemoryVault(bucket="replica")
        self.probes = [ScriptedProbe("describe-endpoints"), ScriptedProbe("dns"), ScriptedProbe("item-read")]
        self.independent = ScriptedProbe("independent")
        self.notifier = RecordingNotifier()
        self.elsewhere = Elsewhere(Catalog(self.replica), replica=True, region=OTHER)
        self.restart()

    def restart(self) -> None:
        """The same vault, probes and people; everything else anew."""
        self.incidents = IncidentStore(self.vault)
        self.outbox = Outbox(self.incidents, [self.notifier], self.clock)
        self.watch = RegionWatch(
            self.vault,
            self.clock,
            RegionProbes((HOME,), tuple(self.probes), self.independent),
            OutageIncidents(self.incidents, self.clock, everybody(self.outbox.names), self.elsewhere),
            AvailabilityPolicy(every=MINUTE, down_after=3, up_after=2),
        )

    def rounds(self, count: int = 1) -> list[Incident]:
        """So many rounds, one a minute, and what they owe delivered."""
        found: list[Incident] = []
        for _ in range(count):
            found = self.watch.round()
            self.outbox.deliver_all()
            self.clock.now += MINUTE
        return found

    def fail(self, state: SignalState = FAILED) -> None:
        """From now on two of three probes see this."""
        for probe in self.probes[:2]:
            probe.usual = state

    @property
    def incident(self) -> Incident:
        """The one that there is."""
        (incident,) = self.incidents.all()
        assert not isinstance(incident, Exception)
        return incident

    @property
    def state(self) -> RegionAvailability:
        """What is stored of the region."""
        (state,) = availabilities(self.vault)
        assert isinstance(state, RegionAvailability)
        return state

    @property
    def told(self) -> list[NoticeKind]:
        """What people were sent."""
        return [notice.entry.kind for notice in self.notifier.sent]


@pytest.fixture
def station(clock: Clockwork) -> Station:
    """A watcher in memory, whose region is fine."""
    return Station(clock)


def test_an_outage_is_one_incident(station: Station) -> None:
    """What, since when, how bad, and the words of the probes; told once, however long it lasts."""
    station.rounds()
    station.fail()
    station.rounds(10)
    incident = station.incident
    assert incident.title == "DynamoDB unreachable in eu-west-1 since 12:01 UTC"
    assert (incident.severity, incident.state) == ("critical", IncidentState.OPEN)
    assert (incident.subject.type, incident.subject.name) == ("region", HOME)
    assert incident.reasons[:3] == (
        "describe-endpoints: told to be failed",
        "dns: told to be failed",
        "Other endpoints answer: it is not our own network.",
    )
    assert station.told == [NoticeKind.OPENED]


def test_it_names_the_tables_and_the_command_for_elsewhere(station: Station) -> None:
    """From the replica: the tables of that region alone, their newest backups there, and what they lose."""
    for table, hours in (("orders", 30), ("orders", 10), ("carts", 9)):
        backed_up(station.replica, table, NOON - timedelta(hours=hours))
    backed_up(station.replica, "other", NOON, region="us-east-1")
    backed_up(station.vault, "of-the-main-vault", NOON)
    station.replica.put_new(f"backups/{ACCOUNT}/{HOME}/begun/20261123T110000Z-00000000/table.json", b"{}")
    station.fail()
    station.rounds(3)
    incident = station.incident
    assert incident.account == ACCOUNT
    assert "Tables there (3): begun, carts, orders" in incident.reasons
    assert "1 of them have no whole backup to recover from." in incident.reasons
    points = [(point.source, point.time, point.loss_seconds) for point in incident.recovery_points]
    assert points == [
        ("replica of carts", NOON - timedelta(hours=9), 9 * 3600),
        ("replica of orders", NOON - timedelta(hours=10), 10 * 3600),
    ]
    command = "safetynet recover carts orders --region eu-central-1 --from 123456789012/eu-west-1"
    assert incident.recover_command == command


def test_a_command_can_be_typed_as_it_is_shown(station: Station) -> None:
    """Hundreds of tables do not fit: the command names the first ones, the reasons say how many there are."""
    for number in range(200):
        backed_up(station.replica, f"table-with-a-long-name-{number:03}", NOON - timedelta(hours=1))
    station.fail()
    station.rounds(3)
    incident = station.incident
    assert len(incident.recover_command) <= 500
    assert re.search(r"-0\d\d --region eu-central-1 --from 123456789012/eu-west-1$", incident.recover_command)
    assert any(reason.startswith("Tables there (200): ") for reason in incident.reasons)
    message = opened_message(incident)
    check_blocks(message.blocks)
    assert incident.recover_command in plain_text(message)


def test_without_another_region_it_says_what_is_missing(station: Station) -> None:
    """No command is better than one that leads back into the outage."""
    backed_up(station.vault, "orders", NOON - timedelta(hours=1))
    station.elsewhere = Elsewhere(Catalog(station.vault), replica=False, region="")
    station.restart()
    station.fail()
    station.rounds(3)
    assert station.incident.recover_command == ""
    assert any("backup.replica.region" in reason for reason in station.incident.reasons)
    assert station.incident.recovery_points[0].source == "backup of orders"


def test_a_catalog_out_of_reach_does_not_hold_the_alert_up(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The replica may be hit as well."""

    def down(_: str) -> None:
        raise UnavailableError("S3 is down, too")

    monkeypatch.setattr(station.replica, "folders", down)
    station.fail()
    station.rounds(3)
    assert station.incident.recovery_unknown == "S3 is down, too"
    assert station.told == [NoticeKind.OPENED]


def test_it_is_told_when_the_region_is_back(station: Station) -> None:
    """With how long it was; the incident is recovered, and the next outage is another one."""
    station.fail()
    station.rounds(5)
    station.fail(OK)
    station.rounds(4)
    incident = station.incident
    assert incident.state is IncidentState.RECOVERED
    assert incident.timeline[-1].what == "reachable again since 12:05 UTC (5 min)"
    assert station.told == [NoticeKind.OPENED, NoticeKind.RECOVERED]
    assert station.state.outage is not None
    assert station.state.outage.settled
    station.fail()
    station.rounds(3)
    assert len(list(station.incidents.all())) == 2


def test_who_recovers_elsewhere_is_not_interrupted(station: Station) -> None:
    """The region's return is told, the recovery under way goes on."""
    station.fail()
    station.rounds(3)
    moved = {"state": IncidentState.RECOVERING}
    station.incidents.update(station.incident.id, lambda one: one.model_copy(update=moved))
    station.fail(OK)
    station.rounds(3)
    assert station.incident.state is IncidentState.RECOVERING
    assert station.told[-1] is NoticeKind.RECOVERED


def test_our_own_network_pages_nobody(station: Station, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing else answers either: that is told in the log and in what is stored, and is no incident."""
    station.rounds()
    station.fail()
    station.independent.usual = FAILED
    station.rounds(9)
    assert list(station.incidents.all()) == []
    assert station.state.status is RegionStatus.BLIND
    assert [signal.probe for signal in station.state.signals][-1] == "independent"
    assert "our own network" in caplog.text


def test_the_network_that_comes_back_in_the_middle_of_a_round(station: Station) -> None:
    """The probes failed, then the independent endpoint answered: the probes look once more before anybody is told."""
    station.rounds()
    for probe in station.probes:
        probe.states = [FAILED] * 3
    station.rounds(5)
    assert list(station.incidents.all()) == []
    assert station.state.status is RegionStatus.UP
    assert station.independent.asked == [HOME]


def test_watchers_side_by_side_do_not_count_twice(station: Station) -> None:
    """Six rounds in three minutes of two watchers are three rounds."""
    other = Station(station.clock, station.vault)
    station.fail()
    other.fail()
    for _ in range(2):
        station.watch.round()
        other.watch.round()
        station.clock.now += MINUTE
    assert station.state.bad_rounds == 2
    station.watch.round()
    other.watch.round()
    assert len(list(station.incidents.all())) == 1


def test_a_round_that_another_watcher_made_meanwhile_does_not_count(station: Station) -> None:
    """Both found it due and both probed: it is one round all the same."""
    other = Station(station.clock, station.vault)
    station.fail()
    other.fail()
    probe = station.probes[2]
    look = probe.probe

    def slow(region: str) -> Signal:
        other.watch.round()
        return look(region)

    probe.probe = slow  # type: ignore[method-assign]
    station.watch.round()
    assert station.state.bad_rounds == 1


def test_a_defect_in_one_probe_is_no_outage(station: Station) -> None:
    """It counts as one that cannot tell, and the others decide."""
    station.probes[0].defect = ZeroDivisionError("ours")
    station.rounds(5)
    assert station.state.status is RegionStatus.UP
    assert station.state.signals[0].state is SignalState.UNKNOWN


def test_a_vault_out_of_reach_stops_nothing(
    station: Station, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Logged, and tried again at the next round."""

    def down(_: str) -> None:
        raise UnavailableError("S3 is down")

    monkeypatch.setattr(station.vault, "get", down)
    assert station.watch.round() == []
    assert "S3 is down" in caplog.text


@pytest.mark.parametrize("place", ["create", "update"])
@pytest.mark.parametrize("ending", [False, True])
def test_killed_between_state_and_incident(
    station: Station, place: str, ending: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state says that there is an outage, or its end: the next round writes what the incident lacks, once."""
    station.fail()
    if ending:
        station.rounds(4)
        station.fail(OK)
        station.rounds(1)
    else:
        station.rounds(2)

    def killed(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(station.incidents, "update" if ending else place, killed)
    with pytest.raises(Killed):
        station.watch.round()
    monkeypatch.undo()
    station.restart()
    station.rounds(3)
    expected = [NoticeKind.OPENED, NoticeKind.RECOVERED] if ending else [NoticeKind.OPENED]
    assert station.told == expected
    assert len(list(station.incidents.all())) == 1


def test_a_damaged_state_is_begun_anew(station: Station) -> None:
    """It may cost the count of some rounds, not the watch."""
    station.rounds()
    station.vault.put(f"{AVAILABILITY}{HOME}.json", b"{")
    station.fail()
    station.rounds(4)
    assert station.incident.title.startswith("DynamoDB unreachable")


def test_aws_health_alone_is_an_incident(station: Station) -> None:
    """High, not critical: we can still reach it. Delivered twice, it is one; its end is told."""
    station.rounds()
    for _ in range(2):
        assert station.watch.take_health(ISSUE) is not None
        station.outbox.deliver_all()
    incident = station.incident
    assert incident.title == "AWS Health: DynamoDB has an issue in eu-west-1 since 12:00 UTC"
    assert incident.severity == "high"
    assert station.told == [NoticeKind.OPENED]
    closed = replace(ISSUE, closed=True, time=NOON + 60 * MINUTE, ended=NOON + 50 * MINUTE)
    for _ in range(2):
        station.watch.take_health(closed)
        station.outbox.deliver_all()
    assert station.incident.timeline[-1].what == "over, as AWS Health says, since 12:50 UTC (50 min)"
    assert station.told == [NoticeKind.OPENED, NoticeKind.RECOVERED]


def test_aws_health_joins_what_the_probes_saw(station: Station) -> None:
    """One incident, in which AWS confirms it, once."""
    station.fail()
    station.rounds(4)
    for event in (ISSUE, ISSUE, replace(ISSUE, time=NOON + 20 * MINUTE)):
        station.watch.take_health(event)
        station.rounds()
    text = "AWS Health confirms it: AWS_DYNAMODB_OPERATIONAL_ISSUE since 12:00 UTC"
    assert station.incident.reasons.count(text) == 1
    assert station.told == [NoticeKind.OPENED, NoticeKind.LEARNT]


def test_the_probes_make_worse_what_aws_health_told(station: Station) -> None:
    """The same incident becomes critical and is named anew."""
    station.watch.take_health(ISSUE)
    station.outbox.deliver_all()
    station.fail()
    station.rounds(4)
    incident = station.incident
    assert (incident.severity, incident.title) == (
        "critical",
        "DynamoDB unreachable in eu-west-1 since 12:00 UTC",
    )
    assert station.told == [NoticeKind.OPENED, NoticeKind.WORSE]


def test_a_closed_issue_that_nobody_was_told_of(station: Station) -> None:
    """Is no incident."""
    assert station.watch.take_health(replace(ISSUE, closed=True)) is None
    assert list(station.incidents.all()) == []


def test_a_dismissed_outage_says_no_more(station: Station) -> None:
    """Somebody decided; its end is still in the timeline."""
    station.fail()
    station.rounds(3)
    moved = {"state": IncidentState.DISMISSED}
    station.incidents.update(station.incident.id, lambda one: one.model_copy(update=moved))
    station.fail(OK)
    station.rounds(3)
    assert station.told == [NoticeKind.OPENED]
    assert "reachable again" in station.incident.timeline[-1].what
    assert station.incident.state is IncidentState.DISMISSED


def test_its_messages_can_be_read_on_slack(station: Station) -> None:
    """Headline, command and end, within Slack's limits."""
    backed_up(station.replica, "orders", NOON - timedelta(hours=10))
    station.fail()
    station.rounds(3)
    opened = plain_text(opened_message(station.incident))
    assert "DynamoDB unreachable in eu-west-1 since 12:00 UTC" in opened
    assert "safetynet recover orders --region eu-central-1" in opened
    station.fail(OK)
    station.rounds(3)
    entry = station.incident.outbox[-1]
    assert "reachable again since 12:03 UTC (3 min)" in plain_text(thread_message(station.incident, entry))

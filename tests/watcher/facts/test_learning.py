"""What is learnt of lost tables after the alert: asked twice, told once, and only where it changes what to do."""

from __future__ import annotations

import threading
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recovery.errors import DamagedObjectError
from recovery.restores.points import LostTable, PointKind
from recovery.restores.points import RecoveryPoint as KnownPoint
from recovery.restores.points_backups import BackupPoints
from recovery.testing.embedded_aws import ACCOUNT, REGION, EmbeddedEndpoint
from recovery.testing.faults import Crash, Faults, FaultyVault
from recovery.testing.memory_vault import MemoryVault
from rules.errors import UnavailableError
from tests.recovery.damage import flip
from tests.recovery.recovering import Process, make_table, some_items
from tests.recovery.surroundings_answers import NOBODY, Answers, Refusal
from tests.watcher.alerting import NIGHT, an_entry, an_event, an_incident
from tests.watcher.telling import a_lead, a_member
from tests.watcher.watching import NOON, Clockwork, Parts, by, delete_table
from watcher.alerts.alert_text import message_text
from watcher.alerts.notifier import Notice
from watcher.alerts.notifier_webhook import webhook_message
from watcher.facts.learning import MOST_FAILURES, Learning
from watcher.facts.learnt_notes import lost_keys, with_learnt
from watcher.facts.learnt_points import Learnt, NewestInVault, PointsLook
from watcher.incidents.incident import AlertState, Incident, IncidentState, NoticeKind, RecoveryPoint
from watcher.incidents.incident_life import acknowledge, dismiss
from watcher.incidents.incident_store import IncidentStore
from watcher.testing.memory_source import MemorySource
from watcher.testing.recording_notifier import RecordingNotifier
from watcher.testing.scripted_look import ScriptedLook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recovery.aws import Aws

DELETED = NOON - timedelta(seconds=2)
SYSTEM_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/backup/01700000000009-abcdef09"
ORDERS = (ACCOUNT, REGION, "orders")


def point(source: str = "system", hours: float = 0, items: int | None = 77, name: str = "") -> RecoveryPoint:
    """A recovery point that would lose so many hours."""
    return RecoveryPoint(
        source=source,
        backup_id=name or f"{source}-{hours:g}",
        time=DELETED - timedelta(hours=hours) + timedelta(seconds=9 * (source == "system")),
        item_count=items,
        loss_seconds=3600 * hours,
    )


SYSTEM = Learnt((point(),), {"system-0": 4_000}, frozenset({"vault", "system"}))
VAULT_POINT = point("s3-backup", 8, name="20261123T020000Z-abc")


class Scene:
    """A watcher in memory that learns."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.clock = parts.clock
        self.look = ScriptedLook()
        self.learning = self.another()
        parts.watcher.on_incident = self._note

    def _note(self, incident: Incident) -> None:
        self.learning.note(incident)

    def another(self) -> Learning:
        """What a watcher beside it, or after it, has."""
        return Learning(self.parts.incidents, self.look, self.clock, self.parts.outbox.deliver)

    def put(self, *bodies: bytes) -> None:
        """Messages that are taken in and told."""
        for body in bodies:
            self.parts.source.put(body)
        self.parts.watcher.drain()

    def after(self, seconds: float, learning: Learning | None = None) -> int:
        """Move the clock on, and learn."""
        self.clock.now += timedelta(seconds=seconds)
        return (learning or self.learning).learn_now()

    @property
    def lead(self) -> Incident:
        """The only incident that people see."""
        found = [one for one in self.parts.incidents.all() if isinstance(one, Incident) and not one.part_of]
        assert len(found) == 1
        return found[0]

    @property
    def notes(self) -> list[str]:
        """The news that were sent into the thread."""
        return [one.entry.text for one in self.parts.notifier.sent if one.entry.kind is NoticeKind.LEARNT]


@pytest.fixture(scope="module")
def nobody() -> Answers:
    """An AWS that answers nothing yet."""
    return Answers()


@pytest.fixture(scope="module")
def unused() -> Aws:
    """Only there for a script of faults, which is for an AWS as well as for a vault."""
    return EmbeddedEndpoint(NOBODY).aws()


@pytest.fixture
def scene(parts: Parts) -> Scene:
    """A watcher in memory that learns."""
    return Scene(parts)


def test_the_system_backup_that_shows_later_is_told_with_its_command(scene: Scene) -> None:
    """No backup was known; at the second look there is one that has everything, and the first message says so."""
    scene.look.find("orders", Learnt(), SYSTEM)
    scene.put(delete_table())
    assert (scene.lead.recovery_points, scene.lead.recover_command) == ((), "")
    assert scene.after(1) == 0
    assert scene.look.asked == []
    assert scene.after(1) == 0
    assert scene.look.asked == [(LostTable(*ORDERS, DELETED), "id-of-orders")]
    assert scene.after(13) == 1
    lead = scene.lead
    command = f"safetynet recover {lead.id} --source system"
    assert lead.recovery_points == SYSTEM.points
    assert (lead.recover_command, lead.learnt_at) == (command, scene.clock.now)
    assert (lead.subject.item_count, lead.subject.size_bytes) == (77, 4_000)
    (note,) = scene.notes
    assert note.startswith(
        "orders: no recovery point was known, but there is DynamoDB's own backup of the deleted table: "
        "nothing is lost with it.\n"
    )
    assert f"To recover: {command}" in note
    scene.clock.now += timedelta(seconds=10)
    scene.parts.outbox.deliver_due()
    assert scene.parts.notifier.refreshed[-1].recover_command == command


def testnobody_asks_for_ever(scene: Scene) -> None:
    """Two looks at a table of which nothing is found, and no message; one where all is there at once."""
    scene.look.find("carts", SYSTEM)
    scene.put(delete_table("orders", **by("a")), delete_table("carts", **by("b")))
    for _ in range(10):
        scene.after(10)
    assert scene.look.names == ["carts", "orders", "orders"]
    found = [one for one in scene.parts.incidents.all() if isinstance(one, Incident)]
    assert all(one.learnt_at is not None for one in found)
    assert len(scene.notes) == 1


def test_the_same_event_again_asks_nothing_again(scene: Scene) -> None:
    """What is known of a table stays known, though its event is taken in once more."""
    body = delete_table()
    scene.look.find("orders", SYSTEM)
    scene.put(body)
    scene.after(2)
    scene.put(body)
    scene.after(20)
    assert len(scene.look.asked) == 1
    assert scene.lead.recovery_points == SYSTEM.points


def test_each_table_of_a_burst_is_asked_for(scene: Scene) -> None:
    """Points go to the member they are of and into its own document, and an event that comes again takes none away."""
    bodies = [delete_table(f"t{number:02}") for number in range(30)]
    for number in range(30):
        scene.look.find(f"t{number:02}", Learnt((point(name=f"system-of-{number:02}"),)))
    scene.put(*bodies)
    scene.after(2)
    scene.put(*bodies)
    lead = scene.lead
    told = {lead.subject.name: lead.recovery_points}
    told |= {member.subject.name: member.recovery_points for member in lead.members}
    assert {name: [one.backup_id for one in points] for name, points in told.items()} == {
        f"t{number:02}": [f"system-of-{number:02}"] for number in range(30)
    }
    own = [scene.parts.incidents.get(member.id) for member in lead.members]
    assert all(one.recovery_points and one.learnt_at for one in own)
    assert lead.recover_command == f"safetynet recover {lead.id} --source system"


def test_many_tables_are_told_in_few_lines(scene: Scene) -> None:
    """Ten by name, the others counted; a batch is one note."""
    for number in range(15):
        scene.look.find(f"t{number:02}", SYSTEM)
    scene.put(*(delete_table(f"t{number:02}") for number in range(15)))
    scene.after(2)
    (note,) = scene.notes
    lines = note.splitlines()
    assert len(lines) == 12
    assert lines[-2] == "and 5 more tables"


def test_two_watchers_tell_of_it_once(scene: Scene) -> None:
    """Both ask, both write; there is one note, and one revision more."""
    scene.look.find("orders", SYSTEM)
    scene.put(delete_table())
    other = scene.another()
    other.note(scene.lead)
    assert scene.after(2) == 1
    known = scene.lead
    assert scene.after(1, other) == 0
    assert len(scene.look.asked) == 2
    assert scene.lead == known
    assert len(scene.notes) == 1


@pytest.mark.parametrize(("minutes", "looks"), [(0, 2), (0.5, 1), (59, 1), (61, 0)])
def test_what_a_watcher_that_died_left_is_learnt(scene: Scene, minutes: float, looks: int) -> None:
    """Of alerts of the last hour; once where the time for a second look is over, and only what is not known yet."""
    scene.look.find("orders", Learnt(), SYSTEM)
    scene.put(delete_table())
    restarted = scene.another()
    scene.clock.now += timedelta(minutes=minutes)
    restarted.learn_now()
    scene.after(2, restarted)
    scene.after(13, restarted)
    assert len(scene.look.asked) == looks
    scene.another().learn_now()
    assert len(scene.look.asked) == looks


def test_a_crash_at_any_step_is_made_good(unused: Aws) -> None:
    """Killed at any call of the vault, the next watcher learns the same, and one note is owed."""
    whole, step = False, 0
    while not whole:
        step += 1
        scene = Scene(Parts(MemoryVault(), MemorySource(), RecordingNotifier(), Clockwork()))
        scene.look.find("carts", SYSTEM)
        scene.put(delete_table("orders"), delete_table("carts"))
        faults = Faults(unused)
        faults.crash(nth=step)
        store = IncidentStore(FaultyVault(scene.parts.vault, faults))
        dying = Learning(store, scene.look, scene.clock)
        dying.note(scene.lead)
        scene.clock.now += timedelta(seconds=15)
        try:
            dying.learn_now()
            whole = True
        except Crash:
            pass
        scene.after(1, scene.another())
        (member,) = scene.lead.members
        assert member.recovery_points == SYSTEM.points
        assert scene.parts.incidents.get(member.id).learnt_at is not None
        owed = [entry for entry in scene.lead.outbox if entry.kind is NoticeKind.LEARNT]
        assert len(owed) == 1
    assert step > 8


def test_quiet_settled_and_other_incidents_are_left_alone(scene: Scene) -> None:
    """Nothing is asked of an attempt that failed, nor of what was dismissed meanwhile."""
    scene.put(delete_table("orders", errorCode="AccessDenied", errorMessage="no", **by("a")))
    scene.put(delete_table("carts", **by("b")))
    gone = next(iter(scene.parts.incidents.about("carts")))
    dismiss(scene.parts.incidents, gone.id, "jane", "it was me", scene.clock.now)
    quiet = an_incident(id="20261123T120000Z-x-00000000", state=IncidentState.QUIET)
    scene.learning.note(quiet)
    scene.after(30)
    assert scene.look.asked == []


def test_while_a_recovery_runsnobody_is_disturbed(scene: Scene) -> None:
    """The points are noted; no news, and the command stays."""
    scene.look.find("orders", SYSTEM)
    scene.put(delete_table())
    scene.parts.incidents.update(
        scene.lead.id, lambda one: one.model_copy(update={"state": IncidentState.RECOVERING})
    )
    scene.after(2)
    assert (scene.lead.recovery_points, scene.lead.recover_command) == (SYSTEM.points, "")
    assert scene.notes == []


def test_an_acknowledged_incident_is_learnt_of(scene: Scene) -> None:
    """Somebody is looking at it: he is told, and it stays his."""
    scene.look.find("orders", SYSTEM)
    scene.put(delete_table())
    acknowledge(scene.parts.incidents, scene.lead.id, "jane", scene.clock.now)
    scene.after(2)
    assert scene.lead.state is IncidentState.ACKNOWLEDGED
    assert len(scene.notes) == 1


def test_a_vault_that_is_out_of_reach_is_asked_again_later_and_not_for_ever(scene: Scene) -> None:
    """The first failure costs half a minute; after some, the incident is given up here."""
    scene.look.find("orders", SYSTEM)
    scene.put(delete_table())
    scene.look.fails = UnavailableError("out of reach")
    scene.after(2)
    scene.after(29)
    assert len(scene.look.asked) == 1
    for _ in range(10):
        scene.after(30)
    assert len(scene.look.asked) == MOST_FAILURES
    assert scene.lead.learnt_at is None


def test_it_recovers_by_itself(scene: Scene) -> None:
    """What failed once is learnt at the next try."""
    scene.look.find("orders", SYSTEM)
    scene.put(delete_table())
    scene.look.fails = UnavailableError("out of reach")
    scene.after(2)
    scene.look.fails = None
    assert scene.after(30) == 1


def test_a_defect_with_one_incident_is_not_the_others(scene: Scene, caplog: Any) -> None:
    """It is logged, with the incident, and not tried again."""
    scene.put(delete_table("orders", **by("a")))
    scene.look.fails = RuntimeError("a defect")
    scene.after(2)
    scene.look.fails = None
    scene.look.find("carts", SYSTEM)
    scene.put(delete_table("carts", **by("b")))
    scene.after(20)
    assert scene.look.names == ["carts", "orders"]
    assert "nothing more could be learnt" in caplog.text


def test_the_watcher_does_not_wait_for_it(scene: Scene) -> None:
    """The chore comes back while AWS is asked; meanwhile it starts nothing, and afterwards it goes on."""
    asked, go_on = threading.Event(), threading.Event()

    class SlowLook(ScriptedLook):
        def look(self, lost: LostTable, incarnation: str) -> Learnt:
            asked.set()
            assert go_on.wait(30)
            return super().look(lost, incarnation)

    scene.look = SlowLook()
    scene.look.find("orders", SYSTEM)
    scene.learning = scene.another()
    scene.put(delete_table())
    scene.clock.now += timedelta(seconds=2)
    scene.learning.learn_due()
    assert asked.wait(30)
    scene.put(delete_table("carts", **by("b")))
    scene.clock.now += timedelta(seconds=2)
    scene.learning.learn_due()
    assert [one.name for one in threading.enumerate()].count("learning") == 1
    go_on.set()
    thread = next(one for one in threading.enumerate() if one.name == "learning")
    thread.join(30)
    assert scene.look.names == ["carts", "orders"]
    (orders,) = scene.parts.incidents.about("orders")
    assert orders.recovery_points == SYSTEM.points


def test_the_chore_never_raises(scene: Scene, unused: Aws, caplog: Any) -> None:
    """A vault out of reach is a line in the log, and half a minute of peace."""
    faults = Faults(unused)
    vault = FaultyVault(scene.parts.vault, faults)
    learning = Learning(IncidentStore(vault), scene.look, scene.clock)
    faults.fail("vault.list", times=5)
    for _ in range(3):
        learning.learn_due()
        for thread in [one for one in threading.enumerate() if one.name == "learning"]:
            thread.join(30)
    assert caplog.text.count("learning more of incidents: vault.list: scripted") == 1


def learnt_of(incident: Incident, learnt: Learnt, *, final: bool = True, now: datetime = NIGHT) -> Incident:
    """The incident of ``orders`` with what was found of it."""
    return with_learnt(incident, {ORDERS: learnt}, {ORDERS} if final else set(), now)


def lost_with(*points: RecoveryPoint, **changes: Any) -> Incident:
    """``orders`` is lost, those points are known, and somebody was told."""
    command = f"safetynet recover {an_incident().id}" if points else ""
    fields = {"recovery_points": points, "recover_command": command, "outbox": (TOLD,), **changes}
    return an_incident(**fields)


TOLD = an_entry(state=AlertState.SENT)


def news(incident: Incident) -> list[str]:
    """What is owed as news."""
    return [entry.text for entry in incident.outbox if entry.kind is NoticeKind.LEARNT]


def test_something_better_than_the_vaults_backup_is_told_with_what_is_quicker() -> None:
    """The command takes what loses least, and the note has both ways, since the better one is slower."""
    after = learnt_of(lost_with(VAULT_POINT), SYSTEM)
    assert [one.source for one in after.recovery_points] == ["system", "s3-backup"]
    assert after.recover_command == f"safetynet recover {after.id} --source system"
    (note,) = news(after)
    assert "nothing is lost with it, instead of the changes of the last 8 h.\n" in note
    assert f"20 minutes or more; quicker, from the vault: safetynet recover {after.id}" in note
    assert after.revision == 1
    assert after.timeline[-1].what == note


def test_something_better_that_loses_something_says_how_much() -> None:
    """The person who decides sees both losses, and when it was taken."""
    (note,) = news(learnt_of(lost_with(VAULT_POINT), Learnt((point("on-demand", 2),))))
    assert note.startswith(
        "orders: there is an on-demand backup of 2026-11-23 09:59:58 UTC: changes of the last 2 h are lost with it, "
        "instead of those of the last 8 h.\n"
    )


def test_every_notifier_can_tell_of_a_point_whose_items_nobody_counted() -> None:
    """AWS Backup does not tell how many there are: Slack, texts and webhooks leave the number out."""
    lost = lost_with(point("aws-backup", 2, None))
    notice = Notice(lost, an_entry(), None, None)
    assert "recovery point of AWS Backup 2026-11-23 09:59:58 UTC" in message_text(notice)
    (told,) = webhook_message(notice).incident.recovery_points
    assert (told.source, told.item_count) == ("aws-backup", None)


@pytest.mark.parametrize(
    "learnt",
    [
        Learnt((VAULT_POINT,)),
        Learnt((point("on-demand", 30),)),
        Learnt((point("on-demand", 8 - 59 / 3600),)),
        Learnt(),
    ],
)
def test_what_changes_nothing_is_not_told(learnt: Learnt) -> None:
    """Older points, one that saves less than a minute, and nothing: the message may show them, nobody is disturbed."""
    after = learnt_of(lost_with(VAULT_POINT), learnt)
    assert news(after) == []
    assert after.recover_command == f"safetynet recover {after.id}"


def test_the_same_point_once() -> None:
    """What is known by its id stays as it is told; a backup in the replica is the vault's."""
    again = point("replica", 8, name=VAULT_POINT.backup_id)
    after = learnt_of(lost_with(VAULT_POINT), Learnt((again, point("on-demand", 3))))
    assert [one.source for one in after.recovery_points] == ["on-demand", "s3-backup"]


def test_once_more_changes_nothing() -> None:
    """Another look, or another watcher's, that finds the same: the document stays as it is."""
    learnt = Learnt(SYSTEM.points, {}, frozenset(), {"aws-backup": "denied"}, DELETED)
    once = learnt_of(lost_with(), learnt)
    later = NIGHT + timedelta(minutes=1)
    assert learnt_of(once, learnt, now=later) == once
    off = a_member("pitr-off", "orders", second=20)
    once = learnt_of(a_lead("table-deleted", "orders", off, outbox=(TOLD,)), Learnt())
    assert len(news(once)) == 1
    assert learnt_of(once, Learnt(), now=later) == once


@pytest.mark.parametrize("changes", [{"state": IncidentState.DISMISSED}, {"part_of": "another"}])
def test_what_is_over_or_told_elsewhere_stays_as_it_is(changes: dict[str, Any]) -> None:
    """It became so between the look and the write."""
    lost = lost_with(**changes)
    assert learnt_of(lost, SYSTEM) == lost


def test_tables_that_are_best_brought_back_from_different_kinds() -> None:
    """The command lets each take what loses least."""
    member = a_member(name="carts", recovery_points=(VAULT_POINT,))
    lead = a_lead("table-deleted", "orders", member, outbox=(TOLD,))
    assert learnt_of(lead, SYSTEM).recover_command == f"safetynet recover {lead.id} --source auto"


def test_a_table_that_joins_later_is_not_left_out_of_the_command() -> None:
    """It has a backup in the vault alone, and the command so far was for what the others have."""
    first = a_lead("table-deleted", "orders", outbox=(TOLD,), recover_command="")
    first = learnt_of(first, SYSTEM)
    member = a_member(name="carts", recovery_points=(VAULT_POINT,))
    grown = first.model_copy(update={"members": (member,)})
    after = with_learnt(grown, {(ACCOUNT, REGION, "carts"): Learnt()}, set(), NIGHT)
    assert after.recover_command == f"safetynet recover {after.id} --source auto"
    assert news(after) == news(first)


def test_what_only_the_replica_has_is_recovered_by_name() -> None:
    """The replica knows no incidents. Where others are best from elsewhere, the command stays as it is."""
    replica = Learnt((point("replica", 3),))
    assert learnt_of(lost_with(), replica).recover_command == "safetynet recover orders --vault replica"
    member = a_member(name="carts", recovery_points=(VAULT_POINT,))
    lead = a_lead("table-deleted", "orders", member, outbox=(TOLD,), recover_command="")
    after = learnt_of(lead, replica)
    assert after.recover_command == ""
    assert news(after)[0].endswith(
        "To recover what only the second vault has: safetynet recover orders --vault replica"
    )


def test_another_command_is_left_alone() -> None:
    """One that was made for something else is not replaced."""
    after = learnt_of(lost_with(recover_command="safetynet recover x --as y"), SYSTEM)
    assert after.recover_command == "safetynet recover x --as y"


@pytest.mark.parametrize(
    ("second", "when"), [(20, "while it was being deleted"), (-60, "before it was deleted")]
)
def test_pitr_switched_off_leaves_no_system_backup(second: int, when: str) -> None:
    """Nobody waits for what will not come; it is told at the end, by whom and when, and only then."""
    off = a_member("pitr-off", "orders", who="mallory", time=NIGHT + timedelta(seconds=second))
    lead = a_lead("table-deleted", "orders", off, outbox=(TOLD,))
    assert news(learnt_of(lead, Learnt(), final=False)) == []
    (note,) = news(learnt_of(lead, Learnt()))
    assert note.startswith("orders: no system backup of it will come.")
    assert when in note
    assert "by mallory" in note
    assert not any("will come" in text for text in news(learnt_of(lead, SYSTEM)))
    refused = a_lead("table-deleted", "orders", off.model_copy(update={"failed": True}), outbox=(TOLD,))
    assert news(learnt_of(refused, Learnt())) == []


def test_a_name_that_is_taken_again_is_told_unless_it_is_known() -> None:
    """An empty table in its place; not where CloudTrail told so before, nor where a recovery made it."""
    taken = Learnt(taken_at=NIGHT + timedelta(seconds=5))
    (note,) = news(learnt_of(lost_with(), taken, final=False))
    assert note.startswith(
        "A table of the name orders is there since 2026-11-23 03:12:12 UTC. It is another one"
    )
    created = "A table of the name orders was created at 03:12:12 UTC by developer: it is empty."
    assert news(learnt_of(lost_with().with_moment(NIGHT, "developer", created), taken)) == []
    assert news(learnt_of(lost_with(recovered=("table:orders",)), taken)) == []


def test_what_could_not_be_looked_at_is_noted_once() -> None:
    """At the end, in the timeline, with the reason; where nothing is known the message says that nobody could look."""
    denied = Learnt(
        unread={
            "system": "access denied: ListBackups",
            "on-demand": "access denied: ListBackups",
            "name": "no",
        }
    )
    early = learnt_of(lost_with(), denied, final=False)
    assert (early.timeline, early.recovery_unknown) == ((), "")
    after = learnt_of(lost_with(), denied)
    assert [one.what for one in after.timeline] == [
        "could not look at system, on-demand of orders: access denied: ListBackups",
        "could not look at name of orders: no",
    ]
    assert after.recovery_unknown == "system: access denied: ListBackups"
    assert news(after) == []
    assert learnt_of(lost_with(VAULT_POINT), denied).recovery_unknown == ""


def test_a_vault_that_could_not_be_read_at_first_and_can_now() -> None:
    """Its backups are told, and that they are unknown is not told any more."""
    lost = lost_with(recovery_unknown="the vault is out of reach")
    after = learnt_of(lost, Learnt((VAULT_POINT,), read=frozenset({"vault"})))
    assert (after.recovery_unknown, after.recovery_points) == ("", (VAULT_POINT,))
    assert after.recover_command == f"safetynet recover {after.id}"
    assert len(news(after)) == 1
    assert learnt_of(lost, Learnt()).recovery_unknown == "the vault is out of reach"


def test_foreign_names_stay_text() -> None:
    """Names come from events; who shows the note cleans it, and the command is quoted for the shell."""
    name = "x; rm -rf ~"
    lead = a_lead("table-deleted", name, outbox=(TOLD,), recover_command="")
    (key,) = lost_keys(lead)
    after = with_learnt(lead, {key: Learnt((point("replica", 1),))}, {key}, NIGHT)
    assert after.recover_command == "safetynet recover 'x; rm -rf ~' --vault replica"


def test_only_what_is_gone_is_asked_for() -> None:
    """Protections, stacks, refused calls and replicas are no lost tables."""
    members = [
        a_member("protection-off", "a"),
        a_member("stack-deleted", "shop"),
        a_member("replica-removed", "b"),
        a_member("table-deleted", "c", failed=True),
        a_member("table-deleted", "d"),
    ]
    lead = a_lead("table-deleted", "orders", *members)
    assert {name for _, _, name in lost_keys(lead)} == {"d", "orders"}
    refused = an_incident(events=(an_event(error_code="AccessDenied"),))
    assert lost_keys(refused) == {}


@pytest.fixture
def answers(nobody: Answers) -> Answers:
    """An AWS in which ``orders`` is gone."""
    answers = nobody.renewed()
    identity = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/watcher", "UserId": "x"}
    answers.give("GetCallerIdentity", identity)
    answers.give("DescribeTable", Refusal("ResourceNotFoundException"))
    return answers


class Kept:
    """A source of recovery points that has what a test says, or raises it."""

    def __init__(self, kind: PointKind, *points: KnownPoint | Exception, label: str = "") -> None:
        self.kinds = (kind,)
        self.label = label
        self._points = points

    def find(self, lost: LostTable) -> list[KnownPoint]:
        """See PointSource.find."""
        for one in self._points:
            if isinstance(one, Exception):
                raise one
        return [one for one in self._points if not isinstance(one, Exception)]


def kept(kind: PointKind, number: int = 0, items: int | None = 5) -> KnownPoint:
    """A recovery point of somebody's keeping."""
    return KnownPoint(
        kind=kind,
        id=f"{kind.value}-{number}",
        time=DELETED - timedelta(hours=number),
        item_count=items,
        size_bytes=10,
    )


def look(answers: Answers, sources: Sequence[Any] = (), incarnation: str = "") -> Learnt:
    """What is learnt of ``orders``."""
    return PointsLook(answers.aws, sources, lambda _: None).look(LostTable(*ORDERS, DELETED), incarnation)


def test_points_in_the_incidents_words(answers: Answers) -> None:
    """Newest first, three of a kind, the replica's own by its name; points in time end with the table."""
    main = Kept(PointKind.VAULT, kept(PointKind.VAULT, 1))
    replica = Kept(
        PointKind.VAULT, kept(PointKind.VAULT, 1), kept(PointKind.VAULT, 2), label="replica s3://b"
    )
    on_demand = Kept(
        PointKind.ON_DEMAND, *(kept(PointKind.ON_DEMAND, number, None) for number in range(3, 9))
    )
    pitr = Kept(PointKind.PITR, kept(PointKind.PITR))
    learnt = look(answers, [main, replica, on_demand, pitr])
    assert [(one.source, one.backup_id, one.item_count, one.loss_seconds) for one in learnt.points] == [
        ("s3-backup", "vault-1", 5, 3600),
        ("replica", "vault-2", 5, 7200),
        ("on-demand", "on-demand-3", None, 10800),
        ("on-demand", "on-demand-4", None, 14400),
        ("on-demand", "on-demand-5", None, 18000),
    ]
    assert learnt.read == {"vault", "on-demand", "pitr"}


def test_dynamodbs_own_backup_of_the_deletion(answers: Answers) -> None:
    """The whole way from ListBackups to a note: nothing at first, then what shows nine seconds after the deletion."""
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders"
    backup = {
        "BackupArn": f"{arn}/backup/01",
        "BackupName": "orders$DeletedTableBackup",
        "BackupCreationDateTime": DELETED + timedelta(seconds=9),
        "BackupStatus": "AVAILABLE",
        "BackupType": "SYSTEM",
        "BackupSizeBytes": 1_000,
    }
    source = {
        "TableName": "orders",
        "TableId": "id-of-orders",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "TableCreationDateTime": DELETED - timedelta(days=9),
        "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
        "ItemCount": 12,
    }
    summary = {**backup, "TableName": "orders", "TableArn": arn}
    answers.give("ListBackups", {"BackupSummaries": []}, {"BackupSummaries": [summary]})
    answers.give(
        "DescribeBackup", {"BackupDescription": {"BackupDetails": backup, "SourceTableDetails": source}}
    )
    sources = [BackupPoints(answers.aws, lambda _: None)]
    assert look(answers, sources) == Learnt(read=frozenset({"system", "on-demand"}))
    learnt = look(answers, sources)
    assert [(one.source, one.backup_id, one.item_count, one.loss_seconds) for one in learnt.points] == [
        ("system", f"{arn}/backup/01", 12, 0)
    ]
    assert learnt.size_bytes == {f"{arn}/backup/01": 1_000}
    after = learnt_of(lost_with(), learnt)
    assert after.recover_command == f"safetynet recover {after.id} --source system"


def test_what_cannot_be_looked_at_is_unknown_with_the_reason(answers: Answers) -> None:
    """A source that fails, and a name that nobody may ask for; the others count."""
    answers.give("DescribeTable", Refusal("AccessDeniedException", "not authorized"))
    denied = Kept(PointKind.SYSTEM, DamagedObjectError("key", "is damaged"))
    learnt = look(answers, [denied, Kept(PointKind.VAULT, kept(PointKind.VAULT))])
    assert len(learnt.points) == 1
    assert learnt.read == {"vault"}
    assert set(learnt.unread) == {"system", "name"}
    assert "is damaged" in learnt.unread["system"]
    assert "not authorized" in learnt.unread["name"]


def test_tables_of_another_place_are_unknown(answers: Answers) -> None:
    """The credentials at hand cannot tell of another region, so the name is unknown, and not free."""
    elsewhere = LostTable(ACCOUNT, "us-east-1", "orders", DELETED)
    learnt = PointsLook(answers.aws, []).look(elsewhere, "")
    assert "us-east-1" in learnt.unread["name"]
    assert answers.asked("DescribeTable") == []


CREATED = DELETED + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("table", "incarnation", "taken"),
    [
        ({"TableId": "new", "CreationDateTime": CREATED}, "old", True),
        ({"TableId": "old", "CreationDateTime": CREATED}, "old", False),
        ({"TableId": "new", "CreationDateTime": CREATED, "TableStatus": "DELETING"}, "old", False),
        ({"CreationDateTime": CREATED}, "", True),
        ({"CreationDateTime": DELETED - timedelta(days=9)}, "", False),
        ({"CreationDateTime": DELETED + timedelta(milliseconds=500)}, "", False),
        ({"TableId": "new"}, "old", False),
    ],
)
def test_whether_the_name_is_taken_again(
    answers: Answers, table: dict[str, Any], incarnation: str, taken: bool
) -> None:
    """By another table only: the lost one may still be on its way out. Without ids its age decides."""
    answers.give("DescribeTable", {"Table": {"TableName": "orders", "TableStatus": "ACTIVE", **table}})
    assert look(answers, incarnation=incarnation).taken_at == (CREATED if taken else None)


def test_the_newest_backups_of_a_vault(endpoint: EmbeddedEndpoint) -> None:
    """Those from before the end of the deletion's second, newest first, three at most."""
    net = Process(endpoint.aws(), MemoryVault())
    table = f"orders-{uuid.uuid4().hex}"
    make_table(endpoint.aws().dynamodb(), table, some_items(2))
    backups = [net.back_up(table) for _ in range(5)]
    lost = LostTable(ACCOUNT, REGION, table, backups[3].time.replace(microsecond=0))
    found = NewestInVault(net.catalog).find(lost)
    assert [one.id for one in found] == [backup.backup_id for backup in reversed(backups[1:4])]
    assert {(one.kind, one.item_count, one.size_bytes) for one in found} == {
        (PointKind.VAULT, 2, backups[0].data_bytes)
    }
    flip(net.store, f"{backups[3].folder}manifest.json", backups[3])
    assert NewestInVault(net.catalog).find(lost)[0].id == backups[2].backup_id


def test_a_vault_of_nothing_but_damage_is_not_an_empty_one(endpoint: EmbeddedEndpoint) -> None:
    """It cannot be looked at; a table without a folder has no backup."""
    net = Process(endpoint.aws(), MemoryVault())
    table = f"orders-{uuid.uuid4().hex}"
    lost = LostTable(ACCOUNT, REGION, table)
    assert NewestInVault(net.catalog).find(lost) == []
    make_table(endpoint.aws().dynamodb(), table, some_items(1))
    backup = net.back_up(table)
    flip(net.store, f"{backup.folder}manifest.json", backup)
    with pytest.raises(DamagedObjectError):
        NewestInVault(net.catalog).find(lost)

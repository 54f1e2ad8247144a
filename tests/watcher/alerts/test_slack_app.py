"""The buttons under an incident's message: what they do, for whom, and that they never harm the watcher."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recovery.testing.memory_vault import MemoryVault
from rules.drafting.draft import draft_rule
from rules.errors import SafetyNetError, UnavailableError, UsageError
from rules.rulefile import load_rules
from tests.watcher.watching import Clockwork, Parts, delete_table
from watcher.alerts.notifier_slack import SlackNotifier
from watcher.alerts.outbox import Outbox
from watcher.alerts.slack_app import SlackApp
from watcher.alerts.slack_client import posting_client
from watcher.alerts.slack_message import ACKNOWLEDGE, INTENDED, SHOW_PLAN, opened_message
from watcher.alerts.slack_press import DRAFTED, Press, Presses, press_of
from watcher.alerts.slack_text import SlackMessage, plain_text
from watcher.facts.evidence import evidence
from watcher.incidents.incident import Incident, IncidentState, NoticeKind
from watcher.testing.memory_source import MemorySource
from watcher.testing.recording_notifier import RecordingNotifier
from watcher.testing.slack import TOKEN, Fault, SlackStandIn
from watcher.testing.slack_socket import APP_TOKEN, USER_ID, SlackSocketStandIn, a_press

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from watcher.testing.slack import PostedMessage

CHANNEL = "C0ALERTS"
WHO = f"ana on Slack ({USER_ID})"
TICK = 0.05


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackSocketStandIn]:
    """A Slack that buttons can be pressed in."""
    with SlackSocketStandIn(SlackStandIn()) as standin:
        yield standin


@pytest.fixture
def alone() -> Iterator[SlackSocketStandIn]:
    """A Slack of the test's own, to which nobody is connected."""
    with SlackSocketStandIn(SlackStandIn()) as standin:
        yield standin


class Scene:
    """A table was deleted and Slack was told; the buttons are listened to by whoever a test makes."""

    def __init__(self, slack: SlackSocketStandIn) -> None:
        self.slack = slack
        self.clock = Clockwork()
        self.parts = Parts(MemoryVault(), MemorySource(), RecordingNotifier("slack"), self.clock)
        self.notifier = SlackNotifier(TOKEN, CHANNEL, slack.base_url, sleep=lambda _: None)
        self.parts.outbox = Outbox(self.parts.incidents, [self.notifier], self.clock)
        taken = self.parts.pipeline.take(delete_table("preview-7"))
        assert taken is not None
        self.parts.outbox.deliver(taken.id)
        self.id = taken.id
        self.plan: Callable[[str], str] = lambda incident_id: (
            f"recover {incident_id}:\n  table  preview-7\n  items  1,234"
        )
        self.draft: Callable[[Incident], str] = self.drafted
        self.presses = Presses(
            posting_client(TOKEN, slack.base_url, lambda _: None),
            self.parts.incidents,
            self.clock,
            draft=self._draft,
            plan=self._plan,
            deliver=self.parts.outbox.deliver,
        )

    def _draft(self, incident: Incident) -> str:
        return self.draft(incident)

    def _plan(self, incident_id: str) -> str:
        return self.plan(incident_id)

    def drafted(self, incident: Incident) -> str:
        """As the command line drafts it."""
        event, facts = evidence(incident)
        return draft_rule(event, facts, self.clock.now)

    @property
    def incident(self) -> Incident:
        """As it is stored."""
        return self.parts.incidents.get(self.id)

    @property
    def opened(self) -> dict[str, str]:
        """Where the first message is."""
        (entry,) = [one for one in self.incident.outbox if one.kind is NoticeKind.OPENED]
        return entry.reference

    @property
    def replies(self) -> list[PostedMessage]:
        """What is in the thread."""
        return self.slack.slack.replies(CHANNEL, self.opened["ts"])

    def press(self, action: str, **changes: Any) -> None:
        """Press a button under the first message, and have it handled."""
        payload = a_press(action, self.id, ts=self.opened["ts"]) | changes
        press = press_of(payload)
        assert press is not None
        self.presses.handle(press)


@pytest.fixture
def scene(slack: SlackSocketStandIn) -> Scene:
    """A table was deleted, and Slack was told."""
    slack.ephemeral.clear()
    slack.refuse_ephemeral = False
    return Scene(slack)


def shown(message: PostedMessage) -> str:
    """All that a message shows."""
    return plain_text(SlackMessage(message.text, message.blocks), width=1000)


def fenced(message: PostedMessage) -> str:
    """What stands in its blocks of code, put together."""
    texts = [
        block["text"]["text"] for block in message.blocks if "```\n" in str(block.get("text", {}).get("text"))
    ]
    plain = "\n".join(text.removeprefix("```\n").removesuffix("\n```") for text in texts)
    return plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def test_acknowledge_is_by_whoever_pressed_and_all_hear_of_it(scene: Scene) -> None:
    """State, name and id of the person, a message in the thread, and a first message that says so."""
    scene.press(ACKNOWLEDGE)
    assert scene.incident.state is IncidentState.ACKNOWLEDGED
    assert (scene.incident.timeline[-1].who, scene.incident.timeline[-1].what) == (WHO, "acknowledged")
    (reply,) = scene.replies
    assert f"{WHO} is looking at it." in shown(reply)
    scene.clock.now += timedelta(seconds=5)
    scene.parts.outbox.deliver_due()
    (opened,) = [one for one in scene.slack.slack.messages if one.ts == scene.opened["ts"]]
    assert "Acknowledged" in shown(opened)


def test_what_is_refused_is_told_to_who_pressed_alone(scene: Scene) -> None:
    """An incident that is over, and one that is not there: words and hint, in the thread, for one person."""
    scene.parts.incidents.update(
        scene.id, lambda one: one.model_copy(update={"state": IncidentState.RECOVERED})
    )
    before = scene.incident
    scene.press(ACKNOWLEDGE)
    scene.press(SHOW_PLAN)
    scene.press(
        ACKNOWLEDGE, actions=[{"action_id": ACKNOWLEDGE, "value": "../../etc/<!channel>", "action_ts": "1.1"}]
    )
    assert scene.incident == before
    assert scene.replies == []
    texts = [one["text"] for one in scene.slack.ephemeral]
    assert "is recovered already" in texts[0]
    assert "nothing to recover" in texts[1]
    assert "&lt;!channel&gt;" in texts[2]
    assert {(one["user"], one["channel"]) for one in scene.slack.ephemeral} == {(USER_ID, CHANNEL)}
    assert {one["thread_ts"] for one in scene.slack.ephemeral} == {scene.opened["ts"]}


def test_intended_drafts_a_rule_and_counts_for_nothing(scene: Scene, tmp_path: Path) -> None:
    """The rule file is in the thread as it is, and loads; the incident stays open, and who said so is noted, once."""
    scene.press(INTENDED)
    (reply,) = scene.replies
    drafted = scene.drafted(scene.incident)
    assert fenced(reply) == drafted.rstrip("\n")
    (tmp_path / "rules.yaml").write_text(fenced(reply))
    assert load_rules([tmp_path / "rules.yaml"], default_pack=False).rule_set is not None
    assert f"safetynet rules new --from {scene.id} -o FILE" in shown(reply)
    assert "It does not count yet." in shown(reply)
    assert scene.incident.state is IncidentState.OPEN
    scene.press(INTENDED)
    assert [(one.who, one.what) for one in scene.incident.timeline].count((WHO, DRAFTED)) == 1


def test_a_draft_that_cannot_be_had_is_said(scene: Scene) -> None:
    """Tampering, attempts, production: why no rule is drafted is told to who pressed, and nothing is noted."""

    def refused(incident: Incident) -> str:
        raise UsageError("no rule may silence tampering", hint="Acknowledge the incident instead.")

    before = scene.incident
    scene.draft = refused
    scene.press(INTENDED)
    assert (
        scene.slack.ephemeral[0]["text"] == "no rule may silence tampering. Acknowledge the incident instead."
    )
    assert (scene.incident, scene.replies) == (before, [])


@pytest.mark.parametrize(
    "text",
    [
        "a: |\n  ```\n  x",
        "a: \u202eb",
        "a: " + "x" * 3000,
        "\n".join(f"line{number}: {'x' * 90}" for number in range(120)),
    ],
)
def test_a_rule_is_shown_exactly_or_not_at_all(scene: Scene, text: str) -> None:
    """What would end the block of code, cannot be seen, or is too long is not shown; the command has it."""
    scene.draft = lambda _: text
    scene.press(INTENDED)
    (reply,) = scene.replies
    assert "It cannot be shown here" in shown(reply)
    assert "safetynet rules new" in shown(reply)
    assert "xxx" not in shown(reply)


def test_the_plan_is_shown_and_nothing_is_done(scene: Scene) -> None:
    """In the thread, with its columns, and with the command that does it; the incident is as it was."""
    before = scene.incident
    scene.press(SHOW_PLAN)
    (reply,) = scene.replies
    assert fenced(reply) == f"recover {scene.id}:\n  table  preview-7\n  items  1,234"
    assert f"To do it, type: safetynet recover {scene.id}" in shown(reply)
    assert "Nothing was done yet." in shown(reply)
    assert scene.incident == before


def test_a_plan_is_text_and_fits(scene: Scene) -> None:
    """However long and whatever the tables are called: Slack takes it, nothing in it is parsed, and the rest is named."""
    scene.plan = lambda _: "\n".join([f"<!channel> & ```{'€' * 200} \u202e{number}" for number in range(200)])
    scene.press(SHOW_PLAN)
    (reply,) = scene.replies
    text = json.dumps(reply.blocks, ensure_ascii=False)
    assert "<!channel>" not in text
    assert text.count("```") == 6
    assert "\u202e" not in text
    assert "There is more of it: " in shown(reply)
    scene.plan = lambda _: "x" * 50_000
    scene.press(SHOW_PLAN)
    assert len(scene.replies) == 2


@pytest.mark.parametrize(
    "message",
    [
        {"ts": "1.1", "bot_id": "B0STRANGER", "user": "U0STRANGER"},
        {"ts": "1.1"},
        {"ts": "1.1", "bot_id": "", "user": ""},
    ],
)
def test_only_under_our_own_bots_messages(scene: Scene, message: dict[str, str]) -> None:
    """Another app's button may be called as ours is."""
    before = scene.incident
    scene.press(ACKNOWLEDGE, message=message)
    assert (scene.incident, scene.slack.ephemeral) == (before, [])


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "view_submission"},
        {"actions": []},
        {"actions": [{"action_id": "other:ack", "value": "x"}]},
        {"actions": [{"action_id": ACKNOWLEDGE, "value": "x" * 401}]},
        {"user": {"id": "<@U1>"}},
        {"user": None},
        {"channel": {"id": "C1 C2"}},
        {"message": {"ts": "x"}},
        {"message": None},
    ],
)
def test_what_is_no_press_of_ours_is_let_be(changes: dict[str, Any]) -> None:
    """Other interactions, other buttons, and what is not as Slack sends it."""
    assert press_of(a_press(ACKNOWLEDGE, "x") | changes) is None


def test_a_name_is_text() -> None:
    """People choose their names; the id is theirs alone."""
    user = {"id": "U1", "username": "a\u202eb\n`*" + "x" * 200}
    press = press_of(a_press(ACKNOWLEDGE, "x") | {"user": user})
    assert press is not None
    assert press.who.startswith("a\ufffdb `*xxx")
    assert press.who.endswith("… on Slack (U1)")
    assert len(press.name) == 80


def test_in_a_thread_the_answer_goes_to_its_beginning() -> None:
    """A reply to a reply would not be seen."""
    press = press_of(
        a_press(ACKNOWLEDGE, "x") | {"message": {"ts": "2.2", "thread_ts": "1.1", "bot_id": "B"}}
    )
    assert press is not None
    assert press.thread == "1.1"


def test_every_button_of_a_message_is_known(scene: Scene) -> None:
    """What is offered is done: the ids are the same on both sides."""
    blocks = opened_message(scene.incident, buttons=True).blocks
    (actions,) = [block for block in blocks if block["type"] == "actions"]
    for element in actions["elements"]:
        payload = a_press("", "") | {"actions": [{**element, "action_ts": "1.1"}]}
        press = press_of(payload)
        assert press is not None
        assert (press.action, press.incident_id) == (element["action_id"], scene.id)


class Listener:
    """An app that keeps what is pressed."""

    def __init__(self, slack: SlackSocketStandIn, app_token: str = APP_TOKEN, pause: float = TICK) -> None:
        self.pressed: list[Press] = []
        self.go_on = threading.Event()
        self.fails: Exception | None = None
        self.arrived = threading.Condition()
        client = posting_client(TOKEN, slack.base_url, lambda _: None)
        self.app = SlackApp(app_token, client, self._handle, tick=TICK, pause=pause)

    def renewed(self) -> Listener:
        """The same app, to which nothing has happened."""
        self.pressed.clear()
        self.fails = None
        self.go_on.set()
        return self

    def _handle(self, press: Press) -> None:
        assert self.go_on.wait(30)
        with self.arrived:
            self.pressed.append(press)
            self.arrived.notify_all()
        if self.fails is not None:
            raise self.fails

    def wait(self, count: int) -> bool:
        """Wait until so many were pressed."""
        with self.arrived:
            return self.arrived.wait_for(lambda: len(self.pressed) >= count, 10)


@pytest.fixture(scope="module")
def app(slack: SlackSocketStandIn) -> Iterator[Listener]:
    """An app that listens."""
    listener = Listener(slack)
    listener.app.start()
    assert slack.wait_for(lambda: slack.connections == 1)
    yield listener
    end(slack, listener.app)


@pytest.fixture
def listened(slack: SlackSocketStandIn, app: Listener) -> Listener:
    """An app that listens, and has heard nothing yet."""
    slack.acknowledged.clear()
    return app.renewed()


def soon(holds: Callable[[], bool]) -> bool:
    """Whether it holds within some seconds."""
    pause = threading.Event()
    return any(holds() or pause.wait(TICK) for _ in range(200))


def end(slack: SlackSocketStandIn, app: SlackApp) -> None:
    """Stop an app; its connection is broken, or Slack's client waits three seconds for what may come."""
    stopping = threading.Thread(target=app.stop)
    stopping.start()
    slack.drop()
    stopping.join()
    assert slack.wait_for(lambda: slack.connections == 0)


def test_from_the_socket_to_the_incident(alone: SlackSocketStandIn) -> None:
    """The whole way: Slack's envelope, acknowledged, and the incident with it."""
    scene = Scene(alone)
    client = posting_client(TOKEN, alone.base_url, lambda _: None)
    app = SlackApp(APP_TOKEN, client, scene.presses.handle, tick=TICK)
    app.start()
    assert alone.wait_for(lambda: alone.connections == 1)
    envelope = alone.press(ACKNOWLEDGE, scene.id, ts=scene.opened["ts"])
    assert alone.wait_for(lambda: envelope in alone.acknowledged)
    assert alone.wait_for(lambda: bool(scene.replies))
    assert scene.incident.state is IncidentState.ACKNOWLEDGED
    end(alone, app)


def test_an_envelope_is_acknowledged_before_its_work_is_done(
    slack: SlackSocketStandIn, listened: Listener
) -> None:
    """A plan takes as long as AWS does, and Slack waits three seconds."""
    listened.go_on.clear()
    envelopes = [slack.press(SHOW_PLAN, f"i{number}") for number in range(6)]
    assert slack.wait_for(lambda: len(slack.acknowledged) == 6)
    assert set(slack.acknowledged) == set(envelopes)
    assert listened.pressed == []
    listened.go_on.set()
    assert listened.wait(6)


def test_what_is_told_twice_is_done_once(slack: SlackSocketStandIn, listened: Listener) -> None:
    """The same envelope, or the same press in another one; each is acknowledged, or Slack would go on."""
    slack.press(ACKNOWLEDGE, "one", envelope_id="e1")
    slack.press(ACKNOWLEDGE, "one", envelope_id="e1")
    again = a_press(ACKNOWLEDGE, "two", action_ts="1763867700.000001")["actions"]
    slack.press(ACKNOWLEDGE, "two", envelope_id="e2", actions=again)
    slack.press(ACKNOWLEDGE, "two", envelope_id="e3", actions=again)
    slack.press(ACKNOWLEDGE, "end")
    assert slack.wait_for(lambda: len(slack.acknowledged) == 5)
    assert listened.wait(3)
    assert [press.incident_id for press in listened.pressed if press.incident_id != "end"] == ["one", "two"]


def test_other_envelopes_are_acknowledged_and_let_be(slack: SlackSocketStandIn, listened: Listener) -> None:
    """Events and commands that somebody switched on for the app, and other apps' buttons."""
    slack.send({"type": "events_api", "envelope_id": "e1", "payload": {"event": {"type": "message"}}})
    slack.press("other:button", "x", envelope_id="e2")
    slack.send({"type": "interactive", "envelope_id": "e3", "payload": {"type": "shortcut"}})
    assert slack.wait_for(lambda: len(slack.acknowledged) == 3)
    slack.press(ACKNOWLEDGE, "end")
    assert listened.wait(1)
    assert [press.incident_id for press in listened.pressed] == ["end"]


@pytest.mark.parametrize("error", [UnavailableError("Slack is down"), RuntimeError("a defect")])
def test_a_press_that_fails_is_logged_and_the_next_one_counts(
    slack: SlackSocketStandIn, listened: Listener, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong, the app goes on listening."""
    listened.fails = error
    slack.press(ACKNOWLEDGE, "one")
    assert listened.wait(1)
    slack.press(ACKNOWLEDGE, "two")
    assert listened.wait(2)
    assert soon(lambda: caplog.text.count(str(error)) >= 2)


def test_a_connection_that_breaks_is_made_again(slack: SlackSocketStandIn, listened: Listener) -> None:
    """Without a word of Slack, and by its request to come anew."""
    opened = slack.opened
    slack.drop()
    assert slack.wait_for(lambda: slack.opened == opened + 1 and slack.connections == 1)
    slack.press(ACKNOWLEDGE, "one")
    assert listened.wait(1)
    slack.refresh()
    assert slack.wait_for(lambda: slack.connections == 1)
    slack.press(ACKNOWLEDGE, "two")
    assert listened.wait(2)


def test_a_slack_that_is_down_at_first_is_asked_again(
    alone: SlackSocketStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    """The app starts all the same; that the buttons are out of order is in the log."""
    listener = Listener(alone)
    alone.refuse_connections = 3
    listener.app.start()
    assert alone.wait_for(lambda: alone.connections == 1)
    assert caplog.text.count("the buttons of Slack are out of order") == 3
    end(alone, listener.app)


def test_a_wrong_token_says_what_to_do_and_stops_nothing(
    alone: SlackSocketStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    """Slack's word for it and the way out are logged; the token is not."""
    listener = Listener(alone, "xapp-secret-and-wrong", pause=30)
    listener.app.start()
    assert soon(lambda: "out of order" in caplog.text)
    listener.app.stop()
    assert "not_allowed_token_type" in caplog.text
    assert "xapp-secret" not in caplog.text


@pytest.mark.parametrize("token", ["", "xoxb-a-bot-token", "xapp-with\nnewline"])
def test_a_token_that_is_none_is_refused_at_once(slack: SlackSocketStandIn, token: str) -> None:
    """A bot's token in its place is the usual mistake."""
    with pytest.raises(UsageError) as refused:
        Listener(slack, token)
    assert "xoxb" not in str(refused.value)


def test_nothing_that_was_pressed_is_logged(
    slack: SlackSocketStandIn, listened: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    """Slack's client logs what it receives when everything is logged; not here."""
    caplog.set_level("DEBUG")
    slack.press(ACKNOWLEDGE, "one", state={"values": "a secret"})
    assert listened.wait(1)
    assert "a secret" not in caplog.text
    assert "hooks.slack.com" not in caplog.text


def test_an_answer_that_slack_refuses_is_said_where_it_can_be(scene: Scene) -> None:
    """Who pressed hears why there is no plan in the thread."""
    scene.slack.slack.fail_next(Fault.error("is_archived"), method="chat.postMessage")
    scene.press(SHOW_PLAN)
    assert "is_archived" in scene.slack.ephemeral[0]["text"]


def test_a_slack_that_takes_no_answer_at_all_is_an_error_to_log(scene: Scene) -> None:
    """It comes out to the app, which goes on."""
    scene.slack.refuse_ephemeral = True
    with pytest.raises(SafetyNetError):
        scene.press(ACKNOWLEDGE, actions=[{"action_id": ACKNOWLEDGE, "value": "none", "action_ts": "1.1"}])


def test_an_acknowledgement_stands_though_nobody_can_be_told(scene: Scene) -> None:
    """What is owed is sent later by the outbox."""
    for _ in range(5):
        scene.slack.slack.fail_next(Fault.server_error(), method="chat.postMessage")
    scene.press(ACKNOWLEDGE)
    assert scene.incident.state is IncidentState.ACKNOWLEDGED
    assert [entry.kind for entry in scene.incident.unsent] == [NoticeKind.ACKNOWLEDGED]
    assert scene.slack.ephemeral == []

"""A button that somebody pressed under an incident's message, and what comes of it.

Acknowledge          the incident is acknowledged, by whoever pressed; all who were told hear of it
This was intended    a rule is drafted and shown in the thread; it counts only once a person puts it among the rules
Show plan            what a recovery would do, in the thread; the recovery itself is confirmed in the command line

Source: 'block_actions payload' in Slack's reference of interaction payloads. What comes in is anybody's: it is checked,
and shown as text only.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rules.errors import SafetyNetError, UsageError
from watcher.alerts.slack_errors import slack_errors
from watcher.alerts.slack_message import ACKNOWLEDGE, INTENDED, SHOW_PLAN
from watcher.alerts.slack_parts import clean, code, context, cut, escaped, plain, section
from watcher.incidents.incident_life import acknowledge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from slack_sdk import WebClient

    from recovery.clock import Clock
    from watcher.alerts.slack_text import Block
    from watcher.incidents.incident import Incident
    from watcher.incidents.incident_store import IncidentStore

log = logging.getLogger(__name__)

# A section may have 3,000 characters, and all blocks together about 13,000 (``slack_message.MOST_IN_ALL``).
FENCE_LIMIT, MOST_FENCES = 2_800, 3
NAME_LIMIT, ERROR_LIMIT = 80, 1_000
DRAFTED = "said that this was intended: a rule was drafted, which does not count yet"


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _User(_Part):
    id: Annotated[str, Field(pattern=r"^[UW][A-Z0-9]{1,40}$")]
    username: str = ""
    name: str = ""


class _Channel(_Part):
    id: Annotated[str, Field(pattern=r"^[CDG][A-Z0-9]{1,40}$")]


class _Message(_Part):
    ts: Annotated[str, Field(pattern=r"^[0-9]{1,20}\.[0-9]{1,10}$")]
    thread_ts: Annotated[str, Field(pattern=r"^([0-9]{1,20}\.[0-9]{1,10})?$")] = ""
    bot_id: str = ""
    user: str = ""


class _Action(_Part):
    action_id: str
    action_ts: str = ""
    value: Annotated[str, Field(max_length=400)] = ""


class _BlockActions(_Part):
    type: Literal["block_actions"]
    user: _User
    channel: _Channel
    message: _Message
    actions: Annotated[tuple[_Action, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Press:
    """One button that one person pressed. ``key`` is the same if Slack tells of it twice, () if unknown.

    ``thread`` is the ``ts`` of the message that the thread hangs on; ``bot_id`` and ``bot_user`` are who posted it.
    """

    action: str
    incident_id: str
    user: str
    name: str
    channel: str
    thread: str
    bot_id: str
    bot_user: str
    key: tuple[str, ...]

    @property
    def who(self) -> str:
        """Who pressed it, for the timeline; the id is what nobody can choose."""
        return f"{self.name} on Slack ({self.user})"


def press_of(payload: Mapping[str, Any]) -> Press | None:
    """The press of one of our buttons; None for anything else that somebody did in Slack."""
    try:
        told = _BlockActions.model_validate(payload)
    except ValidationError as error:
        # Not what was in it: that may be anything.
        log.info("an interaction is no press of a button: %d faults", error.error_count())
        return None
    action = next((one for one in told.actions if one.action_id in BUTTONS), None)
    if action is None:
        return None
    return Press(
        action=action.action_id,
        incident_id=action.value,
        user=told.user.id,
        name=cut(clean(told.user.username or told.user.name), NAME_LIMIT) or "somebody",
        channel=told.channel.id,
        thread=told.message.thread_ts or told.message.ts,
        bot_id=told.message.bot_id,
        bot_user=told.message.user,
        key=(told.channel.id, told.user.id, action.action_id, action.action_ts) if action.action_ts else (),
    )


class Presses:
    """Does what the buttons are for.

    ``draft`` makes the text of a rule file of an incident, and ``plan`` says in words what the recovery of an incident
    would do; both raise SafetyNetError where they cannot. ``deliver`` sends what an incident owes, as ``Outbox.deliver``.
    """

    def __init__(
        self,
        client: WebClient,
        incidents: IncidentStore,
        clock: Clock,
        *,
        draft: Callable[[Incident], str],
        plan: Callable[[str], str],
        deliver: Callable[[str], object],
    ) -> None:
        self._client = client
        self._incidents = incidents
        self._clock = clock
        self._draft = draft
        self._plan = plan
        self._deliver = deliver
        self._bot: Mapping[str, Any] | None = None

    def handle(self, press: Press) -> None:
        """Do it. What is refused is told to who pressed, and to nobody else.

        Raises SlackDeniedError, SlackUnavailableError, SlackRefusedError where nothing can be told.
        """
        if not self._is_ours(press):
            log.warning("a button under a message of somebody else was pressed: %s", press.action)
            return
        log.info("incident %s: %s pressed %s", clean(press.incident_id), press.user, press.action)
        try:
            BUTTONS[press.action](self, press)
        except SafetyNetError as error:
            log.warning("incident %s: %s: %s", clean(press.incident_id), press.action, error)
            self._refuse(press, error)

    def acknowledge(self, press: Press) -> None:
        """Somebody is looking at it; the thread and the message follow from the outbox."""
        lead = acknowledge(self._incidents, press.incident_id, press.who, self._clock())
        self._deliver_now(lead)

    def draft(self, press: Press) -> None:
        """Show a rule that explains such a change, for a person to read, edit and put among the rules."""
        lead = self._incidents.lead(press.incident_id)
        text = self._draft(lead)
        command = f"safetynet rules new --from {lead.id} -o FILE"
        dismiss = f"safetynet incidents dismiss {lead.id} --reason TEXT"
        first = " (of its first change)" if lead.members else ""
        blocks = [
            section(f"{code(press.who)} says that this was intended. *A rule for the like, drafted{first}:*"),
            *_shown_exactly(text),
            section(
                f"*It does not count yet.* Write it to a file with `{escaped(command, ERROR_LIMIT)}`, edit and test it, "
                f"and put it among the rules. This incident stays open: `{escaped(dismiss, ERROR_LIMIT)}`"
            ),
            context(f"Incident {code(lead.id)}"),
        ]
        words = f"{press.who} says that this was intended; a rule was drafted, which does not count yet"
        self._post(press, words, blocks)
        self._incidents.update(lead.id, lambda latest: self._with_draft(latest, press))

    def show_plan(self, press: Press) -> None:
        """Show what a recovery would do; nothing is done."""
        lead = self._incidents.lead(press.incident_id)
        if lead.is_over:
            raise UsageError(f"incident {lead.id} is {lead.state.value}: there is nothing to recover")
        text = self._plan(lead.id)
        command = lead.recover_command or f"safetynet recover {lead.id}"
        blocks = [
            section("*What a recovery would do. Nothing was done yet.*"),
            *_shown_in_part(text, f"{command} --dry-run"),
            plain([f"To do it, type: {clean(command)}"], ERROR_LIMIT),
            context(f"Incident {code(lead.id)}", f"Asked for by {code(press.who)}"),
        ]
        self._post(press, f"What a recovery of {lead.id} would do", blocks)

    def _with_draft(self, incident: Incident, press: Press) -> Incident:
        if any((one.who, one.what) == (press.who, DRAFTED) for one in incident.timeline):
            return incident
        return incident.with_moment(self._clock(), press.who, DRAFTED)

    def _deliver_now(self, lead: Incident) -> None:
        try:
            self._deliver(lead.id)
        except SafetyNetError as error:
            log.warning("incident %s: not delivered yet: %s", lead.id, error)

    def _is_ours(self, press: Press) -> bool:
        """Whether our own bot posted the message: another app's button may be called as ours is."""
        if self._bot is None:
            with slack_errors():
                answer = self._client.auth_test().data
            self._bot = answer if isinstance(answer, dict) else {}
        pairs = ((press.bot_id, "bot_id"), (press.bot_user, "user_id"))
        return any(theirs == self._bot.get(ours) for theirs, ours in pairs)

    def _post(self, press: Press, words: str, blocks: list[Block]) -> None:
        with slack_errors():
            self._client.chat_postMessage(
                channel=press.channel,
                thread_ts=press.thread,
                text=escaped(clean(words), ERROR_LIMIT),
                blocks=blocks,
                parse="none",
                link_names=False,
                unfurl_links=False,
                unfurl_media=False,
            )

    def _refuse(self, press: Press, error: SafetyNetError) -> None:
        words = clean(f"{error}. {error.hint}" if error.hint else str(error))
        with slack_errors():
            self._client.chat_postEphemeral(
                channel=press.channel,
                user=press.user,
                thread_ts=press.thread,
                text=escaped(words, ERROR_LIMIT),
                blocks=[plain([words], ERROR_LIMIT)],
            )


BUTTONS: dict[str, Callable[[Presses, Press], None]] = {
    ACKNOWLEDGE: Presses.acknowledge,
    INTENDED: Presses.draft,
    SHOW_PLAN: Presses.show_plan,
}


def _shown_exactly(text: str) -> list[Block]:
    """A file's text, exactly or not at all: what was altered must not be used."""
    lines = text.rstrip("\n").split("\n")
    fences = list(_fences(lines))
    altered = any(_visible(line) != line or _units(line) > FENCE_LIMIT for line in lines) or "```" in text
    if altered or len(fences) > MOST_FENCES:
        return [section("It cannot be shown here: see it with the command below, without `-o FILE`.")]
    return [_fence(lines) for lines in fences]


def _shown_in_part(text: str, whole: str) -> list[Block]:
    """Text for people, as much of it as there is room for, and what shows all of it."""
    lines = [_cut(_visible(line)).replace("```", "'''") for line in text.strip("\n").split("\n")]
    fences = list(_fences(lines))
    blocks = [_fence(lines) for lines in fences[:MOST_FENCES]]
    if len(fences) > MOST_FENCES:
        blocks.append(plain([f"There is more of it: {clean(whole)}"], ERROR_LIMIT))
    return blocks


def _cut(line: str) -> str:
    return line if _units(line) <= FENCE_LIMIT else cut(line)


def _visible(line: str) -> str:
    """The line with its spaces as they are, and with what cannot be seen shown."""
    return " ".join(clean(piece) for piece in line.split(" "))


def _fences(lines: Iterable[str]) -> Iterable[list[str]]:
    """The lines in pieces that fit a section."""
    piece: list[str] = []
    room = FENCE_LIMIT
    for line in lines:
        size = _units(line) + 1
        if piece and size > room:
            yield piece
            piece, room = [], FENCE_LIMIT
        piece.append(line)
        room -= size
    yield piece


def _fence(lines: Iterable[str]) -> Block:
    text = "\n".join(lines)
    return section(f"```\n{escaped(text, 2 * FENCE_LIMIT)}\n```")


def _units(line: str) -> int:
    """Its length as Slack counts it: escaped, in UTF-16 units."""
    return len(escaped(line, 10 * len(line) + 1).encode("utf-16-le", "replace")) // 2

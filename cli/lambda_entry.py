"""The watcher as a Lambda function: the same core as ``safetynet watch``, called by the queue and by the clock.

Settings come from ``SAFETYNET_*`` variables, over a ``safetynet.yaml`` in the package if there is one. Secrets are
in neither: ``SAFETYNET_SECRET_ARN`` names a Secrets Manager secret or an SSM parameter, which is read here. Objects
are made once for a container, and anew after a while: a token that was rotated is known then.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from cli.composition import build
from cli.logs import set_up_logs
from cli.watching import without_source
from recovery.clock import utc_now
from rules.errors import SafetyNetError, UsageError
from watcher.sources.lambda_events import LambdaEvents
from watcher.stored_secret import read_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cli.composition import Net
    from recovery.clock import Clock
    from watcher.incidents.incident import Incident

log = logging.getLogger(__name__)

SECRET_ARN = "SAFETYNET_SECRET_ARN"  # noqa: S105 - the name of a variable
SLACK_TOKEN = "SAFETYNET_SLACK__TOKEN"  # noqa: S105 - the name of a variable
KEPT_FOR = timedelta(minutes=15)
SCHEDULED = "Scheduled Event"

_VARIABLES = TypeAdapter(dict[Annotated[str, Field(pattern=r"^SAFETYNET_[A-Z0-9_]+$")], str])


@dataclass(frozen=True, slots=True)
class Watching:
    """One watcher. ``upkeep`` is what is to be done every minute: deliver what is owed, and the rest."""

    events: LambdaEvents
    upkeep: Callable[[], object]

    def handle(self, event: Mapping[str, Any]) -> dict[str, Any] | None:
        """Work on what Lambda hands over: messages of the queue, a tick of the clock, or one event of EventBridge.

        Returns the answer to an event source mapping. Raises what makes Lambda count an error and try again.
        """
        if "Records" in event:
            return self.events.handle_sqs(event)
        if event.get("detail-type") == SCHEDULED:
            self.upkeep()
        else:
            self.events.handle_event(event)
        return None


class Container:
    """Keeps a watcher between calls, for ``KEPT_FOR``."""

    def __init__(self, make: Callable[[], Watching], clock: Clock) -> None:
        self._make = make
        self._clock = clock
        self._kept: tuple[datetime, Watching] | None = None

    def watching(self) -> Watching:
        """The watcher. Raises as its making does; but one that there is goes on where no new one can be made."""
        now = self._clock()
        if self._kept is not None and now - self._kept[0] < KEPT_FOR:
            return self._kept[1]
        try:
            made = self._make()
        except SafetyNetError as error:
            log.error("the watcher cannot be set up: %s. %s", error, error.hint)  # noqa: TRY400 - no traceback
            if self._kept is None:
                raise
            made = self._kept[1]
        self._kept = (now, made)
        return made


def watching_from(environment: Mapping[str, str]) -> Watching:
    """The watcher that the variables ask for.

    Raises UsageError, FileFaultsError, AccessDeniedError, NotFoundError, UnavailableError.
    """
    arn = environment.get(SECRET_ARN, "")
    if arn:
        # Settings are read from the environment; this one is the process's own and shown nowhere.
        os.environ.update(secret_variables(read_secret(build(None).aws, arn), arn))
    return watching_of(build(None))


def watching_of(net: Net) -> Watching:
    """The watcher of a net. Raises UsageError where nobody would be alerted, FileFaultsError for bad rules."""
    if not net.outbox.names:
        raise UsageError(
            "no way to alert anybody is set: the watcher would be silent",
            hint="Set the parameters SlackChannel and SecretArn of the stack (docs/deployment.md).",
        )
    watcher = without_source(net)

    def deliver(incident: Incident) -> None:
        watcher.stored(incident)
        net.outbox.deliver(incident.id)

    def upkeep() -> None:
        net.outbox.deliver_all()
        watcher.upkeep()

    return Watching(LambdaEvents(watcher.pipeline, deliver, received=watcher.received), upkeep)


def secret_variables(text: str, arn: str) -> dict[str, str]:
    """The settings that a secret holds: the Slack token alone, or a JSON object of ``SAFETYNET_`` variables.

    Raises UsageError, which names the secret and never quotes it.
    """
    if not text.lstrip().startswith("{"):
        token = text.strip()
        if not token or any(letter.isspace() for letter in token):
            raise UsageError(f"the secret {arn} is neither a token nor a JSON object")
        return {SLACK_TOKEN: token}
    try:
        return _VARIABLES.validate_json(text)
    except ValidationError:
        raise UsageError(
            f"the secret {arn} is no JSON object of SAFETYNET_ variables and texts",
            hint='For example {"SAFETYNET_SLACK__TOKEN": "xoxb-..."}.',
        ) from None


_container = Container(lambda: watching_from(os.environ), utc_now)


def handler(event: dict[str, Any], context: object) -> dict[str, Any] | None:
    """What Lambda calls. See Watching.handle."""
    del context
    set_up_logs(as_json=True)
    return _container.watching().handle(event)

"""``alerts:``, the settings of who is told what: notifiers by name, routes, escalation, digests.

Light to import, for every command reads the settings. docs/alerts.md explains them, with a whole example.
"""

from __future__ import annotations

import re
from datetime import timedelta
from fnmatch import translate
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from rules.verdicts import Severity, VerdictKind
from rules.windows import parse_duration
from watcher.alerts.addresses import check_headers, checked_url, topic_region

SLACK = "slack"
_LONGEST = timedelta(days=7)
_SHORTEST_REPEAT = timedelta(minutes=1)
# Lower case, so that SAFETYNET_ALERTS__NOTIFIERS__<NAME>__... reaches it; the name is in keys of the outbox.
_NAME = r"^[a-z][a-z0-9_-]{0,39}$"


def _duration(value: object) -> timedelta:
    """``10m``, ``2h``: more than nothing, and at most seven days."""
    span = value if isinstance(value, timedelta) else parse_duration(str(value))
    if not timedelta() < span <= _LONGEST:
        raise ValueError("more than nothing, and at most 7d")
    return span


def _checked_url(url: SecretStr) -> SecretStr:
    return SecretStr(checked_url(url.get_secret_value()))


def _checked_topic(arn: str) -> str:
    topic_region(arn)
    return arn


def _filled(secret: SecretStr) -> SecretStr:
    if re.fullmatch(r"[!-~]+", secret.get_secret_value().strip()) is None:
        raise ValueError("it is empty or has characters that no key has")
    return SecretStr(secret.get_secret_value().strip())


def _pattern(pattern: str) -> str:
    """A shell pattern: ``shop-*``."""
    if not pattern:
        raise ValueError("an empty pattern matches nothing")
    re.compile(translate(pattern))
    return pattern


NotifierName = Annotated[str, Field(pattern=_NAME)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
SecretUrl = Annotated[SecretStr, AfterValidator(_checked_url)]
SecretKey = Annotated[SecretStr, AfterValidator(_filled)]
Pattern = Annotated[str, AfterValidator(_pattern)]
# A list may be written as its only element.
Patterns = Annotated[tuple[Pattern, ...], BeforeValidator(lambda one: [one] if isinstance(one, str) else one)]


class _Settings(BaseModel):
    # What is refused is not shown: it may be a secret.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class SlackNotifierSettings(_Settings):
    """A Slack channel, by a bot. ``token`` is a bot token (``xoxb-``) with chat:write and channels:history.

    ``app_token``: an app-level token (``xapp-``); with it the messages have buttons, which the watcher answers.
    """

    type: Literal["slack"]
    token: SecretKey
    app_token: SecretKey | None = None
    channel: Annotated[str, Field(min_length=1)]
    api_url: Annotated[str, AfterValidator(checked_url)] = "https://slack.com/api/"


class SlackWebhookSettings(_Settings):
    """A Slack channel, by an incoming webhook: no threads and no updates, and an alert may come twice."""

    type: Literal["slack-webhook"]
    url: SecretUrl


class SnsSettings(_Settings):
    """An SNS topic. ``short``: the first lines only, as SMS needs it."""

    type: Literal["sns"]
    topic_arn: Annotated[str, AfterValidator(_checked_topic)]
    short: bool = False


class WebhookSettings(_Settings):
    """An address that JSON is posted to. ``secret`` signs what is posted; ``headers`` are sent along."""

    type: Literal["webhook"]
    url: SecretUrl
    secret: SecretKey | None = None
    headers: dict[str, SecretStr] = {}

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        check_headers({name: value.get_secret_value() for name, value in headers.items()})
        return headers


class PagerDutySettings(_Settings):
    """A PagerDuty service. ``routing_key`` is the key of its 'Events API V2' integration."""

    type: Literal["pagerduty"]
    routing_key: SecretKey
    api_url: Annotated[str, AfterValidator(checked_url)] = "https://events.pagerduty.com"


NotifierSettings = Annotated[
    SlackNotifierSettings | SlackWebhookSettings | SnsSettings | WebhookSettings | PagerDutySettings,
    Field(discriminator="type"),
]


class MatchSettings(_Settings):
    """What a route asks for: all that is given must hold; of the patterns in a list one is enough."""

    tables: Patterns = ()
    stacks: Patterns = ()
    tags: dict[str, Patterns] = {}
    environments: Patterns = ()
    accounts: Patterns = ()
    regions: Patterns = ()
    severity: Severity | None = None
    verdicts: tuple[VerdictKind, ...] = ()


class RouteSettings(_Settings):
    """One route: what it is for, and who is told. ``continue: true`` lets later routes tell theirs as well."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    match: MatchSettings = MatchSettings()
    notifiers: Annotated[tuple[NotifierName, ...], Field(min_length=1)]
    goes_on: Annotated[bool, Field(alias="continue")] = False


class StepSettings(_Settings):
    """Who is told when nobody has acknowledged an alert ``after`` so long, and again every ``repeat``."""

    after: Duration
    notifiers: Annotated[tuple[NotifierName, ...], Field(min_length=1)]
    repeat: Duration | None = None

    @field_validator("repeat")
    @classmethod
    def _seldom(cls, repeat: timedelta | None) -> timedelta | None:
        if repeat is not None and repeat < _SHORTEST_REPEAT:
            raise ValueError("at least 1m")
        return repeat


class EscalationSettings(_Settings):
    """``alerts.escalation:``. For incidents of ``severity`` and worse.

    ``when_failing``: a notifier that could not be reached for so long counts as down, and the next one is told.
    """

    severity: Severity = Severity.HIGH
    when_failing: Duration = timedelta(minutes=5)
    steps: tuple[StepSettings, ...] = ()

    @field_validator("steps")
    @classmethod
    def _in_order(cls, steps: tuple[StepSettings, ...]) -> tuple[StepSettings, ...]:
        if any(later.after <= earlier.after for earlier, later in pairwise(steps)):
            raise ValueError("each step comes later than the one before it: `after` must rise")
        return steps


class DigestSettings(_Settings):
    """``alerts.digest:``. More than so many alerts within ``window`` are told as one message."""

    window: Duration = timedelta(minutes=5)
    more_than: Annotated[int, Field(ge=1, le=1000)] = 10


class AlertSettings(_Settings):
    """``alerts:``. ``default`` is who is told where no route says otherwise: everybody, if it is left out."""

    notifiers: dict[NotifierName, NotifierSettings] = {}
    default: tuple[NotifierName, ...] = ()
    routes: tuple[RouteSettings, ...] = ()
    environment_tags: tuple[str, ...] = ("environment", "env", "stage")
    escalation: EscalationSettings = EscalationSettings()
    digest: DigestSettings = DigestSettings()

    @property
    def default_names(self) -> tuple[str, ...]:
        """Who is told where no route says otherwise."""
        return self.default or tuple(self.notifiers)

    @model_validator(mode="after")
    def _names_exist(self) -> AlertSettings:
        named = [("default", self.default)]
        named += [(f"route {route.name!r}", route.notifiers) for route in self.routes]
        named += [
            (f"escalation step {number}", step.notifiers)
            for number, step in enumerate(self.escalation.steps, start=1)
        ]
        for where, names in named:
            for name in names:
                # ``slack:`` at the top of the settings is a notifier of that name, too.
                if name not in self.notifiers and name != SLACK:
                    known = ", ".join(self.notifiers) or "none"
                    raise ValueError(
                        f"{where} names the notifier {name!r}, which is not set (there are: {known})"
                    )
        twice = sorted({route.name for route in self.routes if self._routes_named(route.name) > 1})
        if twice:
            raise ValueError(f"two routes have the name {twice[0]!r}")
        return self

    def _routes_named(self, name: str) -> int:
        return sum(route.name == name for route in self.routes)

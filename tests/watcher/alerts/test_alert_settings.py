"""The alert settings say at once what cannot work, never show a secret, and docs/alerts.md is true about them."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from rules.verdicts import Severity, VerdictKind
from rules.yaml_source import load_yaml
from tests.watcher.alerting import a_notice, an_incident
from watcher.alerts.alert_settings import (
    AlertSettings,
    MatchSettings,
    NotifierSettings,
    PagerDutySettings,
    SlackNotifierSettings,
    SlackWebhookSettings,
    SnsSettings,
    WebhookSettings,
)
from watcher.alerts.escalation import Step, policy_of
from watcher.alerts.notifier_pagerduty import event_action
from watcher.alerts.notifier_webhook import WebhookMessage, signature_of, webhook_message
from watcher.alerts.routing import router_of, routes_of
from watcher.incidents.incident import NoticeKind, Subject

PAGE = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text(encoding="utf-8")
KINDS = (SlackNotifierSettings, SlackWebhookSettings, SnsSettings, WebhookSettings, PagerDutySettings)


def block(what: str) -> str:
    """A code block of the page, by the comment above it."""
    found = re.search(rf"<!-- tested: {what} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None, what
    return found[1]


EXAMPLE: dict[str, Any] = load_yaml(block("the example"), "docs/alerts.md").plain["alerts"]


def changed(**changes: Any) -> dict[str, Any]:
    """The example with other values at its top."""
    return {**deepcopy(EXAMPLE), **changes}


def refusal(document: dict[str, Any]) -> str:
    """What is said about settings that cannot work."""
    with pytest.raises(ValidationError) as error:
        AlertSettings.model_validate(document)
    return str(error.value)


def test_the_example_loads() -> None:
    """Every kind of notifier, every key of a match, steps and digest are in it, and it is valid."""
    settings = AlertSettings.model_validate(EXAMPLE)
    assert {type(one) for one in settings.notifiers.values()} == set(KINDS)
    used = {key for route in EXAMPLE["routes"] for key in route.get("match", {})}
    assert used == set(MatchSettings.model_fields)
    assert settings.digest.window == timedelta(minutes=5)
    assert [route.goes_on for route in settings.routes] == [True, False, False, False]


def test_the_example_routes_as_the_page_says() -> None:
    """Everything becomes a ticket; the money tables go to their channel, what is unknown to the default as well."""
    router = router_of(AlertSettings.model_validate(EXAMPLE))
    ledger = Subject(type="table", name="ledger-2026", tags={"team": "money"})
    assert router(an_incident(subject=ledger)).notifiers == ("tickets", "money-channel")
    play = Subject(type="table", name="x", tags={"Stage": "Sandbox-7"})
    assert router(an_incident(subject=play)).notifiers == ("tickets", "slack")
    stack = Subject(type="stack", name="shop-prod")
    assert router(an_incident(subject=stack)).notifiers == ("tickets", "slack", "oncall")


def test_routes_and_policy_are_what_the_settings_say() -> None:
    """Nothing is lost on the way to where they are used."""
    settings = AlertSettings.model_validate(EXAMPLE)
    last = routes_of(settings)[-1]
    assert last.name == "what hurts"
    assert (last.severity, last.verdicts) == (
        Severity.HIGH,
        (VerdictKind.ACCIDENTAL, VerdictKind.SUSPICIOUS),
    )
    assert (last.accounts, last.regions, last.stacks) == (("123456789012",), ("eu-*",), ("shop-*",))
    assert routes_of(settings)[1].tags == {"team": ("money",)}
    policy = policy_of(settings)
    assert policy.steps == (
        Step(timedelta(minutes=10), ("oncall",), timedelta(minutes=30)),
        Step(timedelta(minutes=45), ("sms",)),
    )
    assert policy.order == ("oncall", "sms", "slack", "money-channel", "mail", "tickets")
    assert (policy.severity, policy.when_failing) == (Severity.HIGH, timedelta(minutes=5))


def test_without_a_default_everybody_is_told() -> None:
    """Leaving it out does not mean nobody."""
    document = changed()
    del document["default"]
    assert AlertSettings.model_validate(document).default_names == tuple(EXAMPLE["notifiers"])


def test_nothing_set_is_valid() -> None:
    """Then nobody can be told, which whoever starts a watcher says."""
    assert AlertSettings().default_names == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"default": ["slak"]}, r"default names the notifier 'slak', which is not set \(there are: slack, "),
        ({"routes": [{"name": "r", "notifiers": ["nobody"]}]}, "route 'r' names the notifier 'nobody'"),
        ({"routes": [{"name": "r", "notifiers": []}]}, "at least 1 item"),
        ({"routes": [{"name": "r", "notifiers": ["mail"]}] * 2}, "two routes have the name 'r'"),
        ({"routes": [{"name": "r", "notifiers": ["mail"], "match": {"table": "x"}}]}, "Extra inputs"),
        ({"routes": [{"name": "r", "notifiers": ["mail"], "match": {"severity": "bad"}}]}, "'critical'"),
        ({"routes": [{"name": "r", "notifiers": ["mail"], "match": {"tables": [""]}}]}, "empty pattern"),
        ({"escalation": {"steps": [{"after": "10m", "notifiers": ["nobody"]}]}}, "escalation step 1 names"),
        (
            {
                "escalation": {
                    "steps": [{"after": "10m", "notifiers": ["sms"]}, {"after": "5m", "notifiers": ["mail"]}]
                }
            },
            "`after` must rise",
        ),
        ({"escalation": {"steps": [{"after": "soon", "notifiers": ["sms"]}]}}, "write 30m, 2h or 1d"),
        ({"escalation": {"when_failing": timedelta()}}, "more than nothing"),
        ({"escalation": {"steps": [{"after": "8d", "notifiers": ["sms"]}]}}, "at most 7d"),
        ({"digest": {"more_than": 0}}, "greater than or equal to 1"),
        ({"notifiers": {"Slack": {"type": "slack"}}}, "should match pattern"),
        ({"notifiers": {"x": {"type": "carrier-pigeon"}}}, "'slack', 'slack-webhook', 'sns', 'webhook'"),
        ({"notifiers": {"x": {"type": "slack", "token": "t", "channel": ""}}}, "at least 1 character"),
        ({"notifiers": {"x": {"type": "sns", "topic_arn": "alerts"}}}, "not the ARN of an SNS topic"),
        (
            {"notifiers": {"x": {"type": "pagerduty", "routing_key": "k", "api_url": "http://x"}}},
            "in the clear",
        ),
    ],
)
def test_what_cannot_work_is_told_at_once(changes: dict[str, Any], said: str) -> None:
    """With the name or the value that is wrong, and what would be right."""
    assert re.search(said, refusal(changed(**changes)))


SECRETS: list[dict[str, Any]] = [
    {"type": "slack", "token": "key-of-mine with spaces", "channel": "C0"},
    {"type": "slack", "token": "key-of-mine", "channel": "C0", "chanel": "x"},
    {"type": "slack-webhook", "url": "http://hooks.example.com/key-of-mine"},
    {"type": "webhook", "url": "https://user:key-of-mine@example.com/"},
    {"type": "webhook", "url": "https://example.com/", "secret": "key-of-mine\n2"},
    {"type": "webhook", "url": "https://example.com/", "headers": {"Host": "key-of-mine"}},
    {"type": "webhook", "url": "https://example.com/", "headers": {"X": "key-of-mine\n"}},
    {"type": "pagerduty", "routing_key": "key-of-mine ä"},
    {"type": "pagerduty", "routing-key": "key-of-mine"},
]


@pytest.mark.parametrize("notifier", SECRETS)
def test_what_is_refused_is_not_shown(notifier: dict[str, Any]) -> None:
    """Keys and addresses with a fault in them are secrets all the same."""
    assert "key-of-mine" not in refusal({"notifiers": {"x": notifier}})


def test_valid_secrets_are_not_shown() -> None:
    """Neither by printing the settings nor by dumping them."""
    settings = AlertSettings.model_validate(EXAMPLE)
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert "put-it-into-a-variable" not in text
        assert "0123456789abcdef" not in text


class _Settings(BaseSettings):
    """As the command line reads its settings: variables win over the file."""

    model_config = SettingsConfigDict(env_prefix="SAFETYNET_", env_nested_delimiter="__", extra="forbid")

    alerts: AlertSettings = AlertSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables first."""
        return env_settings, init_settings


def test_a_secret_can_come_from_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file names the notifier, the variable gives its key."""
    monkeypatch.setenv("SAFETYNET_ALERTS__NOTIFIERS__ONCALL__ROUTING_KEY", "from-the-variable")
    document = {"notifiers": {"oncall": {"type": "pagerduty"}}}
    oncall = _Settings(alerts=document).alerts.notifiers["oncall"]
    assert isinstance(oncall, PagerDutySettings)
    assert oncall.routing_key.get_secret_value() == "from-the-variable"


def settings_of(model: type[BaseModel], prefix: str) -> list[str]:
    """The settings that are no models themselves."""
    names: list[str] = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            names += settings_of(inner, f"{prefix}{name}.")
        else:
            names.append(prefix + name)
    return names


def test_every_setting_is_on_the_page() -> None:
    """In its tables: of `alerts`, of each kind of notifier, of a match."""
    names = settings_of(AlertSettings, "alerts.") + [name for kind in KINDS for name in kind.model_fields]
    names += list(MatchSettings.model_fields)
    assert [name for name in names if f"`{name}`" not in PAGE] == []
    types = [str(kind.model_fields["type"].annotation) for kind in KINDS]
    assert [one for one in types if f"| `{one.split(chr(39))[1]}` |" not in PAGE] == []
    assert len(KINDS) == str(NotifierSettings).count("Settings")


def test_the_message_on_the_page_is_one() -> None:
    """Its fields are those that are posted, with values of their types."""
    shown = json.loads(block("the message"))
    WebhookMessage.model_validate(shown)
    posted = webhook_message(a_notice(key="tickets:opened")).model_dump(mode="json")
    assert {name: value for name, value in posted.items() if name != "text"} == {
        name: value for name, value in shown.items() if name != "text"
    }
    assert posted["text"].startswith(shown["text"].removesuffix("..."))
    assert [name for name in posted if f"`{name}`" not in PAGE and name != "version"] == []


def test_the_recipe_on_the_page_verifies_what_is_sent() -> None:
    """It takes our signature, and refuses another body, another secret, and an old message."""
    recipe: dict[str, Any] = {}
    exec(block("the recipe"), recipe)
    body = b'{"version": 1}'
    headers = {
        "X-Safetynet-Timestamp": "1790000000",
        "X-Safetynet-Signature": signature_of("secret", "1790000000", body),
    }
    is_ours = recipe["is_ours"]
    assert is_ours("secret", headers, body, now=1790000010.0)
    assert not is_ours("secret", headers, body + b" ", now=1790000010.0)
    assert not is_ours("other", headers, body, now=1790000010.0)
    assert not is_ours("secret", headers, body, now=1790000400.0)


def test_the_page_knows_what_pagerduty_does() -> None:
    """Each kind of message stands in the row of its action."""
    rows = dict(
        re.findall(r"^\| (`[a-z`, -]+`) \| (trigger|acknowledge|resolve|nothing) \|$", PAGE, re.MULTILINE)
    )
    told = {kind: action for kinds, action in rows.items() for kind in re.findall(r"`([a-z-]+)`", kinds)}
    assert told == {kind.value: event_action(a_notice(kind))[0] or "nothing" for kind in NoticeKind}

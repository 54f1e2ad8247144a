"""``watch:`` in the settings: what is set is checked, and the secret stays one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from watcher.watch_settings import WatchSettings

WHOLE: dict[str, Any] = {
    "id": "eu-1",
    "canary": {"every": "10m", "path": "bus", "bus": "ops"},
    "dead_man": {"url": "https://hc-ping.com/5f1a7e40"},
    "metrics": {"enabled": True, "namespace": "Ops/safetynet"},
    "probes": {
        "regions": ["eu-west-1", "us-gov-west-1"],
        "every": 30,
        "down_after": 5,
        "up_after": 2,
        "item": {"table": "canaries", "key": {"id": "canary", "no": 7}},
        "independent_region": "eu-central-1",
        "independent_url": "https://example.com/",
        "recover_to": "eu-central-1",
    },
    "backup_hours": 50,
}


def test_all_that_can_be_set() -> None:
    """With durations as people write them, and numbers that stay numbers."""
    settings = WatchSettings(**WHOLE)
    assert settings.canary.every == timedelta(minutes=10)
    assert settings.probes.every == timedelta(seconds=30)
    assert settings.probes.item is not None
    assert settings.probes.item.key == {"id": "canary", "no": 7}
    assert settings.dead_man.url is not None
    assert settings.dead_man.url.get_secret_value() == "https://hc-ping.com/5f1a7e40"
    assert "5f1a7e40" not in f"{settings!r}{settings.model_dump_json()}"


def test_what_holds_when_nothing_is_set() -> None:
    """A canary every five minutes by the queue; no switch, no metrics, no probes."""
    settings = WatchSettings()
    assert (settings.canary.enabled, settings.canary.every) == (True, timedelta(minutes=5))
    assert (settings.dead_man.url, settings.metrics.enabled, settings.probes.regions) == (None, False, ())


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "../x"},
        {"canary": {"every": "10s"}},
        {"canary": {"every": 5}},
        {"canary": {"every": "2h"}},
        {"canary": {"path": "pigeon"}},
        {"dead_man": {"url": "http://hc-ping.com/5f1a7e40"}},
        {"metrics": {"namespace": "what? this"}},
        {"probes": {"regions": ["Ireland"]}},
        {"probes": {"down_after": 1}},
        {"probes": {"item": {"table": "x y", "key": {"id": "1"}}}},
        {"probes": {"item": {"table": "canaries", "key": {}}}},
        {"probes": {"regions": ["eu-west-1"], "independent_region": "eu-west-1"}},
        {"probes": {"independent_url": "ftp://example.com"}},
        {"unheard": "of"},
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    """Now, and not at the first outage; and no refusal shows the secret."""
    with pytest.raises(ValidationError) as caught:
        WatchSettings(**wrong)
    assert all("5f1a7e40" not in str(fault["msg"]) for fault in caught.value.errors())

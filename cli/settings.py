"""Settings: ``safetynet.yaml``, overridden by ``SAFETYNET_*`` variables, read once in the composition root."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from recovery.backups.backup import SHRINK_PERCENT
from recovery.backups.compression import Compression
from recovery.backups.engine import EngineName
from recovery.intents import LONGEST
from recovery.schedule_settings import ScheduleSettings
from recovery.staging_settings import StagingSettings
from rules.errors import UsageError
from rules.net import ANY_NET
from rules.windows import parse_duration
from rules.yaml_source import Fault, FileFaultsError, YamlSource, load_yaml
from watcher.alerts.alert_settings import SLACK, AlertSettings, SlackNotifierSettings
from watcher.alerts.notifier import TAKEOVER_SECONDS
from watcher.watch_settings import WatchSettings

DEFAULT_FILE = Path("safetynet.yaml")
_LONGEST_EVER = timedelta(days=90)
_BOUNDS = "more than nothing, and at most 90d"


class SlackSettings(BaseModel):
    """``slack:``. The token is a bot token (``xoxb-``) with chat:write and channels:history.

    ``app_token`` is an app-level token (``xapp-``) for the buttons.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: SecretStr | None = None
    app_token: SecretStr | None = None
    channel: str = ""
    api_url: str = "https://slack.com/api/"


class ObjectLockSettings(BaseModel):
    """``backup.object_lock:``. Nobody can delete a backup for so many days; the bucket must have Object Lock on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["GOVERNANCE", "COMPLIANCE"]
    days: Annotated[int, Field(ge=1, le=36500)]


class ReplicaSettings(BaseModel):
    """``backup.replica:``. A second vault, in another region or account; reached by a profile of its own if need be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vault: str
    region: str = ""
    profile: str = ""


class BackupSettings(BaseModel):
    """``backup:``. ``tables`` are shell patterns of what the nightly run backs up; the rest is how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tables: tuple[str, ...] = ()
    engine: EngineName = EngineName.AUTO
    incremental: bool = False
    parallel: Annotated[int, Field(ge=1, le=32)] = 4
    segments: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    consistent_reads: bool = True
    read_percent: Annotated[float, Field(gt=0, le=100)] | None = None
    max_rcu: Annotated[float, Field(gt=0)] | None = None
    compression: Compression = Compression.GZIP
    shrink_percent: Annotated[float, Field(ge=0, le=100)] = SHRINK_PERCENT
    kms_key: str = ""
    storage_class: str = ""
    object_lock: ObjectLockSettings | None = None
    replica: ReplicaSettings | None = None


class RecoverSettings(BaseModel):
    """``recover:``. How tables are brought back.

    ``write_units``: a provisioned table takes so many write units at least while it is loaded. ``warm``: an on-demand
    table is created warm, which costs money. ``bulk_write_units`` and ``bulk_tier`` are StartBulkPutItems'
    MaxWriteRequestUnits and PerformanceTier. ``aws_backup_role``: the role with which AWS Backup restores.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    parallel: Annotated[int, Field(ge=1, le=32)] = 4
    write_units: Annotated[int, Field(ge=1)] | None = None
    warm: bool = False
    bulk_write_units: Annotated[int, Field(ge=1024)] | None = None
    bulk_tier: Literal["", "STANDARD", "ACCELERATED"] = ""
    aws_backup_role: str = ""


def _span(value: object) -> timedelta:
    """``7d``, ``12h``, ``30m``; a bare number is hours."""
    try:
        span = timedelta(hours=float(str(value)))
    except OverflowError as error:
        raise ValueError(_BOUNDS) from error
    except ValueError:
        span = value if isinstance(value, timedelta) else parse_duration(str(value))
    if not timedelta() < span <= _LONGEST_EVER:
        raise ValueError(_BOUNDS)
    return span


class IntentSettings(BaseModel):
    """``intents:``. How long an intent may last at most, from its declaration to its end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    longest: Annotated[timedelta, BeforeValidator(_span)] = LONGEST


class NetSettings(BaseModel):
    """``net:``. Which keys, trails and so on belong to this net, as shell patterns of names or ARNs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: tuple[str, ...] = ANY_NET.keys
    trails: tuple[str, ...] = ANY_NET.trails
    event_rules: tuple[str, ...] = ANY_NET.event_rules
    queues: tuple[str, ...] = ANY_NET.queues
    functions: tuple[str, ...] = ANY_NET.functions
    backup_vaults: tuple[str, ...] = ANY_NET.backup_vaults


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix="SAFETYNET_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    vault: str = ""
    queue_url: str = ""
    slack: SlackSettings = SlackSettings()
    rules: tuple[Path, ...] = ()
    default_rules: bool = True
    backup: BackupSettings = BackupSettings()
    recover: RecoverSettings = RecoverSettings()
    staging: StagingSettings | None = None
    schedule: ScheduleSettings = ScheduleSettings()
    intents: IntentSettings = IntentSettings()
    net: NetSettings = NetSettings()
    alerts: AlertSettings = AlertSettings()
    watch: WatchSettings = WatchSettings()
    takeover_seconds: Annotated[int, Field(ge=0)] = TAKEOVER_SECONDS

    @property
    def notified(self) -> AlertSettings:
        """``alerts:``, with ``slack:`` as the notifier of that name. Raises UsageError for one that is named and not set."""
        alerts, slack = self.alerts, self.slack
        if slack.token is not None and SLACK not in alerts.notifiers:
            if not slack.channel:
                raise UsageError("a Slack token is set, but no channel", hint="Set slack.channel.")
            try:
                bot = SlackNotifierSettings(
                    type="slack",
                    token=slack.token,
                    app_token=slack.app_token,
                    channel=slack.channel,
                    api_url=slack.api_url,
                )
            except ValidationError as error:
                first = error.errors(include_input=False)[0]
                place = ".".join(str(part) for part in first["loc"])
                raise UsageError(f"slack.{place}: {first['msg']}") from None
            return alerts.model_copy(update={"notifiers": {SLACK: bot, **alerts.notifiers}})
        named = [*alerts.default, *(name for route in alerts.routes for name in route.notifiers)]
        named += [name for step in alerts.escalation.steps for name in step.notifiers]
        if SLACK in named and SLACK not in alerts.notifiers:
            raise UsageError("alerts name slack, which is not set", hint="Set slack.token and slack.channel.")
        return alerts

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables win over the file, whose content comes in as keyword arguments."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def load_settings(config: Path | None) -> Settings:
    """The settings from a file (None: ``safetynet.yaml`` if it is there) and the environment.

    Raises FileFaultsError naming the line, UsageError for a file that is not there or a bad variable.
    """
    if config is None:
        config = DEFAULT_FILE if DEFAULT_FILE.exists() else None
    elif not config.exists():
        raise UsageError(f"no such settings file: {config}")
    if config is None:
        return _validated({}, None, Path())
    source = _read(config)
    if source.plain is None:
        return _validated({}, source, config)
    if not isinstance(source.plain, dict):
        raise FileFaultsError([source.fault([], "a settings file is a mapping")])
    values = dict(source.plain)
    if isinstance(values.get("rules"), list):
        # Rule files are named as seen from the settings file.
        values["rules"] = [str(config.parent / str(path)) for path in values["rules"]]
    return _validated(values, source, config)


def _read(config: Path) -> YamlSource:
    try:
        return load_yaml(config.read_text(encoding="utf-8"), str(config))
    except (OSError, UnicodeDecodeError) as error:
        raise FileFaultsError([Fault(str(config), 0, 0, f"cannot be read: {error}")]) from error


def _validated(values: dict[str, Any], source: YamlSource | None, config: Path) -> Settings:
    try:
        return Settings(**values)
    except ValidationError as error:
        if source is None:
            first = error.errors()[0]
            name = "SAFETYNET_" + "__".join(str(part) for part in first["loc"]).upper()
            raise UsageError(f"{name}: {first['msg']}") from error
        raise FileFaultsError(
            source.faults_of(error, Settings), hint=f"Mend {config}, or the SAFETYNET_ variable of that name."
        ) from error

"""The settings of the schedules; apart from them, since every command reads the settings and few run a schedule."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from rules.windows import CronExpression, ZoneName


class ScheduleSettings(BaseModel):
    """``schedule:`` in safetynet.yaml: five cron fields, in one time zone. Empty: never."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timezone: ZoneName = "UTC"
    backup: CronExpression | None = None
    staging: CronExpression | None = None

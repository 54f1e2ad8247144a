"""The settings of staging; apart from it, since every command reads the settings and few refresh testing."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from recovery.backups.manifest import TableName


class StagingMapping(BaseModel):
    """One production table and the testing table that is made from it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: TableName
    target: TableName


class StagingSettings(BaseModel):
    """``staging:`` in safetynet.yaml.

    ``account`` and ``region`` are where testing is; ``source_account`` and ``source_region`` where
    production is, the same where left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: Annotated[str, Field(pattern=r"^\d{12}$")]
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    source_account: str = ""
    source_region: str = ""
    tables: tuple[StagingMapping, ...]

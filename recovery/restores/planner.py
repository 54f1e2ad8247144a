"""The whole plan of a recovery: every recovery point, the one that is taken, the engine, what stands in the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from recovery.definitions.dry_checks import warnings_for
from recovery.definitions.load_capacity import for_load
from recovery.errors import BackupNotFoundError
from recovery.restores.choosing import PointWish, choose
from recovery.restores.engine_choice import (
    AUTO,
    NOT_ASKED,
    bulk_offered,
    choose_engine,
    import_offered,
    load_facts,
)
from recovery.restores.gathering import gather
from recovery.restores.planning import plan_native, plan_recovery
from recovery.restores.plans import backup_of, wanted_of
from recovery.restores.points import LostTable, PointKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recovery.aws import Aws
    from recovery.backups.catalog import Catalog
    from recovery.clock import Clock, Sleep
    from recovery.restores.choosing import Better, Choice
    from recovery.restores.gathering import FoundPoints
    from recovery.restores.planning import RecoveryWish
    from recovery.restores.plans import RecoveryPlan
    from recovery.restores.points import PointSource

# Below that it is written from here in a minute or two, whatever the region has.
ASK_FOR_BULK_BYTES = 50_000_000


@dataclass(frozen=True, slots=True)
class LoadCapacity:
    """How much the new table is to take while it is loaded.

    ``write_units``: a provisioned table is created with so many at least, and lowered afterwards; None leaves it as it
    was. ``warm``: an on-demand table is created warm, which costs money. ``bulk_write_units``: the limit of a bulk load.
    """

    write_units: int | None = None
    warm: bool = False
    bulk_write_units: int | None = None


class Planner:
    """Makes plans for tables, reading only."""

    def __init__(
        self,
        *,
        aws: Aws,
        catalog: Catalog,
        sources: Sequence[PointSource],
        clock: Clock,
        sleep: Sleep,
        capacity: LoadCapacity | None = None,
    ) -> None:
        self._aws = aws
        self._catalog = catalog
        self._sources = sources
        self._clock = clock
        self._sleep = sleep
        self._capacity = capacity or LoadCapacity()

    def plan(self, wish: RecoveryWish) -> RecoveryPlan:
        """One table's plan.

        Raises BackupNotFoundError whose hint says what there is instead, DamagedObjectError, UnsafeError for a target
        elsewhere without leave, UsageError for wishes that clash.
        """
        found = gather(self._sources, LostTable(wish.account, wish.region, wish.table, wish.deleted_at))
        choice = self._choice(found, wish)
        point = choice.point
        if label := found.labels.get(point.id):
            raise BackupNotFoundError(
                f"backup {point.id} of table {wish.table} is only in the {label}", hint="Add --vault replica."
            )
        if point.kind is PointKind.VAULT:
            plan = plan_recovery(self._aws, self._catalog, replace(wish, backup_id=point.id))
            plan = self._with_load(plan, wish)
        else:
            plan = plan_native(self._aws, self._catalog, wish, point, choice.at)
            plan = plan.model_copy(
                update={"engine_why": choice.why, "seconds": point.seconds, "dollars": point.dollars}
            )
        return plan.model_copy(
            update={
                "point": point,
                **_overview(found, choice),
                "warnings": (*plan.warnings, *self._checked(plan)),
            }
        )

    def _choice(self, found: FoundPoints, wish: RecoveryWish) -> Choice:
        try:
            return choose(found, _asked(wish), self._clock())
        except BackupNotFoundError as error:
            where = f"{wish.account}/{wish.region} ({self._catalog.vault.location})"
            raise BackupNotFoundError(
                f"{error} for table {wish.table} in {where}", hint=error.hint
            ) from error

    def _with_load(self, plan: RecoveryPlan, wish: RecoveryWish) -> RecoveryPlan:
        """The same plan with the engine that suits it, and the request that suits the load."""
        backup = backup_of(self._catalog, plan)
        created = for_load(
            plan.create_table, write_units=self._capacity.write_units, warm=self._capacity.warm
        )
        if wish.defer_indexes:
            created = without_global_indexes(created)
        managed = plan.data_bytes >= ASK_FOR_BULK_BYTES or wish.engine is not None
        facts = load_facts(
            backup,
            created,
            bulk_offered(self._aws) if managed else NOT_ASKED,
            imports=import_offered(self._aws) if managed else NOT_ASKED,
            max_write_request_units=self._capacity.bulk_write_units,
        )
        choice = choose_engine(facts, wish.engine or AUTO)
        small = plan.data_bytes < ASK_FOR_BULK_BYTES and not wish.engine
        chosen = next(option for option in choice.options if option.name is choice.name)
        return plan.model_copy(
            update={
                "created_as": created if created != plan.create_table else None,
                "engine": choice.name,
                "engine_why": "it is small" if small and plan.item_count else choice.why,
                "engine_options": choice.options,
                "seconds": chosen.seconds,
                "dollars": chosen.dollars,
            }
        )

    def _checked(self, plan: RecoveryPlan) -> list[str]:
        if not plan.create_table:
            return []
        return warnings_for(self._aws, wanted_of(plan), self._sleep)


def without_global_indexes(request: dict[str, Any]) -> dict[str, Any]:
    """The request without global indexes, and without the attributes that only those are of."""
    kept = {name: value for name, value in request.items() if name != "GlobalSecondaryIndexes"}
    schemas = [
        request["KeySchema"],
        *(index["KeySchema"] for index in request.get("LocalSecondaryIndexes", ())),
    ]
    names = {element["AttributeName"] for schema in schemas for element in schema}
    kept["AttributeDefinitions"] = [
        one for one in request["AttributeDefinitions"] if one["AttributeName"] in names
    ]
    return kept


def _asked(wish: RecoveryWish) -> PointWish:
    source: PointKind | Any = None
    if wish.source:
        source = AUTO if wish.source == AUTO else PointKind(wish.source)
    return PointWish(
        source=source,
        at=wish.at,
        backup_id=wish.backup_id,
        max_minutes=wish.max_minutes,
        deleted_at=wish.deleted_at,
    )


def _overview(found: FoundPoints, choice: Choice) -> dict[str, Any]:
    """What else there is, for people to see."""
    return {
        "points": found.points,
        "points_unread": {kind.value: reason for kind, reason in found.unread.items()},
        "better": tuple(_better(better) for better in choice.better),
    }


def _better(better: Better) -> str:
    less = timedelta(seconds=round(better.seconds_less))
    return f"{better.point.kind.value} would lose {less} less: {better.flags}"

"""Which engine brings the data in: how long each takes, what it costs, about, and why one cannot be had.

Estimates that tell minutes from hours, never a bill or a promise. What AWS says: an import uses no write capacity of the
table ('DynamoDB data import from Amazon S3'), a bulk load is held back by its own MaxWriteRequestUnits and changes
nothing about the table's capacity (API reference, 'StartBulkPutItems'); an import costs 0.15 dollars a GB (list price of us-east-1, a 2023 copy of 'Amazon DynamoDB pricing').
What it does not say: how fast they are, and how long they take to begin. Those four figures are assumptions, on the
careful side; the price of a bulk load is not known here unless a setting tells it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from recovery.aws import aws_errors
from recovery.errors import AwsError
from recovery.prices import GB, WRITE_UNIT_BYTES
from recovery.restores.engine import RestoreEngineName
from recovery.restores.estimates import vault_write
from recovery.restores.import_request import why_no_import
from recovery.restores.managed_loads import why_not_managed
from recovery.restores.plans import EngineOption
from rules.errors import SafetyNetError, UnsafeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from recovery.aws import Aws
    from recovery.backups.manifest import Manifest

AUTO: Literal["auto"] = "auto"
ASKED_FOR = "asked for"
IMPORT_GB = 0.15
BULK_START_SECONDS = 3 * 60.0  # assumed
IMPORT_START_SECONDS = 6 * 60.0  # assumed: it makes the table as well
BULK_WRITE_UNITS = 20_000.0  # assumed, a second, where no MaxWriteRequestUnits is set
IMPORT_BYTES_PER_SECOND = 20_000_000.0  # assumed
# Cheaper counts where it is worth mentioning and hardly slower: somebody is waiting.
WORTH_DOLLARS = 5.0
HARDLY_SLOWER = 1.25
NO_SUCH_CALL = frozenset(
    {"UnknownOperationException", "NotImplemented", "NotImplementedException", "InvalidAction"}
)
_MANAGED = (RestoreEngineName.BULK, RestoreEngineName.IMPORT)
_WITH_TABLE_OF_OURS = (RestoreEngineName.WRITE, *_MANAGED)


@dataclass(frozen=True, slots=True)
class Offer:
    """Whether the region has a call. ``offered`` None: nobody can tell, ``why`` says the reason."""

    offered: bool | None
    why: str = ""


NOT_ASKED = Offer(None, "nobody has asked whether the region has it")


@dataclass(frozen=True, slots=True)
class LoadFacts:
    """What the choice rests on.

    ``create_table``: the request that makes the table. ``not_managed``: why DynamoDB cannot read the backup, ""
    where it can. ``items_per_second``: what the write engine was measured at from here, None where the table's own
    limit alone counts. ``max_write_request_units`` is the setting of the bulk engine, ``bulk_dollars_per_gb`` its
    price where somebody has told it.
    """

    item_count: int
    data_bytes: int
    create_table: dict[str, Any]
    not_managed: str = ""
    bulk: Offer = NOT_ASKED
    imports: Offer = Offer(True)
    items_per_second: float | None = None
    max_write_request_units: int | None = None
    bulk_dollars_per_gb: float | None = None


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """The engine to take, why in a few words, and all there are, as the plan shows them."""

    name: RestoreEngineName
    why: str
    options: tuple[EngineOption, ...]


def load_facts(backup: Manifest, create_table: dict[str, Any], bulk: Offer, **more: Any) -> LoadFacts:
    """The facts of one backup; ``more`` are further fields of LoadFacts."""
    return LoadFacts(
        item_count=backup.item_count,
        data_bytes=backup.data_bytes,
        create_table=create_table,
        not_managed=why_not_managed(backup),
        bulk=bulk,
        **more,
    )


def bulk_offered(aws: Aws) -> Offer:
    """Whether the region has bulk operations (ListBulkOperations, asked once). Writes nothing, does not raise."""
    return _offered(aws, "bulk loads", lambda: aws.reader("dynamodb").list_bulk_operations(MaxResults=1))


def import_offered(aws: Aws) -> Offer:
    """Whether the endpoint has imports (ListImports, asked once). Writes nothing, does not raise."""
    return _offered(aws, "imports", lambda: aws.reader("dynamodb").list_imports(PageSize=1))


def _offered(aws: Aws, what: str, ask: Callable[[], object]) -> Offer:
    try:
        with aws_errors(f"ask for {what}"):
            ask()
    except AwsError as error:
        if error.code in NO_SUCH_CALL:
            return Offer(False, f"{aws.region} has no {what}")
        return Offer(None, str(error))
    except SafetyNetError as error:
        return Offer(None, str(error))
    return Offer(True)


def choose_engine(facts: LoadFacts, asked: RestoreEngineName | Literal["auto"] = AUTO) -> EngineChoice:
    """The engine that was asked for, or the best one.

    ``auto`` writes from here unless DynamoDB is faster at it, or as good as that and cheaper; it takes no engine of
    which nobody knows whether the region has it. Raises UnsafeError for one that cannot be had, UsageError for
    ``restore``, which is no way to load a backup of the vault.
    """
    options = {option.name: option for option in (_write(facts), _bulk(facts), _import(facts))}
    every = tuple(options.values())
    if asked != AUTO:
        name = RestoreEngineName(asked)
        if name not in _WITH_TABLE_OF_OURS:
            raise UsageError(f"engine {name} restores AWS's own backups, not those of the vault")
        if options[name].not_offered and not _is_only_unknown(facts, name):
            raise UnsafeError(f"engine {name} cannot be had: {options[name].not_offered}")
        return EngineChoice(name, ASKED_FOR, every)
    write = options[RestoreEngineName.WRITE]
    if not facts.item_count:
        return EngineChoice(write.name, "there is nothing to load", every)
    for name in _MANAGED:
        option = options[name]
        if option.not_offered:
            continue
        why = _better(option, write)
        if why:
            return EngineChoice(name, f"DynamoDB loads it by itself: {why}", every)
        if name is RestoreEngineName.BULK:
            break  # import is for regions that have no bulk loads
    return EngineChoice(write.name, _why_write(options, write), every)


def _write(facts: LoadFacts) -> EngineOption:
    estimate = vault_write(
        facts.item_count, facts.data_bytes, facts.create_table, items_per_second=facts.items_per_second
    )
    return EngineOption(
        name=RestoreEngineName.WRITE, seconds=estimate.seconds, dollars=round(estimate.dollars, 2)
    )


def _bulk(facts: LoadFacts) -> EngineOption:
    units = facts.item_count * max(1.0, facts.data_bytes / max(1, facts.item_count) / WRITE_UNIT_BYTES)
    rate = min(BULK_WRITE_UNITS, facts.max_write_request_units or BULK_WRITE_UNITS)
    price = facts.bulk_dollars_per_gb
    not_offered = facts.not_managed
    if not not_offered and not facts.bulk.offered:
        not_offered = facts.bulk.why or "the region has no bulk loads"
    return EngineOption(
        name=RestoreEngineName.BULK,
        seconds=BULK_START_SECONDS + units / rate,
        dollars=None if price is None else round(facts.data_bytes / GB * price, 2),
        not_offered=not_offered,
    )


def _import(facts: LoadFacts) -> EngineOption:
    return EngineOption(
        name=RestoreEngineName.IMPORT,
        seconds=IMPORT_START_SECONDS + facts.data_bytes / IMPORT_BYTES_PER_SECOND,
        dollars=round(facts.data_bytes / GB * IMPORT_GB, 2),
        not_offered=facts.not_managed
        or why_no_import(facts.create_table)
        or ("" if facts.imports.offered else facts.imports.why or "the region has no imports"),
    )


def _is_only_unknown(facts: LoadFacts, name: RestoreEngineName) -> bool:
    """Whoever asks for it may know better than we do."""
    if name is RestoreEngineName.BULK:
        return not facts.not_managed and facts.bulk.offered is None
    refused = facts.not_managed or why_no_import(facts.create_table)
    return name is RestoreEngineName.IMPORT and not refused and facts.imports.offered is None


def _better(option: EngineOption, write: EngineOption) -> str:
    """Why an engine is better than writing from here, "" where it is not."""
    if option.seconds is None or write.seconds is None:
        return ""
    if option.seconds < write.seconds:
        return f"about {_minutes(option.seconds)} instead of {_minutes(write.seconds)}"
    if option.dollars is None or write.dollars is None:
        return ""
    cheaper = write.dollars - option.dollars >= WORTH_DOLLARS
    if cheaper and option.seconds <= write.seconds * HARDLY_SLOWER:
        return f"about {option.dollars:.2f} dollars instead of {write.dollars:.2f}, and hardly slower"
    return ""


def _why_write(options: dict[RestoreEngineName, EngineOption], write: EngineOption) -> str:
    refused = [f"{name}: {options[name].not_offered}" for name in _MANAGED if options[name].not_offered]
    if len(refused) == len(_MANAGED):
        return "; ".join(dict.fromkeys(refused))
    return f"DynamoDB by itself would not be faster than about {_minutes(write.seconds or 0)}"


def _minutes(seconds: float) -> str:
    if seconds < 90:  # noqa: PLR2004 - from there on people think in minutes
        return f"{seconds:.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"

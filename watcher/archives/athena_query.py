"""The SQL that narrows a trail to the files with watched calls, and the table that it is asked of.

Athena guide, 'Query CloudTrail logs', for the columns and the partitions. Nothing that a person typed or a
stranger wrote goes into the SQL but names of one strict form, and values of ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from rules.errors import UsageError
from rules.net_actions import OBJECT_CALLS, S3
from rules.watched import STATUS_CHANGES, WATCHED_ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from rules.backtest import Period

_NAME = re.compile(r"[A-Za-z0-9_]{1,255}")
_VALUE = re.compile(r"[A-Za-z0-9.:/_-]{1,255}")
_WORKGROUP = re.compile(r"[a-zA-Z0-9._-]{1,128}")
# Trail files are filed by the day of their delivery, which may be the one after.
_DELIVERY = timedelta(days=1)
_DAY_PARTITIONS = (("year", "%Y"), ("month", "%m"), ("day", "%d"))


@dataclass(frozen=True, slots=True)
class AthenaTable:
    """A table over a trail, where a query's results go ("" as the workgroup says), and the workgroup."""

    database: str
    table: str
    output: str = ""
    workgroup: str = ""


def athena_table(name: str, output: str = "", workgroup: str = "") -> AthenaTable:
    """The table in ``database.table``; names go into SQL, so nothing but letters, digits and _ is taken.

    Raises UsageError.
    """
    database, _, table = name.partition(".")
    if not _NAME.fullmatch(database) or not _NAME.fullmatch(table):
        raise UsageError(f"not an Athena table: {name!r}", hint="Write it as DATABASE.TABLE.")
    if output and not output.startswith("s3://"):
        raise UsageError(f"not a place for results: {output!r}", hint="Write it as s3://BUCKET/PREFIX/.")
    if workgroup and not _WORKGROUP.fullmatch(workgroup):
        raise UsageError(f"not an Athena workgroup: {workgroup!r}")
    return AthenaTable(database, table, output, workgroup)


def narrowing_query(
    table: AthenaTable, period: Period, partitions: Mapping[str, str], vault_bucket: str = ""
) -> str:
    """The SQL that asks for the files with watched calls in a period.

    ``partitions``: the table's partition keys with their types. Those of the documented tables keep the query
    from scanning the whole trail: ``timestamp`` (``2026/11/23``), or ``year``, ``month`` and ``day``.
    Of S3's data events, by far the most of a trail that has any, only those on the vault's bucket are asked for.
    """
    conditions = [_watched_calls(vault_bucket)]
    if period.start is not None:
        conditions.append(f"eventtime >= {_value(f'{period.start:%Y-%m-%dT%H:%M:%SZ}')}")
    if period.end is not None:
        conditions.append(f"eventtime < {_value(f'{period.end:%Y-%m-%dT%H:%M:%SZ}')}")
    conditions += _partition_conditions(period, partitions)
    return (
        f'SELECT DISTINCT "$path" FROM "{table.database}"."{table.table}"\nWHERE '  # noqa: S608 - checked names
        + "\n  AND ".join(conditions)
    )


def _watched_calls(vault_bucket: str) -> str:
    actions = [action for action in WATCHED_ACTIONS if action.event_name not in STATUS_CHANGES | OBJECT_CALLS]
    calls = (
        f"eventsource IN ({_values({action.event_source for action in actions})})"
        f" AND eventname IN ({_values({action.event_name for action in actions})})"
    )
    if not vault_bucket:
        return calls
    return (
        f"(({calls}) OR (eventsource = {_value(S3)} AND eventname IN ({_values(OBJECT_CALLS)})"
        f" AND json_extract_scalar(requestparameters, '$.bucketName') = {_value(vault_bucket)}))"
    )


def _partition_conditions(period: Period, partitions: Mapping[str, str]) -> list[str]:
    first = period.start
    last = period.end + _DELIVERY if period.end is not None else None
    if "timestamp" in partitions:
        return _between("timestamp", "string", "%Y/%m/%d", first, last)
    conditions: list[str] = []
    for name, form in _DAY_PARTITIONS:
        if name not in partitions:
            break
        conditions += _between(name, partitions[name], form, first, last)
        # A month says something only within one year, a day only within one month.
        if first is None or last is None or first.strftime(form) != last.strftime(form):
            break
    return conditions


def _between(name: str, kind: str, form: str, first: datetime | None, last: datetime | None) -> list[str]:
    return [
        f'"{name}" {operator} {_typed(moment.strftime(form), kind)}'
        for operator, moment in ((">=", first), ("<=", last))
        if moment is not None
    ]


def _typed(value: str, kind: str) -> str:
    return _value(value) if kind in {"string", "varchar"} else str(int(value))


def _values(values: Iterable[str]) -> str:
    return ", ".join(_value(value) for value in sorted(values))


def _value(value: str) -> str:
    """A text as an SQL literal. Only values of ours come here; one that needed escaping would be a mistake."""
    if not _VALUE.fullmatch(value):
        raise UsageError(f"not a value for a query: {value!r}")
    return f"'{value}'"

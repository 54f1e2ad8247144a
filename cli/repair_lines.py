"""What people and machines see of differences and repairs.

The content of items is shown on stdout alone, because somebody asked for it; whatever could move a cursor or hide
text is shown as a replacement character.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
from rich.text import Text

from cli.rendering import facts_grid
from cli.wording import counted, duration, moment, size
from recovery.repairs.differences import Kind
from recovery.repairs.key_file import DIFFERENCE, SUMMARY
from recovery.repairs.table_key import same_item
from recovery.repairs.where import plain_value
from watcher.alerts.slack_message import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.table import Table

    from recovery.backups.manifest import Manifest
    from recovery.repairs.differences import Difference
    from recovery.repairs.documents import RepairPlan
    from recovery.repairs.reports import RepairReport
    from recovery.repairs.undo import UndoPlan

LONGEST_VALUE = 60
SHOWN_KEYS = 10
_SIGNS = {Kind.ADDED: ("+", "green"), Kind.REMOVED: ("-", "red"), Kind.CHANGED: ("~", "yellow")}
_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_KEY = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode


def difference_lines(difference: Difference) -> Iterator[Text]:
    """The key, and of a changed item a line for each attribute that differs."""
    sign, style = _SIGNS[difference.kind]
    yield Text(f"{sign} {key_text(difference.key)}", style=style)
    if difference.kind is not Kind.CHANGED or not difference.before:
        return
    before, after = _RAW(difference.before), _RAW(difference.after)
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if not same_item(_alone(old), _alone(new)):
            yield Text(f"    {clean(name)}: {value_text(old)} -> {value_text(new)}")


def key_text(key: bytes) -> str:
    """``pk=a, sk=5`` on one line."""
    return ", ".join(
        f"{clean(name)}={_shown(plain_value(attribute))}" for name, attribute in _KEY(key).items()
    )


def value_text(attribute: msgspec.Raw | None) -> str:
    """An attribute's value on one line, cut where it is long."""
    return "(none)" if attribute is None else _shown(plain_value(msgspec.json.decode(attribute)))


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = clean(text[: 2 * LONGEST_VALUE])
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def _alone(attribute: msgspec.Raw | None) -> bytes:
    return b"" if attribute is None else b'{"_":%b}' % bytes(attribute)


def difference_json(difference: Difference) -> bytes:
    """One line of ``diff --json``: the images in DynamoDB JSON as they are, null where there is none."""
    line: dict[str, object] = {
        "event": DIFFERENCE,
        "kind": difference.kind.value,
        "key": msgspec.Raw(difference.key),
        "before": msgspec.Raw(difference.before or b"null"),
        "after": msgspec.Raw(difference.after or b"null"),
    }
    return msgspec.json.encode(line) + b"\n"


def summary_json(table: str, backup: Manifest, newer: str, counts: Mapping[Kind, int]) -> bytes:
    """The last line of ``diff --json``."""
    line = {
        "event": SUMMARY,
        "table": table,
        "backup_id": backup.backup_id,
        "compared_with": newer,
        "equal": not any(counts.values()),
        **{kind.value: number for kind, number in counts.items()},
    }
    return msgspec.json.encode(line) + b"\n"


def summary_line(backup: Manifest, newer: str, counts: Mapping[Kind, int]) -> Text:
    """How many differ, of what."""
    sides = f"backup {backup.backup_id} ({moment(backup.time)}) and {newer}"
    if not any(counts.values()):
        return Text(f"equal: {sides} hold the same items", style="green")
    numbers = ", ".join(f"{counts[kind]:,} {kind.value}" for kind in Kind)
    return Text(f"{counted(sum(counts.values()), 'item')} differ between {sides}: {numbers}", style="bold")


def repair_plan_lines(plan: RepairPlan) -> Table:
    """A plan as a person has to read it before typing the table's name."""
    selection = plan.selection
    rows = [
        ("repair", f"{plan.target.name}  in {plan.target.account}/{plan.target.region}"),
        ("from", f"backup {plan.backup_id} of {plan.source.name}"),
        ("taken", moment(plan.backup_time)),
        ("puts back", f"{counted(plan.to_put_back, 'item')}, not in the table any more"),
        ("overwrites", f"{counted(plan.to_overwrite, 'item')}, changed since"),
    ]
    if selection.deletes:
        rows.append(("DELETES", f"{counted(plan.to_delete, 'item')}, not in the backup"))
    rows.append(("writes", size(plan.data_bytes)))
    if selection.where:
        rows.append(("where", selection.where))
    if selection.keys is not None:
        rows.append(("keys", f"{counted(selection.keys, 'key')} of a file"))
    if plan.unknown_keys:
        rows.append(("warning", f"{counted(plan.unknown_keys, 'key')} of the file on neither side"))
    if plan.not_asked:
        rows.append(("leaves", f"{counted(plan.not_asked, 'item')}, different too but not asked for"))
    rows += [
        ("each", "only if it still is what was compared; others are left alone and listed"),
        ("journal", f"{plan.journal}{' (continues an interrupted repair)' if plan.resumes else ''}"),
        *(("warning", warning) for warning in plan.warnings),
        *_keys("key", [msgspec.json.encode(key) for key in plan.sample_keys], plan.writes),
    ]
    return facts_grid(rows)


def undo_plan_lines(plan: UndoPlan) -> Table:
    """What undoing a repair will do."""
    repair = plan.repair
    rows = [
        ("undo", f"the repair of {repair.target.name}  in {repair.target.account}/{repair.target.region}"),
        ("repair", f"{repair.repair_id} from backup {repair.backup_id}"),
        ("by", f"{plan.repaired_by}, {moment(plan.repaired_at)}"),
        ("takes back", counted(plan.items, "item")),
        ("each", "only if it still is what the repair wrote; others are left alone and listed"),
        ("journal", repair.journal),
    ]
    if plan.interrupted:
        rows.append(("warning", "the repair was interrupted: not all of these items may have been written"))
    if plan.done:
        rows.append(("nothing", "it is undone already"))
    return facts_grid(rows)


def repair_report_lines(report: RepairReport, *, undone: bool = False) -> Table:
    """What it came to."""
    again = " (continued an interrupted run)" if report.resumed else ""
    rows = [
        ("undone" if undone else "repaired", f"{report.table}: {counted(report.written, 'item')}{again}"),
        ("verified", f"{counted(report.verified, 'item')} read back and found as written"),
    ]
    if report.refused:
        rows.append(("left alone", f"{counted(report.refused, 'item')}, changed meanwhile"))
        rows += _keys("", report.refused_keys, report.refused)
    if report.overtaken:
        rows.append(
            ("overtaken", f"{counted(report.overtaken, 'item')}, changed again after they were written")
        )
        rows += _keys("", report.overtaken_keys, report.overtaken)
    rows.append(("took", duration((report.ended_at - report.started_at).total_seconds())))
    if not undone and report.written:
        rows.append(("to undo it", f"safetynet repair undo {report.repair_id}"))
    return facts_grid(rows)


def report_json(report: RepairReport) -> dict[str, Any]:
    """The same for machines; keys in DynamoDB JSON, the first hundred."""
    return {
        "repair_id": report.repair_id,
        "table": report.table,
        "journal": report.journal,
        "written": report.written,
        "already": report.already,
        "verified": report.verified,
        "refused": report.refused,
        "refused_keys": [json.loads(key) for key in report.refused_keys],
        "overtaken": report.overtaken,
        "overtaken_keys": [json.loads(key) for key in report.overtaken_keys],
        "complete": report.complete,
        "resumed": report.resumed,
        "started_at": report.started_at.isoformat(),
        "ended_at": report.ended_at.isoformat(),
    }


def undo_plan_json(plan: UndoPlan) -> dict[str, Any]:
    """The plan of an undoing for machines."""
    return {
        "repair": plan.repair.model_dump(mode="json"),
        "repaired_by": plan.repaired_by,
        "repaired_at": plan.repaired_at.isoformat(),
        "items": plan.items,
        "interrupted": plan.interrupted,
        "resumes": plan.resumes,
        "done": plan.done,
    }


def _keys(name: str, keys: Sequence[bytes], of: int) -> list[tuple[str, str]]:
    rows = [(name, key_text(key)) for key in keys[:SHOWN_KEYS]]
    more = of - len(rows)
    return [*rows, *([("", f"and {more:,} more")] if more > 0 else [])]

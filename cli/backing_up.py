"""What `backup run` does from end to end; the command, the schedule and the demo call it."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from recovery.aws import aws_errors
from recovery.definitions.definition import Known, describe_table, read_tags
from recovery.stacks.capture import capture_whole, tables_of_stack
from recovery.stacks.documents import stack_name_of, store_stack
from recovery.vault.replica import copy_backup
from rules.errors import NotFoundError, PartialError, SafetyNetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli.composition import BackupWish, Net
    from recovery.backups.backup import BackupReport, Backups
    from recovery.progress import Progress
    from recovery.stacks.documents import StackCapture

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TableWish:
    """Which tables: by shell patterns, of stacks, or all of them; of these only those that have all the tags."""

    patterns: tuple[str, ...] = ()
    stacks: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    every: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that was not done: of a table, its copy in the replica, or a stack."""

    what: str
    error: SafetyNetError


@dataclass(slots=True)
class RunReport:
    """What a run came to. ``stacks``: the vault's keys of the stacks that were captured."""

    done: list[BackupReport] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    stacks: dict[str, str] = field(default_factory=dict)
    copied_bytes: int = 0

    def raise_failed(self) -> None:
        """Raise PartialError that names all that was not done, with the hint of the first."""
        if self.failed:
            text = "; ".join(f"{one.what}: {one.error}" for one in self.failed)
            raise PartialError(f"{len(self.failed)} not done: {text}", hint=self.failed[0].error.hint)


def parse_tag(text: str) -> tuple[str, str]:
    """``team=shop``. Raises UsageError."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise UsageError(f"not a tag: {text!r}", hint="Write it as --tag KEY=VALUE.")
    return key, value


def tables_wanted(net: Net, wish: TableWish) -> list[str]:
    """The tables of the account and region that are meant, in order. Raises NotFoundError for none."""
    with aws_errors("list the tables"):
        pages = net.aws.dynamodb().get_paginator("list_tables").paginate()
        names = [name for page in pages for name in page["TableNames"]]
    of_stacks = {table for stack in wish.stacks for table in tables_of_stack(net.aws, stack)}
    only_tags = bool(wish.tags) and not wish.patterns and not wish.stacks
    found = [
        name
        for name in names
        if wish.every
        or only_tags
        or name in of_stacks
        or any(fnmatchcase(name, pattern) for pattern in wish.patterns)
    ]
    if wish.tags:
        found = [name for name in found if _has_tags(net, name, wish.tags)]
    if not found:
        asked = ", ".join((*wish.patterns, *wish.stacks, *(f"{key}={value}" for key, value in wish.tags)))
        raise NotFoundError(f"no table in {net.aws.account}/{net.aws.region} matches {asked or 'anything'}")
    return found


def back_up(
    net: Net,
    names: Sequence[str],
    progress: Progress,
    wish: BackupWish,
    told: Callable[[BackupReport | Failure], None] | None = None,
    stacks: Sequence[str] = (),
) -> RunReport:
    """Back tables up side by side, copy them to the replica, and capture stacks; one failure stops nothing.

    Captured are the stacks that the tables belong to, and those that are named, each with its root and all that is
    nested in that. ``told`` hears of each as it ends. A finding becomes an incident. KeyboardInterrupt stops the
    tables that are under way between two pages; running it again goes on with them.
    """
    backups = net.backups(progress, wish)
    report = RunReport()
    parallel = min(len(names), wish.parallel or net.settings.backup.parallel)
    with ThreadPoolExecutor(max(1, parallel), thread_name_prefix="table") as pool:
        jobs = [pool.submit(_one, net, backups, name) for name in names]
        try:
            for job in as_completed(jobs):
                one = job.result()
                report.done += one.done
                report.failed += one.failed
                report.copied_bytes += one.copied_bytes
                if told is not None:
                    outcomes: list[BackupReport | Failure] = [*one.done, *one.failed]
                    for outcome in outcomes:
                        told(outcome)
        except BaseException:
            backups.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    _capture_stacks(net, report, stacks)
    report.done.sort(key=lambda one: one.manifest.table.name)
    return report


def _one(net: Net, backups: Backups, name: str) -> RunReport:
    """What one table came to, in a thread of its own."""
    try:
        done = backups.back_up(name)
    except SafetyNetError as error:
        return RunReport(failed=[Failure(name, error)])
    report = RunReport(done=[done], failed=_alerted(net, done))
    if net.replica is not None:
        try:
            report.copied_bytes = copy_backup(net.catalog, done.manifest, net.replica)
        except SafetyNetError as error:
            report.failed.append(Failure(f"the copy of {name} in {net.replica.location}", error))
    return report


def _alerted(net: Net, done: BackupReport) -> list[Failure]:
    """Open an incident for each finding; returns what of it failed."""
    # Rare, and with it comes all that an incident is made of.
    from watcher.incidents.findings import open_finding

    failed = []
    for finding in done.manifest.findings:
        try:
            incident = open_finding(net.incidents, done.manifest, finding, net.outbox.names, net.clock())
            net.outbox.deliver(incident.id)
        except SafetyNetError as error:
            failed.append(Failure(f"the alert about {done.manifest.table.name}", error))
    return failed


def _capture_stacks(net: Net, report: RunReport, named: Sequence[str]) -> None:
    """Capture each stack once, with its root and what is nested in that, here and in the replica."""
    found = {stack_name_of(stack) for stack in named}
    for one in report.done:
        stack = one.definition.surroundings.stack
        if isinstance(stack, Known) and stack.value:
            found.add(str(stack.value["stack_name"]))
    for name, capture in capture_whole(net.aws, found, net.clock()):
        if isinstance(capture, SafetyNetError):
            report.failed.append(Failure(f"stack {name}", capture))
            continue
        _store_capture(net, report, capture)


def _store_capture(net: Net, report: RunReport, capture: StackCapture) -> None:
    """In the vault, and then, as with backups, in the replica; one that is there already is not stored again."""
    try:
        report.stacks[capture.name] = store_stack(net.vault, capture)
    except SafetyNetError as error:
        report.failed.append(Failure(f"stack {capture.name}", error))
        return
    if net.replica is None:
        return
    try:
        store_stack(net.replica, capture)
    except SafetyNetError as error:
        what = f"the copy of stack {capture.name} in {net.replica.location}"
        report.failed.append(Failure(what, error))


def _has_tags(net: Net, name: str, wanted: Sequence[tuple[str, str]]) -> bool:
    client = net.aws.dynamodb()
    arn = describe_table(client, name)["TableArn"]
    with aws_errors(f"read the tags of table {name}"):
        tags = read_tags(client, arn)
    return all(tags.get(key) == value for key, value in wanted)

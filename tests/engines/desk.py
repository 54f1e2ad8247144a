"""Where somebody types `safetynet` at an engine, with a vault of a test's own."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recovery.testing.equality import definition, different_items, items
from tests.cli.running import Shell
from tests.engines.capabilities import ENGINES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.cli.running import Outcome
    from tests.engines.edge_items import Item
    from tests.engines.engine import Engine

# What equality.definition leaves in although it is a time, and so another one for each incarnation.
TIMES = frozenset({"LastUpdateToPayPerRequestDateTime", "LastUpdateDateTime", "LastIncreaseDateTime"})


SIDE_BY_SIDE = 4


@dataclass(frozen=True, slots=True)
class Desk:
    """``name`` is the vault's bucket, and how the names of a test's tables begin.

    ``shell`` runs a command in this process, which is quick, ``processes`` in one of its own.
    """

    engine: Engine
    shell: Shell
    name: str

    def ok(self, *arguments: str, **exports: str) -> Outcome:
        """Type a command that must succeed."""
        done = self.shell.run(*arguments, **exports)
        assert done.code == 0, f"{arguments}: exit code {done.code}\n{done.out}\n{done.err}"
        return done

    def json(self, *arguments: str) -> Any:
        """Type a command that must succeed and print one JSON document, and nothing else."""
        return json.loads(self.ok(*arguments).out)

    def back_up(self, *tables: str) -> None:
        """Back tables up."""
        self.ok("backup", "run", "--", *tables)

    def backups(self, table: str) -> list[dict[str, Any]]:
        """What the vault has of a table, newest first."""
        listed: list[dict[str, Any]] = self.json("backup", "list", "--json", "--", table)
        return listed

    def recover(self, table: str, *options: str) -> dict[str, Any]:
        """Recover without being asked."""
        report: dict[str, Any] = self.json("recover", "--yes", "--json", *options, "--", table)
        return report

    def recover_all(self, tables: Iterable[str]) -> None:
        """Recover tables; side by side where most of the time is spent waiting for one to become ACTIVE."""
        at_once = "states that last" in ENGINES[self.engine.name].lacks
        shell, workers = (self.shell, 1) if at_once else (self.processes, SIDE_BY_SIDE)
        with ThreadPoolExecutor(workers) as pool:
            done = [*pool.map(lambda table: shell.run("recover", "--yes", "--", table), tables)]
        failed = {table: one for table, one in zip(tables, done, strict=True) if one.code != 0}
        assert not failed, f"not recovered: {failed}"

    @property
    def processes(self) -> Shell:
        """The same shell, but each command is a process."""
        return Shell(self.shell.exports, self.shell.folder)

    def objects(self) -> list[str]:
        """The keys of all objects in the vault's bucket."""
        pages = self.engine.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def data_files(self) -> list[str]:
        """The keys of the data files among them."""
        return [name for name in self.objects() if "/data/" in name]

    def damage_data(self) -> str:
        """Change one byte of one data file; which."""
        s3, name = self.engine.s3, self.data_files()[0]
        body = bytearray(s3.get_object(Bucket=self.name, Key=name)["Body"].read())
        body[len(body) // 2] ^= 1
        s3.put_object(Bucket=self.name, Key=name, Body=bytes(body))
        return name

    def same_as(self, before: tuple[list[Item], dict[str, Any]], table: str) -> None:
        """Assert that a table is as another one was."""
        found, its_definition = self.state(table)
        different = different_items(before[0], found)
        assert different == 0, f"{table}: {different} items are not what they were"
        assert its_definition == before[1], f"{table} was {before[1]} and is {its_definition}"

    def state(self, table: str) -> tuple[list[Item], dict[str, Any]]:
        """All that the API says of a table: its items, and everything else."""
        aws = self.engine.aws
        return items(aws, table), _without_times(definition(aws, table))


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_times(child) for name, child in value.items() if name not in TIMES}
    if isinstance(value, list):
        return [_without_times(child) for child in value]
    return value

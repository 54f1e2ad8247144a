"""Groups of commands whose modules are imported only when one of them runs, so that start-up is fast."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Mapping


class LazyGroup(TyperGroup):
    """Knows all its commands by name and one line; loads the one that is called."""

    # Name: (module with an ``app``, what the overview says of it).
    modules: ClassVar[Mapping[str, tuple[str, str]]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {
            name: TyperCommand(name=name, help=summary, callback=None)
            for name, (_, summary) in self.modules.items()
        }

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command to run, really loaded. Typer adds 'did you mean' where there is none."""
        name, _, rest = super().resolve_command(ctx, args)
        if name is None:
            return None, None, rest
        return name, self.load(name), rest

    def load(self, name: str) -> Any:
        """The command of that name, its module imported. Raises KeyError where there is none."""
        command = typer.main.get_command(importlib.import_module(self.modules[name][0]).app)
        command.name = name
        return command


def lazy_group(modules: Mapping[str, tuple[str, str]]) -> type[LazyGroup]:
    """A group of the commands in ``modules``: name -> (module with an ``app``, one line of help)."""
    return type("LazyCommands", (LazyGroup,), {"modules": modules})

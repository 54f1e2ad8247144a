"""Settings and rule files that go into the package: the function finds them where it starts."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import BaseModel, SecretStr

from cli.settings import DEFAULT_FILE, load_settings
from rules.errors import UnsafeError, UsageError
from rules.rulefile import load_rules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def settings_files(settings: Path) -> dict[str, Path]:
    """A settings file, as ``safetynet.yaml``, and the rule files that it names, by their names in the package.

    They are read as the function will read them: a fault is told now and not at the first deletion. Raises
    FileFaultsError, UsageError for rule files outside the settings file's folder, UnsafeError for a file with a
    secret in it: who may read the function's code would read it.
    """
    with _no_variables():
        known = load_settings(settings)
    written = settings.read_text(encoding="utf-8")
    if any(secret.get_secret_value() in written for secret in _secrets(known) if secret.get_secret_value()):
        raise UnsafeError(
            f"{settings} has a secret in it, which must not go into the package",
            hint="Put it into Secrets Manager and pass its ARN as SecretArn (docs/deployment.md).",
        )
    load_rules(known.rules, default_pack=known.default_rules)
    folder = settings.parent.resolve()
    found = {DEFAULT_FILE.name: settings}
    for named in known.rules:
        for path in sorted(named.rglob("*")) if named.is_dir() else [named]:
            if not path.is_file():
                continue
            if not path.resolve().is_relative_to(folder):
                raise UsageError(
                    f"{path} is outside {folder}", hint="Keep rule files beside the settings file."
                )
            found[path.resolve().relative_to(folder).as_posix()] = path
    return found


@contextmanager
def _no_variables() -> Iterator[None]:
    """The shell's own settings would hide what the file says; the function will not have them."""
    hidden = {name: value for name, value in os.environ.items() if name.startswith("SAFETYNET_")}
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)


def _secrets(node: object) -> Iterator[SecretStr]:
    if isinstance(node, SecretStr):
        yield node
    elif isinstance(node, BaseModel):
        for name in type(node).model_fields:
            yield from _secrets(getattr(node, name))
    elif isinstance(node, dict):
        for child in node.values():
            yield from _secrets(child)
    elif isinstance(node, (list, tuple)):
        for child in node:
            yield from _secrets(child)

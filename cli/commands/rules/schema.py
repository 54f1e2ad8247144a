"""``safetynet rules schema``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from rules.errors import UsageError
from rules.rule_json_schema import schema_text
from rules.rule_keys import keys_page

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="A file, made anew; stdout if left out.", show_default=False),
]
Keys = Annotated[bool, typer.Option("--keys", help="The tables of all keys and facts, in Markdown, instead.")]


@app.command(epilog="Example: safetynet rules schema -o rules.d/rules.schema.json")
def schema(*, output: Output = None, keys: Keys = False) -> None:
    """Print the JSON Schema of rule files: an editor completes keys, operators and facts by it, and flags mistakes.

    A rule file names it in its first line: # yaml-language-server: $schema=rules.schema.json
    """
    text = keys_page() if keys else schema_text()
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror or error}") from error

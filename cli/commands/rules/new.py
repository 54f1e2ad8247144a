"""``safetynet rules new``."""

from __future__ import annotations

import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.event_cases import Asked, one_case, typed_time
from cli.options import Config, Profile, Region
from cli.rendering import stderr
from recovery.clock import utc_now
from rules.drafting.draft import DEFAULT_SCHEMA, DraftOptions, draft_rule
from rules.errors import UsageError
from rules.rule_tests import run_rule_tests
from rules.rulefile import load_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)

Source = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="EVENT|INCIDENT",
        help="The change that was meant: a JSON file, - for stdin, or an incident's id.",
        show_default=False,
    ),
]
RuleId = Annotated[
    str, typer.Option("--id", help="The rule's id; made of what happened if left out.", show_default=False)
]
Owner = Annotated[
    str, typer.Option("--owner", help="Whom to ask about it: a team or a person.", show_default=False)
]
Reason = Annotated[str, typer.Option("--reason", help="Why the change is fine.", show_default=False)]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="A new file; stdout if left out. Never overwrites.", show_default=False
    ),
]
FactsFile = Annotated[
    Path | None,
    typer.Option(
        "--facts", help="YAML or JSON of facts, laid over those that are known.", show_default=False
    ),
]
At = Annotated[
    str,
    typer.Option(
        "--at", metavar="TIME", help="Count the rule's end from then; from now.", show_default=False
    ),
]
EventId = Annotated[
    str, typer.Option("--event", metavar="ID", help="Only the event of that id.", show_default=False)
]
Schema = Annotated[
    str,
    typer.Option("--schema", help="Where editors find the schema: what `rules schema -o` wrote, or a URL."),
]


@app.command(
    epilog="Example: safetynet rules new --from event.json --owner team-shop -o rules.d/previews.yaml"
)
def new(
    source: Source,
    *,
    rule_id: RuleId = "",
    owner: Owner = "",
    reason: Reason = "",
    output: Output = None,
    facts: FactsFile = None,
    at: At = "",
    event_id: EventId = "",
    schema: Schema = DEFAULT_SCHEMA,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Draft an intentional rule, as narrow as makes sense, with tests, for a person to read and edit.

    Refused for what no rule may silence: tampering with the net, attempts, and what looks like production.
    """
    now = typed_time(at) or utc_now()
    if output is not None and (output.exists() or output.is_symlink()):
        raise _taken(output)
    case = one_case(Asked(source, event_id, facts), config, profile, region)
    text = draft_rule(case.event, case.facts, now, DraftOptions(rule_id, owner, reason, schema))
    _check(text, now)
    if output is None:
        sys.stdout.write(text)
    else:
        _write(output, text)
    missing = [name for name, given in (("owner", owner), ("reason", reason)) if not given.strip()]
    stderr().print(_what_is_left(output, missing), markup=False, soft_wrap=True)


def _what_is_left(output: Path | None, missing: Sequence[str]) -> str:
    """What a person has to do with the draft, on one line."""
    fill = f"fill in {' and '.join(missing)}, " if missing else ""
    file = output or "FILE"
    runs = f"run `safetynet rules check {file}` and `safetynet rules test {file}`"
    where = f"{output}: " if output else "save it to a file, "
    return f"{where}read it, edit it, {fill}then {runs}"


def _check(text: str, now: datetime) -> None:
    """A draft that does not load, or fails its own tests, is not handed out."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "draft.yaml"
        path.write_text(text, encoding="utf-8")
        results = run_rule_tests(load_rules([path]), now)
        failed = [result for result in results if not result.passed and result.place.startswith(f"{path}:")]
    if failed:
        what = "; ".join(f"{result.name}: {', '.join(result.differences)}" for result in failed[:3])
        raise UsageError(
            f"no draft: it would fail its own tests ({what})",
            hint="Write the rule by hand; see docs/rules.md.",
        )


def _write(output: Path, text: str) -> None:
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise _taken(output) from error
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror or error}") from error


def _taken(output: Path) -> UsageError:
    return UsageError(f"{output} exists; nothing is overwritten", hint="Give another name with -o.")

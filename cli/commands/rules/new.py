"""``safetynet rules new``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.drafted_rules import check_draft, check_is_new, what_is_left, write_new
from cli.event_cases import Asked, one_case, typed_time
from cli.options import Config, Profile, Region
from cli.rendering import stderr
from recovery.clock import utc_now
from rules.drafting.draft import DEFAULT_SCHEMA, DraftOptions, draft_rule

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
    if output is not None:
        check_is_new(output)
    case = one_case(Asked(source, event_id, facts), config, profile, region)
    text = draft_rule(case.event, case.facts, now, DraftOptions(rule_id, owner, reason, schema))
    check_draft(text, now)
    if output is None:
        sys.stdout.write(text)
    else:
        write_new(output, text)
    missing = [name for name, given in (("owner", owner), ("reason", reason)) if not given.strip()]
    stderr().print(what_is_left(output, missing), markup=False, soft_wrap=True)

"""``safetynet rules explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.event_cases import Asked, Cases, cases, typed_time
from cli.explain_lines import explanation_document, explanation_lines
from cli.options import Config, Json, Profile, Region
from cli.rendering import Trimmed, print_json, stderr, stdout
from cli.settings import load_settings
from cli.wording import counted
from rules.errors import PartialError
from rules.explain import explain as explain_event
from rules.rulefile import load_rules
from watcher.alerts.slack_message import clean

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
MOST_SHOWN = 20

What = Annotated[
    str,
    typer.Argument(
        metavar="EVENT|INCIDENT",
        help="A JSON file (a record, an EventBridge event, a trail's file), a folder of them, - for stdin, or an "
        "incident's id.",
    ),
]
RulePaths = Annotated[
    list[Path] | None,
    typer.Option("--rules", help="Rule files or folders; those of the settings if left out. Repeatable."),
]
NoDefaultRules = Annotated[bool, typer.Option("--no-default-rules", help="Leave the default pack out.")]
FactsFile = Annotated[
    Path | None,
    typer.Option(
        "--facts", help="YAML or JSON of facts, laid over those that are known.", show_default=False
    ),
]
At = Annotated[
    str,
    typer.Option(
        "--at",
        metavar="TIME",
        help="Judge as of this time (2026-11-23T02:00:00Z); the event's own if left out.",
        show_default=False,
    ),
]
EventId = Annotated[
    str, typer.Option("--event", metavar="ID", help="Only the event of that id.", show_default=False)
]


@app.command(epilog="Example: safetynet rules explain event.json --rules rules.d --facts facts.yaml")
def explain(
    what: What,
    rules: RulePaths = None,
    *,
    no_default_rules: NoDefaultRules = False,
    facts: FactsFile = None,
    at: At = "",
    event_id: EventId = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Also the rules that are far from matching.")
    ] = False,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Explain a verdict: which rules were considered, and which condition of each failed first, on what value.

    An event is judged as the watcher would, with the facts that it gives itself; an incident with those of then. Of many
    events the first 20 are shown. Exit 3 if something in a folder could not be read; the rest is explained all the same.
    """
    asked = Asked(what, event_id, facts, typed_time(at))
    settings = load_settings(config)
    loaded = load_rules(rules or settings.rules, default_pack=settings.default_rules and not no_default_rules)
    found = cases(asked, config, profile, region)
    chosen = found.found if as_json else found.found[:MOST_SHOWN]
    explained = [
        (explain_event(loaded.rule_set, case.event, case.facts, case.at), case.incident) for case in chosen
    ]
    if as_json:
        documents = [explanation_document(one, incident) for one, incident in explained]
        print_json(
            {"explanations": documents, "passed_over": found.passed_over, "unreadable": found.unreadable}
        )
    else:
        out = stdout()
        for number, (one, incident) in enumerate(explained):
            if number:
                out.rule(style="dim")
            out.print(Trimmed(explanation_lines(one, incident, everything=everything)))
        _say_what_is_not_shown(found)
    if found.unreadable:
        raise PartialError(
            "\n".join(["could not be read:", *map(clean, found.unreadable)]), hint="The rest was explained."
        )


def _say_what_is_not_shown(found: Cases) -> None:
    more = len(found.found) - MOST_SHOWN
    if more > 0:
        text = f"{counted(more, 'more event')} can alert: choose with --event ID, or see all with --json"
        stderr().print(text, markup=False)
    if found.passed_over:
        of = "record is of an event" if found.passed_over == 1 else "records are of events"
        stderr().print(f"{found.passed_over:,} more {of} that cannot alert", markup=False)

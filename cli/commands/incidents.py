"""``safetynet incidents list|show|ack|dismiss|timeline``."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from cli.composition import Net, build, net_parts_of
from cli.options import Config, Json, Profile, Region
from cli.rendering import print_json, stderr, stdout
from recovery.errors import DamagedObjectError
from rules.errors import SafetyNetError, UsageError
from rules.windows import parse_duration
from watcher.incidents.incident import Incident
from watcher.incidents.incident_life import acknowledge, dismissed
from watcher.incidents.incident_life import dismiss as dismiss_incident
from watcher.incidents.incident_names import find_incident

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

Which = Annotated[
    str,
    typer.Argument(
        metavar="INCIDENT|TABLE", help="An id, how one begins, or the table or stack it is about."
    ),
]


@app.callback()
def incidents() -> None:
    """See what happened and how far its recovery is, and say that you are at it or that it was meant."""


@app.command("list", epilog="Example: safetynet incidents list --all")
def list_incidents(
    *,
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="Also the intentional ones, which never alerted, and those told with another."
        ),
    ] = False,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """List incidents, newest first."""
    net = build(config, profile, region)
    found: list[Incident] = []
    damaged: list[DamagedObjectError] = []
    for incident in net.incidents.all():
        if isinstance(incident, DamagedObjectError):
            damaged.append(incident)
        elif everything or (incident.alerted and not incident.part_of):
            found.append(incident)
    found.sort(key=lambda incident: incident.opened_at, reverse=True)
    if as_json:
        print_json([incident.model_dump(mode="json") for incident in found])
    elif found:
        from cli.incident_lines import incidents_list

        stdout().print(incidents_list(found), crop=False)
    else:
        stdout().print(f"no incidents in {net.vault.location}", markup=False)
    if damaged:
        raise damaged[0]


@app.command(epilog="Example: safetynet incidents show 20261123T031200Z-shop-prod-orders-1a2b3c4d")
def show(
    which: Which,
    *,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Show all of one incident: facts, reasons, what else has the same cause, recovery points, messages.

    The state of one that is told with another is that of the other; the JSON says so, too.
    """
    net = build(config, profile, region)
    incident = find_incident(net.vault, net.incidents, which)
    lead = net.incidents.lead(incident.id) if incident.part_of else None
    if as_json:
        state = (lead or incident).state.value
        print_json(incident.model_dump(mode="json") | {"state": state})
    else:
        from cli.incident_lines import incident_lines

        stdout().print(incident_lines(incident, lead), crop=False)


@app.command(epilog="Example: safetynet incidents ack orders")
def ack(
    which: Which,
    *,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Say that you are looking at it: everybody who was told hears of it, and nobody else is woken."""
    net = build(config, profile, region)
    found = find_incident(net.vault, net.incidents, which, to_decide=True)
    taken = acknowledge(net.incidents, found.id, net.aws.caller, net.clock())
    _tell(net, taken)
    if as_json:
        print_json(taken.model_dump(mode="json"))
    else:
        _say(taken)


@app.command(
    epilog="Example: safetynet incidents dismiss orders --reason 'planned in OPS-7, nobody declared it'"
)
def dismiss(
    which: Which,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why nothing has to be done; people will read it.")],
    draft_rule: Annotated[
        Path | None,
        typer.Option(
            "--draft-rule", metavar="FILE", help="Draft a rule for such changes into a new file, to edit."
        ),
    ] = None,
    declare_intent: Annotated[
        bool, typer.Option("--declare-intent", help="Declare more of the same, by the same principal.")
    ] = False,
    lasts: Annotated[str, typer.Option("--for", metavar="2h", help="How long that intent lasts.")] = "2h",
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Say that nothing has to be done about it, and why; and see to it that the like does not alert again.

    Tampering with the net can be dismissed, but neither a rule nor an intent can be made of it.
    """
    net = build(config, profile, region)
    found = find_incident(net.vault, net.incidents, which, to_decide=True)
    who, now = net.aws.caller, net.clock()
    # All that can be refused is, before anything is written.
    dismissed(net.incidents.lead(found.id), who, reason, now)
    extra: dict[str, object] = {}
    text = ""
    if draft_rule is not None:
        from cli.deciding import rule_for
        from cli.drafted_rules import check_is_new

        check_is_new(draft_rule)
        text = rule_for(found, net_parts_of(net.settings), reason, now)
    if declare_intent:
        from cli.deciding import intent_for

        intent = net.intents.declare(intent_for(found, reason, _duration(lasts)), declared_by=who)
        extra["declared_intent"] = intent.model_dump(mode="json")
        stderr().print(f"declared intent {intent.id}, until {intent.until:%Y-%m-%d %H:%M} UTC", markup=False)
    over = dismiss_incident(net.incidents, found.id, who, reason, now)
    _tell(net, over)
    if draft_rule is not None:
        from cli.drafted_rules import what_is_left, write_new

        write_new(draft_rule, text)
        extra["drafted_rule"] = str(draft_rule)
        stderr().print(what_is_left(draft_rule, ["owner"]), markup=False, soft_wrap=True)
    if as_json:
        print_json(over.model_dump(mode="json") | extra)
    else:
        _say(over)


@app.command(epilog="Example: safetynet incidents timeline orders")
def timeline(
    which: Which,
    *,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Show what happened, in order, of an incident and of all that is told with it: also who was told, and why."""
    from cli.incident_timeline import timeline_of

    net = build(config, profile, region)
    lead = net.incidents.lead(find_incident(net.vault, net.incidents, which).id)
    told = timeline_of(net.incidents, lead)
    if as_json:
        print_json([one.document() for one in told])
    else:
        from cli.incident_lines import timeline_lines

        stdout().print(timeline_lines(told), crop=False)


def _tell(net: Net, incident: Incident) -> None:
    """Send what is owed by now. What cannot be sent is said, and sent by the watcher."""
    try:
        net.outbox.deliver(incident.id)
        owed = net.incidents.get(incident.id).unsent
    except SafetyNetError as error:
        stderr().print(f"nobody was told yet ({error}); the watcher will", markup=False, soft_wrap=True)
        return
    for entry in owed:
        why = f" ({entry.last_error})" if entry.last_error else ""
        stderr().print(
            f"{entry.notifier} was not told yet{why}; the watcher will", markup=False, soft_wrap=True
        )


def _say(incident: Incident) -> None:
    from cli.incident_lines import decided_lines

    stdout().print(decided_lines(incident), crop=False)


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(str(error)) from error

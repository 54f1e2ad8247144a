"""Which incident is meant: by its id, by how its id begins, or by the table or stack that it is about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rules.errors import NotFoundError, UsageError
from watcher.incidents.incident_store import INCIDENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recovery.vault.vault import Vault
    from watcher.incidents.incident import Incident
    from watcher.incidents.incident_store import IncidentStore

_WHOLE_ID = re.compile(r"\d{8}T\d{6}Z-[A-Za-z0-9_.-]+")
# Year and month are the folder; what comes after them narrows the listing.
_BEGINNING = re.compile(r"(\d{4})(\d{2})(\d{0,2}|\d{2}T[0-9]{0,6}|\d{2}T\d{6}Z[A-Za-z0-9_.-]*)")
_NAMED_IN_ERRORS = 5


def find_incident(vault: Vault, incidents: IncidentStore, word: str, *, to_decide: bool = False) -> Incident:
    """The incident's own document; follow its ``part_of`` for its state.

    ``word`` is an id, the beginning of one, or the name of what it is about: then the newest incident that is open
    counts, or, unless there is something ``to_decide`` about it, the newest one. Raises NotFoundError; UsageError
    that names them where several are meant.
    """
    if _WHOLE_ID.fullmatch(word):
        try:
            return incidents.get(word)
        except NotFoundError:
            pass  # a name may look like one, and so may the beginning of a longer one
    ids = _ids_that_begin(vault, word)
    if len(ids) > 1:
        raise _several(word, ids)
    if ids:
        return incidents.get(ids[0])
    return _about(incidents, word, to_decide=to_decide)


def _ids_that_begin(vault: Vault, word: str) -> list[str]:
    found = _BEGINNING.fullmatch(word)
    if found is None:
        return []
    listed = vault.list(f"{INCIDENTS}{found[1]}/{found[2]}/{word}")
    return [info.key.rpartition("/")[2].removesuffix(".json") for info in listed]


def _about(incidents: IncidentStore, name: str, *, to_decide: bool) -> Incident:
    """The newest about that name that is open. The same name elsewhere is another table."""
    newest: Incident | None = None
    open_ones: dict[tuple[str, str], Incident] = {}
    for incident in incidents.about(name):
        newest = newest or incident
        lead = incidents.lead(incident.id)
        if lead.alerted and not lead.is_over:
            open_ones.setdefault((incident.account, incident.region), incident)
    if len(open_ones) > 1:
        raise _several(name, [incident.id for incident in open_ones.values()])
    if open_ones:
        return next(iter(open_ones.values()))
    if newest is None:
        raise NotFoundError(
            f"not an incident id, nor the name of anything that an incident is about: {name}",
            hint="See `safetynet incidents list`.",
        )
    if to_decide:
        raise NotFoundError(f"no incident about {name} is open", hint=f"The newest about it is {newest.id}.")
    return newest


def _several(word: str, ids: Sequence[str]) -> UsageError:
    shown = ", ".join(ids[:_NAMED_IN_ERRORS])
    more = f" and {len(ids) - _NAMED_IN_ERRORS} more" if len(ids) > _NAMED_IN_ERRORS else ""
    return UsageError(f"{word} may be any of {len(ids)} incidents", hint=f"Say which: {shown}{more}.")

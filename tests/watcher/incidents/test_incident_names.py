"""How incidents are named on a command line."""

from __future__ import annotations

from typing import Any

import pytest

from recovery.testing.memory_vault import MemoryVault
from rules.errors import NotFoundError, UsageError
from tests.watcher.alerting import an_incident
from watcher.incidents.incident import Incident, IncidentState
from watcher.incidents.incident_names import find_incident
from watcher.incidents.incident_store import IncidentStore

OLD, NEW = "20261120T031207Z-orders-0000000a", "20261123T031207Z-orders-0000000b"


class Named:
    """A store with incidents, and the function that looks for one."""

    def __init__(self, *incidents: Incident) -> None:
        self.vault = MemoryVault()
        self.store = IncidentStore(self.vault)
        for incident in incidents:
            self.store.create(incident)

    def find(self, word: str, **how: Any) -> str:
        """The id of what is found."""
        return find_incident(self.vault, self.store, word, **how).id


def test_an_id_or_its_beginning() -> None:
    """The whole id; how it begins, if nothing else begins so; a beginning of several names them."""
    named = Named(an_incident(id=OLD), an_incident(id=NEW))
    assert named.find(NEW) == NEW
    for word in (NEW[:-1], "20261123", "20261123T03", "20261123T031207Z-or"):
        assert named.find(word) == NEW
    for word in ("202611", "2026112"):
        with pytest.raises(UsageError, match="may be any of 2 incidents") as caught:
            named.find(word)
        assert OLD in caught.value.hint
        assert NEW in caught.value.hint


def test_a_name_means_the_newest_that_is_open() -> None:
    """One that is over, or never alerted, is passed over, though it is newer."""
    over = an_incident(id=NEW, state=IncidentState.DISMISSED)
    quiet = an_incident(id="20261124T031207Z-orders-0000000c", state=IncidentState.QUIET)
    named = Named(an_incident(id=OLD), over, quiet)
    assert named.find("orders") == OLD
    assert Named(an_incident(id=OLD), an_incident(id=NEW)).find("orders") == NEW


def test_a_name_of_nothing_open() -> None:
    """To look at, the newest will do; to decide about, it will not."""
    named = Named(an_incident(id=NEW, state=IncidentState.RECOVERED))
    assert named.find("orders") == NEW
    with pytest.raises(NotFoundError, match="no incident about orders is open") as caught:
        named.find("orders", to_decide=True)
    assert NEW in caught.value.hint
    with pytest.raises(NotFoundError, match="nor the name of anything"):
        named.find("carts")


def test_one_that_is_part_of_an_open_one_is_open() -> None:
    """Its own document is found by its table's name; its state is that of the incident that tells of it."""
    lead = an_incident(id=OLD, state=IncidentState.DISMISSED)
    part = an_incident(id=NEW, part_of=OLD)
    with pytest.raises(NotFoundError, match="is open"):
        Named(lead, part).find("orders", to_decide=True)
    assert Named(an_incident(id=OLD), part).find("orders", to_decide=True) == NEW


def test_the_same_name_in_two_regions_is_asked_about() -> None:
    """Two tables of one name: nobody guesses which is meant."""
    named = Named(an_incident(id=OLD), an_incident(id=NEW, region="us-east-1"))
    with pytest.raises(UsageError, match="may be any of 2"):
        named.find("orders", to_decide=True)


def test_a_table_that_is_named_like_a_time() -> None:
    """A name of digits is looked for among ids first, then as a name."""
    named = Named(
        an_incident(
            id="20260101T000000Z-20261123-0000000a",
            subject=an_incident().subject.model_copy(update={"name": "20261123"}),
        )
    )
    assert named.find("20261123") == "20260101T000000Z-20261123-0000000a"

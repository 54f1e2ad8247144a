"""Finding incidents without reading all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rules.errors import NotFoundError
from tests.watcher.watching import by, delete_table

if TYPE_CHECKING:
    from tests.watcher.watching import Parts


def test_the_incidents_of_a_table_newest_first(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only documents whose id names the table are read; a table with a longer name is another one."""
    first = parts.pipeline.take(delete_table("orders", eventTime="2026-10-01T00:00:00Z"))
    again = {"tableDescription": {"tableName": "orders", "tableId": "another"}}
    second = parts.pipeline.take(delete_table("orders", responseElements=again))
    for other in ("orders-old", "old-orders", "carts"):
        parts.pipeline.take(delete_table(other, **by(other)))
    read: list[str] = []
    get = parts.vault.get

    def reading(key: str) -> object:
        read.append(key)
        return get(key)

    monkeypatch.setattr(parts.vault, "get", reading)
    assert list(parts.incidents.about("orders")) == [second, first]
    assert len(read) == 2


@pytest.mark.parametrize(
    "name", ["", "nonsense", "20261123T115958Z/../../leases/x", "20261123T115958Z-x-00000000"]
)
def test_an_id_that_is_none_is_not_found(parts: Parts, name: str) -> None:
    """Whatever is typed, nothing outside the incidents is looked at."""
    with pytest.raises(NotFoundError):
        parts.incidents.get(name)

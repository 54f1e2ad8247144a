"""Throughput, table class, encryption and missing indexes: what UpdateTable brings to what CreateTable was asked for.

A table that was created for the load has a raised capacity, one that AWS restored may have another class, key or
billing mode, and either may lack indexes. Each is a request of its own, since UpdateTable does one thing at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recovery.definitions.create_request import without_aws_key
from recovery.definitions.putting import State, done
from recovery.definitions.readings import Known, NotKnown, reading
from recovery.definitions.surroundings_table import encryption_key

if TYPE_CHECKING:
    from recovery.definitions.putting import Putting

# Six hours: an index on a large table takes long to fill, and the table works meanwhile.
INDEX_ATTEMPTS = 4320
STANDARD = "STANDARD"
_UPDATES = {"GlobalSecondaryIndexes": "GlobalSecondaryIndexUpdates", "VectorIndexes": "VectorIndexUpdates"}
_COMING = frozenset({"CREATING", "UPDATING"})
_NO_LIMIT = -1


def put_throughput(putting: Putting) -> None:
    """Billing mode and units of table and indexes, in one UpdateTable: only few decreases a day are allowed."""
    wanted = putting.wanted.create_table
    if update := throughput_update(wanted, putting.requested()):
        putting.put(
            "throughput",
            putting.update_table(**update),
            lambda: done(when=not throughput_update(wanted, putting.requested())),
        )


def throughput_update(wanted: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """What UpdateTable takes to bring a table's throughput to what is wanted; empty where nothing differs.

    Both are CreateTable requests. Units that stay are left out, since AWS refuses to change them to themselves,
    unless the billing mode changes, which needs all of them.
    """
    mode = wanted.get("BillingMode", "PROVISIONED")
    switched = mode != found.get("BillingMode", "PROVISIONED")
    present = {index["IndexName"]: index for index in found.get("GlobalSecondaryIndexes", ())}
    indexes = [
        {"Update": {"IndexName": index["IndexName"], **units}}
        for index in wanted.get("GlobalSecondaryIndexes", ())
        if index["IndexName"] in present
        and (units := _units(index, {} if switched else present[index["IndexName"]]))
    ]
    return {
        **({"BillingMode": mode} if switched else {}),
        **_units(wanted, {} if switched else found),
        **({"GlobalSecondaryIndexUpdates": indexes} if indexes else {}),
    }


def _units(wanted: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    provisioned = wanted.get("ProvisionedThroughput")
    if provisioned and provisioned != found.get("ProvisionedThroughput"):
        return {"ProvisionedThroughput": provisioned}
    limits, have = wanted.get("OnDemandThroughput", {}), found.get("OnDemandThroughput", {})
    if provisioned or limits == have:
        return {}
    return {"OnDemandThroughput": {**dict.fromkeys(have, _NO_LIMIT), **limits}}


def put_class(putting: Putting) -> None:
    """The table class."""
    wanted = putting.wanted.create_table.get("TableClass", STANDARD)
    putting.put(
        "table_class",
        putting.update_table(TableClass=wanted),
        lambda: done(when=putting.requested().get("TableClass", STANDARD) == wanted),
    )


def put_encryption(putting: Putting) -> None:
    """Encryption with KMS, and with which key; none where the table had the key that AWS owns."""
    wanted = putting.wanted.create_table.get("SSESpecification")

    def state() -> State:
        description = putting.described()
        if description.get("SSEDescription", {}).get("Status") in {"ENABLING", "DISABLING", "UPDATING"}:
            return State.GOING
        kms = putting.reader("kms") if _must_ask(description, wanted) else None
        key = reading("the encryption key", lambda: encryption_key(kms, description) if kms else None)
        return done(when=_same_key(wanted, without_aws_key(putting.requested(), key), key))

    request = wanted or {"Enabled": False}
    putting.put("encryption", putting.update_table(SSESpecification=request), state)


def _must_ask(description: dict[str, Any], wanted: dict[str, Any] | None) -> bool:
    """KMS is asked who manages the key only where the answer matters: when none was asked for by name."""
    return bool(wanted) and "KMSMasterKeyId" not in (wanted or {}) and "SSEDescription" in description


def _same_key(wanted: dict[str, Any] | None, found: dict[str, Any], key: Known | NotKnown) -> bool:
    have = found.get("SSESpecification")
    if not wanted or not have:
        return not wanted and not have
    if "KMSMasterKeyId" in wanted or "KMSMasterKeyId" not in have:
        return bool(wanted.get("KMSMasterKeyId") == have.get("KMSMasterKeyId"))
    # The key of AWS is wanted. Whose the one that is found is, nobody may say: then it is left alone.
    return isinstance(key, NotKnown)


def put_indexes(putting: Putting) -> None:
    """The indexes that are missing, one after the other; waits until each is filled."""
    for kind, updates in _UPDATES.items():
        for index in putting.wanted.create_table.get(kind, ()):
            _put_index(putting, kind, updates, index)


def _put_index(putting: Putting, kind: str, updates: str, index: dict[str, Any]) -> None:
    name = index["IndexName"]

    def state() -> State:
        status = index_status(putting.described(), kind, name)
        if status is None:
            return State.TO_DO
        return State.GOING if status in _COMING else State.DONE

    keys = [*index.get("KeySchema", ()), *index.get("SearchSchema", ())]
    described = putting.described()["AttributeDefinitions"]
    names = {one["AttributeName"] for one in (*keys, *described)}
    attributes = [
        one for one in putting.wanted.create_table["AttributeDefinitions"] if one["AttributeName"] in names
    ]
    call = putting.update_table(AttributeDefinitions=attributes, **{updates: [{"Create": index}]})
    putting.put(f"index {name}", call, state, confirm=INDEX_ATTEMPTS)


def index_status(description: dict[str, Any], kind: str, name: str) -> str | None:
    """An index's status as AWS spells it, None where there is no such index."""
    found = [index for index in description.get(kind) or () if index["IndexName"] == name]
    return str(found[0].get("IndexStatus", "ACTIVE")) if found else None

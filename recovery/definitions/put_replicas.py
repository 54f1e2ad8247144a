"""Replicas of a global table (version 2019.11.21), one after the other, and how they scale.

AWS copies the data into a new replica by itself. What it does only with an empty table is left to people: replicas
of strong consistency, and those of the old version 2017.11.29. So are replicas in another account, which are made
from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recovery.definitions.follow_ups import Call, FollowUp
from recovery.definitions.put_scaling import SERVICE_ROLE
from recovery.definitions.putting import State, done, holds

if TYPE_CHECKING:
    from recovery.definitions.putting import Putting

# Half an hour. A large table takes longer to copy, and works meanwhile.
REPLICA_ATTEMPTS = 360
OLD_VERSION = "2017.11.29"
_COMING = frozenset({"CREATING", "UPDATING"})
_OVERRIDES = ("ProvisionedThroughputOverride", "OnDemandThroughputOverride")
_NO_LIMIT = {"MaxReadRequestUnits": -1}
_OLD = (
    "the global table was of version 2017.11.29, which takes empty tables only: this makes the replica in version "
    "2019.11.21, which copies the data, once no table of that name is left in that region"
)
_STRONG = (
    "replicas of a strongly consistent global table can only be added while the table is empty: this works on a new, "
    "empty table, into which the data is then loaded (--into-existing)"
)


def put_replicas(putting: Putting) -> None:
    """The replicas in other regions (UpdateTable), then the settings of the global table."""
    recorded = putting.known("replicas") or {}
    replicas = [one for one in recorded.get("Replicas", ()) if one["RegionName"] != putting.region]
    if recorded.get("MultiRegionConsistency") == "STRONG":
        _leave_strong(putting, recorded, replicas)
        return
    for replica in replicas:
        create = _create(putting, replica)
        if recorded.get("GlobalTableVersion") == OLD_VERSION:
            putting.leave("replicas", _OLD, putting.update_table(ReplicaUpdates=[{"Create": create}]))
        elif _is_elsewhere(putting, replica):
            _leave_other_account(putting, replica)
        else:
            _put_replica(putting, create)
    for name in ("GlobalTableSettingsReplicationMode", "DisassociationProtectionEnabled"):
        _put_global(putting, recorded, name)


def _create(putting: Putting, replica: dict[str, Any]) -> dict[str, Any]:
    """CreateReplicationGroupMemberAction from a ReplicaDescription: what the replica does not share with the table."""
    create = {"RegionName": replica["RegionName"], **_overrides(replica)}
    indexes = [
        {"IndexName": index["IndexName"], **overrides}
        for index in replica.get("GlobalSecondaryIndexes") or ()
        if (overrides := _overrides(index))
    ]
    if indexes:
        create["GlobalSecondaryIndexes"] = indexes
    # The key that AWS manages is what a replica has without one.
    manager = (putting.known("encryption_key") or {}).get("KeyManager")
    if replica.get("KMSMasterKeyId") and manager != "AWS":
        create["KMSMasterKeyId"] = replica["KMSMasterKeyId"]
    table_class = replica.get("ReplicaTableClassSummary", {}).get("TableClass")
    if table_class and table_class != putting.wanted.create_table.get("TableClass", "STANDARD"):
        create["TableClassOverride"] = table_class
    return create


def _overrides(described: dict[str, Any]) -> dict[str, Any]:
    return {
        name: described[name] for name in _OVERRIDES if described.get(name) and described[name] != _NO_LIMIT
    }


def _put_replica(putting: Putting, create: dict[str, Any]) -> None:
    region = create["RegionName"]

    def found() -> dict[str, Any]:
        replicas = putting.described().get("Replicas") or ()
        return next((one for one in replicas if one["RegionName"] == region), {})

    def there() -> State:
        now = found()
        if now.get("ReplicaStatus") in _COMING:
            return State.GOING
        return done(when=bool(now) and now.get("ReplicaStatus") != "CREATION_FAILED")

    def as_wanted() -> State:
        now = found()
        shown = {**now, "TableClassOverride": now.get("ReplicaTableClassSummary", {}).get("TableClass")}
        return State.GOING if now.get("ReplicaStatus") in _COMING else done(when=holds(shown, settings))

    call = putting.update_table(ReplicaUpdates=[{"Create": create}])
    if not putting.put("replicas", call, there, confirm=REPLICA_ATTEMPTS):
        return
    settings = {name: create[name] for name in (*_OVERRIDES, "TableClassOverride") if name in create}
    if settings:
        update = putting.update_table(ReplicaUpdates=[{"Update": {"RegionName": region, **settings}}])
        putting.put("replicas", update, as_wanted, confirm=REPLICA_ATTEMPTS)


def _put_global(putting: Putting, recorded: dict[str, Any], name: str) -> None:
    """A setting of the global table, each in a request of its own.

    The mode ``ENABLED_WITH_OVERRIDES`` is what a global table of one account has by itself.
    """
    wanted = recorded.get(name)
    if wanted is None or wanted == "ENABLED_WITH_OVERRIDES" or not recorded.get("Replicas"):
        return
    putting.put(
        "replicas",
        putting.update_table(**{name: wanted}),
        lambda: done(when=putting.described().get(name) == wanted),
    )


def _is_elsewhere(putting: Putting, replica: dict[str, Any]) -> bool:
    arn = replica.get("ReplicaArn", "")
    return bool(arn) and arn.split(":")[4] != putting.wanted.source.account


def _leave_other_account(putting: Putting, replica: dict[str, Any]) -> None:
    account = replica["ReplicaArn"].split(":")[4]
    call = Call("dynamodb", "create_table", {"TableName": putting.table, "GlobalTableSourceArn": putting.arn})
    reason = f"the replica in {replica['RegionName']} is account {account}'s: run this with its credentials"
    putting.follow_ups.append(FollowUp("replicas", reason, call.command(replica["RegionName"])))


def _leave_strong(putting: Putting, recorded: dict[str, Any], replicas: list[dict[str, Any]]) -> None:
    witnesses = [
        {"Create": {"RegionName": witness["RegionName"]}}
        for witness in recorded.get("GlobalTableWitnesses") or ()
    ]
    call = putting.update_table(
        MultiRegionConsistency="STRONG",
        ReplicaUpdates=[{"Create": _create(putting, replica)} for replica in replicas],
        **({"GlobalTableWitnessUpdates": witnesses} if witnesses else {}),
    )
    state = {one["RegionName"] for one in putting.described().get("Replicas") or ()}
    if not {replica["RegionName"] for replica in replicas} <= state:
        putting.leave("replicas", _STRONG, call)


def put_replica_auto_scaling(putting: Putting) -> None:
    """How the replicas scale (UpdateTableReplicaAutoScaling); the table's own region has its auto scaling by now."""
    recorded = putting.known("replica_auto_scaling") or []
    request = scaling_request(recorded, putting.wanted.source.region)
    if not request:
        return

    def state() -> State:
        answer = putting.reader("dynamodb").ask(
            "describe_table_replica_auto_scaling", TableName=putting.table
        )
        found = scaling_request(answer["TableAutoScalingDescription"].get("Replicas", []), putting.region)
        return done(when=holds(found, request))

    call = Call("dynamodb", "update_table_replica_auto_scaling", {"TableName": putting.table, **request})
    putting.put("replica_auto_scaling", call, state)


def scaling_request(regions: list[dict[str, Any]], own: str) -> dict[str, Any]:
    """UpdateTableReplicaAutoScaling from what DescribeTableReplicaAutoScaling shows.

    Writes scale alike in all regions, reads in each region on their own.
    """
    request: dict[str, Any] = {}
    others = [region for region in regions if region["RegionName"] != own]
    write = "ProvisionedWriteCapacityAutoScaling"
    for region in others:
        if update := _scaling(region.get(f"Replica{write}Settings")):
            request.setdefault(f"{write}Update", update)
    indexes = {
        index["IndexName"]: {"IndexName": index["IndexName"], f"{write}Update": update}
        for region in others
        for index in region.get("GlobalSecondaryIndexes") or ()
        if (update := _scaling(index.get(f"{write}Settings")))
    }
    if indexes:
        request["GlobalSecondaryIndexUpdates"] = [indexes[name] for name in sorted(indexes)]
    reads = [update for region in others if len(update := _region_reads(region)) > 1]
    if reads:
        request["ReplicaUpdates"] = sorted(reads, key=lambda update: str(update["RegionName"]))
    return request


def _region_reads(region: dict[str, Any]) -> dict[str, Any]:
    read = "ProvisionedReadCapacityAutoScaling"
    update: dict[str, Any] = {"RegionName": region["RegionName"]}
    if own := _scaling(region.get(f"Replica{read}Settings")):
        update[f"Replica{read}Update"] = own
    indexes = [
        {"IndexName": index["IndexName"], f"{read}Update": one}
        for index in region.get("GlobalSecondaryIndexes") or ()
        if (one := _scaling(index.get(f"{read}Settings")))
    ]
    if indexes:
        update["ReplicaGlobalSecondaryIndexUpdates"] = sorted(
            indexes, key=lambda index: str(index["IndexName"])
        )
    return update


def _scaling(settings: dict[str, Any] | None) -> dict[str, Any]:
    """AutoScalingSettingsUpdate from an AutoScalingSettingsDescription; empty where it does not scale."""
    if not settings or settings.get("AutoScalingDisabled"):
        return {}
    units = ("MinimumUnits", "MaximumUnits")
    update: dict[str, Any] = {name: settings[name] for name in units if name in settings}
    role = settings.get("AutoScalingRoleArn", "")
    if role and SERVICE_ROLE not in role:
        update["AutoScalingRoleArn"] = role
    for policy in settings.get("ScalingPolicies") or ():
        update["ScalingPolicyUpdate"] = {
            name: policy[name]
            for name in ("PolicyName", "TargetTrackingScalingPolicyConfiguration")
            if policy.get(name)
        }
    return update

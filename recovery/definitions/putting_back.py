"""The settings pass: a table that holds its items again gets everything else it had.

The same pass for a table that was created and loaded, and for one that AWS restored (RestoreTableToPointInTime,
RestoreTableFromBackup), which lacks most of it. The order causes no harm: what the table itself is, what protects
it, what it feeds, what watches it, who reads it, and last what keeps it from being thrown away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recovery.definitions.put_alarms import put_alarms
from recovery.definitions.put_consumers import put_stream_consumers
from recovery.definitions.put_protections import (
    put_deletion_protection,
    put_pitr,
    put_resource_policy,
    put_stream,
    put_stream_policy,
    put_tags,
    put_ttl,
)
from recovery.definitions.put_replicas import put_replica_auto_scaling, put_replicas
from recovery.definitions.put_scaling import put_auto_scaling
from recovery.definitions.put_streaming import (
    put_contributor_insights,
    put_kinesis_destinations,
    put_warm_throughput,
)
from recovery.definitions.put_table import put_class, put_encryption, put_indexes, put_throughput
from recovery.definitions.putting import ODD_SHAPES, Putting, Wanted
from rules.errors import SafetyNetError

if TYPE_CHECKING:
    from collections.abc import Callable

    from recovery.aws import Aws
    from recovery.clock import Sleep
    from recovery.definitions.follow_ups import FollowUp

__all__ = ["STEPS", "Wanted", "put_back"]

STEPS: dict[str, Callable[[Putting], None]] = {
    "throughput": put_throughput,
    "table_class": put_class,
    "encryption": put_encryption,
    "indexes": put_indexes,
    "auto_scaling": put_auto_scaling,
    "pitr": put_pitr,
    "ttl": put_ttl,
    "stream": put_stream,
    "stream_policy": put_stream_policy,
    "resource_policy": put_resource_policy,
    "kinesis_destinations": put_kinesis_destinations,
    "contributor_insights": put_contributor_insights,
    "warm_throughput": put_warm_throughput,
    "replicas": put_replicas,
    "replica_auto_scaling": put_replica_auto_scaling,
    "alarms": put_alarms,
    "tags": put_tags,
    "stream_consumers": put_stream_consumers,
    "deletion_protection": put_deletion_protection,
}


def put_back(
    aws: Aws, wanted: Wanted, sleep: Sleep, still_ours: Callable[[], None] = lambda: None
) -> list[FollowUp]:
    """Put all that is known on a live, ACTIVE table; what is unknown is left alone.

    Doing it again changes nothing and doubles nothing. What fails leaves a working table and a follow-up with the
    command that is still to be run, and what comes after it is put on all the same. ``still_ours`` is called
    before each step and may raise, which ends the pass: it can take hours, and a lease runs out. Raises
    TableNotFoundError where the table is gone.
    """
    putting = Putting(aws, wanted, sleep)
    for setting, step in STEPS.items():
        still_ours()
        try:
            step(putting)
        except (SafetyNetError, *ODD_SHAPES) as error:
            putting.leave_unread(setting, error)
    putting.settle()
    return putting.follow_ups

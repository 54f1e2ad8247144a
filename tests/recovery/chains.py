"""Backups that continue others, and data that lies elsewhere, made by hand."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import TYPE_CHECKING, Any

from recovery.backups.manifest import (
    MANIFEST,
    TABLE_DEFINITION,
    BackupObject,
    DataLocation,
    Increment,
    Manifest,
    new_backup_id,
)
from recovery.vault.vault import body_of
from tests.recovery.damage import rewrite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.recovery.recovering import Process


def change(name: str, number: str | None, written: int = 1) -> dict[str, Any]:
    """A line of an incremental export: the item's new image, or its deletion."""
    key = {"pk": {"S": name}}
    line: dict[str, Any] = {"Metadata": {"WriteTimestampMicros": {"N": str(written)}}, "Keys": key}
    return line if number is None else {**line, "NewImage": {**key, "n": {"N": number}}}


def continued(net: Process, base: Manifest, changes: Sequence[dict[str, Any]]) -> Manifest:
    """An incremental backup that continues another; made by hand, for no emulator exports changes."""
    net.clock.advance(60)
    now = net.clock.now
    bodies = {
        TABLE_DEFINITION: net.store.get(base.folder + TABLE_DEFINITION).body,
        "AWSDynamoDB/data/changes.json.gz": gzip.compress(
            b"".join(json.dumps(line).encode() + b"\n" for line in changes)
        ),
    }
    objects = tuple(
        BackupObject(
            key=key,
            size=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            items=len(changes) if key.endswith(".gz") else None,
        )
        for key, body in bodies.items()
    )
    manifest = base.model_copy(
        update={
            "backup_id": new_backup_id(now),
            "consistency": base.consistency.model_copy(update={"started": now, "ended": now}),
            "item_count": len(changes),
            "objects": objects,
            "increment": Increment(base_id=base.backup_id, changed_from=base.time, changed_to=now),
        }
    ).sealed()
    for key, body in {**bodies, MANIFEST: body_of(manifest)}.items():
        net.store.put_new(manifest.folder + key, body)
    return manifest


def adopt_in_place(net: Process, backup: Manifest, bucket: str, prefix: str) -> Manifest:
    """The same backup with its data in another bucket, as that of an adopted export is."""
    place = net.store.at(bucket, prefix)
    for entry in backup.objects:
        if entry.key != TABLE_DEFINITION:
            place.put_new(entry.key, net.store.get(backup.folder + entry.key).body)
            net.store.delete(backup.folder + entry.key)
    adopted = backup.model_copy(update={"data": DataLocation(bucket=bucket, prefix=prefix)}).sealed()
    rewrite(net.store, adopted.folder + MANIFEST, body_of(adopted))
    return adopted

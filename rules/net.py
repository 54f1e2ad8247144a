"""The net's own parts: which bucket, keys, trails, rules, queues and functions an event may not touch unnoticed."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from rules.actions import NetPart

if TYPE_CHECKING:
    from rules.resources import Resource

# Working files of runs and leases come and go; what may not is everything else under the vault's prefix.
COMING_AND_GOING = ("leases/", "runs/", "watch/")
_ANY = ("*",)
_OURS_BY_NAME = ("*safetynet*",)


@dataclass(frozen=True, slots=True)
class NetParts:
    """Names or ARNs of the net's parts, as shell patterns; the vault by its bucket and prefix.

    By default every key, trail and backup vault counts, since a stop of any of them may be a loss, and of event
    rules, queues and functions those with ``safetynet`` in their name. Nothing in S3 counts without a vault.
    """

    vault_bucket: str = ""
    vault_prefix: str = ""
    keys: tuple[str, ...] = _ANY
    trails: tuple[str, ...] = _ANY
    event_rules: tuple[str, ...] = _OURS_BY_NAME
    queues: tuple[str, ...] = _OURS_BY_NAME
    functions: tuple[str, ...] = _OURS_BY_NAME
    backup_vaults: tuple[str, ...] = _ANY

    def owns(self, part: NetPart, resource: Resource) -> bool:
        """Whether the resource is that part of this net. One that the record does not name might be."""
        if part is NetPart.VAULT:
            return self._owns_object(resource)
        if not resource.name and not resource.arn:
            return True
        patterns = {
            NetPart.KEY: self.keys,
            NetPart.TRAIL: self.trails,
            NetPart.EVENT_RULE: self.event_rules,
            NetPart.QUEUE: self.queues,
            NetPart.FUNCTION: self.functions,
            NetPart.BACKUP_VAULT: self.backup_vaults,
        }[part]
        names = [name.casefold() for name in (resource.name, resource.arn) if name]
        return any(
            fnmatchcase(name, spelled)
            for pattern in patterns
            for spelled in _spellings(pattern.casefold())
            for name in names
        )

    def _owns_object(self, resource: Resource) -> bool:
        if not self.vault_bucket or resource.name not in (self.vault_bucket, ""):
            return False
        prefix = f"{self.vault_prefix.strip('/')}/" if self.vault_prefix.strip("/") else ""
        inside = resource.key.removeprefix(prefix)
        return not resource.key or (
            resource.key.startswith(prefix) and not inside.startswith(COMING_AND_GOING)
        )


def _spellings(pattern: str) -> tuple[str, ...]:
    """A pattern, and of an ARN its name alone: most records name a part without its account and region."""
    if not pattern.startswith("arn:"):
        return (pattern,)
    return (pattern, pattern.rpartition(":")[2].rpartition("/")[2])


ANY_NET = NetParts()

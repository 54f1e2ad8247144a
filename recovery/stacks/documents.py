"""CloudFormation stacks in the vault: what it takes to create one again, at the time of a capture.

Captures lie at ``stacks/<account>/<region>/<stack>/<time>.json``; a stack that has not changed is not stored again.
What a stack is made of is read in ``capture``. Beside the captures lie, under ``templates/``, templates that are too
long to be sent in a request.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from recovery.backups.manifest import Sha256, UtcTime, seal_of
from recovery.clock import compact
from recovery.definitions.readings import Known, NotKnown, Setting
from recovery.definitions.surroundings_stack import NOT_OF_THE_STACK, TABLE_TYPES
from recovery.errors import DamagedObjectError, ObjectNotFoundError
from recovery.vault.vault import body_of, document
from rules.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from recovery.vault.vault import Vault

log = logging.getLogger(__name__)

STACKS = "stacks/"
NESTED = "AWS::CloudFormation::Stack"
_STACK_NAME = r"[A-Za-z][A-Za-z0-9-]{0,127}"
_STACK_ARN = re.compile(r"arn:[a-z-]+:cloudformation:(?P<region>[a-z0-9-]+):\d{12}:stack/.+")
_DAMAGED = "Nothing was written. Recover the tables one by one, and deploy the stack from its source."


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StackParameter(_Part):
    """One parameter. ``hidden``: declared NoEcho, CloudFormation tells nobody its value.

    ``resolved`` is what a parameter of Systems Manager came to; CreateStack takes ``value``.
    """

    key: str
    value: str | None
    resolved: str | None = None
    hidden: bool = False


class StackOutput(_Part):
    """One output; ``export`` is the name under which other stacks import it."""

    key: str
    value: str
    description: str = ""
    export: str | None = None


class StackResource(_Part):
    """One resource; one that was never made has no physical id."""

    logical_id: str
    physical_id: str | None
    type: str
    status: str


class StackCapture(_Part):
    """A stack as of ``captured``. What could not be read is unknown with the reason.

    ``template`` is its text as it was submitted (JSON spelled anew), ``processed`` what macros made of it (known to
    be absent where there are none), ``policy`` the text of the stack policy, ``imported_by`` the stacks that import
    each export, ``resources`` a list of what ``StackResource`` holds. ``seal`` is the SHA-256 over the rest of the
    document in the vault; captures of earlier versions have none.
    """

    format_version: Literal[1] = 1
    account: Annotated[str, Field(pattern=r"^\d{12}$")]
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    name: Annotated[str, Field(pattern=f"^{_STACK_NAME}$")]
    stack_id: str
    status: str
    created: UtcTime
    updated: UtcTime | None = None
    captured: UtcTime
    description: str = ""
    template: Setting
    processed: Setting = Known()
    parameters: tuple[StackParameter, ...] = ()
    tags: dict[str, str] = {}
    outputs: tuple[StackOutput, ...] = ()
    imported_by: Setting
    capabilities: tuple[str, ...] = ()
    notification_arns: tuple[str, ...] = ()
    role_arn: str | None = None
    policy: Setting
    termination_protection: bool = False
    disable_rollback: bool = False
    timeout_minutes: int | None = None
    rollback: dict[str, Any] = {}
    parent_id: str | None = None
    root_id: str | None = None
    resources: Setting
    seal: Sha256 | None = None

    @property
    def key(self) -> str:
        """Where the capture lies in the vault."""
        return f"{_folder(self.account, self.region, self.name)}{compact(self.captured)}.json"

    @property
    def exports(self) -> dict[str, str]:
        """The exported outputs: name and value."""
        return {output.export: output.value for output in self.outputs if output.export}

    @property
    def hidden_parameters(self) -> tuple[str, ...]:
        """The parameters that a person has to give again."""
        return tuple(parameter.key for parameter in self.parameters if parameter.hidden)

    @property
    def tables(self) -> tuple[StackResource, ...]:
        """The stack's own tables, empty where the resources are unknown; those of nested stacks are theirs."""
        return tuple(resource for resource in self._own() if resource.type in TABLE_TYPES)

    @property
    def nested(self) -> tuple[str, ...]:
        """The ids of the stacks nested right in this one, each of which has captures of its own."""
        return tuple(one.physical_id for one in self._own() if one.type == NESTED and one.physical_id)

    @property
    def unknown(self) -> dict[str, str]:
        """What could not be read, with reasons."""
        return {name: part.reason for name, part in self if isinstance(part, NotKnown)}

    def _own(self) -> Iterator[StackResource]:
        found = self.resources.value if isinstance(self.resources, Known) else None
        resources = (StackResource.model_validate(resource) for resource in found or ())
        return (resource for resource in resources if resource.status not in NOT_OF_THE_STACK)

    @property
    def own_resources(self) -> tuple[StackResource, ...]:
        """All that is the stack's, empty where the resources are unknown."""
        return tuple(self._own())


def store_stack(vault: Vault, capture: StackCapture) -> str:
    """Keep a capture; its key, or that of the newest one where nothing has changed since.

    What could not be read this time is no change.
    """
    newest = next(_captures(vault, _folder(capture.account, capture.region, capture.name)), None)
    if newest is not None:
        unread = {name: getattr(newest, name) for name in capture.unknown}
        if capture.model_copy(update={**unread, "captured": newest.captured}) == newest:
            return newest.key
    sealed = capture.model_copy(update={"seal": seal_of(capture.model_dump(mode="json"))})
    vault.put_new(capture.key, body_of(sealed))
    return capture.key


def latest_stack(
    vault: Vault, account: str, region: str, stack: str, before: datetime | None = None
) -> StackCapture:
    """The newest capture of a stack, by its name or ARN; of those before a time if one is given.

    Raises NotFoundError, and DamagedObjectError where there are captures and none of them is whole.
    """
    name = stack_name_of(stack)
    damaged: list[DamagedObjectError] = []
    for capture in _captures(vault, _folder(account, region, name), damaged.append):
        if before is None or capture.captured < before:
            return capture
    if damaged:
        raise damaged[0]
    raise NotFoundError(f"no capture of the stack {name} of {account}/{region} is in the vault")


def region_of_captures(vault: Vault, account: str, region: str, stack: str) -> str:
    """Where a stack was: the region of its ARN, else the given one, else the only other one with captures of it.

    The given one, too, where no region has any. Raises UsageError where several other ones have.
    """
    name = stack_name_of(stack)
    if arn := _STACK_ARN.fullmatch(stack):
        return arn["region"]
    places = [one for one in vault.folders(f"{STACKS}{account}/") if _has_captures(vault, account, one, name)]
    if region in places or not places:
        return region
    if len(places) > 1:
        raise UsageError(
            f"stack {name} was in {', '.join(places)}",
            hint="Name it by its ARN, with --stack: that tells which.",
        )
    return places[0]


def _has_captures(vault: Vault, account: str, region: str, name: str) -> bool:
    return any(True for _ in vault.list(_folder(account, region, name)))


def store_template(vault: Vault, account: str, region: str, stack: str, body: bytes) -> str:
    """Keep a template for CloudFormation to read; its key. The same body twice is one object."""
    key = f"{_folder(account, region, stack)}templates/{hashlib.sha256(body).hexdigest()}.json"
    vault.put_new(key, body)
    return key


def captures_of(vault: Vault, account: str, region: str, stack: str) -> Iterator[StackCapture]:
    """Every capture of a stack, by its name or ARN, newest first; one that is damaged is said and passed over."""
    return _captures(vault, _folder(account, region, stack_name_of(stack)))


def stack_name_of(stack: str) -> str:
    """The name in a name or an ARN (``arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/ID``). Raises UsageError."""
    name = stack.split("/")[1] if stack.startswith("arn:") and "/" in stack else stack
    if not re.fullmatch(_STACK_NAME, name):
        raise UsageError(
            f"not a stack's name: {stack!r}", hint="A letter, then letters, digits and hyphens, 128 in all."
        )
    return name


def _folder(account: str, region: str, name: str) -> str:
    return f"{STACKS}{account}/{region}/{name}/"


def _captures(
    vault: Vault, folder: str, damaged: Callable[[DamagedObjectError], None] = lambda _: None
) -> Iterator[StackCapture]:
    """Newest first; one that is damaged is said and passed over, for an older one is better than none."""
    keys = (info.key for info in vault.list(folder) if "/" not in info.key.removeprefix(folder))
    for key in sorted(keys, reverse=True):
        try:
            yield read_capture(vault, key)
        except ObjectNotFoundError:
            continue  # removed since it was listed
        except DamagedObjectError as error:
            log.warning("a capture is passed over: %s", error)
            damaged(error)


def read_capture(vault: Vault, key: str) -> StackCapture:
    """The capture of that key in the vault.

    Raises ObjectNotFoundError; DamagedObjectError, too, for a document that was copied to another place.
    """
    stored = vault.get(key)
    try:
        capture = document(StackCapture, stored)
    except DamagedObjectError as error:
        error.hint = _DAMAGED
        raise
    # Over what was written, whatever is known of its fields.
    if capture.seal is not None and capture.seal != seal_of(json.loads(stored.body)):
        raise DamagedObjectError(key, "was changed after it was written: its seal is broken", hint=_DAMAGED)
    if capture.key != key:
        raise DamagedObjectError(key, f"says that it is {capture.key}", hint=_DAMAGED)
    return capture.model_copy(update={"seal": None})

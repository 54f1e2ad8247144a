"""A look at DynamoDB itself: whether a deleted table's name is taken again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from recovery.definitions.definition import describe_table
from recovery.errors import TableNotFoundError
from rules.errors import SafetyNetError
from rules.facts import NOT_LOOKED_UP, Unknown

if TYPE_CHECKING:
    from recovery.aws import Aws
    from rules.events import ChangeEvent

_DELETING = "DELETING"


class LiveTables(Protocol):
    """Knows of the tables there are now."""

    def recreated(self, event: ChangeEvent) -> bool | Unknown:
        """Whether a table of the event's name was created after the event. Never raises."""
        ...


class NoLook:
    """Looks at nothing: for where there is no AWS to ask."""

    def recreated(self, event: ChangeEvent) -> bool | Unknown:
        """See LiveTables.recreated."""
        del event
        return NOT_LOOKED_UP


class AwsTables:
    """DescribeTable with the credentials at hand; tables of other accounts and regions are unknown."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def recreated(self, event: ChangeEvent) -> bool | Unknown:
        """See LiveTables.recreated."""
        try:
            if (self._aws.account, self._aws.region) != (event.account, event.region):
                return Unknown("the table is in another account or region than the watcher")
            found = describe_table(self._aws.dynamodb(), event.resource.name)
        except TableNotFoundError:
            return False
        except SafetyNetError as error:
            return Unknown(str(error))
        if found.get("TableStatus") == _DELETING:
            return False
        created = found.get("CreationDateTime")
        if event.resource.incarnation and found.get("TableId"):
            return found["TableId"] != event.resource.incarnation
        return created > event.time if created is not None else Unknown("nobody knows when it was created")

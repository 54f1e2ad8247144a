"""The error tree of the product.

Every error that can happen to a user is one of these. The families below carry the exit codes of the
command line; each room derives its own classes from them.

    SafetyNetError                   1   unexpected
    ├── UsageError                   2   wrong input: arguments, settings, rule files, patterns, events
    │   ├── EventError               2   a change event that cannot be understood
    │   ├── FileFaultsError          2   a rule or settings file with faults, each with file, line and column
    │   └── PatternError             2   an event pattern that EventBridge would refuse
    ├── PartialError                 3   some of it was done, some was not
    ├── NotFoundError               10
    ├── LockedError                 11   somebody else holds the lease
    ├── AccessDeniedError           12   credentials are missing, wrong or too weak
    ├── IntegrityError              13   stored data is not what its manifest says
    ├── UnsafeError                 14   refused: going on could destroy data
    ├── UnavailableError            15   throttled, timed out or out of reach
    └── CancelledError             130   a person said no, or pressed Ctrl-C
"""

from __future__ import annotations

from typing import ClassVar


class SafetyNetError(Exception):
    """Root of the tree. ``exit_code`` and the default ``hint`` belong to the class.

    ``str(error)`` is one sentence that says what happened; ``hint`` says what to do about it and
    may be given for one error alone.
    """

    exit_code: ClassVar[int] = 1
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = self.default_hint if hint is None else hint


class UsageError(SafetyNetError):
    """What was typed or configured cannot be used as it is."""

    exit_code = 2


class EventError(UsageError):
    """A document that cannot be understood as a change event."""

    default_hint = "Nothing was dropped: the message stays on its queue and goes to the dead-letter queue."


class PatternError(UsageError):
    """An event pattern that EventBridge would refuse.

    ``path`` names the place of the fault inside the pattern, for example ``detail.eventName[0]``.
    """

    default_hint = "See the EventBridge user guide, 'Creating event patterns'."

    def __init__(self, message: str, *, path: str = "", hint: str | None = None) -> None:
        super().__init__(f"{path}: {message}" if path else message, hint=hint)
        self.path = path
        self.reason = message


class PartialError(SafetyNetError):
    """Some of it was done; the message says what was not."""

    exit_code = 3


class NotFoundError(SafetyNetError):
    """What was asked for does not exist, or not where it was looked for."""

    exit_code = 10


class LockedError(SafetyNetError):
    """Somebody else is doing this, or took over the lease."""

    exit_code = 11


class AccessDeniedError(SafetyNetError):
    """AWS or Slack refused the caller."""

    exit_code = 12


class IntegrityError(SafetyNetError):
    """Stored data is not what its manifest says it is."""

    exit_code = 13


class UnsafeError(SafetyNetError):
    """Going on could destroy data, so nothing was done."""

    exit_code = 14


class UnavailableError(SafetyNetError):
    """A service throttled, timed out or could not be reached."""

    exit_code = 15


class CancelledError(SafetyNetError):
    """A person said no."""

    exit_code = 130

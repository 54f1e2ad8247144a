"""What was read of AWS, or why it could not be: never is the one mistaken for the other.

A backup notes down much that is worth having and not worth failing for. Each such reading has three states:
known with a value, known to be absent, unknown with the reason.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict, Field

from rules.errors import AccessDeniedError, SafetyNetError

if TYPE_CHECKING:
    from collections.abc import Callable


class Known(BaseModel):
    """A setting that was read; ``value`` None means that there is no such setting."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: Literal["known"] = "known"
    value: Any = None


class NotKnown(BaseModel):
    """A setting that could not be read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: Literal["unknown"] = "unknown"
    reason: str


Setting = Annotated[Known | NotKnown, Field(discriminator="state")]


def reading(
    what: str, read: Callable[[], object], *, fatal: tuple[type[SafetyNetError], ...] = ()
) -> Known | NotKnown:
    """What ``read`` returns, or why it is unknown: the caller may not, or the endpoint does not implement it.

    Errors that are ``fatal`` come out.
    """
    try:
        return Known(value=as_json(read()))
    except fatal:
        raise
    except AccessDeniedError as error:
        return NotKnown(reason=f"access denied: {error}")
    except SafetyNetError as error:
        return NotKnown(reason=_in_one_line(error))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # An emulator's answer may lack what AWS always tells.
        return NotKnown(reason=f"cannot read {what}: the answer has not AWS's shape ({error!r})")


def as_json(value: Any) -> Any:
    """The same in what JSON has, so that what is read back from the vault equals what was written."""
    if isinstance(value, dict):
        return {str(name): as_json(child) for name, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(child) for child in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value


def _in_one_line(error: SafetyNetError) -> str:
    """An emulator that lacks a call answers with a web page or with no words: what fits in a report of that."""
    text = " ".join(str(error).split())
    page = text.lower().find("<!doctype")
    if page < 0 and not text.endswith(":"):
        return text
    answer = error.__cause__
    status = _status(answer) if isinstance(answer, ClientError) else 0
    what = "an empty answer" if page < 0 else "a web page for an answer"
    return f"{text[:page] if page >= 0 else f'{text} '}{what}{f' (HTTP {status})' if status else ''}"


def _status(answer: ClientError) -> int:
    return answer.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)

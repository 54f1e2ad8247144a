"""How numbers and times read for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")
_STEP = 1000
_TEN = 10


def size(count: float) -> str:
    """``44.1 KB``; powers of 1000, as AWS's prices are counted."""
    for unit in _UNITS[:-1]:
        if count < _STEP:
            return f"{count:.0f} {unit}" if unit == "B" or count >= _TEN * _TEN else f"{count:.1f} {unit}"
        count /= _STEP
    return f"{count:.1f} {_UNITS[-1]}"


def counted(number: int, noun: str) -> str:
    """``0 files``, ``1 file``, ``12,000 files``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """``3 s``, ``12 min 5 s``, ``2 h 14 min``, ``3 d 4 h``."""
    if seconds < _TEN:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for unit, name, lower, lower_name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= unit:
            rest = whole % unit // lower
            return f"{whole // unit} {name} {rest} {lower_name}" if rest else f"{whole // unit} {name}"
    return f"{whole} s"


def moment(time: datetime) -> str:
    """``2026-11-23 02:00:11 UTC``."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"

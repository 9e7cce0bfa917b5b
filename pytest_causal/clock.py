"""The clock, bound when this module is imported, so that a test which patches or freezes time does not move it."""

from __future__ import annotations

import time as _time
from datetime import UTC, datetime

_wall_ns = _time.time_ns
monotonic_seconds = _time.monotonic
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_from_timestamp = datetime.fromtimestamp


def now_us() -> int:
    """Return the wall clock in whole microseconds since the epoch, UTC."""
    return _wall_ns() // 1000


def at(microseconds: int) -> datetime:
    """Return the aware UTC time of a number of microseconds since the epoch."""
    return _from_timestamp(microseconds // 1_000_000, UTC).replace(microsecond=microseconds % 1_000_000)

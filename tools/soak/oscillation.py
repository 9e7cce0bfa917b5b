"""When a value goes to and fro."""

from __future__ import annotations

import math
from collections.abc import Sequence

TOLERANCE = 1e-6


def oscillates(values: Sequence[float | None], tolerance: float = TOLERANCE) -> bool:
    """Return whether the newest of the values a parameter had, oldest first, ends a to and fro.

    It does where it is the value before last again (A-B-A), and where the last three moves go one way, the other
    and back (1, 2, 1.1, 2.1 drifts, and oscillates all the same). One move back is a correction. Values that
    are missing or NaN and those that repeat the one before are no moves; a ramp never oscillates.
    """
    kept: list[float] = []
    for value in values:
        if value is None or not math.isfinite(value):
            continue
        if not kept or abs(value - kept[-1]) > tolerance:
            kept.append(value)
    if len(kept) >= 3 and abs(kept[-1] - kept[-3]) <= tolerance:
        return True
    rises = (
        [after > before for before, after in zip(kept[-4:-1], kept[-3:], strict=True)]
        if len(kept) >= 4
        else []
    )
    return len(rises) == 3 and rises[0] != rises[1] != rises[2]

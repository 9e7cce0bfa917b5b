"""How often a campaign repeats: a part of it in the suite, all of it with ``CAUSAL_TEST_FULL=1``."""

from __future__ import annotations

import os

IS_FULL = os.environ.get("CAUSAL_TEST_FULL", "") == "1"  # read now: no test sees the variables of the caller


def times(whole: int, part: int) -> int:
    """Return how often to repeat."""
    return whole if IS_FULL else part

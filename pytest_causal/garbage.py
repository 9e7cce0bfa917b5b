"""The garbage collector, held off where much is made that stays."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def left_alone() -> Iterator[None]:
    """Collect no garbage in this block.

    For work that makes many objects which stay, or which are freed by count: a collection in the midst of it looks
    through all that a large process holds, finds nothing, and can cost as much as the work.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()

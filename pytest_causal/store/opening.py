"""Opening a store by its location. Nothing of a backend is imported before a store of its kind is opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_causal import clock
from pytest_causal.errors import StoreError
from pytest_causal.store.location import resolve

if TYPE_CHECKING:
    from pytest_causal.store.sqlite import SqliteStore

BUSY_SECONDS = 30.0
"""How long to wait for another process that holds the store, unless told otherwise."""


def open_store(
    location: str,
    *,
    busy_seconds: float = BUSY_SECONDS,
    readonly: bool = False,
    now_us: Callable[[], int] = clock.now_us,
) -> SqliteStore:
    """Open the history store at a path, making it (and its folder) where there is none yet.

    A damaged file is set aside and a new store begun; ``notices`` of the store then says so. ``readonly`` neither
    makes, mends nor migrates anything. The path must be on a disk of this machine: processes share memory beside the
    file, which machines on a network file system cannot.

    Raises ConfigError for a location that cannot be a store, MissingInputError where ``readonly`` finds none,
    StoreRefusedError for a file that is not ours to write, StoreBusyError and StoreError.
    """
    path = resolve(location)
    from pytest_causal.store.sqlite import SqliteStore
    from pytest_causal.store.sqlite_opening import open_for_reading, open_for_writing

    try:
        if readonly:
            opened = open_for_reading(path, busy_seconds=busy_seconds)
        else:
            opened = open_for_writing(path, busy_seconds=busy_seconds, now_us=now_us)
    except OSError as error:
        raise StoreError(
            f"the history store {path} cannot be opened ({error})", "run `causal doctor`"
        ) from error
    return SqliteStore(opened, location=location, now_us=now_us)

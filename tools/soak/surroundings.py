"""What a soak takes from the world, in one place: the clock, sleep, signals, files and its own footprint.

The runner gets a :class:`Surroundings` and asks nothing else for the time, so that a soak of 72 hours can be tried in
seconds under the clock of :mod:`tools.soak.simulation`. Chance comes from the plan's seed alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from pytest_causal import clock
from pytest_causal.errors import StoreError

NOTHING_LOST = "free some space, then go on with `causal soak resume`"
SYNC: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)
"""Waits until content and length of a file are on the disk; its times may come later, which saves a write."""
_STATM_BYTES = 256
_BLOCK_BYTES = 1 << 16
_FOOTPRINT_NS = 100_000_000
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Clock(Protocol):
    """Time as the runner sees it."""

    def now_us(self) -> int:
        """Return the wall clock in whole microseconds since the epoch, UTC; it may jump."""

    def monotonic_us(self) -> int:
        """Return microseconds that never go back; only differences mean anything."""

    def sleep(self, seconds: float) -> None:
        """Wait so long, or until :meth:`wake` is called."""

    def wake(self) -> None:
        """End the sleep that is going on, and every later one at once: the run is being interrupted."""


class RealClock:
    """The machine's clock."""

    def __init__(self) -> None:
        self._woken = threading.Event()

    def now_us(self) -> int:
        """Return the wall clock."""
        return clock.now_us()

    def monotonic_us(self) -> int:
        """Return the machine's monotonic clock, which stands still while the machine sleeps."""
        return time.monotonic_ns() // 1000

    def sleep(self, seconds: float) -> None:
        """Wait on the clock."""
        self._woken.wait(min(seconds, threading.TIMEOUT_MAX))

    def wake(self) -> None:
        """Let whoever sleeps go on."""
        self._woken.set()


class Files(Protocol):
    """The artifacts of a run: derived from the journal, so that they need not be synced one by one."""

    def replace(self, path: Path | str, content: Iterable[bytes]) -> None:
        """Write a file as a whole, piece by piece. Raises :class:`StoreError`."""


class RealFiles:
    """The file system: a reader of an artifact sees the old content or the new."""

    def replace(self, path: Path | str, content: Iterable[bytes]) -> None:
        """Write through a temporary file; when it reaches the disk is left to the system."""
        folder, name = os.path.split(path)
        temporary = os.path.join(folder, f".{name}.tmp")
        try:
            _write(temporary, content)
            os.replace(temporary, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise StoreError(f"cannot write {path}: {error.strerror}", NOTHING_LOST) from error


def _write(path: str, content: Iterable[bytes]) -> None:
    """Write a file anew. A file object takes four calls of the system more, in every iteration."""
    descriptor = os.open(path, _NEW_FILE, 0o666)
    try:
        for block in _in_blocks(content):
            written = 0
            while written < len(block):
                written += os.write(descriptor, block[written:])
    finally:
        os.close(descriptor)


def _in_blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    block = b""
    for piece in pieces:
        block += piece
        if len(block) >= _BLOCK_BYTES:
            yield block
            block = b""
    yield block


class Footprint(NamedTuple):
    """What the runner itself uses: bytes, counts, seconds of processor time; ``None`` where not known."""

    resident_bytes: int | None
    descriptors: int | None
    threads: int
    disk_bytes: int | None
    cpu_seconds: float


def own_footprint(folder: Path) -> Footprint:
    """Return what this process uses now; ``disk_bytes`` is what is taken of the file system of ``folder``."""
    return Footprint(
        resident_bytes=_resident_bytes(),
        descriptors=_descriptors(),
        threads=threading.active_count(),
        disk_bytes=_disk_bytes(folder),
        cpu_seconds=time.process_time(),
    )


class SampledFootprint:
    """The footprint of this process, looked at ten times a second at most: looking is not to be what it shows."""

    def __init__(self) -> None:
        self._last: Footprint | None = None
        self._taken_ns = 0

    def __call__(self, folder: Path) -> Footprint:
        """Return what this process uses, or used a tenth of a second ago."""
        now_ns = time.monotonic_ns()
        if self._last is None or now_ns - self._taken_ns >= _FOOTPRINT_NS:
            self._last, self._taken_ns = own_footprint(folder), now_ns
        return self._last


def _resident_bytes() -> int | None:
    try:
        descriptor = os.open("/proc/self/statm", os.O_RDONLY)  # a file object would cost three times as much
    except OSError:
        return None
    try:
        return int(os.read(descriptor, _STATM_BYTES).split()[1]) * _PAGE_BYTES
    finally:
        os.close(descriptor)


def _descriptors() -> int | None:
    try:
        count = os.stat("/proc/self/fd").st_size  # their number since Linux 6.2, 0 before
        return count or len(os.listdir("/proc/self/fd"))
    except OSError:
        with contextlib.suppress(OSError):
            return len(os.listdir("/dev/fd"))
    return None


def _disk_bytes(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).used
    except OSError:
        return None


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """All that a soak takes from the world. ``footprint`` measures the runner; tests may give a constant."""

    clock: Clock = field(default_factory=RealClock)
    files: Files = field(default_factory=RealFiles)
    footprint: Callable[[Path], Footprint] = field(default_factory=SampledFootprint)
    sync: Callable[[int], None] = SYNC
    """Makes what was written to a descriptor durable."""

"""A soak without waiting: time that passes only when something waits for it.

With it a test, or the bench, runs in seconds what would take days; everything else of the runner is the real thing.
"""

from __future__ import annotations

from pathlib import Path

from tools.soak.surroundings import Footprint

_SECOND_US = 1_000_000
BEGINNING_US = 1_798_761_600 * _SECOND_US
"""When simulated time begins: 2027-01-01T00:00:00Z."""


class SimulatedClock:
    """A clock that only :meth:`sleep` and :meth:`pass_by` move; the wall may also be made to :meth:`jump`."""

    def __init__(self, started_us: int = BEGINNING_US) -> None:
        self._wall_us = started_us
        self._monotonic_us = 0
        self._is_woken = False
        self.slept_seconds = 0.0

    def now_us(self) -> int:
        """Return the simulated wall clock."""
        return self._wall_us

    def monotonic_us(self) -> int:
        """Return simulated microseconds since the beginning."""
        return self._monotonic_us

    def sleep(self, seconds: float) -> None:
        """Let so much time pass at once, unless the run is being interrupted."""
        if not self._is_woken and seconds > 0:
            self.slept_seconds += seconds
            self.pass_by(seconds)

    def wake(self) -> None:
        """Let no further sleep take time."""
        self._is_woken = True

    def pass_by(self, seconds: float) -> None:
        """Let time pass as work would."""
        self._wall_us += round(seconds * _SECOND_US)
        self._monotonic_us += round(seconds * _SECOND_US)

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back, as a person or a time server may."""
        self._wall_us += round(seconds * _SECOND_US)


def steady_footprint(folder: Path) -> Footprint:
    """Return the same footprint every time."""
    return Footprint(resident_bytes=50_000_000, descriptors=10, threads=1, disk_bytes=0, cpu_seconds=0.0)

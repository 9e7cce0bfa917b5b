"""When the next iteration begins: on a schedule that starts with the first, whatever each of them takes."""

from __future__ import annotations

from typing import NamedTuple

from tools.soak.surroundings import Clock

_SECOND_US = 1_000_000


class Slot(NamedTuple):
    """A place on the schedule: how late it was entered, and how many were missed before it."""

    late_us: int
    missed: int


class Pacing:
    """Waits for the next slot. A slot may be entered late, until the next one begins; then it is missed."""

    def __init__(self, clock: Clock, period_seconds: float) -> None:
        self._clock = clock
        self._period_us = round(period_seconds * _SECOND_US)
        self._due_us: int | None = None

    def until_next_us(self) -> int:
        """Return how long it is to the slot that would be entered next; 0 for one that is due."""
        if self._due_us is None or not self._period_us:
            return 0
        return max(0, self._due_us + self._period_us - self._clock.monotonic_us())

    def enter(self) -> Slot:
        """Wait for the next slot and enter it. Without a period nothing is waited for, and nothing can be missed."""
        if self._due_us is None or not self._period_us:
            self._due_us = self._clock.monotonic_us()
            return Slot(late_us=0, missed=0)
        self._clock.sleep(self.until_next_us() / _SECOND_US)
        self._due_us += self._period_us
        behind_us = max(0, self._clock.monotonic_us() - self._due_us)
        missed = behind_us // self._period_us
        self._due_us += missed * self._period_us
        return Slot(late_us=behind_us - missed * self._period_us, missed=missed)

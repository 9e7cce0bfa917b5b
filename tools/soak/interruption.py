"""Being told to stop: by a signal, or by a test. What goes on is ended in order, and can be resumed."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interruption:
    """Whether the run was told to stop, and whom to tell: the clock that sleeps, a process that runs."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._listeners: list[Callable[[], None]] = []
        self.reason = ""

    @property
    def is_asked_for(self) -> bool:
        """Whether the run was told to stop."""
        return self._asked.is_set()

    def ask(self, reason: str) -> None:
        """Tell the run to stop; asking again changes nothing."""
        if not self._asked.is_set():
            self.reason = reason
            self._asked.set()
            for listener in tuple(self._listeners):
                listener()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until the run is told to stop; return whether it is."""
        return self._asked.wait(seconds)

    @contextlib.contextmanager
    def telling(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call ``listener`` when the run is told to stop while the block goes on, or was told before it."""
        self._listeners.append(listener)
        try:
            if self.is_asked_for:
                listener()
            yield
        finally:
            self._listeners.remove(listener)


@contextlib.contextmanager
def signals_interrupt(interruption: Interruption) -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP ask for the interruption while the block goes on; only in the main thread.

    The journal is on the disk at every moment: a second signal needs no other way.
    """

    def ask(number: int, frame: FrameType | None) -> None:
        interruption.ask(signal.Signals(number).name)

    before = [(each, signal.signal(each, ask)) for each in SIGNALS]
    try:
        yield
    finally:
        for each, handler in before:
            signal.signal(each, handler if handler is not None else signal.SIG_DFL)

"""Running a program that may hang, die, flood its output or leave children behind: bounded, and all of it ended.

The program leads a process group of its own, which is ended as a whole. On Linux those that left the group are found by
a mark in their environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from tools.soak.interruption import Interruption

MARK = "SOAK_PROCESS_MARK"
"""The variable by which processes that a program left behind are known."""
OUTPUT_BYTES = 65_536
"""How much of the end of a program's output is kept; the rest is read and forgotten."""
GRACE_SECONDS = 3.0
"""How long a program may take to end when it is asked to, before it is killed."""
_POLL_SECONDS = 0.05


class Ended(NamedTuple):
    """How a program ended. ``code`` is negative for a signal; ``why`` says why it was ended, if it was.

    ``output`` is the end of what it wrote; ``output_bytes`` how much that was in all; ``strays`` how many processes
    it left behind, which were killed.
    """

    code: int
    why: str
    output: bytes
    output_bytes: int
    strays: int

    @property
    def how(self) -> str:
        """The end in words, or nothing for an ordinary one."""
        if self.why:
            return self.why
        if self.code < 0:
            with contextlib.suppress(ValueError):
                return f"killed by {signal.Signals(-self.code).name}"
            return f"killed by signal {-self.code}"
        return f"exit code {self.code}" if self.code else ""


def run_program(
    command: Sequence[str], *, env: Mapping[str, str], timeout_seconds: float, interruption: Interruption
) -> Ended:
    """Run a program in the current directory until it ends, its time is over or the run is told to stop.

    Raises OSError where it cannot be started.
    """
    mark = f"{os.getpid()}-{os.urandom(8).hex()}"
    process = subprocess.Popen(  # noqa: S603 - the user's own command, no shell
        list(command),
        env={**env, MARK: mark},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    tail = _Tail(process.stdout)
    is_dead = threading.Event()
    threading.Thread(target=_await_death, args=(process, is_dead), daemon=True).start()
    try:
        why = _watch(is_dead, timeout_seconds, interruption)
        if why:
            _signal_group(process.pid, signal.SIGTERM)
            is_dead.wait(GRACE_SECONDS)
    finally:
        _kill_group(process.pid)  # the leader is not reaped yet, so that its number still means this group
        is_dead.wait()
        process.wait()
        strays = _kill_marked(mark)
        tail.close()
    return Ended(process.returncode, why, tail.kept, tail.seen_bytes, strays)


def _await_death(process: subprocess.Popen[bytes], is_dead: threading.Event) -> None:
    """Wait until the program is dead, leaving it to be reaped where the system allows that."""
    try:
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        else:
            process.wait()
    finally:
        is_dead.set()


def _watch(is_dead: threading.Event, timeout_seconds: float, interruption: Interruption) -> str:
    """Wait for the program; return why it has to be ended, or nothing if it ended by itself."""
    until = time.monotonic() + min(timeout_seconds, threading.TIMEOUT_MAX)
    while (left := until - time.monotonic()) > 0:
        if is_dead.wait(min(left, _POLL_SECONDS)):
            return ""
        if interruption.is_asked_for:
            return "interrupted"
    return f"not done in {timeout_seconds:g} s"


class _Tail:
    """Reads a pipe to its end in a thread, and keeps the last of it."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        self.kept = b""
        self.seen_bytes = 0
        self._pipe = pipe
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait for the end, which is near: all that could write to the pipe was ended."""
        self._thread.join(GRACE_SECONDS)
        if self._pipe is not None and not self._thread.is_alive():
            self._pipe.close()

    def _read(self) -> None:
        if self._pipe is None:
            return
        while part := self._pipe.read1(OUTPUT_BYTES):  # type: ignore[attr-defined]
            self.seen_bytes += len(part)
            self.kept = (self.kept + part)[-OUTPUT_BYTES:]


if sys.platform == "win32":

    def _signal_group(pid: int, number: int) -> None:
        with contextlib.suppress(OSError):
            os.kill(pid, number)

    def _kill_group(pid: int) -> None:
        _signal_group(pid, signal.SIGTERM)

else:

    def _signal_group(pid: int, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, number)

    def _kill_group(pid: int) -> None:
        _signal_group(pid, signal.SIGKILL)


def _kill_marked(mark: str) -> int:
    """Kill every process that carries the mark in its environment; return how many there were.

    Looks until there is none, because one that is being killed may have started another.
    """
    killed: set[int] = set()
    until = time.monotonic() + GRACE_SECONDS
    while (found := _marked(mark)) and time.monotonic() < until:
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
                killed.add(pid)
        time.sleep(_POLL_SECONDS)
    return len(killed)


def _marked(mark: str) -> list[int]:
    wanted = f"{MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found

"""Running a program that may hang, die, flood its output or leave children behind: bounded, and all of it ended.

The program leads a session and process group of its own, which is ended as a whole: asked first, then killed. On Linux
those that left the group are found by a mark in their environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from pytest_causal import clock

MARK = "PYTEST_CAUSAL_PROCESS_MARK"
"""The variable by which processes that a program left behind are known."""
OUTPUT_BYTES = 16_384
"""How much of the end of a program's output is kept; the rest is read and forgotten."""
GRACE_SECONDS = 3.0
"""How long a program may take to end when it is asked to, before it is killed."""
_POLL_SECONDS = 0.05
_LONGEST_COMPLAINT = 300


class Ended(NamedTuple):
    """How a program ended. ``status`` is its exit status, negative for the number of a signal.

    ``is_timed_out`` says that its time was over, ``is_stopped`` that it was ended because the caller wanted to stop.
    ``output`` is the end of what it wrote, to both of its streams; ``strays`` how many processes it left behind outside
    of its group, which were killed.
    """

    status: int
    seconds: float
    is_timed_out: bool = False
    is_stopped: bool = False
    output: bytes = b""
    strays: int = 0

    @property
    def words(self) -> str:
        """The end in words, or nothing for an ordinary one."""
        if self.is_timed_out:
            return f"not done in {self.seconds:.1f} s"
        if self.is_stopped:
            return "interrupted"
        if self.status < 0:
            with contextlib.suppress(ValueError):
                return f"killed by {signal.Signals(-self.status).name}"
            return f"killed by signal {-self.status}"
        return f"exit status {self.status}" if self.status else ""

    @property
    def complaint(self) -> str:
        """The last line of its output that speaks of an error, or else the last that holds anything; cut if long."""
        lines = [line.strip() for line in self.output.decode("utf-8", "replace").split("\n") if line.strip()]
        complaints = [line for line in lines if "error" in line.lower()] or lines
        return complaints[-1][:_LONGEST_COMPLAINT] if complaints else ""


def run_program(
    command: Sequence[str],
    *,
    directory: Path,
    env: Mapping[str, str],
    timeout_seconds: float,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Ended:
    """Run a program until it ends, its time is over, or ``is_stopped`` says so; nothing of it runs on afterwards.

    It has no standard input and no terminal. Raises OSError where it cannot be started.
    """
    mark = f"{os.getpid()}-{os.urandom(8).hex()}"
    started = clock.monotonic_seconds()
    process = subprocess.Popen(  # noqa: S603 - the user's own command, no shell
        list(command),
        cwd=directory,
        env={**env, MARK: mark},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    tail = _Tail(process.stdout)
    is_dead = threading.Event()
    threading.Thread(target=_await_death, args=(process, is_dead), daemon=True).start()
    is_asked_to_end = was_stopped = False
    try:
        while not is_dead.wait(_POLL_SECONDS):
            was_stopped = is_stopped()
            is_asked_to_end = was_stopped or clock.monotonic_seconds() - started > timeout_seconds
            if is_asked_to_end:
                _signal_group(process.pid, signal.SIGTERM)
                is_dead.wait(GRACE_SECONDS)
                break
    finally:
        _kill_group(process.pid)  # the leader is not reaped yet, so that its number still means this group
        is_dead.wait()
        process.wait()
        strays = _kill_marked(mark)
        tail.close()
    return Ended(
        status=process.returncode,
        seconds=clock.monotonic_seconds() - started,
        is_timed_out=is_asked_to_end and not was_stopped,
        is_stopped=was_stopped,
        output=tail.kept,
        strays=strays,
    )


def _await_death(process: subprocess.Popen[bytes], is_dead: threading.Event) -> None:
    """Wait until the program is dead, leaving it to be reaped where the system allows that."""
    try:
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        else:
            process.wait()
    finally:
        is_dead.set()


class _Tail:
    """Reads a pipe to its end in a thread, and keeps the last of it."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        self.kept = b""
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
        while part := os.read(self._pipe.fileno(), 65_536):
            self.kept = (self.kept + part)[-OUTPUT_BYTES:]


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            os.kill(pid, number)
        else:
            os.killpg(pid, number)


def _kill_group(pid: int) -> None:
    _signal_group(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)


def _kill_marked(mark: str) -> int:
    """Kill every process that carries the mark, until there is none: one may have started another; return how many."""
    killed: set[int] = set()
    until = clock.monotonic_seconds() + GRACE_SECONDS
    while (found := _marked(mark)) and clock.monotonic_seconds() < until:
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
                killed.add(pid)
        threading.Event().wait(_POLL_SECONDS)
    return len(killed)


def _marked(mark: str) -> list[int]:
    wanted = f"{MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found

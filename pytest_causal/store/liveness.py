"""Which process is recording, and whether it still lives."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")
_DEAD_STATES = frozenset("ZXx")


def host_name() -> str:
    """Return the name of this machine, as sessions store it."""
    return os.uname().nodename


def process_identity() -> str:
    """Return this process as ``PID:START``.

    ``START`` counts clock ticks from boot to the start of the process (field 22 of proc(5) ``stat``), so that a process
    id that was given out again is not mistaken for this process; 0 where the system does not tell.
    """
    pid = os.getpid()
    _, start = _state_and_start(pid) or ("", 0)
    return f"{pid}:{start}"


def is_alive(identity: str) -> bool:
    """Whether the process of an identity on this machine still runs; a zombie does not, an unreadable identity does."""
    pid_text, _, start_text = identity.partition(":")
    if not (pid_text.isdecimal() and start_text.isdecimal()) or int(pid_text) == 0:
        return True
    pid, start = int(pid_text), int(start_text)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it is there, and another user's
    found = _state_and_start(pid)
    if found is None:
        return True
    state, started = found
    return state not in _DEAD_STATES and start in {0, started}


def _state_and_start(pid: int) -> tuple[str, int] | None:
    """Return the state letter and the start of a process, or ``None`` if there is none or the system does not tell."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # The command's name stands in brackets and may hold anything, brackets and blanks too.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return fields[0].decode("ascii"), int(fields[19])

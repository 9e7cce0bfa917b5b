"""Soaks that are killed at a named point: reads orders, a JSON list a line, and tells how each ended.

An order is ``[OUT, HOW, WHERE, LINE, KILL_AFTER_BYTES]``; the run is called ``a``. ``HOW`` is ``begin`` or
``resume``. ``WHERE`` is ``before`` (the line is not written yet), ``torn`` (half of it is), ``after`` (it is on the
disk), and ``LINE`` counts the lines that this process writes; 0 for none. With ``KILL_AFTER_BYTES`` above 0 it is
killed from outside, wherever it is when its journal is seen to have grown by so much. Each order is done by a process
of its own, forked from this one, which has imported everything already: what is killed is a real process, by SIGKILL.
The answer is its exit code, negative for a signal.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from tools.soak.journal import Journal
from tools.soak.plan import Plan
from tools.soak.progress import Progress
from tools.soak.run import World, begin, resume
from tools.soak.simulation import SimulatedClock, steady_footprint
from tools.soak.surroundings import Surroundings


class Silent:
    def waiting(self, progress: Progress, seconds: float) -> None:
        pass

    def running(self, progress: Progress) -> None:
        pass

    def iterated(self, progress: Progress) -> None:
        pass


def arm(where: str, wanted: int) -> None:
    written = 0
    whole = Journal._write

    def write(journal: Any, line: bytes) -> None:
        nonlocal written
        written += 1
        if written == wanted and where != "after":
            if where == "torn":
                whole(journal, line[: len(line) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        whole(journal, line)
        if written == wanted:
            os.kill(os.getpid(), signal.SIGKILL)

    Journal._write = write  # type: ignore[method-assign,assignment]


def soak(out: Path, how: str, where: str, line: int) -> int:
    arm(where, line)
    surroundings = Surroundings(clock=SimulatedClock(), footprint=steady_footprint)
    world = World(watcher=Silent(), surroundings=surroundings)
    if how == "resume":
        return resume("a", out, world).exit_code
    plan = Plan(
        run="a",
        version="",
        workload="mock",
        options={"mode": "calm", "seed": 7},
        iterations=6,
        warmup=1,
        seed=7,
        auto_tune=True,
        kpi_set="smoke",
        profile="steady_safe",
        has_history=False,
    )
    return begin(plan, out, world).exit_code


def run_order(out: str, how: str, where: str, line: int, kill_after_bytes: int) -> int:
    journal = Path(out) / "a" / "journal.jsonl"
    limit = size(journal) + kill_after_bytes
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(soak(Path(out), how, where, line))
        except BaseException:
            traceback.print_exc()
            os._exit(99)
    ended, status = 0, 0
    while kill_after_bytes and not ended and size(journal) < limit:
        ended, status = os.waitpid(pid, os.WNOHANG)
    if not ended:
        if kill_after_bytes:
            os.kill(pid, signal.SIGKILL)  # not reaped yet, so that the number is still its own
        _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def size(path: Path) -> int:
    """Return how many bytes of lines a journal has: room that was not used is none."""
    return len(path.read_bytes().rstrip(b"\0")) if path.exists() else 0


if __name__ == "__main__":
    for order in sys.stdin:
        print(run_order(*json.loads(order)), flush=True)

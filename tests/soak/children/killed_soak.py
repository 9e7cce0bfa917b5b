"""A soak that kills itself at a named point: ``killed_soak.py OUT RUN WHERE LINE begin|resume``.

``WHERE`` is ``before`` (the line is not written yet), ``torn`` (half of it is), ``after`` (it is on the disk), and
``LINE`` counts the lines that this process writes; 0 for none. The plan is the same each time.
"""

from __future__ import annotations

import os
import signal
import sys
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


def main() -> int:
    out, run, where, line, how = sys.argv[1:]
    arm(where, int(line))
    surroundings = Surroundings(clock=SimulatedClock(), footprint=steady_footprint)
    world = World(watcher=Silent(), surroundings=surroundings)
    if how == "resume":
        return resume(run, Path(out), world).exit_code
    plan = Plan(
        run=run,
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
    return begin(plan, Path(out), world).exit_code


if __name__ == "__main__":
    sys.exit(main())

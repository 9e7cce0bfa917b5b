"""End rotations at random times by SIGKILL, SIGTERM and SIGINT: ``rotation_killed.py FOLDER ROUNDS SEED``.

Prints what was lost or not finished, how many were ended by each signal, how many of them midway, and how many that
were interrupted left a temporary file for the next run to remove.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.artifacts.children.rotation_tree import fill, lost, rotate, strays, unfinished

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
INTERRUPTED = 130


def told(unraisable: sys.UnraisableHookArgs) -> None:
    """An interrupt in a callback of the interpreter (of a weak reference) is dropped there, and is no fault of ours."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)


def started(root: Path) -> int:
    held = signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGINT}
    )  # Python's own work after a fork is not ours
    child = os.fork()
    if child == 0:
        try:
            sys.unraisablehook = told
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
            rotate(root, jobs=2)
        except KeyboardInterrupt:
            os._exit(INTERRUPTED)
        os._exit(0)
    signal.pthread_sigmask(signal.SIG_SETMASK, held)
    return child


def main(folder: Path, rounds: int, seed: int) -> None:
    draw = random.Random(seed)
    template = folder / "template"
    contents = fill(template, large_bytes=1_500_000)
    found: dict[str, Any] = {"midway": 0, "untidy": 0, "lost": [], "unfinished": []}
    ended: Counter[str] = Counter()
    slowest_seconds = 0.0
    for number in range(rounds + 3):
        root = folder / str(number)
        shutil.copytree(template, root)
        began = time.monotonic()
        child = started(root)
        if number >= 3:  # the first three say how long it takes
            time.sleep(draw.uniform(0, slowest_seconds))
            os.kill(child, SIGNALS[number % len(SIGNALS)])
        _, status = os.waitpid(child, 0)
        if number < 3:
            slowest_seconds = max(slowest_seconds, time.monotonic() - began)
        if os.WIFSIGNALED(status):
            ended[signal.Signals(os.WTERMSIG(status)).name] += 1
        elif os.WEXITSTATUS(status) == INTERRUPTED:
            ended["SIGINT"] += 1
            found["untidy"] += bool(strays(root))
        found["lost"] += [f"round {number}: {each}" for each in lost(root, contents)]
        left = unfinished(root)
        found["midway"] += 0 < len(left) < 13
        code = rotate(root).exit_code
        found["unfinished"] += [f"round {number}: {each}" for each in (*unfinished(root), *strays(root))]
        found["unfinished"] += [f"round {number}: exit code {code}"] if code else []
        found["lost"] += [f"round {number}, afterwards: {each}" for each in lost(root, contents)]
        shutil.rmtree(root)
    print(json.dumps({**found, "ended": ended}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))

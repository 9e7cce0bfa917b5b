"""Kill a process before, in and after every call that changes something: ``rotation_crash_points.py FOLDER REPEATS``.

Each time a process is forked that works on a fresh copy of a tree and kills itself (SIGKILL) at the n-th such call.
Prints, as JSON, how many points there were and which calls were hit, and where content was lost or a further run did
not finish the work.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from pytest_causal.artifacts import rotation_log
from pytest_causal.artifacts.directory import Root
from pytest_causal.artifacts.retrieval import list_compressed, restore
from pytest_causal.model.artifact import LOG_NAME, OLD_LOG_NAME
from tests.artifacts.children.rotation_tree import Contents, fill, lost, rotate, strays, unfinished, write

CHANGING_CALLS = (
    *("fchmod", "fsync", "ftruncate", "link", "mkdir", "pwrite", "rename", "unlink", "utime", "write"),
    "sync",
)
WHEN = ("before", "in", "after")
LIMIT_BYTES = 60_000


class Scenario(NamedTuple):
    """A tree, what is done with it and killed, what finishes that, and what says that it is finished."""

    name: str
    fill: Callable[[Path, int], Contents]
    act: Callable[[Path], object]
    left: Callable[[Path], list[str]]
    further_runs: int = 1


def die_at(point: int, when: str, calls_file: int) -> None:
    """Arm this process: its n-th changing call is its last; the name of that call goes to a file."""
    calls = count()
    real_write = os.write

    def die(name: str) -> None:
        real_write(calls_file, f"{name}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)

    def armed(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            is_last = next(calls) == point
            if is_last and when == "before":
                die(name)
            if is_last and when == "in" and name == "write":
                real(args[0], bytes(args[1])[: len(args[1]) // 2])
                die(name)
            result = real(*args, **kwargs)
            if is_last:
                die(name)
            return result

        return call

    for name in CHANGING_CALLS:
        setattr(os, name, armed(name, getattr(os, name)))
    real_open = os.open

    def opened(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        return (armed("open", real_open) if flags & os.O_CREAT else real_open)(path, flags, *args, **kwargs)

    os.open = opened


def is_killed_at(point: int, when: str, act: Callable[[], object], calls_file: int) -> bool:
    """Act in a process that is killed at a point; return whether it got there."""
    child = os.fork()
    if child == 0:
        die_at(point, when, calls_file)
        act()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, -signal.SIGKILL):
        raise RuntimeError(f"the child failed by itself at {when} call {point}: {code}")
    return code != 0


def messy(root: Path, seed: int) -> Contents:
    """Beside the usual, all that may be found: a foreign archive, a finished frame, a stray, a log that is full."""
    contents = fill(root, seed=seed, large_bytes=70_000)
    write(root / "run/journal_0.jsonl.zst", b"not a frame", days_old=4)
    with Root.open(root) as opened, opened.create_temporary("run") as stray:
        stray.write(b"half")
        stray.is_named = True  # so that it stays
    write(root / LOG_NAME, b'{"timestamp":"2025-10-15T02:00:00Z"}\n' * 20, days_old=1)
    write(root / OLD_LOG_NAME, b'{"timestamp":"2025-10-14T02:00:00Z"}\n' * 20, days_old=1)
    return contents


def over_limit(root: Path, seed: int) -> Contents:
    """Only what a rule keeps, or what is of no class, must stay."""
    contents = fill(root, seed=seed, large_bytes=70_000)
    kept = ("run/ITER_SUMMARY_6.json", "run/ITER_SUMMARY_7.json", "run/TUNING_REPORT.json")
    return {name: contents[name] for name in kept}


def rotated(root: Path, seed: int) -> Contents:
    contents = fill(root, seed=seed, large_bytes=70_000)
    rotate(root)
    return contents


def restore_all(root: Path) -> None:
    with Root.open(root) as opened:
        for each in list_compressed(opened):
            if opened.look_up(each.name) is None:
                restore(opened, each.name)


def not_restored(root: Path) -> list[str]:
    with Root.open(root) as opened:
        return [each.name for each in list_compressed(opened) if opened.look_up(each.name) is None]


def rotate_limited(root: Path) -> object:
    return rotate(root, max_size_bytes=LIMIT_BYTES, max_removed_ratio=1.0)


def unfinished_limited(root: Path) -> list[str]:
    return unfinished(root, max_size_bytes=LIMIT_BYTES, max_removed_ratio=1.0)


SCENARIOS = (
    Scenario("rotation of a mess", messy, rotate, unfinished),
    # The next run finishes an archive that was written; it counts toward the limit from the run after that.
    Scenario("rotation over the limit", over_limit, rotate_limited, unfinished_limited, further_runs=2),
    Scenario("restoring", rotated, restore_all, not_restored),
)


def look(root: Path, scenario: Scenario, contents: Contents, where: str, found: dict[str, Any]) -> None:
    """Note what is lost now, and what is wrong after the work was done again."""
    found["lost"] += [f"{where}: {each}" for each in lost(root, contents)]
    for _ in range(scenario.further_runs):
        scenario.act(root)
    found["lost"] += [f"{where}, afterwards: {each}" for each in lost(root, contents)]
    found["unfinished"] += [f"{where}: {each}" for each in scenario.left(root)]
    code = rotate(root).exit_code  # which also removes what a killed restoring left half-written
    found["unfinished"] += [f"{where}: {each}" for each in strays(root)]
    found["unfinished"] += [f"{where}: exit code {code}"] if code else []


def sweep(scenario: Scenario, folder: Path, seed: int, calls_file: int, found: dict[str, Any]) -> None:
    template = folder / f"{scenario.name} {seed}"
    contents = scenario.fill(template, seed)
    for when in WHEN:
        for point in count():
            root = folder / f"{when}-{point}"
            shutil.copytree(template, root)
            died = is_killed_at(point, when, partial(scenario.act, root), calls_file)
            if died:
                found["points"] += 1
                look(root, scenario, contents, f"{scenario.name} {seed}, {when} call {point}", found)
            shutil.rmtree(root)
            if not died:
                break
    shutil.rmtree(template)


def main(folder: Path, repeats: int) -> None:
    rotation_log.MAX_LOG_BYTES = 700  # less than the log that is there
    found: dict[str, Any] = {"points": 0, "lost": [], "unfinished": []}
    calls = folder / "calls"
    with calls.open("wb", buffering=0) as file:
        for seed in range(1, repeats + 1):
            for scenario in SCENARIOS:
                sweep(scenario, folder, seed, file.fileno(), found)
    for name in ("lost", "unfinished"):
        found[name] = found[name][:20]
    print(json.dumps({**found, "calls": Counter(calls.read_text().split())}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

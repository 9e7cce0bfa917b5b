"""Run out of disk: ``full_disk.py FOLDER SEED``, as root of a mount table of its own.

Prints, as JSON, what was committed, what was found afterwards, and every complaint that was made.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

from pytest_causal.errors import StoreError
from pytest_causal.model.run import Outcome, Run
from pytest_causal.model.session import SessionEnding, SessionFacts, SessionState
from pytest_causal.store.interface import HistoryStore
from pytest_causal.store.opening import open_store

PAGE_BYTES = 4096
DISK_BYTES = 1000 * PAGE_BYTES
BATCH_RUNS = 25
PASSES = 10


@contextmanager
def small_disk(folder: Path, free_pages: int) -> Iterator[Path]:
    """Make a disk with so much free, at ``folder``; yield the file whose removal frees more."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder], check=True)
    try:
        ballast = folder / "ballast"
        with ballast.open("wb") as file:
            file.write(b"x" * (DISK_BYTES - free_pages * PAGE_BYTES))
        yield ballast
    finally:
        subprocess.run(["umount", folder], check=True)


def batch(place: int) -> list[Run]:
    names = [f"tests/test_{place}.py::test_{each}" for each in range(BATCH_RUNS)]
    return [Run(scenario=name, nodeid=name, outcome=Outcome.PASSED, started_us=1) for name in names]


def facts(uid: str) -> SessionFacts:
    return SessionFacts(uid=uid, key=uid, started_us=1)


def conclude(store: HistoryStore, number: int) -> None:
    with store.concluding(number, SessionEnding(state=SessionState.FINISHED, finished_us=1)) as conclusion:
        list(conclusion.tallies())


def look(path: Path, found: dict[str, list[object]], committed: int) -> None:
    """Note whether a reader finds every committed run, and nothing wrong."""
    store = open_store(str(path), readonly=True)
    health = store.health(deep=True)
    found["problems"] += health.problems
    found["wrong counts"] += [(committed, health.runs)] if health.runs != committed else []
    store.close()


def fill_while_recording(path: Path, found: dict[str, list[object]]) -> None:
    """Record until the disk is full, then get space and go on."""
    with small_disk(path.parent, random.randrange(90, 300)) as ballast:
        store = open_store(str(path))
        number = store.begin_session(facts("growing"))
        committed = 0
        try:
            while True:
                store.add_runs(number, batch(committed))
                committed += BATCH_RUNS
        except StoreError as error:
            found["complaints"].append(error.what)
        look(path, found, committed)
        ballast.unlink()
        store.add_runs(number, batch(committed))
        conclude(store, number)
        store.close()
        look(path, found, committed + BATCH_RUNS)
        found["passes"].append(committed)


def fill_before_the_nth_page(path: Path, free_pages: int, found: dict[str, list[object]]) -> None:
    """Do everything with only so many pages free, then get space and do it again."""
    complaints = 0
    with small_disk(path.parent, free_pages) as ballast:
        for uid in ("tight", "again"):
            try:
                with closing(open_store(str(path))) as store:
                    number = store.begin_session(facts(uid))
                    store.add_runs(number, batch(0))
                    conclude(store, number)
            except StoreError as error:
                found["complaints"].append(error.what)
                complaints += 1
            ballast.unlink(missing_ok=True)
        with closing(open_store(str(path))) as store:
            found["problems"] += [*store.notices, *store.health(deep=True).problems]
            again = store.find_session("again")
            found["wrong counts"] += (
                [] if again is not None and again.runs == BATCH_RUNS else [(free_pages, "again")]
            )
    found["steps"].append(complaints)


def main(folder: Path, seed: int) -> None:
    random.seed(seed)
    found: dict[str, list[object]] = {
        name: [] for name in ("passes", "steps", "complaints", "problems", "wrong counts")
    }
    for _ in range(PASSES):
        fill_while_recording(folder / "history.db", found)
    for free_pages in count():
        fill_before_the_nth_page(folder / "history.db", free_pages, found)
        if found["steps"][-1] == 0:
            break  # there was space enough, and nothing failed
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

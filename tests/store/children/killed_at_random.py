"""Kill a recording process at random moments: ``killed_at_random.py FOLDER ROUNDS SEED``.

Each round forks a process that records without end and acknowledges every commit through a pipe, once it has returned.
Prints, as JSON, what was acknowledged and what was found.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from pytest_causal.model.run import Outcome, Run
from pytest_causal.model.session import SessionEnding, SessionFacts, SessionState
from pytest_causal.store.interface import HistoryStore
from pytest_causal.store.opening import open_store

BATCH_RUNS = 10
ROUNDS_PER_STORE = 10


def record_for_ever(path: str, name: str, pipe: int) -> None:
    store = open_store(path)
    place = 0
    while True:
        place += 1
        uid = f"{name}-{place}"
        number = store.begin_session(SessionFacts(uid=uid, key=uid, started_us=1))
        os.write(pipe, f"{uid} begun\n".encode())
        for batch in range(5):
            ids = [f"{name}-{batch}-{each}" for each in range(BATCH_RUNS)]
            store.add_runs(
                number, [Run(scenario=id_, nodeid=id_, outcome=Outcome.PASSED, started_us=1) for id_ in ids]
            )
            os.write(pipe, f"{uid} {batch + 1}\n".encode())
        with store.concluding(number, SessionEnding(state=SessionState.FINISHED, finished_us=1)):
            pass
        os.write(pipe, f"{uid} ended\n".encode())


def kill_one(path: str, name: str, most_seconds: float) -> list[list[str]]:
    """Return what a process acknowledged before it was killed, within so many seconds."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            record_for_ever(path, name, write_end)
        finally:
            os._exit(1)
    os.close(write_end)
    time.sleep(random.uniform(0.001, most_seconds))
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), "the process ended by itself"
    with os.fdopen(read_end) as pipe:
        return [line.split() for line in pipe.read().splitlines()]


def check(store: HistoryStore, acknowledged: list[list[str]], found: dict[str, int]) -> None:
    for uid, what in acknowledged:
        session = store.find_session(uid)
        if session is None:
            found["lost"] += 1
        elif what == "ended":
            found["lost"] += session.order is None
        elif what != "begun":
            found["lost"] += session.runs < int(what) * BATCH_RUNS
    for session in store.sessions():
        counted = sum(store.outcome_counts(session.number).values())
        found["partial"] += counted % BATCH_RUNS != 0 or counted != session.runs


def main(folder: Path, rounds: int, seed: int) -> None:
    random.seed(seed)
    found = {"acknowledged": 0, "silent": 0, "lost": 0, "partial": 0}
    problems: list[str] = []
    most_seconds = 0.03
    for place in range(rounds):
        path = str(folder / f"{place // ROUNDS_PER_STORE}.db")
        acknowledged = kill_one(path, str(place), most_seconds)
        # On a machine that is slow or busy a process gets longer: the kills are to fall into all of what it does.
        most_seconds = min(1.0, most_seconds * 1.2) if not acknowledged else max(0.03, most_seconds * 0.95)
        found["acknowledged"] += len(acknowledged)
        found["silent"] += not acknowledged  # killed while it opened or made the store
        store = open_store(path)
        check(store, acknowledged, found)
        problems += store.health(deep=True).problems
        store.close()
    print(json.dumps({**found, "problems": problems}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))

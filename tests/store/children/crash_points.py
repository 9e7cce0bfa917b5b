"""Kill a recording process at a named point, again and again: ``crash_points.py STORE POINT ROUNDS``.

Each round forks a process that records one session of 25 runs, and is killed by its own hand at the point. What it
left is printed: how often the rounds ended with (runs of the session, its state, its evidence).
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
from collections import Counter
from contextlib import suppress

from pytest_causal.model.evidence import Evidence
from pytest_causal.model.run import Outcome, Run
from pytest_causal.model.session import SessionEnding, SessionFacts, SessionState
from pytest_causal.store.opening import open_store
from pytest_causal.store.sqlite import SqliteStore

RUNS = 25
POINTS = {
    "before begin": ("BEGIN", 1),
    "after begin": ("UPDATE origin", 1),
    "mid-results": ("INSERT INTO runs", 13),
    "before commit": ("COMMIT", 1),
    "after commit": ("BEGIN", 2),
    "mid-evidence": ("INSERT OR REPLACE INTO running_states", 13),
    "before commit of the conclusion": ("COMMIT", 2),
    "before checkpoint": ("PRAGMA wal_checkpoint", 1),
    "in checkpoint": ("never", 1),
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(store: SqliteStore, statement: str, count: int) -> None:
    """Die just before the given statement is executed for the ``count``-th time."""
    seen = 0

    def look(sql: str) -> None:
        nonlocal seen
        seen += sql.strip().startswith(statement)
        if seen == count:
            die()

    store._database.connection.set_trace_callback(look)


def record(path: str, uid: str, point: str) -> None:
    store = open_store(path)
    number = store.begin_session(SessionFacts(uid=uid, key=uid, started_us=1))
    die_at(store, *POINTS[point])
    names = [f"{uid}-{place}" for place in range(RUNS)]
    store.add_runs(
        number, [Run(scenario=name, nodeid=name, outcome=Outcome.PASSED, started_us=1) for name in names]
    )
    with store.concluding(number, SessionEnding(state=SessionState.FINISHED, finished_us=1)) as conclusion:
        states = [Evidence(scenario_id=tally.scenario_id, reads_id=0) for tally in conclusion.tallies()]
        conclusion.put_evidence("k", states)
    if point == "in checkpoint":
        threading.Timer(random.uniform(0.0, 0.002), die).start()
        while True:
            store.checkpoint()
            with store.amending():  # so that there is something to fold
                pass
    store.checkpoint()


def left_by(path: str, uid: str) -> str:
    """Say what a killed process left, and clear its evidence away."""
    store = open_store(path)
    session = store.find_session(uid)
    assert session is not None
    evidence = len(list(store.all_evidence("k")))
    whole = store.health().problems == ()
    with store.amending() as ledger:
        ledger.drop_evidence("k", [state.scenario_id for state in store.all_evidence("k")])
    store.close()
    return f"{session.runs} runs, {session.ending.state}, {evidence} states" + ("" if whole else ", damaged")


def main(path: str, point: str, rounds: int) -> None:
    random.seed(point)
    left: Counter[str] = Counter()
    for place in range(rounds):
        pid = os.fork()
        if pid == 0:
            with suppress(BaseException):
                record(path, str(place), point)
            os._exit(1)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), "the point was not reached"
        assert os.WTERMSIG(status) == signal.SIGKILL
        left[left_by(path, str(place))] += 1
    print(json.dumps(left))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

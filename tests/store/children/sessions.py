"""Record whole sessions: ``sessions.py STORE NAME SESSIONS RUNS``. Starts when its standard input is closed."""

from __future__ import annotations

import sys

from pytest_causal.model.run import Outcome, Run
from pytest_causal.model.session import SessionEnding, SessionFacts, SessionState
from pytest_causal.store.interface import HistoryStore
from pytest_causal.store.opening import open_store


def record(store: HistoryStore, uid: str, runs: int) -> None:
    number = store.begin_session(SessionFacts(uid=uid, key=uid, started_us=1))
    batch = [
        Run(scenario=f"test_{place}", nodeid=f"test_{place}", outcome=Outcome.PASSED, started_us=1)
        for place in range(runs)
    ]
    store.add_runs(number, batch)
    with store.concluding(number, SessionEnding(state=SessionState.FINISHED, finished_us=1)) as conclusion:
        assert sum(tally.passed for tally in conclusion.tallies()) == runs


if __name__ == "__main__":
    path, name, sessions, run_count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    sys.stdin.read()
    opened = open_store(path, busy_seconds=60.0)
    for place in range(sessions):
        record(opened, f"{name}-{place}", run_count)
    opened.close()
    print(*opened.notices, sep="\n")

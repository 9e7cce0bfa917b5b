"""Fork with a store open: ``fork.py STORE``. The child tries everything and ends as Python does; the parent goes on."""

from __future__ import annotations

import os
import sys

from pytest_causal.errors import StoreError
from pytest_causal.model.run import Outcome, Run
from pytest_causal.model.session import SessionFacts
from pytest_causal.store.interface import HistoryQuery
from pytest_causal.store.opening import open_store

run = Run(scenario="a", nodeid="a", outcome=Outcome.PASSED, started_us=1)
store = open_store(sys.argv[1])
number = store.begin_session(SessionFacts(uid="u", key="u", started_us=1))
store.add_runs(number, [run])
pid = os.fork()
if pid == 0:
    attempts = [
        lambda: store.add_runs(number, [run]),
        lambda: store.sessions(),
        lambda: list(store.history(HistoryQuery())),
        lambda: store.checkpoint(),
        lambda: store.health(),
        lambda: setattr(store, "busy_seconds", 1.0),
    ]
    refused = 0
    for attempt in attempts:
        try:
            attempt()
        except StoreError as error:
            refused += "was opened by another process (fork)" in error.what
    assert refused == len(attempts)
    store.close()
    store.close()
    print("child: was opened by another process")
    sys.exit(0)
_, status = os.waitpid(pid, 0)
assert status == 0
store.add_runs(number, [run])
store.close()
store = open_store(sys.argv[1])
health = store.health(deep=True)
print(f"parent: {health.runs} runs, {', '.join(health.problems) or 'no problems'}")
store.close()

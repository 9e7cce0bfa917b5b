"""Write to a store and fold its log into the main file, without end: ``fold_for_ever.py STORE``."""

from __future__ import annotations

import sys

from pytest_causal.model.run import Outcome, Run
from pytest_causal.model.session import SessionFacts
from pytest_causal.store.opening import open_store

store = open_store(sys.argv[1])
number = store.begin_session(SessionFacts(uid="folding", key="folding", started_us=1))
print("folding", flush=True)
place = 0
while True:
    names = [f"{place}-{each}" for each in range(100)]
    store.add_runs(
        number, [Run(scenario=name, nodeid=name, outcome=Outcome.PASSED, started_us=1) for name in names]
    )
    store.checkpoint()
    place += 1

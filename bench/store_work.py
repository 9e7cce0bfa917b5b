"""The work that the measurements of the store do, in a process of its own: ``python store_work.py TASK STORE ...``.

Prints one JSON object: CPU and wall seconds of the part that is measured, peak memory, and a count to check it by.
It imports the installed plugin and nothing of the harness.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections import Counter
from typing import TypedDict

from pytest_causal import clock
from pytest_causal.actions.conclude import conclude_session
from pytest_causal.actions.recording import Recording
from pytest_causal.model.criteria import Criteria
from pytest_causal.model.run import Outcome, Run
from pytest_causal.model.session import SessionEnding, SessionFacts, SessionState
from pytest_causal.rules.eligibility import Judge
from pytest_causal.store.liveness import process_identity
from pytest_causal.store.opening import open_store


class Cost(TypedDict):
    """What is measured of a task, and the number of scenarios it dealt with."""

    cpu_seconds: float
    wall_seconds: float
    peak_kib: int
    count: int


DAY_US = 86_400_000_000
SHOWN = 10
"""So many scenarios a session without ``-v`` has to show."""
FAILURE_EVERY = 211
"""One run in so many fails: other scenarios in each session."""


def session_runs(session: int, scenarios: int, started_us: int) -> list[Run]:
    """Return one run of each scenario, as a session of trivial tests has them."""
    return [
        Run(
            scenario=(name := f"tests/area_{number // 100:03}/test_module.py::test_case[{number}]"),
            nodeid=name,
            outcome=Outcome.FAILED if (number + 7 * session) % FAILURE_EVERY == 0 else Outcome.PASSED,
            started_us=started_us + 1_000 * number,
            setup_seconds=0.0001,
            call_seconds=0.0002,
            teardown_seconds=0.0001,
        )
        for number in range(scenarios)
    ]


def session_facts(uid: str, started_us: int) -> SessionFacts:
    return SessionFacts(uid=uid, key=uid, started_us=started_us, process=process_identity())


def finished(started_us: int) -> SessionEnding:
    return SessionEnding(state=SessionState.FINISHED, finished_us=started_us + 60_000_000, exit_status=1)


def fill(location: str, sessions: int, scenarios: int) -> int:
    """Record sessions, a day apart and the last of them yesterday, through the store's own interface."""
    store = open_store(location)
    first_us = clock.now_us() - sessions * DAY_US
    for session in range(sessions):
        started_us = first_us + session * DAY_US
        number = store.begin_session(session_facts(f"filled-{session}", started_us))
        store.add_runs(number, session_runs(session, scenarios, started_us))
        conclude_session(store, number, finished(started_us), Criteria())
    store.checkpoint()
    runs = store.health().runs
    store.close()
    return runs


def record(location: str, scenarios: int) -> Cost:
    """Record one session as the plugin does: open, small batches, fold the evidence, close."""
    started_us = clock.now_us()
    facts = session_facts(os.urandom(16).hex(), started_us)
    runs = session_runs(started_us % FAILURE_EVERY, scenarios, started_us)
    recording = Recording(lambda: open_store(location), facts, busy_seconds=30.0)
    meter = Meter()
    recording.start()
    for run in runs:
        recording.add(run)
    _, judgements = recording.conclude(finished(started_us), Criteria(), [], show=SHOWN)
    recording.close()
    return meter.read(count=sum(judgements.counts.values()))


def decide(location: str) -> Cost:
    """Give the verdict on every scenario, from the running states of a store that is open."""
    store = open_store(location, readonly=True)
    judge = Judge(Criteria(), clock.now_us())
    meter = Meter()
    verdicts = Counter(judge.decide(state).verdict for state in store.all_evidence(judge.criteria.state_key))
    cost = meter.read(count=verdicts.total())
    store.close()
    return cost


class Meter:
    """Reads what this process has used since the meter was made."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.monotonic()

    def read(self, *, count: int) -> Cost:
        return {
            "cpu_seconds": time.process_time() - self._cpu,
            "wall_seconds": time.monotonic() - self._wall,
            "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            "count": count,
        }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=["fill", "record", "decide"])
    parser.add_argument("store")
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--scenarios", type=int, default=10_000)
    given = parser.parse_args()
    match given.task:
        case "fill":
            result: object = {"count": fill(given.store, given.sessions, given.scenarios)}
        case "record":
            result = record(given.store, given.scenarios)
        case _:
            result = decide(given.store)
    print(json.dumps(result))


if __name__ == "__main__":
    main()

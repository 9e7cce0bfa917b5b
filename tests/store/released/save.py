"""Print the dump of a small store that holds something of everything: ``save.py > schema_N.sql``, once a release.

A dump that was released is never made again: it stands for the stores that people have.
"""

from __future__ import annotations

import sqlite3
import tempfile
from itertools import count
from pathlib import Path
from typing import Any

from pytest_causal.model.evidence import Evidence, Verdict
from pytest_causal.model.run import Cause, Metric, MetricKind, Outcome, Phase, Read, ReadHow, Run
from pytest_causal.model.scenario import Declaration
from pytest_causal.model.session import SessionEnding, SessionFacts, SessionState
from pytest_causal.store.interface import HistoryStore
from pytest_causal.store.migrations import APPLICATION_ID, read_version
from pytest_causal.store.opening import open_store

times_us = count(1_763_700_000_000_000, 1000)


def run(name: str, outcome: Outcome = Outcome.PASSED, **fields: Any) -> Run:
    nodeid = f"tests/test_a.py::{name}"
    timing = {"started_us": next(times_us), "setup_seconds": 0.001, "call_seconds": 0.25}
    return Run(**{"scenario": nodeid, "nodeid": nodeid, "outcome": outcome, **timing, **fields})


def facts(uid: str, **fields: Any) -> SessionFacts:
    place = {
        "branch": "main",
        "python": "3.11.7",
        "platform": "Linux",
        "host": "runner-1",
        "process": "17:4242",
    }
    versions = {"plugin_version": "0.1.0", "pytest_version": "9.0.2"}
    return SessionFacts(
        **{"uid": uid, "key": uid, "started_us": next(times_us), **place, **versions, **fields}
    )


def ending(state: SessionState, **fields: Any) -> SessionEnding:
    return SessionEnding(state=state, finished_us=next(times_us), **fields)


def fill(store: HistoryStore) -> None:
    ci = {"key": "github:77:1", "ci_provider": "github", "ci_run": "77", "ci_attempt": "1", "ci_job": "test"}
    first = store.begin_session(facts("first", commit="4f2a9d0c", is_dirty=False, workers=2, **ci))
    infrastructure = Cause(
        phase=Phase.CALL, type="ValueError", message="no \0 number", is_infrastructure=True
    )
    failure = Cause(phase=Phase.CALL, type="AssertionError", message="assert 1 == 2")
    store.add_runs(
        first,
        [
            run("test_plain", worker="gw0"),
            run("test_flaky", Outcome.FAILED, cause=failure, is_superseded=True, worker="gw1"),
            run("test_flaky", attempt=2, worker="gw1"),
            run(
                "test_measured",
                metrics=(
                    Metric(name="latency_ms", value=12.5),
                    Metric(name="ratio", value=None, kind=MetricKind.NAN),
                ),
                reads=(
                    Read(path="standard.max_wall_time_ms", value="30000"),
                    Read(path="standard.mode", value='"fast"', how=ReadHow.DECLARED),
                ),
            ),
            run("test_odd\\x00[\udcff]", Outcome.ERROR, cause=infrastructure),
            run("test_old", Outcome.SKIPPED, cause=Cause(phase=Phase.SETUP, type="", message="not here")),
        ],
    )
    with store.concluding(first, ending(SessionState.FINISHED, exit_status=1)) as conclusion:
        states = [
            Evidence(
                scenario_id=tally.scenario_id,
                reads_id=tally.reads_id,
                passed=tally.passed,
                units=1,
                wealth=(1.0, 0.5, 1e-300, 4.0, 5.0, 6.0, 7.0),
                ruin=(1.0, 2.0, 3.0, 4.0, 5.0),
                last_order=tally.order,
                last_session=tally.session,
                last_run_us=tally.last_run_us,
                commit_seen=tally.commit,
                commit_marks=1,
                verdict=Verdict.NOT_YET,
            )
            for tally in conclusion.tallies()
        ]
        conclusion.put_evidence("key", states)
    second = store.begin_session(facts("second"))
    store.add_runs(second, [run("test_plain"), run("test_x[1]", scenario="renamed", arm="candidate:fast")])
    with store.concluding(second, ending(SessionState.INTERRUPTED, exit_status=2, is_dirty=True)):
        pass
    store.alias("tests/test_a.py::test_old", "renamed", next(times_us))
    store.declare([Declaration(scenario="renamed", tags=("soak",), criteria=(("min_runs", 5),))])
    third = store.begin_session(facts("third", is_trusted=False))
    store.add_runs(third, [run("test_plain", Outcome.CRASHED)])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"
        store = open_store(str(path))
        fill(store)
        store.close()
        connection = sqlite3.connect(path)
        print(f"PRAGMA application_id={APPLICATION_ID};\nPRAGMA journal_mode=WAL;\nBEGIN TRANSACTION;")
        print(
            *(line for line in connection.iterdump() if line not in {"BEGIN TRANSACTION;", "COMMIT;"}),
            sep="\n",
        )
        print(f"PRAGMA user_version={read_version(connection)};\nCOMMIT;")
        connection.close()


if __name__ == "__main__":
    main()

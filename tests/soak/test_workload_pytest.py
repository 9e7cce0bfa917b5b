"""Sessions of pytest as a workload: real ones, in processes of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.model.run import Metric, MetricKind, Outcome, Read, Run
from tools.soak.interruption import Interruption
from tools.soak.measurement import Measurement
from tools.soak.workload_pytest import PytestWorkload, summed
from tools.soak.workloads import Task


@pytest.fixture
def measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Measurement]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "causal.toml").write_text("[policy.limits]\nrows = 5\nms = 100\n", "utf-8")

    def run(tests: str, *arguments: str, **changes: Any) -> Measurement:
        (tmp_path / "test_it.py").write_text(tests, "utf-8")
        given: dict[str, Any] = {
            "run": "a",
            "iteration": 1,
            "seed": 1,
            "values": {"limits.rows": 10, "limits.ms": 100},
            "folder": tmp_path / "attempt",
            "timeout_seconds": 60.0,
            "interruption": Interruption(),
        }
        return PytestWorkload(arguments=("-q", *arguments)).measure(Task(**{**given, **changes}))

    return run


def values_of(found: Measurement) -> dict[str, float | None]:
    return {name: sample.value for name, sample in found.metrics.items()}


def test_k16_a_session_is_measured_under_the_values_of_the_iteration(measure) -> None:
    found = measure(
        "def test_rows(causal_policy, causal_metric):\n"
        "    causal_metric('rows', causal_policy['limits']['rows'])\n"
        "def test_other(causal_metric):\n"
        "    causal_metric('rows', 20)\n"
        "def test_broken():\n"
        "    assert False\n"
    )
    assert found.problem == ""
    assert values_of(found)["rows"] == 15
    assert values_of(found)["tests"] == 3
    assert values_of(found)["failure_ratio"] == pytest.approx(1 / 3)
    assert found.reads == (Read("limits.rows", "10"),)


@pytest.mark.parametrize(
    ("tests", "arguments", "problem"),
    [
        ("import pytest\ndef test_it(): pytest.exit('enough')", (), "pytest was interrupted"),
        ("def test_it(): pass", ("--no-such-option",), "pytest was called wrongly"),
        ("", (), "pytest found no tests"),
        ("def test_it(): pass", ("-k", "nothing"), "pytest found no tests"),
        ("import pytest\n@pytest.mark.skip\ndef test_it(): pass", (), "no test ran"),
    ],
    ids=["2", "4", "5", "deselected", "all skipped"],
)
def test_k16_a_session_without_results_is_a_problem(
    measure, tests: str, arguments: tuple[str, ...], problem: str
) -> None:
    assert measure(tests, *arguments).problem == problem


def test_k16_an_internal_error_of_pytest_is_a_problem(measure, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("def pytest_runtestloop(): raise RuntimeError\n", "utf-8")
    assert measure("def test_it(): pass").problem == "pytest met an internal error"


def test_k16_a_session_that_hangs_is_ended(measure) -> None:
    found = measure("import time\ndef test_it(): time.sleep(600)\n", timeout_seconds=2.0)
    assert found.problem.startswith("not done in 2.")


def test_k16_a_session_that_uses_the_plugin_itself_keeps_its_store_out_of_ours(
    measure, tmp_path: Path
) -> None:
    measure("def test_it(): pass\n", "-p", "causal")
    assert not (tmp_path / ".causal").exists()


def test_what_did_not_run_and_what_was_run_again_does_not_count() -> None:
    def run(outcome: Outcome, **others: Any) -> Run:
        return Run(scenario="s", nodeid="s", outcome=outcome, started_us=1, call_seconds=1.0, **others)

    found = summed(
        [
            run(Outcome.PASSED, metrics=(Metric("m", 1.0), Metric("n", None, MetricKind.NAN))),
            run(Outcome.FAILED, is_superseded=True),
            run(Outcome.SKIPPED),
            run(Outcome.MISSING),
            run(Outcome.CRASHED, metrics=(Metric("m", 3.0), Metric("n", 1.0))),
        ]
    )
    assert values_of(found)["failure_ratio"] == 0.5
    assert (values_of(found)["m"], found.metrics["m"].samples) == (2.0, 2)
    assert values_of(found)["n"] is None, "a metric that was NaN once has no mean"
    assert values_of(found)["p95_seconds"] == pytest.approx(1.0, rel=0.01)

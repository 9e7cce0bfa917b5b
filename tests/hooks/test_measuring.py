"""Metrics that other plugins' hooks add to a run; what goes wrong there costs the run nothing else."""

from __future__ import annotations

import pytest

from pytest_causal.model.run import MetricKind

COUNTING = """
import pytest
def pytest_causal_metrics(item, report):
    with open("asked.txt", "a") as file: file.write(f"{item.name} {report.when} {report.outcome}\\n")
    if "value" in item.funcargs: return {"value": item.funcargs["value"], "odd": float("nan")}
"""
TESTS = """
import pytest
@pytest.fixture
def value(): return 7
def test_passed(value): pass
def test_failed(value): assert 0
def test_own(value, causal_metric): causal_metric("value", 1); causal_metric("mine", 2)
@pytest.fixture
def broken(value): raise OSError("no")
def test_setup(value, broken): pass
@pytest.mark.skip
def test_skipped(value): pass
@pytest.mark.xfail
def test_xfailed(value): assert 0
"""


def metrics(suite) -> dict[str, dict[str, float | None]]:
    return {name: {each.name: each.value for each in run.metrics} for name, run in suite.by_test().items()}


def test_metrics_are_added_once_a_run_with_its_last_word(suite, distribution) -> None:
    suite.write(conftest=COUNTING, test_it=TESTS)
    assert suite.run(*distribution).returncode == 1
    measured = {"value": 7.0, "odd": None}
    assert metrics(suite) == {
        "test_passed": measured,
        "test_failed": measured,
        "test_own": {**measured, "mine": 2.0},
        "test_setup": measured,
        "test_skipped": {},
        "test_xfailed": measured,
    }
    assert sorted((suite.root / "asked.txt").read_text().splitlines()) == [
        "test_failed call failed",
        "test_own call passed",
        "test_passed call passed",
        "test_setup setup failed",
        "test_xfailed call skipped",
    ]
    odd = next(each for each in suite.by_test()["test_passed"].metrics if each.name == "odd")
    assert odd.kind is MetricKind.NAN


def test_each_attempt_of_a_rerun_has_its_metrics(suite) -> None:
    suite.write(
        conftest="""
        attempts = []
        def pytest_causal_metrics(item):
            attempts.append(item)
            return {"attempt": len(attempts)}
        """,
        test_it="def test_it(): assert 0\n",
    )
    suite.run("-p", "rerunfailures", "--reruns=2")
    assert [[each.value for each in run.metrics] for run in suite.runs()] == [[1.0], [2.0], [3.0]]


def test_a_hook_near_a_test_is_asked_for_that_test_only(suite, distribution) -> None:
    hook = "def pytest_causal_metrics(): return {'place': PLACE}\n"
    suite.write(
        **{
            "a/conftest": hook.replace("PLACE", "1"),
            "b/conftest": hook.replace("PLACE", "2"),
            "a/test_a": "def test_a(): pass\n",
            "b/test_b": "def test_b(): pass\n",
            "test_c": "def test_c(): pass\n",
        }
    )
    assert suite.run(*distribution).returncode == 0
    assert metrics(suite) == {"test_a": {"place": 1.0}, "test_b": {"place": 2.0}, "test_c": {}}


@pytest.mark.parametrize("strict", [(), ("-W", "error")], ids=["warned", "errors"])
def test_one_that_raises_costs_the_run_its_metrics_and_nothing_else(suite, distribution, strict) -> None:
    suite.write(
        conftest="def pytest_causal_metrics(): raise LookupError('no counter')\n",
        test_it="def test_a(causal_metric): causal_metric('mine', 1)\ndef test_b(): pass\n",
    )
    result = suite.run(*distribution, *strict)
    assert result.returncode == 0, result.stdout
    assert metrics(suite) == {
        "test_a": {"mine": 1.0, "causal_hooks_failed": 1.0},
        "test_b": {"causal_hooks_failed": 1.0},
    }
    assert ("pytest_causal_metrics failed: LookupError: no counter" in result.stdout) is not strict


def test_a_module_named_in_the_settings_is_asked_in_every_process(suite, distribution) -> None:
    (suite.root / "causal.toml").write_text('plugins = ["counters"]\n')
    (suite.root / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    suite.write(counters="def pytest_causal_metrics(): return {'n': 3}\n", test_it="def test_it(): pass\n")
    assert suite.run(*distribution).returncode == 0
    assert metrics(suite) == {"test_it": {"n": 3.0}}


def test_a_module_that_cannot_be_imported_is_a_usage_error(inner) -> None:
    inner.write(test_it="def test_it(): pass\n")
    result = inner.run("--causal-plugins=no_such_module_at_all")
    assert result.returncode == 4
    assert "plugins: importing no_such_module_at_all failed" in result.stderr


def test_an_idle_plugin_knows_the_hooks_and_asks_nobody(suite) -> None:
    suite.write(
        conftest="def pytest_causal_metrics(): raise AssertionError\ndef pytest_causal_decision(decision): pass\n",
        test_it="def test_it(causal_metric): pass\n",
    )
    result = suite.run(causal=False, PYTEST_DISABLE_PLUGIN_AUTOLOAD="")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 passed" in result.stdout
    assert not suite.store.exists()


def test_a_hook_that_does_not_exist_is_refused(inner) -> None:
    inner.write(conftest="def pytest_causal_apply(chnage): pass\n", test_it="def test_it(): pass\n")
    result = inner.run()
    assert result.returncode != 0
    assert "chnage" in result.stderr + result.stdout

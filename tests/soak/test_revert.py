"""Putting back what a run has changed, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.errors import ExitCode
from tools.soak.journal import Journal, Step
from tools.soak.lease import LeaseHeldError, lease
from tools.soak.parameters import Author, SafetyStopError, restore
from tools.soak.revert import revert
from tools.soak.verify import verify


@pytest.fixture
def stop(bench, measured) -> Callable[..., Any]:
    """Make a run that was interrupted in its ninth iteration: five were good, values moved on since."""

    def answer(task: Any) -> Any:
        if task.iteration == 8:
            task.interruption.ask("SIGTERM")
            return measured(problem="interrupted")
        if task.iteration > 5:
            return measured({"risk_ratio": 0.9})
        return measured({"slippage_bps_p95": 2.6})

    def run(**changes: Any) -> Any:
        workload = type("Stopping", (), {"measure": staticmethod(answer)})()
        ending = bench.begin(workload, iterations=20, auto_tune=True, **changes)
        assert ending.exit_code == ExitCode.BUSY
        bench.good = bench.summary(5)["values"]
        assert bench.progress().values != bench.good, "something is there to revert"
        return bench

    return run


@pytest.fixture
def stopped(stop) -> Any:
    return stop()


def in_force(bench: Any) -> dict[str, Any]:
    from tools.soak.identity import stand

    values: dict[str, Any] = stand(bench.progress().plan, bench.folder()).parameters.policy().flat
    return values


def test_k12_the_last_good_values_are_put_back(stopped) -> None:
    done = revert("a", stopped.out, stopped.clock)
    assert done["is_changed"]
    assert in_force(stopped) == stopped.good
    assert verify(stopped.folder()).found == ()


def test_the_values_of_the_beginning_are_put_back_on_request(stopped) -> None:
    revert("a", stopped.out, stopped.clock, to_base=True)
    assert in_force(stopped) == stopped.progress().plan.values


@pytest.mark.parametrize("to_base", [False, True])
def test_d30_what_others_had_changed_before_is_not_taken_back(stop, tmp_path: Path, to_base: bool) -> None:
    shared = tmp_path / "shared.json"
    restore(shared, {"impact.max_delta_ratio": 0.13}, Author(by="a promotion", at="2026-01-01T00:00:00Z"))
    stopped = stop(overrides=str(shared))
    revert("a", stopped.out, stopped.clock, to_base=to_base)
    left = json.loads(shared.read_text("utf-8"))
    assert left["values"]["impact"]["max_delta_ratio"] == 0.13
    began = {**stopped.progress().plan.values, "impact.max_delta_ratio": 0.13}
    assert in_force(stopped) == (began if to_base else stopped.good)


def test_a_revert_done_again_changes_nothing(stopped) -> None:
    revert("a", stopped.out, stopped.clock)
    before = (stopped.folder() / "runtime_overrides.json").read_bytes()
    assert not revert("a", stopped.out, stopped.clock)["is_changed"]
    assert (stopped.folder() / "runtime_overrides.json").read_bytes() == before


@pytest.mark.parametrize("at", [Step.REVERTING, Step.REVERTED])
def test_k12_a_revert_that_was_killed_is_finished_by_the_next(stopped, at: Step, monkeypatch) -> None:
    append = Journal.append

    class Killed(BaseException):
        pass

    def dying(self: Journal, step: Step, *others: Any) -> Any:
        if step is at:
            raise Killed
        return append(self, step, *others)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", dying)
        with pytest.raises(Killed):
            revert("a", stopped.out, stopped.clock)
    assert stopped.lines()[-1].step is not at
    revert("a", stopped.out, stopped.clock)
    assert in_force(stopped) == stopped.good
    assert stopped.lines()[-1].step is Step.REVERTED


def test_a_run_that_was_reverted_cannot_go_on(stopped) -> None:
    revert("a", stopped.out, stopped.clock)
    with pytest.raises(SafetyStopError, match="was reverted"):
        stopped.resume()


def test_k12_a_revert_that_cannot_be_made_is_loud(stopped) -> None:
    path = stopped.folder() / "runtime_overrides.json"
    path.write_text(path.read_text("utf-8").replace("0.2", "0.19"), "utf-8")
    with pytest.raises(SafetyStopError, match="edited by hand") as caught:
        revert("a", stopped.out, stopped.clock)
    assert caught.value.exit_code == ExitCode.LOCKED


def test_a_run_that_goes_on_is_not_reverted(stopped) -> None:
    with lease(stopped.folder() / "run.lock", "run a"), pytest.raises(LeaseHeldError):
        revert("a", stopped.out, stopped.clock)

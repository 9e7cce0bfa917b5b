"""A short soak from end to end, as a person runs it: under two minutes with ``SOAK_SLEEP_SECONDS=5 pytest -m smoke``.

Every check here must be able to fail: ``test_soak_mutants.py`` breaks the toolkit in the ways its predecessor was
broken, and this suite must notice each.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.errors import ExitCode
from pytest_causal.policy.profiles import shipped_profiles
from tools.soak.command import soak_run
from tools.soak.mock_market import Mode, optimum
from tools.soak.verify import verify

pytestmark = pytest.mark.smoke
SLEEP = os.environ.get("SOAK_SLEEP_SECONDS", "0.1")  # read now: no test sees the variables of the caller
SHIPPED = ("steady_safe", "ultra_safe", "aggressive")
BOUNDED = 60
"""Iterations in which tuning must have come near the optimum."""


class Soak:
    """One run of ``python -m tools.soak.run``, and what it left."""

    def __init__(self, code: int, folder: Path) -> None:
        self.code = code
        self.folder = folder

    def read(self, name: str) -> dict[str, Any]:
        data: dict[str, Any] = json.loads((self.folder / name).read_text("utf-8"))
        return data

    def summaries(self) -> list[dict[str, Any]]:
        return [
            self.read(f"ITER_SUMMARY_{number}.json")
            for number in range(1, len(list(self.folder.glob("ITER_SUMMARY_*.json"))) + 1)
        ]


@pytest.fixture
def soak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Soak]:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, run_id: str = "smoke") -> Soak:
        with pytest.raises(SystemExit) as ended:
            soak_run.main([*arguments, "--mock", "--run-id", run_id])
        return Soak(int(ended.value.code or 0), tmp_path / "artifacts" / "soak" / run_id)

    return run


def test_three_iterations_are_run_judged_tuned_and_reported(
    soak: Callable[..., Soak], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOAK_SLEEP_SECONDS", SLEEP)
    began = time.monotonic()
    run = soak("--iterations", "3", "--auto-tune", "--kpi-set", "smoke")
    assert time.monotonic() - began < 120
    assert time.monotonic() - began >= 2 * float(SLEEP), "it kept to the schedule"
    assert run.code == ExitCode.OK
    assert len(run.summaries()) == 3
    for summary in run.summaries():
        metrics = {name: sample["value"] for name, sample in summary["metrics"].items()}
        assert metrics["risk_ratio"] <= 0.8
        assert metrics["net_bps"] > -10
        assert metrics["maker_taker_ratio"] >= 0.5
    assert run.read("KPI_GATE.json")["verdict"] in ("PASS", "WARN")
    assert verify(run.folder).found == ()


def test_values_are_applied_live_read_and_credited(soak: Callable[..., Soak]) -> None:
    run = soak("--iterations", "4", "--auto-tune")
    steps = 0
    for before, after in zip(run.summaries(), run.summaries()[1:], strict=False):
        moved = {step["path"]: step for step in before["tuning"]["applied"]}
        expected = {**before["values"], **{path: step["after"] for path, step in moved.items()}}
        assert after["values"] == expected
        assert after["tuning"]["credited"] == sorted(moved)
        assert after["tuning"]["uncredited"] == []
        reads = {read["path"]: read["value"] for read in after["reads"]}
        assert all(reads[path] == json.dumps(step["after"]) for path, step in moved.items())
        steps += len(moved)
    assert steps > 0
    assert run.summaries()[-1]["tuning"]["applied"] == []


def test_the_file_holds_what_is_in_force(soak: Callable[..., Soak]) -> None:
    run = soak("--iterations", "4", "--auto-tune")
    overrides = run.read("runtime_overrides.json")
    last = run.summaries()[-1]
    found = {
        f"{table}.{name}": value
        for table, names in overrides["values"].items()
        for name, value in names.items()
    }
    assert found
    assert found == {path: last["values"][path] for path in found}
    assert overrides["fingerprint"] == last["fingerprint"]


def test_metrics_follow_the_values(soak: Callable[..., Soak]) -> None:
    """A/A: equal values give equal numbers. Dose: the farther from the best pace, the less is earned."""
    earned = {}
    for name, interval in (("best", 55), ("same", 55), ("slow", 70), ("slower", 80)):
        run = soak("--iterations", "1", "--set", f"quoting.min_interval_ms={interval}", run_id=name)
        earned[name] = run.summaries()[0]["metrics"]["net_bps"]["value"]
    assert earned["best"] == earned["same"]
    assert earned["best"] > earned["slow"] > earned["slower"]


@pytest.mark.parametrize("profile", SHIPPED)
def test_tuning_comes_near_the_optimum_within_bounds(soak: Callable[..., Soak], profile: str) -> None:
    run = soak("--iterations", str(BOUNDED), "--auto-tune", "--sleep", "0", "--profile", profile)
    best = optimum(Mode.CALM).net_bps
    tail = [summary["metrics"]["net_bps"]["value"] for summary in run.summaries()[-20:]]
    assert sum(tail) / len(tail) >= best - 0.1 * abs(best)
    bounds = json.loads((shipped_profiles() / f"{profile}.json").read_text("utf-8"))["bounds"]
    for summary in run.summaries():
        for path, bound in bounds.items():
            assert bound["min"] <= summary["values"][path] <= bound["max"]
        assert summary["metrics"]["net_bps"]["value"] > -5, "the cliff was crossed"


def test_precedence_flag_over_environment_over_profile(
    soak: Callable[..., Soak], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "quoting.min_interval_ms"
    assert soak("--iterations", "1", run_id="profile").summaries()[0]["values"][path] == 75
    monkeypatch.setenv("MM_RUNTIME_OVERRIDES_JSON", '{"min_interval_ms": 65}')
    assert soak("--iterations", "1", run_id="environment").summaries()[0]["values"][path] == 65
    flagged = soak("--iterations", "1", "--set", f"{path}=55", run_id="flag")
    assert flagged.summaries()[0]["values"][path] == 55


def test_what_the_environment_fixes_tuning_cannot_move_and_says_so(
    soak: Callable[..., Soak], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MM_RUNTIME_OVERRIDES_JSON", '{"min_interval_ms": 75, "replace_rate_per_min": 260}')
    run = soak("--iterations", "4", "--auto-tune")
    assert {summary["values"]["quoting.min_interval_ms"] for summary in run.summaries()} == {75}
    assert any(
        "quoting.min_interval_ms is 75 by env" in summary["tuning"]["taken_back"]
        for summary in run.summaries()
    )


def test_limits_that_are_broken_fail_the_run(soak: Callable[..., Soak]) -> None:
    careless = (
        "quoting.base_spread_bps_delta=0.08",
        "quoting.min_interval_ms=40",
        "impact.impact_cap_ratio=0.12",
    )
    settings = [word for each in careless for word in ("--set", each)]
    run = soak(
        "--iterations", "2", *settings, "--set", "impact.max_delta_ratio=0.16", "--kpi-set", "production"
    )
    assert run.code == ExitCode.FAIL
    assert run.read("KPI_GATE.json")["verdict"] == "FAIL"

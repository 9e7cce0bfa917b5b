"""Soaks in history: a rule of promotion is earned by soaks that read its values, and by nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.errors import ExitCode
from pytest_causal.model.run import Outcome
from pytest_causal.store.interface import HistoryQuery
from pytest_causal.store.opening import open_store
from tools.soak.command import soak_run
from tools.soak.history import run_of
from tools.soak.kpi import Verdict
from tools.soak.progress import replayed

CAUSAL = str(Path(sysconfig.get_path("scripts")) / "causal")
NEW = ("--set", "quoting.min_interval_ms=60")
RULE = """
profile = "steady_safe"

[[promotion]]
name = "faster-quotes"
mode = "{mode}"
scenarios = ["soak:mock/steady_safe"]
changes = {{ "quoting.min_interval_ms" = {value} }}
criteria = {{ rule = "threshold", min_sessions = 2, min_runs = 20 }}
metrics = {{ net_bps = {{ min = {net_bps} }} }}
revert_when = {{ failure_rate = {{ max = 0.2 }} }}
"""


class Project:
    """A directory with one rule of promotion, in which soaks are run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._soaks = 0

    def rule(self, *, mode: str = "propose", value: float = 60, net_bps: float = 2.0) -> None:
        (self.root / "causal.toml").write_text(RULE.format(mode=mode, value=value, net_bps=net_bps), "utf-8")

    def soak(self, *words: str) -> int:
        self._soaks += 1
        given = ("--mock", "--iterations", "12", "--run-id", f"r{self._soaks}", "--seed", str(self._soaks))
        with pytest.raises(SystemExit) as ended:
            soak_run.main([*given, *words])
        return int(ended.value.code or 0)

    def decide(self) -> tuple[int, str]:
        done = subprocess.run(
            [CAUSAL, "decide", "--json"], cwd=self.root, env=dict(os.environ), capture_output=True, text=True
        )
        (rule,) = json.loads(done.stdout)["rules"]
        return done.returncode, rule["decision"]["verdict"]["verdict"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    made = Project(tmp_path)
    made.rule()
    return made


def test_a_promotion_is_earned_by_soaks_that_read_its_values_and_by_no_others(project: Project) -> None:
    for _ in range(3):
        assert project.soak() == ExitCode.OK
    assert project.decide() == (ExitCode.INCONCLUSIVE, "inert"), "36 passes say nothing of another value"
    assert project.soak(*NEW) == ExitCode.OK
    assert project.decide()[1] == "not_yet", "one session is not enough"
    assert project.soak(*NEW) == ExitCode.OK
    assert project.decide() == (ExitCode.OK, "eligible")


def test_the_verdict_depends_on_what_the_soaks_measured(project: Project) -> None:
    project.rule(net_bps=50.0)  # which no soak can reach
    for _ in range(2):
        project.soak(*NEW)
    assert project.decide()[1] == "not_yet"
    project.rule(net_bps=2.0)
    assert project.decide()[1] == "eligible"


def test_soaks_that_fail_under_the_new_values_speak_against_them(project: Project) -> None:
    slower = ("--set", "quoting.min_interval_ms=60", "--set", "quoting.base_spread_bps_delta=0.25")
    for _ in range(2):
        assert project.soak(*NEW, *slower[2:], "--kpi-set", "production") != ExitCode.OK
    assert project.decide()[1] != "eligible"


@pytest.mark.slow
def test_in_mode_auto_a_change_is_made_when_soaks_have_earned_it_and_taken_up_by_the_next(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.rule(mode="auto")
    project.soak()
    project.soak(*NEW)
    assert not (project.root / ".causal" / "runtime_overrides.json").exists()
    project.soak(*NEW)
    assert "faster-quotes" in capsys.readouterr().err
    overrides = json.loads((project.root / ".causal" / "runtime_overrides.json").read_text("utf-8"))
    assert overrides["values"]["quoting"]["min_interval_ms"] == 60
    project.soak()
    summary = json.loads((project.root / "artifacts/soak/r4/ITER_SUMMARY_1.json").read_text("utf-8"))
    assert summary["values"]["quoting.min_interval_ms"] == 60


def test_iterations_of_the_warm_up_are_no_evidence(project: Project) -> None:
    for _ in range(2):
        project.soak(*NEW, "--warmup", "12")
    assert project.decide()[1] != "eligible"


def test_a_soak_that_was_recorded_is_not_recorded_again(project: Project) -> None:
    project.soak()
    done = subprocess.run([CAUSAL, "soak", "resume", "r1"], cwd=project.root, env=dict(os.environ))
    assert done.returncode == ExitCode.OK
    store = open_store(str(project.root / ".causal" / "history.db"), readonly=True)
    try:
        assert len(list(store.sessions())) == 1
        assert len(list(store.history(HistoryQuery()))) == 12
    finally:
        store.close()


def test_without_history_nothing_is_stored(project: Project) -> None:
    assert project.soak("--no-history") == ExitCode.OK
    assert not (project.root / ".causal").exists()


def test_a_store_that_cannot_be_opened_is_one_line_and_changes_no_verdict(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    (project.root / ".causal").mkdir()
    (project.root / ".causal" / "history.db").mkdir()
    assert project.soak() == ExitCode.OK
    assert "the run is not in the history: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("metrics", "verdict", "outcome"),
    [
        ({}, Verdict.PASS, Outcome.PASSED),
        ({"risk_ratio": 0.45}, Verdict.WARN, Outcome.PASSED),
        ({"risk_ratio": 0.9}, Verdict.FAIL, Outcome.FAILED),
        ({"risk_ratio": None}, Verdict.INCONCLUSIVE, Outcome.MISSING),
    ],
)
def test_no_verdict_is_no_evidence_for_or_against(
    bench: Any,
    scripted: Callable[..., Any],
    measured: Callable[..., Any],
    metrics: Any,
    verdict: Verdict,
    outcome: Outcome,
) -> None:
    bench.begin(scripted(lambda task: measured(metrics)), kpi_set="production", iterations=1)
    (progress,) = replayed(bench.lines())
    run = run_of(progress)
    assert (progress.verdict, run.outcome) == (verdict, outcome)
    assert (run.cause is None) == (outcome is Outcome.PASSED)
    if run.cause is not None:
        assert "risk_ratio" in run.cause.message

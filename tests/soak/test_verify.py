"""The verifier finds what is not as it was reported: every kind of lie is told once, and must be found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.soak.journal import Journal, Step
from tools.soak.run import World, begin
from tools.soak.verify import verify


@pytest.fixture
def run(bench) -> Any:
    bench.begin(iterations=6, auto_tune=True, warmup=1)
    assert verify(bench.folder()).found == ()
    return bench


def edit(path: Path, change: Callable[[Any], None]) -> None:
    data = json.loads(path.read_bytes())
    change(data)
    path.write_text(json.dumps(data), "utf-8")


LIES: dict[str, tuple[str, Callable[[Any], None]]] = {
    "verdict": ("ITER_SUMMARY_2.json", lambda data: data.update(verdict="FAIL")),
    "metric": ("ITER_SUMMARY_3.json", lambda data: data["metrics"]["net_bps"].update(value=9.9)),
    "applied": ("ITER_SUMMARY_2.json", lambda data: data["tuning"].update(applied=[])),
    "credited": ("ITER_SUMMARY_3.json", lambda data: data["tuning"].update(credited=["a.b"])),
    "value": ("ITER_SUMMARY_4.json", lambda data: data["values"].update({"engine.tail_age_ms": 1})),
    "count": ("TUNING_REPORT.json", lambda data: data["summary"].update(applied=99)),
    "entry": ("TUNING_REPORT.json", lambda data: data["iterations"].pop()),
    "gate": ("KPI_GATE.json", lambda data: data.update(verdict="WARN")),
    "code": ("KPI_GATE.json", lambda data: data.update(exit_code=1, ok=False)),
    "overrides": ("runtime_overrides.json", lambda data: data["values"].update(engine={"tail_age_ms": 600})),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_says_something_else_is_found(run, lie: str) -> None:
    name, change = LIES[lie]
    edit(run.folder() / name, change)
    found = verify(run.folder()).found
    assert {each.where for each in found} == {name}


@pytest.mark.parametrize("name", ["ITER_SUMMARY_3.json", "TUNING_REPORT.json", "KPI_GATE.json"])
def test_a_file_that_is_missing_is_found(run, name: str) -> None:
    (run.folder() / name).unlink()
    assert [each.where for each in verify(run.folder()).found] == [name]


def test_an_iteration_that_never_was_is_found(run) -> None:
    shutil.copy(run.folder() / "ITER_SUMMARY_3.json", run.folder() / "ITER_SUMMARY_7.json")
    (found,) = verify(run.folder()).found
    assert (found.where, found.what) == (
        "ITER_SUMMARY_7.json",
        "is of an iteration that the journal does not know",
    )


def test_a_damaged_journal_is_found(run) -> None:
    path = run.folder() / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"verdict":"PASS"', b'"verdict":"WARN"', 1))
    (found,) = verify(run.folder()).found
    assert "is damaged" in found.what


def forged(bench: Any, step: Step, change: Callable[[dict[str, Any]], None], monkeypatch: Any) -> list[str]:
    """Return what is found where a runner wrote a line, whole and hashed, that does not tell what happened."""
    append = Journal.append

    def lying(self: Journal, what: Step, iteration: int, at_us: int, data: Any) -> Any:
        if what is step and iteration == 3:
            data = json.loads(json.dumps(data))
            change(data)
        return append(self, what, iteration, at_us, data)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", lying)
        begin(bench.plan(run="b", iterations=5, auto_tune=True), bench.out, World(watcher=bench.watcher))
    return [f"{each.where}: {each.what}" for each in verify(bench.folder("b")).found]


@pytest.mark.parametrize(
    ("step", "change", "words"),
    [
        (Step.DECIDED, lambda data: data.update(verdict="WARN"), "the metrics give PASS"),
        (Step.DECIDED, lambda data: data.update(credited=[]), "were read"),
        (Step.DECIDED, lambda data: data.update(refused=[]), "refused was reported as"),
        (Step.DECIDED, lambda data: data.update(proposed=[]), "proposed was reported as"),
        (Step.DECIDED, lambda data: data["guards"].update(spent=77), "guards was reported as"),
        (Step.PLANNED, lambda data: data["values"].update({"engine.tail_age_ms": 500}), "and should be"),
        (Step.PLANNED, lambda data: data["values"].update({"engine.tail_age_ms": 9999}), "out of bounds"),
    ],
    ids=["verdict", "credit", "refusals", "proposals", "guards", "values", "bounds"],
)
def test_d1_a_runner_that_lies_in_its_journal_is_found(
    bench, step: Step, change: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = forged(bench, step, change, monkeypatch)
    assert any(words in each for each in found), found


def test_what_could_not_be_checked_is_said(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.soak.verify.file_hash", lambda path: "other")
    verification = verify(run.folder())
    assert verification.found == ()
    assert "the tuning rules are no longer those of this run" in verification.unchecked[0]

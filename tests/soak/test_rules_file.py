"""Rules of one's own: ``--rules FILE`` tunes any policy, and rules that could not are refused before the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.errors import ConfigError, ExitCode, MissingInputError, UsageError
from tools.soak.command import asked_plan, soak_run
from tools.soak.verify import verify

RULE: dict[str, Any] = {
    "name": "always",
    "when": [{"metric": "risk_ratio", "at_least": 0}],
    "then": [{"path": "engine.tail_age_ms", "add": -30}],
    "because": "it is a test",
}


def write(path: Path, *rules: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"schema": "causal.tuning-rules/1", "rules": list(rules)}), "utf-8")
    return path


def run(rules: Path, *words: str) -> int:
    context = soak_run.make_context(
        "run",
        ["--mock", "--auto-tune", "--iterations", "3", "--rules", str(rules), "--run-id", "it", *words],
    )
    return int(soak_run.invoke(context))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_rules_of_ones_own_move_what_they_name_and_nothing_else(here: Path) -> None:
    rules = write(here / "rules.json", RULE)
    assert run(rules, "--no-history") == ExitCode.OK
    folder = here / "artifacts" / "soak" / "it"
    first = json.loads((folder / "ITER_SUMMARY_1.json").read_text("utf-8"))
    assert [step["path"] for step in first["tuning"]["applied"]] == ["engine.tail_age_ms"]
    checked = verify(folder)
    assert (checked.found, checked.unchecked) == ((), ())
    write(here / "rules.json", {**RULE, "because": "it was changed"})
    assert "the tuning rules are no longer those of this run" in verify(folder).unchecked[0]
    rules.unlink()
    assert "the tuning rules are no longer those of this run" in verify(folder).unchecked[0]


def test_rules_that_move_no_value_of_the_policy_are_refused(here: Path) -> None:
    rules = write(here / "rules.json", {**RULE, "then": [{"path": "engine.tail_age", "add": 1}]})
    with pytest.raises(ConfigError, match=r"no rule of .*rules\.json moves a value of this policy"):
        run(rules)
    assert not (here / "artifacts").exists()


def test_rules_that_are_not_there_are_missing(here: Path) -> None:
    with pytest.raises(MissingInputError, match=r"there are no tuning rules .*nowhere\.json"):
        run(here / "nowhere.json")


def test_rules_without_tuning_are_a_mistake(here: Path) -> None:
    context = soak_run.make_context("run", ["--mock", "--iterations", "1", "--rules", "rules.json"])
    with pytest.raises(UsageError, match="nothing is tuned"):
        asked_plan(context.params)

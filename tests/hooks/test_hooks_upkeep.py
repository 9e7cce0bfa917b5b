"""Artifacts are looked after when a session is over, where the settings ask for it, and never at its expense."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

ASKED = "[artifacts]\nafter_session = true\nmin_age_seconds = 0\n"


@pytest.fixture
def kept_up(suite):
    (suite.root / "causal.toml").write_text(ASKED)
    suite.write(test_it="def test_it(): pass\n")
    write(suite.root / "artifacts" / "soak" / "run.jsonl")
    return suite


def write(path: Path, days_old: float = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a line\n" * 30_000)
    then = time.time() - days_old * 86_400
    os.utime(path, (then, then))


def artifacts(suite) -> list[str]:
    return sorted(path.name for path in (suite.root / "artifacts" / "soak").iterdir())


def test_the_roots_are_rotated_once_by_the_process_that_records(kept_up, distribution) -> None:
    result = kept_up.run(*distribution)
    assert result.returncode == 0, result.stdout
    assert artifacts(kept_up) == ["rotation", "run.jsonl.zst"]
    log = kept_up.root / "artifacts" / "soak" / "rotation" / "ROTATION_LOG.jsonl"
    assert log.read_text().count("\n") == 1
    assert "compressed 1, archived 0, deleted 0" in result.stderr


def test_a_rotation_that_found_nothing_to_do_is_no_news(kept_up) -> None:
    kept_up.run()
    assert kept_up.run().stderr == ""


@pytest.mark.parametrize("toml", ["", "[artifacts]\nkeep_latest = 3\n"])
def test_without_being_asked_for_nothing_is_rotated(kept_up, toml: str) -> None:
    (kept_up.root / "causal.toml").write_text(toml)
    assert kept_up.run().returncode == 0
    assert artifacts(kept_up) == ["run.jsonl"]


def test_nothing_of_it_is_imported_without_being_asked_for(kept_up) -> None:
    (kept_up.root / "causal.toml").write_text("")
    kept_up.write(
        test_it="""
        import sys
        def test_it():
            loaded = [name for name in sys.modules if "artifact" in name or "zstandard" in name or "upkeep" in name]
            assert [name for name in loaded if not name.startswith("_pytest")] == []
        """
    )
    assert kept_up.run().returncode == 0


def test_a_setting_that_cannot_be_used_is_a_usage_error(kept_up) -> None:
    (kept_up.root / "causal.toml").write_text("[artifacts]\nkeep_lattest = 3\n")
    result = kept_up.run()
    assert result.returncode == 4
    assert "did you mean 'keep_latest'" in result.stderr


def test_a_rotation_that_fails_is_a_line_and_changes_no_exit_code(kept_up) -> None:
    root = kept_up.root / "artifacts" / "soak"
    (root / "rotation").write_text("in the way")
    result = kept_up.run()
    assert result.returncode == 0
    assert "was not rotated" in result.stderr
    assert (root / "run.jsonl").exists()


def test_tests_that_fail_are_no_reason_not_to(kept_up) -> None:
    kept_up.write(test_it="def test_it(): assert False\n")
    assert kept_up.run().returncode == 1
    assert artifacts(kept_up) == ["rotation", "run.jsonl.zst"]


def test_a_person_who_interrupts_is_not_kept_waiting(kept_up) -> None:
    kept_up.write(test_it="def test_it(): raise KeyboardInterrupt\n")
    assert kept_up.run().returncode == 2
    assert artifacts(kept_up) == ["run.jsonl"]


def test_collecting_is_no_session(kept_up) -> None:
    assert kept_up.run("--collect-only").returncode == 0
    assert artifacts(kept_up) == ["run.jsonl"]


def test_the_time_it_may_take_is_a_setting(kept_up) -> None:
    (kept_up.root / "causal.toml").write_text(ASKED + "budget_seconds = 0\n")
    result = kept_up.run()
    assert "out-of-time" in result.stderr
    assert artifacts(kept_up) == ["rotation", "run.jsonl"]

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_causal.actions.rotate import forced, plan_root, rotate_root
from pytest_causal.errors import ExitCode, MissingInputError, UsageError
from pytest_causal.model.artifact import Plan
from tests.artifacts.children.rotation_tree import NOW_US, fill, policy, write


def test_planning_takes_no_lock_and_leaves_no_trace(tmp_path: Path) -> None:
    fill(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    plan_root(tmp_path, policy(), now_us=NOW_US)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_plan_is_told_before_anything_is_done(tmp_path: Path) -> None:
    contents = fill(tmp_path)
    told: list[Plan] = []

    def look(plan: Plan) -> None:
        told.append(plan)
        assert all((tmp_path / name).exists() for name in contents)

    rotation = rotate_root(tmp_path, policy(), now_us=NOW_US, on_plan=look)
    assert told == [rotation.plan]


@pytest.mark.fault
def test_a_log_that_cannot_be_written_is_a_problem_of_a_rotation_that_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.jsonl", b"line\n" * 50_000, days_old=5)
    real_open = os.open

    def refuse_the_log(path: object, flags: int, *args: object, **kwargs: object) -> int:
        if path == "ROTATION_LOG.jsonl" and flags & os.O_CREAT:
            raise OSError(28, "No space left on device")
        return real_open(path, flags, *args, **kwargs)  # type: ignore[arg-type] # handed on as they came

    monkeypatch.setattr(os, "open", refuse_the_log)
    rotation = rotate_root(tmp_path, policy(), now_us=NOW_US)
    assert rotation.exit_code is ExitCode.FAIL
    assert rotation.outcome is not None
    assert ["ROTATION_LOG.jsonl" in each for each in rotation.outcome.problems] == [True]
    assert (tmp_path / "a.jsonl.zst").exists()


def test_forced_a_policy_allows_any_share_and_is_else_the_same() -> None:
    assert forced(policy(max_removed_ratio=0.1)) == policy(max_removed_ratio=1.0)


def test_a_root_that_is_not_there_or_is_a_link_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        rotate_root(tmp_path / "nowhere", policy(), now_us=NOW_US)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(UsageError, match="is a link"):
        rotate_root(tmp_path / "link", policy(), now_us=NOW_US)

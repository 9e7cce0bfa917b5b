"""A recording process is killed: what was committed is there, and nothing is there by half."""

from __future__ import annotations

import json

import pytest

ROUNDS = 100


@pytest.mark.slow
@pytest.mark.fault
def test_p9_two_hundred_kills_at_random_lose_no_commit(tmp_path, child):
    process = child("killed_at_random.py", tmp_path, 200, 20261121)
    said, complaint = process.communicate(timeout=300)
    assert complaint == ""
    found = json.loads(said)
    assert found["acknowledged"] > 1000
    assert (found["lost"], found["partial"], found["problems"]) == (0, 0, [])
    assert 0 < found["silent"] < 160


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.parametrize(
    ("point", "left"),
    [
        ("before begin", "0 runs, running, 0 states"),
        ("after begin", "0 runs, running, 0 states"),
        ("mid-results", "0 runs, running, 0 states"),
        ("before commit", "0 runs, running, 0 states"),
        ("after commit", "25 runs, running, 0 states"),
        ("mid-evidence", "25 runs, running, 0 states"),
        ("before commit of the conclusion", "25 runs, running, 0 states"),
        ("before checkpoint", "25 runs, finished, 25 states"),
        ("in checkpoint", "25 runs, finished, 25 states"),
    ],
)
def test_p10_a_kill_at_a_named_point_leaves_whole_transactions(store_path, child, point, left):
    process = child("crash_points.py", store_path, point, ROUNDS)
    said, complaint = process.communicate(timeout=120)
    assert complaint == ""
    assert json.loads(said) == {left: ROUNDS}

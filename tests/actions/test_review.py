"""The whole way of a change: proposed, earned, made, watched, taken back, remembered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.actions.act import DriftError
from pytest_causal.actions.audit import verify_audit
from pytest_causal.model.evidence import Reason, Verdict
from pytest_causal.model.promotion import State
from tests.actions.world import World

QUINTET = """
[policy.standard]
max_wall_time_ms = 30000

[[promotion]]
name = "longer-standard"
scenarios = ["stress"]
changes = {"standard.max_wall_time_ms" = 45000}
mode = "auto"
%s
revert_when = {timeout_rate = {max = 0.2}}
watch_sessions = 3
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "project", QUINTET % "")
    yield made
    made.store.close()


class Stress:
    """A system that needs what the policy gives, and fails once in 25 runs."""

    def __init__(self) -> None:
        self.calls = 0
        self.breaks_above = 10**9

    def __call__(self, policy: Any, metric: Any) -> None:
        limit = policy["standard"]["max_wall_time_ms"]
        self.calls += 1
        if self.calls % 25 == 0:
            raise ValueError("a failure of its own")
        if limit > self.breaks_above:
            raise TimeoutError(f"took longer than {limit} ms")


@pytest.fixture
def stress() -> Stress:
    return Stress()


def test_the_first_predecessors_demonstration_reproduces_as_it_was_declared(tmp_path, stress):
    """25 runs, 96 % pass, 30000 -> 45000; timeouts above 20 % revert it; a scenario of 50 runs at 5 % is learned."""
    rules = 'evidence = "control"\ncriteria = {rule = "threshold", min_runs = 25, min_sessions = 1}'
    world = World(tmp_path / "project", QUINTET % rules)
    world.tests["stress"] = stress
    stress.calls = 24  # the one failure comes first, so that the newest session is clean
    for _ in range(24):
        world.session()
        assert world.value("standard.max_wall_time_ms") == 30000
    stress.calls = 1
    (reviewed,) = world.session()
    assert reviewed.promotion.state is State.PROVISIONAL
    assert world.value("standard.max_wall_time_ms") == 45000
    assert reviewed.promotion.verdict is not None
    assert reviewed.promotion.verdict.is_assumed
    (of,) = reviewed.promotion.verdict.scenarios
    assert (of.runs, of.failures) == (25, 1)

    stress.breaks_above = 40000
    stress.calls = 1
    reverted, again = world.session()
    assert reverted.promotion.state is State.REVERTED
    assert world.value("standard.max_wall_time_ms") == 30000
    assert "timeout_rate" in reverted.promotion.note
    (lesson,) = world.store.lessons()
    assert (lesson.scenario, lesson.regression) == ("stress", "stress_regression")
    assert dict(lesson.criteria) == {"min_runs": 50, "max_failure_rate": 0.05}
    assert again.promotion.state is State.LOCKED
    world.store.close()


def test_with_the_defaults_the_demonstration_says_what_is_still_missing(world, stress):
    world.tests["stress"] = stress
    for _ in range(25):
        (reviewed,) = world.session(shadow=False)
    assert reviewed.promotion.state is State.PROPOSED
    assert reviewed.promotion.verdict.verdict is Verdict.INERT
    assert reviewed.promotion.verdict.reasons == (Reason.NEVER_READ,)
    stress.calls = 1
    (reviewed,) = world.session()
    assert reviewed.promotion.verdict.verdict is Verdict.NOT_YET
    (of,) = reviewed.promotion.verdict.scenarios
    assert of.clean_sessions_needed > 0
    assert of.reads == (("standard.max_wall_time_ms", "tracked"),)
    assert world.value("standard.max_wall_time_ms") == 30000


def earn(world: World, stress: Stress, most: int = 60) -> None:
    for _ in range(most):
        stress.calls = 1
        world.session()
        if world.promotion("longer-standard").state is State.PROVISIONAL:
            return
    pytest.fail(f"not promoted after {most} sessions: {world.promotion('longer-standard')}")


def test_a_change_is_earned_watched_and_validated(world, stress):
    world.tests["stress"] = stress
    earn(world, stress)
    assert world.value("standard.max_wall_time_ms") == 45000
    for _ in range(2):
        stress.calls = 1
        world.session()
        assert world.promotion("longer-standard").state is State.PROVISIONAL
    stress.calls = 1
    world.session()
    assert world.promotion("longer-standard").state is State.VALIDATED
    assert world.promotion("longer-standard").watched == 3
    checked = verify_audit(world.store, world.context.overrides_path)
    assert checked.problems == ()
    assert checked.decisions >= 3


def test_a_session_that_says_nothing_neither_validates_nor_reverts(world, stress):
    world.tests["stress"] = stress
    world.tests["other"] = lambda policy, metric: None
    earn(world, stress)
    stress.breaks_above = 1
    world.session(only=["other"])
    world.session(is_trusted=False)
    assert world.promotion("longer-standard").state is State.PROVISIONAL
    assert world.promotion("longer-standard").watched == 0
    stress.breaks_above = 10**9
    stress.calls = 1
    world.session()
    assert world.promotion("longer-standard").watched == 1


def test_a_learned_scenario_gates_the_same_change_until_it_has_shown_more_than_the_rule_asks(world, stress):
    world.tests["stress"] = stress
    earn(world, stress)
    stress.breaks_above = 40000
    stress.calls = 1
    world.session()
    assert world.promotion("longer-standard").state is State.LOCKED
    stress.breaks_above = 10**9
    for _ in range(30):  # more than the rule asks for, less than the lesson does
        stress.calls = 1
        world.session()
    assert world.promotion("longer-standard").state is State.LOCKED
    sessions = 30
    while not world.promotion("longer-standard").state.is_live:
        stress.calls = 1
        world.session()
        sessions += 1
    assert sessions == 73


def test_a_lesson_that_a_person_has_retired_gates_nothing(world, stress):
    world.tests["stress"] = stress
    earn(world, stress)
    stress.breaks_above = 40000
    stress.calls = 1
    world.session()
    (lesson,) = world.store.lessons()
    with world.store.acting() as ledger:
        ledger.put_lesson(lesson._replace(retired_us=world.now_us))
    stress.breaks_above = 10**9
    stress.calls = 1
    world.session()
    assert world.promotion("longer-standard").state is not State.LOCKED


def test_m3_a_hand_that_edits_the_live_file_stops_everything(world, stress):
    world.tests["stress"] = stress
    earn(world, stress)
    path = world.context.overrides_path
    data = json.loads(path.read_text())
    data["values"]["standard"]["max_wall_time_ms"] = 44000
    path.write_text(json.dumps(data))
    audited = len(list(world.store.audit()))
    with pytest.raises(DriftError, match="edited by hand"):
        world.session()
    assert len(list(world.store.audit())) == audited
    assert verify_audit(world.store, path).problems


def test_t5_runs_of_a_fork_never_count(world, stress):
    world.tests["stress"] = stress
    for _ in range(60):
        stress.calls = 1
        world.session(is_trusted=False)
    assert world.promotion("longer-standard").state is State.PROPOSED
    assert world.promotion("longer-standard").verdict.verdict is Verdict.INERT


def test_m16_the_same_failure_twice_makes_one_lesson(world, stress):
    world.tests["stress"] = stress
    for _ in range(2):
        for _ in range(100):
            stress.calls, stress.breaks_above = 1, 10**9
            world.session()
            if world.promotion("longer-standard").state is State.PROVISIONAL:
                break
        stress.calls, stress.breaks_above = 1, 40000
        world.session()
    (lesson,) = world.store.lessons()
    assert lesson.times == 2

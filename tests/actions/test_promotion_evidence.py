"""What is no evidence promotes nothing: missing, skipped, of a fork, too old, of a clock that lies, no number."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.actions.review import review
from pytest_causal.errors import DataError
from pytest_causal.model.evidence import Reason, Verdict
from pytest_causal.model.promotion import State
from pytest_causal.model.run import Outcome
from pytest_causal.model.session import SessionState
from tests.actions.loaded import Loaded


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Loaded]:
    made = Loaded(tmp_path / "project", {"more": {"a": 2}})
    yield made
    made.store.close()


def with_runs(world: Loaded, **fields: Any) -> None:
    """Record every run of the world with these fields."""
    ordinary = world._run
    world._run = lambda *given: ordinary(*given)._replace(**fields)  # type: ignore[method-assign]


def nothing_ran(world: Loaded) -> None:
    world.tests = {"other": world.tests["a"]}
    world.session(repeats=40)


def too_few(world: Loaded) -> None:
    world.session(repeats=10)
    world.session(repeats=10)


def all_skipped(world: Loaded) -> None:
    with_runs(world, outcome=Outcome.SKIPPED)
    world.session(repeats=40)


def none_happened(world: Loaded) -> None:
    with_runs(world, outcome=Outcome.MISSING)
    world.session(repeats=40)


def nothing_read(world: Loaded) -> None:
    with_runs(world, reads=())
    world.session(repeats=40)


def shards_of_one_job(world: Loaded) -> None:
    for _ in range(5):
        world.session(repeats=10, key="github:77:1", commit="f" * 40)


def of_a_fork(world: Loaded) -> None:
    world.session(repeats=40, is_trusted=False)
    world.session(repeats=40, is_trusted=False, branch="main")


def interrupted(world: Loaded) -> None:
    world.session(repeats=40, state=SessionState.INTERRUPTED)
    world.session(repeats=40, state=SessionState.ABANDONED)


def years_ago(world: Loaded) -> None:
    world.session(repeats=40, reviewed=False)
    world.session(repeats=40, reviewed=False)
    world.days = itertools.count(10_000)
    world.session(only=[])


def not_a_number(world: Loaded) -> None:
    world.load.score = math.nan
    world.session(repeats=40)
    world.session(repeats=40)


NO_EVIDENCE: Mapping[Callable[[Loaded], None], tuple[Verdict, Reason]] = {
    nothing_ran: (Verdict.INCONCLUSIVE, Reason.NO_SCENARIO),
    too_few: (Verdict.NOT_YET, Reason.TOO_FEW_RUNS),
    all_skipped: (Verdict.INCONCLUSIVE, Reason.NO_EVIDENCE),
    none_happened: (Verdict.INCONCLUSIVE, Reason.NO_EVIDENCE),
    nothing_read: (Verdict.INERT, Reason.NEVER_READ),
    shards_of_one_job: (Verdict.NOT_YET, Reason.TOO_FEW_SESSIONS),
    of_a_fork: (Verdict.INERT, Reason.NEVER_READ),
    interrupted: (Verdict.INCONCLUSIVE, Reason.NO_EVIDENCE),
    years_ago: (Verdict.NOT_YET, Reason.STALE),
    not_a_number: (Verdict.INCONCLUSIVE, Reason.METRIC_MISSING),
}


@pytest.mark.parametrize("history", NO_EVIDENCE, ids=lambda history: history.__name__)
def test_m7_what_is_no_evidence_promotes_nothing_and_says_why(
    world: Loaded, history: Callable[[Loaded], None]
) -> None:
    if history is not_a_number:
        config = world.root / "causal.toml"
        config.write_text(config.read_text() + "metrics = {score = {min = 0.5}}\n")
    history(world)
    verdict = world.promotion("more").verdict
    assert verdict is not None
    expected, reason = NO_EVIDENCE[history]
    assert verdict.verdict is expected
    assert reason in verdict.reasons
    assert world.value("a") == 1
    assert world.acted() == []


def test_m7_what_does_count_is_promoted_all_the_same(world: Loaded) -> None:
    """The counterpart of the above: the same world, and sessions that are evidence."""
    world.session(repeats=40)
    assert world.value("a") == 1
    world.session(repeats=40)
    assert world.value("a") == 2


def test_m7_a_session_that_is_recorded_twice_counts_once(world: Loaded) -> None:
    world.session(repeats=40, uid="uid-7", key="uid-7")
    with pytest.raises(DataError, match="stored already"):
        world.session(repeats=40, uid="uid-7", key="uid-7")
    review(world.context)
    verdict = world.promotion("more").verdict
    assert verdict is not None
    assert [(each.runs, each.units) for each in verdict.scenarios] == [(40, 1)]
    assert world.value("a") == 1


@pytest.mark.parametrize(
    "scores", [(1.7e308,), (1.7e308, -1.7e308), (-1.7e308, 1.7e308, math.inf)], ids=["up", "both", "none"]
)
def test_m8_numbers_whose_sum_no_float_holds_are_no_mean(world: Loaded, scores: tuple[float, ...]) -> None:
    """Nothing is promoted on them, nothing taken back, and the sessions and the audit stay whole."""
    config = world.root / "causal.toml"
    config.write_text(config.read_text() + "metrics = {score = {min = 0.0}}\n")
    for score in (*scores, *scores):
        world.load.score = score
        world.session(repeats=40)
    verdict = world.promotion("more").verdict
    assert verdict is not None
    assert (verdict.verdict, verdict.reasons) == (Verdict.INCONCLUSIVE, (Reason.METRIC_MISSING,))
    assert world.acted() == []
    world.check_whole()


def test_m8_a_baseline_whose_sum_no_float_holds_is_none(world: Loaded) -> None:
    config = world.root / "causal.toml"
    trigger = "revert_when = {score = {max_increase = 0.2}}"
    config.write_text(config.read_text().replace("revert_when = {failure_rate = {max = 0.2}}", trigger))
    world.load.score = 1.7e308
    for _ in range(12):
        world.session(repeats=40)
    made = world.promotion("more")
    assert made.state is State.PROVISIONAL, "a signal that is no number is no all-clear"
    assert dict(made.baseline).keys() == {"failure_rate", "timeout_rate"}
    assert made.watched > made.watch_sessions
    world.check_whole()


def test_m9_a_session_dated_into_the_future_is_neither_the_newest_nor_fresh(world: Loaded) -> None:
    """The newest is the one that was recorded last, whatever the clocks said: it failed, and that stands."""
    world.days = itertools.count(30_000)
    world.session(repeats=40, reviewed=False)
    world.days = itertools.count(1)
    world.load.bears = 1
    world.session(repeats=1)
    verdict = world.promotion("more").verdict
    assert verdict is not None
    assert Reason.NEWEST_FAILED in verdict.reasons
    assert Reason.STALE not in verdict.reasons, "the failure is of today"
    assert world.acted() == []


def test_m9_evidence_of_a_clock_that_ran_ahead_is_not_fresh(world: Loaded) -> None:
    world.days = itertools.count(30_000)
    world.session(repeats=40, reviewed=False)
    world.session(repeats=40, reviewed=False)
    world.days = itertools.count(1)
    world.session(only=[])
    verdict = world.promotion("more").verdict
    assert verdict is not None
    assert (verdict.verdict, verdict.reasons) == (Verdict.NOT_YET, (Reason.STALE,))


def test_m9_a_clock_that_was_set_back_does_not_free_what_cools_down(world: Loaded) -> None:
    config = world.root / "causal.toml"
    config.write_text(
        config.read_text().replace("cooldown_hours = 0", "cooldown_hours = 30").replace("a = 2", "a = 3")
    )
    world.days = itertools.count(100)
    world.session(repeats=40)
    world.session(repeats=40)
    assert world.value("a") == 3
    config.write_text(config.read_text().replace("a = 3", "a = 4"))
    world.days = itertools.count(1)
    for _ in range(3):
        world.session(repeats=40)
    held = world.promotion("more")
    assert held.state is State.HELD
    assert world.value("a") == 3

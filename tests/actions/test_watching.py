"""Which sessions since a change say something of it, and what their runs come to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_causal.actions.watching import Watch, baseline, watch_promotion
from pytest_causal.model.change import Change, Step
from pytest_causal.model.promotion import Basis, Mode, Promotion, State, Trigger
from pytest_causal.model.session import SessionState
from pytest_causal.rules.watch import Health
from tests.actions.world import World

CONFIG = """
[policy]
rows = 10
other = 1
"""


class Watching:
    """A world in which ``rows`` was just set, and the test ``load`` reads it."""

    def __init__(self, root: Path) -> None:
        self.world = World(root, CONFIG)
        self.fails = False
        self.ms = 5.0
        self.world.tests |= {"load": self._load, "idle": lambda policy, metric: None}
        self.promotion = Promotion(
            id=1, name="more", state=State.PROVISIONAL, mode=Mode.AUTO, basis=Basis.CANDIDATE,
            scenarios=("load", "idle"), change=Change((Step("rows", 5, 10),)), created_us=1, changed_us=1,
            watch_sessions=3, triggers=(Trigger("failure_rate", max=0.4), Trigger("ms", max=100.0)),
        )  # fmt: skip

    def _load(self, policy, metric) -> None:
        metric("ms", self.ms)
        assert policy["rows"]
        assert not self.fails

    def session(self, **others) -> None:
        self.world.session(reviewed=False, **others)

    def watched(self) -> Watch:
        return watch_promotion(self.world.store, self.promotion, self.world.policy)


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watching]:
    made = Watching(tmp_path)
    yield made
    made.world.store.close()


def test_each_session_with_a_run_that_read_the_value_is_one_sample_of_all_runs(watching: Watching) -> None:
    watching.session()
    watching.fails = True
    watching.session(repeats=3)
    seen = watching.watched()
    assert seen.sessions == (1, 2)
    assert [signals["failure_rate"] for signals in seen.signals] == [0.0, 0.5]  # idle passes beside it
    assert seen.watched.health is Health.CRITICAL
    assert [(fired.signal, fired.value) for fired in seen.watched.fired] == [("failure_rate", 0.5)]
    assert seen.failing == ("load",)


@pytest.mark.parametrize(
    "others",
    [
        {"is_trusted": False},
        {"state": SessionState.INTERRUPTED},
        {"state": SessionState.ABANDONED},
        {"only": ["idle"]},
    ],
    ids=["from outside", "interrupted", "killed", "read nothing"],
)
def test_what_says_nothing_is_not_watched(watching: Watching, others: dict[str, object]) -> None:
    watching.fails = True
    watching.session(**others)
    assert watching.watched().sessions == ()
    assert watching.watched().watched.health is Health.INSUFFICIENT


def test_sessions_before_the_change_and_under_other_values_do_not_count(watching: Watching) -> None:
    watching.session()
    watching.promotion = watching.promotion._replace(session=1)
    assert watching.watched().sessions == ()
    toml = watching.world.root / "causal.toml"
    toml.write_text(CONFIG.replace("rows = 10", "rows = 7"))
    watching.session()
    toml.write_text(CONFIG)
    assert watching.watched().sessions == ()
    watching.session()
    assert watching.watched().sessions == (3,)


def test_a_metric_alone_names_the_scenarios_that_report_it(watching: Watching) -> None:
    watching.ms = 200.0
    watching.session()
    seen = watching.watched()
    assert [fired.signal for fired in seen.watched.fired] == ["ms"]
    assert seen.failing == ("load",)


def test_a_metric_that_is_no_number_once_has_no_value(watching: Watching) -> None:
    watching.ms = float("nan")
    watching.session()
    seen = watching.watched()
    assert seen.signals[0]["ms"] is None
    assert (seen.watched.health, seen.watched.silent) == (Health.INSUFFICIENT, ("ms",))


def test_the_baseline_is_the_mean_of_the_newest_seven_sessions_that_say_something(watching: Watching) -> None:
    for ms in (1000.0, *(float(ms) for ms in range(1, 8))):
        watching.ms = ms
        watching.session()
        watching.session(only=["idle"])
    found = dict(baseline(watching.world.store, watching.promotion, watching.world.policy))
    assert found == {"failure_rate": 0.0, "timeout_rate": 0.0, "ms": 4.0}
    assert (
        baseline(
            watching.world.store, watching.promotion._replace(scenarios=("idle",)), watching.world.policy
        )
        == ()
    )

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_causal import clock
from pytest_causal.actions.context import NoExtensions
from pytest_causal.hooks.reviewing import review_session
from pytest_causal.model.promotion import State
from tests.actions.world import World

CONFIG = """
[policy]
rows = 10
[criteria]
rule = "threshold"
min_runs = 1
min_sessions = 1
[[promotion]]
name = "more"
scenarios = ["load"]
changes = {rows = 20}
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(tmp_path, CONFIG)
    monkeypatch.setattr(clock, "now_us", lambda: made.now_us)
    made.tests["load"] = lambda policy, metric: policy["rows"]
    yield made
    made.store.close()


def test_what_was_found_is_the_sessions_doing(world: World) -> None:
    world.session(reviewed=False)
    (reviewed,), problem = review_session(world.store, 1, world.settings)
    assert (reviewed.promotion.state, problem) == (State.ELIGIBLE, "")
    (row,) = world.store.audit()
    assert '"actor":"session 1"' in row.document


def test_t5_a_session_from_outside_decides_nothing_though_others_have_shown_enough(world: World) -> None:
    world.session(reviewed=False)
    world.session(reviewed=False, is_trusted=False)
    assert review_session(world.store, 2, world.settings) == ([], "")
    assert world.store.promotions() == []


def test_what_stops_it_is_told_in_words(world: World) -> None:
    world.session(reviewed=False)
    (world.root / "causal.toml").write_text(CONFIG + "typo = 1\n")
    reviewed, problem = review_session(world.store, 1, world.settings)
    assert reviewed == []
    assert problem.startswith("the policy was not reviewed: ")
    assert "unknown key 'typo' of a promotion" in problem


def test_plugins_are_asked(world: World) -> None:
    class Closed(NoExtensions):
        def vetoes(self, decision):
            return (f"closed for {decision.name}",)

    world.session(reviewed=False)
    (reviewed,), _ = review_session(world.store, 1, world.settings, Closed())
    assert (reviewed.promotion.state, reviewed.promotion.note) == (State.HELD, "closed for more")

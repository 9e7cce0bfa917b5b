from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_causal.actions.adhoc import rule_of_profile, rule_of_values
from pytest_causal.errors import UsageError
from pytest_causal.model.promotion import PromotionRule
from tests.actions.world import World

CONFIG = """
[policy]
rows = 10
name = "a"
[criteria]
max_failure_rate = 0.25
[bounds]
rows = {max = 50}
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, CONFIG)
    made.tests |= {
        "reads": lambda policy, metric: policy["rows"],
        "reads-other": lambda policy, metric: policy["name"],
        "idle": lambda policy, metric: None,
    }
    made.session(reviewed=False)
    yield made
    made.store.close()


def of(world: World, *texts: str) -> PromotionRule:
    return rule_of_values(world.context, texts, world.policy)


def test_whatever_has_read_a_value_must_vouch_and_the_failure_rate_is_watched(world: World) -> None:
    rule = of(world, "rows=20")
    assert (rule.name, rule.values, rule.scenarios) == ("by hand", (("rows", 20),), ("reads",))
    assert [(each.signal, each.max) for each in rule.triggers] == [("failure_rate", 0.25)]
    assert of(world, "name=b", "rows=20").scenarios == ("reads", "reads-other")


def test_a_value_that_was_read_under_another_value_counts_too(world: World) -> None:
    (world.root / "causal.toml").write_text(CONFIG.replace("rows = 10", "rows = 11"))
    assert of(world, "rows=20").scenarios == ("reads",)


def test_what_is_in_force_asks_nobody(world: World) -> None:
    assert of(world, "rows=10").scenarios == ()


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (("rows",), "--set 'rows'; write it as PATH=VALUE"),
        (("rws=1",), "--set: the policy has no 'rws'; did you mean 'rows'"),
        (("rows=many",), "--set: rows: expected a whole number"),
        (("rows=51",), "--set: rows = 51 is out of bounds"),
        (("rows=20", "rows=30"), "--set: rows is set twice"),
    ],
)
def test_what_cannot_be_set_is_refused(world: World, texts: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match="^" + words.replace("(", r"\(")):
        of(world, *texts)


def test_a_rung_is_vouched_for_by_what_read_one_of_its_values(world: World) -> None:
    profiles = world.root / "profiles"
    profiles.mkdir()
    for name, rows in (("low", 10), ("high", 20)):
        (profiles / f"{name}.json").write_text(
            f'{{"schema": "causal.profile/1", "name": "{name}", "values": {{"rows": {rows}}}}}'
        )
    (world.root / "causal.toml").write_text('ladder = ["low", "high"]\n' + CONFIG)
    rule = rule_of_profile(world.context, "high", world.policy)
    assert (rule.name, rule.to, rule.scenarios) == ("to high", "high", ("reads",))
    assert rule_of_profile(world.context, "low", world.policy).scenarios == ()

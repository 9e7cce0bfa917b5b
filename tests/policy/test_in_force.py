from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_causal.errors import ConfigError
from pytest_causal.model.change import Change, Step
from pytest_causal.policy.secrets import MASK

CONFIG = 'secrets = ["db"]\n[policy]\nb = 2\na.x = 1.0\ndb.host = "h"\ntoken = "abcdef"\n'


def test_values_are_nested_and_sorted_and_secrets_masked_where_they_are_shown(project: Any) -> None:
    project.config(CONFIG)
    policy = project.resolve()
    assert list(policy.leaves) == ["a.x", "b", "db.host", "token"]
    assert policy.values == {"a": {"x": 1.0}, "b": 2, "db": {"host": "h"}, "token": "abcdef"}
    assert policy.shown_values == {"a": {"x": 1.0}, "b": 2, "db": {"host": MASK}, "token": MASK}
    assert policy.secrets == {"db.host", "token"}


def test_the_mapping_reads_what_the_policy_says_a_read_is(project: Any) -> None:
    project.config(CONFIG)
    policy = project.resolve()
    mapping = policy.mapping()
    mapping.to_dict()
    assert {read.path: read.value for read in mapping.reads()} == policy.read_values
    assert mapping.fingerprint == policy.fingerprint
    stored = json.dumps(policy.read_values)
    assert "abcdef" not in stored
    assert policy.read_values["a.x"] == "1"


def test_the_fingerprint_is_that_of_the_values_and_not_of_where_they_came_from(project: Any) -> None:
    project.config("[policy]\na = 1\nb = 0.5\n")
    project.profile("p", {"a": 1, "b": 0.5})
    assert project.resolve("p").fingerprint == project.resolve().fingerprint
    assert project.resolve(cli=["a=1"]).fingerprint == project.resolve().fingerprint
    assert project.resolve(cli=["a=2"]).fingerprint != project.resolve().fingerprint


def test_limits_of_a_profile_replace_the_same_metrics_of_the_one_below(project: Any) -> None:
    project.profile(
        "low", {}, kpi={"smoke": {"risk": {"max": 1}, "net": {"min": 0}}, "full": {"net": {"min": 1}}}
    )
    project.profile("top", {}, extends="low", kpi={"smoke": {"risk": {"max": 2}}})
    assert project.resolve("top").kpi == {
        "smoke": {"risk": {"max": 2}, "net": {"min": 0}},
        "full": {"net": {"min": 1}},
    }


def test_a_change_is_made_on_top_and_the_policy_beneath_stays_as_it_is(project: Any) -> None:
    project.config("[policy]\na = 1\nb = 0.5\n[bounds]\na = {max = 5}\n")
    policy = project.resolve()
    changed = policy.with_change(Change((Step("a", 1, 5),)), "candidate fast")
    assert changed.flat == {"a": 5, "b": 0.5}
    assert policy.flat == {"a": 1, "b": 0.5}
    assert str(changed.sources["a"]) == "cli (candidate fast)"
    assert changed.leaves["a"].shadowed[0][0] == 1
    assert changed.sources["b"] == policy.sources["b"]
    assert changed.with_change(Change((Step("a", 1, 5),)).inverse(), "back").fingerprint == policy.fingerprint


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        (Step("a", 1, 6), "a = 6 is out of bounds; expected at most 5"),
        (Step("a", 2, 3), "a is not 2, which the change starts from"),
        (Step("bb", 1, 2), "the policy has no 'bb'; did you mean 'b'"),
        (Step("token", "no", "new"), r"token is not \*\*\*, which"),
    ],
)
def test_a_change_that_does_not_fit_is_refused(project: Any, step: Step, problem: str) -> None:
    project.config('[policy]\na = 1\nb = 0.5\ntoken = "abcdef"\n[bounds]\na = {max = 5}\n')
    with pytest.raises(ConfigError, match=problem):
        project.resolve().with_change(Change((step,)), "candidate fast")

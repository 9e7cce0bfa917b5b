from __future__ import annotations

import json
from typing import Any

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

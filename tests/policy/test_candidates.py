from __future__ import annotations

from typing import Any

import pytest

from pytest_causal.errors import ConfigError, UsageError
from pytest_causal.policy.candidates import candidate_of_arm, open_candidates
from pytest_causal.policy.layers import resolve_policy
from pytest_causal.settings.sources import resolve_settings

CONFIG = """
[policy]
a = 1
b = 2
[bounds]
b = {max = 9}
[[promotion]]
name = "first"
scenarios = ["x"]
changes = {a = 5, b = 2}
[[promotion]]
name = "in-force"
scenarios = ["x"]
changes = {a = 1}
[[promotion]]
name = "assumed"
scenarios = ["x"]
changes = {b = 3}
evidence = "control"
[[promotion]]
name = "last"
scenarios = ["y*"]
changes = {b = 9}
"""


def given(project: Any, arm: str = "control", text: str = CONFIG) -> tuple[Any, Any]:
    project.config(text)
    settings = resolve_settings(flags={"arm": arm}, env={}, root=project.root)
    return settings, resolve_policy(settings, cli=(), env={}, root=project.root)


def test_open_are_the_changes_that_are_not_in_force_and_need_runs_of_their_own(project: Any) -> None:
    first, last = open_candidates(*given(project))
    assert (first.candidate.name, first.candidate.change.after, first.candidate.patterns) == (
        "first", {"a": 5}, ("x",),
    )  # fmt: skip
    assert first.policy.flat == {"a": 5, "b": 2}
    assert (last.candidate.arm, last.policy.flat) == ("candidate:last", {"a": 1, "b": 9})


def test_an_arm_names_a_candidate_even_one_whose_evidence_is_assumed(project: Any) -> None:
    settings, policy = given(project, "candidate:assumed")
    opened = candidate_of_arm(settings.arm, settings, policy)
    assert opened is not None
    assert opened.policy.flat == {"a": 1, "b": 3}


def test_the_control_arm_is_todays_policy(project: Any) -> None:
    settings, policy = given(project)
    assert candidate_of_arm(settings.arm, settings, policy) is None


@pytest.mark.parametrize(
    ("arm", "problem"),
    [
        ("candidate:frist", "--causal-arm: there is no promotion 'frist'; did you mean 'first'"),
        ("contrl", "--causal-arm: there is no arm 'contrl'; did you mean 'control'"),
        ("candidate:in-force", "'in-force' is in force already; leave --causal-arm out"),
    ],
)
def test_another_arm_is_refused(project: Any, arm: str, problem: str) -> None:
    settings, policy = given(project, arm)
    with pytest.raises(UsageError, match=problem):
        candidate_of_arm(settings.arm, settings, policy)


def test_a_change_out_of_bounds_is_no_candidate(project: Any) -> None:
    settings, policy = given(project, text=CONFIG.replace("b = 9}", "b = 10}"))
    with pytest.raises(ConfigError, match="out of bounds"):
        open_candidates(settings, policy)

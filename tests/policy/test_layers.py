from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.errors import ConfigError, UsageError

POLICY = "[policy.limits]\nmax_rows = 5\nratio = 0.5\n"


def test_nothing_given_is_an_empty_policy(project: Any) -> None:
    policy = project.resolve()
    assert (policy.leaves, policy.profile, policy.values) == ({}, "", {})


def test_resolving_writes_nothing(project: Any) -> None:
    project.config(POLICY)
    project.resolve("steady_safe")
    assert [path.name for path in project.root.rglob("*")] == ["causal.toml"]


def test_the_legacy_variable_reaches_the_values_of_today(project: Any) -> None:
    env = {"MM_RUNTIME_OVERRIDES_JSON": '{"min_interval_ms": 80, "impact": {"max_delta_ratio": 0.15}}'}
    policy = project.resolve("steady_safe", env=env)
    assert policy.values["quoting"]["min_interval_ms"] == 80
    assert policy.values["impact"]["max_delta_ratio"] == 0.15
    assert policy.leaves["quoting.min_interval_ms"].source.name == "MM_RUNTIME_OVERRIDES_JSON"


def test_a_profile_over_the_one_it_extends(project: Any) -> None:
    project.profile("low", {"a": 1, "b": 1, "list": [1, 2]}, bounds={"a": {"min": 0, "max": 5}})
    project.profile("top", {"b": 2, "list": [3]}, extends="low", bounds={"b": {"max": 9}})
    policy = project.resolve("top")
    assert policy.flat == {"a": 1, "b": 2, "list": (3,)}
    assert [policy.sources[path].name for path in ("a", "b")] == ["low", "top"]
    assert policy.leaves["b"].shadowed[0][1].name == "low"
    assert set(policy.bounds) == {"a", "b"}


@pytest.mark.parametrize(
    ("cli", "env", "error"),
    [
        (["limits.max_rows=11"], {}, UsageError),
        ([], {"CAUSAL_POLICY__limits__max_rows": "11"}, ConfigError),
        ([], {"CAUSAL_POLICY": '{"limits": {"max_rows": 0}}'}, ConfigError),
    ],
)
def test_f5_a_value_out_of_bounds_is_refused_from_every_layer(
    cli: list[str], env: dict[str, str], error: type[Exception], project: Any
) -> None:
    project.config(POLICY + '[bounds]\n"limits.max_rows" = {min = 1, max = 10}\n')
    assert project.resolve(cli=["limits.max_rows=10"]).flat["limits.max_rows"] == 10
    with pytest.raises(
        error, match=r"limits\.max_rows = \d+ is out of bounds; expected 1 to 10 \(.*causal\.toml:5\)"
    ):
        project.resolve(cli=cli, env=env)


def test_f5_overrides_profiles_and_defaults_are_held_to_the_bounds_too(project: Any) -> None:
    project.config(POLICY + '[bounds]\n"limits.max_rows" = {min = 1, max = 10}\n')
    project.profile("wide", {"limits": {"max_rows": 99}})
    with pytest.raises(ConfigError, match=r"wide\.json:\d+: limits\.max_rows = 99 is out of bounds"):
        project.resolve("wide")
    project.override({"limits.max_rows": 0})
    with pytest.raises(
        ConfigError, match=r"runtime_overrides\.json:\d+: limits\.max_rows = 0 is out of bounds"
    ):
        project.resolve()


def test_bounds_of_the_user_and_of_the_profile_both_hold(project: Any) -> None:
    project.config(POLICY + '[bounds]\n"limits.max_rows" = {min = 2}\n')
    project.profile("p", {}, bounds={"limits.max_rows": {"max": 8, "step": 2}})
    bound = project.resolve("p").bounds["limits.max_rows"]
    assert (bound.min, bound.max, bound.step) == (2, 8, 2)
    for value in ("1", "9"):
        with pytest.raises(UsageError, match="expected 2 to 8"):
            project.resolve("p", cli=[f"limits.max_rows={value}"])


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (
            '"limits.max_row" = {min = 1}',
            r"causal\.toml:5: bounds of unknown 'limits\.max_row'; did you mean",
        ),
        ('"limits.max_rows" = {mim = 1}', r"causal\.toml:5: bounds of limits\.max_rows: unknown key 'mim'"),
    ],
)
def test_f3_bounds_of_what_there_is_not_are_errors(bounds: str, message: str, project: Any) -> None:
    project.config(f"{POLICY}[bounds]\n{bounds}\n")
    with pytest.raises(ConfigError, match=message):
        project.resolve()


def test_an_override_file_without_anything_below_stands_for_itself(project: Any) -> None:
    project.override({"min_interval_ms": 75, "tail.age": 5})
    policy = project.resolve()
    assert policy.flat == {"min_interval_ms": 75, "tail.age": 5}
    assert str(policy.sources["tail.age"]) == "override r1 (promotion P-1, 2026-11-02)"
    project.config(POLICY)
    with pytest.raises(
        ConfigError, match=r"runtime_overrides\.json:\d+: the policy has no 'min_interval_ms'"
    ):
        project.resolve()


def test_an_override_edited_by_hand_is_in_force_and_says_so(project: Any) -> None:
    project.config(POLICY)
    path: Path = project.override({"limits.max_rows": 6})
    path.write_text(path.read_text().replace('"max_rows": 6', '"max_rows": 7'))
    policy = project.resolve()
    assert policy.flat["limits.max_rows"] == 7
    assert "edited by hand" in str(policy.sources["limits.max_rows"])
    assert policy.overrides is not None
    assert policy.overrides.is_edited


def test_f3_an_unknown_profile_from_a_flag_is_a_usage_error_and_from_a_file_a_bad_file(project: Any) -> None:
    with pytest.raises(UsageError, match="did you mean 'steady_safe'"):
        project.resolve("steady_saef")
    project.config('profile = "steady_saef"\n')
    with pytest.raises(ConfigError, match="did you mean 'steady_safe'"):
        project.resolve()


def test_f7_a_profile_edited_during_a_run_is_noticed_and_the_run_keeps_its_copy(project: Any) -> None:
    low = project.profile("low", {"a": 1})
    project.profile("top", {"b": 2}, extends="low")
    policy = project.resolve("top")
    fingerprint = policy.fingerprint
    assert policy.changed_profiles() == ()
    low.write_text(low.read_text().replace('"a": 1', '"a": 2'))
    assert policy.changed_profiles() == (low,)
    assert (policy.flat["a"], policy.fingerprint) == (1, fingerprint)
    assert project.resolve("top").flat["a"] == 2


def test_a_default_that_a_policy_cannot_hold_is_an_error_with_its_line(project: Any) -> None:
    project.config("[policy]\na = 1\nwhen = 1979-05-27\n")
    with pytest.raises(ConfigError, match=r"causal\.toml:3: when: a value of type date is no policy value"):
        project.resolve()


def test_secrets_are_kept_out_of_messages(project: Any) -> None:
    project.config('secrets = ["limits"]\n' + POLICY + '[bounds]\n"limits.max_rows" = {max = 10}\n')
    project.profile("p", {"limits": {"ratio": "hunter2"}})
    for profile, cli in (("p", []), ("", ["limits.max_rows=hunter2"]), ("", ["limits.max_rows=777"])):
        with pytest.raises((ConfigError, UsageError)) as caught:
            project.resolve(profile, cli=cli)
        assert "hunter2" not in str(caught.value)
        assert "777" not in str(caught.value)


def test_a_project_without_a_policy_does_not_import_what_resolves_one(pytester: pytest.Pytester) -> None:
    code = """
import sys
from pathlib import Path
from pytest_causal.policy.layers import resolve_policy
from pytest_causal.settings.sources import resolve_settings
settings = resolve_settings(flags={}, env={}, root=Path.cwd())
resolve_policy(settings, cli=(), env={}, root=Path.cwd()).mapping()
heavy = {"jsonschema", "pytest_causal.policy.resolution", "pytest_causal.policy.profiles"} & set(sys.modules)
print(sorted(heavy))
"""
    result = pytester.run(sys.executable, "-c", code)
    result.stdout.fnmatch_lines(["[[]]"])

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.errors import ConfigError, UsageError
from pytest_causal.model.change import Change, Step
from pytest_causal.model.criteria import Criteria
from pytest_causal.model.promotion import Basis, MetricLimit, Mode, PromotionRule, Trigger
from pytest_causal.policy.in_force import Policy
from pytest_causal.policy.promotion_rules import (
    change_of,
    find_rule,
    proposed_change,
    read_rules,
    rung_in_force,
)
from pytest_causal.policy.standing import standing_policy
from pytest_causal.settings.sources import Settings, resolve_settings

POLICY = """\
[policy.limits]
rows = 500
ratio = 0.5
mode = "lifo"
is_strict = true
steps = [1, 2]
[bounds]
"limits.rows" = {min = 10, max = 1000}
"""
LEAST = '[[promotion]]\nname = "r"\nscenarios = ["s"]\nchanges = {"limits.rows" = 800}\n'
AT = 9
"""The line on which the first rule begins."""


class Rules:
    """A project whose configuration holds rules."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def settings(self, rules: str = "", top: str = "") -> Settings:
        (self.root / "causal.toml").write_text(top + POLICY + rules)
        return resolve_settings(flags={}, env={}, root=self.root)

    def read(self, rules: str) -> tuple[PromotionRule, ...]:
        return read_rules(self.settings(rules))

    def change(self, rules: str, top: str = "") -> Change | None:
        settings = self.settings(rules, top)
        (rule,) = read_rules(settings)
        return proposed_change(rule, settings, standing_policy(settings))

    def profile(self, name: str, **limits: Any) -> None:
        (self.root / "profiles").mkdir(exist_ok=True)
        (self.root / "profiles" / f"{name}.json").write_text(json.dumps({"limits": limits}))


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    return Rules(tmp_path)


def test_without_rules_there_are_none(rules: Rules) -> None:
    assert rules.read("") == ()


def test_a_rule_with_nothing_but_what_it_needs(rules: Rules) -> None:
    (rule,) = rules.read(LEAST)
    assert rule == PromotionRule(
        "r", ("s",), values=(("limits.rows", 800),), place=f"{rules.root / 'causal.toml'}:{AT}"
    )


def test_a_rule_with_everything(rules: Rules) -> None:
    (rule,) = rules.read(
        LEAST
        + 'mode = "auto"\nevidence = "control"\nreads = ["limits"]\nwatch_sessions = 3\n'
        + "criteria = {min_runs = 7, unit = 'run'}\nmetrics = {speed = {min = 1, max = 2}}\n"
        + "revert_when = {failure_rate = {max = 0.2}, speed = {max_decrease = 0.1, min = 1}}\n"
    )
    assert (rule.mode, rule.basis, rule.reads, rule.watch_sessions) == (
        Mode.AUTO,
        Basis.CONTROL,
        ("limits",),
        3,
    )
    assert rule.metrics == (MetricLimit("speed", 1.0, 2.0),)
    assert rule.triggers == (Trigger("failure_rate", max=0.2), Trigger("speed", min=1.0, max_decrease=0.1))
    criteria = rule.criteria_over(Criteria(alpha=0.01))
    assert (criteria.min_runs, criteria.unit, criteria.alpha) == (7, "run", 0.01)


def test_changes_may_be_written_as_nested_tables(rules: Rules) -> None:
    (nested,) = rules.read(LEAST.replace('{"limits.rows" = 800}', "{limits = {rows = 800}}"))
    (quoted,) = rules.read(LEAST)
    assert nested.values == quoted.values


def test_the_general_number_of_watched_sessions_holds_where_a_rule_says_none(rules: Rules) -> None:
    (rule,) = read_rules(rules.settings(LEAST, top="watch_sessions = 4\n"))
    assert rule.watch_sessions == 4


def test_rules_keep_their_order(rules: Rules) -> None:
    names = ("z", "a", "m")
    texts = [LEAST.replace('"r"', f'"{name}"') for name in names]
    assert tuple(rule.name for rule in rules.read("".join(texts))) == names


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("scenario = []", "unknown key 'scenario' of a promotion; did you mean 'scenarios'?"),
        ('name = ""', "name is ''"),
        ('name = "two words"', "name is 'two words'"),
        ("name = 3", "name is 3"),
        ("scenarios = []", "scenarios is []"),
        ('scenarios = "s"', "scenarios is 's'; write it as a list of names"),
        ('scenarios = [""]', "scenarios is ['']"),
        ('to = "x"', "it needs either changes or to"),
        ("changes = {}", "changes is {}"),
        ('changes = {"a" = []}\nchanges = 3', "changes is 3"),
        ('mode = "automatic"', "mode is 'automatic'; expected one of propose, auto, dry-run"),
        ("mode = 3", "mode is 3"),
        ('evidence = "both"', "evidence is 'both'; expected one of candidate, control"),
        ('mode = "auto"', "mode is auto and nothing says when to take it back"),
        ("criteria = 3", "criteria is 3; write it as a table"),
        ("criteria = {min_run = 3}", "criteria: unknown key 'min_run'; did you mean 'min_runs'?"),
        ("criteria = {min_runs = 0}", "criteria: min_runs: expected a value in [1, 1e+06] runs, found 0"),
        ("criteria = {max_failure_rate = 1.0}", "criteria: max_failure_rate: expected a value in (0, 1)"),
        ("metrics = {speed = {}}", "metrics.speed limits nothing; give one of min, max"),
        ("metrics = {speed = 3}", "metrics.speed is 3"),
        ("metrics = {speed = {mini = 3}}", "metrics.speed: unknown key 'mini'; did you mean 'min'?"),
        ("metrics = {speed = {min = nan}}", "metrics.speed: min is nan; expected a finite number"),
        ("metrics = {speed = {min = true}}", "metrics.speed: min is True"),
        ("metrics = {speed = {min = 2, max = 1}}", "metrics.speed: min is above max"),
        ("revert_when = {speed = {}}", "revert_when.speed limits nothing"),
        ("revert_when = {speed = {max = inf}}", "revert_when.speed: max is inf"),
        ("revert_when = {speed = {max_increase = -0.1}}", "revert_when.speed: max_increase is negative"),
        ("revert_when = {speed = {min = 2, max = 1}}", "revert_when.speed: min is above max"),
        ("reads = 3", "reads is 3"),
        ("watch_sessions = 0", "watch_sessions is 0; expected a whole number from 1 to 1000"),
        ("watch_sessions = true", "watch_sessions is True"),
        ("watch_sessions = 1001", "watch_sessions is 1001"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(rules: Rules, given: str, words: str) -> None:
    last = given.splitlines()[-1]
    key = last.partition(" ")[0]
    kept = [line for line in LEAST.splitlines() if not line.startswith(f"{key} =")]
    with pytest.raises(ConfigError) as refused:
        rules.read("\n".join([*kept, last]))
    assert words in str(refused.value)
    assert str(refused.value).startswith(f"{rules.root / 'causal.toml'}:{AT}: ")


@pytest.mark.parametrize("missing", ["name", "scenarios", "changes"])
def test_what_is_needed_and_missing_is_refused(rules: Rules, missing: str) -> None:
    with pytest.raises(ConfigError, match=missing):
        rules.read("\n".join(line for line in LEAST.splitlines() if not line.startswith(missing)))


def test_two_of_one_name_are_refused_with_the_place_of_the_second(rules: Rules) -> None:
    with pytest.raises(ConfigError, match=rf":{AT + 4}: a second promotion 'r'"):
        rules.read(LEAST + LEAST)


def test_a_rule_is_found_by_its_name(rules: Rules) -> None:
    settings = rules.settings(LEAST.replace('"r"', '"more-rows"'))
    assert find_rule(settings, "more-rows").name == "more-rows"
    with pytest.raises(ConfigError, match="there is no promotion 'more-row'; did you mean 'more-rows'"):
        find_rule(settings, "more-row")


class TestProposedChange:
    """What a rule would change of the policy in force."""

    def test_the_change_starts_from_what_is_in_force(self, rules: Rules) -> None:
        assert rules.change(LEAST) == Change((Step("limits.rows", 500, 800),))

    def test_what_is_in_force_already_is_left_out(self, rules: Rules) -> None:
        both = LEAST.replace("= 800}", '= 500, "limits.ratio" = 0.7}')
        assert rules.change(both) == Change((Step("limits.ratio", 0.5, 0.7),))
        assert rules.change(LEAST.replace("= 800", "= 500")) is None
        assert rules.change(LEAST.replace("= 800", "= 500.0")) is None

    def test_steps_are_sorted_by_path(self, rules: Rules) -> None:
        change = rules.change(LEAST.replace("{", '{"limits.steps" = [3], "limits.mode" = "fifo", '))
        assert change is not None
        assert change.paths == ("limits.mode", "limits.rows", "limits.steps")
        assert change.after["limits.steps"] == (3,)

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            ('"limits.rowz" = 1', "the policy has no 'limits.rowz'; did you mean 'limits.rows'?"),
            ('"limits" = 1', "the policy has no 'limits'"),
            ('"limits.rows" = 8.5', "limits.rows: expected a whole number"),
            ('"limits.rows" = "8"', "limits.rows: expected a whole number"),
            ('"limits.rows" = true', "limits.rows: expected a whole number"),
            ('"limits.is_strict" = 1', "limits.is_strict: expected true or false"),
            ('"limits.steps" = 3', "limits.steps: expected a list"),
            ('"limits.rows" = 9', "limits.rows = 9 is out of bounds; expected 10 to 1000"),
            ('"limits.rows" = 1001', "limits.rows = 1001 is out of bounds"),
        ],
    )
    def test_what_the_policy_cannot_become_is_refused_with_its_place(
        self, rules: Rules, value: str, words: str
    ) -> None:
        with pytest.raises(ConfigError) as refused:
            rules.change(LEAST.replace('"limits.rows" = 800', value))
        assert words in str(refused.value)
        assert f"causal.toml:{AT}: promotion 'r'" in str(refused.value)

    @pytest.mark.parametrize("value", [10, 1000])
    def test_both_ends_of_the_bounds_are_within(self, rules: Rules, value: int) -> None:
        assert rules.change(LEAST.replace("= 800", f"= {value}")) is not None


class TestLadder:
    """A promotion goes up one rung at a time, and down as far as it likes."""

    TO = '[[promotion]]\nname = "r"\nscenarios = ["s"]\nto = "{}"\n'

    @pytest.fixture(autouse=True)
    def profiles(self, rules: Rules) -> None:
        for rows, name in enumerate(("calm", "usual", "bold"), 1):
            rules.profile(name, rows=rows * 100, ratio=0.5, mode="lifo", is_strict=True, steps=[1, 2])

    def change(
        self, rules: Rules, profile: str, to: str, ladder: str = '["calm", "usual", "bold"]'
    ) -> Change | None:
        top = f'ladder = {ladder}\nprofile = "{profile}"\n'
        return rules.change(self.TO.format(to), top)

    def test_the_next_rung(self, rules: Rules) -> None:
        assert self.change(rules, "calm", "usual") == Change((Step("limits.rows", 100, 200),))

    def test_any_rung_below(self, rules: Rules) -> None:
        assert self.change(rules, "bold", "calm") == Change((Step("limits.rows", 300, 100),))

    def test_the_rung_in_force(self, rules: Rules) -> None:
        assert self.change(rules, "usual", "usual") is None

    def test_a_rung_further_up(self, rules: Rules) -> None:
        with pytest.raises(ConfigError, match="bold is more than one rung above calm; take usual first"):
            self.change(rules, "calm", "bold")

    def test_no_rung(self, rules: Rules) -> None:
        with pytest.raises(ConfigError, match="bold is no rung of the ladder; rungs: calm, usual"):
            self.change(rules, "calm", "bold", '["calm", "usual"]')
        with pytest.raises(
            ConfigError, match="bold is to be reached by a ladder, and there is none; list profiles"
        ):
            self.change(rules, "calm", "bold", "[]")

    def test_below_the_ladder_only_the_first_rung_is_next(self, rules: Rules) -> None:
        rules.profile("odd", rows=50, ratio=0.5, mode="lifo", is_strict=True, steps=[1, 2])
        assert self.change(rules, "odd", "calm") == Change((Step("limits.rows", 50, 100),))
        with pytest.raises(ConfigError, match="above below the ladder; take calm first"):
            self.change(rules, "odd", "usual")

    def test_a_profile_that_is_not_there(self, rules: Rules) -> None:
        with pytest.raises(ConfigError, match="bald"):
            self.change(rules, "calm", "bald")

    @pytest.mark.parametrize(("profile", "place"), [("calm", 0), ("usual", 1), ("bold", 2)])
    def test_the_rung_is_known_by_its_values(self, rules: Rules, profile: str, place: int) -> None:
        settings = rules.settings(top=f'ladder = ["calm", "usual", "bold"]\nprofile = "{profile}"\n')
        assert rung_in_force(settings, standing_policy(settings)) == place


def test_a_change_given_otherwise_than_by_a_rule_names_its_own_place(rules: Rules) -> None:
    policy: Policy = standing_policy(rules.settings())
    with pytest.raises(UsageError, match=r"--set: the policy has no 'limits\.rowz'"):
        change_of({"limits.rowz": 1}, policy, lambda path: "--set", UsageError)
    assert change_of({}, policy, str) is None

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.policy.bounds import Bound
from pytest_causal.policy.json_document import parse_json
from pytest_causal.policy.legacy_files import Kind, LegacyFile
from pytest_causal.policy.legacy_keys import NESTED
from pytest_causal.policy.migration_plan import (
    Fate,
    KnownProfile,
    Plan,
    Surroundings,
    plan_migration,
    unaccounted,
)
from pytest_causal.policy.profiles import load_profile, shipped_profiles
from pytest_causal.policy.tree import flatten

SIX = {
    "base_spread_bps_delta": 0.16,
    "impact_cap_ratio": 0.08,
    "max_delta_ratio": 0.12,
    "min_interval_ms": 75,
    "replace_rate_per_min": 260,
    "tail_age_ms": 740,
}


def known(name: str, *, is_own: bool = False) -> KnownProfile:
    profile = load_profile(name, (shipped_profiles(),))
    return KnownProfile(leaves=profile.leaves, bounds=profile.bounds, is_own=is_own, others={})


def around(**changes: Any) -> Surroundings:
    plain = Surroundings(
        profiles={name: known(name) for name in ("steady_safe", "ultra_safe")},
        overrides={},
        policy={},
        bounds={},
        reference=known("steady_safe"),
    )
    return plain._replace(**changes)


def legacy(kind: Kind, data: dict[str, Any], name: str = "", file: str = "f.json") -> LegacyFile:
    text = json.dumps(data, indent=1)
    return LegacyFile(
        path=Path(file),
        kind=kind,
        name=name,
        sha256="",
        document=parse_json(text, file),
        leaves=flatten(data),
    )


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    return {NESTED[key]: value for key, value in flat.items()}


def fates(plan: Plan) -> dict[str, Fate]:
    return {note.path: note.fate for note in plan.notes}


def test_a_partial_file_is_merged_into_the_whole_profile_and_does_not_replace_it() -> None:
    plan = plan_migration([legacy(Kind.PROFILE, {"min_interval_ms": 80}, "steady_safe")], around())
    assert plan.profiles == {"steady_safe": {**nested(SIX), "quoting.min_interval_ms": 80}}
    assert plan.problems == ()


def test_a_profile_that_nobody_knows_gets_the_values_it_had_and_no_others() -> None:
    plan = plan_migration([legacy(Kind.PROFILE, {"min_interval_ms": 70}, "steady")], around())
    assert plan.profiles == {"steady": {"quoting.min_interval_ms": 70}}
    assert plan.descriptions == {"steady": "Migrated from f.json."}


def test_unknown_keys_are_kept_and_reported_and_a_description_stays_one() -> None:
    data = {"old_param": 123, "risk_limit": 0.4, "description": "careful", "_sources": {"old_param": "env"}}
    plan = plan_migration([legacy(Kind.FOLDER_PROFILE, data, "mine")], around())
    assert plan.profiles == {"mine": {"old_param": 123, "risk_limit": 0.4}}
    assert plan.descriptions == {"mine": "careful"}
    assert fates(plan) == {
        "old_param": Fate.PROFILE,
        "risk_limit": Fate.PROFILE,
        "description": Fate.DESCRIPTION,
        "_sources.old_param": Fate.REPORTED,
    }
    assert [bool(note.why) for note in plan.notes if note.path == "old_param"] == [True]


def test_an_override_file_is_stronger_than_the_profile_of_the_folder_and_says_so() -> None:
    folder = legacy(
        Kind.FOLDER_PROFILE, {"min_interval_ms": 60, "tail_age_ms": 600}, "steady_safe", "old.json"
    )
    file = legacy(Kind.PROFILE, {"min_interval_ms": 65, "tail_age_ms": 600}, "steady_safe", "new.json")
    plan = plan_migration([folder, file], around())
    assert plan.profiles["steady_safe"]["quoting.min_interval_ms"] == 65
    told = {(note.place, note.path): (note.fate, note.why) for note in plan.notes}
    assert told["old.json:2", "min_interval_ms"] == (Fate.OUTWEIGHED, "see new.json:2")
    assert told["old.json:3", "tail_age_ms"] == (Fate.SAME, "see new.json:3")


@pytest.mark.parametrize(
    "data",
    [
        SIX,
        {"quoting": {"min_interval_ms": 75}, "impact": {"max_delta_ratio": 0.12}},
        {"engine": {"min_interval_ms": 75}},
    ],
    ids=["flat", "nested", "older"],
)
def test_runtime_overrides_flat_and_nested_become_overrides(data: dict[str, Any]) -> None:
    plan = plan_migration([legacy(Kind.RUNTIME, data)], around())
    assert plan.overrides["quoting.min_interval_ms"] == 75
    assert set(plan.overrides) <= set(NESTED.values())
    assert len(plan.overrides) == len(flatten(data))
    assert plan.profiles == {}


def test_d2_flat_and_nested_that_agree_are_one_value() -> None:
    plan = plan_migration(
        [legacy(Kind.RUNTIME, {"tail_age_ms": 650, "engine": {"tail_age_ms": 650}})], around()
    )
    assert plan.overrides == {"engine.tail_age_ms": 650}
    assert plan.problems == ()
    assert sorted(fates(plan).values()) == [Fate.OVERRIDE, Fate.SAME]


def test_d2_flat_and_nested_that_differ_are_a_problem_and_never_resolved() -> None:
    plan = plan_migration(
        [legacy(Kind.RUNTIME, {"tail_age_ms": 650, "engine": {"tail_age_ms": 700}})], around()
    )
    (problem,) = plan.problems
    assert problem.startswith("f.json:2: tail_age_ms is 650 but engine.tail_age_ms is 700 (f.json:4)")
    assert "one value" in problem


def test_d1_a_change_that_a_tool_wrote_as_a_value_is_recognised() -> None:
    data = {"risk": {"impact_cap_ratio": -0.00999}, "engine": {"min_interval_ms": 5}}
    plan = plan_migration([legacy(Kind.RUNTIME, data)], around())
    assert len(plan.problems) == 2
    assert all("a change that a tool wrote in its place" in problem for problem in plan.problems)


APPLIED = {
    "profile": "S1",
    "base": SIX,
    "overrides_runtime": {"min_interval_ms": 80},
    "runtime_overrides_applied": True,
    "runtime_adjustments": [{"field": "min_interval_ms", "from": 75, "to": 80}],
    "applied": {**SIX, "min_interval_ms": 80},
}


def test_an_applied_profile_becomes_a_profile_and_overrides() -> None:
    plan = plan_migration([legacy(Kind.APPLIED, APPLIED)], around())
    assert plan.profiles == {"S1": nested(SIX)}
    assert plan.overrides == {"quoting.min_interval_ms": 80}
    assert fates(plan)["applied.min_interval_ms"] is Fate.SAME
    assert fates(plan)["runtime_adjustments"] is Fate.REPORTED


def test_an_applied_profile_whose_sum_is_wrong_says_so() -> None:
    wrong = {**APPLIED, "applied": {**SIX, "min_interval_ms": 99}}
    plan = plan_migration([legacy(Kind.APPLIED, wrong)], around())
    (note,) = [note for note in plan.notes if note.path == "applied.min_interval_ms"]
    assert (note.fate, note.why) == (Fate.REPORTED, "base and overrides_runtime give 80")


def test_overrides_that_were_not_applied_are_not_put_in_force() -> None:
    plan = plan_migration([legacy(Kind.APPLIED, {**APPLIED, "runtime_overrides_applied": False})], around())
    assert plan.overrides == {}
    assert fates(plan)["overrides_runtime.min_interval_ms"] is Fate.REPORTED


def test_a_flat_applied_profile_is_a_profile_without_a_name() -> None:
    plan = plan_migration([legacy(Kind.APPLIED, SIX)], around())
    assert plan.profiles == {"applied": nested(SIX)}


def test_the_live_file_is_stronger_than_the_record_of_what_was_applied() -> None:
    live = legacy(Kind.RUNTIME, {"min_interval_ms": 60}, file="live.json")
    plan = plan_migration([legacy(Kind.APPLIED, APPLIED), live], around())
    assert plan.overrides == {"quoting.min_interval_ms": 60}
    assert fates(plan)["overrides_runtime.min_interval_ms"] is Fate.OUTWEIGHED


def test_overrides_that_the_policy_does_not_know_are_reported_and_not_put_in_force() -> None:
    surroundings = around(policy={"quoting.min_interval_ms": 70})
    plan = plan_migration([legacy(Kind.RUNTIME, {"min_interval_ms": 75, "old_data": "abc"})], surroundings)
    assert plan.overrides == {"quoting.min_interval_ms": 75}
    assert fates(plan)["old_data"] is Fate.REPORTED


def own(leaves: dict[str, Any]) -> KnownProfile:
    return KnownProfile(leaves=leaves, bounds={}, is_own=True, others={})


@pytest.mark.parametrize(
    ("file", "changes", "problem"),
    [
        (
            legacy(Kind.PROFILE, {"min_interval_ms": 90}, "steady_safe"),
            {},
            "out of the bounds of profile steady_safe",
        ),
        (legacy(Kind.PROFILE, {"min_interval_ms": "75"}, "steady_safe"), {}, "expected a whole number"),
        (legacy(Kind.PROFILE, {"min_interval_ms": True}, "steady_safe"), {}, "expected a whole number"),
        (
            legacy(Kind.PROFILE, {"min_interval_ms": 75}, "mine"),
            {"profiles": {"mine": own({"quoting.min_interval_ms": 70})}},
            "your profile mine has 70",
        ),
        (
            legacy(Kind.PROFILE, {"min_interval_ms": 75}, "mine"),
            {"profiles": {"mine": own({})}},
            "your profile mine has no such value",
        ),
        (
            legacy(Kind.RUNTIME, {"min_interval_ms": 75}),
            {"overrides": {"quoting.min_interval_ms": 70}},
            "the override file has 70",
        ),
        (
            legacy(Kind.RUNTIME, {"min_interval_ms": 75}),
            {"bounds": {"quoting.min_interval_ms": Bound(max=60, place="causal.toml:9")}},
            r"out of bounds: at most 60 \(causal.toml:9\)",
        ),
    ],
)
def test_what_stands_in_the_way_is_a_problem_with_file_and_line(
    file: LegacyFile, changes: dict[str, Any], problem: str
) -> None:
    plan = plan_migration([file], around(**changes))
    assert len(plan.problems) == 1
    assert plan.problems[0].startswith("f.json:2: ")
    assert re.search(problem, plan.problems[0])


def test_an_own_profile_with_the_same_values_is_no_problem() -> None:
    surroundings = around(profiles={"mine": own({"quoting.min_interval_ms": 75, "more": 1})})
    plan = plan_migration([legacy(Kind.PROFILE, {"min_interval_ms": 75.0}, "mine")], surroundings)
    assert plan.problems == ()
    assert plan.profiles == {"mine": {"quoting.min_interval_ms": 75, "more": 1}}


keys = st.sampled_from([*NESTED, "old_param", "_sources", "description", "base", "applied", "profile", "x"])
values = st.integers(40, 90) | st.floats(0.05, 0.2) | st.sampled_from(["text", True])
tables = st.dictionaries(
    keys | st.sampled_from(["risk", "quoting", "engine", "impact", "overrides_runtime"]),
    values | st.dictionaries(keys, values, max_size=3),
    max_size=6,
)


@given(st.lists(st.tuples(st.sampled_from(list(Kind)), tables), max_size=5))
def test_f10_no_value_is_lost_and_none_is_made_up(inputs: list[tuple[Kind, dict[str, Any]]]) -> None:
    files = [
        legacy(
            kind, data, f"p{number % 2}" if kind in (Kind.PROFILE, Kind.FOLDER_PROFILE) else "", f"f{number}"
        )
        for number, (kind, data) in enumerate(inputs)
    ]
    plan = plan_migration(files, around(profiles={}))
    assert unaccounted(files, plan.notes) == []
    assert len(plan.notes) == sum(len(file.leaves) for file in files)
    there = {value for file in files for value in file.leaves.values()}
    assert {value for table in (*plan.profiles.values(), plan.overrides) for value in table.values()} <= there
    if not plan.problems:
        went_over = [note for note in plan.notes if note.fate is Fate.OVERRIDE]
        assert {note.target: note.value for note in went_over} == plan.overrides

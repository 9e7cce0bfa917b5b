from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from pytest_causal.cli.config import read_settings
from pytest_causal.errors import ExitCode
from tools.soak.config_manager import with_own_defaults
from tools.soak.parameters import Author, Parameters, SafetyStopError, Step, restore

ME = Author(by="soak a iteration 1", at="2027-01-01T00:00:00Z")
SPREAD, INTERVAL, IMPACT = (
    "quoting.base_spread_bps_delta",
    "quoting.min_interval_ms",
    "impact.impact_cap_ratio",
)


@pytest.fixture
def parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parameters:
    monkeypatch.chdir(tmp_path)
    settings = with_own_defaults(read_settings("steady_safe"))
    return Parameters(settings=settings, sets=(), env={}, path=tmp_path / "runtime_overrides.json")


def test_d1_a_delta_is_added_and_what_comes_out_is_in_force(parameters: Parameters) -> None:
    before = parameters.policy().flat
    applied = parameters.apply([Step(INTERVAL, 75, 70), Step(IMPACT, 0.08, 0.085)], ME, from_revision=0)
    assert applied.taken_back == ""
    assert parameters.policy().flat == {**before, INTERVAL: 70, IMPACT: 0.085}
    assert isinstance(parameters.policy().flat[INTERVAL], int)


def test_d2_what_is_written_stands_where_the_reader_reads_it_and_nowhere_else(parameters: Parameters) -> None:
    parameters.apply([Step(IMPACT, 0.08, 0.085)], ME, from_revision=0)
    written = json.loads(parameters.path.read_text("utf-8"))
    assert written["values"] == {"impact": {"impact_cap_ratio": 0.085}}
    assert parameters.policy().leaves[IMPACT].source.file == str(parameters.path)


def test_k1_a_change_that_was_applied_already_is_not_applied_twice(parameters: Parameters) -> None:
    steps = [Step(INTERVAL, 75, 70)]
    first = parameters.apply(steps, ME, from_revision=0)
    again = parameters.apply(steps, ME, from_revision=0)
    assert again == first
    assert (parameters.policy().flat[INTERVAL], parameters.read().revision) == (70, 1)


def test_d17_an_equal_step_later_is_a_step_of_its_own(parameters: Parameters) -> None:
    first = parameters.apply([Step(INTERVAL, 75, 70)], ME, from_revision=0)
    second = parameters.apply([Step(INTERVAL, 70, 65)], ME, from_revision=first.revision)
    assert (second.revision, parameters.policy().flat[INTERVAL]) == (2, 65)


@pytest.mark.parametrize(
    ("path", "after"),
    [
        (INTERVAL, 81),
        (INTERVAL, 39),
        (IMPACT, 0.12 + 1e-9),
        (IMPACT, math.nan),
        (IMPACT, math.inf),
        (INTERVAL, 70.5),
        ("risk.impact_cap_ratio", 0.1),
        ("impact", 0.1),
    ],
    ids=["above", "below", "a hair above", "nan", "infinite", "no whole number", "unknown", "a table"],
)
def test_k7_d1_what_is_out_of_bounds_unknown_or_no_value_is_never_applied(
    parameters: Parameters, path: str, after: float
) -> None:
    before = parameters.policy().flat
    with pytest.raises(SafetyStopError, match="nothing was changed") as caught:
        parameters.apply([Step(SPREAD, 0.16, 0.17), Step(path, 0.0, after)], ME, from_revision=0)
    assert caught.value.exit_code == ExitCode.LOCKED
    assert parameters.policy().flat == before
    assert not parameters.path.exists()


def test_k7_a_value_at_its_bound_is_applied(parameters: Parameters) -> None:
    assert parameters.apply([Step(INTERVAL, 75, 80)], ME, from_revision=0).taken_back == ""


def test_d2_a_change_that_something_above_hides_is_taken_back_whole(parameters: Parameters) -> None:
    hidden = Parameters(
        settings=parameters.settings,
        sets=(),
        env={"CAUSAL_POLICY__impact__impact_cap_ratio": "0.1"},
        path=parameters.path,
    )
    applied = hidden.apply([Step(INTERVAL, 75, 70), Step(IMPACT, 0.1, 0.105)], ME, from_revision=0)
    assert (
        "impact.impact_cap_ratio is 0.1 by env CAUSAL_POLICY__impact__impact_cap_ratio" in applied.taken_back
    )
    assert hidden.policy().flat[INTERVAL] == 75
    assert hidden.read().leaves == {}


@pytest.mark.parametrize("how", ["edited", "written"])
def test_a_file_that_somebody_else_changed_stops_the_run(parameters: Parameters, how: str) -> None:
    parameters.apply([Step(INTERVAL, 75, 70)], ME, from_revision=0)
    if how == "edited":
        parameters.path.write_text(parameters.path.read_text("utf-8").replace("70", "60"), "utf-8")
    else:
        parameters.apply([Step(SPREAD, 0.16, 0.2)], ME, from_revision=1)
    before = parameters.path.read_bytes()
    with pytest.raises(SafetyStopError, match="somebody else changed it"):
        parameters.apply([Step(IMPACT, 0.08, 0.085)], ME, from_revision=1)
    assert parameters.path.read_bytes() == before


def test_restoring_is_idempotent_and_says_whether_it_did_anything(parameters: Parameters) -> None:
    parameters.apply([Step(INTERVAL, 75, 70), Step(IMPACT, 0.08, 0.085)], ME, from_revision=0)
    assert restore(parameters.path, {INTERVAL: 70}, ME)
    assert not restore(parameters.path, {INTERVAL: 70}, ME)
    assert parameters.read().leaves == {INTERVAL: 70}


def test_restoring_leaves_alone_what_a_person_edited(parameters: Parameters) -> None:
    parameters.apply([Step(INTERVAL, 75, 70)], ME, from_revision=0)
    parameters.path.write_text(parameters.path.read_text("utf-8").replace("70", "60"), "utf-8")
    with pytest.raises(SafetyStopError, match="edited by hand"):
        restore(parameters.path, {}, ME)


def test_a_run_starts_from_what_the_project_has_in_force(parameters: Parameters, tmp_path: Path) -> None:
    project = tmp_path / ".causal" / "runtime_overrides.json"
    promoted = Parameters(settings=parameters.settings, sets=(), env={}, path=project)
    promoted.apply([Step(INTERVAL, 75, 70)], Author(by="promotion P-1", at=ME.at), from_revision=0)
    own = Parameters(settings=parameters.settings, sets=(), env={}, path=parameters.path, project=project)
    assert own.start().leaves == {INTERVAL: 70}
    assert own.start().revision == 1, "done again, it changes nothing"
    own.apply([Step(INTERVAL, 70, 65)], ME, from_revision=1)
    assert (own.base().flat[INTERVAL], own.policy().flat[INTERVAL]) == (70, 65)
    assert promoted.policy().flat[INTERVAL] == 70, "the project's own file is not touched"

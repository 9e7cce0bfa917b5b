"""Scenarios that gate a rule with criteria of its own have running states under these: no decision scans runs."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_causal.actions.conclude import fold_units
from pytest_causal.actions.gating import gating_scenarios, own_criteria
from pytest_causal.model.criteria import Criteria, Unit
from pytest_causal.model.evidence import Evidence, Verdict
from pytest_causal.model.promotion import PromotionRule
from pytest_causal.model.run import Read
from pytest_causal.model.scenario import Declaration
from pytest_causal.model.session import SessionState
from pytest_causal.rules.candidacy import judge_candidate
from pytest_causal.store.opening import open_store
from tests.actions.world import World

STRICT = PromotionRule("strict", ("a", "b"), criteria=(("max_failure_rate", 0.05),))
BY_RUN = PromotionRule("by-run", ("b*",), criteria=(("unit", Unit.RUN), ("min_runs", 3)))
CONFIG = """
[policy]
rows = 10
[[promotion]]
name = "more"
scenarios = ["load"]
changes = {rows = 20}
criteria = {max_failure_rate = 0.05, min_sessions = 2}
"""


def judged_as(state: Evidence) -> Evidence:
    """A state without what depends on when it was judged, and on the order in which weights were multiplied."""
    return state._replace(
        verdict=Verdict.INCONCLUSIVE,
        wealth=tuple(round(weight, 9) for weight in state.wealth),
        ruin=tuple(round(weight, 9) for weight in state.ruin),
        badness=round(state.badness, 9),
    )


def test_scenarios_are_named_literally_or_by_a_glob(history) -> None:
    history.session({"a": "p", "b": "p", "b[x]": "p", "c": "p"})
    assert [each.name for each in gating_scenarios(history.store, ["b[x]", "c"])] == ["b[x]", "c"]
    assert [each.name for each in gating_scenarios(history.store, ["b*"])] == ["b", "b[x]"]


def test_only_criteria_that_the_usual_states_do_not_serve_are_own(history) -> None:
    history.store.declare([Declaration(scenario="a", criteria=(("max_failure_rate", 0.05),))])
    history.session({"a": "p", "b": "p", "c": "p"})
    floors = PromotionRule("floors", ("*",), criteria=(("min_runs", 99),))
    names = {each.id: each.name for each in history.store.scenarios()}
    own = own_criteria(history.store, [STRICT, BY_RUN, floors], Criteria())
    assert {names[id_]: [each.state_key for each in criteria] for id_, criteria in own.items()} == {
        "b": [Criteria(max_failure_rate=0.05).state_key, Criteria(unit=Unit.RUN).state_key]
    }


specs = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), st.text("ppppfesm", min_size=1, max_size=3), min_size=1, max_size=3
)
reads = st.sampled_from([(), (Read(path="x", value="1"),), (Read(path="x", value="2"),)])
known_rules = st.sampled_from([(), (STRICT,), (STRICT, BY_RUN)])
endings = st.sampled_from([SessionState.FINISHED] * 4 + [SessionState.INTERRUPTED])
keys = st.sampled_from(["", "", "", "ci:1"])


@settings(max_examples=25)
@given(plan=st.lists(st.tuples(specs, reads, keys, endings, known_rules), min_size=1, max_size=7))
def test_what_is_kept_equals_what_the_runs_say_whatever_rules_there_were_meanwhile(history_of, plan) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(open_store(str(Path(folder, "h.db")))) as store:
        history = history_of(store)
        for spec, read, key, state, rules in plan:
            history.rules = rules
            history.session(spec, state, reads=read, **({"key": key} if key else {}))
        usual = {each.id: (history.criteria,) for each in store.scenarios()}
        for kept in (usual, own_criteria(store, plan[-1][4], history.criteria)):
            for id_, of_scenario in kept.items():
                for criteria in of_scenario:
                    found = store.evidence(criteria.state_key, [id_])
                    again = fold_units(store.units([id_]), criteria).values()
                    ran_last = store.scenario_names([id_])[id_] in plan[-1][0]
                    assert found or not (again and ran_last)
                    assert not found or sorted(map(judged_as, found)) == sorted(map(judged_as, again))


@pytest.mark.parametrize("letters", [["p", "p", "p"], ["p", "f", "p"]])
def test_a_decision_under_own_criteria_reads_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, letters: list[str]
) -> None:
    from pytest_causal.actions.case import gather_case
    from pytest_causal.policy.promotion_rules import find_rule, proposed_change

    world = World(tmp_path, CONFIG)
    fails = {"load": False}

    def load(policy, metric):
        assert not (policy["rows"] == 20 and fails["load"])

    world.tests["load"] = load
    for letter in letters:
        fails["load"] = letter == "f"
        world.session(reviewed=False)
    rule = find_rule(world.settings, "more")
    change = proposed_change(rule, world.settings, world.policy)
    assert change is not None

    def verdict():
        case = gather_case(world.store, rule, change, world.policy, world.settings.criteria, world.now_us)
        return judge_candidate(case)

    kept = verdict()
    assert kept.scenarios[0].units == 3
    assert kept.scenarios[0].failures == letters.count("f")
    with monkeypatch.context() as patch:
        patch.setattr(type(world.store), "units", lambda *args, **kw: pytest.fail("runs were read"))
        assert verdict() == kept
    patch.setattr(type(world.store), "evidence", lambda *args: [])
    scanned = verdict()
    patch.undo()
    assert scanned._replace(scenarios=()) == kept._replace(scenarios=())
    assert scanned.scenarios[0]._replace(e_value=0) == kept.scenarios[0]._replace(e_value=0)
    assert scanned.scenarios[0].e_value == pytest.approx(kept.scenarios[0].e_value)
    world.store.close()

"""Sessions are folded into evidence once each, and the running state equals what the runs say."""

from __future__ import annotations

import itertools
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_causal.actions.conclude import conclude_dead_sessions, conclude_session, recompute
from pytest_causal.actions.judgements import Judged
from pytest_causal.errors import DataError
from pytest_causal.model.criteria import Criteria, Unit
from pytest_causal.model.evidence import Evidence, Reason, Verdict
from pytest_causal.model.run import Read
from pytest_causal.model.scenario import Declaration
from pytest_causal.model.session import SessionEnding, SessionFacts, SessionState
from pytest_causal.rules.eligibility import clean_sessions_needed
from pytest_causal.store.opening import open_store


def needed(judged: Judged) -> int | None:
    return clean_sessions_needed(judged.evidence, judged.criteria, judged.decision)


def test_a_session_becomes_one_unit_of_each_scenario(history) -> None:
    judged = history.session({"a": "ppf", "b": "p"})
    assert judged["a"].evidence[2:5] == (2, 1, 0)
    assert judged["a"].evidence.units == 1
    assert judged["a"].evidence.badness == pytest.approx(1 / 3)
    assert judged["b"].evidence.badness == 0
    assert judged["a"].decision.verdict is Verdict.NOT_YET
    assert judged["a"].is_changed
    assert judged["a"].verdict_before is None


def test_twenty_three_clean_sessions_make_a_scenario_eligible_and_not_one_less(history) -> None:
    history.criteria = Criteria()
    for number in range(1, 24):
        judged = history.session({"a": "p"})["a"]
        assert (judged.decision.verdict is Verdict.ELIGIBLE) == (number == 23)
        assert needed(judged) == 23 - number
    assert judged.is_changed
    assert not history.session({"a": "p"})["a"].is_changed


def test_a_session_is_concluded_once(history) -> None:
    session = history.begin({"a": "p"})
    history.conclude(session)
    with pytest.raises(DataError):
        history.conclude(session)
    (state,) = history.store.all_evidence()
    assert state.units == 1


def test_t5_an_untrusted_session_is_recorded_and_folds_nothing(history) -> None:
    assert history.session({"a": "pppp"}, is_trusted=False) == {}
    assert list(history.store.all_evidence()) == []
    assert history.store.sessions()[0].runs == 4


@pytest.mark.parametrize("state", [SessionState.INTERRUPTED, SessionState.ABANDONED])
def test_p11_an_unfinished_session_can_speak_against_a_scenario_and_not_for_it(history, state) -> None:
    judged = history.session({"good": "ppp", "bad": "ppf"}, state)
    assert judged["good"].evidence.runs == 0
    assert judged["good"].decision.verdict is Verdict.INCONCLUSIVE
    assert judged["bad"].evidence.failed == 1
    assert judged["bad"].evidence.passed == 0


def test_an_unfinished_session_makes_no_evidence_fresh(history) -> None:
    history.session({"a": "p", "b": "pp"})
    before = {each.scenario_id: each.last_run_us for each in history.store.all_evidence()}
    later = history.store.begin_session(SessionFacts(uid="later", key="later", started_us=10**16))
    runs = [run._replace(started_us=10**16) for run in history.runs({"a": "p", "b": "pp"})]
    history.store.add_runs(later, runs)
    history.conclude(later, state=SessionState.INTERRUPTED)
    assert {each.scenario_id: each.last_run_us for each in history.store.all_evidence()} == before


def test_a_session_broken_as_a_whole_cannot_vouch(history) -> None:
    session = history.begin({"a": "p", **{f"x{n}": "e" for n in range(9)}}, error="ConnectionError")
    ending = SessionEnding(state=SessionState.FINISHED, finished_us=10**15)
    ending, judgements = conclude_session(history.store, session, ending, history.criteria)
    assert "ConnectionError" in ending.broken
    assert history.store.session(session).ending.broken == ending.broken
    assert sum(each.evidence.passed for each in judgements.shown()) == 0


def test_incomplete_sessions_make_the_evidence_inconclusive_until_enough_whole_ones_follow(history) -> None:
    for _ in range(10):
        history.session({"a": "p"})
    for _ in range(3):
        judged = history.session({"a": "m"})["a"]
    assert judged.decision.verdict is Verdict.INCONCLUSIVE
    assert judged.decision.reasons == (Reason.INCOMPLETE,)
    more = needed(judged)
    assert more is not None
    assert more == 18  # then two of the last twenty are left
    verdicts = [history.session({"a": "p"})["a"].decision.verdict for _ in range(more)]
    assert Verdict.ELIGIBLE not in verdicts[:-1]
    assert verdicts[-1] is Verdict.ELIGIBLE


def test_a_scenarios_own_criteria_are_enforced(history) -> None:
    history.store.declare([Declaration(scenario="strict", criteria=(("max_failure_rate", 0.01),))])
    for _ in range(30):
        judged = history.session({"strict": "p", "lax": "p"})
    assert judged["lax"].decision.verdict is Verdict.ELIGIBLE
    assert judged["strict"].decision.verdict is Verdict.NOT_YET
    assert needed(judged["strict"]) == 369 - 30


def test_changed_criteria_are_judged_from_the_whole_history(history) -> None:
    for _ in range(40):
        history.session({"a": "p"})
    history.criteria = Criteria(max_failure_rate=0.10)
    judged = history.session({"a": "p"})["a"]
    assert judged.evidence.units == 41
    assert judged.decision.verdict is Verdict.ELIGIBLE


def test_criteria_that_come_back_are_judged_from_the_whole_history_as_well(history) -> None:
    usual = history.criteria
    for criteria, letter in ((usual, "p"), (Criteria(max_failure_rate=0.10), "f"), (usual, "p")):
        history.criteria = criteria
        for _ in range(3):
            judged = history.session({"a": letter, "b": "p"})["a"]
    assert (judged.evidence.units, judged.evidence.failed) == (9, 3)


def test_a_marker_that_comes_back_is_judged_from_the_whole_history_as_well(history) -> None:
    strict = (("max_failure_rate", 0.01),)
    history.store.declare([Declaration(scenario="other", criteria=strict)])
    for criteria, letter in ((strict, "p"), ((), "f"), (strict, "p"), ((), "p")):
        history.store.declare([Declaration(scenario="a", criteria=criteria)])
        judged = history.session({"a": letter, "other": "p", "b": "p"})["a"]
    assert (judged.evidence.units, judged.evidence.failed) == (4, 1)


def test_states_in_use_outlive_a_session_that_skips_their_scenario(history) -> None:
    history.store.declare([Declaration(scenario="a", criteria=(("max_failure_rate", 0.01),))])
    history.session({"a": "p", "b": "p"})
    history.session({"a": "s", "b": "s"})
    assert [(each.units, each.skipped) for each in history.store.all_evidence()] == [(1, 1), (1, 1)]


def test_evidence_under_other_reads_is_kept_apart(history) -> None:
    slow, fast = ((Read(path="limit", value=value),) for value in ("30", "45"))
    history.session({"a": "p"}, reads=slow)
    history.session({"a": "f"}, reads=fast)
    history.session({"a": "p"}, reads=slow)
    states = {history.store.reads(state.reads_id): state for state in history.store.all_evidence()}
    assert (states[slow].units, states[slow].badness) == (2, 0)
    assert (states[fast].units, states[fast].badness) == (1, 1)


def test_a_run_that_fails_before_it_reads_counts_against_its_scenario(history) -> None:
    read = (Read(path="limit", value="30"),)
    for _ in range(30):
        judged = history.session({"a": "p"}, reads=read)["a"]
    assert judged.decision.verdict is Verdict.ELIGIBLE
    history.is_valid = lambda reads_id: True  # all that was read is still in force
    assert history.session({"a": "e"})["a"].decision.verdict is not Verdict.ELIGIBLE, (
        "read nothing: set-up broke"
    )
    judged = history.session({"a": "p"}, reads=read)["a"]
    assert judged.evidence.errors == 1
    assert judged.evidence.units == 32


def test_a_plain_pass_is_judged_with_what_its_scenario_did_when_it_read(history) -> None:
    history.is_valid = lambda reads_id: True  # all that was read is still in force
    first = history.session({"a": "p", "b": "p"})["a"]
    for _ in range(30):
        history.session({"a": "p"}, reads=(Read(path="limit", value="30"),))
    judged = history.session({"a": "p", "b": "p"})
    assert first.decision.verdict is Verdict.NOT_YET
    assert (judged["a"].evidence.units, judged["a"].decision.verdict) == (32, Verdict.ELIGIBLE)
    assert (judged["b"].evidence.units, judged["b"].decision.verdict) == (2, Verdict.NOT_YET)


def test_shards_of_one_key_are_one_unit(history) -> None:
    history.session({"a": "pp", "b": "p"}, key="ci:1")
    judged = history.session({"a": "pf", "c": "p"}, key="ci:1")
    assert judged["a"].evidence.units == 1
    assert judged["a"].evidence.badness == pytest.approx(0.25)
    assert judged["c"].evidence.units == 1


def test_dead_sessions_are_concluded_as_abandoned(history) -> None:
    facts = SessionFacts(
        uid="dead", key="dead", started_us=1, host=__import__("os").uname().nodename, process="999999999:1"
    )
    dead = history.store.begin_session(facts)
    history.store.add_runs(dead, history.runs({"a": "pf"}))
    assert conclude_dead_sessions(history.store, history.criteria, 10**15) == 1
    assert history.store.session(dead).ending.state is SessionState.ABANDONED
    (state,) = history.store.all_evidence()
    assert (state.passed, state.failed) == (0, 1)
    assert conclude_dead_sessions(history.store, history.criteria, 10**15) == 0


specs = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), st.text("ppppfesm", min_size=1, max_size=4), min_size=1, max_size=3
)
reads = st.sampled_from([(), (Read(path="x", value="1"),), (Read(path="x", value="2"),)])
keys = st.sampled_from(["", "", "", "ci:1", "ci:2"])
endings = st.sampled_from([SessionState.FINISHED] * 4 + [SessionState.INTERRUPTED])
sessions = st.lists(st.tuples(specs, reads, keys, endings), min_size=1, max_size=8)


@settings(max_examples=60)
@given(plan=sessions, unit=st.sampled_from([Unit.SESSION, Unit.RUN]))
@example(plan=[({"a": "p"}, (), "", SessionState.INTERRUPTED)], unit=Unit.SESSION)
def test_the_running_state_equals_the_state_recomputed_from_the_runs(history_of, plan, unit) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(open_store(str(Path(folder, "h.db")))) as store:
        history = history_of(store)
        history.criteria = Criteria(unit=unit)
        for spec, read, key, state in plan:
            history.session(spec, state, reads=read, **({"key": key} if key else {}))
        running = {(s.scenario_id, s.reads_id): s for s in store.all_evidence()}
        again = recomputed(history)
    assert {place: unjudged(state) for place, state in running.items()} == {
        place: unjudged(state) for place, state in again.items()
    }


@pytest.mark.parametrize("ran", ["al", "abd", "abdl", "c", "abcdefghijkl", "bz"])
def test_scenarios_that_a_session_did_not_run_are_left_alone(history, ran) -> None:
    """Whether it ran few of those that there are, or nearly all, or new ones besides."""
    store = history.store
    everybody = "abcdefghijkl"
    history.session(dict.fromkeys(everybody, "p"))
    history.session({**dict.fromkeys(everybody, "p"), "c": "f", "k": "f"})
    ids = {scenario.name: scenario.id for scenario in store.scenarios()}
    before = {state.scenario_id: state for state in store.all_evidence()}
    history.session(dict.fromkeys(ran, "p"))
    after = {state.scenario_id: state for state in store.all_evidence()}
    changed = {name for name, id_ in ids.items() if before[id_] != after[id_]}
    assert changed == set(ran) & set(everybody)
    assert {state.units for id_, state in after.items() if id_ not in before} == (
        {1} if "z" in ran else set()
    )
    assert {place: unjudged(state) for place, state in recomputed(history).items()} == {
        (state.scenario_id, state.reads_id): unjudged(state) for state in after.values()
    }


@settings(max_examples=40)
@given(plan=sessions, random=st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(history_of, plan, random) -> None:
    found = []
    for shuffled in (False, True):
        with tempfile.TemporaryDirectory() as folder, closing(open_store(str(Path(folder, "h.db")))) as store:
            history = history_of(store)
            places = list(enumerate(plan))
            if shuffled:
                random.shuffle(places)
            for place, (spec, read, key, state) in places:
                session = history.begin(spec, reads=read, uid=f"u{place}", key=key or f"u{place}")
                history.conclude(session, finished_us=10**15 + place * 1000, state=state)
            names = {scenario.id: scenario.name for scenario in store.scenarios()}
            found.append(
                {
                    (names[s.scenario_id], store.reads(s.reads_id)): (
                        s.runs,
                        s.units,
                        round(s.badness, 9),
                        s.skipped,
                    )
                    for s in store.all_evidence()
                }
            )
    assert found[0] == found[1]


def recomputed(history) -> dict[tuple[int, int], Evidence]:
    session = history.begin({"other": "p"})
    with history.store.concluding(
        session, SessionEnding(state=SessionState.FINISHED, finished_us=2 * 10**15)
    ) as conclusion:
        ids = {scenario.id for scenario in history.store.scenarios() if scenario.name != "other"}
        return recompute(conclusion, history.criteria, ids)


def unjudged(state: Evidence) -> Evidence:
    """A state without what depends on rounding or on when it was judged."""
    rounded = (
        tuple(round(weight, 9) for weight in state.wealth),
        tuple(round(weight, 9) for weight in state.ruin),
    )
    return state._replace(
        verdict=Verdict.INCONCLUSIVE, wealth=rounded[0], ruin=rounded[1], badness=round(state.badness, 9)
    )


def test_every_pair_of_outcomes_is_counted_as_the_tally_says(history) -> None:
    for first, second in itertools.product("pfesmc", repeat=2):
        name = first + second
        judged = history.session({name: name}).get(name)
        state = judged.evidence if judged else None
        counted = {
            "passed": name.count("p"),
            "failed": name.count("f"),
            "errors": name.count("e") + name.count("c"),
            "skipped": name.count("s"),
            "missing": name.count("m"),
        }
        if state is None:
            assert set(name) <= {"s"}
        else:
            assert {field: getattr(state, field) for field in counted} == counted, name

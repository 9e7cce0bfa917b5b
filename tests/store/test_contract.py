"""What every history store promises, whatever it is kept in."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_causal.errors import DataError, MissingInputError, StoreError, UsageError
from pytest_causal.model.criteria import Criteria, Rule, Unit
from pytest_causal.model.evidence import Evidence, Verdict
from pytest_causal.model.run import NO_READS, Metric, MetricKind, Outcome, Phase, Read, ReadHow, Run
from pytest_causal.model.scenario import Declaration
from pytest_causal.model.session import SessionFacts, SessionState
from pytest_causal.store.interface import HistoryQuery, HistoryStore
from pytest_causal.store.liveness import host_name, process_identity

any_text = st.text(st.characters(), max_size=30)  # lone surrogates and NUL included
us = st.integers(min_value=0, max_value=253_402_300_799_999_999)
seconds = st.floats(min_value=0.0, max_value=1e9)
finite = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.builds(Metric, name=any_text, value=finite, kind=st.just(MetricKind.NUMBER))
odd_kinds = st.sampled_from([kind for kind in MetricKind if kind is not MetricKind.NUMBER])
others = st.builds(Metric, name=any_text, value=st.none(), kind=odd_kinds)
reads = st.lists(st.builds(Read, path=any_text, value=any_text), max_size=4, unique_by=lambda read: read.path)
runs = st.builds(
    Run,
    scenario=any_text,
    nodeid=any_text,
    outcome=st.sampled_from(Outcome),
    started_us=us,
    setup_seconds=seconds,
    call_seconds=seconds,
    teardown_seconds=seconds,
    attempt=st.integers(min_value=1, max_value=9),
    occurrence=st.integers(min_value=1, max_value=9),
    is_superseded=st.booleans(),
    worker=any_text,
    arm=st.sampled_from(["control", "candidate", "candidate:\udcff"]),
    cause=st.none(),
    metrics=st.lists(numbers | others, max_size=3).map(tuple),
    reads=reads.map(sorted).map(tuple),
)
with_store = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def names_of(store: HistoryStore, **query: object) -> list[str]:
    return [record.run.scenario for record in store.history(HistoryQuery(**query))]  # type: ignore[arg-type]


ALL = range(1, 10)
"""The ids of all scenarios that these stores hold."""


class TestSessions:
    def test_a_session_is_read_back_as_it_was_begun(self, store, make):
        facts = make.facts(
            kind="soak",
            commit="c0ffee",
            branch="feature/\udcff",
            is_dirty=True,
            ci_provider="github",
            ci_run="12",
            ci_attempt="2",
            ci_job="test (3.12)",
            is_trusted=False,
            python="3.12.1",
            platform="Linux",
            host="runner\0",
            process="12:34",
            plugin_version="0.1.0",
            pytest_version="9.0",
            workers=4,
            profile="steady_safe",
            policy_fingerprint="f00d",
        )
        number = store.begin_session(facts)
        session = store.session(number)
        assert session.facts == facts
        assert (session.number, session.order, session.runs) == (number, None, 0)
        assert session.ending.state is SessionState.RUNNING
        assert store.find_session(facts.uid) == session
        assert store.find_session("another") is None

    def test_an_ended_session_holds_its_ending_and_its_count_of_runs(self, store, make):
        ending = make.ending(
            state=SessionState.INTERRUPTED, exit_status=2, is_dirty=False, broken="all \0 failed"
        )
        number, _ = make.session(store, [make.run(), make.run("b")], ending, is_dirty=None)
        session = store.session(number)
        assert session.ending == ending
        assert session.facts.is_dirty is False
        assert session.runs == 2

    def test_whether_the_checkout_is_dirty_stays_known_if_the_end_does_not_tell(self, store, make):
        number, _ = make.session(store, [make.run()], make.ending(is_dirty=None), is_dirty=True)
        assert store.session(number).facts.is_dirty is True

    def test_a_uid_is_stored_once(self, store, make):
        facts = make.facts()
        store.begin_session(facts)
        with pytest.raises(DataError, match="stored already"):
            store.begin_session(make.facts(uid=facts.uid))
        assert len(store.sessions()) == 1

    def test_sessions_come_newest_first(self, store, make):
        begun = [store.begin_session(make.facts()) for _ in range(3)]
        assert [session.number for session in store.sessions()] == begun[::-1]
        assert [session.number for session in store.sessions(limit=2)] == begun[:0:-1]

    def test_an_unknown_session_is_missing_input(self, store, make):
        with pytest.raises(MissingInputError, match="no session 7"):
            store.session(7)
        with pytest.raises(MissingInputError, match="no session 7"), store.concluding(7, make.ending()):
            pass

    def test_a_session_is_dead_when_its_process_on_this_host_is_gone(self, store, make):
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        here = host_name()
        store.begin_session(make.facts(host=here, process=process_identity()))
        dead = store.begin_session(make.facts(host=here, process=f"{gone.pid}:1"))
        store.begin_session(make.facts(host=here + "2", process=f"{gone.pid}:1"))
        make.session(store, [make.run()], host=here, process=f"{gone.pid}:1")
        assert [session.number for session in store.dead_sessions()] == [dead]


class TestRuns:
    @given(batch=st.lists(runs, min_size=1, max_size=5))
    @with_store
    def test_p20_p21_any_run_is_read_back_as_it_was_stored(self, store, make, batch):
        number = store.begin_session(make.facts())
        store.add_runs(number, batch)
        found = list(store.history(HistoryQuery(limit=len(batch))))
        assert [record.run for record in found] == batch[::-1]
        assert {record.session for record in found} == {number}
        assert found[0].session_uid == store.session(number).facts.uid

    @pytest.mark.parametrize("phase", Phase)
    @pytest.mark.parametrize("is_infrastructure", [True, False])
    def test_a_cause_is_read_back(self, store, make, phase, is_infrastructure):
        cause = make.cause(
            phase=phase,
            type="pkg.Böse\udcff",
            message="line\n\0\x1b[31m",
            is_infrastructure=is_infrastructure,
        )
        make.session(store, [make.failed(cause=cause), make.run()])
        assert [record.run.cause for record in store.history(HistoryQuery())] == [None, cause]

    def test_p21_a_number_that_is_none_has_no_value(self, store, make):
        metrics = tuple(
            Metric(name=name, value=value)
            for name, value in [("nan", float("nan")), ("inf", float("inf")), ("zero", -0.0), ("int", 2**80)]
        )
        make.session(store, [make.run(metrics=metrics)])
        (record,) = store.history(HistoryQuery())
        assert [metric.value for metric in record.run.metrics] == [None, None, 0.0, float(2**80)]

    def test_p17_duplicate_ids_are_kept_apart(self, store, make):
        make.session(store, [make.run("same", occurrence=1), make.run("same", occurrence=2)])
        assert [record.run.occurrence for record in store.history(HistoryQuery(scenario="same"))] == [2, 1]

    @pytest.mark.parametrize(("length", "kept"), [(512, 512), (513, 529), (1_000_000, 529)])
    def test_p18_a_long_name_is_cut_and_found_again(self, store, make, length, kept):
        name = "t" * length
        make.session(store, [make.run(name), make.run(name + "x")])
        stored = store.scenario_names([1, 2])
        assert len(stored[1]) == kept
        assert stored[1] != stored[2]
        assert names_of(store, scenario=name) == [stored[1]]
        assert names_of(store, scenario=stored[1]) == [stored[1]]

    @pytest.mark.parametrize(
        "name", ["", "  ", "[", "a::b[c::d]", "tests\\x.py::t[\\x00]", "\\:t", "'; DROP TABLE runs"]
    )
    def test_p19_odd_names_are_names(self, store, make, name):
        make.session(store, [make.run(name, nodeid="other"), make.run("%"), make.run("_")])
        assert store.scenario_names([1]) == {1: name}
        if name:
            assert names_of(store, scenario=name) == [name]

    def test_a_batch_is_stored_whole_or_not_at_all(self, store, make):
        number = store.begin_session(make.facts())
        with pytest.raises(StoreError, match="cannot be stored"):
            store.add_runs(number, [make.run("new"), make.run("huge", started_us=2**70)])
        assert list(store.history(HistoryQuery())) == []
        assert store.scenarios() == []

    def test_what_was_learnt_in_an_undone_batch_is_not_believed(self, store, make):
        number = store.begin_session(make.facts())
        lost = make.run("lost", nodeid="node", reads=make.reads(a=1), metrics=(Metric(name="m", value=1.0),))
        with pytest.raises(StoreError):
            store.add_runs(number, [lost, make.run("huge", started_us=2**70)])
        store.add_runs(number, [make.run("other", nodeid="else", reads=make.reads(b=2))])
        store.add_runs(number, [lost])
        assert next(store.history(HistoryQuery())).run == lost
        assert names_of(store) == ["lost", "other"]

    def test_runs_are_added_to_running_sessions_only(self, store, make):
        number, _ = make.session(store, [make.run()])
        for stranger in (number, number + 1):
            with pytest.raises(DataError, match="not running"):
                store.add_runs(stranger, [make.run("late")])
        assert names_of(store, scenario="late") == []

    def test_adding_nothing_changes_nothing(self, store, make):
        number = store.begin_session(make.facts())
        store.add_runs(number, [])
        assert store.session(number).runs == 0

    def test_runs_of_sessions_at_the_same_time_are_kept_apart(self, store, make):
        one, two = store.begin_session(make.facts()), store.begin_session(make.facts())
        for _ in range(3):
            store.add_runs(one, [make.run("one")])
            store.add_runs(two, [make.failed("two"), make.run("both")])
        assert store.outcome_counts(one) == {Outcome.PASSED: 3}
        assert store.outcome_counts(two) == {Outcome.PASSED: 3, Outcome.FAILED: 3}
        with store.concluding(one, make.ending()) as conclusion:
            assert [tally.passed for tally in conclusion.tallies()] == [3]

    def test_failures_are_counted_by_kind_without_what_was_rerun(self, store, make):
        number, _ = make.session(
            store,
            [
                make.failed("a", is_superseded=True),
                make.failed("a", attempt=2),
                make.failed("b"),
                make.run("c", Outcome.ERROR, cause=make.cause(type="OSError\udcff")),
                make.run("d"),
            ],
        )
        assert store.failure_kinds(number) == {
            (Outcome.FAILED, "ValueError"): 2,
            (Outcome.ERROR, "OSError\udcff"): 1,
            (Outcome.PASSED, ""): 1,
        }
        assert store.outcome_counts(number) == {Outcome.FAILED: 3, Outcome.ERROR: 1, Outcome.PASSED: 1}

    def test_a_candidate_that_breaks_its_runs_does_not_break_a_session_that_others_share(self, store, make):
        broken = make.failed("a", outcome=Outcome.ERROR, arm="candidate:c")
        shared, _ = make.session(store, [make.run("a"), broken])
        assert store.failure_kinds(shared) == {(Outcome.PASSED, ""): 1}
        whole, _ = make.session(store, [broken])
        assert store.failure_kinds(whole) == {(Outcome.ERROR, "ValueError"): 1}


class TestHistory:
    @pytest.fixture
    def filled(self, store, make):
        make.session(store, [make.run("a", started_us=100), make.failed("b", started_us=200)], branch="main")
        make.session(store, [make.run("a", Outcome.SKIPPED, started_us=300)], branch="ma_n\udcff")
        return store

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({}, [300, 200, 100]),
            ({"scenario": "a"}, [300, 100]),
            ({"scenario": "never seen"}, []),
            ({"scenario": "%"}, []),
            ({"outcomes": (Outcome.FAILED, Outcome.SKIPPED)}, [300, 200]),
            ({"branch": "main"}, [200, 100]),
            ({"branch": "ma_n\udcff"}, [300]),
            ({"since_us": 200}, [300, 200]),
            ({"limit": 2}, [300, 200]),
            ({"limit": 0}, []),
            ({"scenario": "a", "branch": "main", "since_us": 50, "limit": 9}, [100]),
        ],
    )
    def test_history_is_newest_first_and_what_was_asked_for(self, filled, query, expected):
        assert [record.run.started_us for record in filled.history(HistoryQuery(**query))] == expected

    @pytest.mark.parametrize("limit", [None, 499, 500, 501, 1000, 1250])
    def test_history_is_complete_over_many_pages(self, store, make, limit):
        number = store.begin_session(make.facts())
        store.add_runs(number, [make.run(started_us=place) for place in range(1201)])
        found = [record.run.started_us for record in store.history(HistoryQuery(limit=limit))]
        assert found == list(range(1200, -1, -1))[:limit]

    def test_a_reader_may_write_while_it_reads(self, store, make):
        number = store.begin_session(make.facts())
        store.add_runs(number, [make.run(started_us=place) for place in range(600)])
        found = []
        for record in store.history(HistoryQuery()):
            found.append(record.run.started_us)
            if len(found) % 100 == 0:
                store.add_runs(number, [make.run("new")])
        assert found == list(range(599, -1, -1))


class TestConcluding:
    def test_sessions_are_numbered_as_they_end(self, store, make):
        numbers = [store.begin_session(make.facts()) for _ in range(3)]
        for place, number in enumerate(reversed(numbers), 1):
            store.add_runs(number, [make.run()])
            with store.concluding(number, make.ending()) as conclusion:
                assert [tally.order for tally in conclusion.tallies()] == [place]
            assert store.session(number).order == place

    @pytest.mark.parametrize("step_us", [0, -3_600_000_000, 315_360_000_000_000])
    def test_p28_a_later_session_comes_later_whatever_the_clock_says(self, store, make, step_us):
        first, _ = make.session(store, [make.run()], make.ending(finished_us=9_000_000_000))
        second, _ = make.session(store, [make.run()], make.ending(finished_us=9_000_000_000 + step_us))
        third, _ = make.session(store, [make.run()], make.ending(finished_us=9_000_000_000))
        assert [store.session(number).order for number in (first, second, third)] == [1, 2, 3]

    def test_a_session_is_concluded_once(self, store, make):
        number, _ = make.session(store, [make.run()])
        before = store.session(number)
        with (
            pytest.raises(DataError, match="concluded before"),
            store.concluding(number, make.ending(state=SessionState.ABANDONED)),
        ):
            pass
        assert store.session(number) == before

    def test_a_conclusion_that_fails_leaves_the_session_running(self, store, make):
        number = store.begin_session(make.facts())
        store.add_runs(number, [make.run(reads=make.reads(a=1)), make.run(reads=make.reads(b=1))])
        with suppress(ZeroDivisionError), store.concluding(number, make.ending()) as conclusion:
            (tally,) = conclusion.tallies()
            conclusion.put_evidence("k", [make.evidence(tally)])
            raise ZeroDivisionError
        assert store.session(number).order is None
        assert store.session(number).ending.state is SessionState.RUNNING
        assert list(store.all_evidence()) == []
        with store.concluding(number, make.ending()) as conclusion:
            (tally,) = conclusion.tallies()
            conclusion.put_evidence("k", [make.evidence(tally)])
        assert store.reads(tally.reads_id) == make.reads(a=1, b=1)
        assert [state.reads_id for state in store.all_evidence("k")] == [tally.reads_id]

    @pytest.mark.parametrize(
        "error", [OverflowError("math range error"), UnicodeDecodeError("ascii", b"", 0, 1, "")]
    )
    def test_an_error_of_those_who_conclude_is_their_own(self, store, make, error):
        number = store.begin_session(make.facts())
        for transaction in (lambda: store.concluding(number, make.ending()), store.amending):
            with pytest.raises(type(error)), transaction():
                raise error
        assert store.session(number).order is None

    def test_a_session_without_runs_ends_without_tallies(self, store, make):
        number = store.begin_session(make.facts())
        with store.concluding(number, make.ending()) as conclusion:
            assert list(conclusion.tallies()) == []
            assert conclusion.scenarios_without_state("k", ALL) == frozenset()
            assert conclusion.overlapping_scenarios() == frozenset()
        assert store.session(number).order is not None

    def test_t5_an_untrusted_session_is_recorded_and_never_counts(self, store, make):
        _, tallies = make.session(store, [make.run("a")], is_trusted=False, key="ci")
        assert tallies == []
        assert names_of(store, scenario="a") == ["a"]
        trusted = store.begin_session(make.facts(key="ci"))
        store.add_runs(trusted, [make.run("a")])
        with store.concluding(trusted, make.ending()) as conclusion:
            assert conclusion.overlapping_scenarios() == frozenset()
            assert conclusion.scenarios_without_state("k", ALL) == frozenset()
            assert [tally.session for tally in conclusion.units([1])] == [trusted]


class TestEvidence:
    state = Evidence(
        scenario_id=1,
        reads_id=0,
        passed=1,
        failed=2,
        errors=3,
        flaky=4,
        skipped=5,
        missing=6,
        infrastructure=7,
        units=8,
        badness=9.25,
        wealth=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1e-300),
        ruin=(7.0, 8.0, 9.0, 10.0, 200.0),
        recent=(1 << 61) + 1,
        recent_units=(1 << 62) - 1,
        last_order=12,
        last_session=13,
        last_badness=0.14,
        last_run_us=1_763_700_000_000_000,
        commit_seen="c0ffee",
        commit_marks=3,
        contradictions=16,
        flaky_since=17,
        verdict=Verdict.NOT_YET,
    )

    def test_a_state_is_read_back_as_it_was_put(self, store, make):
        make.session(store, [make.run()])
        with store.amending() as ledger:
            ledger.put_evidence("k", [self.state])
        assert list(store.all_evidence("k")) == [self.state]
        assert list(store.all_evidence()) == [self.state]
        assert list(store.all_evidence("other")) == []

    def test_a_state_replaces_the_one_before(self, store, make):
        make.session(store, [make.run()])
        with store.amending() as ledger:
            ledger.put_evidence("k", [self.state])
            ledger.put_evidence("k", [self.state._replace(passed=100, verdict=Verdict.ELIGIBLE)])
        assert [state.passed for state in store.all_evidence("k")] == [100]

    def test_states_are_kept_by_criteria_and_come_by_scenario_then_reads(self, store, make):
        make.session(store, [make.run("a"), make.run("b")])
        places = [(2, 1), (1, 2), (2, 0), (1, 0)]
        states = [self.state._replace(scenario_id=scenario, reads_id=reads) for scenario, reads in places]
        with store.amending() as ledger:
            ledger.put_evidence("k", states)
            ledger.put_evidence("l", states[:1])
        assert [state[:2] for state in store.all_evidence("k")] == sorted(places)
        assert [state[:2] for state in store.all_evidence()] == sorted([*places, (2, 1)])

    def test_states_are_dropped_by_scenario_and_criteria(self, store, make):
        make.session(store, [make.run("a"), make.run("b")])
        states = [self.state._replace(scenario_id=1), self.state._replace(scenario_id=2)]
        with store.amending() as ledger:
            ledger.put_evidence("k", states)
            ledger.put_evidence("l", states)
            ledger.drop_evidence("k", [1])
        assert [state.scenario_id for state in store.all_evidence("k")] == [2]
        assert len(list(store.all_evidence("l"))) == 2

    def test_a_conclusion_drops_what_is_not_in_use_for_the_scenarios_it_ran(self, store, make):
        make.session(store, [make.run("a"), make.run("b"), make.run("c")])
        places = [(scenario, reads) for scenario in (1, 2, 3) for reads in (0, 1)]
        states = [self.state._replace(scenario_id=scenario, reads_id=reads) for scenario, reads in places]
        with store.amending() as ledger:
            for key in ("usual", "own", "former"):
                ledger.put_evidence(key, states)
        number = store.begin_session(make.facts())
        store.add_runs(number, [make.run("a"), make.run("b")])
        with store.concluding(number, make.ending()) as conclusion:
            conclusion.drop_unused("usual", {1: {"own"}, 3: {"own"}})
        kept = {
            key: {state.scenario_id for state in store.all_evidence(key)}
            for key in ("usual", "own", "former")
        }
        assert kept == {"usual": {2, 3}, "own": {1, 3}, "former": {3}}  # the third did not run

    def test_a_conclusion_reads_the_states_it_asks_for(self, store, make):
        make.session(store, [make.run("a"), make.run("b"), make.run("c")])
        places = [(1, 0), (1, 1), (2, 0), (3, 0)]
        states = [self.state._replace(scenario_id=scenario, reads_id=reads) for scenario, reads in places]
        with store.amending() as ledger:
            ledger.put_evidence("k", states)
        number = store.begin_session(make.facts())
        store.add_runs(number, [make.run("c"), make.run("a"), make.run("d")])
        with store.concluding(number, make.ending()) as conclusion:
            assert [state[:2] for state in conclusion.evidence("k", [3, 1, 4])] == [(1, 0), (1, 1), (3, 0)]
            assert list(conclusion.evidence("l", [1])) == list(conclusion.evidence("k", [])) == []

    def test_a_scenario_lacks_a_state_once_it_was_counted_without_one(self, store, make):
        number = store.begin_session(make.facts())
        store.add_runs(number, [make.run("a"), make.run("b")])
        with store.concluding(number, make.ending()) as conclusion:
            assert (
                conclusion.scenarios_without_state("k", ALL) == frozenset()
            )  # new: there is nothing to recompute
            a, b = conclusion.tallies()
            conclusion.put_evidence("k", [make.evidence(a)])
        again = store.begin_session(make.facts())
        store.add_runs(again, [make.run("a"), make.run("b"), make.run("c")])
        with store.concluding(again, make.ending()) as conclusion:
            assert conclusion.scenarios_without_state("k", ALL) == {b.scenario_id}
            assert conclusion.scenarios_without_state("new criteria", ALL) == {a.scenario_id, b.scenario_id}

    def test_a_session_that_began_first_and_ends_last_finds_what_was_counted_before(self, store, make):
        early = store.begin_session(make.facts())
        store.add_runs(early, [make.run("a")])
        make.session(store, [make.run("a")])
        with store.concluding(early, make.ending()) as conclusion:
            assert conclusion.scenarios_without_state("k", ALL) == {1}


class TestScenarios:
    def test_scenarios_come_by_name_with_their_first_and_newest_session(self, store, make):
        first, _ = make.session(store, [make.run("b")])
        second, tallies = make.session(store, [make.run("b"), make.run("a", nodeid="elsewhere")])
        with store.amending() as ledger:
            ledger.put_evidence("k", [make.evidence(tally) for tally in tallies])
        assert [(each.name, each.first_session, each.last_session) for each in store.scenarios()] == [
            ("a", second, second),
            ("b", first, second),
        ]

    def test_declarations_are_replaced_and_those_that_change_criteria_are_read(self, store, make):
        make.session(store, [make.run("a")])
        criteria = (("alpha", 0.01), ("min_runs", 50), ("rule", Rule.THRESHOLD), ("unit", Unit.RUN))
        tagged = Declaration(scenario="b", tags=("learned", "ü\udcff"))
        store.declare([Declaration(scenario="a", criteria=criteria), tagged])
        ((scenario_id, declared),) = store.declarations().items()
        assert store.scenario_names([scenario_id]) == {scenario_id: "a"}
        assert declared.criteria == criteria
        assert isinstance(dict(declared.criteria)["unit"], Unit)
        assert declared.criteria_over(Criteria()) == Criteria(
            alpha=0.01, min_runs=50, rule=Rule.THRESHOLD, unit=Unit.RUN
        )
        assert {each.name: each.declaration for each in store.scenarios()} == {"a": declared, "b": tagged}
        store.declare([Declaration(scenario="a", tags=("t",))])
        assert store.declarations() == {}
        store.declare([Declaration(scenario="a")])
        assert store.scenarios()[0].declaration == Declaration(scenario="a")

    def test_a_declared_scenario_has_no_session_until_it_runs(self, store, make):
        store.declare([Declaration(scenario="a", tags=("t",))])
        assert [(each.first_session, each.last_session) for each in store.scenarios()] == [(0, 0)]
        number, _ = make.session(store, [make.run("a")])
        assert [(each.first_session, each.last_session) for each in store.scenarios()] == [(number, number)]

    def test_what_cannot_be_declared_is_refused(self, store):
        with pytest.raises(DataError, match="'a'"):
            store.declare([Declaration(scenario="a", criteria=(("alpha", float("nan")),))])

    def test_names_are_read_by_id(self, store, make):
        make.session(store, [make.run("a\0"), make.run("b")])
        assert store.scenario_names([2, 1, 99]) == {1: "a\0", 2: "b"}


class TestAliases:
    def test_an_alias_joins_what_is_stored_and_what_comes(self, store, make):
        make.session(store, [make.run("old"), make.run("new")])
        store.alias("old", "new", 5)
        _, tallies = make.session(store, [make.run("old"), make.failed("new")])
        assert [(tally.passed, tally.failed) for tally in tallies] == [(1, 1)]
        assert [scenario.name for scenario in store.scenarios()] == ["new"]
        for name in ("old", "new"):
            assert names_of(store, scenario=name) == ["new"] * 4
        assert [record.run.nodeid for record in store.history(HistoryQuery())] == ["new", "old", "new", "old"]
        assert [(tally.passed, tally.failed) for tally in store.units([tallies[0].scenario_id])] == [
            (2, 0),
            (1, 1),
        ]

    def test_an_alias_drops_the_evidence_of_both_and_of_no_other(self, store, make):
        _, tallies = make.session(store, [make.run("old"), make.run("new"), make.run("other")])
        with store.amending() as ledger:
            ledger.put_evidence("k", [make.evidence(tally) for tally in tallies])
        store.alias("old", "new", 5)
        (left,) = store.all_evidence()
        assert store.scenario_names([left.scenario_id]) == {left.scenario_id: "other"}
        number = store.begin_session(make.facts())
        store.add_runs(number, [make.run("new")])
        with store.concluding(number, make.ending()) as conclusion:
            (tally,) = conclusion.tallies()
            assert tally.scenario_id == tallies[1].scenario_id
            assert conclusion.scenarios_without_state("k", [tally.scenario_id]) == {tally.scenario_id}

    def test_a_name_never_seen_can_be_aliased_to_but_not_from(self, store, make):
        first, _ = make.session(store, [make.run("old")])
        with pytest.raises(MissingInputError, match="'nobody'"):
            store.alias("nobody", "old", 5)
        store.alias("old", "new", 5)
        assert [(each.name, each.first_session) for each in store.scenarios()] == [("new", first)]
        number = store.begin_session(make.facts())
        store.add_runs(number, [make.run("new")])
        with store.concluding(number, make.ending()) as conclusion:
            (tally,) = conclusion.tallies()
            assert conclusion.scenarios_without_state("k", [tally.scenario_id]) == {tally.scenario_id}

    def test_aliases_of_aliases_lead_to_the_last(self, store, make):
        make.session(store, [make.run("a"), make.run("b"), make.run("c")])
        store.alias("a", "b", 1)
        store.alias("b", "c", 2)
        store.alias("a", "c", 3)  # known already
        assert [(alias.old, alias.new, alias.created_us) for alias in store.aliases()] == [
            ("a", "c", 1),
            ("b", "c", 2),
        ]
        assert names_of(store, scenario="a") == ["c"] * 3

    @pytest.mark.parametrize(("old", "new"), [("a", "a"), ("b", "a"), ("b", "b"), ("a", "c")])
    def test_cycles_and_second_meanings_are_refused(self, store, make, old, new):
        make.session(store, [make.run("a"), make.run("b"), make.run("c")])
        store.alias("a", "b", 1)
        before = store.aliases()
        with pytest.raises(UsageError):
            store.alias(old, new, 2)
        assert store.aliases() == before

    def test_what_is_declared_of_either_holds_for_both(self, store, make):
        make.session(store, [make.run("old"), make.run("new")])
        store.declare([Declaration(scenario="old", criteria=(("min_runs", 5),))])
        store.alias("old", "new", 1)
        assert [each.scenario for each in store.declarations().values()] == ["new"]
        store.declare([Declaration(scenario="old", criteria=(("min_runs", 6),))])
        assert [each.criteria for each in store.declarations().values()] == [(("min_runs", 6),)]

    def test_a_store_that_is_open_elsewhere_learns_of_an_alias(self, store, make, store_path):
        from pytest_causal.store.opening import open_store

        number = store.begin_session(make.facts())
        store.add_runs(number, [make.run("old")])
        other = open_store(str(store_path))
        other.alias("old", "new", 1)
        other.close()
        store.add_runs(number, [make.run("old")])
        with store.concluding(number, make.ending()) as conclusion:
            (tally,) = conclusion.tallies()
        assert store.scenario_names([tally.scenario_id]) == {tally.scenario_id: "new"}
        assert tally.passed == 2


class TestReads:
    def test_a_set_of_reads_is_stored_once(self, store, make):
        one = make.reads(b=1, a=2)
        _, tallies = make.session(store, [make.run("x", reads=one), make.run("y", reads=one), make.run("z")])
        first, second, third = (tally.reads_id for tally in tallies)
        assert first == second != third == NO_READS
        assert store.reads(first) == one
        assert store.reads(NO_READS) == ()

    def test_how_a_read_is_known_is_part_of_it(self, store, make):
        sets = [make.reads(how, a=1) for how in ReadHow]
        _, tallies = make.session(
            store, [make.run(str(place), reads=each) for place, each in enumerate(sets)]
        )
        assert [store.reads(tally.reads_id) for tally in tallies] == sets


class TestKeeping:
    def test_a_store_belongs_to_the_thread_that_opened_it(self, store):
        with ThreadPoolExecutor(max_workers=1) as other:
            refusal = other.submit(store.sessions).exception()
        assert isinstance(refusal, StoreError)
        assert "thread" in refusal.what

    def test_a_store_is_healthy_and_says_what_it_holds(self, store, make):
        make.session(store, [make.run("a"), make.run("b")])
        store.begin_session(make.facts())
        health = store.health(deep=True)
        assert (health.sessions, health.runs, health.scenarios, health.running) == (2, 2, 2, 1)
        assert health.problems == health.quarantined == ()
        assert health.size_bytes > 0
        assert health.location == store.location

    def test_a_closed_store_says_so(self, store, make):
        store.close()
        store.close()
        with pytest.raises(StoreError, match="is closed"):
            store.begin_session(make.facts())
        with pytest.raises(StoreError, match="is closed"):
            list(store.history(HistoryQuery()))

    def test_what_was_committed_is_there_for_the_next(self, store, make, store_path):
        from pytest_causal.store.opening import open_store

        facts: SessionFacts = make.facts()
        number = store.begin_session(facts)
        store.checkpoint()
        store.add_runs(number, [make.run("a")])
        store.close()
        again = open_store(str(store_path))
        assert again.session(number).facts == facts
        assert [record.run.scenario for record in again.history(HistoryQuery())] == ["a"]
        again.close()

"""Counting units of evidence: what each run says, and what it says beside others."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_causal.model.evidence import Tally
from pytest_causal.model.run import Cause, Outcome, Phase, Read, ReadHow, Run
from pytest_causal.model.session import SessionEnding, SessionFacts, SessionState
from pytest_causal.store.interface import HistoryStore
from pytest_causal.store.opening import open_store

COUNTS = ("passed", "failed", "errors", "flaky", "skipped", "missing", "infrastructure")


def counts(tally: Tally) -> dict[str, int]:
    return {name: value for name in COUNTS if (value := getattr(tally, name))}


@pytest.mark.parametrize(
    ("outcome", "cause", "expected"),
    [
        (Outcome.PASSED, None, "passed"),
        (Outcome.XFAILED, "other", "passed"),
        (Outcome.XPASSED, None, "passed"),
        (Outcome.XPASSED, "other", "failed"),
        (Outcome.FAILED, "other", "failed"),
        (Outcome.FAILED, None, "failed"),
        (Outcome.ERROR, "other", "errors"),
        (Outcome.CRASHED, "other", "errors"),
        (Outcome.CRASHED, None, "errors"),
        (Outcome.SKIPPED, "other", "skipped"),
        (Outcome.MISSING, None, "missing"),
        (Outcome.FAILED, "infrastructure", "infrastructure"),
        (Outcome.ERROR, "infrastructure", "infrastructure"),
        (Outcome.CRASHED, "infrastructure", "infrastructure"),
    ],
)
def test_each_outcome_is_counted_once(store, make, outcome, cause, expected):
    told = None if cause is None else make.cause(is_infrastructure=cause == "infrastructure")
    _, (tally,) = make.session(store, [make.run(outcome=outcome, cause=told)])
    assert counts(tally) == {expected: 1}


def test_a_test_that_passed_on_rerun_is_one_flaky_pass(store, make):
    attempts = [
        make.failed(is_superseded=True),
        make.failed(attempt=2, is_superseded=True),
        make.run(attempt=3),
    ]
    _, (tally,) = make.session(store, attempts)
    assert counts(tally) == {"passed": 1, "flaky": 1}


def test_a_test_that_failed_on_rerun_is_one_failure(store, make):
    _, (tally,) = make.session(store, [make.failed(is_superseded=True), make.failed(attempt=2)])
    assert counts(tally) == {"failed": 1}


@pytest.mark.parametrize(
    ("first", "second", "flaky"),
    [(True, True, 0), (True, False, 1), (False, True, 1), (False, False, 1)],
)
def test_attempts_lost_to_infrastructure_make_no_pass_flaky(store, make, first, second, flaky):
    attempts = [
        make.failed(is_infrastructure=first, is_superseded=True),
        make.failed(is_infrastructure=second, is_superseded=True, attempt=2),
        make.run(attempt=3),
        make.failed("other", is_infrastructure=True, is_superseded=True),
        make.run("other", attempt=2, occurrence=2),
    ]
    _, (tally, other) = make.session(store, attempts)
    assert (tally.passed, tally.flaky) == (1, flaky)
    assert (other.passed, other.flaky) == (1, 1)  # of another execution


def test_the_last_run_is_the_last_that_says_something(store, make):
    runs = [
        make.run(started_us=5),
        make.failed(started_us=9),
        make.run(outcome=Outcome.SKIPPED, started_us=20),
    ]
    _, (tally,) = make.session(store, runs)
    assert tally.last_run_us == 9


@pytest.mark.parametrize(
    ("ending", "may_vouch"),
    [
        ({}, True),
        ({"exit_status": 1}, True),
        ({"state": SessionState.INTERRUPTED}, False),
        ({"state": SessionState.ABANDONED}, False),
        ({"broken": "over half the tests failed alike"}, False),
    ],
)
def test_only_a_whole_session_may_vouch(store, make, ending, may_vouch):
    _, (tally,) = make.session(store, [make.run()], make.ending(**ending))
    assert tally.may_vouch is may_vouch
    assert [each.may_vouch for each in store.units([tally.scenario_id])] == [may_vouch]


@pytest.mark.parametrize(
    ("at_start", "at_end", "commit"),
    [(False, None, "c0ffee"), (None, False, "c0ffee"), (True, None, ""), (False, True, ""), (None, None, "")],
)
def test_only_a_clean_checkout_names_its_commit(store, make, at_start, at_end, commit):
    ending = make.ending(is_dirty=at_end)
    _, (tally,) = make.session(store, [make.run()], ending, commit="c0ffee", is_dirty=at_start)
    assert tally.commit == commit


class TestReads:
    def test_runs_of_one_arm_read_what_any_of_them_read(self, store, make):
        runs = [
            make.run(reads=make.reads(a=1)),
            make.run(reads=make.reads(ReadHow.DECLARED, a=1, b=2)),
            make.run(outcome=Outcome.SKIPPED),
        ]
        _, (tally,) = make.session(store, runs)
        assert counts(tally) == {"passed": 2, "skipped": 1}
        assert store.reads(tally.reads_id) == (
            Read(path="a", value="1", how=ReadHow.TRACKED),
            Read(path="b", value="2", how=ReadHow.DECLARED),
        )

    def test_an_attempt_that_was_rerun_tells_what_was_read(self, store, make):
        attempts = [
            make.failed(reads=make.reads(a=1, b=2), is_superseded=True),
            make.run(reads=make.reads(a=1), attempt=2),
        ]
        _, (tally,) = make.session(store, attempts)
        assert store.reads(tally.reads_id) == make.reads(a=1, b=2)

    def test_runs_that_read_different_values_are_counted_apart(self, store, make):
        runs = [
            make.run(reads=make.reads(a=1)),
            make.failed(reads=make.reads(a=2)),
            make.run(reads=make.reads(a=1)),
        ]
        _, tallies = make.session(store, runs)
        found = {store.reads(tally.reads_id): counts(tally) for tally in tallies}
        assert found == {make.reads(a=1): {"passed": 2}, make.reads(a=2): {"failed": 1}}

    def test_arms_are_counted_apart_by_what_they_read(self, store, make):
        runs = [make.run(reads=make.reads(a=1)), make.failed(reads=make.reads(a=2, b=3), arm="candidate:x")]
        _, tallies = make.session(store, runs)
        assert [counts(tally) for tally in tallies] == [{"passed": 1}, {"failed": 1}]

    def test_tallies_come_by_scenario(self, store, make):
        one, two = make.reads(a=1), make.reads(a=2)
        runs = [make.run(name, reads=reads) for reads in (two, one) for name in ("b", "a")]
        _, tallies = make.session(store, runs)
        assert [tally.scenario_id for tally in tallies] == [1, 1, 2, 2]

    def test_arms_that_read_the_same_are_one_unit(self, store, make):
        reads = make.reads(a=1)
        _, (tally,) = make.session(
            store, [make.run(reads=reads), make.failed(reads=reads, arm="candidate:same")]
        )
        assert counts(tally) == {"passed": 1, "failed": 1}

    def test_a_reader_sees_a_union_that_is_not_stored(self, store, make, store_path):
        shards = [make.reads(a=1), make.reads(b=1)]
        for reads in shards:
            make.session(store, [make.run(reads=reads)], key="ci")
        other = make.session(store, [make.run(reads=make.reads(c=1))])[1][0]
        reader = open_store(str(store_path), readonly=True)
        union, alone = reader.units([1])
        assert reader.reads(union.reads_id) == make.reads(a=1, b=1)
        assert reader.reads(alone.reads_id) == make.reads(c=1)
        assert union.reads_id not in {0, alone.reads_id, other.reads_id}
        assert [tally.reads_id for tally in reader.units([1])] == [union.reads_id, alone.reads_id]
        reader.close()


class TestShards:
    def test_sessions_of_one_key_are_one_unit_at_the_place_of_the_newest(self, store, make):
        _, (first,) = make.session(store, [make.run("a")], key="ci")
        _, (between,) = make.session(store, [make.run("a")])
        second = store.begin_session(make.facts(key="ci", commit="c0ffee", is_dirty=False))
        store.add_runs(second, [make.failed("a"), make.run("b")])
        with store.concluding(second, make.ending()) as conclusion:
            a, b = conclusion.tallies()
            assert conclusion.overlapping_scenarios() == {a.scenario_id}
            middle, merged = conclusion.units([a.scenario_id])
        assert middle == between
        assert counts(merged) == {"passed": 1, "failed": 1}
        assert (merged.order, merged.session, merged.commit) == (a.order, second, "c0ffee")
        assert first.order < between.order < merged.order
        assert list(store.units([b.scenario_id])) == [b]

    def test_a_scenario_keeps_the_place_of_the_shard_that_ran_it(self, store, make):
        _, (early,) = make.session(store, [make.run("a")], key="ci")
        _, (later,) = make.session(store, [make.run("a")])
        make.session(store, [make.run("b")], key="ci")
        assert list(store.units([early.scenario_id])) == [early, later]

    def test_a_shard_that_was_stopped_keeps_the_unit_from_vouching(self, store, make):
        make.session(store, [make.run()], make.ending(state=SessionState.INTERRUPTED), key="ci")
        make.session(store, [make.run()], key="ci")
        (tally,) = store.units([1])
        assert counts(tally) == {"passed": 2}
        assert tally.may_vouch is False


@dataclass(frozen=True)
class Told:
    """One session as a strategy makes it: how it ends, and what it records."""

    key: str
    state: SessionState
    is_trusted: bool
    finished_us: int
    runs: tuple[Run, ...]


causes = st.sampled_from([None, False, True]).map(
    lambda told: (
        None if told is None else Cause(phase=Phase.CALL, type="E", message="", is_infrastructure=told)
    )
)
read_sets = st.sampled_from([(), *((Read(path=path, value=value),) for path in "pq" for value in "12")])
told_runs = st.builds(
    Run,
    scenario=st.sampled_from(["a", "b"]),
    nodeid=st.sampled_from(["a", "b"]),
    outcome=st.sampled_from(Outcome),
    started_us=st.integers(min_value=1, max_value=99),
    attempt=st.integers(min_value=1, max_value=2),
    is_superseded=st.booleans(),
    arm=st.sampled_from(["control", "candidate"]),
    cause=causes,
    reads=read_sets,
    setup_seconds=st.just(0.0),
    call_seconds=st.just(0.0),
    teardown_seconds=st.just(0.0),
    occurrence=st.just(1),
    worker=st.just(""),
    metrics=st.just(()),
)
told_sessions = st.builds(
    Told,
    key=st.sampled_from(["k", "l", "m"]),
    state=st.sampled_from([SessionState.FINISHED, SessionState.ABANDONED]),
    is_trusted=st.sampled_from([True, True, False]),
    finished_us=st.integers(min_value=1, max_value=50),
    runs=st.lists(told_runs, max_size=6).map(tuple),
)


def record(store: HistoryStore, sessions: list[Told]) -> list[tuple[int, Told, list[Tally]]]:
    """Store sessions whose runs alternate; return their numbers and what they tallied, in order of ending."""
    numbers = []
    for place, told in enumerate(sessions):
        facts = SessionFacts(uid=str(place), key=told.key, started_us=1, is_trusted=told.is_trusted)
        numbers.append(store.begin_session(facts))
    for place in range(6):
        for number, told in zip(numbers, sessions, strict=True):
            store.add_runs(number, told.runs[place : place + 1])
    ended = []
    for number, told in zip(numbers, sessions, strict=True):
        ending = SessionEnding(state=told.state, finished_us=told.finished_us)
        with store.concluding(number, ending) as conclusion:
            ended.append((number, told, list(conclusion.tallies())))
    return ended


def expected_units(store: HistoryStore, sessions: list[tuple[int, Told, list[Tally]]], scenario: str):
    """Count by the definition, one unit at a time, without regard to speed."""
    units = []
    for key in ("k", "l", "m"):
        mine = [
            (number, told, run)
            for number, told, _ in sessions
            for run in told.runs
            if told.key == key and told.is_trusted and run.scenario == scenario
        ]
        groups = defaultdict(list)
        for number, told, run in mine:
            groups[reads_of(run, [each for _, _, each in mine])].append((number, told, run))
        for reads, members in groups.items():
            kinds = [
                kind
                for number, _, run in members
                for kind in said_by(run, [r for n, _, r in mine if n == number])
            ]
            if kinds:
                newest = max(number for number, _, _ in members)
                vouch = all(told.state is SessionState.FINISHED for _, told, _ in members)
                units.append(
                    (store.session(newest).order, reads, tuple(kinds.count(kind) for kind in COUNTS), vouch)
                )
    return sorted(units)


def reads_of(run: Run, beside: list[Run]) -> tuple[tuple[str, str], ...]:
    in_arm = {(read.path, read.value) for each in beside if each.arm == run.arm for read in each.reads}
    if len({path for path, _ in in_arm}) < len(in_arm):
        return tuple((read.path, read.value) for read in run.reads)
    return tuple(sorted(in_arm))


def said_by(run: Run, in_session: list[Run]) -> list[str]:
    if run.is_superseded:
        return []
    if run.outcome in {Outcome.SKIPPED, Outcome.MISSING}:
        return [run.outcome.value]
    speaks_against = run.is_failure
    if speaks_against and run.cause is not None and run.cause.is_infrastructure:
        return ["infrastructure"]
    if speaks_against:
        return ["errors" if run.outcome in {Outcome.ERROR, Outcome.CRASHED} else "failed"]
    before = [
        each
        for each in in_session
        if each.is_superseded
        and (each.nodeid, each.arm, each.occurrence) == (run.nodeid, run.arm, run.occurrence)
    ]
    is_excused = bool(before) and all(
        each.cause is not None and each.cause.is_infrastructure for each in before
    )
    return ["passed", "flaky"] if run.attempt > 1 and not is_excused else ["passed"]


@given(sessions=st.lists(told_sessions, max_size=6))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_units_are_what_the_definition_says(tmp_path: Path, sessions: list[Told]) -> None:
    path = tmp_path / "history.db"
    store = open_store(str(path))
    try:
        ended = record(store, sessions)
        names = {each.name: each.id for each in store.scenarios()}
        for name, scenario_id in names.items():
            units = list(store.units([scenario_id]))
            assert [unit.order for unit in units] == sorted(unit.order for unit in units)
            found = [
                (
                    unit.order,
                    tuple((read.path, read.value) for read in store.reads(unit.reads_id)),
                    tuple(getattr(unit, kind) for kind in COUNTS),
                    unit.may_vouch,
                )
                for unit in units
            ]
            assert sorted(found) == expected_units(store, ended, name)
        together = list(store.units(names.values()))
        assert sorted(together) == sorted(unit for id_ in names.values() for unit in store.units([id_]))
        alone = {told.key for told in sessions if [each.key for each in sessions].count(told.key) == 1}
        for _, told, tallies in ended:
            if told.key in alone:
                assert set(tallies) <= set(together)
    finally:
        store.close()
        for each in path.parent.glob("history.db*"):
            each.unlink()

"""Running states come back as they were written, whatever they share, and histories that nobody has are swept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.model.evidence import Evidence, Verdict
from pytest_causal.store.database import Database
from pytest_causal.store.migrations import load_migrations, migrate
from pytest_causal.store.states import StateWriter, load_histories, read_all, read_of, rows_of, states_from

counts = st.integers(0, 2)
weights = st.sampled_from([0.0, 0.5, 1.0, 1e-300])
few = st.sampled_from(["", "a1", "ä"])
states = st.builds(
    Evidence,
    scenario_id=st.integers(1, 3),
    reads_id=counts,
    passed=counts,
    failed=counts,
    errors=counts,
    flaky=counts,
    skipped=counts,
    missing=counts,
    infrastructure=counts,
    units=counts,
    badness=weights,
    wealth=st.tuples(*[weights] * 7),
    ruin=st.tuples(*[weights] * 5),
    recent=st.sampled_from([0, 1, 2**62 - 1]),
    recent_units=st.sampled_from([0, 1, 2**62 - 1]),
    last_order=st.sampled_from([-1, 0, 7]),
    last_session=counts,
    last_badness=weights,
    last_run_us=st.sampled_from([0, 5, 2**62]),
    commit_seen=few,
    commit_marks=counts,
    contradictions=counts,
    flaky_since=counts,
    verdict=st.sampled_from(Verdict),
)
CRITERIA = 3


KEYS = {"key": CRITERIA, "other": 1}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without sessions, in which two criteria are known."""
    path = tmp_path_factory.mktemp("states") / "empty.db"
    path.touch()
    database = Database(path, mode="rw", busy_seconds=1.0)
    database.fetch("PRAGMA journal_mode=WAL")
    with database.writing() as connection:
        migrate(connection, load_migrations())
        connection.executemany(
            "INSERT INTO criteria VALUES (?, ?)", [(id_, key) for key, id_ in KEYS.items()]
        )
    database.close()
    return path


@contextmanager
def copy_of(empty: Path) -> Iterator[Database]:
    with TemporaryDirectory(dir=empty.parent) as folder:
        database = Database(Path(shutil.copy(empty, folder)), mode="rw", busy_seconds=1.0)
        yield database
        database.close()


def histories(database: Database) -> int:
    return int(database.value("SELECT count(*) FROM histories"))


@given(one=states, other=states)
def test_states_come_back_as_they_were(empty, one: Evidence, other: Evidence) -> None:
    """Also one that differs from another in a single field, each in turn."""
    alike = [one, *(one._replace(**{field: getattr(other, field)}) for field in Evidence._fields), other, one]
    given_states = [state._replace(scenario_id=place, reads_id=0) for place, state in enumerate(alike, 1)]
    with copy_of(empty) as database:
        with database.writing() as connection:
            StateWriter(connection).put(CRITERIA, given_states)
            StateWriter(connection).put(1, [one._replace(scenario_id=1, reads_id=0)])
        assert list(read_all(database, "key")) == given_states
        assert list(read_of(database, "key", {2, 5})) == [given_states[1], given_states[4]]
        assert list(read_all(database, "unknown")) == []
        assert len(list(read_all(database))) == len(given_states) + 1
        assert histories(database) == 1 + len({state[2:18] + state[19:] for state in given_states}), (
            "what one transaction writes twice is stored once"
        )


@given(one=states, other=states, last_runs=st.dictionaries(st.integers(1, 40), st.integers(0, 2**62)))
def test_states_written_together_are_those_written_one_by_one(
    empty, one: Evidence, other: Evidence, last_runs: dict[int, int]
) -> None:
    halves = [
        (state, {id_: us for id_, us in last_runs.items() if id_ % 2 == odd})
        for odd, state in enumerate([one._replace(reads_id=0), other._replace(reads_id=0)])
    ]
    each = [
        state._replace(scenario_id=id_, last_run_us=us) for state, half in halves for id_, us in half.items()
    ]
    with copy_of(empty) as database:
        with database.writing() as connection:
            StateWriter(connection).put_alike(1, halves)
            StateWriter(connection).put(CRITERIA, each)
        assert list(read_all(database, "other")) == list(read_all(database, "key"))
        assert len(list(read_all(database, "key"))) == len(last_runs)


@given(ids=st.sets(st.integers(1, 30)))
def test_the_rows_of_scenarios_are_found_however_far_apart_they_are(empty, ids: set[int]) -> None:
    fresh = [Evidence(scenario_id=id_, reads_id=reads) for id_ in range(1, 31) for reads in (0, 1)]
    with copy_of(empty) as database, database.writing() as connection:
        StateWriter(connection).put(CRITERIA, fresh)
        rows = [row for row in rows_of(connection, "key", ids) if row[0] in ids]
        found = list(states_from(rows, load_histories(connection, {row[2] for row in rows})))
    assert found == [state for state in fresh if state.scenario_id in ids]


@given(
    sessions=st.lists(
        st.tuples(st.sets(st.integers(1, 6), min_size=1), st.integers(1, 3), st.booleans()), max_size=12
    )
)
def test_histories_are_swept_but_never_one_that_is_in_use(
    empty, sessions: list[tuple[set[int], int, bool]]
) -> None:
    kept: dict[int, Evidence] = {}
    with copy_of(empty) as database:
        for number, (ids, kinds, is_dropping) in enumerate(sessions):
            new = {
                id_: Evidence(scenario_id=id_, reads_id=0, passed=id_ % kinds, last_session=number)
                for id_ in ids
            }
            with database.writing() as connection:
                writer = StateWriter(connection)
                if is_dropping:
                    writer.drop(CRITERIA, ids)
                    kept = {id_: state for id_, state in kept.items() if id_ not in ids}
                else:
                    writer.put(CRITERIA, new.values())
                    kept.update(new)
                writer.sweep()
            assert list(read_all(database, "key")) == [kept[id_] for id_ in sorted(kept)]
            assert histories(database) <= len(kept)
            lost = [
                row
                for row in database.fetch("PRAGMA foreign_key_check(running_states)")
                if row[2] == "histories"
            ]
            assert lost == []


def test_a_reader_sees_states_and_histories_of_one_moment(empty) -> None:
    """Between the two, another process may replace every state and sweep what these had."""
    with copy_of(empty) as database:
        with database.writing() as connection:
            StateWriter(connection).put(CRITERIA, [Evidence(scenario_id=1, reads_id=0, last_session=1)])
        other = Database(database.path, mode="rw", busy_seconds=1.0)
        with database.reading() as reader:
            rows = list(rows_of(reader, "key", {1}))
            with other.writing() as connection:
                writer = StateWriter(connection)
                writer.put(CRITERIA, [Evidence(scenario_id=1, reads_id=0, last_session=2)])
                writer.sweep()
            assert histories(other) == 1, "the old one is gone"
            found = list(states_from(rows, load_histories(reader, {row[2] for row in rows})))
        assert [state.last_session for state in found] == [1]
        assert [state.last_session for state in read_all(database, "key")] == [2]
        other.close()

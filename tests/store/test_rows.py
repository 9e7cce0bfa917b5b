"""What is packed into a row comes back, whoever else was read before it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.model.evidence import Evidence, Verdict
from pytest_causal.store.rows import around_last_run, evidence_from, evidence_in, evidence_row, pack_time

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


@given(one=states, other=states)
def test_states_come_back_as_they_were(one: Evidence, other: Evidence) -> None:
    """Also one that differs from another in a single field, each in turn."""
    found = [one, *(one._replace(**{field: getattr(other, field)}) for field in Evidence._fields), other, one]
    rows = [evidence_row(9, state)[1:] for state in found]
    assert [evidence_from(row) for row in rows] == found
    assert list(evidence_in(rows)) == found


@given(state=states, last_run_us=st.integers(0, 2**62))
def test_only_the_last_run_lies_between_what_is_around_it(state: Evidence, last_run_us: int) -> None:
    before, after = around_last_run(evidence_row(1, state)[-1])
    later = evidence_row(1, state._replace(last_run_us=last_run_us))
    assert later[-1] == before + pack_time(last_run_us) + after

"""What a report is drawn from stays bounded, and keeps what a person looks for: peaks, changes, the end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tools.soak.progress import replayed
from tools.soak.trend import MAX_ROWS, Series, trend_of

INTERVAL = "quoting.min_interval_ms"


@given(peak_at=st.integers(0, 9_999), peak=st.sampled_from([-1000.0, 1000.0]))
def test_a_series_is_bounded_and_keeps_its_peak_and_its_order(peak_at: int, peak: float) -> None:
    series = Series()
    for x in range(10_000):
        series.add(x, peak if x == peak_at else 1.0)
    assert len(series.points) < 2000
    assert (peak_at, peak) in series.points
    assert [point.x for point in series.points] == sorted(point.x for point in series.points)


def test_a_short_series_is_kept_as_it_is_gaps_and_all() -> None:
    series = Series()
    for x, y in enumerate([1.0, None, 3.0]):
        series.add(x, y)
    assert [point.y for point in series.points] == [1.0, None, 3.0]


def test_a_run_as_a_trend(bench) -> None:
    bench.begin(iterations=8, auto_tune=True, warmup=2, kpi_set="production")
    trend = trend_of(replayed(bench.lines()), {INTERVAL})
    assert trend.iterations == 8
    assert sum(trend.verdicts.values()) == 8
    assert set(trend.values) == {INTERVAL}, "only what has bounds is followed"
    assert [point.x for point in trend.metrics["net_bps"].points] == list(range(1, 9))
    assert all(sum(levels.values()) == 6 for levels in trend.levels.values()), "the warm-up has no level"
    assert [row["iteration"] for row in trend.rows] == list(range(1, 9))
    applied = [each["iteration"] for each in trend.changes]
    assert applied == [number for number in range(1, 9) if bench.summary(number)["tuning"]["applied"]], (
        "a change is one that was made"
    )
    assert applied


def test_only_the_last_rows_of_a_long_run_are_kept(bench, scripted, measured) -> None:
    bench.begin(scripted(lambda task: measured()), iterations=MAX_ROWS + 7)
    trend = trend_of(replayed(bench.lines()), ())
    assert [row["iteration"] for row in trend.rows] == list(range(8, MAX_ROWS + 8))
    assert trend.iterations == MAX_ROWS + 7

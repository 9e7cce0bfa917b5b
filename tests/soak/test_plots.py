"""Plots: every value has its place, peaks are drawn, gaps are gaps, and no text is markup."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

from hypothesis import given
from hypothesis import strategies as st

from tools.soak.plots import HEIGHT, MAX_POINTS, WIDTH, Level, Point, line_plot

VALUES = st.none() | st.floats(-1e9, 1e9)


def drawn(svg: str) -> list[tuple[float, float]]:
    """Return the points of the lines, and fail where the plot is no XML."""
    root = ElementTree.fromstring(svg)
    paths = [each.attrib["d"] for each in root.iter("path") if each.attrib.get("class") == "line"]
    found = []
    for path in paths:
        found += [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)]
    return found


@given(st.lists(VALUES, min_size=1, max_size=60))
def test_every_plot_is_xml_and_lies_within_its_frame(values: list[float | None]) -> None:
    svg = line_plot([Point(x, y) for x, y in enumerate(values)], [Level("max", 5.0)], [0.0], title="t")
    if all(value is None for value in values):
        assert svg == '<p class="none">t: no values</p>'
        return
    assert all(-1 <= x <= WIDTH + 1 and -1 <= y <= HEIGHT + 1 for x, y in drawn(svg))


def test_higher_values_are_higher_and_later_ones_further_right() -> None:
    (first, second, third) = drawn(line_plot([Point(1, 1.0), Point(2, 3.0), Point(3, 2.0)], title="t"))
    assert first[0] < second[0] < third[0]
    assert second[1] < third[1] < first[1], "SVG counts downwards"


def test_a_peak_of_a_long_series_is_drawn() -> None:
    points = [Point(x, 100.0 if x == 12_345 else 1.0) for x in range(20_000)]
    found = drawn(line_plot(points, title="t"))
    assert len(found) <= MAX_POINTS + 2
    top = min(y for _, y in found)
    assert sum(y < top + 10 for _, y in found) >= 1
    assert max(y for _, y in found) - top > HEIGHT / 2


def test_a_limit_far_away_does_not_flatten_the_line() -> None:
    near = line_plot([Point(1, 1.0), Point(2, 2.0)], [Level("max", 3.0)], title="t")
    far = line_plot([Point(1, 1.0), Point(2, 2.0)], [Level("max", 3000.0)], title="t")
    assert "max 3<" in near
    assert "max 3000" not in far


def test_titles_and_names_are_text() -> None:
    hostile = '"><script>alert(1)</script>'
    svg = line_plot([Point(1, 1.0), Point(2, 2.0)], [Level(hostile, 1.5)], title=hostile)
    assert "<script" not in svg
    assert [each.tag for each in ElementTree.fromstring(svg).iter("script")] == []

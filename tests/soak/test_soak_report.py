"""Reports: readable offline, complete, and deaf to what workloads call their metrics."""

from __future__ import annotations

import html.parser
import re
from typing import Any

import pytest

from pytest_causal.model.run import Read
from tools.soak.plots import MAX_POINTS, Level, Point, line_plot
from tools.soak.report import html_report, markdown_report
from tools.soak.trend import Series

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</svg></title><b>",
    "a|b`c\n# d",
    "[x](javascript:alert(1))",
    "\x1b[2J\u202e",
    "${{ secrets.X }}",
]


class Page(html.parser.HTMLParser):
    """The tags of a page, and every attribute that could load or run something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def tuned(bench) -> Any:
    bench.begin(iterations=12, auto_tune=True, warmup=2, kpi_set="production")
    return bench


def test_the_page_shows_every_metric_with_its_limits_parameters_guards_and_drift(tuned) -> None:
    page = Page(html_report(tuned.folder()))
    for words in (
        "net_bps",
        "p95_latency_ms",
        "quoting.min_interval_ms",
        "Guards",
        "Drift",
        "min 2",
        "soft_max 350",
    ):
        assert words in page.text
    assert page.tags.count("svg") >= 9 + 6
    assert "freeze" in page.text
    assert "75 to 65" in page.text


def test_the_page_loads_nothing_and_runs_nothing(tuned) -> None:
    text = html_report(tuned.folder())
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "embed", "form", "a"} & set(page.tags)
    assert not [
        name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href", "style")
    ]
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_names_of_metrics_are_text_and_nothing_else(bench, scripted, measured) -> None:
    names = {name: float(number) for number, name in enumerate(HOSTILE)}
    reads = (Read("a.b", "1"),)
    bench.begin(scripted(lambda task: measured(names, reads=reads, problem=HOSTILE[0])), iterations=3)
    page = Page(html_report(bench.folder()))
    assert not {"script", "img", "b"} & set(page.tags)
    assert HOSTILE[0] in page.text
    assert "\x1b" not in page.text
    markdown = markdown_report(bench.folder())
    assert "<script" not in markdown
    assert "](javascript" not in markdown


def test_the_summary_of_a_job_is_a_table_whose_cells_hold(tuned) -> None:
    text = markdown_report(tuned.folder())
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert any("net\\_bps" in row for row in rows)
    counts = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert counts == {3, 4, 8}, "two columns, three and seven"


def test_an_unfinished_run_has_a_report(bench, measured) -> None:
    def answer(task: Any) -> Any:
        if task.iteration == 3:
            task.interruption.ask("SIGTERM")
        return measured(problem="interrupted" if task.iteration == 3 else "")

    bench.begin(type("Stopping", (), {"measure": staticmethod(answer)})(), iterations=9)
    assert "has not ended" in Page(html_report(bench.folder())).text


def test_a_plot_of_a_long_series_is_bounded_and_keeps_its_peaks() -> None:
    points = [Point(number, 1.0) for number in range(100_000)]
    points[77_777] = Point(77_777, 50.0)
    text = line_plot(points, title="it")
    assert len(re.findall("[ML]", text)) <= MAX_POINTS + 10
    heights = [float(each) for each in re.findall(r"[ML][\d.]+ ([\d.]+)", text)]
    assert min(heights) < 60 < max(heights), "the peak is there"


def test_a_gap_stays_a_gap_and_a_far_limit_does_not_flatten_the_line() -> None:
    points = [Point(1, 1.0), Point(2, 2.0), Point(3, None), Point(4, 1.5), Point(5, 1.0)]
    text = line_plot(points, [Level("max", 1e9), Level("soft_max", 2.5, is_hard=False)], title="it")
    assert text.count('class="line"') == 2
    assert "1e+09" not in text
    assert "soft_max 2.5" in text


def test_what_is_set_is_drawn_in_steps_and_what_is_measured_is_not() -> None:
    points = [Point(1, 10.0), Point(2, 20.0)]
    (stepped,) = re.findall(r'class="line" d="([^"]+)"', line_plot(points, title="it", is_stepped=True))
    (measured,) = re.findall(r'class="line" d="([^"]+)"', line_plot(points, title="it"))
    assert re.fullmatch(r"M[\d. ]+H[\d.]+V[\d.]+", stepped)
    assert re.fullmatch(r"M[\d. ]+L[\d. ]+", measured)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.9, 0.95), {"0.9", "0.92", "0.94"}),
        ((180, 420), {"200", "300", "400"}),
        ((-7.5, 4), {"-5", "0"}),
    ],
)
def test_axes_have_round_numbers_and_whole_iterations(
    values: tuple[float, float], expected: set[str]
) -> None:
    text = line_plot([Point(1, values[0]), Point(7, values[1])], title="it")
    numbers = {html.unescape(each) for each in re.findall(r"<text [^>]*>([^<]+)</text>", text)}
    assert expected <= numbers
    assert {"2", "4", "6"} <= numbers
    assert "1.5" not in numbers


def test_the_limits_say_in_how_many_steady_iterations_they_were_broken(tuned) -> None:
    page = html_report(tuned.folder())
    (row,) = re.findall(r"<tr><td>net_bps</td>.*?</tr>", page)
    counts = dict(reversed(each.split()) for each in re.findall(r"<td>([^<]*)</td></tr>", row)[0].split(", "))
    assert sum(map(int, counts.values())) == 10, "twelve iterations, two of them warm-up"


@pytest.mark.parametrize("points", [[], [Point(1, None)]])
def test_nothing_to_plot_is_said(points: list[Point]) -> None:
    assert line_plot(points, title="<it>") == '<p class="none">&lt;it&gt;: no values</p>'


@pytest.mark.parametrize("values", [[5.0], [0.0, 0.0], [-3.0, -3.0], [1e300, -1e300]])
def test_any_values_can_be_plotted(values: list[float]) -> None:
    text = line_plot([Point(number, value) for number, value in enumerate(values)], title="it")
    assert "nan" not in text
    assert "inf" not in text


def test_a_series_is_bounded() -> None:
    series = Series()
    for number in range(100_000):
        series.add(number, 1.0 if number != 50_001 else 9.0)
    assert len(series.points) < 2000
    assert max(point.y or 0 for point in series.points) == 9.0

"""Reports: readable offline, complete, and deaf to what workloads call their metrics."""

from __future__ import annotations

import html.parser
import re
from typing import Any

import pytest

from pytest_causal.model.run import Read
from tools.soak.plots import MAX_POINTS, Level, Point, line_plot
from tools.soak.prometheus import MAX_LABELS, prometheus_text, sample_line
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
    assert counts == {3, 4, 7}, "two columns, three and six"


def test_an_unfinished_run_has_a_report(bench, measured) -> None:
    def answer(task: Any) -> Any:
        if task.iteration == 3:
            task.interruption.ask("SIGTERM")
        return measured(problem="interrupted" if task.iteration == 3 else "")

    bench.begin(type("Stopping", (), {"measure": staticmethod(answer)})(), iterations=9)
    assert "not ended" in Page(html_report(bench.folder())).text


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


def test_k25_labels_cannot_make_lines_or_names_of_their_own(bench, scripted, measured) -> None:
    hostile = 'a"} 1\nfake_metric{x="\\'
    bench.begin(scripted(lambda task: measured({hostile: 1.0, "broken": None})), iterations=1)
    lines = prometheus_text(bench.folder()).splitlines()
    pattern = re.compile(
        r'[a-z_]+\{([a-z]+="([^"\\\n]|\\[\\"n])*",?)+\} (NaN|[-+0-9.e]+)|# (HELP|TYPE) [a-z_]+ .*'
    )
    assert [line for line in lines if not pattern.fullmatch(line)] == []
    assert not [line for line in lines if line.startswith("fake_metric")]
    assert any('metric="broken"' in line and line.endswith(" NaN") for line in lines)


def test_k25_labels_are_capped_and_the_rest_counted(bench, scripted, measured) -> None:
    many = {f"m{number:03}": float(number) for number in range(150)}
    bench.begin(scripted(lambda task: measured(many)), iterations=1)
    text = prometheus_text(bench.folder())
    assert text.count("\nsoak_metric{") == MAX_LABELS
    assert re.search(r"^soak_labels_left_out\{.*\} 54", text, flags=re.MULTILINE), "150 and 4, less 100"


@pytest.mark.parametrize(("value", "shown"), [(float("inf"), "+Inf"), (float("-inf"), "-Inf"), (None, "NaN")])
def test_k25_what_is_no_number_is_written_legally(value: float | None, shown: str) -> None:
    assert sample_line("m", {"a": "b"}, value) == f'm{{a="b"}} {shown}\n'

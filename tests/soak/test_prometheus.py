"""A run as text for Prometheus: legal whatever workloads call their metrics, and bounded."""

from __future__ import annotations

import re

import pytest

from tools.soak.prometheus import MAX_LABELS, prometheus_text, sample_line


def test_the_last_state_of_a_run_is_told(bench, scripted, measured) -> None:
    bench.begin(scripted(lambda task: measured({"net_bps": float(task.iteration)})), iterations=5)
    text = prometheus_text(bench.folder())
    assert 'soak_iterations{run="a",scenario="soak:mock/steady_safe"} 5\n' in text
    assert re.search(r'^soak_metric\{.*metric="net_bps"\} 5\.0$', text, flags=re.MULTILINE), (
        "the last, not the first"
    )
    assert re.search(r'^soak_parameter\{.*path="quoting.min_interval_ms"\} 75$', text, flags=re.MULTILINE)
    families = re.findall(r"^# TYPE (\w+) gauge$", text, flags=re.MULTILINE)
    assert len(families) == len(set(families)), "a family is declared once"


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

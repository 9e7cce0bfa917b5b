"""A run as text for Prometheus: a file for its textfile collector. There is no endpoint, so that nothing listens.

Names of metrics that workloads report are values of a label, escaped, and only so many of them: they can neither make
names of their own nor fill a server.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from tools.soak.report import Subject

MAX_LABELS = 100
"""Values of one label; the rest are counted in ``soak_labels_left_out``."""
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def prometheus_text(folder: Path) -> str:
    """Return the last state of a run in the text format 0.0.4. Raises as reading its journal does."""
    return "".join(_families(Subject(folder)))


def sample_line(name: str, labels: Mapping[str, str], value: float | None) -> str:
    """Return one line; a value that is not known is NaN, which the format has a word for."""
    inside = ",".join(f'{key}="{_shown(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {_number(value)}\n"


def _families(subject: Subject) -> Iterator[str]:
    run = {"run": subject.plan.run, "scenario": subject.plan.scenario}
    yield from _family(
        "soak_iterations", "Iterations done.", [sample_line("soak_iterations", run, subject.trend.iterations)]
    )
    lines = [
        sample_line("soak_iterations_by_verdict", {**run, "verdict": verdict}, count)
        for verdict, count in sorted(subject.trend.verdicts.items())
    ]
    yield from _family("soak_iterations_by_verdict", "Iterations by verdict.", lines)
    last = {name: series.points[-1].y for name, series in subject.trend.metrics.items()}
    yield from _labelled("soak_metric", "A metric of the last iteration.", "metric", last, run)
    values = {path: series.points[-1].y for path, series in subject.trend.values.items()}
    yield from _labelled("soak_parameter", "A bounded value in force.", "path", values, run)
    refused = {guard: float(count) for guard, count in subject.trend.refused.items()}
    yield from _labelled(
        "soak_refused_iterations", "Iterations in which a guard refused.", "guard", refused, run
    )
    left_out = max(0, len(last) - MAX_LABELS) + max(0, len(values) - MAX_LABELS)
    lines = [sample_line("soak_labels_left_out", run, left_out)]
    yield from _family("soak_labels_left_out", "Metrics and paths that are not here.", lines)


def _labelled(
    name: str, words: str, label: str, values: Mapping[str, float | None], run: Mapping[str, str]
) -> Iterator[str]:
    kept = sorted(values)[:MAX_LABELS]
    yield from _family(name, words, [sample_line(name, {**run, label: each}, values[each]) for each in kept])


def _family(name: str, words: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"# HELP {name} {words}\n# TYPE {name} gauge\n"
        yield from lines


def _shown(text: str) -> str:
    """Return a label's value: valid UTF-8, escaped as the format asks."""
    return text.encode("utf-8", "backslashreplace").decode().translate(_ESCAPES)


def _number(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)

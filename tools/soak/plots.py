"""Line plots as inline SVG: nothing is loaded, nothing runs. Every text in them is escaped for HTML."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 640, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 10, 24
MAX_POINTS = 500
"""Points of one line; a longer series is drawn by the least and the greatest of each part, so that no peak is lost."""


class Level(NamedTuple):
    """A horizontal line: a limit, with its name."""

    name: str
    value: float
    is_hard: bool = True


class Point(NamedTuple):
    """One point: where, and how high. ``None`` is a gap."""

    x: float
    y: float | None


def line_plot(
    points: Sequence[Point], levels: Sequence[Level] = (), marks: Sequence[float] = (), *, title: str
) -> str:
    """Return a plot of a series with limits, and with marks on its axis (iterations at which something changed)."""
    known = [point for point in points if point.y is not None]
    if not known:
        return f'<p class="none">{html.escape(title)}: no values</p>'
    frame = _Frame.around(known, levels)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title, quote=True)}">',
        f"<title>{html.escape(title)}</title>",
        *(frame.level(level) for level in levels),
        *(f'<path class="mark" d="M{frame.x(mark):.1f} {HEIGHT - _BOTTOM}v-6"/>' for mark in marks),
        *(f'<path class="line" d="{path}"/>' for path in _paths(_thinned(points), frame)),
        *frame.axes(),
    ]
    if len(known) <= 60:
        parts += [
            f'<circle class="dot" cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="2.5">'
            f"<title>{x:g}: {y:.6g}</title></circle>"
            for x, y in known
            if y is not None
        ]
    return "".join([*parts, "</svg>"])


class _Frame(NamedTuple):
    """The ranges of both axes, and where their values lie."""

    x_from: float
    x_to: float
    y_from: float
    y_to: float

    @classmethod
    def around(cls, points: Sequence[Point], levels: Sequence[Level]) -> _Frame:
        """Return the frame that shows all points, and the limits near them."""
        values = [point.y for point in points if point.y is not None]
        low, high = min(values), max(values)
        reach = (high - low) or abs(high) or 1.0
        near = [level.value for level in levels if low - 2 * reach <= level.value <= high + 2 * reach]
        low, high = min(low, *near, low), max(high, *near, high)
        margin = ((high - low) or abs(high) or 1.0) * 0.08
        xs = [point.x for point in points]
        return cls(min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1, low - margin, high + margin)

    def x(self, value: float) -> float:
        """Return how far right a value lies."""
        share = (value - self.x_from) / (self.x_to - self.x_from)
        return _LEFT + min(1.0, max(0.0, share)) * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Return how far down a value lies."""
        share = (value - self.y_from) / (self.y_to - self.y_from)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)

    def level(self, level: Level) -> str:
        """Return the line of a limit, or a word where it lies outside the frame."""
        name = html.escape(f"{level.name} {level.value:g}")
        if not self.y_from <= level.value <= self.y_to:
            return ""
        kind = "hard" if level.is_hard else "soft"
        down = self.y(level.value)
        return (
            f'<path class="{kind}" d="M{_LEFT} {down:.1f}H{WIDTH - _RIGHT}"/>'
            f'<text class="{kind}" x="{WIDTH - _RIGHT}" y="{down - 3:.1f}" text-anchor="end">{name}</text>'
        )

    def axes(self) -> list[str]:
        """Return the axes with three numbers each."""
        bottom = HEIGHT - _BOTTOM
        parts = [f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{WIDTH - _RIGHT}"/>']
        for share in (0.0, 0.5, 1.0):
            y = self.y_from + share * (self.y_to - self.y_from)
            x = self.x_from + share * (self.x_to - self.x_from)
            parts.append(f'<text x="{_LEFT - 6}" y="{self.y(y) + 4:.1f}" text-anchor="end">{y:.4g}</text>')
            parts.append(f'<text x="{self.x(x):.1f}" y="{HEIGHT - 6}" text-anchor="middle">{x:.4g}</text>')
        return parts


def _paths(points: Sequence[Point], frame: _Frame) -> list[str]:
    """Return the lines between the gaps."""
    paths: list[list[str]] = [[]]
    for x, y in points:
        if y is None:
            paths.append([])
        else:
            paths[-1].append(f"{'L' if paths[-1] else 'M'}{frame.x(x):.1f} {frame.y(y):.1f}")
    return ["".join(path) for path in paths if path]


def _thinned(points: Sequence[Point]) -> Sequence[Point]:
    if len(points) <= MAX_POINTS:
        return points
    size = math.ceil(2 * len(points) / MAX_POINTS)
    thinned: list[Point] = []
    for start in range(0, len(points), size):
        part = [point for point in points[start : start + size] if point.y is not None]
        if not part:
            thinned.append(Point(points[start].x, None))
            continue
        ends = {min(part, key=lambda each: each.y or 0.0), max(part, key=lambda each: each.y or 0.0)}
        thinned += sorted(ends, key=lambda each: each.x)
    return thinned

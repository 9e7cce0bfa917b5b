"""Line plots as inline SVG: nothing is loaded, nothing runs. Every text in them is escaped for HTML."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 640, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 16, 14, 32
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
    points: Sequence[Point],
    levels: Sequence[Level] = (),
    marks: Sequence[float] = (),
    *,
    title: str,
    is_stepped: bool = False,
) -> str:
    """Return a plot of a series with limits, and with marks on its axis (iterations at which something changed).

    A stepped line keeps a value until the next point, as what is set does and what is measured does not.
    """
    known = [point for point in points if point.y is not None]
    if not known:
        return f'<p class="none">{html.escape(title)}: no values</p>'
    frame = _Frame.around(known, levels)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title, quote=True)}">',
        f"<title>{html.escape(title)}</title>",
        *(frame.line(level) for level in levels),
        *(f'<path class="mark" d="M{frame.x(mark):.1f} {HEIGHT - _BOTTOM}v-6"/>' for mark in marks),
        *(f'<path class="line" d="{path}"/>' for path in _paths(_thinned(points), frame, is_stepped)),
        *frame.axes(),
    ]
    if len(known) <= 60:
        parts += [
            f'<circle class="dot" cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="2.5">'
            f"<title>{x:g}: {y:.6g}</title></circle>"
            for x, y in known
            if y is not None
        ]
    return "".join([*parts, *(frame.name(level) for level in levels), "</svg>"])


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
        margin = ((high - low) or abs(high)) * 0.08 or 0.08
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

    def line(self, level: Level) -> str:
        """Return the line of a limit; nothing where it lies outside the frame."""
        if not self.y_from <= level.value <= self.y_to:
            return ""
        return f'<path class="{_kind(level)}" d="M{_LEFT} {self.y(level.value):.1f}H{WIDTH - _RIGHT}"/>'

    def name(self, level: Level) -> str:
        """Return the name of a limit, at its line; nothing where that lies outside the frame.

        Soft ones stand at the left and hard ones at the right, so that two that are close can both be read.
        """
        if not self.y_from <= level.value <= self.y_to:
            return ""
        x, anchor = (WIDTH - _RIGHT, "end") if level.is_hard else (_LEFT + 8, "start")
        place = f'x="{x}" y="{self.y(level.value) - 4:.1f}" text-anchor="{anchor}"'
        return f'<text class="{_kind(level)}" {place}>{html.escape(f"{level.name} {level.value:g}")}</text>'

    def axes(self) -> list[str]:
        """Return the axes with round numbers."""
        bottom = HEIGHT - _BOTTOM
        parts = [f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{WIDTH - _RIGHT}"/>']
        for y in _ticks(self.y_from, self.y_to, 4):
            place = f'x="{_LEFT - 8}" y="{self.y(y) + 5:.1f}" text-anchor="end"'
            parts.append(f"<text {place}>{y:.6g}</text>")
        for x in _ticks(self.x_from, self.x_to, 6, least=1.0):
            parts.append(f'<text x="{self.x(x):.1f}" y="{HEIGHT - 8}" text-anchor="middle">{x:.6g}</text>')
        return parts


def _kind(level: Level) -> str:
    return "hard" if level.is_hard else "soft"


def _ticks(low: float, high: float, about: int, least: float = 0.0) -> list[float]:
    """Return about so many round numbers (1, 2 or 5 times a power of ten apart, at least ``least``) between two."""
    rough = max((high - low) / about, least)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= rough * 0.999)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [each * step for each in range(first, last + 1)]


def _paths(points: Sequence[Point], frame: _Frame, is_stepped: bool) -> list[str]:
    """Return the lines between the gaps."""
    paths: list[list[str]] = [[]]
    for x, y in points:
        if y is None:
            paths.append([])
        elif not paths[-1]:
            paths[-1].append(f"M{frame.x(x):.1f} {frame.y(y):.1f}")
        elif is_stepped:
            paths[-1].append(f"H{frame.x(x):.1f}V{frame.y(y):.1f}")
        else:
            paths[-1].append(f"L{frame.x(x):.1f} {frame.y(y):.1f}")
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

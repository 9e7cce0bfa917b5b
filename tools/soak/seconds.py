"""Lengths of time as options of the command line take them."""

from __future__ import annotations

import re
from typing import Any

import click

MAX_SECONDS = 366 * 86_400.0
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)?", re.ASCII)
_UNITS = {None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class Seconds(click.ParamType[float]):
    """A length of time: ``90``, ``90s``, ``15m``, ``72h``, ``2d``; finite, not negative, at most a year."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, float | int):
            return float(value)
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            self.fail(f"{value!r} is no length of time; write 90, 90s, 15m, 72h or 2d", param, ctx)
        seconds = float(match[1]) * _UNITS[match[2]]
        if seconds > MAX_SECONDS:
            self.fail(f"{value!r} is more than a year", param, ctx)
        return seconds

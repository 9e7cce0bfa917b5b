"""Times as people type them: a date, a time, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

from pytest_causal import clock

_AGE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*([wdhm])", re.ASCII)
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes"}
_FORMS = "a date (2026-11-21), a time (2026-11-21T09:00, in UTC unless it says otherwise) or an age (2w, 3d, 12h, 30m)"


def to_microseconds(context: click.Context, parameter: click.Parameter, text: str) -> int:
    """Return microseconds since the epoch for what an option was given; 0 for nothing, and for times before 1970."""
    if not text:
        return 0
    try:
        return max(0, since_us(text, clock.now_us()))
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{text!r} is not a time; write {_FORMS}", context, parameter) from None


def since_us(text: str, now_us: int) -> int:
    """Return microseconds since the epoch for a text; times without an offset are UTC.

    Raises ValueError for what is neither a time nor an age, OverflowError for one that no calendar holds.
    """
    age = _AGE.fullmatch(text.strip())
    if age:
        return now_us - int(timedelta(**{_UNITS[age[2]]: float(age[1])}) / timedelta(microseconds=1))
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

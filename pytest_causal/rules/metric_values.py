"""The rule for what a test may report under a metric's name (fault P21)."""

from __future__ import annotations

import math

from pytest_causal.model.run import Metric, MetricKind

NAME_LIMIT_CHARS = 200


def metric(name: str, value: object) -> Metric:
    """Return a reported value as a metric; never raises.

    A number is an ``int``, ``bool`` (1 or 0), ``float``, ``Decimal``, ``Fraction`` or anything else, such as a
    scalar of numpy, that says what number it is by ``__float__`` or ``__index__``. Text is not parsed: ``"12"`` is no
    number. Negative zero becomes zero, and what is too large for a float is infinite. NaN, infinities and everything
    else carry their kind and no value, so that they satisfy no limit and need no NaN in JSON. Names are cut at 200
    characters.
    """
    number = _number(value)
    kept = name[:NAME_LIMIT_CHARS]
    if number is None:
        return Metric(name=kept, value=None, kind=MetricKind.OTHER)
    if math.isfinite(number):
        return Metric(name=kept, value=number + 0.0)
    if math.isnan(number):
        return Metric(name=kept, value=None, kind=MetricKind.NAN)
    kind = MetricKind.POSITIVE_INFINITY if number > 0 else MetricKind.NEGATIVE_INFINITY
    return Metric(name=kept, value=None, kind=kind)


def _number(value: object) -> float | None:
    # Asked first, because float() parses text, and bytes of every sort.
    if isinstance(value, str) or not (hasattr(type(value), "__float__") or hasattr(type(value), "__index__")):
        return None
    try:
        return float(value)  # type: ignore[arg-type]  # that is the question
    except OverflowError:
        return _infinity(value)
    except Exception:  # noqa: BLE001  # the value's own __float__ runs here, and may raise anything
        return None


def _infinity(value: object) -> float | None:
    """Return the infinity on the side of a number that no float can hold."""
    try:
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]  # it has a __float__ that overflowed
    except Exception:  # noqa: BLE001  # as above
        return None

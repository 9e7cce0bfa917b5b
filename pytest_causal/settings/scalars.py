"""Strict reading of single values from text: what is not plainly a value of its kind is refused.

Every reader raises :class:`ValueError` saying what was expected and what was found; the caller adds the
place.
"""

from __future__ import annotations

import math
import re

YES = frozenset({"1", "true", "yes", "on"})
NO = frozenset({"0", "false", "no", "off"})
# Compiled when first used, for this module is imported wherever the plugin is active.
_WHOLE = r"-?(0|[1-9][0-9]{0,17})"
_NUMBER = r"-?(0|[1-9][0-9]{0,307})(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,5})?"


def shown(value: object) -> str:
    """Return a value as it may stand in a message: on one line, and cut if long."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}... ({len(text)} characters)"


_LONGEST_SHOWN = 60


def parse_switch(text: str) -> bool:
    """Read exactly ``1 true yes on`` or ``0 false no off``, in any case."""
    word = text.lower()
    if word in YES:
        return True
    if word in NO:
        return False
    raise ValueError(f"expected yes or no (also 1/0, true/false, on/off), found {shown(text)}")


def parse_whole(text: str) -> int:
    """Read a whole number: at most 18 decimal digits after an optional ``-``, no separators."""
    if re.fullmatch(_WHOLE, text, re.ASCII):
        return int(text)
    raise ValueError(f"expected a whole number such as 1000, found {shown(text)}")


def parse_number(text: str) -> float:
    """Read a finite number as JSON writes it."""
    if re.fullmatch(_NUMBER, text, re.ASCII):
        number = float(text)
        if math.isfinite(number):
            return number
    raise ValueError(f"expected a finite number such as 0.25 or 1e3, found {shown(text)}")

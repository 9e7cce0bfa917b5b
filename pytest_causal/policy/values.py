"""The type of a policy value is that of the lowest layer that has it; layers above must give the same type.

Functions raise :class:`ValueError` saying what was expected and found; the caller adds the place.
"""

from __future__ import annotations

import json
from typing import Any

from pytest_causal.policy.tree import frozen
from pytest_causal.settings.scalars import parse_number, parse_switch, parse_whole, shown


def type_name(value: Any) -> str:
    """Return what a person calls the type of a leaf."""
    match value:
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case str():
            return "text"
    return "a list"


def conform(value: Any, like: Any) -> Any:
    """Return a leaf that a file gave, with the type of ``like``.

    A whole number is a number; a number without fraction, such as 30000.0, is a whole number. Nothing else is
    converted: ``true`` is no number and ``"5"`` is text.
    """
    match like, value:
        case (bool(), bool()) | (str(), str()) | (tuple(), tuple()):
            return value
        case (bool(), _) | (_, bool()):
            pass
        case int(), int():
            return value
        case int(), float() if value.is_integer() and abs(value) < 2**53:
            return int(value)
        case float(), int() | float():
            return float(value)
    raise ValueError(f"expected {type_name(like)}, as in {shown(like)}, found {shown(value)}")


def parse(text: str, like: Any) -> Any:
    """Return the leaf that a flag or a variable gave as text, read as the type of ``like``.

    Switches, whole numbers and numbers are read strictly, lists are JSON, and text is taken as it stands.
    """
    match like:
        case bool():
            return parse_switch(text)
        case int():
            return parse_whole(text)
        case float():
            return parse_number(text)
        case str():
            return text
    return _parse_list(text)


def _parse_list(text: str) -> Any:
    try:
        value = frozen(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise ValueError(f'expected a JSON list such as ["a", "b"], found {shown(text)}') from error
    if not isinstance(value, tuple):
        raise ValueError(f'expected a JSON list such as ["a", "b"], found {shown(text)}')
    return value

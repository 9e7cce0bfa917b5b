"""The names that scenarios are known by, and the nearest to one that is not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_causal.errors import MissingInputError
from pytest_causal.settings.suggestion import did_you_mean

if TYPE_CHECKING:
    from pytest_causal.store.interface import HistoryStore

_SHOWN = 3


def check_known(store: HistoryStore, name: str) -> None:
    """Raise MissingInputError, naming the nearest, for a name that no scenario has or had."""
    from pytest_causal.store.text import cut_name

    names = {each.name for each in store.scenarios()} | {each.old for each in store.aliases()}
    if cut_name(name) not in names:
        raise MissingInputError(f"no scenario {name!r} was ever recorded", nearest(name, names))


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a remedy that names the scenarios whose names hold the text, or else the one most like it."""
    holding = sorted(each for each in names if name.casefold() in each.casefold())
    if not holding:
        return did_you_mean(name, names)
    more = len(holding) - _SHOWN
    return (
        "did you mean "
        + " or ".join(map(repr, holding[:_SHOWN]))
        + "?"
        + (f" ({more} more)" if more > 0 else "")
    )

"""Where a command works: the project around the current directory, its settings, and its history store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_causal.cli.pytest_config import PytestConfig, find_pytest_config
from pytest_causal.errors import MissingInputError, UsageError
from pytest_causal.settings.sources import Layer, Origin, Settings, resolve_settings

if TYPE_CHECKING:
    from pytest_causal.store.interface import HistoryStore

HOW_TO_RECORD = "record one: pytest -p causal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The root directory as pytest would find it, the settings in force there, and the policy they name."""

    config: PytestConfig
    settings: Settings

    @property
    def is_store_named(self) -> bool:
        """Whether the store was named on the command line."""
        return self.settings.origins["store"].layer is Layer.FLAG

    def reading(self) -> AbstractContextManager[HistoryStore]:
        """Open the store for reading only. Raises MissingInputError where there is none, and as ``open_store`` does."""
        return self._opened(readonly=True)

    def writing(self) -> AbstractContextManager[HistoryStore]:
        """Open the store, which :meth:`has_nothing_recorded` has found to be there. Raises as ``open_store`` does."""
        return self._opened(readonly=False)

    @property
    def nothing_recorded(self) -> str:
        """What a person is told where :meth:`has_nothing_recorded`."""
        return f"nothing is recorded in {self.settings.store}; {HOW_TO_RECORD}"

    def has_nothing_recorded(self) -> bool:
        """Whether there is no store yet, or an empty file for one. Raises MissingInputError if it was named."""
        if "://" in self.settings.store:
            return False
        try:
            return os.stat(self.settings.store).st_size == 0
        except FileNotFoundError:
            if self.is_store_named:
                raise MissingInputError(
                    f"there is no history store at {self.settings.store}", HOW_TO_RECORD
                ) from None
            return True
        except OSError:
            return False  # opening it will say what is wrong

    @contextmanager
    def _opened(self, *, readonly: bool) -> Iterator[HistoryStore]:
        from pytest_causal.store.opening import open_store

        store = open_store(self.settings.store, busy_seconds=self.settings.busy_seconds, readonly=readonly)
        try:
            yield store
        finally:
            store.close()


def store_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--store`` to a command."""
    return click.option(
        "--store",
        metavar="PATH|URL",
        help="History store (default: CAUSAL_STORE, [tool.causal] store, .causal/history.db).",
    )(command)


def find_place(store: str | None = None) -> Place:
    """Return the place of the current directory; ``store`` is what ``--store`` gave.

    Raises ConfigError for settings that cannot be used, MissingInputError where the directory is gone.
    """
    try:
        here = Path.cwd()
    except FileNotFoundError:
        raise MissingInputError("the current directory is no longer there", "change to another one") from None
    config = find_pytest_config(here)
    settings = resolve_settings(flags={}, env=os.environ, root=config.root)
    if store is None:
        return Place(config=config, settings=settings)
    if not store:
        raise UsageError("--store is empty", "give a path or a URL")
    origins = {**settings.origins, "store": Origin(layer=Layer.FLAG, place="--store")}
    location = store if "://" in store else str(here / store)
    return Place(config=config, settings=settings._replace(store=location, origins=origins))


def policy_in_force(place: Place) -> dict[str, str]:
    """Return dotted path -> the text that a read of the value in force is recorded as. Raises ConfigError."""
    from pytest_causal.policy.layers import resolve_policy

    return resolve_policy(place.settings, cli=(), env=os.environ, root=place.config.root).read_values

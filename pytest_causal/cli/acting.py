"""What commands that act on the policy share: who acts, on what, and what to do with a promotion's name."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from pytest_causal import clock
from pytest_causal.cli.output import note
from pytest_causal.errors import CausalError

if TYPE_CHECKING:
    from pytest_causal.actions.context import Context
    from pytest_causal.cli.place import Place
    from pytest_causal.store.interface import HistoryStore

Command = Callable[..., Any]

dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")


def reason_option(command: Command) -> Command:
    """Add ``--reason`` to a command."""
    return click.option("--reason", default="", metavar="TEXT", help="Why; the audit keeps it.")(command)


def bare_context(place: Place, store: HistoryStore) -> Context:
    """Return what an action of the person at the terminal works with, without other people's hooks."""
    from pytest_causal.actions.context import Context, NoExtensions

    return Context(store, place.settings, actor(), clock.now_us(), NoExtensions())


def context_of(place: Place, store: HistoryStore) -> Context:
    """Return what an action of the person at the terminal works with.

    Hooks are those of the modules that the setting ``plugins`` names. Raises ConfigError for one that cannot be used.
    """
    from pytest_causal.actions.context import Context

    settings = place.settings
    if not settings.plugins:
        return bare_context(place, store)
    from pytest_causal.hooks.extensions import Extensions

    return Context(
        store, settings, actor(), clock.now_us(), Extensions.of_modules(settings.plugins, settings.root)
    )


def tell_problems(context: Context) -> None:
    """Say what hooks raised where nothing hung on it."""
    for problem in context.extensions.problems:
        note(problem)


def actor() -> str:
    """Return who acts, as the audit names it: ``person NAME``."""
    try:
        return f"person {getpass.getuser()}"
    except (OSError, KeyError, ImportError):  # no name is known for this user
        return "person"


def drift_of(context: Context) -> str:
    """Return how the override file and the audit disagree, in words, or nothing; an unfinished act is none."""
    from pytest_causal.actions.reconcile import examine

    return examine(context).words


def check_live(context: Context, *, is_dry_run: bool) -> None:
    """Finish what was cut short, unless it is only to be looked. Raises DriftError."""
    from pytest_causal.actions.act import DriftError, holding_live

    if not is_dry_run:
        with holding_live(context.store, context.overrides_path, context.now_us):
            return
    if words := drift_of(context):
        raise DriftError(words, "see what differs and settle it with causal reconcile")


def secrets_of(context: Context) -> frozenset[str]:
    """Return the paths whose values are not shown, also where the override file cannot be used. Raises ConfigError."""
    from pytest_causal.policy.secrets import secret_paths
    from pytest_causal.policy.standing import standing_policy

    try:
        return context.policy().secrets
    except CausalError:
        leaves = {
            **standing_policy(context.settings, with_overrides=False).flat,
            **context.store.live().leaves,
        }
        return secret_paths(leaves, context.settings.secrets)

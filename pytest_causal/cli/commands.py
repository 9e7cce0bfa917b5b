"""The commands of ``causal``: ours, one module each, and those that other distributions add.

A command ``NAME`` of ours is the object ``NAME`` in the module ``pytest_causal.cli.NAME``. Other distributions
register theirs under the entry-point group ``causal.commands``. Nothing is imported before it is invoked or listed,
and a command that cannot be imported takes no other down with it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

import click

from pytest_causal.errors import ConfigError
from pytest_causal.settings.suggestion import did_you_mean
from pytest_causal.views.escape import terminal

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

OURS = (
    "alias",
    "audit",
    "config",
    "decide",
    "doctor",
    "du",
    "freeze",
    "history",
    "lessons",
    "migrate",
    "promote",
    "reconcile",
    "revert",
    "rotate",
    "status",
    "trial",
)
"""Our commands. Adding one is adding its module and its name here; no other distribution can replace it."""

GROUP = "causal.commands"


class Commands(click.Group):
    """A group that finds its commands by name, when they are needed."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return all names, sorted."""
        return sorted({*OURS, *_others()})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import and return a command; ``None`` for an unknown name. Raises ConfigError for a broken one."""
        if name in OURS:
            return cast(click.Command, getattr(import_module(f"pytest_causal.cli.{name}"), name))
        entry_point = _others().get(name)
        return None if entry_point is None else _load(entry_point)

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return (name, command, remaining arguments); an unknown name is told the nearest known one."""
        name = arguments[0]
        command = self.get_command(context, name)
        if command is None:
            remedy = did_you_mean(name, self.list_commands(context))
            context.fail(f"there is no command {name!r}; {remedy}")
        return name, command, arguments[1:]

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command with its one line of help, or why it cannot be used."""
        rows = []
        for name in self.list_commands(context):
            try:
                command = self.get_command(context, name)
            except ConfigError as error:
                rows.append((terminal(name), terminal(f"(broken: {error.what})")))
            else:
                rows.append((terminal(name), command.get_short_help_str(80) if command else ""))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _others() -> dict[str, EntryPoint]:
    """Return the entry points of other distributions by name; of two with one name, the first by module."""
    from importlib.metadata import entry_points

    found = sorted(entry_points(group=GROUP), key=lambda each: (each.name, each.value), reverse=True)
    return {each.name: each for each in found}


def _load(entry_point: EntryPoint) -> click.Command:
    where = f"the command {entry_point.name!r} ({entry_point.value}, added by another distribution)"
    try:
        command = entry_point.load()
    except Exception as error:  # importing another's code may raise anything, and is not our bug
        raise ConfigError(
            f"{where} cannot be loaded: {type(error).__name__}: {error}",
            "update or uninstall that distribution",
        ) from error
    if not isinstance(command, click.Command):
        raise ConfigError(f"{where} is no click command", "update or uninstall that distribution")
    return command

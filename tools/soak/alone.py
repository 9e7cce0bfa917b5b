"""A command that stands alone, with the exit codes and the error lines of ``causal``."""

from __future__ import annotations

import click

from pytest_causal.cli.main import CausalGroup


class Alone(CausalGroup):
    """A group without commands below it: what is called is the group itself."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return no names."""
        return []

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return no command."""
        return None

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write nothing of commands."""
        return

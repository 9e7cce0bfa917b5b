"""The configuration manager of the soak toolkit: ``python -m tools.soak.config_manager``.

It does what ``causal config`` and ``causal migrate`` do, by the same code, with the options of old. Where a project
declares no policy, the toolkit's own defaults (``defaults.toml``) lie below the profile.
"""

from __future__ import annotations

from pathlib import Path

import click

from pytest_causal.cli.config import (
    json_option,
    list_all_profiles,
    policy_in_force,
    read_settings,
    show_policy,
)
from pytest_causal.cli.main import CausalGroup
from pytest_causal.cli.migrate import run_migration
from pytest_causal.errors import UsageError
from pytest_causal.settings.config_file import read_config
from pytest_causal.settings.sources import Settings

DEFAULTS = Path(__file__).with_name("defaults.toml")


class _Alone(CausalGroup):
    """A command with the exit codes and error lines of ``causal``, and without commands below it."""

    def list_commands(self, context: click.Context) -> list[str]:
        return []

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        return None

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        return


@click.group(cls=_Alone, invoke_without_command=True, subcommand_metavar="")
@click.option("--migrate", "action", flag_value="migrate", help="Bring old files into today's form.")
@click.option("--list-profiles", "action", flag_value="list", help="List the profiles that can be used.")
@click.option("--show", "action", flag_value="show", help="Show every value in force and its origin.")
@click.option("--precedence", "action", flag_value="precedence", help="Show what each value outweighs.")
@click.option("--profile", metavar="NAME", help="The profile to use; --show needs one.")
@click.option("--dry-run", is_flag=True, help="With --migrate: show what would be done, change nothing.")
@click.option(
    "--from", "directory", type=click.Path(path_type=Path), help="With --migrate: where the old files are."
)
@json_option
def config_manager(
    action: str | None, profile: str | None, dry_run: bool, directory: Path | None, as_json: bool
) -> int:
    """Show and migrate the configuration of soak runs."""
    settings = read_settings(profile)
    match action:
        case "migrate":
            return run_migration(settings, directory, is_dry_run=dry_run, as_json=as_json)
        case "list":
            return list_all_profiles(settings, as_json=as_json)
        case "show" | "precedence":
            if not settings.profile:
                raise UsageError(f"--{action} needs --profile NAME", "--list-profiles lists them")
            policy = policy_in_force(with_own_defaults(settings))
            return show_policy(policy, has_stack=action == "precedence", as_json=as_json)
    raise UsageError("nothing to do", "give --migrate, --list-profiles, --show or --precedence")


def with_own_defaults(settings: Settings) -> Settings:
    """Return settings whose default policy is the toolkit's own, where the project declares none.

    They are for resolving a policy: of the project's file only its bounds are left in them.
    """
    if settings.policy_table:
        return settings
    own = read_config(DEFAULTS)
    table = {**own.table, "bounds": dict(settings.bounds_table)}
    return settings._replace(config=own.with_table(table))


if __name__ == "__main__":
    config_manager.main(prog_name="python -m tools.soak.config_manager")

"""The artifact manager of the soak toolkit: ``python -m tools.soak.artifact_manager --path artifacts/soak``.

It does what ``causal rotate`` does, by the same code, with the options of old.
"""

from __future__ import annotations

from pathlib import Path

import click

from pytest_causal.cli.config import json_option, read_settings
from pytest_causal.cli.rotate import limit_options, rotate_paths
from pytest_causal.settings.artifact_table import artifact_settings
from tools.soak.alone import Alone


@click.group(cls=Alone, invoke_without_command=True, subcommand_metavar="")
@click.option("--path", required=True, type=click.Path(path_type=Path), help="The directory to rotate.")
@limit_options
@click.option(
    "--dry-run", is_flag=True, help="Print what would be done with each file, and why; change nothing."
)
@click.option("--force", is_flag=True, help="Let this run delete any share of the files.")
@json_option
def artifact_manager(path: Path, dry_run: bool, force: bool, as_json: bool, **flags: str | None) -> int:
    """Compress what is old, and delete what is over its limits.

    Exits 0 when it is done, 1 where something went wrong with a file, 2 where more than --max-size-mb is left after all
    that the rules allow, 64 for a wrong flag or where there is no such directory.
    """
    in_force = artifact_settings(read_settings(None), flags)
    return rotate_paths(
        [path], in_force, is_dry_run=dry_run, is_forced=force, has_kept=False, as_json=as_json
    )


if __name__ == "__main__":
    artifact_manager.main(prog_name="python -m tools.soak.artifact_manager")

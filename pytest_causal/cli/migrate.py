"""``causal migrate``: from the predecessors' files to profiles and one override file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pytest_causal import clock
from pytest_causal.cli.config import json_option, read_settings
from pytest_causal.cli.output import Screen, note, write, write_json
from pytest_causal.errors import DataError, ExitCode, MissingInputError
from pytest_causal.settings.sources import Settings

DEFAULT_DIRECTORY = Path("artifacts") / "soak"


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be written, as a diff; change nothing.")
@click.option(
    "--from",
    "directory",
    type=click.Path(path_type=Path),
    help=f"Where the old files are (default: {DEFAULT_DIRECTORY.as_posix()}).",
)
@json_option
def migrate(dry_run: bool, directory: Path | None, as_json: bool) -> int:
    """Move steady_safe_overrides.json, applied_profile.json, runtime_overrides.json and their kin to today's files.

    Old files are copied, merged into whole profiles, checked, written, read back, and only then renamed. Running it
    again does nothing; running it after it was killed finishes it.

    \b
    Exit codes:
      0   done, or nothing to do
      65  an old file cannot be read without loss, or two values contradict each other: nothing was written
      66  the directory named by --from is not there
      78  today's settings or profiles cannot be used
    """
    return run_migration(read_settings(None), directory, is_dry_run=dry_run, as_json=as_json)


def run_migration(settings: Settings, directory: Path | None, *, is_dry_run: bool, as_json: bool) -> int:
    """Migrate, or show what would be done; return the exit code."""
    from pytest_causal.policy.migration import carry_out, prepare, resume
    from pytest_causal.views.migration import migration_diff, migration_document, migration_lines
    from pytest_causal.views.times import utc_stamp

    if directory is not None and not directory.is_dir():
        raise MissingInputError(f"there is no directory {directory}", "name the one that holds the old files")
    place = Path.cwd() / directory if directory else settings.root / DEFAULT_DIRECTORY
    moved = [] if is_dry_run else resume(settings.root)
    for path in moved:
        note(f"finished an earlier migration: {path} was moved aside")
    migration = prepare(settings, place)
    document = migration_document(migration, is_dry_run=is_dry_run)
    if not (is_dry_run or migration.is_empty or migration.plan.problems):
        report = json.dumps(document, indent=2, sort_keys=True) + "\n"
        now = utc_stamp(clock.now_us())[:19] + "Z"
        carry_out(migration, root=settings.root, directory=place, now=now, report=report)
    if as_json:
        write_json(document)
    elif migration.is_empty:
        note(f"nothing to migrate in {place}")
    else:
        write([migration_diff(migration)] if is_dry_run and not migration.plan.problems else [])
        write([Screen().lines(list(migration_lines(migration, is_dry_run=is_dry_run)))])
    if migration.plan.problems:
        remedy = "resolve what is shown and run causal migrate again"
        raise DataError(f"nothing was migrated: {len(migration.plan.problems)} problems", remedy)
    return ExitCode.OK

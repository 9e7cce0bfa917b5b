"""``causal du``: where the space of artifacts is."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_causal.cli.config import json_option, read_settings
from pytest_causal.cli.output import Screen, note, write, write_json
from pytest_causal.errors import ExitCode
from pytest_causal.settings.artifact_table import artifact_settings


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--limit", default=10, type=click.IntRange(min=0), help="Most directories shown; 0 shows all.")
@json_option
def du(path: Path | None, limit: int, as_json: bool) -> int:
    """Show what PATH holds, by class of files and by directory.

    PATH is the first of [artifacts] roots where it is not given. Sizes are those of the files and, since a small file
    takes a block all the same, those on disk.

    \b
    Exit codes:
      0   shown
      1   a directory could not be read; the others are shown
      64  a wrong flag, or a link in place of the directory
      66  no such directory
      78  the settings cannot be used
    """
    from pytest_causal.artifacts.usage import measure_usage
    from pytest_causal.views.usage import usage_document, usage_table

    in_force = artifact_settings(read_settings(None))
    place = path or in_force.roots[0]
    usage = measure_usage(place, in_force.policy.classes)
    for problem in usage.problems:
        note(problem)
    if as_json:
        write_json(usage_document(usage, str(place)))
    else:
        screen = Screen()
        write([screen.table(usage_table(usage, str(place), limit=limit).fitted(screen.width))])
    return ExitCode.FAIL if usage.problems else ExitCode.OK

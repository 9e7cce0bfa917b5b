"""``causal rotate``: keep directories of artifacts within bounds, look into what was compressed, bring it back."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_causal import clock
from pytest_causal.cli.config import json_option, read_settings
from pytest_causal.cli.output import Screen, note, write, write_json
from pytest_causal.errors import ExitCode, UsageError
from pytest_causal.settings.artifact_table import (
    LIMIT_ROWS,
    RULES,
    SESSION_ROWS,
    ArtifactSettings,
    artifact_settings,
)

if TYPE_CHECKING:
    from pytest_causal.model.artifact import Plan, Rotation
    from pytest_causal.settings.table import Setting

_FLAGS = (*(row for row in SESSION_ROWS if row.name == "preset"), *LIMIT_ROWS, *RULES)
_METAVARS = {"whole number": "N", "number": "NUMBER"}


class _WithDefault(click.Group):
    """A group whose first command is meant where none is named: ``rotate PATH`` is ``rotate run PATH``."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Put the default command's name before words that begin with no command and ask for no help."""
        if not args or (args[0] not in self.commands and args[0] not in context.help_option_names):
            args = ["run", *args]
        return super().parse_args(context, args)


def limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each row of the settings that may be given for one run."""
    for row in reversed(_FLAGS):
        command = _option(row)(command)
    return command


def _option(row: Setting) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    metavar = "|".join(row.choices) or _METAVARS[row.kind.value]
    return click.option("--" + row.name.replace("_", "-"), metavar=metavar, help=row.help)


root_option = click.option(
    "--root", type=click.Path(path_type=Path), help="The directory (default: the first of [artifacts] roots)."
)


@click.group(cls=_WithDefault)
def rotate() -> None:
    """Compress what is old, delete what is over its limits, and lose nothing else.

    Without a command it is causal rotate run. The name of a command that is a directory is written ./NAME.
    Exit codes are listed with each command: causal rotate run --help.
    """


@rotate.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@limit_options
@click.option(
    "--dry-run", is_flag=True, help="Print what would be done with each file, and why; change nothing."
)
@click.option("--force", is_flag=True, help="Let this run delete any share of the files.")
@click.option("--all", "has_kept", is_flag=True, help="Also list the files that are kept or left.")
@json_option
def run(
    paths: tuple[Path, ...], dry_run: bool, force: bool, has_kept: bool, as_json: bool, **flags: str | None
) -> int:
    """Rotate directories: those of [artifacts] roots, or PATHs.

    What no rule keeps is deleted only where it is over the limit on size or, if that is given, past
    --delete-after-days. A file is removed after what replaces it was read back and compared.

    \b
    Exit codes:
      0   done, or nothing to do
      1   something went wrong with a file; the others were dealt with
      2   more than --max-size-mb is left after all that the rules allow
      64  a wrong flag, or no such directory
      75  another rotation is at work, or this one was interrupted
      78  the settings cannot be used
    """
    in_force = artifact_settings(read_settings(None), flags)
    return rotate_paths(
        paths or in_force.roots,
        in_force,
        is_dry_run=dry_run,
        is_forced=force,
        has_kept=has_kept,
        as_json=as_json,
    )


def rotate_paths(
    paths: Iterable[Path],
    in_force: ArtifactSettings,
    *,
    is_dry_run: bool,
    is_forced: bool,
    has_kept: bool,
    as_json: bool,
) -> int:
    """Rotate directories one after the other and show it; return the exit code, 1 before 2 before 0."""
    from pytest_causal.actions.rotate import forced, plan_root, rotate_root
    from pytest_causal.views.rotation import rotation_document

    policy = forced(in_force.policy) if is_forced else in_force.policy
    codes, documents = [], []
    for path in paths:
        if not path.is_dir():
            raise UsageError(f"there is no directory {path}", "check the path")
        now_us = clock.now_us()
        show = _Shown(path, has_kept=has_kept, is_silent=as_json)
        try:
            if is_dry_run:
                rotation = plan_root(path, policy, now_us=now_us)
                show.plan(rotation.plan)
            else:
                rotation = rotate_root(path, policy, now_us=now_us, on_plan=show.plan, progress=show.progress)
        except KeyboardInterrupt:
            show.end_progress()
            note("interrupted: every file is there, as it was or compressed; the next run goes on")
            return ExitCode.BUSY
        show.outcome(rotation)
        codes.append(rotation.exit_code)
        documents.append(rotation_document(rotation, str(path), now_us=now_us))
    if as_json:
        write_json({"schema": "causal.rotate/1", "is_dry_run": is_dry_run, "roots": documents})
    return next((code for code in (ExitCode.FAIL, ExitCode.ACTED) if code in codes), ExitCode.OK)


class _Shown:
    """What a person sees of the rotation of one root."""

    def __init__(self, path: Path, *, has_kept: bool, is_silent: bool) -> None:
        self._path = path
        self._has_kept = has_kept
        self._is_silent = is_silent
        self._meter = Meter() if sys.stderr.isatty() else None

    def plan(self, plan: Plan) -> None:
        """Show the plan."""
        from pytest_causal.views.rotation import left_lines, plan_lines

        if not self._is_silent:
            write([Screen().unwrapped([*plan_lines(plan, has_kept=self._has_kept), *left_lines(plan)])])

    def progress(self, done_bytes: int, all_bytes: int) -> None:
        """Show on a terminal how far it is."""
        if self._meter:
            self._meter.show(done_bytes, all_bytes)

    def end_progress(self) -> None:
        """Take the line of progress away."""
        if self._meter:
            self._meter.clear()

    def outcome(self, rotation: Rotation) -> None:
        """Show what came of it."""
        from pytest_causal.views.rotation import last_lines

        self.end_progress()
        if not self._is_silent:
            write([Screen().unwrapped(list(last_lines(rotation, str(self._path))))])


class Meter:
    """One line on a terminal that is written over and over, four times a second at most."""

    def __init__(self) -> None:
        self._began_seconds = clock.monotonic_seconds()
        self._shown_seconds = 0.0

    def show(self, done_bytes: int, all_bytes: int) -> None:
        """Show how much is done, how quickly, and how long the rest will take."""
        from pytest_causal.views.rotation import progress_words

        now = clock.monotonic_seconds()
        if now - self._shown_seconds >= 0.25:
            self._shown_seconds = now
            words = progress_words(done_bytes, all_bytes, now - self._began_seconds)
            print(f"\r\x1b[K{words}", end="", file=sys.stderr, flush=True)  # noqa: T201 - a line that is no output

    def clear(self) -> None:
        """Take the line away."""
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201 - as above


@rotate.command()
@click.argument("file")
@root_option
def cat(file: str, root: Path | None) -> int:
    """Write the content of FILE to standard output, wherever it is now: loose, compressed, or in an archive.

    Exits 65 for an archive that is damaged or larger than it says, 66 where there is no such file.
    """
    from pytest_causal.artifacts.directory import Root
    from pytest_causal.artifacts.retrieval import find_holder, read_content
    from pytest_causal.cli.output import write_bytes

    place = _root_of(root)
    with Root.open(place) as opened:
        write_bytes(read_content(opened, find_holder(opened, _name_below(place, file))))
    return ExitCode.OK


@rotate.command()
@click.argument("files", nargs=-1, required=True)
@root_option
def restore(files: tuple[str, ...], root: Path | None) -> int:
    """Bring FILES back under their names, with their permissions and times; the archive stays.

    FILE may be an archive: then all its members are brought back that are not there. The next rotation compresses them
    again unless a file FILE.keep, or .keep in the directory, says otherwise.
    """
    from pytest_causal.artifacts.directory import Root
    from pytest_causal.artifacts.retrieval import restore as restore_name
    from pytest_causal.artifacts.root_lock import hold_root

    place = _root_of(root)
    with Root.open(place) as opened, hold_root(opened, run_id=f"restore {clock.now_us()}"):
        for file in files:
            for name in restore_name(opened, _name_below(place, file)):
                note(f"restored {place / name}")
    return ExitCode.OK


@rotate.command(name="list")
@root_option
@json_option
def list_(root: Path | None, as_json: bool) -> int:
    """List every file that can be brought back, and what holds it."""
    from pytest_causal.artifacts.directory import Root
    from pytest_causal.artifacts.retrieval import list_compressed
    from pytest_causal.views.rotation import compressed_document, compressed_table

    with Root.open(_root_of(root)) as opened:
        found = list_compressed(opened)
    if as_json:
        write_json(compressed_document(found))
    else:
        write([Screen().table(compressed_table(found))])
    return ExitCode.OK


@rotate.command()
@root_option
@click.option(
    "--limit", default=20, type=click.IntRange(min=0), help="Most runs that are shown; 0 shows all."
)
@json_option
def log(root: Path | None, limit: int, as_json: bool) -> int:
    """Show the log of rotations, those of the predecessors' tool among them, newest last."""
    from pytest_causal.artifacts.directory import Root
    from pytest_causal.artifacts.rotation_log import read_log
    from pytest_causal.views.rotation_log import log_document, log_table

    with Root.open(_root_of(root)) as opened:
        lines = list(read_log(opened))
    shown = lines[-limit:] if limit else lines
    if as_json:
        write_json(log_document(shown))
    else:
        write([Screen().table(log_table(shown))])
    return ExitCode.OK


def _root_of(root: Path | None) -> Path:
    return root or artifact_settings(read_settings(None)).roots[0]


def _name_below(root: Path, file: str) -> str:
    """Return the name below the root of what a person wrote: a path to it, or that very name."""
    full, base = os.path.abspath(file), os.path.abspath(root)
    if full.startswith(base + os.sep):
        return full[len(base) + 1 :]
    if os.path.isabs(file):
        raise UsageError(f"{file} does not lie below {root}", "name the directory with --root")
    return os.path.normpath(file)

"""The root that node ids are relative to, and a trap that moves it.

pytest looks for its root directory before any plugin is loaded. Of ``--causal-store /tmp/h.db`` it then knows the
second word only, takes it for a test path as soon as the file exists, and moves its root towards it: a test gets
another id from the second session on, and xdist's workers, started after the file was made, disagree with their
controller. ``--causal-store=/tmp/h.db`` is safe. Here the trap is disarmed as far as a plugin can.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_causal.settings.config_file import unread_config
from pytest_causal.settings.table import SETTINGS, Kind

_CONFIG_FILES = (
    *("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"),
    *("pyproject.toml", "tox.ini", "setup.cfg", "setup.py"),
)


class Root(NamedTuple):
    """Where a run's own files and ids start from. ``prefix`` stands before each node id where pytest's root is
    further out; ``warning`` says so in words."""

    path: Path
    prefix: str = ""
    warning: str = ""


def settle_root(config: pytest.Config) -> Root:
    """Return the root, found again where a path given alone moved it; keep workers from being misled later."""
    args = [str(arg) for arg in config.invocation_params.args]
    place = _lone_path(args)
    if place is None:
        return Root(config.rootpath)
    here = config.invocation_params.dir
    flag, value = args[place], args[place + 1]
    if not (here / value).exists():
        # Workers parse the same words after the store was made: for them flag and path are joined.
        joined = [*args[:place], f"{flag}={value}", *args[place + 2 :]]
        config.invocation_params = type(config.invocation_params)(
            args=joined, plugins=config.invocation_params.plugins, dir=here
        )
        return Root(config.rootpath)
    intended = _root_around(here)
    if config.inipath is not None or config.rootpath == intended or config.rootpath not in intended.parents:
        return Root(config.rootpath)
    return Root(
        intended,
        prefix=f"{intended.relative_to(config.rootpath).as_posix()}/",
        warning=(
            f"write {flag}={value} as one word; pytest took the path for a test path, moved its root directory to "
            f"{config.rootpath} and ignored the configuration in {intended} (ids are stored as if it had not)"
        ),
    )


def unread_settings(config: pytest.Config, root: Path) -> list[str]:
    """Return what to tell a person of files of settings beside the tests that lie below the root; nobody reads them."""
    here = config.invocation_params.dir
    places = [Path(os.path.normpath(here / str(each).partition("::")[0])) for each in config.args]
    # Not Path.is_dir, which raises for a name that is too long or may not be looked at: that is for pytest to tell.
    folders = {here, *(each if os.path.isdir(each) else each.parent for each in places)}
    found = [unread_config(root, each) for each in folders]
    return sorted({str(each) for each in found if each is not None})


def _lone_path(args: Sequence[str]) -> int | None:
    """Return where a flag stands whose path is a word of its own."""
    flags = {setting.flag for setting in SETTINGS if setting.kind is Kind.PATH}
    return next((place for place, arg in enumerate(args[:-1]) if arg in flags), None)


def _root_around(folder: Path) -> Path:
    """Return what pytest takes for its root when no path misleads it: the nearest folder that configures it."""
    for candidate in (folder, *folder.parents):
        if any((candidate / name).is_file() for name in _CONFIG_FILES):
            return candidate
    return folder

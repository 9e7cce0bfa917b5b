"""The file that settings and policy come from: ``causal.toml``, or ``[tool.causal]`` in ``pyproject.toml``.

It is searched in the root directory and then upwards to the top of the repository (the directory that
holds ``.git``); the nearest wins. Outside a repository only the root directory is searched, and the home
directory and what lies above it never are unless they are the root: a stray file of another project, or of
another person in a shared directory, must not configure this one.
"""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from pytest_causal.errors import ConfigError
from pytest_causal.settings.text_file import decode, read_bytes

OWN_NAME = "causal.toml"
SHARED_NAME = "pyproject.toml"
_SHARED_PREFIX = ("tool", "causal")


class ConfigFile:
    """A parsed file. ``table`` is our part of it; ``prefix`` is where in the file that part stands."""

    def __init__(self, *, path: Path, text: str, table: dict[str, Any], prefix: tuple[str, ...] = ()) -> None:
        self.path: Final = path
        self.text: Final = text
        self.table: Final = table
        self.prefix: Final = prefix

    def with_table(self, table: dict[str, Any]) -> ConfigFile:
        """Return the same file with another part of ours."""
        return ConfigFile(path=self.path, text=self.text, table=table, prefix=self.prefix)

    def section(self, name: str) -> dict[str, Any]:
        """Return a table of ours, empty where there is none. Raises :class:`ConfigError` for another type."""
        value = self.table.get(name, {})
        if not isinstance(value, dict):
            raise ConfigError(f"{self.place((name,))}: {name} is {value!r}", "write it as a table")
        return value

    def tables(self, name: str) -> list[tuple[dict[str, Any], str]]:
        """Return an array of tables of ours, each with its place. Raises :class:`ConfigError` for another type."""
        value = self.table.get(name, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise ConfigError(
                f"{self.place((name,))}: {name} is no array of tables", f"write each as [[{name}]]"
            )
        return [(each, self.place((name, str(number)))) for number, each in enumerate(value)]

    def line(self, key: tuple[str, ...]) -> int:
        """Return the line on which a key of ours stands (best effort: that of the table around it), or 0."""
        from pytest_causal.settings.toml_lines import line_of

        return line_of(self._lines, self.prefix + key)

    def place(self, key: tuple[str, ...]) -> str:
        """Return ``FILE:LINE`` of a key."""
        line = self.line(key)
        return f"{self.path}:{line}" if line else str(self.path)

    @cached_property
    def _lines(self) -> dict[tuple[str, ...], int]:
        from pytest_causal.settings.toml_lines import key_lines

        return key_lines(self.text)


def find_config(root: Path) -> ConfigFile | None:
    """Return the nearest file with content for us.

    Raises :class:`ConfigError` for a file that cannot be read, and for two with content in one directory.
    """
    for directory in _searched(root):
        own = _read(directory / OWN_NAME, ())
        shared = _read(directory / SHARED_NAME, _SHARED_PREFIX)
        if own and own.table and shared:
            raise ConfigError(
                f"both {own.path} and [tool.causal] in {shared.path} hold settings", "keep one of the two"
            )
        if own and (own.table or not shared):
            return own
        if shared:
            return shared
    return None


def unread_config(root: Path, start: Path) -> ConfigError | None:
    """Return what to tell a person of the nearest file with content for us that lies below the root, at a directory
    or above it: nobody reads it. A file that cannot be parsed counts.

    A setting that was written and does not hold is worse than an error.
    """
    if root not in start.parents:
        return None
    for directory in (start, *start.parents):
        if directory == root:
            return None
        for name, prefix in ((OWN_NAME, ()), (SHARED_NAME, _SHARED_PREFIX)):
            try:
                found = _read(directory / name, prefix)
            except ConfigError:
                found = ConfigFile(path=directory / name, text="", table={"unknown": True})
            if found and found.table:
                return ConfigError(
                    f"{found.path} is not read: settings come from {root}, which is pytest's root directory here",
                    f"move them to a {OWN_NAME} there",
                )
    return None


def _searched(root: Path) -> list[Path]:
    """Return the directories to look in, nearest first."""
    directories = [root]
    home = _home()
    for directory in (root, *root.parents):
        if directory != root:
            if directory == home or home.is_relative_to(directory):
                break
            directories.append(directory)
        if (directory / ".git").exists():
            return directories
    return [root]


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # no HOME and no entry in the password file
        return Path("/")


def read_config(path: Path) -> ConfigFile:
    """Return a file of ours by its path. Raises :class:`ConfigError`, and FileNotFoundError where there is none."""
    text = decode(read_bytes(path), path)
    return ConfigFile(path=path, text=text, table=_parse(text, path))


def _read(path: Path, prefix: tuple[str, ...]) -> ConfigFile | None:
    try:
        content = read_bytes(path)
    except FileNotFoundError:
        return None
    if prefix and b"causal" not in content and b"\0" not in content:
        return None  # another tool's file: it is neither parsed nor judged
    text = decode(content, path)
    table = _parse(text, path)
    for key in prefix:
        inner = table.get(key)
        if not isinstance(inner, dict):
            return None
        table = inner
    return ConfigFile(path=path, text=text, table=table, prefix=prefix) if table or not prefix else None


def _parse(text: str, path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = found[1] if found and found[1] else text.count("\n") + 1
        what = str(error)[: found.start()] if found else str(error)
        raise ConfigError(f"{path}:{line} is not valid TOML: {what}", "correct the line") from error
    except (RecursionError, ValueError) as error:  # nested too deep; a number of thousands of digits
        raise ConfigError(f"{path} cannot be read as TOML: {error}", "simplify the file") from error

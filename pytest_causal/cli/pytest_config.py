"""What pytest would make of a directory: its root, and the options it would add. Read without starting pytest.

The default store lies below pytest's root directory, so a command must find the same root as the session that
recorded. The rules are those of pytest 8.4 and 9 (``_pytest/config/findpaths.py``) for a call without arguments.
"""

from __future__ import annotations

import configparser
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NAMES = (
    "pytest.toml",
    ".pytest.toml",
    "pytest.ini",
    ".pytest.ini",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
)
_ALWAYS = frozenset({"pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"})
"""Files that are pytest's even where they are empty."""
_INI_SECTIONS = {"setup.cfg": "tool:pytest"}

PLUGIN_NAMES = frozenset({"causal", "pytest_causal", "pytest_causal.plugin"})
"""The names by which a person may ask for the plugin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PytestConfig:
    """The root directory, and the file (if any) whose ``addopts`` hold there."""

    root: Path
    file: Path | None = None
    addopts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """Whether plain ``pytest`` would record, and why."""

    is_active: bool
    why: str


def find_pytest_config(start: Path) -> PytestConfig:
    """Return what pytest would find when called in ``start``."""
    directories = [start, *start.parents]
    for directory in directories:
        for name in _NAMES:
            table = _pytest_table(directory / name)
            if table is not None:
                return PytestConfig(
                    root=directory, file=directory / name, addopts=_words(table.get("addopts", ""))
                )
    for marker in ("pyproject.toml", "setup.py"):
        for directory in directories:
            if (directory / marker).is_file():
                return PytestConfig(root=directory)
    return PytestConfig(root=start)


def find_activation(config: PytestConfig, env: Mapping[str, str]) -> Activation:
    """Return whether plain ``pytest`` would load the plugin; a ``pytest_plugins`` in a conftest is not looked for."""
    sources = [("PYTEST_ADDOPTS", _words(env.get("PYTEST_ADDOPTS", ""))), (str(config.file), config.addopts)]
    for place, words in sources:
        for name in _plugins(words):
            if name.startswith("no:") and name.removeprefix("no:") in PLUGIN_NAMES:
                return Activation(is_active=False, why=f"blocked by -p {name} in {place}")
    for place, words in sources:
        for name in _plugins(words):
            if name in PLUGIN_NAMES:
                return Activation(is_active=True, why=f"recording is on: -p {name} in {place}")
    if not PLUGIN_NAMES.isdisjoint(name.strip() for name in env.get("PYTEST_PLUGINS", "").split(",")):
        return Activation(is_active=True, why="recording is on: PYTEST_PLUGINS")
    return Activation(
        is_active=False, why="idle; record with: pytest -p causal (or put -p causal into addopts)"
    )


def _pytest_table(path: Path) -> Mapping[str, Any] | None:
    """Return pytest's part of a file; ``None`` where the file says nothing to pytest."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    found = _toml_table(path.name, text) if path.suffix == ".toml" else _ini_table(path.name, text)
    return {} if found is None and path.name in _ALWAYS else found


def _toml_table(name: str, text: str) -> Mapping[str, Any] | None:
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    if name == "pyproject.toml":
        tool = content.get("tool", {})
        content = tool if isinstance(tool, dict) else {}
    table = content.get("pytest")
    if not isinstance(table, dict):
        return None
    old = table.get("ini_options")
    return old if isinstance(old, dict) else table


def _ini_table(name: str, text: str) -> Mapping[str, Any] | None:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    section = _INI_SECTIONS.get(name, "pytest")
    return dict(parser[section]) if parser.has_section(section) else None


def _words(addopts: object) -> tuple[str, ...]:
    if isinstance(addopts, list):
        return tuple(str(word) for word in addopts)
    try:
        return tuple(shlex.split(str(addopts)))
    except ValueError:  # an open quote: pytest itself will say so
        return ()


def _plugins(words: Sequence[str]) -> Iterator[str]:
    """Yield the names given with ``-p NAME`` or ``-pNAME``."""
    for place, word in enumerate(words):
        if word == "-p" and place + 1 < len(words):
            yield words[place + 1].strip()
        elif word.startswith("-p") and not word.startswith("--"):
            yield word.removeprefix("-p").strip()

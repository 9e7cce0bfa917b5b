"""Where a value of the policy came from, and what it outweighed.

Named tuples, because one of each is made for every value at the start of every session.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple


class Layer(StrEnum):
    """The layers of the policy, strongest first. Overrides belong to the profile layer, above the profile."""

    CLI = "cli"
    ENV = "env"
    PROFILE = "profile"
    DEFAULT = "default"


class Source(NamedTuple):
    """The origin of one value.

    ``name`` is the flag, the variable or the profile; ``file`` and ``line`` (from 1; 0 where there is none) say
    where it is written. ``revision`` is that of the override file, 0 for other sources; ``note`` says who set it
    there and when.
    """

    layer: Layer
    name: str = ""
    file: str = ""
    line: int = 0
    revision: int = 0
    note: str = ""

    def __str__(self) -> str:
        """Return the origin in words, such as ``profile steady_safe + override r3 (promotion P-7, 2026-11-02)``."""
        words = f"{self.layer} {self.name}".rstrip()
        if self.revision:
            override = f"override r{self.revision}"
            words = f"{words} + {override}" if self.name else override
        return f"{words} ({self.note})" if self.note else words

    @property
    def place(self) -> str:
        """The file and line, or else the flag or variable, for messages."""
        if self.file:
            return f"{self.file}:{self.line}" if self.line else self.file
        return self.name


class Given(NamedTuple):
    """A value that one layer gives. ``is_text`` says that it is still text, to be read as the leaf's type."""

    path: str
    value: Any
    source: Source
    is_text: bool = False


class Leaf(NamedTuple):
    """A value in force, its origin, and what it outweighed: (value, origin), strongest first."""

    path: str
    value: Any
    source: Source
    shadowed: tuple[tuple[Any, Source], ...] = ()

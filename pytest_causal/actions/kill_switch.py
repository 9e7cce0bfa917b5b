"""The kill switch as a file: while it is there nothing changes the policy. Whoever cannot run us can make it too."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from pytest_causal.actions.act import utc_text
from pytest_causal.errors import CausalError, ExitCode, StoreError
from pytest_causal.policy.atomic_file import replace_file
from pytest_causal.settings.sources import Settings

_LONGEST = 2000
"""Characters of the file that are read back."""


class StillFrozenError(CausalError):
    """The file is gone, and the setting freezes all the same."""

    exit_code = ExitCode.LOCKED


class Freeze(NamedTuple):
    """A file that freezes, and what it says: who made it, when and why."""

    path: Path
    words: str


def read_freeze(settings: Settings) -> Freeze | None:
    """Return the kill switch if its file is there, whatever it holds."""
    path = Path(settings.freeze_file)
    if not os.path.lexists(path):
        return None
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return Freeze(path, " ".join(file.read(_LONGEST).split()))
    except OSError:
        return Freeze(path, "")


def freeze(settings: Settings, actor: str, now_us: int, reason: str) -> tuple[Freeze, bool]:
    """Make the file, and return it and whether it was made now: one that is there keeps its reason.

    Raises StoreError where it cannot be written.
    """
    if (there := read_freeze(settings)) is not None:
        return there, False
    path = Path(settings.freeze_file)
    words = f"{utc_text(now_us)} {actor}: {reason or 'no reason given'}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {path.parent}: {error.strerror}", "check the permissions") from error
    replace_file(path, f"{words}\n".encode())
    return Freeze(path, words), True


def lift(settings: Settings) -> Freeze | None:
    """Remove the file, and return what it said; ``None`` where there was none.

    Raises StoreError where it cannot be removed, and :class:`StillFrozenError` where the setting freezes as well.
    """
    there = read_freeze(settings)
    if there is not None:
        try:
            there.path.unlink()
        except OSError as error:
            raise StoreError(f"cannot remove {there.path}: {error.strerror}", "remove it by hand") from error
    if settings.freeze:
        place = settings.origins["freeze"].place or "the setting guards.freeze"
        raise StillFrozenError(f"frozen by {place}", "take it out there")
    return there

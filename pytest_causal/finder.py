"""How the parts of this package are found while the plugin is active: as Python alone would find them.

pytest sends every module of an installed plugin through its assertion rewriting, which compiles it once more and keeps
a copy of its own. Nothing here is a test, so nothing would be rewritten; but each start takes twice as long, and the
first one in a fresh environment many times as long, because the copies that were compiled at installation are not used.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_PARTS = f"{__package__}."


class PartsFinder:
    """Finds the modules of this package on the path, and none else."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        """Return where a module of ours is; ``None`` for all others, which those behind may know."""
        return PathFinder.find_spec(name, path, target) if name.startswith(_PARTS) else None


def step_forward() -> None:
    """Be the first to be asked for a module, also where a session within a session has put another in front."""
    step_back()
    sys.meta_path.insert(0, PartsFinder)


def step_back() -> None:
    """Be asked no more; safe to call twice."""
    if PartsFinder in sys.meta_path:
        sys.meta_path.remove(PartsFinder)

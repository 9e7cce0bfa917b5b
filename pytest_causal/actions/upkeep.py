"""What is looked after at the end of a session, where the settings ask for it: artifacts, and the store's leavings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pytest_causal import clock
from pytest_causal.actions.rotate import rotate_root
from pytest_causal.errors import ArtifactError, CausalError
from pytest_causal.model.artifact import Rotation
from pytest_causal.policy.atomic_file import only_writer
from pytest_causal.policy.layers import OVERRIDES_PATH
from pytest_causal.settings.artifact_table import ArtifactSettings, artifact_settings
from pytest_causal.settings.sources import Settings
from pytest_causal.store.opening import open_store
from pytest_causal.store.quarantine import quarantined

_QUARANTINED_AT = re.compile(r"\.corrupt-(\d{8}T\d{6})\.\d{6}Z")
_DAY_US = 86_400_000_000


def keep_up(settings: Settings, *, now_us: int) -> Iterator[tuple[Path, Rotation] | str]:
    """Do it all within the time that the settings give.

    Yield each root with its rotation, and a line for whatever else a person should know. Nothing is raised that is an
    expected error. Roots that are not there are passed over: nothing was written yet.
    """
    in_force = artifact_settings(settings)
    deadline_seconds = clock.monotonic_seconds() + in_force.budget_seconds
    for step in (_tidy_store, _tidy_overrides):
        try:
            yield from step(settings, in_force, now_us)
        except CausalError as error:
            yield str(error)
    for root in in_force.roots:
        if root.is_dir():
            try:
                yield (
                    root,
                    rotate_root(root, in_force.policy, now_us=now_us, deadline_seconds=deadline_seconds),
                )
            except CausalError as error:
                yield f"{root} was not rotated: {error}"


def _tidy_store(settings: Settings, in_force: ArtifactSettings, now_us: int) -> Iterator[str]:
    """Write the log of the store back into it; delete what was set aside long enough ago, if that was asked for."""
    if "://" in settings.store or not Path(settings.store).is_file():
        return
    store = open_store(settings.store, busy_seconds=0.0)
    try:
        store.checkpoint()
    finally:
        store.close()
    if in_force.quarantine_days is not None:
        for path in quarantined(Path(settings.store)):
            if _set_aside_us(path) < now_us - int(in_force.quarantine_days * _DAY_US):
                try:
                    path.unlink()
                except OSError as error:
                    raise ArtifactError(
                        f"cannot delete {path}: {error.strerror}", "delete it by hand"
                    ) from error
                yield f"deleted {path}, set aside more than {in_force.quarantine_days:g} days ago"


def _set_aside_us(path: Path) -> int:
    """Return when a file was set aside, by its name; a name that does not say counts as now and for ever."""
    found = _QUARANTINED_AT.search(path.name)
    if found is None:
        return 1 << 62
    return int(datetime.strptime(found[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp()) * 1_000_000


def _tidy_overrides(settings: Settings, in_force: ArtifactSettings, now_us: int) -> Iterator[str]:
    """Remove what killed writers of the override file left half-written."""
    path = settings.root / OVERRIDES_PATH
    if any(path.parent.glob(f".{path.name}.tmp-*")):
        with only_writer(path):  # whoever holds it removes them
            return
    yield from ()

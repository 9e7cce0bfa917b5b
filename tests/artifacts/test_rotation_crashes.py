"""A rotation is killed, runs out of disk, or is not alone: no file is lost, and the next run finishes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SEED = 20261121


def run_child(name: str, *arguments: object, prefix: tuple[str, ...] = ()) -> dict[str, Any]:
    done = subprocess.run(
        [*prefix, sys.executable, "-m", f"tests.artifacts.children.{name}", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def own_mounts() -> tuple[str, ...]:
    """The start of a command line that runs the rest as root of a mount table of its own."""
    root = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    prefix = ("unshare", *root, "--mount")
    probe = [*prefix, "mount", "-t", "tmpfs", "tmpfs", "/tmp"]
    if sys.platform != "linux" or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("this system gives no mount table of one's own, so no full disk can be made")
    return prefix


@pytest.mark.slow
@pytest.mark.fault
def test_r2_death_before_in_and_after_every_call_that_changes_something_loses_nothing(tmp_path: Path) -> None:
    found = run_child("rotation_crash_points", tmp_path)
    assert found["points"] > 150
    assert (found["lost"], found["unfinished"]) == ([], [])


@pytest.mark.slow
@pytest.mark.fault
def test_r2_a_hundred_kills_at_random_lose_nothing_and_the_next_run_finishes(tmp_path: Path) -> None:
    found = run_child("rotation_killed", tmp_path, 100, SEED)
    assert found["killed"] > 30
    assert found["midway"] > 20
    assert (found["lost"], found["unfinished"]) == ([], [])


@pytest.mark.slow
@pytest.mark.fault
def test_r3_a_full_disk_keeps_originals_leaves_no_part_and_is_recovered_from(
    tmp_path: Path, own_mounts: tuple[str, ...]
) -> None:
    found = run_child("rotation_full_disk", tmp_path, 10, SEED, prefix=own_mounts)
    assert len(found["disk full"]) == 10
    assert min(found["disk full"]) < max(found["disk full"]), "some passes had room for some of the files"
    assert set(found["full codes"]) <= {0, 1}
    assert 1 in found["full codes"]
    assert (found["lost"], found["strays"], found["unfinished"]) == ([], [], [])
    assert set(found["codes with room"]) == {0}


@pytest.mark.slow
@pytest.mark.fault
def test_r7_r8_two_rotations_beside_a_soak_that_writes_lose_nothing(tmp_path: Path) -> None:
    found = run_child("rotation_beside_soak", tmp_path, 5)
    assert found["lost"] == []
    counts = found["counts"]
    assert counts["refused"] > 0, "one rotation met the other"
    assert counts["being-written"] > 0, "a rotation met a file that was being written"
    assert counts["compress"] > 10
    assert counts["archive"] > 10
    assert counts.get("faults", 0) == 0

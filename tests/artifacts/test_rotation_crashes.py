"""A rotation is killed, runs out of disk, or is not alone: no file is lost, and the next run finishes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_causal import artifacts

ROOT = Path(__file__).parents[2]
SEED = 20261121
KILLS_PER_STEP = int(os.environ.get("KILLS_PER_STEP", "1"))
"""``KILLS_PER_STEP=100 make test K=r2_a_kill N=0`` is the whole campaign, and takes a quarter of an hour."""
CHILD_SECONDS = 500 + 20 * KILLS_PER_STEP
pytestmark = pytest.mark.timeout(CHILD_SECONDS + 100)
HARMLESS_CALLS = {
    *("close", "dup", "fsencode", "fspath", "fstat", "fstatvfs", "getpid", "geteuid"),
    *("lseek", "pread", "read", "readv", "scandir", "stat", "urandom"),
}
CHANGING_CALLS = {
    call
    for module in Path(artifacts.__file__).parent.glob("*.py")
    for call in re.findall(r"\bos\.([a-z]+)\(", module.read_text(encoding="utf-8"))
} - HARMLESS_CALLS


def run_child(name: str, *arguments: object, prefix: tuple[str, ...] = ()) -> dict[str, Any]:
    done = subprocess.run(
        [*prefix, sys.executable, "-m", f"tests.artifacts.children.{name}", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=CHILD_SECONDS,
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
def test_r2_a_kill_before_in_and_after_every_call_that_changes_something_loses_nothing(
    tmp_path: Path,
) -> None:
    found = run_child("rotation_crash_points", tmp_path, KILLS_PER_STEP)
    assert found["points"] > 200 * KILLS_PER_STEP
    assert set(found["calls"]) == CHANGING_CALLS, (
        "the sweep hits every such call of the package, and knows them all"
    )
    assert (found["lost"], found["unfinished"]) == ([], [])


@pytest.mark.slow
@pytest.mark.fault
def test_r2_kills_at_random_lose_nothing_and_the_next_run_finishes(tmp_path: Path) -> None:
    found = run_child("rotation_killed", tmp_path, 39 + KILLS_PER_STEP, SEED)
    assert min(found["ended"].get(name, 0) for name in ("SIGKILL", "SIGTERM", "SIGINT")) >= 3
    assert found["midway"] > 6
    assert (found["lost"], found["unfinished"]) == ([], [])
    # An interruption that comes between making a file and holding it cannot clear up after itself.
    assert found["untidy"] <= found["ended"]["SIGINT"] // 4


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


@pytest.mark.fault
def test_r6_immutable_files_other_file_systems_and_a_read_only_disk_are_left_and_said(
    tmp_path: Path, own_mounts: tuple[str, ...]
) -> None:
    found = run_child("rotation_odd_mounts", tmp_path, prefix=own_mounts)
    assert found["code"] == 1
    assert found["problems"] == {"run/journal_0.jsonl": "failed"}
    assert found["elsewhere"] == ["old.jsonl"], "what is mounted below the root is not entered"
    assert found["code afterwards"] == 0
    assert found["planned"] > 10, "a dry run needs no place to write"
    assert found["read-only"] == [74, "cannot make the folder rotation: Read-only file system"]
    assert found["lost"] == []

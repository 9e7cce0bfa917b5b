"""Rotate on disks with too little room: ``rotation_full_disk.py FOLDER PASSES SEED``, as root of its own mount table.

Prints, as JSON, the exit codes with the disk full and after room was made, and what was lost or left behind.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytest_causal.model.artifact import Problem, Rotation
from tests.artifacts.children.rotation_tree import fill, lost, rotate, strays, unfinished

DISK_BYTES = 6_000_000


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def problems(rotation: Rotation) -> Counter[Problem]:
    results = rotation.outcome.results if rotation.outcome else ()
    return Counter(each.problem for each in results if each.problem is not None)


def one_pass(folder: Path, seed: int, free_bytes: int, found: dict[str, Any]) -> None:
    with small_disk(folder):
        root = folder / "root"
        contents = fill(root, seed=seed, large_bytes=1_000_000)
        ballast = folder / "ballast"
        status = os.statvfs(folder)
        ballast.write_bytes(bytes(max(0, status.f_bavail * status.f_frsize - free_bytes)))
        full = rotate(root)
        found["full codes"].append(full.exit_code)
        found["disk full"].append(problems(full)[Problem.DISK_FULL])
        found["lost"] += lost(root, contents)
        found["strays"] += strays(root)
        ballast.unlink()
        after = rotate(root)
        found["codes with room"].append(after.exit_code)
        found["lost"] += lost(root, contents)
        found["unfinished"] += unfinished(root)


def main(folder: Path, passes: int, seed: int) -> None:
    draw = random.Random(seed)
    names = ("full codes", "disk full", "lost", "strays", "codes with room", "unfinished")
    found: dict[str, Any] = {name: [] for name in names}
    for number in range(passes):
        one_pass(folder, number, draw.randrange(0, 1_200_000), found)
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))

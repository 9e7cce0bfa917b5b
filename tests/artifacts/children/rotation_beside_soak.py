"""Two rotations, over and over, beside a soak that writes: ``rotation_beside_soak.py FOLDER SECONDS``.

The soak writes each file in two halves with a pause between. The rotations may compress at once, whatever is young:
only the kernel's word keeps them off a file that is being written. Prints what was lost, and how often a rotation was
refused, and how often a file was left because it was open for writing.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from collections import Counter
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from pytest_causal import clock
from pytest_causal.actions.rotate import rotate_root
from pytest_causal.errors import RootBusyError
from pytest_causal.model.artifact import ArtifactClass, KeepRules, RotationPolicy
from tests.artifacts.children.rotation_tree import lost

RULES = KeepRules(keep_latest=3, compress_after_days=0)
POLICY = RotationPolicy(
    classes=(
        ArtifactClass(name="summaries", patterns=("ITER_*.json",), iteration=r"ITER_(\d+)", rules=RULES),
        ArtifactClass(name="journals", patterns=("*.jsonl",), rules=RULES),
    ),
    min_age_seconds=0.0,
    min_archive_files=3,
)


def content_of(name: str, size: int) -> bytes:
    return "".join(f"{name} {line}\n" for line in range(size)).encode()


def rotate_until(root: Path, ended: Event, counts: Any) -> None:
    counted: Counter[str] = Counter()
    while not ended.is_set():
        try:
            rotation = rotate_root(root, POLICY, now_us=clock.now_us() + 1)
        except RootBusyError:
            counted["refused"] += 1
            continue
        outcome = rotation.outcome
        counted["rotated"] += 1
        counted["faults"] += outcome is None or outcome.has_faults
        for result in outcome.results if outcome else ():
            counted[str(result.problem or result.action)] += 1
    counts.put(dict(counted))


def soak(root: Path, seconds: float) -> dict[str, bytes]:
    """Write files until the time is over; return what each must hold."""
    written: dict[str, bytes] = {}
    until = time.monotonic() + seconds
    number = 0
    while time.monotonic() < until:
        number += 1
        for name, size in ((f"ITER_{number}.json", 100), (f"run_{number}.jsonl", 9000)):
            content = written[name] = content_of(name, size)
            with (root / name).open("wb", buffering=0) as file:
                file.write(content[: len(content) // 2])
                time.sleep(0.02)
                file.write(content[len(content) // 2 :])
    return written


def main(folder: Path, seconds: float) -> None:
    ended = multiprocessing.Event()
    counts: Any = multiprocessing.SimpleQueue()
    rotations = [multiprocessing.Process(target=rotate_until, args=(folder, ended, counts)) for _ in range(2)]
    for process in rotations:
        process.start()
    written = soak(folder, seconds)
    ended.set()
    total: Counter[str] = sum((Counter(counts.get()) for _ in rotations), Counter())
    for process in rotations:
        process.join()
    print(json.dumps({"files": len(written), "lost": lost(folder, written), "counts": total}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))

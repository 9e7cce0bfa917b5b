"""Rotate beside an immutable file and another file system, then on a read-only one: ``rotation_odd_mounts.py FOLDER``.

Runs as root of a mount table of its own. Prints, as JSON, exit codes, problems, reasons and what was lost.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pytest_causal.actions.rotate import plan_root
from pytest_causal.errors import CausalError
from tests.artifacts.children.rotation_tree import NOW_US, fill, lost, policy, rotate, strays, write


def run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True)


def main(folder: Path) -> None:
    found: dict[str, Any] = {}
    run("mount", "-t", "tmpfs", "tmpfs", folder)
    root = folder / "root"
    contents = fill(root)
    fixed, elsewhere = root / "run" / "journal_0.jsonl", root / "run" / "elsewhere"
    elsewhere.mkdir()
    run("mount", "-t", "tmpfs", "tmpfs", elsewhere)
    write(elsewhere / "old.jsonl", b"other device\n" * 9, days_old=40)
    run("chattr", "+i", fixed)
    rotation = rotate(root)
    results = rotation.outcome.results if rotation.outcome else ()
    found["code"] = rotation.exit_code
    found["problems"] = {each.name: each.problem for each in results if each.problem}
    found["elsewhere"] = sorted(path.name for path in elsewhere.iterdir())
    found["lost"] = lost(root, contents)
    run("chattr", "-i", fixed)
    found["code afterwards"] = rotate(root).exit_code
    run("umount", elsewhere)
    contents |= fill(folder / "second")
    run("mount", "-o", "remount,ro", folder)
    found["planned"] = len(plan_root(folder / "second", policy(), now_us=NOW_US).plan.fates)
    try:
        rotate(folder / "second")
    except CausalError as error:
        found["read-only"] = [error.exit_code, error.what]
    found["lost"] += lost(folder / "second", contents) + strays(folder)
    run("umount", folder)
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

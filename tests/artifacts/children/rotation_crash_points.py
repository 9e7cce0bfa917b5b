"""Die before, in and after every call that changes something: ``rotation_crash_points.py FOLDER``.

Each time a process is forked that rotates a fresh copy of one tree and ends itself at the n-th such call. Prints, as
JSON, how many points there were, and where content was lost or a further run did not finish the work.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from tests.artifacts.children.rotation_tree import Contents, fill, lost, rotate, strays, unfinished

DIED = 9
CHANGING_CALLS = (
    *("fchmod", "fsync", "ftruncate", "link", "mkdir", "pwrite", "rename", "unlink", "utime", "write"),
    "sync",
)
WHEN = ("before", "in", "after")


def die_at(point: int, when: str) -> None:
    """Arm this process: its n-th changing call is its last."""
    calls = count()

    def armed(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            is_last = next(calls) == point
            if is_last and when == "before":
                os._exit(DIED)
            if is_last and when == "in" and name == "write":
                real(args[0], bytes(args[1])[: len(args[1]) // 2])
                os._exit(DIED)
            result = real(*args, **kwargs)
            if is_last:
                os._exit(DIED)
            return result

        return call

    for name in CHANGING_CALLS:
        setattr(os, name, armed(name, getattr(os, name)))
    real_open = os.open

    def opened(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        return (armed("open", real_open) if flags & os.O_CREAT else real_open)(path, flags, *args, **kwargs)

    os.open = opened


def rotated_until(root: Path, point: int, when: str) -> bool:
    """Rotate in a process that dies at a point; return whether it got there."""
    child = os.fork()
    if child == 0:
        die_at(point, when)
        rotate(root)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == DIED


def look(root: Path, contents: Contents, where: str, found: dict[str, Any]) -> None:
    """Note what is lost now, and what is wrong after one more run."""
    found["lost"] += [f"{where}: {each}" for each in lost(root, contents)]
    code = rotate(root).exit_code
    found["unfinished"] += [f"{where}: {each}" for each in (*unfinished(root), *strays(root))]
    found["unfinished"] += [f"{where}: exit code {code}"] if code else []
    found["lost"] += [f"{where}, after the next run: {each}" for each in lost(root, contents)]


def main(folder: Path) -> None:
    template = folder / "template"
    contents = fill(template)
    found: dict[str, Any] = {"points": 0, "lost": [], "unfinished": []}
    for when in WHEN:
        for point in count():
            root = folder / f"{when}-{point}"
            shutil.copytree(template, root)
            died = rotated_until(root, point, when)
            if died:
                found["points"] += 1
                look(root, contents, f"{when} call {point}", found)
            shutil.rmtree(root)
            if not died:
                break
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

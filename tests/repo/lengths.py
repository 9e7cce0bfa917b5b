"""Print what is longer than the aims: files of 400 lines, functions of 50. A notice, not a limit."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

FILE_LINES = 400
FUNCTION_LINES = 50
FOLDERS = ("pytest_causal", "tools", "tests", "bench", "examples")


def long_parts(path: Path) -> Iterator[tuple[str, int]]:
    """Yield (``path`` or ``path:function``, lines) for what is over its aim in one file."""
    text = path.read_text("utf-8")
    if (lines := text.count("\n")) > FILE_LINES:
        yield str(path), lines
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{path}:{node.name}", length


if __name__ == "__main__":
    for folder in FOLDERS:
        for path in sorted(Path(folder).rglob("*.py")):
            for name, lines in long_parts(path):
                print(f"longer than the aim: {name} has {lines} lines")

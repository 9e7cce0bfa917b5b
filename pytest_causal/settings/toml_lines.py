"""On which line a key of a TOML file stands; ``tomllib`` does not say."""

from __future__ import annotations

import re

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_DOTTED = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_HEADER = re.compile(rf"[ \t]*(\[\[?)[ \t]*({_DOTTED})[ \t]*\]")
_KEY = re.compile(rf"[ \t]*({_DOTTED})[ \t]*=(.*)")
_PARTS = re.compile(_PART)
_FENCES = re.compile(r'"""|' + r"'''")


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """Return, for each table and key that begins a line of valid TOML, the line (from 1) it stands on.

    The tables of an array (``[[name]]``) are numbered from 0: ``("name", "0", "key")``. Keys inside an inline table
    or an array written in brackets have no line of their own: see :func:`line_of`.
    """
    lines: dict[tuple[str, ...], int] = {}
    arrays: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    open_fence = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if open_fence:
            open_fence = _fence_after(line, open_fence)
        elif header := _HEADER.match(line):
            table = _split(header[2])
            lines.setdefault(table, number)
            if header[1] == "[[":
                arrays[table] = place = arrays.get(table, -1) + 1
                table = (*table, str(place))
                lines[table] = number
        elif key := _KEY.match(line):
            lines.setdefault(table + _split(key[1]), number)
            open_fence = _fence_after(key[2], "")
    return lines


def line_of(lines: dict[tuple[str, ...], int], path: tuple[str, ...]) -> int:
    """Return the line of a key, or of the nearest table or key that holds it, or 0."""
    for length in range(len(path), 0, -1):
        if number := lines.get(path[:length]):
            return number
    return 0


def _fence_after(line: str, fence: str) -> str:
    """Return the multi-line string mark that is still open at the end of a line."""
    for mark in _FENCES.findall(line):
        if not fence:
            fence = mark
        elif mark == fence:
            fence = ""
    return fence


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(_unquoted(part) for part in _PARTS.findall(dotted))


def _unquoted(part: str) -> str:
    if part.startswith("'"):
        return part[1:-1]
    if part.startswith('"'):
        import tomllib

        return str(tomllib.loads(f"key = {part}")["key"])
    return part

"""What commands write: JSON or tables drawn by rich on standard output; notes and progress on standard error.

A reader that has gone away (``| head``) ends the writing quietly and changes no exit code. Text is drawn from
:class:`~rich.text.Text`, never from markup: a scenario's name may look like markup.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Any

from pytest_causal.errors import CausalError, ExitCode
from pytest_causal.views.escape import terminal

if TYPE_CHECKING:
    from rich.text import Text

    from pytest_causal.views.summary import Line
    from pytest_causal.views.tables import Cell, Table

_WIDTH_OF_A_FILE = 1000
"""Columns of a pipe or a file: nothing is cut or wrapped for want of room."""
_GAP = 2
"""Spaces between columns."""
_BLANKS_AT_THE_END = re.compile(r" +((?:\x1b\[[\d;]*m)*)$", re.MULTILINE)
"""Blanks at the end of a line, and the styles that end with them."""
_NARROWEST = 10
"""Columns that a wide cell has at least, however narrow the terminal."""


class OutputError(CausalError):
    """Standard output cannot be written."""

    exit_code = ExitCode.IO_ERROR


def write(texts: Iterable[str]) -> None:
    """Write texts as they come. Raises OutputError, but not where the reader has gone away."""
    try:
        for text in texts:
            sys.stdout.write(text)
    except BrokenPipeError:
        let_go_of_stdout()
    except OSError as error:
        let_go_of_stdout()
        raise _unwritable(error) from error


def write_bytes(pieces: Iterable[bytes]) -> None:
    """Write bytes as they come, and nothing of how they look. Raises as :func:`write` does."""
    try:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        let_go_of_stdout()
    except OSError as error:
        let_go_of_stdout()
        raise _unwritable(error) from error


def write_json(document: dict[str, Any]) -> None:
    """Write one JSON object: ASCII, keys sorted, no NaN (ValueError); indented where a person looks at it."""
    indent = 2 if sys.stdout.isatty() else None
    write([json.dumps(document, indent=indent, sort_keys=True, allow_nan=False) + "\n"])


def note(text: str) -> None:
    """Write a line for a person to standard error."""
    print(terminal(text), file=sys.stderr, flush=True)  # noqa: T201 - this is the place where it is printed


@contextmanager
def progress(words: str) -> Iterator[None]:
    """Show on a terminal that something is going on while the block runs; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(Text(terminal(words))):
        yield


def finish() -> None:
    """Write out what is still buffered. Raises as :func:`write` does."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        let_go_of_stdout()
    except OSError as error:
        let_go_of_stdout()
        raise _unwritable(error) from error


def let_go_of_stdout() -> None:
    """Send what is still buffered nowhere, so that the interpreter does not complain of it at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


class Screen:
    """Standard output as a person sees it: of some width, in colour where that is wanted."""

    def __init__(self) -> None:
        from rich.console import Console

        is_terminal = sys.stdout.isatty()
        has_width = is_terminal or os.environ.get("COLUMNS", "").isdecimal()
        self._paper = StringIO()
        # Drawn on paper first: writing is for `write` alone, which knows what to do where it fails.
        self._console = Console(
            file=self._paper,
            force_terminal=is_terminal or None,
            width=None if has_width else _WIDTH_OF_A_FILE,
            highlight=False,
        )

    @property
    def width(self) -> int:
        """Columns there are."""
        return self._console.width

    def table(self, table: Table) -> str:
        """Return a table, drawn."""
        from rich.table import Table as RichTable
        from rich.text import Text

        # Gaps are columns of their own: versions of rich differ in what padding does to the width of the last one.
        grid = RichTable(box=None, pad_edge=False, padding=0, show_header=table.has_header)
        for place, (column, width) in enumerate(zip(table.columns, _widths(table, self.width), strict=True)):
            if place:
                grid.add_column(width=_GAP)
            grid.add_column(
                column.header,
                width=width,
                justify="right" if column.is_number else "left",
                overflow="fold",
                header_style="dim",
            )
        for row in table.rows:
            cells = [part for each in row for part in (Text(), _text(each))]
            grid.add_row(*cells[1:])
        self._console.print(grid)
        return self._drawn()

    def lines(self, lines: Sequence[Line]) -> str:
        """Return lines, drawn; long ones wrap, each part as far from the margin as the first."""
        from rich.padding import Padding

        for line in lines:
            text = _text((line,))
            margin = len(text.plain) - len(text.plain.lstrip(" "))
            self._console.print(Padding.indent(text[margin:], margin) if margin else text, overflow="fold")
        return self._drawn()

    def unwrapped(self, lines: Sequence[Line]) -> str:
        """Return lines, drawn; long ones are left to the terminal to wrap, so that they can be copied whole."""
        from rich.control import strip_control_codes

        for line in lines:
            # There may be a line for each of thousands of files, and drawing one takes rich a tenth of a millisecond.
            if "\t" in line.text or (line.marks and self._console.is_terminal):
                self._console.print(_text((line,)), soft_wrap=True)
            else:
                self._paper.write(f"{strip_control_codes(line.text)}\n")
        return self._drawn()

    def _drawn(self) -> str:
        """Return what is on the paper, and clear it."""
        drawn = self._paper.getvalue()
        self._paper.seek(0)
        self._paper.truncate()
        return _BLANKS_AT_THE_END.sub(r"\1", drawn)


def _widths(table: Table, width: int) -> list[int]:
    """Return the width of each column: what its cells need, and for the wide one at most what the others leave."""
    widths = [column.width or _needed(table, place) for place, column in enumerate(table.columns)]
    for place, column in enumerate(table.columns):
        if column.is_wide:
            left = width - _GAP * (len(widths) - 1) - sum(widths) + widths[place]
            widths[place] = min(widths[place], max(left, _NARROWEST))
    return widths


def _needed(table: Table, place: int) -> int:
    from rich.cells import cell_len

    header = table.columns[place].header if table.has_header else ""
    return max(1, cell_len(header), *(cell_len(line.text) for row in table.rows for line in row[place]))


def _unwritable(error: OSError) -> OutputError:
    return OutputError(
        f"the output cannot be written ({error.strerror})", "free some space or write elsewhere"
    )


def _text(cell: Cell) -> Text:
    from rich.text import Text

    text = Text()
    for place, line in enumerate(cell):
        text.append("\n" if place else "")
        text.append(line.text, style=" ".join(line.marks))
    return text

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from pytest_causal.cli.output import OutputError, Screen, note, write, write_json
from pytest_causal.views.summary import Line
from pytest_causal.views.tables import Column, Table, cell


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")

    def fileno(self) -> int:
        return self._nowhere

    _nowhere = -1


def table(*names: str, **more: Any) -> Table:
    columns = (Column(header="n", is_number=True), Column(header="name", is_wide=True), Column(header="end"))
    return Table(
        columns=columns, rows=[(cell(f"{i}"), cell(name), cell("!")) for i, name in enumerate(names)], **more
    )


def test_a_table_is_aligned() -> None:
    assert Screen().table(table("short", "a longer one")) == (
        "n  name          end\n0  short         !\n1  a longer one  !\n"
    )


def test_the_wide_column_gets_what_is_left_and_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    lines = Screen().table(table("a" * 25, has_header=False)).splitlines()
    assert lines == ["0  " + "a" * 14 + "  !", "   " + "a" * 11]


@pytest.mark.parametrize("width", [1, 5, 12])
def test_no_terminal_is_too_narrow(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert Screen().table(table("some name"))


def test_a_table_without_rows_has_its_header() -> None:
    assert Screen().table(table()) == "n  name  end\n"


def test_wide_characters_keep_columns_straight() -> None:
    lines = Screen().table(table("試験", "ab", has_header=False)).splitlines()
    assert lines == ["0  試験  !", "1  ab    !"]


def test_markup_is_text() -> None:
    text = "[bold]x[/bold] [link=http://x]y[/link] :smile: [/] \\["
    assert Screen().lines([Line(text=text, marks=("red",))]) == f"{text}\n"


def test_lines_wrap_and_commands_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    line = Line(text="a command of more than twenty characters")
    assert Screen().lines([line]).count("\n") == 3
    assert Screen().unwrapped([line]) == f"{line.text}\n"


def test_json_is_ascii_sorted_and_strict(capsys: pytest.CaptureFixture[str]) -> None:
    write_json({"b": "é\ud800\x1b", "a": None})
    assert capsys.readouterr().out == '{"a": null, "b": "\\u00e9\\ud800\\u001b"}\n'
    with pytest.raises(ValueError, match="Out of range"):
        write_json({"x": float("nan")})


def test_a_note_is_escaped_and_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    note("a \x1b[31m b\nc")
    assert tuple(capsys.readouterr()) == ("", "a \\x1b[31m b\\x0ac\n")


def test_an_output_that_cannot_be_written_is_an_error_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    with (tmp_path / "elsewhere").open("w") as elsewhere:
        full = FullDisk()
        full._nowhere = elsewhere.fileno()
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(OutputError, match="No space left on device"):
            write(["text"])

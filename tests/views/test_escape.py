from __future__ import annotations

import os
import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.views.escape import shell_word, terminal, without_password

ANYTHING = st.text(st.characters(codec=None))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [1] ünï 試験 🧪", "plain [1] ünï 試験 🧪"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x9b31m", "\\x9b31m"),
        ("a\nb\rc\td\x00", "a\\x0ab\\x0dc\\x09d\\x00"),
        ("\u202etxet\u2066", "\\u202etxet\\u2066"),
        ("\u200b\ufeff\u2028", "\\u200b\\ufeff\\u2028"),
        ("\ud800\udcff", "\\ud800\\udcff"),
        ("\U000e0041\U0010ffff", "\\U000e0041\\U0010ffff"),
    ],
)
def test_p20_what_a_terminal_would_obey_is_shown_instead(text: str, shown: str) -> None:
    assert terminal(text) == shown


@given(ANYTHING)
def test_p20_nothing_else_gets_through(text: str) -> None:
    shown = terminal(text)
    assert "\n" not in shown
    assert all(character.isprintable() or character.isspace() for character in shown)
    shown.encode("utf-8")


@given(ANYTHING, st.integers(min_value=2, max_value=50))
def test_a_limit_holds_and_keeps_both_ends(text: str, limit: int) -> None:
    whole, cut = terminal(text), terminal(text, limit)
    assert len(cut) == min(len(whole), limit)
    if len(whole) > limit:
        head, tail = cut.split("…", 1) if "…" not in whole else (cut[: (limit - 1) // 2], "")
        assert whole.startswith(head)
        assert whole.endswith(tail)
    else:
        assert cut == whole


@given(st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126)))
def test_a_printable_word_is_quoted_for_any_shell(text: str) -> None:
    assert shlex.split(shell_word(text)) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        'it\'s $HOME `x` \\ "y" [1]',
        "a\nb\x1b[31m'\\n",
        "bidi \u202e ü",
        "file \udcff name",
        "\x01\x011",
        "--flag",
        "",
    ],
)
def test_a_shell_gives_back_the_word(text: str) -> None:
    script = f"printf '%s|' {shell_word(text)}"
    done = subprocess.run(["bash", "-c", os.fsencode(script)], capture_output=True, check=True)
    assert done.stdout == os.fsencode(text) + b"|"
    assert terminal(shell_word(text)) == shell_word(text)


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_what_no_command_line_can_hold_has_no_word(text: str) -> None:
    assert shell_word(text) == ""


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("/a/b.db", "/a/b.db"),
        ("/odd://path@x?y", "/odd://path@x?y"),
        ("relative@host", "relative@host"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("postgresql://me@host:5432/db", "postgresql://me@host:5432/db"),
        ("postgresql://me:se@cr:et@host/db", "postgresql://me:***@host/db"),
        ("postgresql://:secret@host/db", "postgresql://:***@host/db"),
        ("postgresql://host/db?password=secret&x=y", "postgresql://host/db?***"),
    ],
)
def test_t16_a_password_is_left_out(location: str, shown: str) -> None:
    assert without_password(location) == shown

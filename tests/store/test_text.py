"""Text on its way into a database and back."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_causal.store.text import cut_name, from_stored, to_stored, to_stored_name

any_text = st.text(st.characters(), max_size=600)


@given(any_text)
@example("\\:")
@example("\\:\\u0000")
@example("\0\\u0000\\")
@example("\ud83d\ude00")
def test_p20_any_text_comes_back_through_a_database(text: str) -> None:
    stored = to_stored(text)
    assert from_stored(stored) == text
    connection = sqlite3.connect(":memory:")
    try:
        assert connection.execute("SELECT ?, length(?)", (stored, stored)).fetchone() == (stored, len(stored))
    finally:
        connection.close()


@given(any_text, any_text)
@example("\0", "\\:\\u0000")
def test_two_texts_are_never_stored_alike(one: str, other: str) -> None:
    assert (to_stored(one) == to_stored(other)) is (one == other)


@pytest.mark.parametrize("text", ["", "tests/a.py::b[c]", "C:\\x\\u0000", "naïve 🎉", "\x1b[31m\r\n\u202e"])
def test_ordinary_text_is_stored_as_it_is(text):
    assert to_stored(text) == text


@given(st.text(st.characters(), min_size=480, max_size=560))
def test_p18_a_cut_name_is_short_and_cut_once(name: str) -> None:
    cut = cut_name(name)
    assert len(cut) <= 529
    assert (cut == name) is (len(name) <= 512)
    assert cut_name(cut) == cut


def test_p18_long_names_that_begin_alike_stay_apart():
    names = ["x" * 512 + end for end in ("", "a", "b", "\udcff", "\n")]
    assert len({to_stored_name(name) for name in names}) == len(names)

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.errors import ConfigError
from pytest_causal.policy.json_document import parse_json

TEXT = """{
  "a": 1,
  "b": {"c": [{"not": "a path"}], "d\\"}": {}},

  "e": {
    "f": "{\\n"
  }
}"""


def test_every_key_has_its_line() -> None:
    document = parse_json(TEXT, "file")
    assert document.data == json.loads(TEXT)
    paths = {("a",): 2, ("b",): 3, ("b", "c"): 3, ("b", 'd"}'): 3, ("e",): 5, ("e", "f"): 6}
    assert {path: document.line(path) for path in paths} == paths
    assert document.line(("e", "f", "deeper")) == 6
    assert document.line(("absent",)) == 1
    assert document.at(("e", "f")) == "file:6"


keys = st.text(max_size=4)
tables = st.dictionaries(
    keys,
    st.recursive(
        st.integers() | st.text(max_size=4) | st.booleans() | st.none(),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def paths_of(table: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for key, value in table.items():
        found.append((*above, key))
        if isinstance(value, dict):
            found.extend(paths_of(value, (*above, key)))
    return found


@given(tables, st.sampled_from([None, 0, 2]))
def test_lines_are_those_on_which_the_keys_stand(table: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(table, indent=indent)
    document = parse_json(text, "file")
    lines = text.split("\n")
    assert document.data == table
    for path in paths_of(table):
        assert json.dumps(path[-1]) in lines[document.line(path) - 1]
    if indent is not None:
        in_order = [document.line(path) for path in paths_of(table)]
        assert in_order == sorted(in_order)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{\n"a": 1,\n}', "file:3 is not valid JSON|file:2 is not valid JSON"),
        ("", "file:1 is not valid JSON"),
        ('{"a": 1}\n{"b": 2}', "file:2 is not valid JSON"),
        ('{\n"a": NaN}', "file:2: NaN is not JSON"),
        ('{\n\n"a": -Infinity}', "file:3: -Infinity is not JSON"),
        ('{"a": 1,\n"b": {"c": 1,\n"c": 2}}', r"file:3: the key 'b\.c' stands on line 2 already"),
        ('{"a": [{"b": 1, "b": 2}]}', "has a key twice"),
        ("[" * 100_000, "nested too deep"),
        ("9" * 5000, "cannot be read as JSON"),
    ],
)
def test_f2_what_is_not_strict_json_is_an_error_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_json(text, "file")


@given(st.text(max_size=30))
def test_f2_no_text_makes_anything_but_a_value_or_an_error_of_ours(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ConfigError):
            parse_json(text, "file")
    else:
        if "NaN" not in text and "Infinity" not in text:
            assert parse_json(text, "file").data == expected


def test_nesting_is_bounded_the_same_on_every_python() -> None:
    for levels, is_read in ((200, True), (201, False), (5000, False)):
        for opening, closing in (('{"a":', "}"), ("[", "]")):
            text = opening * levels + "1" + closing * levels
            if is_read:
                assert parse_json(text, "file").data
            else:
                with pytest.raises(ConfigError, match="nested too deep"):
                    parse_json(text, "file")

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.settings.toml_lines import key_lines, line_of

TEXT = '''\
# a comment = 1
top = 1
[tool."quoted name"]
a.b = 2
text = """
fake = 1
[fake]
"""
"a=b" = 3
inline = { x = 1, y = { z = 2 } }

[[items]]
n = 1
[ tool . spaced ]
'single' = 4
list = [
  "not = a key",
]
after = 5
'''


def test_each_key_has_its_line() -> None:
    tomllib.loads(TEXT)
    assert key_lines(TEXT) == {
        ("top",): 2,
        ("tool", "quoted name"): 3,
        ("tool", "quoted name", "a", "b"): 4,
        ("tool", "quoted name", "text"): 5,
        ("tool", "quoted name", "a=b"): 9,
        ("tool", "quoted name", "inline"): 10,
        ("items",): 12,
        ("items", "0"): 12,
        ("items", "0", "n"): 13,
        ("tool", "spaced"): 14,
        ("tool", "spaced", "single"): 15,
        ("tool", "spaced", "list"): 16,
        ("tool", "spaced", "after"): 19,
    }


def test_a_key_in_an_inline_table_has_the_line_of_that_table() -> None:
    lines = key_lines(TEXT)
    assert line_of(lines, ("tool", "quoted name", "inline", "y", "z")) == 10
    assert line_of(lines, ("absent",)) == 0


keys = st.text(alphabet='ab.="\\ é', min_size=1, max_size=6)


@given(st.dictionaries(keys, st.dictionaries(keys, st.integers(), min_size=1), min_size=1))
def test_every_key_of_written_tables_is_found_on_its_line(tables: dict[str, dict[str, int]]) -> None:
    import json

    lines = []
    expected: dict[tuple[str, ...], int] = {}
    for table, values in tables.items():
        lines.append(f"[{json.dumps(table)}]")
        expected[(table,)] = len(lines)
        for key, value in values.items():
            lines.append(f"{json.dumps(key)} = {value}")
            expected[table, key] = len(lines)
    assert tomllib.loads("\n".join(lines)) == tables
    assert key_lines("\n".join(lines)) == expected

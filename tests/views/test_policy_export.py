from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_causal.policy.given import from_env
from pytest_causal.policy.precedence import merge
from pytest_causal.policy.provenance import Given, Layer, Source
from pytest_causal.views.policy_export import ExportFormat, export, variables

keys = st.text(alphabet="abAB_-é", min_size=1, max_size=4)
values = (
    st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=6)
    | st.lists(st.integers(0, 9) | st.text(max_size=2), max_size=3).map(tuple)
)
policies = st.dictionaries(keys, values, max_size=5) | st.dictionaries(
    st.tuples(keys, keys).map(".".join), values, max_size=5
)


def defaults(leaves: dict[str, Any]) -> list[Given]:
    """Return other values of the same types under the same paths."""
    source = Source(layer=Layer.DEFAULT)
    return [Given(path=path, value=type(value)(), source=source) for path, value in leaves.items()]


def as_given(env: dict[str, str], leaves: dict[str, Any]) -> dict[str, Any]:
    merged = merge([defaults(leaves), *from_env(env)])
    assert {leaf.source.layer for leaf in merged.values()} <= {Layer.ENV}
    return {path: leaf.value for path, leaf in merged.items()}


@given(policies)
def test_variables_give_the_same_policy_again(leaves: dict[str, Any]) -> None:
    assert as_given(variables(leaves), leaves) == leaves


@given(policies)
def test_json_gives_the_same_values(leaves: dict[str, Any]) -> None:
    text = export(leaves, ExportFormat.JSON)
    assert text.endswith("\n")
    if leaves:
        assert as_given({"CAUSAL_POLICY": text}, leaves) == leaves


def read_github(text: str) -> dict[str, str]:
    """Read the file format of $GITHUB_ENV."""
    found, lines = {}, text.split("\n")
    while lines and lines[0]:
        name, _, mark = lines.pop(0).partition("<<")
        end = lines.index(mark)
        found[name] = "\n".join(lines[:end])
        del lines[: end + 1]
    return found


@given(policies)
def test_githubs_file_gives_the_same_variables(leaves: dict[str, Any]) -> None:
    assert read_github(export(leaves, ExportFormat.GITHUB)) == variables(leaves)


def test_a_text_cannot_end_githubs_block_early() -> None:
    text = "x CAUSAL_EOF CAUSAL_EOF_"
    assert read_github(export({"a": text}, ExportFormat.GITHUB)) == {"CAUSAL_POLICY__a": text}
    assert list(variables({"a": "x\nCAUSAL_EOF\nPATH=/evil"})) == ["CAUSAL_POLICY"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@settings(max_examples=30)
@given(policies)
def test_a_shell_reads_what_was_exported(leaves: dict[str, Any]) -> None:
    script = export(leaves, ExportFormat.ENV) + "env -0"
    shell = subprocess.run(
        ["bash", "-c", script], env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=True
    )
    found = dict(entry.split("=", 1) for entry in shell.stdout.decode().split("\0") if entry)
    assert {name: text for name, text in found.items() if name.startswith("CAUSAL_")} == variables(leaves)


def test_the_variables_are_those_a_person_would_write() -> None:
    leaves = {
        "standard.max_rows": 5,
        "on": True,
        "names": ("a", 1),
        "title": "it's",
        "a-b.c": 1,
        "A.b": 1,
        "a.b": 2,
    }
    assert variables(leaves) == {
        "CAUSAL_POLICY": json.dumps({"A": {"b": 1}, "a": {"b": 2}, "a-b": {"c": 1}}, sort_keys=True),
        "CAUSAL_POLICY__names": '["a", 1]',
        "CAUSAL_POLICY__on": "true",
        "CAUSAL_POLICY__standard__max_rows": "5",
        "CAUSAL_POLICY__title": "it's",
    }
    assert "export CAUSAL_POLICY__title='it'\"'\"'s'\n" in export(leaves, ExportFormat.ENV)

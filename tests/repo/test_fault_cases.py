"""Every case of docs/faults.md is tried by a test that carries its id, or the document says why it cannot be."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

pytestmark = pytest.mark.needs_checkout
ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "faults.md"
CASES = [
    *(f"P{number}" for number in range(1, 33)),
    *(f"S{number}" for number in range(1, 11)),
    *(f"C{number}" for number in (1, 2, 3, 4, 10)),
    *(f"R{number}" for number in range(1, 15)),
    *(f"M{number}" for number in range(1, 18)),
    *(f"K{number}" for number in range(1, 27)),
    *(f"T{number}" for number in (4, 5, 6, 8, 16, 17)),
    *(f"D{number}" for number in range(1, 32)),
]
NOT_TRIED = "not tried: "


def rows() -> dict[str, str]:
    """Case -> the last cell of its row."""
    found = re.findall(
        r"^\| ([PSCRMKTD]\d+) \|.*\| ([^|]+) \|$", DOCUMENT.read_text("utf-8"), flags=re.MULTILINE
    )
    assert len(dict(found)) == len(found), "a case stands in the table twice"
    return dict(found)


def names_by_case() -> dict[str, list[str]]:
    """Case -> the tests (FILE::NAME) whose names carry its id, as ``test_p1_...`` or ``test_p20_p21_...`` do."""
    found = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and (ids := re.match(r"test_((?:[a-z]\d+_)+)", node.name)):
                for each in ids[1].split("_")[:-1]:
                    found[each.upper()].append(f"{path.relative_to(ROOT)}::{node.name}")
    return found


def test_the_document_holds_every_case_and_no_other() -> None:
    assert list(rows()) == CASES


def test_every_case_has_a_test_or_a_reason() -> None:
    tried = names_by_case()
    assert {case for case, said in rows().items() if not said.startswith(NOT_TRIED)} == set(CASES) & set(
        tried
    )


def test_the_tests_named_in_the_document_are_there() -> None:
    tried = names_by_case()
    for case, said in rows().items():
        if not said.startswith(NOT_TRIED):
            files = {name.partition("::")[0].removeprefix("tests/") for name in tried[case]}
            assert set(re.findall(r"`([^`]+\.py)`", said)) == files, case


def test_a_reason_is_more_than_a_word() -> None:
    reasons = [said.removeprefix(NOT_TRIED) for said in rows().values() if said.startswith(NOT_TRIED)]
    assert all(len(reason.split()) >= 6 for reason in reasons)


def test_the_cases_of_rotation_are_numbered_and_the_tests_they_name_are_there() -> None:
    table = DOCUMENT.read_text("utf-8").partition("## Rotation, case by case")[2]
    found = re.findall(r"^\| (\d+) \|.*\| ([^|]+) \|$", table, flags=re.MULTILINE)
    assert [int(number) for number, _ in found] == list(range(1, 29))
    tests = {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    for number, said in found:
        named = set(re.findall(r"`(test_\w+)`", said))
        assert named <= tests, number
        assert named or said.startswith(NOT_TRIED), number

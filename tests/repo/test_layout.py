"""Where the test of a module is needs no search: it has the module's name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.needs_checkout
ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pytest_causal"

TESTED_ELSEWHERE = {
    "clock": "two lines over the standard library, used by every test of recording",
    "errors": "the wording and the exit code of each error are tested where it is raised",
    "model.status": "a record without a rule of its own; tests/cli and tests/views make and show it",
    **dict.fromkeys(
        (
            *("store.conclusion", "store.database", "store.health", "store.identities", "store.location"),
            *(
                "store.ownership",
                "store.rows",
                "store.runs",
                "store.scenarios",
                "store.sessions",
                "store.sqlite",
            ),
            *(
                "store.sqlite_opening",
                "store.presence",
                "store.promotion_rows",
                "store.promotions",
                "store.signals",
            ),
        ),
        "a part of the SQLite store, whose tests are the contract suite and the fault tests in tests/store",
    ),
    **dict.fromkeys(
        (
            *("actions.audit", "actions.case", "actions.context", "actions.evaluate", "actions.promote"),
            *("actions.reconcile", "actions.revert", "actions.watching", "hooks.reviewing"),
        ),
        "a step of one act or one review; tests/actions/test_act, test_review and test_promotion_machine take them all",
    ),
    **dict.fromkeys(
        (
            *("actions.adhoc", "actions.decision_record", "actions.kill_switch", "actions.proposal"),
            *("actions.retire", "actions.rule_check", "cli.acting", "views.audit_rows", "views.lesson_list"),
        ),
        "a part of one command, which tests/cli runs whole, with what it shows",
    ),
    **dict.fromkeys(
        ("model.audit", "model.change", "model.promotion", "model.signal"),
        "records whose rules are tested where they decide: tests/rules and tests/actions",
    ),
    "store.interface": "a protocol; the contract suite in tests/store holds every backend to it",
}
"""Modules without a test file of their own, each with the reason."""


def modules() -> list[str]:
    files = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    return sorted(".".join(path.with_suffix("").parts) for path in files)


def file_names_of_tests() -> list[str]:
    return sorted(path.name for path in (ROOT / "tests").rglob("test_*.py"))


def expected_names() -> dict[str, str]:
    """Return the test file of each module: its own name, with the package's where two modules share one."""
    shared = Counter(module.split(".")[-1] for module in modules())
    parts = {module: module.split(".") for module in modules()}
    return {
        module: f"test_{path[-1]}.py" if shared[path[-1]] == 1 else f"test_{'_'.join(path[-2:])}.py"
        for module, path in parts.items()
    }


def test_every_module_has_a_test_file_of_its_name() -> None:
    present = file_names_of_tests()
    missing = {module: name for module, name in expected_names().items() if name not in present}
    assert set(missing) - set(TESTED_ELSEWHERE) == set()


def test_no_exception_is_out_of_date() -> None:
    present = file_names_of_tests()
    assert set(TESTED_ELSEWHERE) <= {
        module for module, name in expected_names().items() if name not in present
    }


def test_names_of_test_files_are_unique() -> None:
    assert [name for name, times in Counter(file_names_of_tests()).items() if times > 1] == []


def test_tests_of_the_checkout_are_marked_and_so_left_out_where_there_is_none() -> None:
    mark = "pytestmark = pytest.mark.needs_checkout\n"
    here = sorted(Path(__file__).parent.glob("test_*.py"))
    assert [path.name for path in here if mark not in path.read_text("utf-8")] == []

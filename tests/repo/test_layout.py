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
        ("actions.evaluate", "actions.promote", "actions.reconcile"),
        "a step of one act or one review; tests/actions/test_act, test_review and test_promotion_machine take them all",
    ),
    "model.audit": "records without a rule of their own, which tests/actions/test_act makes and reads",
    "store.interface": "a protocol; the contract suite in tests/store holds every backend to it",
}
"""Modules without a test file of their own, each with the reason."""


SOAK_TESTED_ELSEWHERE = {
    "alone": "what its two commands share: test_config_manager and test_artifact_manager call them",
    "http_ask": "the one question of a workload, which test_workload_http asks of real servers",
    "identity": "what a plan stands on; test_loop refuses and resumes by it, test_soak_command begins by it",
    "run": "the beginning, the resuming and the end of a run are what test_loop and test_soak_kills are about",
    "simulation": "the clock of the tests of the loop themselves",
    "verify_legacy": "test_legacy puts it to the runs of the predecessor",
    "workload_mock": "a market under the policy that it reads: test_mock_market and the smoke suite",
}
"""Modules of the soak toolkit without a test file of their own, each with the reason."""


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


def test_every_module_of_the_soak_toolkit_has_a_test_file_of_its_name() -> None:
    present = {path.name for path in (ROOT / "tests" / "soak").glob("test_*.py")}
    missing = {
        path.stem
        for path in (ROOT / "tools" / "soak").glob("*.py")
        if not {f"test_{path.stem}.py", f"test_soak_{path.stem}.py"} & present
    }
    assert missing == set(SOAK_TESTED_ELSEWHERE)


def test_names_of_test_files_are_unique() -> None:
    assert [name for name, times in Counter(file_names_of_tests()).items() if times > 1] == []


def test_tests_of_the_checkout_are_marked_and_so_left_out_where_there_is_none() -> None:
    mark = "pytestmark = pytest.mark.needs_checkout\n"
    here = sorted(Path(__file__).parent.glob("test_*.py"))
    assert [path.name for path in here if mark not in path.read_text("utf-8")] == []

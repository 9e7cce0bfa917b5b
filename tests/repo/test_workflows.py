"""Workflows run what a developer runs, and no action that can change under them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.needs_checkout
ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text("utf-8") if (ROOT / "Makefile").exists() else ""
by_name = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)


@by_name
def test_actions_are_pinned_by_commit_and_say_which_version_that_is(workflow: Path) -> None:
    used = re.findall(r"^\s*-?\s*uses:\s*(.+)$", workflow.read_text("utf-8"), flags=re.MULTILINE)
    assert used
    assert [
        action for action in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*", action)
    ] == []


@by_name
def test_workflow_starts_from_no_permissions(workflow: Path) -> None:
    assert "\npermissions: {}\n" in workflow.read_text("utf-8")


@by_name
def test_workflow_calls_make_targets_that_exist(workflow: Path) -> None:
    called = re.findall(r"\bmake ([a-z-]+)", workflow.read_text("utf-8"))
    targets = re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE)
    assert called
    assert set(called) - set(targets) == set()


def test_ci_tests_every_python_that_the_package_claims() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    claimed = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    workflow = (ROOT / ".github/workflows/ci.yml").read_text("utf-8")
    matrix = (ROOT / "noxfile.py").read_text("utf-8")
    assert claimed
    assert f"python: {claimed}".replace("'", '"') in workflow
    assert f"PYTHONS = {claimed}".replace("'", '"') in matrix


def test_help_names_every_target() -> None:
    declared = re.search(r"^\.PHONY: (.+)$", MAKEFILE, flags=re.MULTILINE)
    assert declared
    described = re.findall(r"^([a-z-]+):[^#\n]*#- \S", MAKEFILE, flags=re.MULTILINE)
    assert sorted(declared[1].split()) == sorted(described)

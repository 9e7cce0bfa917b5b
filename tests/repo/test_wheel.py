"""The wheel holds what the source holds, and nothing else."""

from __future__ import annotations

import configparser
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.needs_checkout
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    place = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(place)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    (path,) = place.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def source_files(folder: str) -> set[str]:
    found = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file())
    return {path.as_posix() for path in found if "__pycache__" not in path.parts}


def test_wheel_holds_the_source_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    profiles = {f"pytest_causal/{name}" for name in source_files("profiles")}
    assert held == source_files("pytest_causal") | source_files("tools/soak") | profiles


@pytest.mark.parametrize("name", ["pytest_causal/py.typed", "pytest_causal/plugin.py"])
def test_wheel_holds(wheel: zipfile.ZipFile, name: str) -> None:
    assert name in wheel.namelist()


def test_wheel_holds_the_migrations(wheel: zipfile.ZipFile) -> None:
    assert [
        name for name in wheel.namelist() if name.startswith("pytest_causal/store/") and name.endswith(".sql")
    ]


def test_tools_is_a_namespace_that_other_distributions_may_share(wheel: zipfile.ZipFile) -> None:
    assert "tools/__init__.py" not in wheel.namelist()


def test_wheel_registers_the_plugin_the_command_and_the_licence(wheel: zipfile.ZipFile) -> None:
    facts = {name.split(".dist-info/")[1]: name for name in wheel.namelist() if ".dist-info/" in name}
    entry_points = configparser.ConfigParser(delimiters=("=",))
    entry_points.read_string(wheel.read(facts["entry_points.txt"]).decode())
    assert entry_points["pytest11"]["causal"] == "pytest_causal.plugin"
    assert entry_points["console_scripts"]["causal"] == "pytest_causal.cli.main:main"
    assert "licenses/LICENSE" in facts

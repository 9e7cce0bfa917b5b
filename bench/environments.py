"""The virtual environments of the measurements, made anew from the wheel of this checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environments:
    """Interpreters: ``peers`` has the plugin and the recorders it is measured beside; ``pytest_history`` the one
    recorder that needs an old pytest; ``without`` has pytest and the plugin's own dependencies, ``installed`` the
    same and the plugin."""

    peers: Path
    pytest_history: Path
    without: Path
    installed: Path


def make_environments(place: Path) -> Environments:
    """Build the wheel and make the environments below ``place``, with uv of the running environment."""
    uv("build", "--quiet", "--wheel", "--clear", "--out-dir", str(place / "dist"), str(ROOT))
    (wheel,) = (place / "dist").glob("*.whl")
    needs = ["pytest", "click", "rich", "pytest-xdist"]
    pythons = {}
    for name, packages in {
        "peers": [f"{wheel}[artifacts]", "pytest-xdist", "--group", f"{ROOT / 'pyproject.toml'}:bench"],
        "pytest_history": ["pytest-history"],
        "without": needs,
        "installed": [*needs, str(wheel)],
    }.items():
        uv("venv", "--quiet", "--clear", "--python", sys.executable, str(place / name))
        pythons[name] = place / name / "bin" / "python"
        uv("pip", "install", "--quiet", "--compile-bytecode", "--python", str(pythons[name]), *packages)
    return Environments(**pythons)


def versions(python: Path) -> dict[str, str]:
    """Return what is installed beside an interpreter, name to version."""
    listed = json.loads(uv("pip", "list", "--quiet", "--format", "json", "--python", str(python)))
    return {each["name"]: each["version"] for each in listed}


def clean_environment(*, autoload: bool) -> dict[str, str]:
    """Return the variables for a measured process: this one's, without what steers Python or pytest."""
    foreign = ("PYTEST_", "PYTHON", "CAUSAL_", "VIRTUAL_ENV", "COVERAGE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept if autoload else {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def uv(*arguments: str) -> str:
    """Run uv and return what it prints."""
    return subprocess.run([find_uv_bin(), *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout

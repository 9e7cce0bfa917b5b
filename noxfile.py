"""The matrix of ``make test-all``: the built wheel, tested with the source tree out of reach.

Every supported Python x the oldest and the newest pytest x with and without pytest-xdist. The wheel is built
once, from the sdist; the tests run from a copy outside the checkout, without those that read the checkout
(``needs_checkout``) and, where xdist is left out, those that run it (``needs_xdist``). The whole suite runs once for
each Python, with the newest pytest and xdist; the other cells run what meets pytest (``MEETS_PYTEST``), because
nothing else of the package can tell one pytest from another. The session ``report`` comes last and prints the table
of what really ran. A cell in which no test passed has failed.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

import nox
from nox.command import CommandFailed
from uv import find_uv_bin

PYTHONS = ["3.11", "3.12", "3.13"]
PYTESTS = {"oldest": "pytest==8.4.*", "newest": "pytest"}
CELLS = len(PYTHONS) * len(PYTESTS) * 2
LOGS = Path(".nox/logs").absolute()

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = True
os.environ["UV_PYTHON_DOWNLOADS"] = "never"

MEETS_PYTEST = (
    *("tests/hooks", "tests/cli", "tests/settings", "tests/policy", "tests/test_finder.py"),
    *("tests/soak/test_workload_pytest.py", "tests/soak/test_soak_history.py"),
)
WITHOUT_XDIST = "not needs_checkout and not needs_xdist"
ENVIRONMENT = {"PYTHONPATH": None, "PYTEST_ADDOPTS": None, "FORCE_COLOR": None, "PY_COLORS": "0"}

table: list[str] = []
"""One line for each cell that ran, in order."""


def find_pyenv_interpreters() -> None:
    """Put pyenv's interpreters on PATH, ahead of its shims, which fail for a version that is not selected."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = [binary.parent for version in PYTHONS for binary in root.glob(f"versions/*/bin/python{version}")]
    os.environ["PATH"] = os.pathsep.join([*map(str, found), os.environ.get("PATH", os.defpath)])


find_pyenv_interpreters()


@cache
def workspace() -> tempfile.TemporaryDirectory[str]:
    """Make the directory, outside the checkout and removed at exit, for ``dist`` and ``tree`` (the tests)."""
    return tempfile.TemporaryDirectory(prefix="pytest-causal-matrix-")


def read_log(said: str) -> tuple[str, str]:
    """Return the versions that ran and the closing line, from pytest's output; empty where it has none."""
    ran = re.search(r"Python ([\d.]+\S*), pytest-([\d.]+\S*),", said)
    closing = re.findall(r"^=+ (.* in [\d.]+s.*?) =+$", said, flags=re.MULTILINE)
    return (f"{ran[1]:9} {ran[2]:9}" if ran else ""), (closing[-1] if closing else "")


@nox.session(python=False)
def build(session: nox.Session) -> None:
    """Build the sdist and from it the wheel, and copy the tests away from the source."""
    place = Path(workspace().name)
    session.run(find_uv_bin(), "build", "--quiet", "--out-dir", str(place / "dist"), external=True)
    shutil.copytree("tests", place / "tree" / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy("pyproject.toml", place / "tree")
    LOGS.mkdir(parents=True, exist_ok=True)


@nox.session(python=PYTHONS, requires=["build"])
@nox.parametrize("xdist", [nox.param(True, id="xdist"), nox.param(False, id="plain")])
@nox.parametrize("pytest", [nox.param(requirement, id=age) for age, requirement in PYTESTS.items()])
def tests(session: nox.Session, pytest: str, xdist: bool) -> None:
    """Run the suite against the installed wheel, and note what pytest says of it."""
    place = Path(workspace().name)
    group = nox.project.dependency_groups(
        nox.project.load_toml("pyproject.toml"), "test" if xdist else "test-plain"
    )
    session.install(*map(str, place.glob("dist/*.whl")), pytest, *group)
    arguments = ["-n", "2", "-m", "not needs_checkout"] if xdist else ["-m", WITHOUT_XDIST]
    arguments += () if xdist and pytest == PYTESTS["newest"] else MEETS_PYTEST
    log = LOGS / f"{session.name}.txt"
    session.chdir(place / "tree")
    problem = ""
    with log.open("w", encoding="utf-8") as output:
        try:
            session.run(
                "python", "-m", "pytest", *arguments, *session.posargs, env=ENVIRONMENT, stdout=output
            )
        except CommandFailed as failure:
            problem = str(failure)
    versions, closing = read_log(log.read_text(encoding="utf-8", errors="replace"))
    if not re.search(r"\b[1-9]\d* passed", closing):
        problem = problem or "no test passed"
    versions = versions or f"{session.python!s:9} {pytest:9}"
    row = f"{'FAILED' if problem else 'ok':7} {versions} {'-n 2' if xdist else 'none':6} {closing or problem}"
    table.append(row)
    session.log(row)
    if problem:
        session.error(f"{problem}; the whole output is in {log}")


@nox.session(python=False)
def report(session: nox.Session) -> None:
    """Print the table of the matrix, and fail where cells are missing from it."""
    session.log("\n".join(["", f"{'':7} {'python':9} {'pytest':9} {'xdist':6} tests", *table]))
    if len(table) != CELLS:
        session.error(f"{len(table)} of {CELLS} cells ran; install the Python that is missing and run again")

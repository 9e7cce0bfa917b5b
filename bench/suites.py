"""The suites that are measured: trivial tests, half of them parametrised, inside a git checkout as users have it."""

from __future__ import annotations

import subprocess
from pathlib import Path

TESTS_A_FILE = 100


def write_suite(folder: Path, *, tests: int) -> Path:
    """Write ``tests`` trivial tests, 100 a file, unless they are there already; 0 is a suite without a test."""
    if folder.exists():
        return folder
    folder.mkdir(parents=True)
    (folder / "pytest.ini").write_text("[pytest]\n")
    half = TESTS_A_FILE // 2
    plain = "".join(
        f"def test_plain_{number:02}():\n    assert {number} >= 0\n\n\n" for number in range(half)
    )
    parametrised = (
        f'@pytest.mark.parametrize("number", range({half}))\n'
        "def test_parametrised(number):\n    assert number >= 0\n"
    )
    for file in range(tests // TESTS_A_FILE):
        (folder / f"test_{file:04}.py").write_text(f"import pytest\n\n\n{plain}{parametrised}")
    git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "suite"]):
        subprocess.run([*git, *arguments], cwd=folder, check=True)
    (folder / ".git" / "info" / "exclude").write_text("__pycache__/\n")
    return folder

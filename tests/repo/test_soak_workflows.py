"""The soak that workflows run: its script is run here, and the workflows are what the script and GitHub need."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_causal.errors import ExitCode

pytestmark = pytest.mark.needs_checkout
ROOT = Path(__file__).parents[2]
WINDOWS = ROOT / ".github" / "workflows" / "soak-windows.yml"


def run_script(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of the script, so that its artifacts are not those of the checkout."""
    (folder / ".github").mkdir()
    shutil.copy(ROOT / ".github" / "soak.sh", folder / ".github")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", ".github/soak.sh"], cwd=folder, env={**os.environ, "PATH": path, "SOAK_RUN_ID": "it", **env},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.mark.slow
def test_the_script_runs_verifies_reports_and_lets_go_of_its_output(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    done = run_script(
        tmp_path, SOAK_ITERATIONS="2", SOAK_SLEEP_SECONDS="0", GITHUB_STEP_SUMMARY=str(summary),
        MM_RUNTIME_OVERRIDES_JSON='{"min_interval_ms": 60}', SOAK_HEARTBEAT_SECONDS="600",
    )  # fmt: skip
    assert done.returncode == ExitCode.OK, done.stderr
    assert "2 iterations: all as reported" in done.stdout
    assert summary.read_text("utf-8").startswith("## Soak it: ")
    assert (tmp_path / "artifacts/soak/it/report.html").exists()
    plan = (tmp_path / "artifacts/soak/it/journal.jsonl").read_text("utf-8")
    assert '"quoting.min_interval_ms":60' in plan.replace(" ", "")


@pytest.mark.slow
def test_the_script_fails_as_the_soak_does_and_reports_all_the_same(tmp_path: Path) -> None:
    careless = {
        "base_spread_bps_delta": 0.08,
        "min_interval_ms": 40,
        "impact_cap_ratio": 0.12,
        "max_delta_ratio": 0.16,
    }
    done = run_script(
        tmp_path,
        SOAK_ITERATIONS="1",
        SOAK_HOURS="0.001",
        SOAK_AUTO_TUNE="false",
        MM_RUNTIME_OVERRIDES_JSON=json.dumps(careless),
    )
    assert done.returncode == ExitCode.FAIL, done.stderr
    assert (tmp_path / "artifacts/soak/it/report.html").exists()


def test_every_choice_of_the_windows_soak_reaches_the_script_by_the_environment() -> None:
    text = WINDOWS.read_text("utf-8")
    script = (ROOT / ".github" / "soak.sh").read_text("utf-8")
    handed_on = set(re.findall(r"[A-Z_]{4,}", text.partition("WSLENV:")[2].partition("steps:")[0]))
    chosen = set(re.findall(r"^      ([A-Z_]+): \$\{\{ inputs", text, flags=re.MULTILINE))
    assert len(chosen) == 8
    assert chosen <= handed_on
    assert {name for name in chosen if name.startswith(("SOAK_", "MM_"))} <= set(
        re.findall(r"[A-Z_]{4,}", script)
    )


@pytest.mark.parametrize("name", ["ci.yml", "soak-windows.yml"])
def test_rotation_is_always_run_and_no_expression_is_part_of_a_command(name: str) -> None:
    text = (ROOT / ".github" / "workflows" / name).read_text("utf-8")
    steps = re.split(r"^      - ", text, flags=re.MULTILINE)
    (rotation,) = (step for step in steps if "make rotate" in step)
    assert "if: always()" in rotation
    commands = [line for line in text.splitlines() if re.match(r"\s*(- )?run:", line)]
    assert len(commands) >= 3
    assert [line for line in commands if "${{" in line or line.rstrip().endswith(("|", ">"))] == []

"""The smoke suite fails where the toolkit is broken as its predecessor was: each mutant breaks one thing, in a process
of its own, and the suite must notice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.needs_checkout]
ROOT = Path(__file__).parents[2]
SUITE = Path(__file__).with_name("test_soak_smoke.py")
MUTANTS = Path(__file__).with_name("mutants.py")
NAMES = (
    "apply_dropped",
    "sign_inverted",
    "clamp_skipped",
    "wrong_key_written",
    "workload_deaf",
    "delta_as_value",
    "verdict_ignored",
    "metrics_by_index",
    "credit_for_nothing",
)


def run_suite(mutant: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", str(SUITE), "-q", "-x", "-p", "mutants", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env={
            **os.environ,
            "SOAK_MUTANT": mutant,
            "SOAK_SLEEP_SECONDS": "0",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(MUTANTS.parent)]),
        },
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_suite_passes_where_nothing_is_broken() -> None:
    done = run_suite("")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_k6_d1_d2_d3_d4_the_suite_notices(name: str) -> None:
    done = run_suite(name)
    assert f"mutant {name} is in force" in done.stdout + done.stderr, "the mutant bit"
    assert done.returncode == 1, done.stdout
    assert " failed" in done.stdout

"""The artifact manager with the options of old. The predecessor's defects (D) carry their numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tools.soak.artifact_manager import artifact_manager


@pytest.fixture
def soak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "soak" / "latest"
    root.mkdir(parents=True)
    then = time.time() - 8 * 86_400
    for number in range(1, 121):
        path = root / f"ITER_SUMMARY_{number}.json"
        path.write_text(json.dumps({"iteration": number}) * 40)
        os.utime(path, (then, then))
    return tmp_path / "soak"


def manage(*arguments: str) -> Result:
    return CliRunner().invoke(artifact_manager, list(arguments), prog_name="artifact_manager")


def left(soak: Path) -> set[int]:
    return {int(path.stem.rpartition("_")[2]) for path in soak.rglob("ITER_SUMMARY_*.json")}


def test_r1_d20_the_options_of_old_keep_the_latest_by_number_although_all_times_are_equal(soak: Path) -> None:
    result = manage("--path", "soak", "--ttl-days", "7", "--max-size-mb", "900", "--keep-latest", "100")
    assert result.exit_code == 0, result.stderr
    assert left(soak) == set(range(21, 121))
    assert "archived 20, deleted 0" in result.stdout.splitlines()[-1]


def test_r5_d23_a_negative_number_deletes_nothing(soak: Path) -> None:
    assert manage("--path", "soak", "--keep-latest", "-1").exit_code == 64
    assert left(soak) == set(range(1, 121))


def test_d22_a_dry_run_says_what_would_be_done_and_changes_nothing(soak: Path) -> None:
    result = manage("--path", "soak", "--dry-run", "--json", "--preset", "development")
    (root,) = json.loads(result.stdout)["roots"]
    assert sum(each["action"] == "archive" for each in root["plan"]["files"]) == 70
    assert left(soak) == set(range(1, 121))
    assert not (soak / "rotation").exists()


def test_d21_a_truncated_archive_of_a_killed_run_stands_in_nobodys_way(soak: Path) -> None:
    journal = soak / "latest" / "run.jsonl"
    journal.write_text("line\n" * 50_000)
    then = time.time() - 8 * 86_400
    os.utime(journal, (then, then))
    (soak / "latest" / "run.jsonl.zst").write_bytes(b"\x28\xb5\x2f\xfd half a frame")
    assert manage("--path", "soak").exit_code == 1
    assert manage("--path", "soak").exit_code == 0
    assert not journal.exists()
    assert (soak / "latest" / "run.jsonl.zst").stat().st_size > 20


@pytest.mark.parametrize("arguments", [(), ("--path", "nowhere"), ("--path", "soak", "--max-size-mb", "nan")])
def test_a_bad_or_missing_argument_is_a_usage_error(soak: Path, arguments: tuple[str, ...]) -> None:
    assert manage(*arguments).exit_code == 64


def test_it_runs_as_a_module_and_exits_with_2_over_the_limit(soak: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.soak.artifact_manager", "--path", str(soak), "--max-size-mb", "0.001"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "over it" in done.stdout

"""``causal rotate`` as a person and a CI job meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

LINES = b"a line of a journal\n" * 20_000


@pytest.fixture
def soak(project):
    """The project's artifacts: twelve iterations and a journal that are eight days old, and a report."""
    root = project.root / "artifacts" / "soak"
    for number in range(1, 13):
        write(root / "latest" / f"ITER_SUMMARY_{number}.json", b'{"iteration": %d}' % number * 50)
    write(root / "latest" / "run.jsonl", LINES)
    write(root / "latest" / "TUNING_REPORT.json", b"{}")
    return root


def write(path: Path, content: bytes, days_old: float = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    then = time.time() - days_old * 86_400
    os.utime(path, (then, then))


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.is_file() and path.parent.name != "rotation")


def rotated(project, *arguments: str, code: int = 0) -> dict[str, Any]:
    result = project.causal("rotate", *arguments, "--json")
    assert result.exit_code == code, result.stderr
    document = project.parsed(result.stdout)
    project.check_schema(document, "rotate")
    (root,) = document["roots"]
    assert isinstance(root, dict)
    return root


def test_a_dry_run_prints_the_plan_of_the_live_run_byte_for_byte(project, soak) -> None:
    *dry, last = project.causal("rotate", "--keep-latest", "2", "--dry-run").stdout.splitlines()
    *live, total = project.causal("rotate", "--keep-latest", "2").stdout.splitlines()
    assert dry == live
    assert len(live) == 12
    assert "dry run, nothing was changed: keep 2, compress 1, archive 10, delete 0, leave 1;" in last
    assert "kept 2, compressed 1, archived 10, deleted 0, left 1; freed 4" in total
    assert total.endswith(" of 900 MB")
    assert next(line for line in live if "ITER_SUMMARY_10.json" in line).startswith("archive")


def test_all_that_is_kept_is_listed_with_its_reasons_if_asked_for(project, soak) -> None:
    said = project.causal("rotate", "--keep-latest", "2", "--dry-run", "--all").stdout
    assert "latest/ITER_SUMMARY_12.json  (latest, despite-old)" in said
    assert "latest/TUNING_REPORT.json  (no-class)" in said


def test_json_says_the_plan_the_outcome_and_both_sizes(project, soak) -> None:
    dry = rotated(project, "--keep-latest", "2", "--dry-run")
    live = rotated(project, "--keep-latest", "2")
    assert dry["outcome"] is None
    assert dry["plan"] == live["plan"]
    outcome = live["outcome"]
    assert outcome["counts"] == {
        "kept": 2, "compressed": 1, "archived": 10, "deleted": 0, "left": 1,
        "faults": 0, "held_back": 0, "out_of_time": 0,
    }  # fmt: skip
    assert outcome["freed_allocated_bytes"] > 0
    assert outcome["total_bytes"] + outcome["freed_bytes"] == live["plan"]["total_bytes"]


def test_the_exit_code_is_2_where_the_rules_do_not_allow_enough(project, soak) -> None:
    root = rotated(project, "--max-size-mb", "0.001", code=2)
    assert root["exit_code"] == 2
    said = project.causal("rotate", "--max-size-mb", "0.001")
    assert "over it" in said.stdout.splitlines()[-1]
    assert "ITER_SUMMARY_1.json" in names(soak)


def test_the_exit_code_is_1_where_a_file_could_not_be_dealt_with(project, soak) -> None:
    write(soak / "latest" / "run.jsonl.zst", b"garbage")
    said = project.causal("rotate")
    assert said.exit_code == 1
    assert (
        "conflict: latest/run.jsonl.zst: latest/run.jsonl.zst is not what latest/run.jsonl holds"
        in said.stdout
    )


@pytest.mark.parametrize(
    "wrong",
    [
        ("--keep-latest", "-1"),
        ("--ttl-days", "nan"),
        ("--max-size-mb", "0"),
        ("--preset", "staging"),
        ("--no-such-flag",),
        ("nowhere",),
    ],
)
def test_r5_a_wrong_flag_or_a_missing_root_is_64_and_changes_nothing(
    project, soak, wrong: tuple[str, ...]
) -> None:
    before = names(soak)
    assert project.causal("rotate", *wrong).exit_code == 64
    assert names(soak) == before
    assert not (soak / "rotation").exists()


def test_paths_are_rotated_one_by_one_in_place_of_the_roots_of_the_settings(project, soak) -> None:
    write(project.root / "one" / "a.jsonl", LINES)
    write(project.root / "two" / "b.jsonl", LINES)
    assert project.causal("rotate", "one", "two").exit_code == 0
    assert names(project.root / "one") == ["a.jsonl.zst"]
    assert names(project.root / "two") == ["b.jsonl.zst"]
    assert "run.jsonl" in names(soak)


def test_r12_what_the_cap_holds_back_is_said_and_force_lets_it_go(project, soak) -> None:
    rules = ("--keep-latest", "0", "--delete-after-days", "1", "--ttl-days", "30")
    said = project.causal("rotate", *rules)
    assert said.exit_code == 0
    assert "7 deletions held back" in said.stdout
    assert len(names(soak)) == 8
    assert project.causal("rotate", *rules, "--force").exit_code == 0
    assert names(soak) == ["TUNING_REPORT.json"]


def test_a_root_that_another_rotation_holds_is_75(project, soak) -> None:
    import fcntl

    (soak / "rotation").mkdir()
    with (soak / "rotation" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert project.causal("rotate").exit_code == 75
        assert project.causal("rotate", "--dry-run").exit_code == 0
    assert project.causal("rotate").exit_code == 0


@pytest.mark.parametrize("spelling", ["artifacts/soak/latest/{}", "latest/{}", "{root}/latest/{}"])
def test_cat_writes_what_a_file_held_wherever_it_is(project, soak, spelling: str) -> None:
    assert project.causal("rotate", "--keep-latest", "2").exit_code == 0
    for name, content in (
        ("ITER_SUMMARY_3.json", b'{"iteration": 3}' * 50),
        ("ITER_SUMMARY_12.json", b'{"iteration": 12}' * 50),
        ("run.jsonl", LINES),
    ):
        result = project.causal("rotate", "cat", spelling.format(name, root=soak))
        assert (result.exit_code, result.stdout_bytes) == (0, content)


def test_cat_of_what_is_damaged_is_65_and_of_what_is_not_there_66(project, soak) -> None:
    project.causal("rotate", "--keep-latest", "0")
    (archive,) = soak.glob("latest/*.tar.zst")
    archive.write_bytes(archive.read_bytes()[:-30])
    frame = soak / "latest" / "run.jsonl.zst"
    frame.write_bytes(frame.read_bytes()[:-3])
    assert project.causal("rotate", "cat", "latest/ITER_SUMMARY_3.json").exit_code == 65
    assert project.causal("rotate", "cat", "latest/run.jsonl").exit_code == 65
    assert project.causal("rotate", "cat", "nothing.json").exit_code == 66
    assert project.causal("rotate", "cat", "/etc/passwd").exit_code == 64
    assert project.causal("rotate", "cat", "../../pytest.ini").exit_code in (64, 66)


def test_list_and_restore_bring_everything_back(project, soak) -> None:
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in soak.glob("latest/*")}
    project.causal("rotate", "--keep-latest", "0")
    result = project.causal("rotate", "list", "--json")
    document = project.parsed(result.stdout)
    project.check_schema(document, "compressed")
    found = [each["name"] for each in document["files"]]
    assert len(found) == 13
    assert project.causal("rotate", "restore", *found).exit_code == 0
    assert {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in soak.glob("latest/*")
        if path.suffix != ".zst"
    } == before
    assert "latest/run.jsonl" in project.causal("rotate", "list").stdout


def test_the_log_shows_the_predecessors_records_beside_ours(project, soak) -> None:
    legacy = {
        "timestamp": "2025-10-15T02:00:00Z",
        "rotation": {"kept": 100},
        "summary": {
            "compressed_snapshots": 1,
            "deleted_files": 2,
            "disk_reduction_kb": 40.0,
            "final_size_mb": 12.5,
        },
    }
    log = soak / "rotation" / "ROTATION_LOG.jsonl"
    log.parent.mkdir()
    log.write_text(json.dumps(legacy) + "\nnot JSON\n")
    project.causal("rotate", "--max-size-mb", "0.001")
    _, first, second, third = project.causal("rotate", "log").stdout.splitlines()
    assert first.split() == ["2025-10-15T02:00:00Z", "100", "1", "2", "41.0", "kB", "13.1", "MB", "legacy"]
    assert "unreadable: not JSON" in second
    assert third.endswith("over the limit")
    result = project.causal("rotate", "log", "--limit", "2", "--json")
    document = project.parsed(result.stdout)
    project.check_schema(document, "rotation_log")
    assert [each["is_legacy"] for each in document["runs"]] == [False, False]


def test_escapes_in_names_do_not_reach_the_terminal(project, soak) -> None:
    write(soak / "latest" / "\x1b[31mred\n.jsonl", LINES)
    said = project.causal("rotate", "--all", "--dry-run").stdout
    assert "\\x1b[31mred\\x0a.jsonl" in said
    assert "\x1b" not in said


def test_settings_of_the_project_name_roots_classes_and_limits(project) -> None:
    (project.root / "causal.toml").write_text(
        '[artifacts]\nroots = ["traces"]\n[artifacts.classes.traces]\npatterns = ["*.trace"]\nttl_days = 1\n'
    )
    write(project.root / "traces" / "a.trace", LINES)
    write(project.root / "traces" / "a.jsonl", LINES)
    assert project.causal("rotate").exit_code == 0
    assert names(project.root / "traces") == ["a.jsonl", "a.trace.zst"]


def test_progress_is_shown_on_a_terminal_only(project, soak) -> None:
    master, slave = os.openpty()
    with open(master, "rb", closefd=True) as terminal:
        done = subprocess.run(
            [*_script(), "rotate"], cwd=project.root, stdout=subprocess.PIPE, stderr=slave, check=False
        )
        os.close(slave)
        shown = terminal.read1(100_000)
    assert done.returncode == 0
    assert b" of 4" in shown
    assert b"left" in shown
    assert b"\x1b" not in done.stdout


def test_an_interrupted_rotation_says_so_and_exits_75_and_the_next_one_finishes(project, soak) -> None:
    before = names(soak)
    program = """
import os, signal
from pytest_causal.artifacts import frame
from pytest_causal.cli.main import causal
signal.signal(signal.SIGINT, signal.default_int_handler)
real = frame.write_frame
def interrupted(*arguments, **options):
    written = real(*arguments, **options)
    os.kill(os.getpid(), signal.SIGINT)
    return written
frame.write_frame = interrupted
causal.main(["rotate", "--keep-latest", "13"])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=project.root, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (75, 1)
    assert "interrupted: every file is there" in done.stderr
    assert names(soak) == before
    assert project.causal("rotate", "--keep-latest", "13").exit_code == 0
    assert "run.jsonl.zst" in names(soak)


def _script() -> list[str]:
    import sysconfig

    return [str(Path(sysconfig.get_path("scripts")) / "causal")]

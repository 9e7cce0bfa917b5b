"""What is done with real files: the plan and nothing else, and what stands in its way is reported and left."""

from __future__ import annotations

import os
import random
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_causal import clock
from pytest_causal.actions.rotate import plan_root, rotate_root
from pytest_causal.errors import ConfigError, ExitCode, RootBusyError
from pytest_causal.model.artifact import (
    Action,
    Outcome,
    Problem,
    Rotation,
)
from pytest_causal.views.rotation import plan_document
from tests.artifacts.children.rotation_tree import NOW_US, fill, lost, policy, rotate, unfinished, write

LARGE = b"0123456789abcdef" * 8192
"""128 KiB, which shrinks."""
TEXT = ("a line of a log\n" * 10_000).encode()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    return path


def outcome_of(rotation: Rotation) -> Outcome:
    assert rotation.outcome is not None
    return rotation.outcome


def problems(rotation: Rotation) -> dict[str, Problem]:
    return {each.name: each.problem for each in outcome_of(rotation).results if each.problem is not None}


def snapshot(root: Path) -> dict[str, tuple[Any, ...]]:
    """Return name -> (type and permissions, size, time, number of links, content or target) of all that is below."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content: Any = os.readlink(path) if path.is_symlink() else None
        if stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        found[str(path.relative_to(root))] = (
            status.st_mode,
            status.st_size,
            status.st_mtime_ns,
            status.st_nlink,
            content,
        )
    return found


def names_below(root: Path) -> set[str]:
    return {name for name in snapshot(root) if not name.startswith("rotation")}


# The plan, and what comes of it


def test_r4_a_dry_run_changes_nothing_and_says_exactly_what_a_live_run_does(root: Path) -> None:
    contents = fill(root)
    before = snapshot(root)
    dry = plan_root(root, policy(), now_us=NOW_US)
    assert snapshot(root) == before
    live = rotate(root)
    assert plan_document(dry.plan) == plan_document(live.plan)
    done = {(each.name, each.action) for each in outcome_of(live).results if each.problem is None}
    planned = {
        (each.artifact.name, each.action)
        for each in live.plan.actions
        if each.action not in (Action.KEEP, Action.LEAVE)
    }
    assert done == planned
    assert Action.DELETE in {action for _, action in done}
    assert lost(root, contents) == []


def test_the_second_run_changes_nothing_but_the_log(root: Path) -> None:
    fill(root)
    rotate(root)
    after_first = {name: each for name, each in snapshot(root).items() if not name.startswith("rotation")}
    second = rotate(root)
    assert outcome_of(second).results == ()
    after_second = {name: each for name, each in snapshot(root).items() if not name.startswith("rotation")}
    assert after_second == after_first


def test_sizes_are_those_of_the_disk_afterwards(root: Path) -> None:
    fill(root)
    outcome = outcome_of(rotate(root))
    left = [each.lstat() for each in root.rglob("*") if each.is_file() and each.parent.name != "rotation"]
    assert outcome.total_bytes == sum(each.st_size for each in left)
    assert outcome.allocated_bytes == sum(each.st_blocks * 512 for each in left)


def test_what_is_compressed_keeps_mode_and_time_and_opens_with_the_ordinary_tool(root: Path) -> None:
    write(root / "a.jsonl", LARGE, days_old=5)
    (root / "a.jsonl").chmod(0o640)
    before = (root / "a.jsonl").stat()
    rotate(root)
    after = (root / "a.jsonl.zst").stat()
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
    told = subprocess.run(["zstd", "-dc", root / "a.jsonl.zst"], capture_output=True, check=True)
    assert told.stdout == LARGE


@pytest.mark.parametrize(
    "name", [b"new\nline.jsonl", b"-rf.jsonl", b"\x1b[31m.jsonl", b"\xff\xfe.jsonl", b"a' \"b.jsonl"]
)
def test_r11_names_of_any_bytes_are_dealt_with(root: Path, name: bytes) -> None:
    path = Path(os.fsdecode(os.fsencode(root) + b"/" + name))
    write(path, LARGE, days_old=5)
    rotation = rotate(root)
    assert rotation.exit_code is ExitCode.OK
    assert name + b".zst" in os.listdir(os.fsencode(root))
    log = (root / "rotation" / "ROTATION_LOG.jsonl").read_bytes()
    assert log.isascii()
    assert log.count(b"\n") == 1


def test_a_name_too_long_for_what_it_would_become_is_left_and_reported(root: Path) -> None:
    name = "x" * 247 + ".jsonl"  # 253 bytes; with .zst 257
    write(root / name, LARGE, days_old=5)
    write(root / "b.jsonl", LARGE, days_old=5)
    rotation = rotate(root)
    assert problems(rotation) == {name: Problem.FAILED}
    assert rotation.exit_code is ExitCode.FAIL
    assert names_below(root) == {name, "b.jsonl.zst"}


# What is not touched


def test_r6_links_pipes_directories_and_second_names_are_left(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.jsonl"
    write(outside, LARGE, days_old=50)
    (root / "link.jsonl").symlink_to(outside)
    (root / "folder.jsonl").mkdir()
    os.mkfifo(root / "pipe.jsonl")
    write(root / "one.jsonl", LARGE, days_old=50)
    os.link(root / "one.jsonl", root / "two.jsonl")
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "elsewhere" / "c.jsonl", LARGE, days_old=50)
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    before, before_outside = snapshot(root), snapshot(tmp_path / "elsewhere")
    rotation = rotate(root)
    reasons = {each.artifact.name: each.reasons for each in rotation.plan.actions}
    assert reasons == {
        "link.jsonl": ("link",),
        "linked": ("link",),
        "folder.jsonl": ("directory",),
        "pipe.jsonl": ("fifo",),
        "one.jsonl": ("hard-linked",),
        "two.jsonl": ("hard-linked",),
    }
    assert {name: each for name, each in snapshot(root).items() if not name.startswith("rotation")} == before
    assert snapshot(tmp_path / "elsewhere") == before_outside
    assert outside.read_bytes() == LARGE


@pytest.mark.parametrize("swap", ["link", "folder link", "other file", "grown", "same size", "gone"])
def test_r9_what_is_swapped_after_the_plan_is_left_and_so_is_what_it_leads_to(
    root: Path, tmp_path: Path, swap: str
) -> None:
    outside = tmp_path / "outside"
    write(outside / "a.jsonl", b"canary", days_old=50)
    path = root / "run" / "a.jsonl"
    write(path, LARGE, days_old=5)
    write(root / "run" / "old.jsonl", LARGE, days_old=50)
    swapped = []

    def swap_now(plan: object) -> None:
        swapped.append(plan)
        _swap(path, outside, swap)
        if swap != "folder link":
            _swap(path.with_name("old.jsonl"), outside, swap)

    before_outside = snapshot(outside)
    rotation = rotate_root(root, policy(), now_us=NOW_US, on_plan=swap_now)
    assert swapped
    assert snapshot(outside) == before_outside
    assert set(problems(rotation)) == {"run/a.jsonl", "run/old.jsonl"}
    assert not list((root / "run").glob("*.zst"))
    if swap not in ("folder link", "gone"):
        assert os.path.lexists(path)
        assert os.path.lexists(path.with_name("old.jsonl"))


def _swap(path: Path, outside: Path, how: str) -> None:
    times = path.stat().st_mtime_ns
    match how:
        case "link":
            path.unlink()
            path.symlink_to(outside / "a.jsonl")
        case "folder link":
            path.parent.rename(path.parent.with_name("moved"))
            path.parent.symlink_to(outside)
        case "other file":
            path.rename(path.with_suffix(".moved"))
            path.write_bytes(LARGE)
            os.utime(path, ns=(times, times))
        case "grown":
            with path.open("ab") as file:
                file.write(b"one more line\n")
            os.utime(path, ns=(times, times))
        case "same size":
            with path.open("r+b") as file:
                file.write(b"X")
        case "gone":
            path.unlink()


def test_r7_a_file_that_is_open_for_writing_is_left_however_old_it_is(root: Path) -> None:
    write(root / "a.jsonl", LARGE, days_old=5)
    write(root / "expired.jsonl", LARGE, days_old=50)
    write(root / "read.jsonl", LARGE, days_old=5)
    with (
        (root / "a.jsonl").open("ab") as journal,
        (root / "expired.jsonl").open("ab"),
        (root / "read.jsonl").open("rb"),
    ):
        first = rotate(root)
        assert problems(first) == {"a.jsonl": Problem.BEING_WRITTEN, "expired.jsonl": Problem.BEING_WRITTEN}
        assert first.exit_code is ExitCode.OK
        journal.write(b"more")
    assert (root / "a.jsonl").read_bytes() == LARGE + b"more"
    assert names_below(root) == {"a.jsonl", "expired.jsonl", "read.jsonl.zst"}


def test_r8_a_root_that_is_held_is_busy_and_nothing_is_done(root: Path) -> None:
    write(root / "a.jsonl", LARGE, days_old=5)

    def again(plan: object) -> None:
        with pytest.raises(RootBusyError) as caught:
            rotate(root)
        assert caught.value.exit_code is ExitCode.BUSY

    assert rotate_root(root, policy(), now_us=NOW_US, on_plan=again).exit_code is ExitCode.OK


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from tests.artifacts.children.rotation_tree import rotate
rotate(Path(sys.argv[1]))  # imports all that is used: the interpreter may lie where the other user cannot read
os.chdir(sys.argv[2])
os.setgroups([]); os.setgid(65534); os.setuid(65534)
rotation = rotate(Path())
print(int(rotation.exit_code))
for each in rotation.outcome.results:
    print(each.name, each.problem)
for each in rotation.problems:
    print(each)
for each in rotation.plan.actions:
    print(each.artifact.name, *each.reasons)
"""


@pytest.mark.fault
def test_r6_an_unprivileged_run_reports_what_it_may_not_read_or_own_and_does_the_rest(
    root: Path, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only the superuser can become another user, and own files of two")
    names = ("a.jsonl", "foreign.jsonl", "secret.jsonl", "closed/b.jsonl", "fixed/c.jsonl")
    for name in names:
        write(root / name, LARGE, days_old=5)
    write(tmp_path / "first" / "a.jsonl", LARGE, days_old=5)
    for path in (root, *root.rglob("*")):
        os.chown(path, 65534, 65534)
    os.chown(root / "foreign.jsonl", 0, 0)
    (root / "secret.jsonl").chmod(0)
    (root / "closed").chmod(0)
    (root / "fixed").chmod(0o555)
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, str(tmp_path / "first"), str(root)],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "1"
    assert {"a.jsonl None", "secret.jsonl failed", "fixed/c.jsonl failed"} <= set(lines)
    assert {"cannot list closed: Permission denied", "foreign.jsonl foreign-owner"} <= set(lines)
    assert names_below(root) - {"closed", "fixed"} == ({*names} - {"a.jsonl"}) | {"a.jsonl.zst"}


# What stands in the way


@pytest.mark.parametrize(
    "frame", [b"", b"garbage", b"\x28\xb5\x2f\xfd\x04", "truncated", "of something else"]
)
def test_an_archive_that_is_not_what_stands_beside_it_is_set_aside_and_said(
    root: Path, frame: bytes | str
) -> None:
    write(root / "a.jsonl", LARGE, days_old=5)
    if isinstance(frame, str):
        write(root / "tmp.jsonl", TEXT, days_old=5)
        rotate(root)
        other = (root / "tmp.jsonl.zst").read_bytes()
        whole = (root / "a.jsonl.zst").read_bytes()
        (root / "a.jsonl.zst").unlink()
        (root / "tmp.jsonl.zst").unlink()
        frame = whole[: len(whole) // 2] if frame == "truncated" else other
        write(root / "a.jsonl", LARGE, days_old=5)
    write(root / "a.jsonl.zst", frame, days_old=5)
    first = rotate(root)
    assert problems(first) == {"a.jsonl.zst": Problem.CONFLICT}
    assert first.exit_code is ExitCode.FAIL
    assert (root / "a.jsonl.zst.conflict").read_bytes() == frame
    assert lost(root, {"a.jsonl": LARGE}) == []
    assert names_below(root) == {"a.jsonl.zst", "a.jsonl.zst.conflict"}
    assert rotate(root).exit_code is ExitCode.OK


def test_a_second_conflict_finds_a_name_of_its_own(root: Path) -> None:
    for number in (1, 2):
        write(root / "a.jsonl", LARGE + bytes([number]), days_old=5)
        write(root / "a.jsonl.zst", b"garbage", days_old=5)
        assert rotate(root).exit_code is ExitCode.FAIL
    assert names_below(root) == {"a.jsonl.zst", "a.jsonl.zst.conflict", "a.jsonl.zst.2.conflict"}


def test_a_small_file_beside_a_frame_of_its_name_does_not_hide_behind_it_in_an_archive(root: Path) -> None:
    contents = {f"{number}.jsonl": b"%d" % number * 900 for number in range(6)}
    for name, content in contents.items():
        write(root / name, content, days_old=5)
    write(root / "3.jsonl.zst", b"garbage", days_old=4)
    rotation = rotate(root)
    assert problems(rotation) == {"3.jsonl.zst": Problem.CONFLICT}
    assert (root / "3.jsonl.zst.conflict").read_bytes() == b"garbage"
    assert lost(root, contents) == []
    assert len(list(root.glob("*.tar.zst"))) == 1


def test_names_that_differ_only_in_case_where_the_disk_knows_no_case_lose_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that folds case is played by one that looks names up so; none can be mounted everywhere."""
    folded: list[str] = []

    def folding(call: str, folder: str) -> None:
        real = getattr(os, call)

        def look_up(name: Any, *rest: Any, **options: Any) -> Any:
            if isinstance(held := options.get(folder), int) and not str(name).startswith("."):
                present = [each for each in os.listdir(held) if each.casefold() == str(name).casefold()]
                folded.extend(each for each in present if each != name)
                name = present[0] if present else name
            return real(name, *rest, **options)

        monkeypatch.setattr(os, call, look_up)

    real_link = os.link

    def link(source: str, name: str, *, dst_dir_fd: int, **options: Any) -> None:
        if any(each.casefold() == name.casefold() for each in os.listdir(dst_dir_fd)):
            folded.append(name)
            raise FileExistsError(name)
        real_link(source, name, dst_dir_fd=dst_dir_fd, **options)

    write(root / "a.jsonl", LARGE, days_old=5)
    write(root / "A.JSONL.zst", b"another's frame", days_old=5)
    for call in ("stat", "open", "unlink"):
        folding(call, "dir_fd")
    monkeypatch.setattr(os, "link", link)
    first = rotate(root)
    monkeypatch.undo()
    assert folded
    assert first.exit_code is ExitCode.FAIL
    contents = {path.name: path.read_bytes() for path in root.iterdir() if path.is_file()}
    assert b"another's frame" in contents.values()
    assert lost(root, {"a.jsonl": LARGE}) == []


def test_an_archive_that_holds_the_file_beside_it_lets_it_go(root: Path) -> None:
    write(root / "a.jsonl", LARGE, days_old=5)
    rotate(root)
    write(root / "a.jsonl", LARGE, days_old=5)
    assert unfinished(root) == ["compress a.jsonl"]
    assert rotate(root).exit_code is ExitCode.OK
    assert names_below(root) == {"a.jsonl.zst"}


def test_members_that_a_killed_run_left_beside_their_archive_are_compared_and_let_go(root: Path) -> None:
    contents = {f"run/ITER_SUMMARY_{number}.json": b"%d" % number * 900 for number in range(7)}
    for name, content in contents.items():
        write(root / name, content, days_old=5)
    rotate(root)
    write(root / "run/ITER_SUMMARY_1.json", contents["run/ITER_SUMMARY_1.json"], days_old=5)
    write(root / "run/ITER_SUMMARY_2.json", b"X" * 900, days_old=5)
    rotation = rotate(root)
    assert problems(rotation) == {"run/ITER_SUMMARY_2.json": Problem.CONFLICT}
    assert not (root / "run/ITER_SUMMARY_1.json").exists()
    assert (root / "run/ITER_SUMMARY_2.json").read_bytes() == b"X" * 900


def test_what_does_not_shrink_is_left_and_not_tried_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root / "a.jsonl", os.urandom(100_000), days_old=5)
    first = rotate(root)
    assert problems(first) == {"a.jsonl": Problem.DOES_NOT_SHRINK}
    assert first.exit_code is ExitCode.OK
    assert names_below(root) == {"a.jsonl"}
    for _ in range(2):
        again = rotate(root)
        assert [each.reasons for each in again.plan.actions] == [("old", "does-not-shrink")]
        assert outcome_of(again).results == ()


def test_after_its_time_a_run_begins_nothing_more(root: Path) -> None:
    contents = fill(root)
    rotation = rotate_root(root, policy(), now_us=NOW_US, deadline_seconds=clock.monotonic_seconds() - 1)
    assert set(problems(rotation).values()) == {Problem.OUT_OF_TIME}
    assert rotation.exit_code is ExitCode.OK
    assert lost(root, contents) == []
    assert rotate(root).exit_code is ExitCode.OK
    assert unfinished(root) == []


def test_without_a_codec_deleting_works_and_compressing_is_refused_before_anything_is_done(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    write(root / "old.jsonl", LARGE, days_old=50)
    assert rotate(root).exit_code is ExitCode.OK
    assert names_below(root) == set()
    write(root / "old.jsonl", LARGE, days_old=50)
    write(root / "a.jsonl", LARGE, days_old=5)
    with pytest.raises(ConfigError, match=r"pytest-causal\[artifacts\]"):
        rotate(root)
    assert names_below(root) == {"old.jsonl", "a.jsonl"}


def test_progress_is_told_up_to_the_last_byte(root: Path) -> None:
    fill(root)
    told: list[tuple[int, int]] = []
    rotate_root(
        root, policy(), now_us=NOW_US, progress=lambda done, all_bytes: told.append((done, all_bytes))
    )
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1] > 400_000


# The limit on size


def test_what_compressing_saves_is_not_deleted_and_what_is_still_over_goes_oldest_first(root: Path) -> None:
    for number in range(4):
        write(root / f"{number}.jsonl", TEXT + bytes([number]), days_old=9 - number)
    rotate(root, max_size_bytes=len(TEXT))
    assert names_below(root) == {f"{number}.jsonl.zst" for number in range(4)}, "they fit when compressed"
    sizes = [(root / f"{number}.jsonl.zst").stat().st_size for number in range(4)]
    for number in range(4):
        (root / f"{number}.jsonl.zst").unlink()
        write(root / f"{number}.jsonl", TEXT + bytes([number]), days_old=9 - number)
    rotation = rotate(root, max_size_bytes=sum(sizes[2:]), max_removed_ratio=1.0)
    assert names_below(root) == {"2.jsonl.zst", "3.jsonl.zst"}
    assert rotation.exit_code is ExitCode.OK
    assert unfinished(root, max_size_bytes=sum(sizes[2:])) == []


def test_an_archive_goes_for_the_limit_only_as_a_whole(root: Path) -> None:
    for number in range(8):
        write(root / f"ITER_SUMMARY_{number}.json", b"%d" % number * 900, days_old=5)
    rotation = rotate(root, max_size_bytes=2000, max_removed_ratio=1.0)
    assert names_below(root) == {"ITER_SUMMARY_6.json", "ITER_SUMMARY_7.json"}
    assert rotation.exit_code is ExitCode.OK


def test_r13_the_limit_is_met_in_one_run_where_only_whole_archives_can_go(root: Path) -> None:
    for number in range(6):
        write(root / f"{number}.jsonl", os.urandom(30_000).hex().encode(), days_old=5)
    limits: dict[str, Any] = {"max_size_bytes": 110_000, "max_removed_ratio": 1.0}
    rotation = rotate(root, **limits)
    assert rotation.exit_code is ExitCode.OK
    assert names_below(root) == set(), "one archive of six, which is larger than the limit"
    assert unfinished(root, **limits) == []


def test_r13_protected_files_are_over_the_limit_and_that_is_exit_code_2(root: Path) -> None:
    for number in range(3):
        write(root / f"ITER_SUMMARY_{number}.json", b"x" * 3000, days_old=5)
    rotation = rotate(root, max_size_bytes=100, max_removed_ratio=1.0)
    assert rotation.exit_code is ExitCode.ACTED
    assert names_below(root) == {"ITER_SUMMARY_1.json", "ITER_SUMMARY_2.json"}


def test_a_fault_outweighs_the_limit_in_the_exit_code(root: Path) -> None:
    write(root / "ITER_SUMMARY_1.json", TEXT, days_old=5)
    write(root / "ITER_SUMMARY_1.json.zst", b"garbage", days_old=5)
    rotation = rotate(root, max_size_bytes=10)
    assert outcome_of(rotation).total_bytes > 10
    assert rotation.exit_code is ExitCode.FAIL


def test_r14_a_sparse_file_is_counted_in_both_ways(root: Path) -> None:
    with (root / "core.dump").open("wb") as file:
        file.truncate(10**9)
    plan = plan_root(root, policy(), now_us=NOW_US).plan
    assert plan.total_bytes == 10**9
    assert plan.allocated_bytes < 10**6


# Random trees

FILES = st.tuples(
    st.sampled_from(
        [
            *(f"ITER_SUMMARY_{number}.json" for number in (1, 2, 9, 10, 11)),
            "a.jsonl",
            "b.jsonl",
            "c.jsonl",
            "notes.txt",
        ]
    ),
    st.sampled_from(["", "run", "run/deep"]),
    st.sampled_from([0.5, 5, 5.01, 9, 40]),
    st.sampled_from([0, 10, 3000, 60_000, 100_000]),
    st.booleans(),
)
LIMITS = st.fixed_dictionaries(
    {
        "max_size_bytes": st.sampled_from([None, 100, 50_000, 250_000]),
        "max_removed_ratio": st.sampled_from([0.3, 1.0]),
        "jobs": st.sampled_from([1, 2]),
    }
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(FILES, max_size=12, unique_by=lambda each: each[:2]), LIMITS)
def test_random_trees_lose_only_what_the_plan_deletes_and_a_second_run_plans_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[tuple[str, str, float, int, bool]],
    limits: dict[str, Any],
) -> None:
    outer = tmp_path_factory.mktemp("outer")
    write(outer / "beside.jsonl", TEXT, days_old=99)
    root = outer / "root"
    root.mkdir()
    contents = {}
    for name, folder, days_old, size, is_noise in files:
        noise = random.Random(f"{folder}/{name}").randbytes(size).hex()
        content = (noise if is_noise else f"{folder}/{name} " * size).encode()[:size]
        contents[f"{folder}/{name}" if folder else name] = content
        write(root / folder / name, content, days_old=days_old)
    dry = plan_root(root, policy(**limits), now_us=NOW_US)
    live = rotate(root, **limits)
    assert dry.plan == live.plan
    deletable = {each.artifact.name for each in live.plan.actions if each.action is Action.DELETE}
    deletable |= {each.name for each in live.plan.evictions}
    assert lost(root, {name: each for name, each in contents.items() if name not in deletable}) == []
    assert outcome_of(live).has_faults is False
    assert (outer / "beside.jsonl").read_bytes() == TEXT
    assert sorted(path.name for path in outer.iterdir()) == ["beside.jsonl", "root"]
    if not live.plan.held_back:
        assert unfinished(root, **limits) == []

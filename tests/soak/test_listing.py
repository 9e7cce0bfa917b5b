"""Every state that a run can be in is told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.soak.lease import lease
from tools.soak.listing import listed, listing_table
from tools.soak.revert import revert


@pytest.fixture
def interrupted(bench, scripted, measured):
    def answer(task):
        if task.iteration == 3:
            task.interruption.ask("SIGTERM")
            return measured(problem="interrupted")
        return measured()

    bench.begin(scripted(answer), iterations=5)
    return bench


def states(bench) -> dict[str, tuple[str, int, str]]:
    return {row.run: (row.state, row.iterations, row.verdict) for row in listed(bench.out)}


def test_a_run_that_ended(bench) -> None:
    bench.begin()
    assert states(bench) == {"a": ("planned", 3, "PASS")}


def test_a_run_that_was_interrupted_has_done_what_is_whole(interrupted) -> None:
    assert states(interrupted) == {"a": ("resumable", 2, "")}


def test_a_run_that_goes_on(interrupted) -> None:
    with lease(interrupted.folder() / "run.lock", "run a"):
        assert states(interrupted)["a"][0] == "running"


def test_a_run_that_was_reverted(interrupted) -> None:
    revert("a", interrupted.out, interrupted.clock)
    assert states(interrupted)["a"][0] == "reverted"


def test_a_damaged_run_is_listed_as_that_beside_the_others(bench) -> None:
    bench.begin(run="a")
    bench.begin(run="b")
    journal = bench.folder("a") / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"PLANNED", b"PLANNEX", 1))
    assert states(bench) == {"a": ("damaged", 0, ""), "b": ("planned", 3, "PASS")}


def test_other_folders_are_no_runs_and_no_folder_has_none(bench, tmp_path: Path) -> None:
    bench.begin()
    (bench.out / "rotation").mkdir()
    (bench.out / "..x").mkdir()
    (bench.out / "file").touch()
    assert list(states(bench)) == ["a"]
    assert listed(tmp_path / "nowhere") == []


def test_the_table_holds_a_row_a_run(bench) -> None:
    bench.begin(run="a")
    bench.begin(run="b")
    table = listing_table(listed(bench.out))
    assert [row[0][0].text for row in table.rows] == ["a", "b"]
    assert all(row[-1][0].text == "2027-01-01 00:00" for row in table.rows)

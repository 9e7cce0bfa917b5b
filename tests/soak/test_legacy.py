"""Artifacts of the predecessor, as found in its runs: every shape is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.errors import DataError
from tools.soak.legacy import read_legacy_run, skip_reasons, summary_files
from tools.soak.verify_legacy import verify_legacy

SKIP = {"cooldown": False, "freeze": False, "no_op": False, "note": "velocity_guard", "oscillation": False}
DELTAS = {"impact_cap_ratio": -0.01, "tail_age_ms": 30}


def tuning(applied: bool, **others: Any) -> dict[str, Any]:
    return {
        "applied": applied,
        "changed_keys": sorted(DELTAS) if applied else [],
        "deltas": DELTAS if applied else {},
        "proposed_deltas": DELTAS,
        "skip_reason": "" if applied else {**SKIP, "velocity": True},
        "state_hash": "aa" if applied else None,
        **others,
    }


def write_run(folder: Path, *, is_list: bool = False, **changes: Any) -> Path:
    """Write a run of three iterations: 1 applied, 2 and 10 skipped; ``changes`` are of the second file's entries."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for number in (1, 2, 10):
        summary = {
            "kpi_verdict": "PASS",
            "net_bps": 3.0 + number,
            "runtime_utc": f"2025-10-12T12:0{number % 7}:00Z",
        }
        one = tuning(number == 1)
        data = {"iteration": number, "summary": summary, "tuning": one}
        (folder / f"ITER_SUMMARY_{number}.json").write_text(json.dumps(data), "utf-8")
        entry = {"iteration": number, **one, **summary}
        del entry["deltas"]
        entries.append({**entry, **changes.get(f"iteration_{number}", {})})
    counts = {"count": 3, "applied": 1, "blocked_velocity": 2, "blocked_oscillation": 0, "cooldown_skips": 0}
    report: Any = (
        entries if is_list else {"iterations": entries, "summary": {**counts, **changes.get("counts", {})}}
    )
    (folder / "TUNING_REPORT.json").write_text(json.dumps(report), "utf-8")
    overrides = changes.get("overrides", {"impact_cap_ratio": 0.09, "tail_age_ms": 630})
    (folder / "runtime_overrides.json").write_text(json.dumps(overrides), "utf-8")
    return folder


@pytest.mark.parametrize("is_list", [False, True], ids=["object", "list"])
def test_both_shapes_of_the_report_are_read(tmp_path: Path, is_list: bool) -> None:
    run = read_legacy_run(write_run(tmp_path / "run", is_list=is_list))
    assert list(run.report) == [1, 2, 10]
    assert (run.report[1].applied, run.report[1].deltas) == (True, DELTAS)
    assert run.report[2].skips == ("velocity", "velocity_guard")
    assert run.summaries[1].metrics["net_bps"] == 4.0


def test_numbers_order_the_summaries_and_gaps_are_no_end(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    for name in ("ITER_SUMMARY_x.json", "ITER_SUMMARY_3.json.tmp", "ITER_SUMMARY_.json"):
        (folder / name).touch()
    assert [number for number, _ in summary_files(folder)] == [1, 2, 10]


@pytest.mark.parametrize(
    ("found", "reasons"),
    [
        ("", ()),
        (None, ()),
        ("all_keys_on_cooldown", ("all_keys_on_cooldown",)),
        ({**SKIP, "no_op": True}, ("no_op", "velocity_guard")),
        (7, ()),
    ],
)
def test_every_shape_of_a_reason_is_read(found: Any, reasons: tuple[str, ...]) -> None:
    assert skip_reasons(found) == reasons


def test_an_old_name_of_the_reason_is_read(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    data = {"iteration": 1, "summary": {}, "tuning": {"applied": False, "skipped_reason": "cooldown"}}
    (folder / "ITER_SUMMARY_1.json").write_text(json.dumps(data), "utf-8-sig")
    assert read_legacy_run(folder).summaries[1].skips == ("cooldown",)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"iteration": true, "tuning": {}}'])
def test_a_file_that_is_none_is_refused_by_name(tmp_path: Path, text: str) -> None:
    folder = write_run(tmp_path / "run")
    (folder / "ITER_SUMMARY_1.json").write_text(text, "utf-8")
    with pytest.raises(DataError, match=r"ITER_SUMMARY_1\.json"):
        read_legacy_run(folder)


def test_a_run_that_is_what_it_says_has_no_discrepancy(tmp_path: Path) -> None:
    verification = verify_legacy(write_run(tmp_path / "run"))
    assert verification.found == ()
    assert verification.iterations == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {
                "iteration_1": {"applied": False, "skip_reason": "all_keys_on_cooldown"},
                "counts": {"applied": 0, "cooldown_skips": 1},
            },
            "its summary says applied, the report says not applied (all_keys_on_cooldown)",
        ),
        ({"counts": {"blocked_velocity": 0}}, "blocked_velocity is 0, and its entries give 2"),
        ({"iteration_2": {"state_hash": "bb"}}, "nothing was applied, and the override file changed"),
        ({"overrides": {"impact_cap_ratio": 0.1, "risk": {"impact_cap_ratio": 0.09}}}, "is the same value"),
        ({"overrides": {"engine": {"tail_age_ms": 30}}}, "the change itself, not a value that was changed by it"),
    ],
    ids=["applied", "counts", "hash", "twice", "delta"],
)  # fmt: skip
def test_d1_d2_a_run_whose_files_disagree_is_found(tmp_path: Path, changes: Any, words: str) -> None:
    found = verify_legacy(write_run(tmp_path / "run", **changes)).found
    assert len(found) == 1
    assert words in found[0].what


def test_d3_iterations_at_one_time_are_found(tmp_path: Path) -> None:
    same: dict[str, Any] = {
        f"iteration_{number}": {"runtime_utc": "2025-10-12T12:00:00Z"} for number in (1, 2, 10)
    }
    (found,) = verify_legacy(write_run(tmp_path / "run", **same)).found
    assert found.what == "all 3 iterations have one time, 2025-10-12T12:00:00Z"

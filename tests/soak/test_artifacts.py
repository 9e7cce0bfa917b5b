"""What a run writes: held against its schemas, made again from the journal, equal for equal runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import tools.soak.command
from pytest_causal.model.run import Read
from tools.soak.measurement import Measurement

ROOT = Path(__file__).parents[2]
SCHEMAS = Path(tools.soak.command.__file__).parent / "schemas"


def check(data: Any, schema: str) -> None:
    whole = json.loads((SCHEMAS / f"{schema}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(whole)
    jsonschema.validate(data, whole)


def without_volatile(data: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is declared to differ."""
    kept = {key: value for key, value in data.items() if key != "volatile"}
    for entry in kept.get("entries", {}).values():
        del entry["at"]
    return kept


def artifacts(folder: Path) -> dict[str, Any]:
    return {path.name: json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))}


@pytest.mark.parametrize("kind", ["good", "failing", "silent", "reverting"])
def test_everything_that_is_written_fits_its_schema(bench, scripted, measured, kind: str) -> None:
    def answer(task: Any) -> Any:
        match kind:
            case "good":
                return measured({"p95_latency_ms": 340.0}, reads=(Read("a.b", '"x"'),))
            case "failing":
                return measured({"risk_ratio": 0.9})
            case "silent":
                return Measurement(problem="no answer")
        return measured({"risk_ratio": 0.9} if task.iteration > 3 else {"slippage_bps_p95": 2.6})

    bench.begin(scripted(answer), iterations=8, auto_tune=True, warmup=1)
    found = artifacts(bench.folder())
    assert len(found) >= 10
    for name, data in found.items():
        schema = {"TUNING_REPORT.json": "soak_tuning", "KPI_GATE.json": "soak_gate",
                  "runtime_overrides.json": "soak_overrides"}.get(name, "soak_iteration")  # fmt: skip
        check(data, schema)
    if kind == "reverting":
        assert any(each["is_revert"] for each in found["TUNING_REPORT.json"]["iterations"])


def test_the_schemas_refuse_what_is_not_declared(bench) -> None:
    bench.begin()
    summary = bench.summary(1)
    with pytest.raises(jsonschema.ValidationError):
        check({**summary, "skipped_reason": ""}, "soak_iteration")
    with pytest.raises(jsonschema.ValidationError):
        check({**summary, "verdict": "OK"}, "soak_iteration")


def test_files_are_ascii_with_sorted_keys_and_no_nan(bench, scripted, measured) -> None:
    bench.begin(scripted(lambda task: measured({"größe": float("nan"), "\u202e": 1.0})))
    for path in bench.folder().glob("*.json"):
        text = path.read_text("ascii")
        keys = list(json.loads(text))
        assert keys == sorted(keys)
        assert "NaN" not in text


def test_k24_equal_seeds_give_equal_artifacts(bench) -> None:
    found = []
    for out in ("one", "two"):
        bench.out = bench.root / out
        bench.begin(iterations=8, auto_tune=True, warmup=2)
        found.append({name: without_volatile(data) for name, data in artifacts(bench.folder()).items()})
    assert found[0] == found[1]
    bench.out = bench.root / "three"
    bench.begin(iterations=8, auto_tune=True, warmup=2, seed=8)
    other = {name: without_volatile(data) for name, data in artifacts(bench.folder()).items()}
    assert other["ITER_SUMMARY_1.json"]["metrics"] != found[0]["ITER_SUMMARY_1.json"]["metrics"]


@pytest.mark.slow
def test_k24_hash_seed_locale_and_zone_change_nothing(tmp_path: Path) -> None:
    found = []
    for name, changes in {
        "a": {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C"},
        "b": {"PYTHONHASHSEED": "2", "TZ": "Asia/Kolkata", "LC_ALL": "C.UTF-8"},
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        words = ["--iterations", "6", "--auto-tune", "--mock", "--run-id", "same", "--no-history"]
        done = subprocess.run(
            [sys.executable, "-m", "tools.soak.run", *words],
            cwd=folder, env={**os.environ, **changes, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        run = folder / "artifacts" / "soak" / "same"
        found.append({name: without_volatile(data) for name, data in artifacts(run).items()})
    assert len(found[0]) == 9
    assert found[0] == found[1]


def test_d8_every_summary_has_a_fingerprint_also_where_nothing_was_applied(bench) -> None:
    bench.begin(iterations=6, auto_tune=True)
    for number in range(1, 7):
        summary, before = bench.summary(number), bench.summary(max(1, number - 1))
        assert number == 1 or summary["fingerprint"]
        if number > 1 and not summary["tuning"]["applied"]:
            assert summary["fingerprint"] == before["fingerprint"]


def test_only_so_many_summaries_are_kept_as_are_asked_for(bench) -> None:
    bench.begin(iterations=9, keep_summaries=3)
    kept = sorted(path.name for path in bench.folder().glob("ITER_SUMMARY_*.json"))
    assert kept == [f"ITER_SUMMARY_{number}.json" for number in (7, 8, 9)]
    assert len(bench.read("TUNING_REPORT.json")["iterations"]) == 9


def test_a_summary_that_was_lost_is_made_again_from_the_journal(bench) -> None:
    bench.begin(iterations=4, auto_tune=True)
    path = bench.folder() / "ITER_SUMMARY_2.json"
    before = path.read_bytes()
    path.unlink()
    bench.resume()
    assert path.read_bytes() == before


@pytest.mark.parametrize("left", ["", "all but the end", "zero bytes"])
def test_a_summary_that_reached_the_disk_in_part_is_made_again_from_the_journal(bench, left: str) -> None:
    """Summaries are not synced: this is what a lost power supply leaves of one."""
    bench.begin(iterations=4, auto_tune=True)
    path = bench.folder() / "ITER_SUMMARY_3.json"
    whole = path.read_bytes()
    others = {each.name: each.stat().st_ino for each in bench.folder().glob("ITER_SUMMARY_*") if each != path}
    path.write_bytes(
        {"": b"", "all but the end": whole[:-1], "zero bytes": bytes(len(whole) - 40) + whole[-40:]}[left]
    )
    bench.resume()
    assert path.read_bytes() == whole
    assert {name: (bench.folder() / name).stat().st_ino for name in others} == others, (
        "whole ones are left alone"
    )


@pytest.mark.slow
def test_k21_the_cost_of_an_iteration_does_not_grow_with_the_run(bench, scripted, measured) -> None:
    """Twelve hundred iterations of nothing: objects and files stay as many as they are."""
    import gc
    import tracemalloc

    sizes: dict[int, int] = {}

    def answer(task: Any) -> Any:
        if task.iteration in (400, 1200):
            gc.collect()
            sizes[task.iteration] = tracemalloc.get_traced_memory()[0]
            assert len(list(bench.folder().iterdir())) <= 14
        return measured()

    tracemalloc.start()
    try:
        bench.begin(type("Null", (), {"measure": staticmethod(answer)})(), iterations=1200, keep_summaries=10)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sizes[1200] - sizes[400] < 80_000
    assert peak < sizes[400] + 10_000_000

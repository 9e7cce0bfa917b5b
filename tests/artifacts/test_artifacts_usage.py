from __future__ import annotations

import os
from pathlib import Path

from pytest_causal.artifacts.usage import OTHERS, OURS, measure_usage
from pytest_causal.rules.rotation_presets import SOAK_CLASSES
from tests.artifacts.children.rotation_tree import fill, rotate, write


def test_every_file_counts_once_in_its_class_and_in_each_directory_above(tmp_path: Path) -> None:
    write(tmp_path / "a/b/ITER_SUMMARY_1.json", b"x" * 10, days_old=1)
    write(tmp_path / "a/run.jsonl", b"x" * 5000, days_old=1)
    write(tmp_path / "other", b"x", days_old=1)
    os.link(tmp_path / "other", tmp_path / "other2")
    (tmp_path / "link").symlink_to(tmp_path / "other")
    usage = measure_usage(tmp_path, SOAK_CLASSES)
    assert (usage.total.files, usage.total.size_bytes) == (3, 5011)
    assert {name: space.size_bytes for name, space in usage.classes} == {
        "journals": 5000,
        "summaries": 10,
        OTHERS: 1,
    }
    assert {name: space.files for name, space in usage.directories} == {"a": 2, "a/b": 1}
    assert usage.problems == ()


def test_what_is_compressed_is_counted_in_the_class_it_came_from(tmp_path: Path) -> None:
    fill(tmp_path)
    rotate(tmp_path)
    by_name = dict(measure_usage(tmp_path, SOAK_CLASSES).classes)
    assert (by_name["journals"].files, by_name["journals"].compressed_files) == (3, 3)
    assert (by_name["summaries"].files, by_name["summaries"].compressed_files) == (3, 1)
    assert by_name[OURS].files == 2


def test_the_largest_on_disk_come_first(tmp_path: Path) -> None:
    for number in range(1, 4):
        write(tmp_path / str(number) / "a.jsonl", b"x" * 10_000 * number, days_old=1)
    assert [name for name, _ in measure_usage(tmp_path, SOAK_CLASSES).directories] == ["3", "2", "1"]

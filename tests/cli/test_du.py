from __future__ import annotations

from pathlib import Path


def fill(root: Path) -> None:
    for name, size in (("a/x.jsonl", 5000), ("a/b/ITER_SUMMARY_1.json", 10), ("c/note.txt", 1)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x" * size)


def test_du_shows_classes_and_the_largest_directories_with_both_sizes(project) -> None:
    fill(project.root / "soak")
    lines = project.causal("du", "soak", "--limit", "1").stdout.splitlines()
    assert lines[1].split() == ["soak", "3", "0", "5.0", "kB", "16.4", "kB"]
    assert [line.split()[:2] for line in lines[2:]] == [
        ["class", "journals"],
        ["class", "(no"],
        ["class", "summaries"],
        ["a/", "2"],
    ]


def test_du_as_json_is_as_its_schema_says(project) -> None:
    fill(project.root / "artifacts" / "soak")
    result = project.causal("du", "--json")
    document = project.parsed(result.stdout)
    project.check_schema(document, "usage")
    assert document["total"]["size_bytes"] == 5011
    assert [each["name"] for each in document["directories"]] == ["a", "a/b", "c"]


def test_du_of_nothing_is_missing_input(project) -> None:
    assert project.causal("du", "nowhere").exit_code == 66

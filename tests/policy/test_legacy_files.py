from __future__ import annotations

from pathlib import Path

import pytest

from pytest_causal.errors import DataError
from pytest_causal.policy.legacy_files import Kind, find_legacy

NOWHERE = Path("/nonexistent")


def write(directory: Path, name: str, content: bytes = b'{"min_interval_ms": 75}') -> Path:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_old_files_are_found_the_weakest_first(tmp_path: Path) -> None:
    names = [
        "profiles/a.json",
        "profiles/b.json",
        "steady_safe_overrides.json",
        "ultra_safe_overrides.json",
        "steady_overrides.json",
        "applied_profile.json",
        "runtime_overrides.json",
        "latest/runtime_overrides.json",
    ]
    for name in reversed(names):
        write(tmp_path, name)
    write(tmp_path, "ITER_SUMMARY_1.json")
    write(tmp_path, "runtime_overrides.json.migrated")
    found = find_legacy(tmp_path, NOWHERE)
    assert [file.path for file in found] == [tmp_path / name for name in names]
    assert [file.name for file in found[:5]] == ["a", "b", "steady_safe", "ultra_safe", "steady"]
    assert [file.kind for file in found[-3:]] == [Kind.APPLIED, Kind.RUNTIME, Kind.RUNTIME]


def test_todays_profiles_are_not_legacy(tmp_path: Path) -> None:
    write(tmp_path, "profiles/a.json")
    assert find_legacy(tmp_path, tmp_path / "profiles") == []
    assert len(find_legacy(tmp_path, tmp_path / "other")) == 1


def test_there_may_be_nothing(tmp_path: Path) -> None:
    assert find_legacy(tmp_path / "absent", NOWHERE) == []


@pytest.mark.parametrize("wrap", [b"%s", b"\xef\xbb\xbf%s", b"\r\n%s\r\n"], ids=["plain", "mark", "crlf"])
def test_marks_and_line_ends_of_windows_are_read(wrap: bytes, tmp_path: Path) -> None:
    write(tmp_path, "runtime_overrides.json", wrap % b'{"min_interval_ms":\r\n75}')
    assert find_legacy(tmp_path, NOWHERE)[0].leaves == {"min_interval_ms": 75}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '{\n"description": "≥ caf\xe9"}'.encode("cp1252", "replace"),
            r":2 holds byte 0xe9.*Windows-1252 or 1254",
        ),
        ('{\n\n"description": "\u011f"}'.encode("cp1254"), r":3 holds byte 0xf0.*Windows-1252 or 1254"),
        ('{"a": 1}'.encode("utf-16"), ":1 is UTF-16"),
        (b'{"a": 1,\n"a": 2}', ":2: the key 'a' stands on line 1 already"),
        (b'{"a": 1', "is not valid JSON"),
        (b"", ":1 is not valid JSON"),
        (b"[]", "holds no JSON object"),
        (b'{"a":\n{"b": null}}', r":2: a\.b: null"),
        (b'{"a.b": 1}', "without dots"),
    ],
)
def test_f10_what_cannot_be_read_without_loss_is_refused_with_its_line(
    content: bytes, message: str, tmp_path: Path
) -> None:
    path = write(tmp_path, "steady_overrides.json", content)
    with pytest.raises(DataError, match=message) as caught:
        find_legacy(tmp_path, NOWHERE)
    assert str(caught.value).startswith(str(path))

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.artifacts.entry import artifact_of, check_open, compare, is_as_listed
from pytest_causal.errors import ChangedError
from pytest_causal.model.artifact import FileKind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.json", FileKind.REGULAR),
        ("a.zst", FileKind.FRAME),
        ("a.tar.zst", FileKind.ARCHIVE),
        (".zst", FileKind.FRAME),
        ("zst", FileKind.REGULAR),
    ],
)
def test_the_kind_of_a_regular_file_is_told_by_the_end_of_its_name(
    name: str, kind: FileKind, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(b"content")
    file.chmod(0o640)
    os.utime(file, ns=(1, 1_780_000_000_123_456_789))
    status = file.stat()
    found = artifact_of(name, status)
    assert (found.name, found.kind, found.size_bytes) == (name, kind, 7)
    assert (found.mtime_ns, found.mode, found.links) == (1_780_000_000_123_456_789, 0o640, 1)
    assert (found.inode, found.device, found.uid) == (status.st_ino, status.st_dev, os.geteuid())
    assert found.allocated_bytes == status.st_blocks * 512


def test_what_is_no_regular_file_is_none_whatever_its_name_says(tmp_path: Path) -> None:
    (tmp_path / "a.zst").symlink_to("nowhere")
    (tmp_path / "b.zst").mkdir()
    os.mkfifo(tmp_path / "c.zst")
    kinds = {path.name: artifact_of(path.name, path.lstat()).kind for path in tmp_path.iterdir()}
    assert kinds == {"a.zst": FileKind.SYMLINK, "b.zst": FileKind.DIRECTORY, "c.zst": FileKind.FIFO}
    assert artifact_of("null", os.stat("/dev/null")).kind is FileKind.OTHER


@pytest.mark.parametrize(
    ("change", "how"),
    [
        ({"inode": -1}, "was replaced by another file"),
        ({"device": -1}, "was replaced by another file"),
        ({"kind": FileKind.FIFO}, "was replaced by another file"),
        ({"size_bytes": 8}, "was written to"),
        ({"mtime_ns": 1}, "was written to"),
        ({"links": 2}, "has another owner or number of links"),
        ({"uid": -1}, "has another owner or number of links"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_r9_the_quick_look_and_the_one_that_says_why_agree(
    change: dict[str, Any], how: str, tmp_path: Path
) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"content")
    present = artifact_of("a.json", file.stat())
    assert is_as_listed(present, file.stat())
    compare(present, present)
    listed = present._replace(**change)
    assert not is_as_listed(listed, file.stat())
    with pytest.raises(ChangedError, match=f"a.json {how} since it was listed"):
        compare(listed, present)
    with file.open("rb") as opened, pytest.raises(ChangedError, match=how):
        check_open(listed, opened.fileno())


def test_permissions_and_blocks_may_change(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"content")
    listed = artifact_of("a.json", file.stat())._replace(mode=0, allocated_bytes=0)
    assert is_as_listed(listed, file.stat())
    compare(listed, artifact_of("a.json", file.stat()))


def test_what_is_gone_has_changed(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(ChangedError, match="a is gone"):
        compare(artifact_of("a", (tmp_path / "a").stat()), None)

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from pytest_causal.errors import ConfigError
from pytest_causal.settings.config_file import find_config, unread_config
from pytest_causal.settings.text_file import MAX_BYTES


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    return tmp_path


def test_there_may_be_no_file(tmp_path: Path) -> None:
    assert find_config(tmp_path) is None


@pytest.mark.parametrize("name", ["causal.toml", "pyproject.toml"])
def test_the_nearest_file_up_to_the_top_of_the_repository_wins(name: str, repository: Path) -> None:
    text = 'store = "x"\n' if name == "causal.toml" else '[tool.causal]\nstore = "x"\n'
    inner = repository / "a" / "b"
    (repository / name).write_text(text)
    found = find_config(inner)
    assert found is not None
    assert (found.path, found.table) == (repository / name, {"store": "x"})
    (repository / "a" / name).write_text(text.replace("x", "nearer"))
    found = find_config(inner)
    assert found is not None
    assert found.table == {"store": "nearer"}


def test_a_file_above_the_repository_is_not_ours(repository: Path) -> None:
    project = repository / "a"
    (project / ".git").mkdir()
    (repository / "causal.toml").write_text('store = "of another"\n')
    assert find_config(project / "b") is None


def test_outside_a_repository_only_the_root_directory_is_searched(tmp_path: Path) -> None:
    inner = tmp_path / "shared" / "mine"
    inner.mkdir(parents=True)
    (tmp_path / "shared" / "causal.toml").write_text('store = "planted"\n')
    assert find_config(inner) is None


def test_a_home_directory_under_version_control_is_no_project(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(repository))
    monkeypatch.setenv("USERPROFILE", str(repository))
    (repository / "causal.toml").write_text('store = "in home"\n')
    assert find_config(repository / "a") is None
    assert find_config(repository) is not None


def test_two_files_with_content_are_refused_and_both_named(tmp_path: Path) -> None:
    (tmp_path / "causal.toml").write_text("strict = true\n")
    (tmp_path / "pyproject.toml").write_text("[tool.causal]\nstrict = false\n")
    with pytest.raises(ConfigError, match=r"causal\.toml.*pyproject\.toml"):
        find_config(tmp_path)


def test_an_empty_file_does_not_hide_the_other(tmp_path: Path) -> None:
    (tmp_path / "causal.toml").write_text("# nothing yet\n")
    (tmp_path / "pyproject.toml").write_text("[tool.causal]\nstrict = true\n")
    found = find_config(tmp_path)
    assert found is not None
    assert found.path.name == "pyproject.toml"


def test_a_pyproject_that_does_not_name_us_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.other\n")
    assert find_config(tmp_path) is None


def test_lines_in_pyproject_count_from_the_top_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n\n[tool.causal]\n\nstore = "s"\n')
    found = find_config(tmp_path)
    assert found is not None
    assert found.place(("store",)) == f"{tmp_path / 'pyproject.toml'}:6"


BAD = {
    "not_toml": (b"a = \n", ":1 "),
    "bad_on_line_three": (b"a = 1\nb = 2\nc = = 3\n", ":3 "),
    "unclosed": (b'a = """\n\n', ":3 "),
    "duplicate_key": (b"strict = true\nstrict = false\n", ":2 "),
    "utf16": ("strict = true\n".encode("utf-16"), "UTF-16"),
    "nul": (b"strict = true\n\x00\n", ":2 holds a NUL"),
    "not_utf8": ("# a\n# café\n".encode("latin-1"), ":2 holds byte 0xe9"),
    "oversized": (b"#" * (MAX_BYTES + 1), "1024 KiB"),
    "deep": (b"a = " + b"[" * 5000 + b"]" * 5000, "cannot be read as TOML"),
    "long_number": (b"a = " + b"9" * 5000, "cannot be read as TOML"),
}


@pytest.mark.parametrize("case", BAD)
def test_f2_a_bad_file_is_an_error_with_its_line_and_never_a_default(case: str, tmp_path: Path) -> None:
    content, expected = BAD[case]
    (tmp_path / "causal.toml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        find_config(tmp_path)
    assert str(tmp_path / "causal.toml") in str(caught.value)
    assert expected in str(caught.value)


def test_f2_a_byte_order_mark_and_crlf_are_read(tmp_path: Path) -> None:
    (tmp_path / "causal.toml").write_bytes(b"\xef\xbb\xbfstrict = true\r\n[policy]\r\na = 1\r\n")
    found = find_config(tmp_path)
    assert found is not None
    assert found.table == {"strict": True, "policy": {"a": 1}}
    assert found.line(("policy", "a")) == 3


def test_f2_a_directory_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "causal.toml").mkdir()
    with pytest.raises(ConfigError, match=r"causal\.toml"):
        find_config(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_f2_a_fifo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "causal.toml")
    caught: list[Exception] = []

    def read() -> None:
        try:
            find_config(tmp_path)
        except ConfigError as error:
            caught.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(timeout=30)
    assert not reader.is_alive()
    assert "not a regular file" in str(caught[0])


@pytest.mark.parametrize("name", ["causal.toml", "pyproject.toml"])
def test_a_file_below_the_root_is_told_of_because_nobody_reads_it(name: str, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    start, file = tmp_path / "a" / "b", tmp_path / "a" / name
    assert unread_config(tmp_path, start) is None
    file.write_text("strict = true\n" if name == "causal.toml" else "[tool.causal]\nstrict = true\n")
    unread = unread_config(tmp_path, start)
    assert unread is not None
    assert f"{file} is not read: settings come from {tmp_path}," in unread.what
    assert "causal.toml" in unread.remedy
    file.write_text("strict = \n# causal")
    assert unread_config(tmp_path, start) is not None  # what cannot be parsed holds settings, for all we know


def test_what_holds_no_settings_or_stands_at_the_root_or_elsewhere_is_no_news(tmp_path: Path) -> None:
    inner = tmp_path / "a"
    inner.mkdir()
    (tmp_path / "causal.toml").write_text("strict = true\n")
    (inner / "causal.toml").write_text("# nothing\n")
    (inner / "pyproject.toml").write_text("[tool.other]\nname = 'causal'\n")
    assert unread_config(tmp_path, inner) is None
    assert unread_config(tmp_path, tmp_path) is None
    assert unread_config(inner, tmp_path) is None
    assert unread_config(inner, tmp_path / "b") is None

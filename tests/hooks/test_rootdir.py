"""A store path given as a word of its own does not move the root, and is made safe for the workers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.hooks.rootdir import Root, settle_root, unread_settings
from pytest_causal.settings.table import SETTINGS, Kind


class Invocation(NamedTuple):
    """As ``pytest.Config.InvocationParams``, which is made from the same three words."""

    args: tuple[str, ...]
    plugins: object
    dir: Path


def configured(*args: object, here: Path, root: Path, inipath: Path | None = None) -> Any:
    return SimpleNamespace(
        invocation_params=Invocation(tuple(map(str, args)), None, here), rootpath=root, inipath=inipath
    )


@pytest.mark.parametrize("args", [(), ("tests", "-q"), ("--causal-store=h.db",), ("--causal-store",)])
def test_without_a_lone_path_the_root_is_pytests(tmp_path: Path, args: tuple[str, ...]) -> None:
    config = configured(*args, here=tmp_path, root=tmp_path)
    assert settle_root(config) == Root(tmp_path)
    assert config.invocation_params.args == args


@pytest.mark.parametrize("flag", [setting.flag for setting in SETTINGS if setting.kind is Kind.PATH])
def test_a_path_that_does_not_exist_yet_is_joined_for_the_workers(tmp_path: Path, flag: str) -> None:
    config = configured("-q", flag, "new.db", "tests", here=tmp_path, root=tmp_path)
    assert settle_root(config) == Root(tmp_path)
    assert list(config.invocation_params.args) == ["-q", f"{flag}=new.db", "tests"]


def test_a_moved_root_is_found_again_and_told(tmp_path: Path) -> None:
    project = tmp_path / "deep" / "project"
    project.mkdir(parents=True)
    (project / "pytest.ini").touch()
    store = tmp_path / "h.db"
    store.touch()
    root = settle_root(configured("--causal-store", store, here=project, root=tmp_path))
    assert (root.path, root.prefix) == (project, "deep/project/")
    assert f"write --causal-store={store} as one word" in root.warning
    assert str(tmp_path) in root.warning
    assert "\n" not in root.warning


@pytest.mark.parametrize("word", ["n" * 300, "\0", "nowhere/test_it.py::test_it[a/b]", "-", ""])
def test_words_that_name_no_test_are_left_for_pytest_to_tell(tmp_path: Path, word: str) -> None:
    config = configured(here=tmp_path, root=tmp_path)
    config.args = [word]
    assert unread_settings(config, tmp_path) == []


def test_the_root_is_the_nearest_folder_that_configures_pytest(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (project / "tox.ini").touch()
    (tmp_path / "h.db").touch()
    config = configured("--causal-store", "../../h.db", here=project / "src", root=tmp_path)
    assert settle_root(config).path == project


@pytest.mark.parametrize("known", ["configuration", "same root", "inner root"])
def test_a_root_that_was_not_moved_stays(tmp_path: Path, known: str) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "h.db").touch()
    root = {"configuration": tmp_path, "same root": project, "inner root": project / "inner"}[known]
    inipath = tmp_path / "pytest.ini" if known == "configuration" else None
    config = configured("--causal-store", "../h.db", here=project, root=root, inipath=inipath)
    assert settle_root(config) == Root(root)


words = st.lists(
    st.sampled_from(["-q", "tests", "--causal-store", "--causal-profiles", "new.db", "x"]), max_size=6
)


@given(args=words)
def test_joining_changes_one_pair_of_words_and_nothing_else(tmp_path_factory, args: list[str]) -> None:
    here = tmp_path_factory.getbasetemp()
    config = configured(*args, here=here, root=here)
    settle_root(config)
    after = list(config.invocation_params.args)
    apart = [word for each in after for word in (each.split("=") if "=" in each else [each])]
    assert apart == args
    assert len(args) - len(after) in (0, 1)

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_causal.actions.context import Context, Extensions, NoExtensions
from pytest_causal.settings.sources import resolve_settings
from pytest_causal.store.opening import open_store


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "causal.toml").write_text("[policy]\nrows = 10\n")
    return tmp_path


def context(root: Path, **env: str) -> Context:
    settings = resolve_settings(flags={}, env=env, root=root)
    store = open_store(str(root / "h.db"))
    store.close()
    return Context(store, settings, "person ada", 1)


def test_nothing_freezes_by_default(root: Path) -> None:
    assert context(root).frozen_by == ""


def test_the_file_freezes_whatever_it_is_and_says_where_it_lies(root: Path) -> None:
    made = context(root)
    path = Path(made.settings.freeze_file)
    path.parent.mkdir()
    path.symlink_to("nowhere")
    assert made.frozen_by == str(path)


def test_the_setting_freezes_too_and_is_named_first(root: Path) -> None:
    made = context(root, CAUSAL_FREEZE="1")
    Path(made.settings.freeze_file).parent.mkdir()
    Path(made.settings.freeze_file).touch()
    assert made.frozen_by == "CAUSAL_FREEZE"


def test_the_policy_is_the_standing_one_each_time_it_is_asked_for(root: Path) -> None:
    made = context(root)
    assert made.policy().flat == {"rows": 10}
    (root / "causal.toml").write_text("[policy]\nrows = 11\n")
    assert context(root).policy().flat == {"rows": 11}
    assert made.overrides_path.parent.name == ".causal"


def test_where_nobody_adds_anything_all_passes() -> None:
    nobody: Extensions = NoExtensions()
    assert (nobody.vetoes(None), list(nobody.problems)) == ((), [])  # type: ignore[arg-type] # it looks at nothing

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_causal.cli.place import find_place, policy_in_force
from pytest_causal.errors import MissingInputError, StoreError, UsageError
from pytest_causal.model.run import Outcome
from pytest_causal.model.scenario import Declaration
from pytest_causal.settings.sources import Layer, Origin

if TYPE_CHECKING:
    from tests.cli.conftest import Project


def test_a_store_given_is_relative_to_where_one_is(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    below = project.root / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    place = find_place("x.db")
    assert place.settings.store == str(below / "x.db")
    assert place.settings.origins["store"] == Origin(layer=Layer.FLAG, place="--store")
    assert find_place().settings.store == str(project.store)
    assert find_place("sqlite://x").settings.store == "sqlite://x"


def test_an_empty_store_is_a_usage_error(project: Project) -> None:
    with pytest.raises(UsageError, match="--store is empty"):
        find_place("")


def test_a_directory_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(MissingInputError, match="no longer there"):
        find_place()


def test_nothing_recorded(project: Project) -> None:
    assert find_place().has_nothing_recorded()
    with pytest.raises(MissingInputError, match="no history store"):
        find_place(str(project.store)).has_nothing_recorded()
    project.record({"x": Outcome.PASSED})
    assert not find_place().has_nothing_recorded()
    assert not find_place("postgresql://host/db").has_nothing_recorded()


def test_a_store_opened_for_reading_cannot_be_written(project: Project) -> None:
    project.record({"x": Outcome.PASSED})
    declaration = Declaration(scenario="x", tags=("db",))
    with find_place().reading() as store, pytest.raises(StoreError):
        store.declare([declaration])
    with find_place().writing() as store:
        store.declare([declaration])
        assert store.scenarios()[0].declaration == declaration


def test_the_policy_is_canonical_json_by_path(project: Project) -> None:
    (project.root / "causal.toml").write_text("[policy.a]\nb = 1.0\nc = 'é'\nd = [1, 2]\n")
    assert policy_in_force(find_place()) == {"a.b": "1", "a.c": '"\\u00e9"', "a.d": "[1,2]"}

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_causal.cli.scenario_names import check_known, nearest
from pytest_causal.errors import MissingInputError
from pytest_causal.model.run import Outcome

if TYPE_CHECKING:
    from tests.cli.conftest import Project


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("bc", "did you mean 'abc'?"),
        ("ABC", "did you mean 'abc'?"),
        ("a", "did you mean 'a1' or 'a2' or 'a3'? (2 more)"),
        ("xyy", "did you mean 'xyz'?"),
        ("qqq", "known: a1, a2, a3, a4, abc, xyz"),
    ],
)
def test_nearest(name: str, remedy: str) -> None:
    assert nearest(name, {"abc", "a1", "a2", "a3", "a4", "xyz"}) == remedy


def test_names_of_now_and_before_are_known(project: Project) -> None:
    project.record({"old": Outcome.PASSED, "new": Outcome.PASSED})
    project.causal("alias", "old", "new")
    with project.writing() as store:
        check_known(store, "old")
        check_known(store, "new")
        with pytest.raises(MissingInputError, match="did you mean 'new'"):
            check_known(store, "ne")

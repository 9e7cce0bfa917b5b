"""Collects files of lessons: each test that a revert learned from runs once more, as a scenario of its own.

While files are collected each lesson holds its tests' places. The tests themselves are built when all else is
collected, by pytest's own collectors below the directories that pytest itself made: so their fixtures, classes and
parameters work as in the original, and no test of the person's is collected any differently.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from pytest_causal.errors import ConfigError
from pytest_causal.model.promotion import Lesson
from pytest_causal.policy.lesson_file import TAG, KeptLesson, read_lessons

_HOOKS = "causal-lessons"
_KEPT_ARGUMENTS = frozenset({"reads", "unit", "min_sessions"})
_learned_key = pytest.StashKey[Lesson]()
T = TypeVar("T")


class LessonsFile(pytest.File):
    """A file of lessons."""

    def collect(self) -> Iterator[LessonCollector]:
        """Yield a collector for each lesson."""
        manager = self.config.pluginmanager
        if not manager.has_plugin(_HOOKS):
            manager.register(LessonHooks(), _HOOKS)
        try:
            kept = read_lessons(self.path)
        except ConfigError as error:
            raise self.CollectError(str(error)) from error
        for each in kept:
            yield LessonCollector.from_parent(self, name=each.lesson.label, kept=each)


class LessonCollector(pytest.Collector):
    """One lesson."""

    def __init__(self, *, kept: KeptLesson, **others: object) -> None:
        super().__init__(**others)  # type: ignore[arg-type] # what pytest hands to any node
        self._kept = kept

    def collect(self) -> Iterator[LearnedPlace]:
        """Yield the places of its tests."""
        if not self._kept.tests:
            raise self.CollectError(f"{self.nodeid}: the lesson names no test; write the file anew")
        for test in self._kept.tests:
            path = self.config.rootpath / test.partition("::")[0]
            if not path.is_file():
                raise self.CollectError(_gone(test))
            name = test.rpartition("::")[2]
            yield LearnedPlace.from_parent(self, name=name, lesson=self._kept.lesson, test=test)


class LearnedPlace(pytest.Item):
    """Holds the place of a lesson's test until the test is built; it never runs."""

    def __init__(self, *, lesson: Lesson, test: str, **others: object) -> None:
        super().__init__(**others)  # type: ignore[arg-type] # what pytest hands to any node
        self.lesson = lesson
        self.test = test

    def runtest(self) -> None:
        """Fail: a place that runs was not filled."""
        pytest.fail(_gone(self.test), pytrace=False)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return the file of lessons and the name."""
        return self.path, None, self.name


class LessonHooks:
    """Fills the places. Registered by the first file of lessons."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> Generator[None, T, T]:
        """Put the tests in their places before anybody else looks at the items."""
        directories = {
            node.path: node
            for item in items
            for node in item.listchain()
            if isinstance(node, pytest.Directory)
        }
        builder = _Builder(session, directories)
        filled: list[pytest.Item] = []
        for item in items:
            filled += builder.build(item) if isinstance(item, LearnedPlace) else [item]
        items[:] = filled
        return (yield)


class _Builder:
    """Builds tests below the directories that a session has collected, and those that it had no need of."""

    def __init__(self, session: pytest.Session, directories: dict[Path, pytest.Directory]) -> None:
        self._session = session
        self._directories = directories

    def build(self, place: LearnedPlace) -> list[pytest.Item]:
        """Return the items of a lesson's test, its shadows among them; a test that is gone is a collection error."""
        path = self._session.config.rootpath / place.test.partition("::")[0]
        directory = self._directory(path.parent)
        module: pytest.Module | None = None
        if directory is not None:
            module = directory.ihook.pytest_pycollect_makemodule(module_path=path, parent=directory)
        if module is None:
            return _missing(place)
        module.stash[_learned_key] = place.lesson
        siblings = _siblings(module, place.test)
        if siblings is None:
            return []  # the module cannot be collected, and that was reported
        control = next((item for item in siblings if item.nodeid == place.test), None)
        if control is None:
            return _missing(place)
        found: list[pytest.Item] = []
        for item in siblings:
            if _other_parameters(item) == _other_parameters(control):
                _make_its_own(item, place)
                found.append(item)
        return found

    def _directory(self, path: Path) -> pytest.Directory | None:
        """Return the collector of a directory at or below the root."""
        if path not in self._directories:
            root = self._session.config.rootpath
            parent = self._directory(path.parent) if root in path.parents else None
            if parent is None:
                return None
            made = parent.ihook.pytest_collect_directory(path=path, parent=parent)
            if made is None:
                return None
            _collected(made)  # which loads its conftest
            self._directories[path] = made
        return self._directories[path]


def lesson_of(node: pytest.Item) -> Lesson | None:
    """Return the lesson that an item was built for, if it was for one."""
    module = node.getparent(pytest.Module)
    return module.stash.get(_learned_key, None) if module is not None else None


def _collected(node: pytest.Collector) -> list[pytest.Item | pytest.Collector] | None:
    """Return what a collector holds, or ``None`` where it fails, which is reported."""
    report: pytest.CollectReport = node.ihook.pytest_make_collect_report(collector=node)
    if not report.passed:
        node.ihook.pytest_collectreport(report=report)
        return None
    return report.result


def _siblings(node: pytest.Collector, test: str) -> list[pytest.Function] | None:
    """Return the items of the module or class in which a test is, or ``None`` where it fails to be collected."""
    found = _collected(node)
    if found is None:
        return None
    inner = next(
        (
            each
            for each in found
            if isinstance(each, pytest.Collector) and test.startswith(f"{each.nodeid}::")
        ),
        None,
    )
    if inner is not None:
        return _siblings(inner, test)
    return [each for each in found if isinstance(each, pytest.Function)]


def _other_parameters(item: pytest.Function) -> tuple[str, dict[str, int]]:
    """Return what an item shares with its shadows: its function, and the places of all parameters but the arm."""
    callspec = getattr(item, "callspec", None)
    places = dict(callspec.indices) if callspec is not None else {}
    places.pop("causal_policy", None)
    return item.originalname, places


def _make_its_own(item: pytest.Item, place: LearnedPlace) -> None:
    """Give an item the id and the scenario of its lesson; what its own marker says of reads stays."""
    _set_nodeid(item, f"{place.nodeid.rpartition('::')[0]}::{item.name}")
    marker = item.get_closest_marker("scenario")
    arguments = dict(marker.kwargs) if marker is not None else {}
    kept = {name: value for name, value in arguments.items() if name in _KEPT_ARGUMENTS}
    kept |= dict(place.lesson.criteria)
    item.add_marker(
        pytest.mark.scenario(id=place.lesson.regression, tags=[TAG], **kept),
        append=False,  # the nearest marker counts
    )


def _set_nodeid(item: pytest.Item, nodeid: str) -> None:
    """Rename an item. pytest has no way to: pytest-xdist renames as pytest before 9.1 stored ids."""
    structured = getattr(item, "_id", None)
    if structured is not None:
        item._id = type(structured).parse(nodeid)
    else:
        item._nodeid = nodeid  # type: ignore[attr-defined] # where it is older


def _missing(place: LearnedPlace) -> list[pytest.Item]:
    parent = place.parent
    nodeid = parent.nodeid if parent is not None else place.nodeid
    report = pytest.CollectReport(nodeid=nodeid, outcome="failed", longrepr=_gone(place.test), result=[])
    place.ihook.pytest_collectreport(report=report)
    return []


def _gone(test: str) -> str:
    return f"the test {test} is gone, from which this lesson was learned; write the file of lessons anew, or retire it"

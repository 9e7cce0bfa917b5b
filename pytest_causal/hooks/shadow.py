"""Shadow items: a test that gates an open candidate runs once more, under the policy that the candidate would make.

The control item keeps its node id; its shadow has ``[causal:NAME]`` in its own. What a shadow item does is recorded
and shown, and changes nothing of the run: see :mod:`pytest_causal.hooks.masking`.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Generator, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

import pytest

from pytest_causal.hooks.arms import SHADOW_ID, Arm, Shadows
from pytest_causal.hooks.edge import Edge, guarded
from pytest_causal.hooks.lessons import lesson_of
from pytest_causal.hooks.masking import candidate_of, is_masked, mask
from pytest_causal.hooks.notes import NoteTaker, evidence_id_key, notes_of
from pytest_causal.model.change import CANDIDATE_PREFIX, CONTROL

if TYPE_CHECKING:
    from pytest_causal.policy.targets import AppliedTargets

FIXTURE = "causal_policy"
_shadow_key = pytest.StashKey[Arm]()
_GLOB = frozenset("*?[")
T = TypeVar("T")


class ShadowItems(Edge):
    """Makes, orders and runs shadow items. Registered in each process that collects tests."""

    def __init__(self, shadows: Shadows, targets: Sequence[str], taker: NoteTaker) -> None:
        super().__init__()
        self._shadows = shadows
        self._targets = targets
        self._taker = taker
        self._applied: AppliedTargets | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Give a test that uses the policy a hidden parameter for the control item and one for each candidate."""
        if FIXTURE not in metafunc.fixturenames:
            return
        names = [arm.name for arm in self._shadows.arms.values() if _may_gate(metafunc, arm)]
        if not names:
            return
        values = [CONTROL, *(CANDIDATE_PREFIX + name for name in names)]
        ids = [pytest.HIDDEN_PARAM, *(SHADOW_ID + name for name in names)]
        try:
            metafunc.parametrize(FIXTURE, values, indirect=True, ids=ids)
        except pytest.Collector.CollectError:
            return  # the test gives values of its own for the fixture: it does not run under any policy of ours

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, T, T]:
        """Leave out what gates no candidate before anybody counts it; order the rest when everybody has."""
        self._admit(items)
        result = yield
        if not self.fault:
            self._interleave(items)
        if self.fault:
            # What is not known to be a shadow would be judged as one of the person's own tests.
            items[:] = [item for item in items if _candidate_name(item) is None]
            self._taker.fault = self._taker.fault or self.fault
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, T, T]:
        """Hand the candidate's policy to a shadow item before anything of it is set up."""
        arm = item.stash.get(_shadow_key, None)
        if arm is None:
            return (yield)
        notes_of(item).policy = arm.mapping.fresh()
        try:
            return (yield)
        finally:
            if self._applied is not None:
                self._applied.restore()
                self._applied = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Set the in-process targets to the candidate's values until the item is torn down."""
        arm = item.stash.get(_shadow_key, None)
        if arm is not None and self._targets:
            from pytest_causal.policy.targets import apply_targets

            self._applied = apply_targets(self._targets, arm.mapping.fresh().to_dict())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, T, T]:
        """Let no fixture that was set up under one arm's targets live on into another's."""
        try:
            return (yield)
        finally:
            if self._targets and nextitem is not None and _arm_of(item) is not _arm_of(nextitem):
                item.session._setupstate.teardown_exact(None)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Mask the reports of a shadow item once all others have written theirs."""
        report = yield
        arm = item.stash.get(_shadow_key, None)
        if arm is not None:
            mask(report, arm.name)
        return report

    @guarded
    def _admit(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if self._is_admitted(item)]

    def _is_admitted(self, item: pytest.Item) -> bool:
        name = _candidate_name(item)
        if name is None:
            return True
        arm = self._shadows.arms[name]
        control, _ = self._shadows.split(item.nodeid)
        if not _is_gated(item, arm, _marked_id(item) or control):
            return False
        item.stash[_shadow_key] = arm
        item.stash[evidence_id_key] = control
        return True

    @guarded
    def _interleave(self, items: list[pytest.Item]) -> None:
        """Order items at random, the same in every process; each module stays where it is, as a whole.

        A test and its shadows exchange places among themselves. Where there are targets, a module's items run arm by
        arm, because everything that outlives an item is torn down between the arms.
        """
        places: dict[object, list[int]] = defaultdict(list)
        if self._targets:
            for place, item in enumerate(items):
                places[item.path].append(place)
        else:
            for place, item in enumerate(items):
                places[self._shadows.split(item.nodeid)[0]].append(place)
        for group, positions in places.items():
            if len(positions) > 1:
                members = [items[place] for place in positions]
                for place, item in zip(positions, self._shuffled(members, str(group)), strict=True):
                    items[place] = item

    def _shuffled(self, members: list[pytest.Item], group: str) -> Iterable[pytest.Item]:
        by_arm: dict[str, list[pytest.Item]] = defaultdict(list)
        for item in members:
            arm = _arm_of(item)
            by_arm[arm.name if arm is not None else ""].append(item)
        arms = sorted(by_arm)
        random.Random(f"{self._shadows.seed}:{group}").shuffle(arms)  # noqa: S311 - an order, and no secret
        return (item for arm in arms for item in by_arm[arm])


class ShadowReports:
    """Shows shadow items in categories of their own. Registered where reports arrive."""

    def __init__(self, shadows: Shadows) -> None:
        self._shadows = shadows

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: object) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """Count what ran in a shadow apart: ``c`` is a candidate's pass, ``C`` its failure, ``k`` any other end."""
        if not candidate_of(report):
            return None
        outcome, when = getattr(report, "outcome", ""), getattr(report, "when", "")
        if is_masked(report):
            word = "failed" if when == "call" else "error"
            return f"shadow {word}", "C", (f"SHADOW {word.upper()}", {"yellow": True})
        if outcome == "passed" and when != "call":
            return "", "", ("", {})
        word = outcome
        if hasattr(report, "wasxfail"):
            word = "xfailed" if outcome == "skipped" else "xpassed"
        letter = "c" if outcome == "passed" else "k"
        return f"shadow {word}", letter, (f"SHADOW {word.upper()}", {"cyan": True})

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, T, T]:
        """Mask the report of a crash: it is made where nobody knows of shadows but by their node ids."""
        if not candidate_of(report) and report.when not in ("setup", "call", "teardown"):
            arm = self._shadows.split(report.nodeid)[1]
            if arm is not None:
                mask(report, arm.name)
        return (yield)


def _candidate_name(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    value = callspec.params.get(FIXTURE) if callspec is not None else None
    if not isinstance(value, str) or not value.startswith(CANDIDATE_PREFIX):
        return None
    return value.removeprefix(CANDIDATE_PREFIX)


def _arm_of(item: pytest.Item) -> Arm | None:
    return item.stash.get(_shadow_key, None)


def _marked_id(node: pytest.Item) -> str:
    marker = node.get_closest_marker("scenario")
    if marker is None:
        return ""
    return str((marker.args[0] if marker.args else marker.kwargs.get("id")) or "")


def _may_gate(metafunc: pytest.Metafunc, arm: Arm) -> bool:
    """Whether any item of a test function may gate a candidate: other parameters may still add to its node id."""
    test = metafunc.definition
    scenario = _marked_id(test)
    if lesson_of(test) is not None or (scenario and arm.is_gated_by(scenario)):
        return True
    if scenario:
        return False
    return arm.is_gated_by(test.nodeid) or any(not _GLOB.isdisjoint(pattern) for pattern in arm.patterns)


def _is_gated(item: pytest.Item, arm: Arm, scenario: str) -> bool:
    lesson = lesson_of(item)
    if lesson is None:
        return arm.is_gated_by(scenario)
    # A lesson stands before every change of the value that it was learned from.
    return arm.is_gated_by(lesson.scenario) or any(read.path == lesson.path for read in arm.changed)

"""What a test tells us beside its outcome: its scenario, its metrics, what it read from the policy, what it raised.

Notes are taken in the process that runs the test (a plain session or an xdist worker) and ride on its reports as
one JSON string, the only shape that every transport and every other reporter can carry. A test that notes nothing
adds nothing to its reports. When they are attached is the business of :mod:`pytest_causal.hooks.attachment`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pytest_causal.errors import CausalError
from pytest_causal.hooks.edge import Edge, guarded
from pytest_causal.model.run import Metric, MetricKind, Read, ReadHow
from pytest_causal.model.scenario import Declaration

if TYPE_CHECKING:
    from pytest_causal.policy.mapping import PolicyMapping

METRICS_LIMIT = 1000
"""Most metrics that one run may record; more are dropped and counted in ``causal_metrics_dropped``."""

ATTRIBUTE = "causal_notes"
"""The report attribute that carries the notes."""


class Mark(NamedTuple):
    """A ``scenario`` marker, checked."""

    declaration: Declaration
    reads: tuple[str, ...] = ()


class ItemNotes:
    """What one test noted so far, in the process that runs it."""

    def __init__(self) -> None:
        self.mark: Mark | None = None
        self.declared: tuple[str, ...] = ()
        """The paths that the marker, or a rule of promotion, says the test reads."""
        self.metrics: dict[str, Metric] = {}
        self.dropped = 0
        self.policy: PolicyMapping | None = None

    def take(self, mark: Mark) -> None:
        """Keep what the test's marker declares."""
        self.mark, self.declared = mark, mark.reads

    def add_metric(self, name: str, value: object) -> None:
        """Keep a number under a name; the last one given counts. Safe from threads."""
        from pytest_causal.rules.metric_values import metric

        made = metric(name, value)
        if len(self.metrics) < METRICS_LIMIT or made.name in self.metrics:
            self.metrics[made.name] = made
        else:
            self.dropped += 1


class Notes(NamedTuple):
    """Notes as they arrive with a report."""

    scenario: str = ""
    metrics: tuple[Metric, ...] = ()
    reads: tuple[Read, ...] = ()
    raised: str = ""
    is_infrastructure: bool = False


NO_NOTES = Notes()


class NoteTaker(Edge):
    """Takes notes, and says what a report carries of them. Registered in each process that runs tests."""

    works_in_children = True
    """Where each test runs in a forked child, its notes return on its reports. Without its reads, a run would speak for
    every policy."""

    def __init__(
        self, *, infrastructure_errors: Sequence[str], policy: Callable[[], "PolicyMapping"]
    ) -> None:
        super().__init__()
        self._infrastructure = frozenset(infrastructure_errors)
        self.policy = cache(policy)
        """Returns the policy in force; made when the first test asks, for in most suites none does."""
        self.declarations: dict[str, Declaration] = {}
        self.scenario_of: dict[str, str] = {}
        self.declare: Callable[[Sequence[pytest.Item]], None] | None = None
        """Notes what rules of promotion declare that tests read, where any rule does."""
        self.measure: Callable[[pytest.Item, pytest.TestReport], None] | None = None
        """What other plugins' hooks have to add to the notes of a run, where there are any."""
        self.on_note: Callable[[], None] | None = None
        """Called when a test is the first to have something to say beside what it raised."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Read the ``scenario`` markers; a wrong one is a usage error before anything runs."""
        inherited: dict[int, pytest.Mark | None] = {}
        for item in items:
            marker = _scenario_marker(item, inherited)
            if marker is not None:
                mark = read_mark(marker, item.stash.get(evidence_id_key, item.nodeid))
                if mark.reads:
                    try:
                        _session_policy(config).check_paths(mark.reads)
                    except CausalError as error:
                        raise _wrong_mark(item.nodeid, f"reads: {error}") from error
                notes_of(item).take(mark)
                self.declarations[mark.declaration.scenario] = mark.declaration
                self.scenario_of[item.nodeid] = mark.declaration.scenario
        if self.declare is not None:
            self.declare(items)

    def announce(self) -> None:
        """Say that reports carry more from now on than what tests raised."""
        if self.on_note is not None:
            self.on_note()
            self.on_note = None

    @guarded
    def attach(self, report: pytest.TestReport, item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
        """Attach the notes to the report that closes a run, to one that tells of a failure, and to the first."""
        if self.measure is not None:
            self.measure(item, report)
        noted = item.stash.get(item_notes_key, None)
        if noted is not None and noted.declared and noted.policy is None:
            noted.policy = _session_policy(item.config).fresh()
        carried = self._carried(noted, call, is_last=report.when == "teardown")
        if carried:
            setattr(report, ATTRIBUTE, json.dumps(carried, separators=(",", ":"), allow_nan=False))

    def _carried(
        self, noted: ItemNotes | None, call: pytest.CallInfo[None], *, is_last: bool
    ) -> dict[str, object]:
        carried: dict[str, object] = {}
        if noted is not None:
            if noted.mark is not None:
                carried["scenario"] = noted.mark.declaration.scenario
            # A rerun or a crash may leave no teardown report, so a failing one carries everything as well.
            if is_last or call.excinfo is not None:
                carried.update(_measured(noted))
        if call.excinfo is not None:
            carried["raised"] = type_name(call.excinfo.type)
            if not self._infrastructure.isdisjoint(_all_names(call.excinfo.type)):
                carried["infrastructure"] = True
        return carried


def read_notes(text: str) -> Notes:
    """Read what :class:`NoteTaker` attached."""
    carried = json.loads(text)
    return Notes(
        scenario=carried.get("scenario", ""),
        metrics=tuple(
            Metric(name=name, value=value, kind=MetricKind(kind))
            for name, value, kind in carried.get("metrics", ())
        ),
        reads=tuple(
            Read(path=path, value=value, how=ReadHow(how)) for path, value, how in carried.get("reads", ())
        ),
        raised=carried.get("raised", ""),
        is_infrastructure=carried.get("infrastructure", False),
    )


def metric_recorder_for(request: pytest.FixtureRequest) -> Callable[[str, object], None]:
    """Return the ``causal_metric`` function of the requesting test."""
    noted = notes_of(request.node)

    def causal_metric(name: str, value: object) -> None:
        noted.add_metric(name, value)

    return causal_metric


def policy_for(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """Return the ``causal_policy`` mapping of the requesting test, which notes what that test reads."""
    noted = notes_of(request.node)
    if noted.policy is None:
        noted.policy = _session_policy(request.config).fresh()
    return noted.policy


def notes_of(item: pytest.Item) -> ItemNotes:
    """Return the notes of a test, begun if need be."""
    if item_notes_key not in item.stash:
        item.stash[item_notes_key] = ItemNotes()
        if (taker := note_taker(item.config)) is not None:
            taker.announce()
    return item.stash[item_notes_key]


def read_mark(marker: pytest.Mark, nodeid: str) -> Mark:
    """Check a ``scenario`` marker and return what it declares.

    Raises pytest.UsageError that names the test, the argument, and what would be right.
    """
    arguments = dict(marker.kwargs)
    if len(marker.args) > 1:
        raise _wrong_mark(nodeid, f"takes one id, got {len(marker.args)}")
    scenario = marker.args[0] if marker.args else arguments.pop("id", None)
    if scenario is None:
        scenario = nodeid
    if not isinstance(scenario, str) or not scenario.strip():
        raise _wrong_mark(nodeid, f"id must be a text that is not empty, got {scenario!r}")
    tags, reads = (_texts(nodeid, name, arguments.pop(name, ())) for name in ("tags", "reads"))
    criteria = tuple(
        sorted(
            (name, _criterion(nodeid, name, value)) for name, value in arguments.items() if value is not None
        )
    )
    return Mark(declaration=Declaration(scenario=scenario, tags=tags, criteria=criteria), reads=reads)


def type_name(kind: type[BaseException]) -> str:
    """Return the name that an exception type is stored under: qualified, without ``builtins``."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


item_notes_key = pytest.StashKey[ItemNotes]()
evidence_id_key = pytest.StashKey[str]()
"""The node id under which an item's evidence gathers, where that is not its own."""
_note_taker_key = pytest.StashKey[NoteTaker]()


def register_note_taker(config: pytest.Config, taker: NoteTaker) -> None:
    """Put the note taker to work in this process."""
    config.stash[_note_taker_key] = taker
    config.pluginmanager.register(taker, "causal-notes")


def note_taker(config: pytest.Config) -> NoteTaker | None:
    """Return the note taker of this process, if there is one."""
    return config.stash.get(_note_taker_key, None)


def _session_policy(config: pytest.Config) -> "PolicyMapping":
    taker = config.stash.get(_note_taker_key, None)
    if taker is None:  # the plugin is idle: the policy can be read, and nothing is recorded
        taker = NoteTaker(infrastructure_errors=(), policy=lambda: _policy_of_idle(config))
        config.stash[_note_taker_key] = taker
    return taker.policy()


def _policy_of_idle(config: pytest.Config) -> "PolicyMapping":
    from pytest_causal.hooks.configuration import run_policy, run_settings

    try:
        return run_policy(config, run_settings(config)).mapping()
    except CausalError as error:
        raise pytest.UsageError(str(error)) from error


def _scenario_marker(item: pytest.Item, inherited: dict[int, pytest.Mark | None]) -> pytest.Mark | None:
    """Return the marker that is closest to a test. ``inherited`` keeps what was found for parents, by the id of each:
    to go up from each of 10,000 tests takes ten times as long."""
    for mark in item.own_markers:
        if getattr(mark, "name", None) == "scenario":
            return mark
    parent = item.parent
    if parent is None:
        return None
    if id(parent) not in inherited:
        inherited[id(parent)] = parent.get_closest_marker("scenario")
    return inherited[id(parent)]


def _measured(noted: ItemNotes) -> dict[str, object]:
    measured: dict[str, object] = {}
    metrics = list(noted.metrics.values())
    if noted.dropped:
        metrics.append(Metric(name="causal_metrics_dropped", value=float(noted.dropped)))
    if metrics:
        measured["metrics"] = [(metric.name, metric.value, metric.kind) for metric in metrics]
    reads = {read.path: read for read in (noted.policy.reads() if noted.policy is not None else ())}
    if noted.declared and noted.policy is not None:
        for read in noted.policy.declared(noted.declared):
            reads.setdefault(read.path, read)
    if reads:
        measured["reads"] = [(read.path, read.value, read.how) for _, read in sorted(reads.items())]
    return measured


def _all_names(kind: type[BaseException]) -> set[str]:
    names = set()
    for base in kind.__mro__:
        names.add(base.__qualname__)
        names.add(f"{base.__module__}.{base.__qualname__}")
    return names


def _texts(nodeid: str, name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, list | tuple | set | frozenset):
        raise _wrong_mark(nodeid, f"{name} must be a list of texts, got {value!r}")
    if not all(isinstance(part, str) for part in value):
        raise _wrong_mark(nodeid, f"{name} must be a list of texts, got {value!r}")
    return tuple(sorted(value) if isinstance(value, set | frozenset) else value)


def _criterion(nodeid: str, name: str, value: object) -> object:
    """Check one criterion by its row in the table of settings."""
    from pytest_causal.settings.sources import checked_value
    from pytest_causal.settings.suggestion import did_you_mean
    from pytest_causal.settings.table import CRITERIA, SETTINGS

    rows = {
        setting.name: setting
        for setting in SETTINGS
        if setting.section == CRITERIA and setting.name != "rule"
    }
    if name not in rows:
        raise _wrong_mark(
            nodeid, f"unknown argument {name!r}; {did_you_mean(name, {*rows, 'id', 'tags', 'reads'})}"
        )
    try:
        checked = checked_value(rows[name], value)
    except ValueError as problem:
        raise _wrong_mark(nodeid, f"{name}: {problem}") from problem
    return str(checked) if isinstance(checked, StrEnum) else checked


def _wrong_mark(nodeid: str, what: str) -> pytest.UsageError:
    return pytest.UsageError(f"{nodeid}: @pytest.mark.scenario: {what}")

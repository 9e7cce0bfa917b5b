"""The arms of a session: today's policy, and the candidates that the session or its shadow items run under.

Nothing here is imported by a session that asks for neither ``--causal-shadow`` nor ``--causal-arm``.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_causal.errors import UsageError
from pytest_causal.hooks.folding import Folding, Key
from pytest_causal.hooks.masking import unmasked
from pytest_causal.model.change import CANDIDATE_PREFIX, matches
from pytest_causal.model.run import Outcome, Read, ReadHow, Run
from pytest_causal.policy.candidates import OpenCandidate, candidate_of_arm, open_candidates
from pytest_causal.policy.mapping import PolicyMapping
from pytest_causal.rules.attribution import attributed
from pytest_causal.views.shadow import ShadowFailure, ShadowView, shadow_lines
from pytest_causal.views.summary import Line

if TYPE_CHECKING:
    import pytest

    from pytest_causal.policy.in_force import Policy
    from pytest_causal.settings.sources import Settings

SHADOW_ID = "causal:"
"""What the id of a shadow item's parameter begins with; the candidate's name follows."""


class Arm(NamedTuple):
    """A candidate as those who run tests need it.

    ``mapping`` is the policy with its change made; ``changed`` are the values it changes, as reads ascribed to runs
    that ended before they read any.
    """

    name: str
    patterns: tuple[str, ...]
    mapping: PolicyMapping
    changed: tuple[Read, ...]

    @classmethod
    def of(cls, opened: OpenCandidate) -> Arm:
        """Return the arm of an open candidate."""
        candidate, policy = opened
        values = policy.read_values
        changed = tuple(Read(path, values[path], ReadHow.ASSIGNED) for path in candidate.change.paths)
        return cls(candidate.name, candidate.patterns, policy.mapping(), changed)

    @property
    def label(self) -> str:
        """The arm under which its runs are recorded."""
        return CANDIDATE_PREFIX + self.name

    def is_gated_by(self, scenario: str) -> bool:
        """Whether a scenario, by its name, must vouch for the candidate."""
        return any(matches(scenario, pattern) for pattern in self.patterns)

    def to_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` makes an equal arm from, in another process."""
        return {
            "name": self.name,
            "patterns": self.patterns,
            "mapping": self.mapping.to_json(),
            "changed": [(read.path, read.value) for read in self.changed],
        }

    @classmethod
    def from_json(cls, carried: Mapping[str, Any]) -> Arm:
        """Return the arm that :meth:`to_json` described."""
        return cls(
            carried["name"],
            tuple(carried["patterns"]),
            PolicyMapping.from_json(carried["mapping"]),
            tuple(Read(path, value, ReadHow.ASSIGNED) for path, value in carried["changed"]),
        )


class Shadows:
    """The candidates that run beside today's policy, and the seed of the order in which they do."""

    def __init__(self, arms: Iterable[Arm], seed: int) -> None:
        self.arms = {arm.name: arm for arm in arms}
        self.seed = seed
        names = "|".join(re.escape(name) for name in sorted(self.arms, key=len, reverse=True))
        self._part = re.compile(rf"(?<=[\[-]){SHADOW_ID}({names})(?=[-\]])")

    def split(self, nodeid: str) -> tuple[str, Arm | None]:
        """Return the node id of the control item, and the arm; ``None`` where this is no shadow's node id.

        The parts of a parametrised id are joined by ``-``: ``[x-causal:NAME]`` is the shadow of ``[x]``.
        """
        found = self._part.search(nodeid)
        if found is None:
            return nodeid, None
        before, after = nodeid[: found.start()], nodeid[found.end() :]
        if before.endswith("-"):
            before = before[:-1]
        elif after.startswith("-"):
            after = after[1:]
        else:
            before, after = before[:-1], after[1:]
        return before + after, self.arms[found[1]]

    def to_json(self) -> str:
        """Return what :meth:`from_json` makes an equal one from, in a worker."""
        return json.dumps({"seed": self.seed, "arms": [arm.to_json() for arm in self.arms.values()]})

    @classmethod
    def from_json(cls, text: str) -> Shadows:
        """Return the shadows that :meth:`to_json` described."""
        carried = json.loads(text)
        return cls(map(Arm.from_json, carried["arms"]), carried["seed"])


class Arms:
    """What a session runs under: ``policy``, which is that of the arm ``whole`` where there is one, and ``shadows``.

    Counts what ran in the shadows, and keeps what failed there.
    """

    def __init__(self, policy: Policy, *, whole: Arm | None = None, shadows: Shadows | None = None) -> None:
        self.policy = policy
        self.whole = whole
        self.shadows = shadows
        self._counts: Counter[tuple[str, Outcome]] = Counter()
        self._failures: list[ShadowFailure] = []

    @property
    def handover(self) -> str:
        """What a worker must know of the arms; nothing where it runs no shadow items."""
        return self.shadows.to_json() if self.shadows is not None and self.shadows.arms else ""

    @property
    def header(self) -> str:
        """What the head of the session says of its arms."""
        if self.whole is not None:
            values = ", ".join(f"{read.path} = {read.value}" for read in self.whole.changed)
            return f"causal: every run is made under {self.whole.label} ({values})"
        if self.shadows is None or not self.shadows.arms:
            return "causal: no candidate is open, so that nothing runs in its shadow"
        labels = ", ".join(arm.label for arm in self.shadows.arms.values())
        return f"causal: tests run once more in the shadow of {labels} (seed {self.shadows.seed})"

    def folding(self, clean: Callable[[str], str], *, prefix: str, strips_groups: bool) -> Folding:
        """Return the folding that puts each run in its arm."""
        return ArmedFolding(clean, self, prefix=prefix, strips_groups=strips_groups)

    def of_run(self, run: Run) -> Run:
        """Return a run in its arm, which follows from its node id, with the reads that it must answer for."""
        arm, scenario = self.whole, run.scenario
        if self.shadows is not None:
            control, arm = self.shadows.split(run.nodeid)
            if scenario == run.nodeid:
                scenario = control
        if arm is None:
            return run
        run = attributed(run._replace(arm=arm.label, scenario=scenario), arm.changed)
        if self.shadows is not None:
            self._note(run)
        return run

    def lines(self, limit: int | None, width: int) -> Iterator[Line]:
        """Yield what the summary says of the arms, ``limit`` failures at most (``None``: all)."""
        if self.whole is not None:
            yield Line(
                text=f"made under {self.whole.label}; the verdicts are on the policy in force",
                marks=("yellow",),
            )
        elif self.shadows is not None and self._counts:
            view = ShadowView(self.shadows.seed, self._counts, tuple(self._failures))
            yield from shadow_lines(view, limit=limit, width=width)

    def _note(self, run: Run) -> None:
        self._counts[run.arm, run.outcome] += 1
        if run.is_failure:
            message = run.cause.message if run.cause is not None else ""
            self._failures.append(ShadowFailure(run.arm, run.nodeid, run.outcome, message))


def settle_arms(settings: Settings, policy: Policy) -> Arms:
    """Return the arms that a session was asked for. Raises CausalError for what cannot be used."""
    opened = candidate_of_arm(settings.arm, settings, policy)
    if opened is not None and settings.shadow:
        raise UsageError(
            f"{settings.origins['arm'].place} = {settings.arm} and shadow items were asked for together",
            "a shadow stands beside today's policy: leave one of the two out",
        )
    if opened is not None:
        return Arms(opened.policy, whole=Arm.of(opened))
    seed = settings.shadow_seed or int.from_bytes(os.urandom(4)) or 1
    return Arms(policy, shadows=Shadows(map(Arm.of, open_candidates(settings, policy)), seed))


class ArmedFolding(Folding):
    """Folds the reports of several arms, also where a crash left none."""

    has_arms = True

    def __init__(
        self, clean: Callable[[str], str], arms: Arms, *, prefix: str = "", strips_groups: bool = False
    ) -> None:
        super().__init__(clean, prefix=prefix, strips_groups=strips_groups)
        self._arms = arms

    def fold(self, reports: deque[pytest.TestReport]) -> Iterator[Run]:
        """Take reports one by one: each may be masked."""
        while reports:
            run = self.add(reports.popleft())
            if run is not None:
                yield run

    def add(self, report: pytest.TestReport) -> Run | None:
        """Take one report, as it was before it was masked."""
        run = super().add(unmasked(report))
        return None if run is None else self._arms.of_run(run)

    def collection_problem(self, report: pytest.CollectReport) -> Run | None:
        """Return the run that stands for a collector."""
        run = super().collection_problem(report)
        return None if run is None else self._arms.of_run(run)

    def missing(self, selected: Iterable[Key]) -> Iterator[Run]:
        """Yield a run for each selected test that never ended."""
        return map(self._arms.of_run, super().missing(selected))

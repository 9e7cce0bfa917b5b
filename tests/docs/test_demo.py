"""The demo can fail: each of its claims turns wrong when the store says something else."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.needs_checkout
DEMO = Path(__file__).parents[2] / "examples" / "demo.py"

Status = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def demo() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("causal_demo", DEMO)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def scenario(**facts: Any) -> dict[str, Any]:
    return {
        "runs": 4, "failed": 0, "skipped": 0, "verdict": "not_yet", "clean_sessions_needed": 19,
        "runs_under_other_policies": 0, **facts,
    }  # fmt: skip


class Stand:
    """Answers as a shop does: ``answers`` are the statuses, in the order in which they are asked for."""

    def __init__(self, counted: int, *answers: Status) -> None:
        self.counted = counted
        self.answers = list(answers)
        self.reads = {"standard.cache_kib", "standard.max_rows", "standard.max_wall_time_ms"}

    def record(self, *options: str, is_shown: bool = False) -> int:
        return self.counted

    def show(self, *words: str, expected: int = 0) -> None:
        """Show nothing."""

    def newest_reads(self, scenario: str) -> set[str]:
        return self.reads

    def status(self) -> Status:
        return self.answers.pop(0)


def broken_after_gathering(demo: ModuleType, status: Status) -> int:
    claims = demo.Claims()
    demo.gather(Stand(10, status), claims)
    assert len(claims.lines) == 3
    return int(claims.broken)


def gathered() -> Status:
    return {
        "customer-card": scenario(runs=32, verdict="eligible"),
        "heavy-report": scenario(),
        "pool-scales": scenario(runs=0, skipped=4),
    }


def test_gathering_is_believed_when_all_is_as_claimed(demo: ModuleType) -> None:
    assert broken_after_gathering(demo, gathered()) == 0


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("pool-scales", {"skipped": 3}),
        ("customer-card", {"verdict": "not_yet"}),
        ("heavy-report", {"verdict": "eligible"}),
        ("heavy-report", {"clean_sessions_needed": 0}),
    ],
)
def test_gathering_is_not_believed_otherwise(demo: ModuleType, name: str, facts: dict[str, Any]) -> None:
    status = gathered()
    status[name].update(facts)
    assert broken_after_gathering(demo, status) == 1


def harmed() -> tuple[Status, Status, Status]:
    """Return the status before, after, and under the bad value."""
    before = {name: scenario() for name in ("heavy-report", "customer-card", "data-is-seeded")}
    after = {name: scenario(runs=5) for name in before} | {
        "heavy-report": scenario(runs_under_other_policies=1)
    }
    under_harm = {name: scenario(runs=5) for name in before} | {
        "heavy-report": scenario(runs=3, failed=3, verdict="rejected", runs_under_other_policies=4)
    }
    return before, after, under_harm


def broken_after_harm(
    demo: ModuleType, monkeypatch: pytest.MonkeyPatch, statuses: tuple[Status, ...], *more_reads: str
) -> int:
    before, after, under_harm = statuses
    shop, bad = Stand(3, before, after), Stand(3, under_harm)
    shop.reads.update(more_reads)
    monkeypatch.setattr(demo, "replace", lambda shop, **changes: bad)
    claims = demo.Claims()
    demo.harm(shop, claims)
    assert len(claims.lines) == 7
    return int(claims.broken)


def test_harm_is_believed_when_all_is_as_claimed(demo: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert broken_after_harm(demo, monkeypatch, harmed()) == 0


def test_a_run_that_is_said_to_have_read_all_is_not_believed(
    demo: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert broken_after_harm(demo, monkeypatch, harmed(), "light.max_rows") == 1


def tampered(place: int, name: str, **facts: Any) -> Callable[[tuple[Status, ...]], None]:
    return lambda statuses: statuses[place][name].update(facts)


@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(
            tampered(1, "heavy-report", runs_under_other_policies=0), id="the harmed one read nothing"
        ),
        pytest.param(tampered(1, "data-is-seeded", runs_under_other_policies=1), id="all read it"),
        pytest.param(tampered(2, "heavy-report", failed=2), id="it passed once"),
        pytest.param(tampered(1, "heavy-report", failed=1), id="its record was touched"),
        pytest.param(tampered(1, "customer-card", runs=4), id="a run was lost"),
        pytest.param(tampered(2, "customer-card", runs=1), id="another's record was parted"),
        pytest.param(tampered(2, "heavy-report", verdict="not_yet"), id="it was not rejected"),
    ],
)
def test_harm_is_not_believed_otherwise(
    demo: ModuleType, monkeypatch: pytest.MonkeyPatch, tamper: Callable[[tuple[Status, ...]], None]
) -> None:
    statuses = harmed()
    tamper(statuses)
    assert broken_after_harm(demo, monkeypatch, statuses) >= 1


class Course(Stand):
    """Answers as a shop does whose sessions have one state after the other; what is ``broken`` is answered wrongly."""

    def __init__(self, states: list[str], *, watched: int = 0, **broken: Any) -> None:
        super().__init__(8)
        self.states = states
        self.watched = watched
        self.broken = broken
        self.number = -1

    def record(self, *options: str, is_shown: bool = False) -> int:
        self.number += 1
        return self.counted

    def promotions(self) -> list[dict[str, Any]]:
        state = self.states[self.number]
        facts = {"runs": 24, "reads": [{"path": "pool.queue_limit"}]} | self.broken.get("evidence", {})
        first = {
            "name": "longer-queue",
            "state": state,
            "watched": self.watched,
            "evidence": {"scenarios": [facts]},
        }
        again = {"name": "longer-queue", "state": self.broken.get("again", "locked")}
        return [first, again] if state == "reverted" else [first]

    def overrides(self) -> dict[str, Any]:
        has_value = self.states[self.number] == "provisional"
        return self.broken.get("overrides", {"pool": {"queue_limit": 48}} if has_value else {})  # type: ignore[no-any-return]

    def audit(self) -> list[dict[str, Any]]:
        told = ["proposed", "eligible", "provisional", "reverted", "locked"]
        return [{"state_after": state} for state in self.broken.get("told", told)]


EARNED = ["proposed", "proposed", "provisional"]
TAKEN_BACK = ["provisional", "reverted", "reverted"]


def broken_after(demo: ModuleType, monkeypatch: pytest.MonkeyPatch, chapter: str, course: Course) -> int:
    monkeypatch.setattr(demo, "replace", lambda shop, **changes: shop)
    claims = demo.Claims()
    getattr(demo, chapter)(course, claims)
    return int(claims.broken)


def test_promotion_is_believed_when_all_is_as_claimed(
    demo: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert broken_after(demo, monkeypatch, "earn", Course(EARNED)) == 0
    assert broken_after(demo, monkeypatch, "degrade", Course(TAKEN_BACK, watched=1)) == 0


@pytest.mark.parametrize(
    ("states", "broken"),
    [
        pytest.param(["proposed", "provisional", "provisional"], {}, id="it was made too early"),
        pytest.param(["proposed", "proposed", "eligible"], {}, id="it was not made"),
        pytest.param(EARNED, {"overrides": {}}, id="the file has nothing"),
        pytest.param(EARNED, {"overrides": {"pool": {"queue_limit": 49}}}, id="the file has another value"),
        pytest.param(EARNED, {"evidence": {"runs": 48}}, id="other runs were counted"),
        pytest.param(EARNED, {"evidence": {"reads": []}}, id="none read the value"),
    ],
)
def test_promotion_is_not_believed_otherwise(
    demo: ModuleType, monkeypatch: pytest.MonkeyPatch, states: list[str], broken: dict[str, Any]
) -> None:
    assert broken_after(demo, monkeypatch, "earn", Course(states, **broken)) >= 1


@pytest.mark.parametrize(
    ("states", "watched", "broken"),
    [
        pytest.param(["reverted", "reverted", "reverted"], 1, {}, id="it was taken back too early"),
        pytest.param(TAKEN_BACK, 0, {}, id="nobody watched"),
        pytest.param(["provisional", "provisional", "reverted"], 1, {}, id="it was not taken back"),
        pytest.param(TAKEN_BACK, 1, {"overrides": {"pool": {"queue_limit": 48}}}, id="the file kept it"),
        pytest.param(TAKEN_BACK, 1, {"again": "eligible"}, id="it may be made again"),
        pytest.param(
            TAKEN_BACK, 1, {"told": ["proposed", "eligible", "provisional", "locked"]}, id="not told"
        ),
    ],
)
def test_taking_back_is_not_believed_otherwise(
    demo: ModuleType, monkeypatch: pytest.MonkeyPatch, states: list[str], watched: int, broken: dict[str, Any]
) -> None:
    assert broken_after(demo, monkeypatch, "degrade", Course(states, watched=watched, **broken)) >= 1


@pytest.mark.parametrize(("holds", "code"), [(True, 0), (False, 1)])
def test_a_wrong_claim_is_the_exit_code(
    demo: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    holds: bool,
    code: int,
) -> None:
    monkeypatch.setattr(demo, "CHAPTERS", (lambda shop, claims: claims.check(holds, "water is wet"),))
    assert demo.main([]) == code
    assert ("ok    water is wet" in capsys.readouterr().out) is holds


def test_a_folder_that_is_there_is_not_written_to(
    demo: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        demo.main(["--keep", str(tmp_path)])
    assert "begins in a new folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

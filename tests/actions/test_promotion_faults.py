"""What may befall a promotion: an overlap, a second revert, a lost store, rivals, a kill switch in the middle."""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_causal.actions.act import ConflictError, DriftError
from pytest_causal.actions.context import Context, NoExtensions
from pytest_causal.actions.reconcile import Side, reconcile
from pytest_causal.actions.revert import RefusedError, lessons_of, revert
from pytest_causal.actions.review import review, stored_for
from pytest_causal.errors import ConfigError
from pytest_causal.model.change import Change, Step
from pytest_causal.model.promotion import Basis, Mode, Promotion, State
from pytest_causal.policy.promotion_rules import find_rule
from pytest_causal.rules.guards import Guard
from pytest_causal.store.opening import open_store
from tests.actions.loaded import ASSUMED, PATHS, Loaded
from tests.actions.world import DAY_US, START_US


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Loaded]:
    made = Loaded(tmp_path / "project", {"more": {"a": 2}})
    yield made
    made.store.close()


def reads_all(policy: Any, metric: Any) -> None:
    policy.to_dict()


changes = st.dictionaries(st.sampled_from(PATHS), st.integers(2, 4), min_size=1, max_size=3)


@settings(max_examples=15, deadline=None)
@given(first=changes, second=changes.map(lambda change: {**change, "d": 10}))
def test_m4_of_two_changes_the_older_one_is_taken_back_alone(
    first: dict[str, int], second: dict[str, int]
) -> None:
    """Where they set a value both, the older one cannot be; where they do not, not a value of the newer one moves."""
    with tempfile.TemporaryDirectory() as folder:
        world = Loaded(Path(folder), {"first": first, "second": second}, criteria=ASSUMED)
        world.tests = dict.fromkeys(PATHS, reads_all)
        world.session(reviewed=False, shadow=False)
        older = world.make("first")
        world.session(reviewed=False, shadow=False)
        newer = world.make("second")
        base = dict.fromkeys(PATHS, 1)
        assert dict(world.policy.flat) == base | first | second
        if any(second.get(path, value) != value for path, value in first.items()):
            before = world.context.overrides_path.read_bytes()
            with pytest.raises(RefusedError, match=f"revert {newer.label} first"):
                revert(world.context, older, reason="tried")
            assert world.context.overrides_path.read_bytes() == before
        else:
            revert(world.context, older, reason="tried")
            assert dict(world.policy.flat) == base | {
                path: value for path, value in second.items() if path not in first
            }
        world.check_whole()
        world.store.close()


def test_m5_what_was_taken_back_is_not_taken_back_from_its_successor(world: Loaded) -> None:
    world.session(repeats=40, reviewed=False)
    world.session(repeats=40)
    first = revert(world.context, world.promotion("more"), reason="tried", teaches=False)
    world.session(repeats=40)
    second = world.promotion("more")
    assert (second.state, world.value("a")) == (State.PROVISIONAL, 2)
    with pytest.raises(RefusedError, match=f"{first.label} is reverted"):
        revert(world.context, first, reason="once more")
    assert world.value("a") == 2
    assert world.acted() == ["promote", "revert", "promote"]
    world.check_whole()


def test_a_value_that_the_policy_does_not_know_is_not_left_out(world: Loaded) -> None:
    config = world.root / "causal.toml"
    config.write_text(config.read_text().replace("{a = 2}", "{a = 2, e = 2}"))
    world.session(repeats=40, reviewed=False, shadow=False)
    with pytest.raises(ConfigError, match="the policy has no 'e'"):
        review(world.context)
    assert world.value("a") == 1


TRIED = Promotion(
    id=1,
    name="tried",
    state=State.PROVISIONAL,
    mode=Mode.AUTO,
    basis=Basis.CANDIDATE,
    scenarios=("load",),
    change=Change(()),
    created_us=START_US,
    changed_us=START_US,
)
names = st.text(st.sampled_from("ab\n.:"), min_size=1, max_size=4)
taught = st.tuples(names, st.sampled_from(("x", "x.y", "y")), st.integers(0, 3), st.integers(0, 3)).filter(
    lambda each: each[2] != each[3]
)


@pytest.fixture(scope="module")
def taught_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    made = Loaded(tmp_path_factory.mktemp("lessons"), {})
    yield made.context
    made.store.close()


@given(one=taught, other=taught)
def test_m11_failures_that_are_alike_are_not_taken_for_one_another(
    taught_in: Context, one: tuple[str, str, int, int], other: tuple[str, str, int, int]
) -> None:
    """A lesson is known by its scenario, its value and its direction, whatever the names contain."""

    def signature(scenario: str, path: str, before: int, after: int) -> str:
        change = Change((Step(path, before, after),))
        (lesson,) = lessons_of(taught_in, TRIED._replace(change=change), "it failed", [scenario])
        return lesson.signature

    same = one[:2] == other[:2] and (one[3] > one[2]) == (other[3] > other[2])
    assert (signature(*one) == signature(*other)) is same


def test_m11_a_change_that_failed_is_not_tried_again_on_the_evidence_it_had(world: Loaded) -> None:
    for _ in range(2):
        world.session(repeats=100)
    world.load.bears = 1
    world.session()
    assert world.value("a") == 1
    world.load.bears = 10**9
    world.session()
    locked = world.promotion("more")
    assert locked.state is State.LOCKED
    assert locked.verdict is not None
    assert [each.lesson for each in locked.verdict.scenarios] == [0, 1]


@pytest.mark.parametrize("damage", ["gone", "garbage"])
def test_m12_without_its_memory_it_learns_anew_and_changes_nothing(world: Loaded, damage: str) -> None:
    """Evidence, lessons and audit are lost together: nothing acts until a person has said what is to be true."""
    for _ in range(2):
        world.session(repeats=40)
    world.load.bears = 1
    world.session()
    world.load.bears = 10**9
    assert world.store.lessons()
    values = dict(world.policy.flat)
    place = world.root / ".causal" / "history.db"
    world.store.close()
    for path in place.parent.glob("history.db*"):
        path.unlink()
    if damage == "garbage":
        place.write_bytes(os.urandom(8192))
    world.store = open_store(str(place))
    assert list(world.store.audit()) == []
    for _ in range(3):
        with pytest.raises(DriftError):
            world.session(repeats=40)
    assert (dict(world.policy.flat), world.acted()) == (values, [])
    reconcile(world.context, Side.FILE)
    world.session(repeats=1)
    assert world.value("a") == 2, "the sessions since are evidence, and the lesson is not remembered"
    world.check_whole()


def in_children(count: int, play: Callable[[], None]) -> None:
    """Play in so many processes at once, each let loose when all are there; each must end well."""
    ready, go = os.pipe(), os.pipe()
    pids = []
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.write(ready[1], b".")
                os.close(go[1])
                os.read(go[0], 1)  # ends when the parent closes its end
                play()
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        pids.append(pid)
    there = b""
    while len(there) < count:
        there += os.read(ready[0], count)
    os.close(go[1])
    for pid in pids:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    for handle in (*ready, go[0]):
        os.close(handle)


def review_as_one_of_many(world: Loaded) -> None:
    """Review in a process of its own, which may find that another was first."""
    place, settings_, now_us = world.store.location, world.settings, world.now_us

    def play() -> None:
        store = open_store(place)
        try:
            review(Context(store, settings_, f"process {os.getpid()}", now_us))
        except ConflictError:
            pass  # another was first
        finally:
            store.close()

    world.store.close()
    in_children(8, play)
    world.store = open_store(place)


@pytest.mark.slow
def test_m13_one_incident_that_eight_processes_see_is_acted_upon_once(tmp_path: Path) -> None:
    for round_ in range(3):
        world = Loaded(tmp_path / str(round_), {"more": {"a": 2}, "other": {"b": 2}})
        world.session(repeats=40, reviewed=False)
        review_as_one_of_many(world)
        assert sorted(each.name for each in world.store.promotions()) == ["more", "other"]
        world.session(repeats=40)
        assert world.acted() == ["promote", "promote"]
        world.load.bears = 1
        world.session(reviewed=False)
        review_as_one_of_many(world)
        assert world.acted().count("revert") == 2, "each of the two was read by a session that failed"
        (more, other) = world.store.lessons()
        assert (more.times, other.times) == (1, 1)
        on_their_way = [
            each.name for each in world.store.promotions() if not (each.state.is_final or each.state.is_live)
        ]
        assert len(on_their_way) == len(set(on_their_way))
        world.check_whole()
        world.store.close()


def test_m13_a_second_promotion_of_one_rule_that_is_there_all_the_same_is_closed(world: Loaded) -> None:
    world.session(repeats=40)
    with world.store.acting() as ledger:
        ledger.put(world.promotion("more")._replace(id=0))
    world.session(repeats=40)
    world.session(repeats=40)
    states = {each.label: each.state for each in world.store.promotions()}
    assert states == {"P-1": State.SUPERSEDED, "P-2": State.PROVISIONAL}
    world.check_whole()


def test_m14_after_so_many_changes_no_more_are_made_also_after_a_restart_then_one_at_a_time(
    tmp_path: Path,
) -> None:
    rules = {f"rule-{path}": {path: 2} for path in PATHS}
    world = Loaded(tmp_path / "project", rules, most=2)
    world.session(repeats=40, reviewed=False)
    world.session(repeats=40)
    assert world.acted() == ["promote"] * 2
    made_us = world.now_us
    for hours in (8, 16):
        world.store.close()
        world.store = open_store(str(world.root / ".causal" / "history.db"))
        reviewed = world.session(repeats=40)
        assert world.now_us == made_us + hours * DAY_US // 24
        held = [each for each in reviewed if each.promotion.state is State.HELD]
        assert [each.promotion.name for each in held] == ["rule-c", "rule-d"]
        assert all(
            [(refusal.guard, refusal.could_pass_us) for refusal in each.evaluation.refusals]
            == [(Guard.RATE, made_us + DAY_US)]
            for each in held
            if each.evaluation
        )
    config = world.root / "causal.toml"
    config.write_text(config.read_text().replace("max_actions = 2", "max_actions = 1"))
    world.session(repeats=40)
    assert world.now_us == made_us + DAY_US
    assert world.acted() == ["promote"] * 3, "exactly one is let through"
    world.check_whole()
    world.store.close()


class Freezing(NoExtensions):
    """Somebody throws the kill switch at one moment of the work."""

    def __init__(self, root: Path, moment: str) -> None:
        self.switch = root / ".causal" / "FROZEN"
        self.moment = moment

    def freeze(self, moment: str) -> None:
        if moment == self.moment:
            self.switch.touch()

    def vetoes(self, decision: Promotion) -> tuple[str, ...]:
        self.freeze("while it is decided")
        return ()

    def apply(self, change: Change, promotion: Promotion) -> None:
        self.freeze("while a target is told")

    def revert(self, change: Change, promotion: Promotion) -> None:
        self.freeze("while a target is told that it was taken back")

    def notify(self, promotion: Promotion, before: State, after: State) -> None:
        self.freeze(f"when it became {after}")


@pytest.mark.parametrize(
    ("moment", "made"),
    [
        ("while it is decided", []),
        ("when it became eligible", []),
        ("when it became provisional", ["promote"]),
        ("while a target is told", ["promote"]),
    ],
)
def test_m17_a_kill_switch_in_the_middle_stops_what_was_not_done_yet(
    tmp_path: Path, moment: str, made: list[str]
) -> None:
    root = tmp_path / "project"
    world = Loaded(root, {"more": {"a": 2}, "other": {"b": 2}}, Freezing(root, moment))
    world.session(repeats=40, reviewed=False)
    world.session(repeats=40)
    assert (root / ".causal" / "FROZEN").exists()
    assert world.acted() == made
    assert (world.value("a"), world.value("b")) == (2 if made else 1, 1)
    world.check_whole()
    world.session(repeats=40)
    assert world.acted() == made
    (root / ".causal" / "FROZEN").unlink()
    world.extensions = NoExtensions()
    world.session(repeats=40)
    assert world.acted() == ["promote", "promote"]
    world.check_whole()
    world.store.close()


def test_m17_a_kill_switch_between_two_reverts_leaves_the_second(tmp_path: Path) -> None:
    root = tmp_path / "project"
    moment = "while a target is told that it was taken back"
    world = Loaded(root, {"more": {"a": 2}, "other": {"b": 2}}, Freezing(root, moment))
    world.session(repeats=40, reviewed=False)
    world.session(repeats=40)
    world.load.bears = 1
    world.session()
    assert world.acted() == ["promote", "promote", "revert"]
    assert (world.value("a"), world.value("b")) == (1, 2)
    world.check_whole()
    world.store.close()


def test_m17_the_setting_stops_the_next_process(world: Loaded) -> None:
    world.session(repeats=40, reviewed=False)
    world.session(repeats=40, reviewed=False)
    frozen = world.settings._replace(freeze=True)
    (reviewed,) = review(world.context._replace(settings=frozen))
    assert reviewed.promotion.state is State.HELD
    assert reviewed.evaluation is not None
    assert [each.guard for each in reviewed.evaluation.refusals] == [Guard.KILL_SWITCH]
    assert (world.value("a"), world.acted()) == (1, [])
    (reviewed,) = review(world.context)
    assert world.value("a") == 2
    assert stored_for(world.context, find_rule(world.settings, "more")) == reviewed.promotion


def test_t17_what_acts_write_is_in_a_folder_of_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        world = Loaded(tmp_path / "project", {"more": {"a": 2}})
        for bears in (9, 9, 1):
            world.load.bears = bears
            world.session(repeats=40)
        assert world.acted() == ["promote", "revert"]
        folder = world.context.overrides_path.parent
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {path.parent for path in world.root.rglob("*") if path.name != "causal.toml"} == {
            folder,
            world.root,
        }
        world.store.close()
    finally:
        os.umask(before)

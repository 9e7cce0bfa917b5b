"""Acts that race and acts that are killed: one winner, an unbroken chain, and a file that holds what was audited."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.actions import act as acts
from pytest_causal.actions.act import Act, ConflictError, DriftError, holding_live, perform
from pytest_causal.actions.audit import verify_audit
from pytest_causal.model.change import Change, Step
from pytest_causal.model.promotion import Action, Basis, Mode, Promotion, State
from pytest_causal.policy import atomic_file
from pytest_causal.policy.overrides import read_overrides
from pytest_causal.store.interface import HistoryStore
from pytest_causal.store.opening import open_store
from tests.scale import times

NOW_US = 1_763_700_000_000_000


def promotion(name: str, before: Any = 1, after: Any = 2) -> Promotion:
    return Promotion(
        id=0,
        name=name,
        state=State.ELIGIBLE,
        mode=Mode.AUTO,
        basis=Basis.CANDIDATE,
        scenarios=("s",),
        change=Change((Step(f"limits.{name}", before, after),)),
        created_us=NOW_US,
        changed_us=NOW_US,
    )


class Desk:
    """A store, an override file, and promotions that can be made and taken back at will."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / ".causal" / "runtime_overrides.json"
        self.store = self.open()

    def open(self) -> HistoryStore:
        return open_store(str(self.folder / ".causal" / "history.db"))

    def propose(self, name: str) -> Promotion:
        with self.store.acting() as ledger:
            return ledger.put(promotion(name))

    def settle(self) -> None:
        """Begin as the next action does: finish what was cut short."""
        with holding_live(self.store, self.path, NOW_US):
            pass

    def check(self) -> None:
        checked = verify_audit(self.store, self.path)
        assert checked.problems == ()
        live, file = self.store.live(), read_overrides(self.path)
        assert dict(file.leaves) == dict(live.leaves)
        assert file.revision == live.revision
        standing = {
            each.change.paths[0]: each.change.steps[0].after
            for each in self.store.promotions()
            if each.state is State.PROVISIONAL
        }
        assert dict(live.leaves) == standing


def toggle(store: HistoryStore, number: int) -> Act:
    """Return the act that makes a promotion's change, or takes it back, decided on what stands now."""
    (mine,) = (each for each in store.promotions() if each.id == number)
    leaves = dict(store.live().leaves)
    if mine.state is State.PROVISIONAL:
        leaves.pop(mine.change.paths[0])
        after, action = mine._replace(state=State.ELIGIBLE), Action.REVERT
    else:
        leaves.update(mine.change.after)
        after, action = mine._replace(state=State.PROVISIONAL), Action.PROMOTE
    return Act(action, after, mine.state, "person test", NOW_US, leaves=leaves)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.store.close()


def test_an_act_is_stored_audited_and_written(desk: Desk) -> None:
    one = desk.propose("one")
    made = perform(desk.store, desk.path, toggle(desk.store, one.id), desk.store.live())
    assert made.state is State.PROVISIONAL
    assert dict(read_overrides(desk.path).leaves) == {"limits.one": 2}
    assert read_overrides(desk.path).entries["limits.one"].by == f"promotion {made.label}"
    desk.check()


def test_t4_what_was_decided_on_another_revision_is_not_done(desk: Desk) -> None:
    one, two = desk.propose("one"), desk.propose("two")
    decided_on = desk.store.live()
    first, second = toggle(desk.store, one.id), toggle(desk.store, two.id)
    perform(desk.store, desk.path, first, decided_on)
    before = desk.path.read_bytes()
    with pytest.raises(ConflictError, match="revision 1, and this was decided at 0"):
        perform(desk.store, desk.path, second, decided_on)
    assert desk.path.read_bytes() == before
    desk.check()


def test_t4_what_was_decided_in_another_state_is_not_done(desk: Desk) -> None:
    one = desk.propose("one")
    decided = toggle(desk.store, one.id)
    with desk.store.acting() as ledger:
        ledger.put(one._replace(state=State.REJECTED))
    with pytest.raises(ConflictError, match="is rejected"):
        perform(desk.store, desk.path, decided, desk.store.live())
    assert not desk.path.exists()


def test_m13_a_second_promotion_of_one_rule_is_not_begun(desk: Desk) -> None:
    """Two sessions that see a rule for the first time have both decided to propose it: one of them does."""
    act = Act(Action.OBSERVE, promotion("one"), None, "session 1", NOW_US)
    first = perform(desk.store, desk.path, act, desk.store.live())
    with pytest.raises(ConflictError, match=f"{first.label} of one is on its way already"):
        perform(desk.store, desk.path, act._replace(actor="session 2"), desk.store.live())
    assert desk.store.promotions() == [first]
    assert len(list(desk.store.audit())) == 1


@pytest.mark.parametrize("damage", ["edited", "gone", "older", "another"])
def test_m3_a_file_that_was_changed_by_hand_stops_every_act(desk: Desk, damage: str) -> None:
    one, two = desk.propose("one"), desk.propose("two")
    perform(desk.store, desk.path, toggle(desk.store, one.id), desk.store.live())
    first = desk.path.read_bytes()
    perform(desk.store, desk.path, toggle(desk.store, two.id), desk.store.live())
    if damage == "gone":
        desk.path.unlink()
    elif damage == "older":
        desk.store.close()
        desk.store = desk.open()
        perform(desk.store, desk.path, toggle(desk.store, two.id), desk.store.live())
        desk.path.write_bytes(first)
    else:
        data = json.loads(desk.path.read_text())
        data["values"]["limits"]["one"] = 99
        if damage == "another":
            data["revision"] += 1
        desk.path.write_text(json.dumps(data))
    before = desk.path.read_bytes() if desk.path.exists() else b""
    audited = len(list(desk.store.audit()))
    with pytest.raises(DriftError):
        perform(desk.store, desk.path, toggle(desk.store, two.id), desk.store.live())
    assert (desk.path.read_bytes() if desk.path.exists() else b"") == before
    assert len(list(desk.store.audit())) == audited
    assert verify_audit(desk.store, desk.path).problems


def race(
    folder: Path, actors: int, rounds: int, run: Callable[[list[Callable[[], None]]], None]
) -> Counter[str]:
    """Let each actor, with a store of its own, decide on what stands and then act, all at once, again and again."""
    desk = Desk(folder)
    numbers = [desk.propose(f"p{place}").id for place in range(actors)]
    results = folder / "results"
    results.mkdir()
    barrier_folder = folder / "barrier"
    barrier_folder.mkdir()

    def actor(place: int) -> Callable[[], None]:
        def play() -> None:
            own = Desk(folder)
            said = []
            for turn in range(rounds):
                decided_on = own.store.live()
                act = toggle(own.store, numbers[place])
                _meet(barrier_folder, place, 2 * turn, actors)
                try:
                    perform(own.store, own.path, act, decided_on)
                except ConflictError:
                    said.append("lost")
                else:
                    said.append("won")
                _meet(barrier_folder, place, 2 * turn + 1, actors)
            own.store.close()
            (results / str(place)).write_text(json.dumps(said))

        return play

    run([actor(place) for place in range(actors)])
    said = [json.loads((results / str(place)).read_text()) for place in range(actors)]
    for turn in range(rounds):
        assert [each[turn] for each in said].count("won") == 1, (
            f"round {turn}: {[each[turn] for each in said]}"
        )
    desk.check()
    changes = sum(json.loads(row.document)["action"] in ("promote", "revert") for row in desk.store.audit())
    assert changes == rounds
    desk.store.close()
    return Counter(word for each in said for word in each)


def _meet(folder: Path, place: int, turn: int, actors: int) -> None:
    """Wait until every actor has come to this turn; works between threads and between processes."""
    (folder / str(place)).write_text(str(turn))
    for other in range(actors):
        while True:
            try:
                if int((folder / str(other)).read_text() or -1) >= turn:
                    break
            except FileNotFoundError:
                pass
            os.sched_yield()


def in_threads(plays: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=play) for play in plays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def in_processes(plays: list[Callable[[], None]]) -> None:
    pids = []
    for play in plays:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                play()
                status = 0
            finally:
                os._exit(status)
        pids.append(pid)
    for pid in pids:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("run", [in_threads, in_processes], ids=["threads", "processes"])
def test_m1_t4_of_two_acts_at_once_exactly_one_wins(
    tmp_path: Path, run: Callable[[list[Callable[[], None]]], None]
) -> None:
    """In full 500 rounds each way: 1,000 races of a promotion and a revert."""
    rounds = times(500, 100)
    assert race(tmp_path, 2, rounds, run) == {"won": rounds, "lost": rounds}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before_the_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts, "_record", lambda *given: die())


def inside_the_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    record = acts._record

    def record_and_die(*given: Any) -> None:
        record(*given)
        die()

    monkeypatch.setattr(acts, "_record", record_and_die)


def before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts, "put_overrides", lambda *given: die())


def before_the_rename(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_causal.policy.atomic_file.os.replace", lambda *given: die())


def after_the_rename(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic_file, "sync_directory", lambda *given: die())


CRASH_POINTS = (
    before_the_transaction,
    inside_the_transaction,
    before_the_file,
    before_the_rename,
    after_the_rename,
)


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.parametrize("point", CRASH_POINTS, ids=lambda point: point.__name__)
def test_m2_a_kill_at_each_crash_point_is_finished_or_undone_by_the_next_start(
    tmp_path: Path, point: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """In full 100 kills at each point. The audit says which: a row of its own where a write was finished later."""
    kills = times(100, 20)
    desk = Desk(tmp_path)
    numbers = [desk.propose(f"p{place}").id for place in range(3)]
    chance = random.Random(7)
    finished = undone = 0
    for _ in range(kills):
        number = chance.choice(numbers)
        before = desk.store.live()
        desk.store.close()
        pid = os.fork()
        if pid == 0:
            try:
                own = Desk(tmp_path)
                with pytest.MonkeyPatch.context() as patch:
                    act = toggle(own.store, number)
                    point(patch)
                    perform(own.store, own.path, act, own.store.live())
            finally:
                os._exit(9)  # the kill did not come
        assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
        desk.store = desk.open()
        was_behind = bool(verify_audit(desk.store, desk.path).problems)
        desk.settle()
        desk.check()
        after = desk.store.live()
        is_finished = after.revision == before.revision + 1
        assert is_finished or after.revision == before.revision
        last = json.loads(list(desk.store.audit())[-1].document) if after.audited else {}
        assert (last.get("actor") == "recovery") is was_behind
        finished, undone = finished + is_finished, undone + (not is_finished)
    is_committed = point in (before_the_file, before_the_rename, after_the_rename)
    assert (finished, undone) == ((kills, 0) if is_committed else (0, kills))
    desk.store.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE audit SET document = replace(document, 'person test', 'person fake') WHERE number = 2",
        "UPDATE audit SET hash = replace(hash, substr(hash, 1, 1), 'x') WHERE number = 2",
        "DELETE FROM audit WHERE number = 2",
        "DELETE FROM audit WHERE number = 4",
        "DELETE FROM audit",
        "UPDATE audit SET number = number + 10 WHERE number = 4",
        "UPDATE audit SET document = (SELECT document FROM audit WHERE number = 1) WHERE number = 3",
        "UPDATE live SET document = replace(document, ':2', ':3')",
        "UPDATE live SET revision = 3, fingerprint = '0000000000000000'",
    ],
)
def test_t4_a_row_that_was_changed_removed_reordered_or_cut_off_is_noticed(desk: Desk, damage: str) -> None:
    for name in ("one", "two", "three", "four"):
        perform(desk.store, desk.path, toggle(desk.store, desk.propose(name).id), desk.store.live())
    desk.check()
    with desk.store.acting() as ledger:
        ledger._connection.execute(damage)  # type: ignore[attr-defined]
    assert verify_audit(desk.store, desk.path).problems

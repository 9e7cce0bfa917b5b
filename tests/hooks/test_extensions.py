from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pluggy
import pytest

from pytest_causal import plugin
from pytest_causal.errors import ConfigError
from pytest_causal.hooks import specs
from pytest_causal.hooks.extensions import HOOKS, ExtensionError, Extensions
from pytest_causal.model.change import Change, Step
from pytest_causal.model.evidence import Reason, Verdict
from pytest_causal.model.promotion import Basis, CandidateVerdict, Mode, Promotion, State
from pytest_causal.rules.attention import WORST_FIRST

CHANGE = Change((Step("a", 1, 2),))


def promotion(verdict: Verdict = Verdict.ELIGIBLE) -> Promotion:
    return Promotion(
        id=4, name="fast", state=State.ELIGIBLE, mode=Mode.AUTO, basis=Basis.CANDIDATE, scenarios=("s",), change=CHANGE,
        created_us=1, changed_us=1, verdict=CandidateVerdict(verdict, (Reason.TOO_FEW_RUNS,), ()),
    )  # fmt: skip


def extensions(**plugins: SimpleNamespace) -> Extensions:
    manager = pluggy.PluginManager("pytest")
    manager.add_hookspecs(specs)
    for name, each in plugins.items():
        for function in vars(each).values():
            pluggy.HookimplMarker("pytest")(function)
        manager.register(each, name)
    return Extensions(manager)


def deciding(answer: object) -> SimpleNamespace:
    def pytest_causal_decision(decision):
        if isinstance(answer, Exception):
            raise answer
        return answer

    return SimpleNamespace(pytest_causal_decision=pytest_causal_decision)


def test_nobody_objects_where_nobody_is_asked() -> None:
    assert extensions().vetoes(promotion()) == ()
    assert extensions(a=deciding(None), b=deciding("")).vetoes(promotion()) == ()


def test_every_objection_is_told_with_its_plugin() -> None:
    found = extensions(a=deciding("not today"), b=deciding(None), c=deciding(OSError("no net"))).vetoes(
        promotion()
    )
    assert set(found) == {"a: not today", "c: it failed: OSError: no net"}


def test_an_answer_that_means_nothing_stands_in_the_way() -> None:
    (veto,) = extensions(a=deciding(True)).vetoes(promotion())
    assert veto == "a: it answered True, which is neither a text nor a verdict"


@pytest.mark.parametrize("reached", Verdict)
@pytest.mark.parametrize("amended", Verdict)
def test_an_amendment_can_only_be_stricter(reached: Verdict, amended: Verdict) -> None:
    found = extensions(a=deciding(amended)).vetoes(promotion(reached))
    is_stricter = WORST_FIRST.index(amended) < WORST_FIRST.index(reached)
    assert found == ((f"a: it is {amended}, not {reached}",) if is_stricter else ())


def target(log: list[str], name: str, fails_at: str = "") -> SimpleNamespace:
    def noted(what: str) -> None:
        log.append(f"{name} {what}")
        if what == fails_at:
            raise RuntimeError("unreachable")

    def pytest_causal_apply(change, promotion): noted("apply")  # fmt: skip

    def pytest_causal_revert(change): noted("revert")  # fmt: skip

    def pytest_causal_transition(before, after): noted(f"{before}>{after}")  # fmt: skip

    return SimpleNamespace(
        pytest_causal_apply=pytest_causal_apply,
        pytest_causal_revert=pytest_causal_revert,
        pytest_causal_transition=pytest_causal_transition,
    )


def test_applying_stops_at_the_first_target_that_fails_and_names_it() -> None:
    log: list[str] = []
    asked = extensions(
        last=target(log, "last"), broken=target(log, "broken", "apply"), first=target(log, "first")
    )
    with pytest.raises(
        ExtensionError, match="broken could not apply P-4: RuntimeError: unreachable"
    ) as raised:
        asked.apply(CHANGE, promotion())
    assert log == ["first apply", "broken apply"]
    assert raised.value.exit_code == 74


def test_reverting_reaches_every_target_and_names_those_that_failed() -> None:
    log: list[str] = []
    asked = extensions(a=target(log, "a"), b=target(log, "b", "revert"), c=target(log, "c"))
    with pytest.raises(
        ExtensionError, match="P-4 was not taken back everywhere: b: RuntimeError: unreachable;"
    ):
        asked.revert(CHANGE.inverse(), promotion())
    assert log == ["c revert", "b revert", "a revert"]


def test_what_hears_of_a_transition_cannot_undo_it() -> None:
    log: list[str] = []
    asked = extensions(a=target(log, "a", "eligible>held"), b=target(log, "b"))
    asked.notify(promotion(), State.ELIGIBLE, State.HELD)
    assert log == ["b eligible>held", "a eligible>held"]
    assert asked.problems == ["a: pytest_causal_transition failed: RuntimeError: unreachable"]


def test_a_wrapper_is_refused_and_so_vetoes() -> None:
    class Wrapping:
        @pluggy.HookimplMarker("pytest")(wrapper=True)
        def pytest_causal_decision(self):
            return (yield)

    asked = extensions()
    asked._manager.register(Wrapping(), "w")
    assert asked.vetoes(promotion()) == ("w: it failed: it is a wrapper; write it as a plain function",)


MODULE = """
import pytest
NAME = "mine"
def pytest_causal_decision(decision): return f"{NAME} objects to {decision.name}"
@pytest.hookimpl(tryfirst=True)
def pytest_causal_transition(promotion): raise ValueError(promotion.label)
@pytest.hookimpl
def pytest_runtest_setup(item): raise AssertionError("a hook of pytest's own is not ours to call")
"""


def test_modules_are_found_by_name_below_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "some_causal_hooks.py").write_text(MODULE)
    asked = Extensions.of_modules(["some_causal_hooks"], tmp_path)
    assert asked.vetoes(promotion()) == ("some_causal_hooks: mine objects to fast",)
    asked.notify(promotion(), State.ELIGIBLE, State.HELD)
    assert asked.problems == ["some_causal_hooks: pytest_causal_transition failed: ValueError: P-4"]
    asked.apply(CHANGE, promotion())
    del sys.modules["some_causal_hooks"]


@pytest.mark.parametrize("text", [None, "raise OSError('no')\n"])
def test_a_module_that_cannot_be_imported_is_a_mistake_in_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    if text is not None:
        (tmp_path / "broken_causal_hooks.py").write_text(text)
    with pytest.raises(
        ConfigError, match=r"plugins: importing broken_causal_hooks failed: .*; correct or remove it"
    ):
        Extensions.of_modules(["broken_causal_hooks"], tmp_path)


def test_the_plugin_knows_the_names_of_all_hooks() -> None:
    assert set(HOOKS) == plugin.HOOKS


AUTO = """
[policy]
rows = 10
[criteria]
rule = "threshold"
min_runs = 1
min_sessions = 1
[[promotion]]
name = "fast"
scenarios = ["*"]
changes = {rows = 20}
mode = "auto"
evidence = "control"
revert_when = {failure_rate = {max = 0.5}}
"""
READING = "def test_it(causal_policy): assert causal_policy['rows']\n"
TOLD = """
def noted(*words):
    with open("told.txt", "a") as file: print(*words, file=file)
def pytest_causal_apply(change): noted("apply", change.after)
def pytest_causal_transition(promotion, before, after): noted(promotion.name, before, after)
"""


def live_rows(suite) -> str:
    path = suite.root / ".causal" / "runtime_overrides.json"
    return path.read_text() if path.exists() else ""


def test_at_the_end_of_a_session_targets_and_listeners_are_told(inner) -> None:
    (inner.root / "causal.toml").write_text(AUTO)
    inner.write(conftest=TOLD, test_it=READING)
    assert inner.run().returncode == 0
    assert '"rows": 20' in live_rows(inner)
    told = (inner.root / "told.txt").read_text().splitlines()
    assert "apply {'rows': 20}" in told
    assert any(line.startswith("fast ") and line.endswith(" provisional") for line in told)


@pytest.mark.parametrize("answer", ["return 'closed'", "raise OSError('closed')"])
def test_at_the_end_of_a_session_a_veto_holds_a_change_back(inner, answer) -> None:
    (inner.root / "causal.toml").write_text(AUTO)
    inner.write(conftest=f"{TOLD}def pytest_causal_decision(decision): {answer}\n", test_it=READING)
    assert inner.run().returncode == 0
    assert live_rows(inner) == ""
    assert "apply" not in (
        (inner.root / "told.txt").read_text() if (inner.root / "told.txt").exists() else ""
    )


def test_a_target_that_refuses_has_the_change_taken_back_and_the_run_is_as_it_was(inner) -> None:
    (inner.root / "causal.toml").write_text(AUTO)
    inner.write(
        conftest="def pytest_causal_apply(change): raise OSError('nobody listens')\n", test_it=READING
    )
    result = inner.run()
    assert result.returncode == 0
    assert "a target refused" in result.stdout
    assert "nobody listens" in inner.causal("audit", "--json")
    assert '"rows": 20' not in live_rows(inner)


def test_an_automatic_revert_that_a_target_cannot_follow_is_done_and_told(inner) -> None:
    (inner.root / "causal.toml").write_text(AUTO)
    inner.write(
        conftest="def pytest_causal_revert(change): raise OSError('nobody listens')\n", test_it=READING
    )
    inner.run()
    assert '"rows": 20' in live_rows(inner)
    inner.write(test_it="def test_it(causal_policy): assert causal_policy['rows'] < 20\n")
    result = inner.run()
    assert result.returncode == 1
    assert "nobody listens" in result.stdout
    assert "not reviewed" not in result.stdout
    assert '"rows": 20' not in live_rows(inner)
    assert "provisional -> reverted" in inner.causal("audit")

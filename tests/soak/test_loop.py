"""How a run goes on and ends. The predecessor's defects (D) and the fault cases (K) carry their numbers."""

from __future__ import annotations

import dataclasses
import errno
import json
import math
import os
import shutil
import signal
import threading
import time
from typing import Any

import pytest

from pytest_causal.errors import ConfigError, ExitCode, MissingInputError, StoreError, UsageError
from pytest_causal.model.run import Read
from pytest_causal.policy.profiles import shipped_profiles
from tools.soak.interruption import signals_interrupt
from tools.soak.journal import Step
from tools.soak.kpi import Sample
from tools.soak.lease import LeaseHeldError, lease
from tools.soak.measurement import Measurement
from tools.soak.parameters import SafetyStopError
from tools.soak.plan import ChangedPlanError
from tools.soak.run import World, begin
from tools.soak.simulation import SimulatedClock
from tools.soak.surroundings import RealClock, Surroundings

INTERVAL, RATE = "quoting.min_interval_ms", "quoting.replace_rate_per_min"
WAY = [Step.PLANNED, Step.RUNNING, Step.MEASURED, Step.DECIDED, Step.APPLIED, Step.DONE]


def test_each_iteration_goes_its_way_once_and_in_order(bench) -> None:
    assert bench.begin().exit_code == ExitCode.OK
    way = [(step, number) for number in (1, 2, 3) for step in WAY]
    assert bench.steps() == [(Step.BEGUN, 0), *way, (Step.FINISHED, 3)]
    assert bench.watcher.iterated_numbers == [1, 2, 3]


def test_d3_what_is_measured_depends_on_the_values_that_were_read(bench) -> None:
    bench.begin(run="a", sets=())
    bench.begin(run="b", sets=(f"{INTERVAL}=50",))
    first, other = bench.summary(1, "a"), bench.summary(1, "b")
    assert first["metrics"]["net_bps"]["value"] != other["metrics"]["net_bps"]["value"]
    assert {read["path"] for read in first["reads"]} >= {INTERVAL, RATE}


@pytest.mark.parametrize(
    ("changes", "code", "verdict"),
    [
        ({}, ExitCode.OK, "PASS"),
        ({"risk_ratio": 0.45}, ExitCode.OK, "WARN"),
        ({"risk_ratio": 0.9}, ExitCode.FAIL, "FAIL"),
        ({"risk_ratio": None}, ExitCode.INCONCLUSIVE, "INCONCLUSIVE"),
    ],
)
def test_d4_d5_k14_the_verdict_is_the_exit_code(
    bench, scripted, measured, changes: dict[str, Any], code: ExitCode, verdict: str
) -> None:
    ending = bench.begin(scripted(lambda task: measured(changes)), kpi_set="production")
    assert (ending.exit_code, ending.verdict) == (code, verdict)
    assert bench.read("KPI_GATE.json")["exit_code"] == code


@pytest.mark.parametrize(
    ("failing", "code"), [({1, 2}, ExitCode.OK), ({5}, ExitCode.FAIL), ({1, 2, 3, 4, 5}, ExitCode.FAIL)]
)
def test_k14_failures_of_the_warm_up_alone_do_not_fail_the_run(
    bench, scripted, measured, failing: set[int], code: ExitCode
) -> None:
    workload = scripted(lambda task: measured({"risk_ratio": 0.9 if task.iteration in failing else 0.3}))
    ending = bench.begin(workload, iterations=5, warmup=2)
    assert ending.exit_code == code
    assert ending.verdict == ("WARN" if code == ExitCode.OK else "FAIL")


def test_d31_without_any_steady_iteration_there_is_no_verdict(bench) -> None:
    ending = bench.begin(iterations=2, warmup=2)
    assert (ending.exit_code, ending.verdict) == (ExitCode.INCONCLUSIVE, "INCONCLUSIVE")


def test_d18_k13_a_workload_that_never_answers_is_inconclusive(bench, scripted) -> None:
    ending = bench.begin(scripted(lambda task: Measurement(problem="no answer")))
    assert ending.exit_code == ExitCode.INCONCLUSIVE
    assert [bench.summary(number)["verdict"] for number in (1, 2, 3)] == ["INCONCLUSIVE"] * 3


@pytest.mark.parametrize("value", [None, math.nan, math.inf, "0.3", []], ids=str)
def test_k13_what_is_no_number_is_inconclusive_and_never_zero(bench, scripted, measured, value: Any) -> None:
    ending = bench.begin(scripted(lambda task: measured({"risk_ratio": value})))
    assert ending.exit_code == ExitCode.INCONCLUSIVE
    assert bench.summary(1)["metrics"]["risk_ratio"]["value"] is None


def test_k13_a_value_left_over_from_before_is_inconclusive(bench, scripted, measured) -> None:
    def answer(task: Any) -> Any:
        good = measured()
        stale = {**good.metrics, "risk_ratio": Sample(value=0.3, is_stale=True)}
        return good._replace(metrics=stale)

    assert bench.begin(scripted(answer)).exit_code == ExitCode.INCONCLUSIVE


def test_a_measurement_with_a_problem_is_no_pass_but_may_be_a_failure(bench, scripted, measured) -> None:
    broken = {"problem": "exit code 1"}
    assert bench.begin(scripted(lambda task: measured(**broken)), run="a").exit_code == ExitCode.INCONCLUSIVE
    failing = scripted(lambda task: measured({"risk_ratio": 0.9}, **broken))
    assert bench.begin(failing, run="b").exit_code == ExitCode.FAIL


def test_tuning_changes_what_the_next_iteration_reads_and_credits_it(bench) -> None:
    bench.begin(iterations=3, auto_tune=True)
    first, second = bench.summary(1), bench.summary(2)
    applied = {step["path"]: step for step in first["tuning"]["applied"]}
    assert applied
    for path, step in applied.items():
        assert (first["values"][path], second["values"][path]) == (step["before"], step["after"])
        assert {"path": path, "value": json.dumps(step["after"]), "how": "tracked"} in second["reads"]
    assert second["tuning"]["credited"] == sorted(applied)


def test_a_change_that_is_not_read_is_not_credited(bench, scripted, measured) -> None:
    slow = {"p95_latency_ms": 340.0}
    deaf = scripted(lambda task: measured(slow, reads=(Read(INTERVAL, "75"),)))
    bench.begin(deaf, auto_tune=True)
    assert bench.summary(1)["tuning"]["applied"]
    assert bench.summary(2)["tuning"]["credited"] == []
    assert bench.summary(2)["tuning"]["uncredited"] == [
        step["path"] for step in bench.summary(1)["tuning"]["applied"]
    ]


def test_d10_nothing_is_applied_after_the_last_iteration(bench, scripted, measured) -> None:
    slow = scripted(lambda task: measured({"p95_latency_ms": 340.0}))
    bench.begin(slow, iterations=2, auto_tune=True)
    last = bench.summary(2)["tuning"]
    assert last["proposed"]
    assert last["applied"] == []
    assert "last_iteration" in {check["guard"] for check in last["refused"]}


def test_d14_presets_come_back_exactly_to_the_base(bench) -> None:
    preset = {INTERVAL: {"op": "add", "value": -25}, "impact.impact_cap_ratio": {"op": "mul", "value": 1.25}}
    bench.begin(iterations=7, warmup=3, rampdown=2, preset=preset)
    values = [bench.summary(number)["values"] for number in range(1, 8)]
    base = bench.progress().plan.values
    assert [each[INTERVAL] for each in values] == [50, 50, 50, 58, 67, 75, 75]
    assert {each["impact.impact_cap_ratio"] for each in values[:3]} == {0.1}
    assert values[5] == values[6] == base
    assert not (bench.folder() / "runtime_overrides.json").exists()


def test_a_preset_out_of_bounds_is_refused_before_anything_is_begun(bench) -> None:
    with pytest.raises(ConfigError, match="min_interval_ms would be 100"):
        bench.begin(warmup=1, preset={INTERVAL: {"op": "add", "value": 25}})
    assert not bench.folder().exists()


def test_d6_k11_the_freeze_begins_is_honoured_ends_and_leaves_other_values_free(
    bench, scripted, measured
) -> None:
    good_but_near = {"risk_ratio": 0.30, "net_bps": 3.0, "slippage_bps_p95": 2.6}
    bench.begin(scripted(lambda task: measured(good_but_near)), iterations=9, auto_tune=True)
    tuning = [bench.summary(number)["tuning"] for number in range(1, 10)]
    frozen = [any(check["guard"] == "freeze" for check in each["refused"]) for each in tuning]
    assert True in frozen
    first = frozen.index(True)
    assert False in frozen[first:], "it ends"
    for each, is_frozen in zip(tuning, frozen, strict=True):
        moved = {step["path"] for step in each["applied"]}
        assert not (is_frozen and moved & {"impact.impact_cap_ratio", "impact.max_delta_ratio"})
    assert any(is_frozen and each["applied"] for each, is_frozen in zip(tuning, frozen, strict=True))


def test_d7_k10_a_cooldown_that_began_before_a_restart_goes_on_after_it(bench, scripted, measured) -> None:
    near = scripted(lambda task: measured({"slippage_bps_p95": 2.6}))
    bench.begin(near, run="a", iterations=6, auto_tune=True)
    stopping = _stopping_after(bench, near, 2)
    assert bench.begin(stopping, run="b", iterations=6, auto_tune=True).exit_code == ExitCode.BUSY
    bench.interruption = type(bench.interruption)()
    bench.resume(near, run="b")
    for number in range(1, 7):
        assert bench.summary(number, "b")["tuning"] == bench.summary(number, "a")["tuning"]
    assert any(
        check["guard"] == "cooldown"
        for number in (3, 4)
        for check in bench.summary(number, "b")["tuning"]["refused"]
    )


def _stopping_after(bench: Any, workload: Any, iteration: int) -> Any:
    """Return a workload that is interrupted while the iteration after a number runs."""

    class Stopping:
        def measure(self, task: Any) -> Measurement:
            if task.iteration > iteration:
                task.interruption.ask("SIGTERM")
                return Measurement(problem="interrupted")
            found: Measurement = workload.measure(task)
            return found

    return Stopping()


def test_k9_neither_a_jump_of_the_clock_nor_a_restart_earns_room_for_change(
    bench, scripted, measured
) -> None:
    def old_orders(task: Any) -> Any:
        return measured({"order_age_p95_ms": 340.0}, covered_seconds=60.0)

    def jumping(task: Any) -> Any:
        bench.clock.jump(86_400.0 if task.iteration % 2 else -86_400.0)
        return old_orders(task)

    bench.begin(scripted(old_orders), run="a", iterations=16, auto_tune=True)
    bench.begin(scripted(jumping), run="b", iterations=16, auto_tune=True)
    bench.begin(_stopping_after(bench, scripted(old_orders), 5), run="c", iterations=16, auto_tune=True)
    bench.clock.pass_by(86_400.0)
    bench.interruption = type(bench.interruption)()
    bench.resume(scripted(old_orders), run="c")
    for number in range(1, 17):
        tuning = bench.summary(number, "a")["tuning"]
        assert bench.summary(number, "b")["tuning"] == tuning
        assert bench.summary(number, "c")["tuning"] == tuning
    assert any(
        check["guard"] == "velocity"
        for number in range(1, 17)
        for check in bench.summary(number, "a")["tuning"]["refused"]
    )


def _collapsing(measured: Any, after: int) -> Any:
    """Answer well, with something to tune, up to an iteration; then fail hard."""

    def answer(task: Any) -> Any:
        if task.iteration > after:
            return measured({"risk_ratio": 0.9})
        return measured({"p95_latency_ms": 340.0})

    return answer


def test_k12_hard_failures_in_a_row_restore_the_last_good_values(bench, scripted, measured) -> None:
    workload = scripted(_collapsing(measured, 3))
    bench.begin(workload, iterations=8, auto_tune=True)
    good = bench.summary(3)["values"]
    reverts = [n for n in range(1, 9) if bench.summary(n)["tuning"]["is_revert"]]
    assert reverts[0] == 6, "three failures in a row: 4, 5 and 6"
    assert bench.summary(6)["values"] != good, "the fault bit: values had moved"
    assert bench.summary(7)["values"] == good, "within one iteration"


def test_k12_a_run_that_fails_under_its_good_values_too_stops_for_a_person(bench, scripted, measured) -> None:
    ending = bench.begin(scripted(_collapsing(measured, 3)), iterations=50, auto_tune=True)
    assert (ending.exit_code, ending.ended) == (ExitCode.LOCKED, "safety")
    assert bench.progress().iteration < 20
    assert bench.progress().guards.last_good is not None


def test_k12_a_revert_that_the_kill_switch_forbids_stops_the_run_loudly(bench, scripted, measured) -> None:
    collapse = _collapsing(measured, 3)

    def answer(task: Any) -> Any:
        if task.iteration == 6:
            frozen = bench.root / ".causal" / "FROZEN"
            frozen.parent.mkdir(exist_ok=True)
            frozen.touch()
        return collapse(task)

    ending = bench.begin(scripted(answer), iterations=9, auto_tune=True)
    assert (ending.exit_code, ending.ended) == (ExitCode.LOCKED, "safety")
    assert bench.summary(6)["tuning"]["applied"] == []
    assert "kill_switch" in {check["guard"] for check in bench.summary(6)["tuning"]["refused"]}


def test_under_the_kill_switch_all_is_measured_and_nothing_is_changed(bench) -> None:
    (bench.root / ".causal").mkdir()
    (bench.root / ".causal" / "FROZEN").touch()
    assert bench.begin(iterations=4, auto_tune=True).exit_code == ExitCode.OK
    tuning = [bench.summary(number)["tuning"] for number in range(1, 5)]
    assert any(each["proposed"] for each in tuning)
    assert all(each["applied"] == [] for each in tuning)


def test_a_run_is_aborted_when_it_has_failed_for_so_long(bench, scripted, measured) -> None:
    workload = scripted(lambda task: measured({"risk_ratio": 0.9 if task.iteration > 2 else 0.3}))
    ending = bench.begin(workload, iterations=20, abort_after_seconds=600.0)
    assert (ending.exit_code, ending.ended) == (ExitCode.FAIL, "aborted")
    assert bench.progress().iteration == 5, "failing at 3, 300 s later at 4, 600 s at 5"


def test_a_system_whose_memory_grows_fails(bench, scripted, measured) -> None:
    def leaking(task: Any) -> Any:
        return measured({"memory_bytes": 1e8 + 2e6 * task.iteration, "threads": 8.0})

    ending = bench.begin(scripted(leaking), iterations=40)
    assert ending.exit_code == ExitCode.FAIL
    drift = bench.read("KPI_GATE.json")["drift"]
    assert {name: each["verdict"] for name, each in drift.items()} == {
        "memory_bytes": "grows",
        "threads": "level",
    }


def test_pacing_keeps_to_the_schedule_and_counts_what_was_missed(bench, scripted, measured) -> None:
    def working(task: Any) -> Any:
        bench.clock.pass_by(25.0 if task.iteration == 2 else 1.0)
        return measured()

    started: list[int] = []

    def noting(task: Any) -> Any:
        started.append(bench.clock.monotonic_us())
        return working(task)

    workload = scripted(noting)
    bench.begin(workload, iterations=4, sleep_seconds=10.0)
    assert [each / 1e6 for each in started] == [0, 10, 35, 40]
    assert bench.progress().missed_slots == 1, "that of 20 s"
    assert bench.summary(3)["volatile"]["late_seconds"] == 5.0


def test_k20_without_sleep_nothing_is_waited_for(bench) -> None:
    bench.begin(iterations=3, sleep_seconds=0.0)
    assert bench.clock.slept_seconds == 0


def test_a_duration_ends_before_the_slot_that_lies_behind_it(bench) -> None:
    bench.begin(iterations=None, duration_seconds=3600.0, sleep_seconds=300.0, auto_tune=True)
    assert bench.progress().iteration == 12
    assert bench.summary(12)["tuning"]["applied"] == []


@pytest.mark.slow
def test_d5_72_hours_are_72_hours_of_iterations(bench) -> None:
    bench.begin(iterations=None, duration_seconds=72 * 3600.0, sleep_seconds=300.0, auto_tune=True)
    assert bench.progress().iteration == 864
    assert bench.clock.slept_seconds == pytest.approx(72 * 3600 - 300)
    assert len(list(bench.folder().glob("ITER_SUMMARY_*.json"))) == 864


def test_d29_the_times_that_are_told_add_up_to_the_whole(bench, scripted, measured) -> None:
    def working(task: Any) -> Any:
        bench.clock.pass_by(3.0)
        return measured()

    bench.begin(scripted(working), iterations=4, sleep_seconds=10.0)
    told = [bench.summary(number)["volatile"] for number in (1, 2, 3, 4)]
    assert [each["workload_seconds"] for each in told] == [3.0] * 4
    worked = sum(each["workload_seconds"] + each["runner_seconds"] for each in told)
    assert told[-1]["elapsed_seconds"] == worked + bench.clock.slept_seconds == 33.0


def test_d28_a_run_that_cannot_fit_into_its_budget_is_refused(bench) -> None:
    with pytest.raises(UsageError, match="7 iterations, one every 10 s, take 60 s, and the budget is 60 s"):
        bench.begin(iterations=7, sleep_seconds=10.0, budget_seconds=60.0)
    assert not bench.folder().exists()
    assert bench.begin(iterations=6, sleep_seconds=10.0, budget_seconds=60.0).ended == "planned"


def test_k19_what_the_budget_cuts_off_does_not_count(bench, scripted, measured) -> None:
    def working(task: Any) -> Any:
        bench.clock.pass_by(min(40.0, task.timeout_seconds))
        return measured() if task.timeout_seconds >= 40 else Measurement(problem="not done in 20 s")

    ending = bench.begin(scripted(working), iterations=9, budget_seconds=100.0)
    assert (ending.ended, ending.exit_code, ending.verdict) == ("budget", ExitCode.OK, "PASS")
    assert bench.progress().tally.steady == {"PASS": 2}
    assert (Step.RUNNING, 3) in bench.steps()
    assert (Step.MEASURED, 3) not in bench.steps()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_d16_k18_a_signal_ends_the_run_in_order_and_it_can_go_on(bench, name: str) -> None:
    """With real signals, sent to this process while the run sleeps."""
    bench.surroundings = Surroundings(clock=RealClock())
    sent: list[float] = []

    def send() -> None:
        sent.append(time.monotonic())
        os.kill(os.getpid(), getattr(signal, name))
        os.kill(os.getpid(), getattr(signal, name))

    timer = threading.Timer(0.5, send)
    timer.start()
    with signals_interrupt(bench.interruption):
        ending = bench.begin(iterations=3, sleep_seconds=600.0)
        timer.join()
    assert sent
    assert (ending.exit_code, ending.ended) == (ExitCode.BUSY, "interrupted")
    assert bench.lines()[-1].data == {"reason": name}
    bench.interruption = type(bench.interruption)()
    bench.surroundings = Surroundings(clock=SimulatedClock())
    assert bench.resume().exit_code == ExitCode.OK
    assert [n for step, n in bench.steps() if step is Step.DONE] == [1, 2, 3]


def test_k3_a_resume_under_another_profile_is_refused_with_a_diff(bench) -> None:
    own = bench.root / "profiles"
    own.mkdir()
    shipped = shipped_profiles() / "steady_safe.json"
    shutil.copy(shipped, own / "steady_safe.json")
    stopped = _stopping_after(bench, _mock(bench), 1)
    bench.begin(stopped)
    text = (own / "steady_safe.json").read_text("utf-8")
    (own / "steady_safe.json").write_text(text.replace('"max": 0.8', '"max": 0.7'), "utf-8")
    bench.interruption = type(bench.interruption)()
    with pytest.raises(ChangedPlanError, match=r"kpi\.risk_ratio\.max: was 0\.8, is 0\.7") as caught:
        bench.resume()
    assert "profile_hashes.steady_safe.json" in str(caught.value)
    assert bench.resume(is_forced=True).exit_code == ExitCode.OK
    (forced,) = [line.data for line in bench.lines() if line.step is Step.RESUMED]
    assert any(each.startswith("kpi.risk_ratio.max") for each in forced["forced"])


def _mock(bench: Any) -> Any:
    from tools.soak.workloads import open_workload

    return open_workload("mock", {"mode": "calm", "seed": 7})


def test_k3_a_resume_under_another_version_or_value_is_refused(bench, monkeypatch) -> None:
    bench.begin(_stopping_after(bench, _mock(bench), 1))
    bench.interruption = type(bench.interruption)()
    with monkeypatch.context() as patch:
        patch.setattr("tools.soak.identity.__version__", "9.9.9")
        with pytest.raises(ChangedPlanError, match=r"version: was '.*', is '9\.9\.9'"):
            bench.resume()
    monkeypatch.setenv("CAUSAL_POLICY__engine__tail_age_ms", "700")
    with pytest.raises(ChangedPlanError, match=r"values\.engine\.tail_age_ms: was 740, is 700"):
        bench.resume()


def test_k3_beginning_a_run_again_with_another_seed_is_refused_with_a_diff(bench) -> None:
    bench.begin(seed=7)
    with pytest.raises(UsageError, match=r"begun already, with another plan: .*; seed: was 7, is 8"):
        bench.begin(seed=8)
    with pytest.raises(UsageError, match="was begun already"):
        bench.begin(seed=7)


def test_k4_a_finished_run_is_left_as_it_is(bench, scripted, measured) -> None:
    bench.begin(scripted(lambda task: measured({"risk_ratio": 0.9})))
    before = {path.name: path.read_bytes() for path in bench.folder().iterdir()}
    assert bench.resume().exit_code == ExitCode.OK
    after = {path.name: path.read_bytes() for path in bench.folder().iterdir()}
    assert {name for name in before if before[name] != after[name]} <= {"run.lock"}


def test_k4_a_run_that_is_alive_is_busy(bench) -> None:
    bench.begin(_stopping_after(bench, _mock(bench), 1))
    with lease(bench.folder() / "run.lock", "run a"), pytest.raises(LeaseHeldError) as caught:
        bench.resume()
    assert caught.value.exit_code == ExitCode.BUSY


def test_k26_two_runs_on_one_file_of_parameters_are_refused(bench) -> None:
    shared = str(bench.root / "live.json")
    refused: list[LeaseHeldError] = []

    class Second:
        def measure(self, task: Any) -> Measurement:
            with pytest.raises(LeaseHeldError, match=r"live\.json is in use") as caught:
                begin(bench.plan(run="b", overrides=shared), bench.out, bench.world(_mock(bench)))
            refused.append(caught.value)
            return _mock(bench).measure(task)  # type: ignore[no-any-return]

    bench.begin(Second(), overrides=shared, iterations=1)
    assert len(refused) == 1


def test_somebody_who_changes_the_values_of_a_run_stops_it(bench) -> None:
    mock = _mock(bench)

    def meddling(task: Any) -> Any:
        if task.iteration == 3:
            path = bench.folder() / "runtime_overrides.json"
            path.write_text(path.read_text("utf-8").replace("65", "64"), "utf-8")
        return mock.measure(task)

    workload = type("Meddling", (), {"measure": staticmethod(meddling)})()
    with pytest.raises(SafetyStopError, match="is not as this run left it"):
        bench.begin(workload, iterations=6, auto_tune=True)
    assert bench.lines()[-1].step is Step.INTERRUPTED


def test_k22_a_full_disk_stops_the_run_and_it_can_go_on(bench) -> None:
    left = 15

    def filling(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    full = dataclasses.replace(bench.surroundings, sync=filling)
    world = World(watcher=bench.watcher, surroundings=full)
    with pytest.raises(StoreError, match="No space left") as caught:
        begin(bench.plan(auto_tune=True, iterations=5), bench.out, world)
    assert caught.value.exit_code == ExitCode.IO_ERROR
    assert left < 0
    assert bench.resume().exit_code == ExitCode.OK
    assert [n for step, n in bench.steps() if step is Step.DONE] == [1, 2, 3, 4, 5]


def test_k22_a_folder_that_is_removed_stops_the_run(bench, measured) -> None:
    def removing(task: Any) -> Any:
        shutil.rmtree(bench.folder())
        return measured()

    workload = type("Removing", (), {"measure": staticmethod(removing)})()
    with pytest.raises(StoreError, match="ITER_SUMMARY_1"):
        bench.begin(workload)


def test_a_run_of_which_nothing_was_written_cannot_be_resumed(bench) -> None:
    with pytest.raises(MissingInputError, match="there is no run a"):
        bench.resume()
    bench.folder().mkdir(parents=True)
    (bench.folder() / "journal.jsonl").write_bytes(b'{"hash":"torn')
    with pytest.raises(MissingInputError, match="was not begun"):
        bench.resume()
    assert bench.begin().exit_code == ExitCode.OK


@pytest.mark.parametrize("name", ["../a", "", ".", "a/b", "a\n", "-" * 101, "con/../x"])
def test_d25_a_name_that_leads_elsewhere_is_refused(bench, name: str) -> None:
    with pytest.raises(UsageError, match="no name of a run"):
        bench.resume(run=name)


def test_d25_an_unknown_profile_is_an_error_and_no_fallback(bench) -> None:
    with pytest.raises(UsageError, match="did you mean 'steady_safe'"):
        bench.begin(profile="steady_saef")
    with pytest.raises(ConfigError, match="no profile name"):
        bench.begin(profile="../steady_safe")


def test_a_profile_without_the_limits_asked_for_is_refused(bench) -> None:
    with pytest.raises(ConfigError, match=r"no KPI set 'produktion'.*production"):
        bench.begin(kpi_set="produktion")

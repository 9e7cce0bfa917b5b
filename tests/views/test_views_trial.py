from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from pytest_causal.model.change import Change, Step
from pytest_causal.model.promotion import PromotionRule
from pytest_causal.model.trial import (
    Better,
    BrokenLimit,
    Comparison,
    Finding,
    Kind,
    Lack,
    ScenarioComparison,
    TrialPlan,
    TrialReason,
    TrialResult,
    TrialVerdict,
)
from pytest_causal.views.trial import plan_lines, progress_words, trial_document, trial_lines, trial_table

CHANGE = Change((Step("db.password", "old", "new"), Step("pool.size", 2, 4)))
SECRETS = frozenset({"db.password"})
PLAN = TrialPlan(
    rule=PromotionRule("bigger", ("load",)),
    change=CHANGE,
    kind=Kind.COMMAND,
    words=("./measure",),
    rounds=16,
    timeout_seconds=60.0,
    seed=7,
    min_effect=0.2,
    alpha=0.05,
    budget_seconds=90.0,
)
FAILURES = Comparison(
    16, Better.LOWER, Finding.WORSE, Lack.NONE, 0.0, 0.25, 0.25, -0.17, 0.5, 0.01, 0.2, 0.03, 0.99
)
MILLISECONDS = Comparison(16, Better.UNKNOWN, Finding.INCONCLUSIVE, Lack.NO_DIRECTION, 10.0, 12.5, 2.5)
SCENARIO = ScenarioComparison(
    "load", (("pool.size", "observed"),), 16, 16, FAILURES, (("ms\x1b[31m", MILLISECONDS),)
)
NOTHING = Comparison(0, Better.LOWER, Finding.INCONCLUSIVE, Lack.NO_DATA)


def a_result(**fields: Any) -> TrialResult:
    given: dict[str, Any] = {
        "verdict": TrialVerdict.FAIL,
        "reasons": (TrialReason.WORSE,),
        "rounds": 16,
        "scenarios": (SCENARIO,),
        "sessions": (1, 2),
        "started_us": 1_763_700_000_000_000,
    }
    return TrialResult(PLAN, **(given | fields))


def said(result: TrialResult) -> str:
    return "\n".join(line.text for line in trial_lines(result))


def cells(result: TrialResult, width: int = 200) -> list[list[str]]:
    return [[line.text for cell in row for line in cell] for row in trial_table(result, width).rows]


def test_the_plan_names_change_seed_and_budget_and_no_secret() -> None:
    text = "\n".join(line.text for line in plan_lines(PLAN, SECRETS))
    assert "trial of bigger: db.password *** -> ***, pool.size 2 -> 4" in text
    assert "seed 7" in text
    assert "16 rounds" in text
    assert "1m 30s at most" in text


def test_a_row_a_quantity_with_shares_as_percentages() -> None:
    first, second = cells(a_result())
    assert first == [
        *("load", "failed", "0 %", "25 %", "+25 %", "-17 % .. 50 %", "1.0 %", "0.03", "16", "worse"),
    ]
    assert second == ["", r"ms\x1b[31m", "10", "12.5", "+2.5", "-", "-", "-", "16", "not judged"]


def test_narrow_terminals_keep_what_matters() -> None:
    assert [column.header for column in trial_table(a_result(), 70).columns] == [
        *("scenario", "quantity", "control", "candidate", "finding"),
    ]


def test_what_each_scenario_read_and_how_that_is_known() -> None:
    assert "load read pool.size (observed)" in said(a_result())
    inert = SCENARIO._replace(reads=())
    assert "load is inert: none of its candidate runs read a changed value" in said(
        a_result(scenarios=(inert,))
    )
    silent = inert._replace(candidate_runs=0)
    assert "load left no run of the candidate" in said(a_result(scenarios=(silent,)))


def test_a_broken_limit_is_told_with_value_limit_round_and_control() -> None:
    limit = BrokenLimit("load", "failure_rate", "max", 0.2, 1.0, 0.0, 3, is_mean=False)
    mean = BrokenLimit("load", "ms", "min", 5.0, 2.5, None, 4, is_mean=True)
    text = said(a_result(broken=(limit, mean), stopped="a hard limit is broken"))
    assert "limit broken by load: failure_rate 100 % is above max 20 % in round 3 (control 0 %)" in text
    assert "limit broken by load: ms 2.5 is below min 5 on average of 4 rounds" in text
    assert "stopped early: a hard limit is broken" in text


def test_only_so_many_limits_are_named() -> None:
    limit = BrokenLimit("load", "ms", "max", 1.0, 2.0, None, 1, is_mean=False)
    assert "and 3 more limits" in said(a_result(broken=(limit,) * 8))


def test_a_pass_says_what_it_rules_out() -> None:
    passed = a_result(verdict=TrialVerdict.PASS, reasons=())
    assert said(passed).endswith(
        "pass: in 16 rounds nothing was worse, and a harm of 20 % is ruled out (95 % sure)"
    )


@pytest.mark.parametrize("reason", list(TrialReason))
def test_every_reason_has_words(reason: TrialReason) -> None:
    result = a_result(verdict=TrialVerdict.INCONCLUSIVE, reasons=(reason,), rounds=1)
    last = said(result).splitlines()[-1]
    assert last.startswith("inconclusive after 1 round: ")
    assert len(last.split()) > 6
    assert "_" not in last


def test_too_few_rounds_say_how_many_it_takes() -> None:
    result = a_result(
        verdict=TrialVerdict.INCONCLUSIVE, reasons=(TrialReason.TOO_FEW_ROUNDS,), rounds_needed=14
    )
    assert said(result).endswith("it takes more rounds to tell (14 at least)")


def test_text_of_programs_is_escaped() -> None:
    hostile = "x\x1b[2J\u202e"
    result = a_result(
        problems=(hostile,), unmatched=(hostile,), unreported=(hostile,),
        scenarios=(SCENARIO._replace(scenario=hostile, reads=((hostile, "observed"),)),),
        broken=(BrokenLimit(hostile, hostile, "max", 1.0, 2.0, None, 1, is_mean=False),),
    )  # fmt: skip
    shown = said(result) + "".join(text for row in cells(result) for text in row)
    assert "\x1b" not in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize(
    "result",
    [
        a_result(),
        a_result(scenarios=(SCENARIO._replace(failures=NOTHING),), stopped="interrupted"),
        a_result(broken=(BrokenLimit("s", "ms", "max", 1.0, 2.0, None, 1, is_mean=True),)),
        a_result(scenarios=(), verdict=TrialVerdict.INCONCLUSIVE, reasons=(TrialReason.NO_RECORD,)),
        TrialResult(
            PLAN._replace(change=None), TrialVerdict.INCONCLUSIVE, (TrialReason.NOTHING_TO_CHANGE,), 0
        ),
    ],
)
def test_the_document_is_as_its_schema_says_and_holds_no_secret(result: TrialResult) -> None:
    document = trial_document(result, SECRETS)
    schema = json.loads((files("pytest_causal") / "schemas" / "trial.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(document)
    assert "new" not in json.dumps(document["change"])


def test_the_enums_of_the_schema_are_those_of_the_model() -> None:
    schema = json.loads((files("pytest_causal") / "schemas" / "trial.schema.json").read_text("utf-8"))
    comparison = schema["$defs"]["comparison"]["properties"]
    assert set(schema["properties"]["reasons"]["items"]["enum"]) == set(TrialReason)
    assert set(schema["properties"]["verdict"]["enum"]) == set(TrialVerdict)
    assert set(comparison["finding"]["enum"]) == set(Finding)
    assert set(comparison["lack"]["enum"]) == {each.value or None for each in Lack}


def test_progress_says_what_is_left() -> None:
    assert progress_words(1, 16, "control", None) == "round 1 of 16: control"
    assert progress_words(2, 16, "candidate:x", 75.0) == "round 2 of 16: candidate:x, about 1m 15s left"

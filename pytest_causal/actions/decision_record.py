"""A decision as the audit keeps it: everything that it was made from, so that it can be made again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_causal.model.criteria import Criteria, Rule, Unit
from pytest_causal.model.evidence import Evidence, Verdict
from pytest_causal.model.promotion import CandidateVerdict, MetricLimit, MetricStanding
from pytest_causal.model.run import ReadHow
from pytest_causal.rules.candidacy import Arm, CandidateCase, ScenarioCase, judge_candidate
from pytest_causal.rules.guards import Refusal
from pytest_causal.store.promotion_rows import verdict_document


def decision_document(
    case: CandidateCase,
    verdict: CandidateVerdict,
    refusals: tuple[Refusal, ...] = (),
    vetoes: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the inputs of a decision on a change, the verdict, and what stood in its way."""
    return {
        "kind": "candidate",
        "case": {
            "now_us": case.now_us,
            "is_assumed": case.is_assumed,
            "unmatched": list(case.unmatched),
            "limits": [limit._asdict() for limit in case.limits],
            "scenarios": [_scenario_document(each) for each in case.scenarios],
        },
        "verdict": verdict_document(verdict),
        "guards": [
            {"guard": each.guard.value, "subject": each.subject, "could_pass_us": each.could_pass_us}
            for each in refusals
        ],
        "vetoes": list(vetoes),
    }


def case_from(data: Mapping[str, Any]) -> CandidateCase:
    """Return the case in a document. Raises KeyError, TypeError or ValueError for one that is damaged."""
    return CandidateCase(
        scenarios=tuple(_scenario_from(each) for each in data["scenarios"]),
        unmatched=tuple(data["unmatched"]),
        limits=tuple(MetricLimit(**limit) for limit in data["limits"]),
        is_assumed=data["is_assumed"],
        now_us=data["now_us"],
    )


def replay(decision: Mapping[str, Any]) -> dict[str, Any]:
    """Make a recorded decision again from its inputs; return the verdict as a document."""
    return verdict_document(judge_candidate(case_from(decision["case"])))


def _scenario_document(each: ScenarioCase) -> dict[str, Any]:
    return {
        "scenario": each.scenario,
        "criteria": each.criteria._asdict(),
        "evidence": _evidence_document(each.evidence) if each.evidence else None,
        "reads": [[path, how.value] for path, how in each.reads],
        "control": each.control._asdict(),
        "metrics": [metric._asdict() for metric in each.metrics],
        "lesson": each.lesson,
    }


def _evidence_document(evidence: Evidence) -> dict[str, Any]:
    """Return a running state; which one it was in this store (its ids) is no part of the decision."""
    fields = evidence._asdict()
    return {
        **fields,
        "scenario_id": 0,
        "reads_id": 0,
        "wealth": list(evidence.wealth),
        "ruin": list(evidence.ruin),
    }


def _scenario_from(data: Mapping[str, Any]) -> ScenarioCase:
    criteria = data["criteria"]
    return ScenarioCase(
        scenario=data["scenario"],
        criteria=Criteria(**{**criteria, "rule": Rule(criteria["rule"]), "unit": Unit(criteria["unit"])}),
        evidence=_evidence_from(data["evidence"]) if data["evidence"] else None,
        reads=tuple((path, ReadHow(how)) for path, how in data["reads"]),
        control=Arm(**data["control"]),
        metrics=tuple(MetricStanding(**metric) for metric in data["metrics"]),
        lesson=data["lesson"],
    )


def _evidence_from(data: Mapping[str, Any]) -> Evidence:
    verdict = Verdict(data["verdict"])
    return Evidence(
        **{**data, "wealth": tuple(data["wealth"]), "ruin": tuple(data["ruin"]), "verdict": verdict}
    )

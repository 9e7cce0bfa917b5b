"""The hooks of the example do what they say, through the same doors as any other person's."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.hooks.extensions import ExtensionError, Extensions
from pytest_causal.model.change import Change, Step
from pytest_causal.model.promotion import Basis, Mode, Promotion, State

pytestmark = pytest.mark.needs_checkout
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
MODULE = "query_service.causal_hooks"
POLICY: dict[str, Any] = {
    "light": {"max_wall_time_ms": 250, "max_rows": 200, "cache_kib": 512},
    "pool": {"size": 1, "queue_limit": 1, "memory_kib": 1024},
}
CHANGE = Change((Step("light.max_rows", 200, 5),))
PROMOTION = Promotion(
    id=4, name="fewer-rows", state=State.ELIGIBLE, mode=Mode.AUTO, basis=Basis.CANDIDATE, scenarios=("customer-card",),
    change=CHANGE, created_us=1, changed_us=1,
)  # fmt: skip


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Extensions]:
    monkeypatch.setattr(sys, "path", [*sys.path, str(EXAMPLES)])
    yield Extensions.of_modules([MODULE], EXAMPLES)
    for name in [name for name in sys.modules if name.split(".")[0] == "query_service"]:
        del sys.modules[name]


def test_a_running_service_follows_a_change_and_its_revert(
    shop: Extensions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue, control, dataset, service = (
        importlib.import_module(f"query_service.{name}")
        for name in ("catalogue", "control", "dataset", "service")
    )
    dataset.build(tmp_path / "shop.db", seed=1, orders=200)
    with (
        service.QueryService(tmp_path / "shop.db", POLICY) as running,
        control.ControlPort(running, POLICY) as port,
    ):
        monkeypatch.setenv("SHOP_CONTROL", port.address)
        ask = catalogue.customer_card(1, limit=100)
        assert len(running.submit(ask).result().rows) > 5
        shop.apply(CHANGE, PROMOTION)
        assert type(running.submit(ask).exception()).__name__ == "RowsExceededError"
        shop.revert(CHANGE.inverse(), PROMOTION)
        shop.revert(CHANGE.inverse(), PROMOTION)
        assert len(running.submit(ask).result().rows) > 5
        assert port.revision == 3
        with pytest.raises(
            ExtensionError, match=r"could not apply P-4: ControlError: .*light.max_rows is a int"
        ):
            shop.apply(Change((Step("light.max_rows", 200, "many"),)), PROMOTION)
        assert running.policy == POLICY
    with pytest.raises(ExtensionError, match="P-4 was not taken back everywhere"):
        shop.revert(CHANGE.inverse(), PROMOTION)


@pytest.mark.parametrize(
    ("hours", "hour", "path", "is_held"),
    [
        ("08-20", 8, "light.max_rows", True),
        ("08-20", 20, "light.max_rows", False),
        ("08-20", 12, "deep.max_rows", False),
        ("20-04", 3, "light.max_rows", True),
        ("20-04", 4, "light.max_rows", False),
    ],
)
def test_customers_budgets_are_left_alone_while_the_shop_is_open(
    shop: Extensions, hours: str, hour: int, path: str, is_held: bool
) -> None:
    objection = sys.modules[MODULE].objection
    answer = objection(hours, datetime(2026, 11, 2, hour, 30, tzinfo=UTC), (path,))
    assert (answer is not None) is is_held


def test_the_hours_veto_a_decision_and_a_mistake_in_them_does_as_well(
    shop: Extensions, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shop.vetoes(PROMOTION) == ()
    monkeypatch.setenv("SHOP_OPEN_HOURS", "00-24")
    assert shop.vetoes(PROMOTION) == (f"{MODULE}: the shop is open until 24:00 UTC",)
    monkeypatch.setenv("SHOP_OPEN_HOURS", "always")
    (veto,) = shop.vetoes(PROMOTION)
    assert "it failed: ValueError: SHOP_OPEN_HOURS is 'always'" in veto


def test_transitions_are_in_the_logbook(
    shop: Extensions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_LOGBOOK", str(tmp_path / "log.txt"))
    shop.notify(PROMOTION, State.ELIGIBLE, State.PROVISIONAL)
    assert (tmp_path / "log.txt").read_text() == "P-4 fewer-rows: eligible -> provisional\n"


def test_the_counters_of_the_engine_are_recorded(tmp_path: Path) -> None:
    store = tmp_path / "history.db"
    command = [
        *(
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "causal",
            f"--causal-store={store}",
        ),
        *(f"--causal-plugins={MODULE}", "-k", "bulk_export or (quarter and north)"),
    ]
    done = subprocess.run(
        command, cwd=EXAMPLES / "query_service", env={**os.environ, "PYTHONPATH": str(EXAMPLES)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    code = "import sys; from pytest_causal.cli.main import main; sys.exit(main())"
    said = subprocess.run(
        [sys.executable, "-c", code, "history", f"--store={store}", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    runs = [json.loads(line) for line in said.stdout.splitlines()]
    assert runs
    for run in runs:
        assert run["metrics"]["engine.answered"] >= 1
        assert run["metrics"]["engine.fetched_rows"] > 0

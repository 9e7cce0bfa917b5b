"""The data that the scenarios work on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from query_service import dataset
from query_service.engine import Engine

SEED = 20_261_101


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A year of orders, some 37,000 rows, built once for each process and never written to."""
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    dataset.build(path, seed=SEED, orders=10_000)
    return path


@pytest.fixture
def small_shop(tmp_path: Path) -> Path:
    """Some 2,200 rows of a test's own, to write to."""
    path = tmp_path / "shop.db"
    dataset.build(path, seed=SEED, orders=600)
    return path


@pytest.fixture
def engine(shop: Path) -> Iterator[Engine]:
    """One connection to the year of orders."""
    with closing(Engine(shop)) as opened:
        yield opened

"""Documents can be reached from the README, link to what exists, and agree with the code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import pytest_causal

pytestmark = pytest.mark.needs_checkout
ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)\s]+?)(#[^)]*)?\)")
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").glob("*.md")]


def linked_files(document: Path) -> set[Path]:
    """Return the files of the checkout that a document links to."""
    targets = {target for target, _ in LINK.findall(document.read_text("utf-8"))}
    return {(document.parent / target).resolve() for target in targets if "://" not in target}


def test_every_document_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    ahead = {ROOT / "README.md"}
    while ahead:
        document = ahead.pop()
        reached.add(document)
        ahead |= {
            path for path in linked_files(document) if path.suffix == ".md" and path.is_file()
        } - reached
    assert sorted(set(DOCUMENTS) - reached) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    assert sorted(path for path in linked_files(document) if not path.exists()) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_make_targets_that_are_named_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
    named = set(
        re.findall(
            r"(?:`|^\s*|&& )(?:\w+=\S+ )?make ([a-z-]+)", document.read_text("utf-8"), flags=re.MULTILINE
        )
    )
    assert named - targets == set()


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert pytest_causal.__version__ == project["version"]


def test_the_changelog_tells_of_this_version() -> None:
    headings = re.findall(
        r"^## \[?([\w.]+)\]?", (ROOT / "CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE
    )
    assert pytest_causal.__version__ in headings

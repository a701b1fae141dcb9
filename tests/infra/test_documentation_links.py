"""Every link from one page to another place of the repository leads somewhere, and every page can be reached."""

import re
from pathlib import Path

import pytest

from tests.support.project.documentation import ROOT, Link, anchors_of, links_of, pages, prose_of

LINKS = [link for page in pages() for link in links_of(page)]


@pytest.mark.parametrize("link", LINKS, ids=str)
def test_a_link_leads_to_a_file_and_a_section_that_are_there(link: Link) -> None:
    assert link.file.exists()
    if link.anchor:
        assert link.anchor in anchors_of(link.file)


def test_every_page_of_the_documentation_is_reached_from_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    reached, waiting = {index}, [index]
    while waiting:
        page = waiting.pop()
        found = {link.file for link in links_of(page) if link.file.suffix == ".md"} - reached
        reached |= found
        waiting += found

    decisions = set((ROOT / "docs" / "adr").glob("*.md"))  # by their folder
    assert set((ROOT / "docs").rglob("*.md")) - decisions - reached == set()


@pytest.mark.parametrize("reader", ["new here", "an operator", "a contributor", "a caller"])
def test_the_index_has_a_row_for_each_reader(reader: str) -> None:
    rows = [line for line in (ROOT / "docs" / "index.md").read_text(encoding="utf-8").splitlines() if f"| {reader} |" in line]

    assert len(rows) == 1
    assert "](" in rows[0]


@pytest.mark.parametrize("decision", sorted((ROOT / "docs" / "adr").glob("0*.md")), ids=lambda file: file.name)
def test_a_decision_has_a_status_and_a_date_and_is_listed(decision: Path) -> None:
    status = decision.read_text(encoding="utf-8").splitlines()[2]

    assert re.match(r"(Accepted|Superseded), \d{4}-\d{2}-\d{2}\.", status)
    assert f"]({decision.name})" in (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")


WRITTEN_PAGES = [page for page in pages() if page.name != "CHANGELOG.md"]  # which names files as they were
PATH = re.compile(
    r"(?<![\w/.<…-])((?:lib|handlers|stack|tests|unit|property|contract|infra|integration|dynamodb_local|faults)/[\w/.-]*[\w/])"
)
KINDS_OF_TESTS = ("unit", "property", "contract", "infra", "integration", "dynamodb_local", "faults")


@pytest.mark.parametrize("page", WRITTEN_PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_path_that_a_page_names_exists(page: Path) -> None:
    """Pages may leave out ``tests/`` before the kind of a test."""
    named = {path.rstrip(".") for path in PATH.findall(page.read_text(encoding="utf-8"))}

    assert {path for path in named if not (_root_of(path) / path).exists()} == set()


def _root_of(path: str) -> Path:
    return ROOT / "tests" if path.split("/", maxsplit=1)[0] in KINDS_OF_TESTS else ROOT


@pytest.mark.parametrize("page", WRITTEN_PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_line_of_prose_has_at_most_120_characters(page: Path) -> None:
    assert [line for line in prose_of(page).splitlines() if len(line) > 120 and not line.lstrip().startswith("|")] == []


@pytest.mark.parametrize(
    ("page", "section"),
    [
        ("docs/deployment.md", "dynamodb-schema-notes"),
        ("docs/runbooks/health_smoke.md", "invocation"),
        ("docs/observability.md", "jira-cache-idempotency"),
    ],
)
def test_a_section_that_other_systems_link_to_exists(page: str, section: str) -> None:
    assert section in anchors_of(ROOT / page)


def test_a_page_that_the_code_names_exists() -> None:
    """Decisions are named by their number: ``docs/adr/0041``."""
    files = [path for top in ("lib", "handlers", "stack", "tests") for path in (ROOT / top).rglob("*.py")]
    pattern = re.compile(r"(?<![\w/])docs/(?:[\w/-]+\.(?:md|yaml|svg)|adr/\d{4})")
    named = {page for path in files for page in pattern.findall(path.read_text(encoding="utf-8"))}

    assert {page for page in named if not (ROOT / page).exists() and not list(ROOT.glob(f"{page}-*.md"))} == set()

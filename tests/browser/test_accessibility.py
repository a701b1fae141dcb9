"""Every kind of page that the console links: WCAG 2 A and AA by axe-core, and nothing beside the screen of a phone."""

from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.support.browser.crawl import kinds, pages_of
from tests.support.browser.demo import Demo

AXE = Axe()
LOADED_AXE = Axe("'axe' in window")
"""For a page that has axe's script, which takes a tenth of a second to load."""
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
OPTIONS = {"runOnly": LEVELS, "resultTypes": ["violations"]}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}, "resultTypes": ["violations"]}
LAYOUT = {"runOnly": {"type": "rule", "values": ["target-size", "scrollable-region-focusable"]}, "resultTypes": ["violations"]}
LOOKS: tuple[tuple[Literal["light", "dark"], int, dict[str, Any]], ...] = (
    ("light", 1280, OPTIONS),
    ("light", 390, LAYOUT),
    ("dark", 1280, COLOURS),
)
"""Nothing but colours differs in the dark, and nothing but the layout on a phone."""
MORE = ("/trace?id=OPS-1", "/jobs?status=FAILED", "/events?text=none-such", "/trace?id=none-such")
"""Pages in another state: with results, and without."""


@pytest.fixture(scope="module")
def paths(demo: Demo) -> dict[str, list[str]]:
    """The pages of each kind."""
    return pages_of(demo.cloud.console_url)


def test_every_page_is_linked(paths: dict[str, list[str]]) -> None:
    """And every link leads somewhere. So the other tests see every kind of page."""
    assert sorted(paths) == sorted(kinds())


def test_axe_finds_nothing(page: Page, demo: Demo, paths: dict[str, list[str]]) -> None:
    demo.open(page)
    problems: dict[tuple[object, ...], str] = {}
    for path in [*(found[0] for found in paths.values()), *MORE]:
        page.goto(demo.console + path)
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        axe = AXE
        for scheme, width, options in LOOKS:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            result = axe.run(page, options=options)
            axe = LOADED_AXE
            if result.violations_count:
                problems[path, scheme, width] = result.generate_report()
            if page.evaluate("document.documentElement.scrollWidth") > width:
                problems[path, scheme, width, "wide"] = page.evaluate(_TOO_WIDE)
    assert not problems, "\n".join(f"{where}: {what}" for where, what in problems.items())


def test_the_help_has_no_violation(page: Page, demo: Demo) -> None:
    demo.open(page)
    page.keyboard.press("?")

    assert AXE.run(page, context="dialog", options=OPTIONS).violations_count == 0


def test_what_is_refused_has_no_violation(page: Page, demo: Demo) -> None:
    """The page without a session, and pages that do not exist; the fixture ``page`` counts their status as an error."""
    tab = page.context.new_page()
    tab.goto(demo.console)
    assert AXE.run(tab, options=OPTIONS).violations_count == 0
    demo.open(tab, "/none-such")
    assert AXE.run(tab, options=OPTIONS).violations_count == 0


_TOO_WIDE = """() => [...document.querySelectorAll("body *")]
  .filter((each) => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest(".wide, .payload, pre, nav ul"))
  .map((each) => each.outerHTML.slice(0, 120))"""

"""Headless Chromium for the tests here.

Where Chromium is not installed, the tests are skipped and say how to install it; where ``CI`` is set, they fail instead.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.support.browser.chromium import MISSING, chromium, find, problems_of
from tests.support.browser.demo import Demo, running_demo

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if find() or os.environ.get("CI"):
        return
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.skip(reason=MISSING))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of a module: while it runs, so does Playwright's event loop, and no Pulumi program can."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    """A local cloud after the demo, with a console that may change it: each test uses names and ids of its own."""
    with running_demo() as running:
        yield running


@pytest.fixture(scope="module")
def context(browser: Browser) -> BrowserContext:
    """What the tabs of a module share, with a tab that stays. It keeps their site's process: a new one for each test takes a
    second of CPU.
    """
    context = browser.new_context()
    context.new_page()
    return context


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """An empty tab without cookies. At the end of the test, no error may have been reported on it."""
    context.clear_cookies()
    tab = context.new_page()
    problems = problems_of(tab)
    yield tab
    stays, *others = context.pages
    if stays.url == "about:blank":
        stays.goto(urljoin(tab.url, "/none-such"))
    for each in others:
        each.close()
    assert problems == []

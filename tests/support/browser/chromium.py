"""Headless Chromium, driven by Playwright. It is the machine's own: nothing is downloaded."""

import contextlib
import os
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, Page, Request, sync_playwright

MISSING = "Chromium is not installed: run apt-get install chromium, or put chromium or google-chrome on PATH"
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def find() -> str | None:
    """The path of Chromium; None if it is not installed."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser.

    Raises:
        FileNotFoundError: Chromium is not installed.
    """
    path = find()
    if path is None:
        raise FileNotFoundError(MISSING)
    arguments = ["--disable-gpu", "--hide-scrollbars", "--process-per-site"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")  # Chromium's sandbox refuses root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


def problems_of(page: Page) -> list[str]:
    """A list that grows with each error on the page: of a script, of a request, or against its Content-Security-Policy."""
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda each: None if _was_left(each) else problems.append(f"{each.url}: {each.failure}"))
    page.on("response", lambda answer: problems.append(f"{answer.url}: {answer.status}") if answer.status >= 400 else None)
    return problems


def _was_left(request: Request) -> bool:
    """Whether a file or a live part was being read when its page was left."""
    return request.resource_type != "document" and request.failure == "net::ERR_ABORTED"

"""Messages as people saw them, in a browser that enforces the Content-Security-Policy."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from lib.approvals import reasons
from stack.local.serving import Server
from tests.support.browser.message_pages import application
from tests.support.browser.messages import CARD, MAIL, NOTIFICATION, PREVIEW


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    pages: dict[str, tuple[str, dict[str, Any]]] = {
        "notification": ("slack", {"message": NOTIFICATION, "channel": "leases", "at": "09:15"}),
        "preview": ("clickable", {"message": PREVIEW}),
        "card": ("teams", {"message": CARD}),
        "mail": ("mail", {"message": MAIL}),
    }
    server = Server(application(pages), 0, purpose="the messages")
    yield server.url
    server.close()


@pytest.mark.parametrize("name", ["notification", "card", "mail"])
def test_a_message_shows_its_text(page: Page, site: str, name: str) -> None:
    page.goto(f"{site}/{name}")

    expect(page.get_by_role("article")).to_contain_text("$201.40 of $250.00 (80 %)")


def test_the_stylesheet_applies(page: Page, site: str) -> None:
    page.goto(f"{site}/notification")

    expect(page.locator(".slack-large_yellow_circle")).to_have_css("color", "rgb(148, 98, 0)")


def test_a_message_fits_a_phone(page: Page, site: str) -> None:
    page.set_viewport_size({"width": 360, "height": 640})
    page.goto(f"{site}/notification")

    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_click_submits_the_button_the_reason_and_the_hidden_fields(page: Page, site: str) -> None:
    page.goto(f"{site}/preview")
    page.get_by_label("If you reject it: why?").select_option(index=1)
    page.get_by_label("In your own words").fill("it is too late")
    with page.expect_response("**/clicks") as answer:
        page.get_by_role("button", name="Reject").click()

    sent = answer.value.json()
    assert sent.pop("reject_draft").startswith("sess-1:")
    assert sent == {"csrf_token": "token", reasons.MENU: next(iter(reasons.REASONS)), reasons.WORDS: "it is too late"}


def test_enter_in_a_text_field_clicks_no_button(page: Page, site: str) -> None:
    page.goto(f"{site}/preview")
    page.get_by_label("In your own words").fill("it is too late")
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)

    assert page.url == f"{site}/preview"

"""The trace page shows the timeline of an id, and nothing that must not be shown."""

from tests.support.console.client import EMAIL, HOSTILE, console_client, text_of
from tests.support.operations.deployment import Deployment


def test_without_an_id_it_asks_for_one(deployment: Deployment) -> None:
    assert "Enter an event id" in text_of(console_client(deployment).page("/trace"))


def test_the_log_lines_of_an_id_are_shown_masked(deployment: Deployment) -> None:
    deployment.log("webhooks", "delivery_stored", event_id="e-1", note=HOSTILE)

    page = console_client(deployment).page("/trace?id=e-1")

    assert "delivery_stored" in page
    assert "python -m handlers.cli trace e-1 --since 7d" in text_of(page)


def test_an_unknown_id_says_what_to_do(deployment: Deployment) -> None:
    assert "Check the id, or look further back" in text_of(console_client(deployment).page("/trace?id=nobody-1"))


def test_an_address_in_the_place_of_an_id_is_not_shown(deployment: Deployment) -> None:
    assert "Check the id" in text_of(console_client(deployment).page(f"/trace?id={EMAIL}"))


def test_html_in_an_id_is_shown_as_text(deployment: Deployment) -> None:
    console_client(deployment).page("/trace?id=%3Cscript%3Ealert(1)%3C/script%3E")

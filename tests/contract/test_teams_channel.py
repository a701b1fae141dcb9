"""The Teams channel against the stand-in over HTTP: the card, and each refusal. The rest: test_every_channel.py."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lib.leases.events import EventType
from lib.notifications.channels.teams import MAX_BYTES, TeamsWebhook, render
from lib.platform import errors
from lib.platform.secrets import Secret
from stack.local.standins.teams import SIGNATURE, WEBHOOK_PATH, Teams
from tests.support.aws.secrets import SecretsManager
from tests.support.leases.messages import CONSOLE, enriched, message
from tests.support.web.standins import Served, served

PATH = WEBHOOK_PATH.partition("?")[0]


@pytest.fixture
def standin() -> Iterator[Served[Teams]]:
    with served(Teams(SIGNATURE)) as standin:
        yield standin


def webhook(url: str, path: str = WEBHOOK_PATH) -> TeamsWebhook:
    return TeamsWebhook(Secret(SecretsManager(url + path), "arn"))


def card_of(standin: Served[Teams]) -> dict[str, Any]:
    [posted] = standin.app.messages
    assert posted["problem"] == ""
    card: dict[str, Any] = posted["card"]
    return card


def paragraphs(element: Any) -> list[str]:
    """The text of each paragraph, in order."""
    if isinstance(element, list):
        return [text for each in element for text in paragraphs(each)]
    if element["type"] == "RichTextBlock":
        return ["".join(run["text"] for run in element["inlines"])]
    return paragraphs(element["items"])


# What arrives


def test_the_card_has_title_lead_facts_footer_and_link(standin: Served[Teams]) -> None:
    sent = message("LeaseFrozen", enrichment=enriched())
    webhook(standin.url).send(sent)

    card = card_of(standin)
    facts = [f"{label}: {value}" for label, value in sent.facts]
    assert paragraphs(card["body"]) == ["Warning", sent.title, sent.lead, *facts, sent.footer]
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "Open the sandbox console", "url": CONSOLE}]


@pytest.mark.parametrize(
    ("event_type", "style", "word"),
    [
        ("LeaseApproved", "accent", "Info"),
        ("LeaseFrozen", "warning", "Warning"),
        ("AccountQuarantined", "attention", "Critical"),
    ],
)
def test_the_severity_is_a_colour_and_a_word(standin: Served[Teams], event_type: str, style: str, word: str) -> None:
    webhook(standin.url).send(message(event_type, {"accountId": "444455556666"}))

    heading = card_of(standin)["body"][0]
    assert (heading["style"], paragraphs(heading)[0]) == (style, word)


def test_without_a_console_the_card_has_no_link(standin: Served[Teams]) -> None:
    webhook(standin.url).send(message("LeaseFrozen", console_url=""))
    assert "actions" not in card_of(standin)


@pytest.mark.parametrize("event_type", list(EventType))
def test_teams_shows_the_card_of_every_event_type(standin: Served[Teams], event_type: str) -> None:
    webhook(standin.url).send(message(event_type, {"accountId": "123456789012"}))
    card_of(standin)


@pytest.mark.parametrize("hostile", ["[pay here](https://evil.example)", "<at>everybody</at>", "**bold**", "{{DATE(x)}}"])
def test_untrusted_text_stays_text(standin: Served[Teams], hostile: str) -> None:
    """Teams reads Markdown in a TextBlock and a FactSet, and none in a text run."""
    webhook(standin.url).send(message("LeaseFrozen", {"userEmail": hostile, "reason": {"type": "New", "comment": hostile}}))

    card = card_of(standin)
    assert f"Comment: {hostile}" in paragraphs(card["body"])
    assert {"TextBlock", "FactSet", '"entities"'} & set(json.dumps(card).split('"')) == set()


@pytest.mark.parametrize("character", ["x", "\U0001f600", '"', "\\", "\ud800"])
def test_the_largest_message_fits_into_a_card(standin: Served[Teams], character: str) -> None:
    """An event of an unknown type may bring as many long values as a message shows."""
    long = {f"{number}{character * 60}": character * 600 for number in range(20)}
    detail = {**long, "userEmail": character * 600, "reason": {"type": character * 300, "comment": character * 900}}
    sent = message(character * 128, detail, enrichment=enriched(), id=character * 100)
    assert len(json.dumps(render(sent), ensure_ascii=False).encode(errors="replace")) <= MAX_BYTES
    webhook(standin.url).send(sent)
    card_of(standin)


def test_one_connection_serves_many_messages(standin: Served[Teams]) -> None:
    sender = webhook(standin.url)
    for _ in range(3):
        sender.send(message())
    assert len(standin.app.messages) == 3


# What the workflow says


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("DirectApiAuthorizationRequired", errors.CredentialRefusedError),
        ("AuthorizationFailed", errors.CredentialRefusedError),
        ("WorkflowNotFound", errors.CredentialRefusedError),
        ("WorkflowTriggerIsNotEnabled", errors.PermanentError),
        ("TriggerInputSchemaMismatch", errors.PermanentError),
        ("RequestEntityTooLarge", errors.PermanentError),
        ("WorkflowRequestsThrottled", errors.ThrottledError),
        ("InternalServerError", errors.ConnectionLostError),
        ("ServiceUnavailable", errors.UnavailableError),
    ],
)
def test_each_error_of_a_workflow_has_its_meaning(standin: Served[Teams], code: str, meaning: type[Exception]) -> None:
    standin.fail(PATH, error=code)
    with pytest.raises(errors.SwitchboardError, match=code) as raised:
        webhook(standin.url).send(message())
    assert type(raised.value) is meaning
    assert standin.app.messages == []


def test_a_wrong_signature_and_another_workflow_are_refused(standin: Served[Teams]) -> None:
    for path in (WEBHOOK_PATH + "x", WEBHOOK_PATH.partition("&sig")[0], "/elsewhere"):
        with pytest.raises(errors.CredentialRefusedError):
            webhook(standin.url, path).send(message())
    assert standin.app.messages == []


def test_the_rate_limit_of_a_workflow_is_throttling() -> None:
    with served(Teams(SIGNATURE, requests_per_minute=2)) as limited:
        sender = webhook(limited.url)
        sender.send(message())
        sender.send(message())
        with pytest.raises(errors.ThrottledError):
            sender.send(message())
        assert len(limited.app.messages) == 2


def test_a_page_of_another_server_is_not_a_success(standin: Served[Teams]) -> None:
    standin.fail(PATH, status=200, body="<html>please log in</html>", headers={"Content-Type": "text/html"})
    with pytest.raises(errors.PermanentError, match="not a Teams workflow"):
        webhook(standin.url).send(message())

"""The GOV.UK Notify channel against the stand-in over HTTP: what arrives, and each refusal. The rest: test_every_channel.py."""

from collections.abc import Iterator

import pytest

from lib.notifications.channels.base import NoRecipientError
from lib.notifications.channels.govuk_notify import GovukNotify as Channel
from lib.platform import errors
from lib.platform.secrets import Secret
from stack.local.standins.govuk_notify import GovukNotify, Template
from tests.support.aws.secrets import SecretsManager
from tests.support.leases.builders import LEASE_ID, USER_EMAIL
from tests.support.leases.messages import CONSOLE, enriched, message
from tests.support.web.standins import Served, served

SERVICE, SECRET = "11111111-2222-4333-8444-555555555555", "66666666-7777-4888-8999-000000000000"
KEY = f"switchboard-{SERVICE}-{SECRET}"
TEMPLATE = "9d751e0e-f929-4891-82a1-a3e1c3c18ee3"
PATH = "/v2/notifications/email"


@pytest.fixture
def standin() -> Iterator[Served[GovukNotify]]:
    with served(GovukNotify(KEY)) as standin:
        yield standin


def channel(url: str, key: str = KEY, template: str = TEMPLATE) -> Channel:
    return Channel(Secret(SecretsManager(key), "arn"), template, url)


# What arrives


def test_the_owner_gets_an_email_with_the_events_id_as_reference(standin: Served[GovukNotify]) -> None:
    sent = message("LeaseFrozen", enrichment=enriched())
    channel(standin.url).send(sent)

    [taken] = standin.app.notifications
    assert (taken["email_address"], taken["template"]["id"]) == (USER_EMAIL, TEMPLATE)
    assert taken["reference"] == sent.event_id
    assert taken["subject"] == sent.to_owner.title == "Your sandbox account is frozen: 444455556666"
    assert "you have no access to it for now" in taken["body"]
    assert CONSOLE in taken["body"]
    assert "Who: " not in taken["body"]
    for label, value in sent.to_owner.facts:
        assert f"{label}: {value}" in taken["personalisation"]["text"]


def test_a_template_may_use_any_field() -> None:
    template = Template(
        "((title))", "((lease_status)) ((account)) ((reason)) ((time_left)) ((who)) ((event_type)) ((text)) ((link))"
    )
    with served(GovukNotify(KEY, templates={TEMPLATE: template})) as standin:
        channel(standin.url).send(message("LeaseFrozen", {"userEmail": USER_EMAIL}))
        channel(standin.url).send(message("LeaseFrozen", enrichment=enriched()))
        assert len(standin.app.notifications) == 2, "fields that are not known are there, and empty"


def test_the_status_of_the_lease_is_written_in_words(standin: Served[GovukNotify]) -> None:
    channel(standin.url).send(message("LeaseRequested", enrichment=enriched("PendingApproval")))

    [taken] = standin.app.notifications
    assert taken["personalisation"]["lease_status"] == "pending approval"


def test_untrusted_links_and_markdown_stay_text(standin: Served[GovukNotify]) -> None:
    comment = "please [pay here](https://evil.example/pay) # now"
    channel(standin.url).send(message("LeaseFrozen", {"leaseId": LEASE_ID, "reason": {"type": "x", "comment": comment}}))

    [taken] = standin.app.notifications
    assert "evil.example" not in taken["body"]
    assert r"\[pay here\]" in taken["body"]
    assert CONSOLE in taken["body"], "the console's link is ours"


def test_without_a_recipient_nothing_is_sent(standin: Served[GovukNotify]) -> None:
    with pytest.raises(NoRecipientError, match="names nobody"):
        channel(standin.url).send(message("AccountQuarantined", {"awsAccountId": "444455556666"}))
    assert standin.app.notifications == []


def test_one_connection_and_client_serve_many_messages(standin: Served[GovukNotify]) -> None:
    sender = channel(standin.url)
    sender.send(message())
    first = sender._client
    sender.send(message())
    assert sender._client is first
    assert len(standin.app.notifications) == 2


# What the service says


def test_a_refusal_has_the_services_message(standin: Served[GovukNotify]) -> None:
    with pytest.raises(errors.PermanentError, match="ValidationError: template_id is not a valid UUID"):
        channel(standin.url, template="no-uuid").send(message())


def test_a_template_with_unknown_fields_is_reported() -> None:
    templates = {TEMPLATE: Template("((title))", "((colour))")}
    with (
        served(GovukNotify(KEY, templates=templates)) as standin,
        pytest.raises(errors.PermanentError, match="Missing personalisation: colour"),
    ):
        channel(standin.url).send(message())


def test_the_services_message_contains_nothing_personal(standin: Served[GovukNotify]) -> None:
    body = (
        '{"errors": [{"error": "BadRequestError", "message": "can\'t send to rosa.field@example.gov.uk"}], "status_code": 400}'
    )
    standin.fail(PATH, status=400, body=body, headers={"Content-Type": "application/json"})
    with pytest.raises(errors.PermanentError, match="send to email:") as raised:
        channel(standin.url).send(message())
    assert "rosa" not in str(raised.value)


def test_beyond_the_rate_limit_it_is_throttled() -> None:
    with served(GovukNotify(KEY, requests_per_minute=1)) as standin:
        sender = channel(standin.url)
        sender.send(message())
        with pytest.raises(errors.ThrottledError, match="RateLimitError: Exceeded rate limit"):
            sender.send(message())


def test_an_answer_that_cannot_be_read_is_ambiguous(standin: Served[GovukNotify]) -> None:
    standin.fail(PATH, status=201, body="created, probably", after=True)
    with pytest.raises(errors.AmbiguousError):
        channel(standin.url).send(message())
    assert len(standin.app.notifications) == 1


# Keys


def test_a_key_of_another_service_or_with_another_secret_is_refused(standin: Served[GovukNotify]) -> None:
    for key in (f"x-{SECRET}-{SECRET}", f"x-{SERVICE}-{SERVICE}"):
        with pytest.raises(errors.CredentialRefusedError, match="AuthError: Invalid token"):
            channel(standin.url, key).send(message())


@pytest.mark.parametrize("key", ["short", "x" * 36])
def test_an_invalid_key_is_a_permanent_error(standin: Served[GovukNotify], key: str) -> None:
    with pytest.raises(errors.PermanentError):
        channel(standin.url, key).send(message())


@pytest.mark.parametrize("url", ["not a url", "ftp://127.0.0.1", ""])
def test_an_invalid_base_url_is_an_error(url: str) -> None:
    with pytest.raises(errors.SwitchboardError):
        channel(url).send(message())

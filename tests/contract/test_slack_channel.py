"""The Slack channel against the stand-in over HTTP: what arrives, and each refusal. The rest: test_every_channel.py."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from lib.notifications.channels.slack import SlackBot, SlackWebhook, render
from lib.platform import errors
from lib.platform.secrets import Secret
from lib.slack.client import IncomingWebhook, SlackClient
from stack.local.standins.slack import Slack
from stack.local.standins.slack_workspace import id_of
from tests.support.aws.secrets import SecretsManager
from tests.support.leases.messages import CONSOLE, enriched, message
from tests.support.web.standins import Served, served

TOKEN = "xoxb-000000000000-secret"
WEBHOOK = "T0AAAAAAA/B0BBBBBBB/cccccccccccccccccccccccc"
POST = "/api/chat.postMessage"
HOOK = f"/services/{WEBHOOK}"


@pytest.fixture
def standin() -> Iterator[Served[Slack]]:
    with served(Slack(tokens={TOKEN}, channels={"leases"}, webhooks={WEBHOOK})) as standin:
        yield standin


def bot(url: str, channel: str = "#leases", token: str = TOKEN) -> SlackBot:
    return SlackBot(SlackClient(f"{url}/api/", Secret(SecretsManager(token), "arn")), channel)


def webhook(url: str, path: str = HOOK) -> SlackWebhook:
    return SlackWebhook(IncomingWebhook(Secret(SecretsManager(url + path), "arn")))


# What arrives


def test_a_bot_posts_the_message_to_its_channel(standin: Served[Slack]) -> None:
    sent = message("LeaseFrozen", enrichment=enriched())
    bot(standin.url).send(sent)

    [posted] = standin.app.messages
    assert posted["kind"] == "message"
    assert posted["text"] == sent.text
    assert posted["blocks"][0] == {"type": "header", "text": {"type": "plain_text", "text": sent.title, "emoji": False}}


def test_a_webhook_posts_the_same(standin: Served[Slack]) -> None:
    sent = message("LeaseFrozen", enrichment=enriched())
    bot(standin.url).send(sent)
    webhook(standin.url).send(sent)

    by_bot, by_webhook = standin.app.messages
    assert by_webhook["kind"] == "webhook"
    assert (by_webhook["text"], by_webhook["blocks"]) == (by_bot["text"], by_bot["blocks"])


@pytest.mark.parametrize(
    ("event_type", "shown"),
    [
        ("LeaseApproved", ":large_blue_circle: *Info*"),
        ("LeaseFrozen", ":large_yellow_circle: *Warning*"),
        ("AccountQuarantined", ":red_circle: *Critical*"),
    ],
)
def test_the_severity_is_a_colour_and_a_word(standin: Served[Slack], event_type: str, shown: str) -> None:
    bot(standin.url).send(message(event_type))
    assert standin.app.messages[0]["blocks"][1]["elements"][0]["text"] == shown


@pytest.mark.parametrize(
    ("mention", "markup"),
    [("here", "<!here> "), ("U0123ABC", "<@U0123ABC> "), ("S0123ABC", "<!subteam^S0123ABC> "), ("", "")],
)
def test_a_route_chooses_the_channel_and_a_mention(mention: str, markup: str) -> None:
    with served(Slack(tokens={TOKEN}, channels={"leases", "leads"})) as standin:
        sent = dataclasses.replace(message(), slack_channel="#leads", mention=mention)
        bot(standin.url).send(sent)

        [posted] = standin.app.messages
        assert posted["channel"] == id_of("leads")
        assert posted["blocks"][2]["text"]["text"] == markup + sent.lead


def test_every_fact_is_a_field_and_the_console_is_linked(standin: Served[Slack]) -> None:
    sent = message("LeaseFrozen", enrichment=enriched())
    bot(standin.url).send(sent)

    blocks = standin.app.messages[0]["blocks"]
    fields = [field["text"] for block in blocks for field in block.get("fields", [])]
    assert fields == [f"*{label}*\n{value}" for label, value in sent.facts]
    assert f"<{CONSOLE}|Open the sandbox console>" in [block.get("text", {}).get("text") for block in blocks]
    assert blocks[-1]["elements"][0]["text"] == sent.footer


@pytest.mark.parametrize(
    "hostile", ["<!channel>", "<!here|x>", "<@U012345>", "<https://evil.example|pay here>", "a & b", "> quote"]
)
def test_untrusted_text_cannot_mention_anybody_or_disguise_links(standin: Served[Slack], hostile: str) -> None:
    sent = message("LeaseFrozen", {"userEmail": hostile, "accountId": hostile, "reason": {"type": "New", "comment": hostile}})
    bot(standin.url).send(sent)

    [posted] = standin.app.messages
    strings = [posted["text"], *_strings(posted["blocks"])]
    escaped = hostile.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert any(escaped in string for string in strings)
    assert not any(hostile in string for string in strings)
    objects = [field for block in posted["blocks"] for field in block.get("fields", [])]
    assert all(field["verbatim"] for field in objects)


def test_an_entity_is_not_cut_in_two() -> None:
    sent = message("LeaseFrozen", {"reason": {"type": "x", "comment": "&" * 500}})
    texts = _strings(list(render(sent).blocks))
    assert all(text.count("&") == text.count("&amp;") for text in texts)


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [string for item in value.values() for string in _strings(item)]
    if isinstance(value, list):
        return [string for item in value for string in _strings(item)]
    return [value] if isinstance(value, str) else []


# What Slack says


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("channel_not_found", errors.PermanentError),
        ("not_in_channel", errors.PermanentError),
        ("is_archived", errors.PermanentError),
        ("missing_scope", errors.PermanentError),
        ("invalid_auth", errors.CredentialRefusedError),
        ("token_revoked", errors.CredentialRefusedError),
        ("account_inactive", errors.CredentialRefusedError),
        ("ratelimited", errors.ThrottledError),
        ("service_unavailable", errors.UnavailableError),
        ("internal_error", errors.ConnectionLostError),
        ("fatal_error", errors.ConnectionLostError),
    ],
)
def test_each_error_of_the_web_api_has_its_meaning(standin: Served[Slack], code: str, meaning: type[Exception]) -> None:
    standin.fail(POST, error=code)
    with pytest.raises(errors.SwitchboardError) as raised:
        bot(standin.url).send(message())
    assert type(raised.value) is meaning
    assert standin.app.messages == []


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("no_service", errors.CredentialRefusedError),
        ("channel_is_archived", errors.PermanentError),
        ("action_prohibited", errors.PermanentError),
        ("invalid_payload", errors.PermanentError),
        ("rate_limited", errors.ThrottledError),
        ("rollup_error", errors.ConnectionLostError),
    ],
)
def test_each_error_of_a_webhook_has_its_meaning(standin: Served[Slack], code: str, meaning: type[Exception]) -> None:
    standin.fail(HOOK, error=code)
    with pytest.raises(errors.SwitchboardError, match=code) as raised:
        webhook(standin.url).send(message())
    assert type(raised.value) is meaning


def test_a_wrong_token_is_refused_and_a_wrong_channel_too(standin: Served[Slack]) -> None:
    with pytest.raises(errors.CredentialRefusedError, match="invalid_auth"):
        bot(standin.url, token="xoxb-another").send(message())
    with pytest.raises(errors.PermanentError, match="channel_not_found"):
        bot(standin.url, channel="#elsewhere").send(message())


def test_the_rate_limit_of_a_channel_is_throttling(standin: Served[Slack]) -> None:
    with served(Slack(tokens={TOKEN}, per_second=1, burst=2)) as limited:
        sender = bot(limited.url)
        sender.send(message())
        sender.send(message())
        with pytest.raises(errors.ThrottledError):
            sender.send(message())
        assert len(limited.app.messages) == 2


def test_a_failed_post_is_not_tried_again_by_the_sdk(standin: Served[Slack]) -> None:
    standin.fail(POST, reset=True, after=True)
    with pytest.raises(errors.AmbiguousError):
        bot(standin.url).send(message())
    assert len(standin.app.messages) == 1


def test_a_page_from_another_server_is_not_a_success(standin: Served[Slack]) -> None:
    standin.fail(HOOK, status=200, body="<html>please log in</html>")
    with pytest.raises(errors.PermanentError, match="not Slack"):
        webhook(standin.url).send(message())


def test_a_workflow_webhook_says_ok_in_json(standin: Served[Slack]) -> None:
    standin.fail(HOOK, status=200, body='{"ok":true}')
    webhook(standin.url).send(message())

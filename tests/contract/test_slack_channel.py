"""The Slack channel against the stand-in over HTTP: what arrives, and the error for each refusal and for no answer."""

import dataclasses
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from lib.notifications.channels.slack import SlackBot, SlackWebhook, render
from lib.platform import errors
from lib.platform.secrets import Secret
from lib.slack import client
from lib.slack.client import IncomingWebhook, SlackClient
from stack.local.standins.slack import Slack
from stack.local.standins.slack_workspace import id_of
from tests.support.aws.secrets import SecretsManager, Stopwatch
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


@pytest.fixture
def short_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of an answer that never comes."""
    monkeypatch.setattr(client, "TIMEOUT_SECONDS", 1)


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


@pytest.mark.parametrize("channel", [POST, HOOK])
@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (400, errors.PermanentError),
        (403, errors.PermanentError),
        (429, errors.ThrottledError),
        (500, errors.ConnectionLostError),
        (502, errors.ConnectionLostError),
        (503, errors.UnavailableError),
    ],
)
def test_each_http_status_has_its_meaning(standin: Served[Slack], channel: str, status: int, meaning: type[Exception]) -> None:
    standin.fail(channel, status=status, body="<html>something else</html>")
    sender = bot(standin.url) if channel == POST else webhook(standin.url)
    with pytest.raises(errors.SwitchboardError, match=f"HTTP {status}") as raised:
        sender.send(message())
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


# No answer


@pytest.mark.parametrize("channel", [POST, HOOK])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("fault", "meaning"),
    [({"reset": True}, errors.ConnectionLostError), ({"hang": 60, "status": 504}, errors.DeadlineExceededError)],
    ids=["reset", "hang"],
)
@pytest.mark.usefixtures("short_timeout")
def test_no_answer_is_ambiguous(
    standin: Served[Slack], channel: str, after: bool, fault: dict[str, Any], meaning: type[Exception]
) -> None:
    standin.fail(channel, after=after, **fault)
    sender = bot(standin.url) if channel == POST else webhook(standin.url)
    with pytest.raises(errors.AmbiguousError) as raised:
        sender.send(message())
    assert type(raised.value) is meaning
    assert len(standin.app.messages) == after


@pytest.mark.parametrize("kind", ["bot", "webhook"])
def test_a_refused_connection_is_unavailable_and_nothing_was_sent(kind: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        sender = bot(url) if kind == "bot" else webhook(url)
        with pytest.raises(errors.UnavailableError):
            sender.send(message())


# Configuration and secrets


@pytest.mark.parametrize(
    "url", ["not a url", "ftp://127.0.0.1/x", "http://", "http://127.0.0.1:1/a b\x00", "file:///etc/passwd"]
)
def test_an_invalid_webhook_url_is_not_in_its_error(url: str) -> None:
    with pytest.raises(errors.SwitchboardError) as raised:
        webhook("", url).send(message())
    assert isinstance(raised.value, errors.PermanentError | errors.UnavailableError)
    assert url not in str(raised.value)


def test_a_page_from_another_server_is_not_a_success(standin: Served[Slack]) -> None:
    standin.fail(HOOK, status=200, body="<html>please log in</html>")
    with pytest.raises(errors.PermanentError, match="not Slack"):
        webhook(standin.url).send(message())


def test_a_workflow_webhook_says_ok_in_json(standin: Served[Slack]) -> None:
    standin.fail(HOOK, status=200, body='{"ok":true}')
    webhook(standin.url).send(message())


def test_a_token_rotated_since_it_was_read_is_read_again(standin: Served[Slack]) -> None:
    manager, stopwatch = SecretsManager("xoxb-old"), Stopwatch()
    secret = Secret(manager, "arn", stopwatch)
    secret.current()
    manager.rotate(TOKEN)
    stopwatch.seconds += 31

    SlackBot(SlackClient(f"{standin.url}/api/", secret), "#leases").send(message())
    assert len(standin.app.messages) == 1


@pytest.mark.parametrize(
    "fault",
    [{"reset": True}, {"status": 500}, {"error": "invalid_auth"}, {"error": "no_service"}, {"status": 200, "body": "[]"}],
)
def test_no_error_or_output_contains_the_url_or_the_token(
    standin: Served[Slack], fault: dict[str, Any], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    for path, sender in ((POST, bot(standin.url)), (HOOK, webhook(standin.url))):
        standin.fail(path, **fault)
        with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever it is
            sender.send(message())
        shown = f"{raised.value!r} {raised.value}" + "".join(capfd.readouterr()) + caplog.text
        assert TOKEN not in shown
        assert WEBHOOK not in shown
    assert [record.name for record in caplog.records if "slack" in record.name] == [], "the SDK logs what it sends"

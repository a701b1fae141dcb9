"""The Slack stand-in as Slack's own SDK sees it: the answers, errors and limits of the real API."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from lib.slack import blocks
from stack.local.standins.slack import Slack
from tests.support.stopwatch import Stopwatch
from tests.support.web.standins import Served, served


@pytest.fixture
def clock() -> Stopwatch:
    return Stopwatch(1_770_000_000)


@pytest.fixture
def standin(clock: Stopwatch) -> Iterator[Served[Slack]]:
    with served(Slack(tokens={"xoxb-good"}, channels={"leases"}, now=clock)) as standin:
        yield standin


@pytest.fixture
def client(standin: Served[Slack]) -> WebClient:
    return WebClient("xoxb-good", base_url=f"{standin.url}/api/", retry_handlers=[])


def refused(call: Any, **arguments: Any) -> dict[str, Any]:
    with pytest.raises(SlackApiError) as raised:
        call(**arguments)
    data: dict[str, Any] = raised.value.response.data
    return data


# The Web API


def test_a_message_has_its_own_channel_and_timestamp(client: WebClient) -> None:
    first = client.chat_postMessage(channel="#leases", text="one")
    second = client.chat_postMessage(channel=first["channel"], text="two")
    assert first["channel"] == second["channel"]
    assert first["ts"] < second["ts"]
    assert first["message"]["text"] == "one"


def test_a_message_has_a_url(client: WebClient) -> None:
    posted = client.chat_postMessage(channel="#leases", text="one")
    answer = client.chat_getPermalink(channel=posted["channel"], message_ts=posted["ts"])
    assert answer["permalink"] == (f"https://stand-in.slack.com/archives/{posted['channel']}/p{posted['ts'].replace('.', '')}")
    gone = refused(client.chat_getPermalink, channel=posted["channel"], message_ts="1.0")
    assert gone["error"] == "message_not_found"


def test_inputs_beyond_slacks_limits_are_refused(client: WebClient) -> None:
    many = {str(number): "x" for number in range(101)}
    for block in (
        blocks.menu("Why?", "why", many),
        blocks.menu("Why?", "why", {"a": "x" * 76}),
        blocks.words("Why?", "w", 3001),
    ):
        assert refused(client.chat_postMessage, channel="#leases", text="x", blocks=[block])["error"] == "invalid_blocks"
    client.chat_postMessage(
        channel="#leases", text="x", blocks=[blocks.menu("Why?", "why", {"a": "x"}), blocks.words("W", "w", 9)]
    )


def test_an_update_changes_the_message_in_place(standin: Served[Slack], client: WebClient) -> None:
    posted = client.chat_postMessage(channel="#leases", text="waiting")
    client.chat_update(channel=posted["channel"], ts=posted["ts"], text="approved")
    [message] = standin.app.messages
    assert (message["text"], message["ts"]) == ("approved", posted["ts"])


def test_an_ephemeral_message_cannot_be_updated(client: WebClient) -> None:
    posted = client.chat_postEphemeral(channel="#leases", user="U012345", text="only you")
    channel = client.chat_postMessage(channel="#leases", text="all")["channel"]
    assert refused(client.chat_update, channel=channel, ts=posted["message_ts"], text="x")["error"] == "message_not_found"


def test_a_bot_cannot_update_a_webhooks_message() -> None:
    with served(Slack()) as standin:
        WebhookClient(f"{standin.url}/services/T1/B1/x").send(text="hello")
        [message] = standin.app.messages
        client = WebClient("xoxb-any", base_url=f"{standin.url}/api/", retry_handlers=[])
        answer = refused(client.chat_update, channel=message["channel"], ts=message["ts"], text="mine")
        assert answer["error"] == "cant_update_message"


def test_auth_test_returns_the_bot(client: WebClient) -> None:
    assert client.auth_test()["user"] == "switchboard"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel": "#elsewhere", "text": "x"}, "channel_not_found"),
        ({"channel": "C0UNKNOWN", "text": "x"}, "channel_not_found"),
        ({"channel": "#leases", "text": "", "blocks": []}, "no_text"),
        ({"channel": "#leases", "text": "x" * 40_001}, "msg_too_long"),
        ({"channel": "#leases", "text": "x", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"channel": "#leases", "text": "x", "blocks": [{"type": "section"}]}, "invalid_blocks"),
        (
            {
                "channel": "#leases",
                "text": "x",
                "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}],
            },
            "invalid_blocks",
        ),
        (
            {
                "channel": "#leases",
                "text": "x",
                "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3000}}] * 5,
            },
            "msg_blocks_too_long",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:The top-level `text`")
def test_a_bad_message_is_refused_as_slack_refuses_it(
    standin: Served[Slack], client: WebClient, arguments: dict[str, Any], error: str
) -> None:
    assert refused(client.chat_postMessage, **arguments)["error"] == error
    assert standin.app.messages == []


def test_the_error_of_a_block_is_located(client: WebClient) -> None:
    blocks = [{"type": "divider"}, {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]
    answer = refused(client.chat_postMessage, channel="#leases", text="x", blocks=blocks)
    assert answer["errors"] == ["must be less than 3001 characters [json-pointer:/blocks/1/text/text]"]


@pytest.mark.parametrize(("token", "error"), [("xoxb-bad", "invalid_auth"), ("", "not_authed"), ("password", "invalid_auth")])
def test_a_bad_token_is_refused(standin: Served[Slack], token: str, error: str) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = requests.post(
        f"{standin.url}/api/chat.postMessage", json={"channel": "#leases", "text": "x"}, headers=headers, timeout=5
    )
    assert answer.json() == {"ok": False, "error": error}


def test_a_token_counts_in_a_form_but_not_in_json(standin: Served[Slack]) -> None:
    body = {"token": "xoxb-good", "channel": "#leases", "text": "x"}
    assert requests.post(f"{standin.url}/api/chat.postMessage", data=body, timeout=5).json()["ok"] is True
    assert requests.post(f"{standin.url}/api/chat.postMessage", json=body, timeout=5).json()["error"] == "not_authed"


def test_an_unknown_method_is_named(client: WebClient) -> None:
    assert refused(client.api_call, api_method="chat.shout")["error"] == "unknown_method"


def test_the_rate_limit_applies_per_channel_and_ends(clock: Stopwatch) -> None:
    with served(Slack(per_second=1, burst=2, now=clock)) as standin:
        client = WebClient("xoxb-any", base_url=f"{standin.url}/api/", retry_handlers=[])
        for _ in range(2):
            client.chat_postMessage(channel="#leases", text="x")
        with pytest.raises(SlackApiError) as raised:
            client.chat_postMessage(channel="#leases", text="x")
        assert raised.value.response.status_code == 429
        assert raised.value.response.headers["Retry-After"] == "1"
        assert raised.value.response["error"] == "ratelimited"

        client.chat_postMessage(channel="#other", text="x")
        clock.seconds += 1
        client.chat_postMessage(channel="#leases", text="x")


def test_a_reply_is_in_the_thread_of_the_message_that_it_answers(standin: Served[Slack], client: WebClient) -> None:
    first = client.chat_postMessage(channel="#leases", text="one")
    reply = client.chat_postMessage(channel=first["channel"], text="two", thread_ts=first["ts"])
    client.chat_postMessage(channel=first["channel"], text="three", thread_ts=reply["ts"])
    assert reply["message"]["thread_ts"] == first["ts"]
    assert [message.get("thread_ts") for message in standin.app.messages] == [None, first["ts"], first["ts"]]


def test_a_reply_to_a_missing_message_is_refused(standin: Served[Slack], client: WebClient) -> None:
    posted = client.chat_postMessage(channel="#leases", text="one")
    hidden = client.chat_postEphemeral(channel="#leases", user="U012345", text="only you")
    standin.app.delete(posted["channel"], posted["ts"])
    for thread_ts, error in (
        (posted["ts"], "thread_not_found"),
        (hidden["message_ts"], "cannot_reply_to_message"),
        ("0", "invalid_thread_ts"),
    ):
        answer = refused(client.chat_postMessage, channel=posted["channel"], text="x", thread_ts=thread_ts)
        assert answer["error"] == error


@pytest.mark.parametrize("error", ["channel_not_found", "is_archived", "not_in_channel"])
def test_a_channel_refuses_messages_until_it_is_open_again(standin: Served[Slack], client: WebClient, error: str) -> None:
    def close(channel: str, error: str) -> int:
        body = {"channel": channel, "error": error}
        return requests.post(f"{standin.url}/_standin/channels", json=body, timeout=5).status_code

    posted = client.chat_postMessage(channel="#leases", text="one")
    assert close("#leases", error) == 200
    assert refused(client.chat_postMessage, channel=posted["channel"], text="two")["error"] == error
    assert refused(client.chat_update, channel=posted["channel"], ts=posted["ts"], text="two")["error"] == error
    assert close(posted["channel"], "") == 200
    assert client.chat_postMessage(channel="leases", text="two")["ok"]
    assert close("leases", "is_full") == 400


def test_a_deleted_message_is_gone(standin: Served[Slack], client: WebClient) -> None:
    posted = client.chat_postMessage(channel="#leases", text="one")
    place = {"channel": posted["channel"], "ts": posted["ts"]}
    assert requests.post(f"{standin.url}/_standin/delete", json=place, timeout=5).json() == {"ok": True}
    assert refused(client.chat_update, **place, text="two")["error"] == "message_not_found"


# Incoming webhooks


def test_a_webhook_answers_ok_and_keeps_the_message(standin: Served[Slack]) -> None:
    answer = WebhookClient(f"{standin.url}/services/T1/B1/x").send(text="hello")
    assert (answer.status_code, answer.body) == (200, "ok")
    assert [(message["kind"], message["text"]) for message in standin.app.messages] == [("webhook", "hello")]


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/services/T1/B1", b'{"text": "x"}', (404, "no_service")),
        ("/services/T1/B1/x", b"no json", (400, "invalid_payload")),
        ("/services/T1/B1/x", b"[]", (400, "invalid_payload")),
        ("/services/T1/B1/x", b"{}", (400, "no_text")),
        ("/services/T1/B1/x", b'{"text": "x", "blocks": [{}]}', (400, "invalid_blocks")),
    ],
)
def test_a_webhook_refuses_in_plain_text(standin: Served[Slack], path: str, body: bytes, expected: tuple[int, str]) -> None:
    answer = requests.post(standin.url + path, data=body, headers={"Content-Type": "application/json"}, timeout=5)
    assert (answer.status_code, answer.text) == expected


def test_an_unknown_webhook_answers_no_service() -> None:
    with served(Slack(webhooks={"T1/B1/right"})) as standin:
        assert WebhookClient(f"{standin.url}/services/T1/B1/wrong").send(text="x").body == "no_service"
        assert WebhookClient(f"{standin.url}/services/T1/B1/right").send(text="x").body == "ok"


# Response URLs


@pytest.fixture
def response_url(standin: Served[Slack], client: WebClient) -> str:
    posted = client.chat_postMessage(channel="#leases", text="approve?")
    place = {"channel": posted["channel"], "ts": posted["ts"]}
    url: str = requests.post(f"{standin.url}/_standin/response_urls", json=place, timeout=5).json()["response_url"]
    return url


def test_a_response_url_replaces_the_message(standin: Served[Slack], response_url: str) -> None:
    assert WebhookClient(response_url).send(text="approved", replace_original=True).status_code == 200
    assert [message["text"] for message in standin.app.messages] == ["approved"]


def test_a_response_url_deletes_the_message(standin: Served[Slack], response_url: str) -> None:
    assert WebhookClient(response_url).send(delete_original=True).status_code == 200
    assert standin.app.messages == []


def test_a_response_is_otherwise_a_new_message(standin: Served[Slack], response_url: str) -> None:
    WebhookClient(response_url).send(text="thanks")
    assert [(message["kind"], message["text"]) for message in standin.app.messages][1] == ("response", "thanks")


def test_a_response_url_works_five_times(response_url: str) -> None:
    answers = [WebhookClient(response_url).send(text=str(number)) for number in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [404]
    assert "used_url" in answers[-1].body


def test_a_response_url_works_for_half_an_hour(clock: Stopwatch, response_url: str) -> None:
    clock.seconds += 30 * 60 - 1
    assert WebhookClient(response_url).send(text="x").status_code == 200
    clock.seconds += 1
    answer = WebhookClient(response_url).send(text="x")
    assert (answer.status_code, "expired_url" in answer.body) == (404, True)


# The control surface


def test_the_messages_can_be_listed_and_reset(standin: Served[Slack], client: WebClient) -> None:
    client.chat_postMessage(channel="#leases", text="one")
    messages = requests.get(f"{standin.url}/_standin/messages", timeout=5).json()["messages"]
    assert [message["text"] for message in messages] == ["one"]
    requests.post(f"{standin.url}/_standin/reset", timeout=5)
    assert standin.app.messages == []


def test_the_limit_can_be_switched_on_and_off(standin: Served[Slack], client: WebClient) -> None:
    requests.post(f"{standin.url}/_standin/limits", json={"per_second": 1, "burst": 1}, timeout=5)
    client.chat_postMessage(channel="#leases", text="x")
    assert refused(client.chat_postMessage, channel="#leases", text="x")["error"] == "ratelimited"
    requests.post(f"{standin.url}/_standin/limits", json={"per_second": 0}, timeout=5)
    client.chat_postMessage(channel="#leases", text="x")

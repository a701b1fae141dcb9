"""What Slack sends when a button is clicked, in the forms that its SDKs document."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from lib.approvals.interactions import Decision, Ignored, Verb, read_interaction
from lib.platform import errors

API = "https://slack.com/api/"
HASH = "0f" * 32


def clicked(**changed: Any) -> dict[str, Any]:
    """A click on Approve, as Slack sends it for a message of a bot."""
    payload = {
        "type": "block_actions",
        "team": {"id": "T0TEAM", "domain": "example"},
        "user": {"id": "U0ANN", "username": "ann", "name": "ann.lee", "team_id": "T0TEAM"},
        "api_app_id": "A0APP",
        "container": {"type": "message", "message_ts": "1769083200.000100", "channel_id": "C0DRAFTS", "is_ephemeral": False},
        "trigger_id": "1.2.x",
        "channel": {"id": "C0DRAFTS", "name": "drafts"},
        "message": {"type": "message", "ts": "1769083200.000100"},
        "response_url": "https://hooks.slack.com/actions/T0TEAM/1/abc",
        "actions": [{"action_id": "approve_draft", "value": f"sess-1:{HASH}", "type": "button", "action_ts": "1769083201.1"}],
    }
    return {name: value for name, value in {**payload, **changed}.items() if value is not ...}


def body(payload: Any) -> bytes:
    return urlencode({"payload": json.dumps(payload)}).encode()


def read(payload: Any, api: str = API) -> Decision | Ignored:
    return read_interaction(body(payload), api)


def button(**changed: Any) -> list[dict[str, Any]]:
    return [{"action_id": "approve_draft", "value": f"sess-1:{HASH}", **changed}]


def test_a_click_on_approve_is_a_decision() -> None:
    assert read(clicked()) == Decision(
        verb=Verb.APPROVE,
        session_id="sess-1",
        draft_hash=HASH,
        user="U0ANN",
        channel="C0DRAFTS",
        message_ts="1769083200.000100",
        response_url="https://hooks.slack.com/actions/T0TEAM/1/abc",
    )


def test_a_click_on_reject_is_a_decision() -> None:
    decision = read(clicked(actions=button(action_id="reject_draft")))
    assert isinstance(decision, Decision)
    assert decision.verb is Verb.REJECT


def test_a_click_on_retry_is_read() -> None:
    decision = read(clicked(actions=button(action_id="retry_issue"), state=entered("not_planned")))
    assert isinstance(decision, Decision)
    assert (decision.verb, decision.reason) == (Verb.RETRY, "")


def entered(menu: Any = ..., words: Any = ...) -> dict[str, Any]:
    """The ``state`` of a message with the inputs of a preview, as Slack sends it with a click on a button."""
    option = {"text": {"type": "plain_text", "text": "x", "emoji": True}, "value": menu}
    chosen = {"type": "static_select", "selected_option": None if menu is ... else option}
    written = {"type": "plain_text_input", "value": None if words is ... else words}
    return {"values": {"reject_reason": {"reject_reason": chosen}, "reject_words": {"reject_words": written}}}


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (entered(), ""),
        (entered("not_planned"), "Not planned"),
        (entered(words="  Ask *me*\nfirst \u200b"), "Ask *me* first [U+200B]"),
        (entered("duplicate", "PROJ-7"), "Duplicate of another issue: PROJ-7"),
        (entered("made up", "w" * 3_000), "w" * 499 + "…"),
        (entered(["list"], {"an": "object"}), ""),
        (entered(words="\ud800\x00"), "\ufffd"),
        ({"values": None}, ""),
        ("text", ""),
        (..., ""),
    ],
)
def test_the_reason_comes_with_the_click_on_reject(state, reason) -> None:
    decision = read(clicked(actions=button(action_id="reject_draft"), state=state))
    assert isinstance(decision, Decision)
    assert decision.reason == reason


def test_a_click_on_approve_has_no_reason() -> None:
    assert read(clicked(state=entered("not_planned", "no"))) == read(clicked())


def test_a_choice_from_the_menu_alone_decides_nothing() -> None:
    menu = {"action_id": "reject_reason", "type": "static_select", "selected_option": {"value": "not_planned"}}
    assert isinstance(read(clicked(actions=[menu])), Ignored)


def test_a_click_in_an_organisation_wide_app_without_a_team_is_read() -> None:
    assert read(clicked(team=None, enterprise={"id": "E0ORG"}, is_enterprise_install=True)) == read(clicked())


@pytest.mark.parametrize("missing", ["team", "channel", "message", "api_app_id", "trigger_id"])
def test_parts_that_are_not_needed_may_be_missing(missing) -> None:
    assert read(clicked(**{missing: ...})) == read(clicked())


def test_without_a_container_the_message_is_named_by_its_other_parts() -> None:
    assert read(clicked(container=...)) == read(clicked())


def test_slacks_check_of_the_certificate_is_ignored() -> None:
    assert isinstance(read_interaction(b"ssl_check=1&token=abc", API), Ignored)


def test_missing_values_are_empty() -> None:
    decision = read(clicked(container=..., channel=..., message=..., response_url=..., user={"id": "U0ANN"}))
    assert isinstance(decision, Decision)
    assert (decision.channel, decision.message_ts, decision.response_url) == ("", "", None)


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "view_submission", "view": {}},
        {"type": "shortcut"},
        {},
        clicked(actions=[{"type": "multi_conversations_select", "action_id": "other", "selected_conversations": ["G1"]}]),
        clicked(actions=[]),
        clicked(actions=None),
        clicked(actions=["odd", {"action_id": ["approve_draft"]}]),
    ],
)
def test_every_other_interaction_is_ignored(payload) -> None:
    assert isinstance(read(payload), Ignored)


@pytest.mark.parametrize(
    "payload",
    [
        clicked(user=...),
        clicked(user={"id": ""}),
        clicked(user={"id": 7}),
        clicked(user={"id": "U0 ANN"}),
        clicked(actions=button(value="sess-1")),
        clicked(actions=button(value=None)),
        clicked(actions=button(value=f"event#1:{HASH}")),
        [],
        "text",
    ],
)
def test_a_click_without_a_required_value_is_refused(payload) -> None:
    with pytest.raises(errors.InvalidInputError):
        read(payload)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"payload=",
        b"payload=%7B",
        b'{"type": "block_actions"}',
        b"\xff\xfe",
        b"payload=%7B%7D&payload=%7B%7D",
        b"payload=" + b"%5B" * 20_000,
        b"&".join(b"a=1" for _ in range(50)),
        b"ssl_check=0",
        b"ssl_check=1&ssl_check=1",
    ],
)
def test_a_body_other_than_a_form_with_one_payload_is_refused(raw) -> None:
    with pytest.raises(errors.InvalidInputError):
        read_interaction(raw, API)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.slack.com/actions/T0/1/x",
        "https://hooks.slack.com:443/actions/T0/1/x",
        "https://hooks.slack-gov.com/actions/T0/1/x",
        "https://slack.com/actions/T0/1/x",
    ],
)
def test_an_answer_may_go_to_slack(url) -> None:
    decision = read(clicked(response_url=url))
    assert isinstance(decision, Decision)
    assert decision.response_url == url


def test_an_answer_may_go_to_the_configured_api_but_no_other_port() -> None:
    local = "http://127.0.0.1:8123/api/"
    for url, taken in [("http://127.0.0.1:8123/actions/1", True), ("http://127.0.0.1:8124/actions/1", False)]:
        decision = read(clicked(response_url=url), local)
        assert isinstance(decision, Decision)
        assert (decision.response_url == url) is taken


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.slack.com/actions/1",
        "https://hooks.slack.com.example.com/1",
        "https://example.com/hooks.slack.com",
        "https://hooks.slack.com@example.com/1",
        "https://u:p@hooks.slack.com/1",
        "https://hooks.slack.com:8443/1",
        "https://hooks.slack.com:port/1",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "//hooks.slack.com/1",
        "https://[::1/1",
        "https://hooks.slack.com/" + "x" * 1000,
        "",
        7,
    ],
)
def test_an_answer_to_another_host_is_dropped_and_the_click_counts(url) -> None:
    decision = read(clicked(response_url=url))
    assert isinstance(decision, Decision)
    assert decision.response_url is None

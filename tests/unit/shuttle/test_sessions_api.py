"""Sessions and settings over HTTP: whose they are, how long they last, and that nobody else reads their values."""

import json
import logging
from typing import Any

import pytest

from lib.platform import errors
from lib.shuttle import api_json, entities
from lib.shuttle.entities import Session, SessionKind
from tests.support.shuttle.api import Api
from tests.support.shuttle.builders import DOMAIN, NOON, OTHER, ShuttleTable

SECRET = "s3cr3t-token-of-a-shop"
BODY = {"shop_domain": DOMAIN, "kind": "OFFLINE", "user_id": "17", "scopes": ["read"], "values": {"access_token": SECRET}}


@pytest.fixture
def app(api: Api) -> Api:
    """The API, with two shops."""
    api.shop(DOMAIN, columns=None)
    api.shop(OTHER, columns=None)
    return api


def sessions_of(app: Api, domain: str) -> list[str]:
    listed = app.call("GET", f"/shuttle/shops/{domain}/sessions").json()["sessions"]
    return [session["session_id"] for session in listed]


def test_a_session_is_stored_read_listed_and_deleted(app: Api) -> None:
    stored = app.call("PUT", "/shuttle/sessions/offline:1", BODY)
    assert stored.status_code == 200, stored.text

    session = app.call("GET", "/shuttle/sessions/offline:1").json()["session"]
    assert session["values"] == {"access_token": SECRET}
    assert (session["shop_domain"], session["kind"], session["user_id"], session["scopes"]) == (
        DOMAIN,
        "OFFLINE",
        "17",
        ["read"],
    )
    assert sessions_of(app, DOMAIN) == ["offline:1"]
    assert sessions_of(app, OTHER) == []

    assert app.call("DELETE", "/shuttle/sessions/offline:1").json() == {"deleted": True}
    assert app.call("DELETE", "/shuttle/sessions/offline:1").json() == {"deleted": False}
    assert app.call("GET", "/shuttle/sessions/offline:1").status_code == 404


def test_a_session_can_be_replaced_but_not_moved_to_another_shop(app: Api) -> None:
    app.call("PUT", "/shuttle/sessions/s1", BODY)

    moved = app.call("PUT", "/shuttle/sessions/s1", BODY | {"shop_domain": OTHER})
    assert (moved.status_code, moved.json()["error"]) == (400, "malformed")
    assert app.call("PUT", "/shuttle/sessions/s1", BODY | {"values": {"a": "b"}}).status_code == 200
    assert app.call("GET", "/shuttle/sessions/s1").json()["session"]["values"] == {"a": "b"}


def test_an_ended_session_is_404_and_leaves_its_id_free(app: Api, shuttle_table: ShuttleTable) -> None:
    ended = Session.open("s1", DOMAIN, SessionKind.ONLINE, NOON)
    shuttle_table.put_raw(entities.to_item(ended))

    assert app.call("GET", "/shuttle/sessions/s1").status_code == 404
    assert app.call("DELETE", "/shuttle/sessions/s1").json() == {"deleted": False}
    shuttle_table.put_raw(entities.to_item(ended))
    assert app.call("PUT", "/shuttle/sessions/s1", BODY | {"shop_domain": OTHER}).status_code == 200


def test_a_session_of_a_shop_that_is_not_installed_is_404(api: Api) -> None:
    assert api.call("PUT", "/shuttle/sessions/s1", BODY).status_code == 404


def test_all_sessions_of_one_shop_are_deleted(app: Api) -> None:
    for number in range(3):
        app.call("PUT", f"/shuttle/sessions/mine-{number}", BODY)
    app.call("PUT", "/shuttle/sessions/theirs", BODY | {"shop_domain": OTHER})

    answer = app.call("DELETE", f"/shuttle/shops/{DOMAIN}/sessions")

    assert answer.json() == {"removed": {"sessions": 3}, "complete": True}
    assert sessions_of(app, DOMAIN) == []
    assert sessions_of(app, OTHER) == ["theirs"]


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "FOREVER"},
        {"kind": None},
        {"shop_domain": "SHOP"},
        {"shop_domain": 7},
        {"values": {"token": 7}},
        {"values": [SECRET]},
        {"values": {SECRET: None}},
        {"values": {"": SECRET}},
        {"values": {SECRET: "x" * 8192}},
        {"values": {SECRET: "\ud800"}},
        {"scopes": [SECRET] * 101},
        {"scopes": ["x" * 201]},
        {"user_id": "x" * 257},
        {"expires_at": "2030-01-01T00:00:00Z"},
    ],
)
def test_an_invalid_session_is_refused_without_its_values(
    app: Api, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], changes: dict[str, Any]
) -> None:
    answer = app.call("PUT", "/shuttle/sessions/s1", BODY | changes)

    assert (answer.status_code, answer.json()["error"]) == (400, "malformed")
    assert SECRET not in answer.text + caplog.text + "".join(capsys.readouterr())


@pytest.mark.parametrize("session_id", ["a%23b", "-a", "x" * 129, "a%20b"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_an_invalid_session_id_is_400(app: Api, method: str, session_id: str) -> None:
    assert app.call(method, f"/shuttle/sessions/{session_id}", BODY).status_code == 400


def test_the_values_are_in_no_text_but_the_one_answer(
    app: Api, shuttle_table: ShuttleTable, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)  # the SDK itself logs requests at DEBUG, which no function turns on
    session = Session.open("s1", DOMAIN, SessionKind.OFFLINE, NOON, values={"token": SECRET})
    refused = []
    seen = [app.call("PUT", "/shuttle/sessions/s1", BODY)]
    seen += [app.call("GET", f"/shuttle/shops/{DOMAIN}/{path}") for path in ("sessions", "schema", "jobs", "usage")]
    seen += [app.call("PUT", "/shuttle/sessions/s1", BODY | {"shop_domain": OTHER})]
    shuttle_table.put_raw(entities.to_item(session) | {"Values": {"M": {"token": {"L": [{"S": SECRET}]}}}})  # a corrupt row
    seen += [app.call("GET", "/shuttle/sessions/s1"), app.call("DELETE", f"/shuttle/shops/{DOMAIN}/sessions")]
    assert [answer.status_code for answer in seen] == [200, 200, 404, 200, 200, 400, 503, 200]
    for change in ({"shop_domain": OTHER}, {"session_id": "s2"}):
        with pytest.raises(errors.SwitchboardError) as error:
            entities.from_item(Session, entities.to_item(session) | {"PK": {"S": str(change)}})
        refused.append(str(error.value))

    texts = [answer.text for answer in seen] + refused
    texts += [repr(session), str(session), json.dumps(api_json.session_to_json(session))]
    texts += [caplog.text, *capsys.readouterr()]
    assert not [text for text in texts if SECRET in text]


def test_a_session_answer_is_not_cached(app: Api) -> None:
    app.call("PUT", "/shuttle/sessions/s1", BODY)

    response = app.client.get("/shuttle/sessions/s1")  # type: ignore[attr-defined]

    assert response.headers["Cache-Control"] == "no-store"


def test_settings_are_changed_one_by_one_and_read(app: Api, shuttle_table: ShuttleTable) -> None:
    change = shuttle_table.registry.change_app_config
    assert change("limits", {"uploads": None}) is None
    change("limits", {"uploads": "on", "rows": "7"})
    change("limits", {"rows": None, "colour": "green"})

    config = app.call("GET", "/shuttle/config/limits").json()["config"]
    assert (config["name"], config["values"]) == ("limits", {"uploads": "on", "colour": "green"})
    assert change("limits", {"uploads": None, "colour": None}) is None
    assert app.call("GET", "/shuttle/config/limits").status_code == 404


def test_settings_that_others_changed_in_the_meantime_are_merged(shuttle_table: ShuttleTable) -> None:
    registry = shuttle_table.registry
    registry.change_app_config("limits", {"a": "1"})
    put, others = shuttle_table.client.client.put_item, iter(["2", "3"])

    def late(**request: Any) -> Any:
        for value in others:
            shuttle_table.clock.advance(seconds=1)
            shuttle_table.client.client.put_item = put
            registry.change_app_config("limits", {"b": value})
            shuttle_table.client.client.put_item = late
            break
        return put(**request)

    shuttle_table.client.client.put_item = late
    changed = registry.change_app_config("limits", {"c": "4"})

    assert changed is not None
    assert changed.values == {"a": "1", "b": "3", "c": "4"}

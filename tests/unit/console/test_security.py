"""Which requests the console answers: those of the person who has its link, from the console's own pages."""

import io
import re
from typing import Any, NoReturn

import flask
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from handlers.console import confirmation
from handlers.console.application import create_app
from handlers.console.context import Console
from handlers.console.security import Gate
from lib.platform import errors, log
from tests.support.console.client import PERSON, PORT, TEMPLATES
from tests.support.operations.deployment import Deployment

OWN = f"http://127.0.0.1:{PORT}"


@pytest.fixture
def made() -> list[str]:
    """The changes that were made."""
    return []


@pytest.fixture
def app(deployment: Deployment, made: list[str]) -> flask.Flask:
    """A console that allows changes, with one change to make."""
    console = Console(deployment, allow_writes=True)
    console._person = PERSON
    gate = Gate(PORT)
    app = create_app(console, gate)
    app.jinja_env.bytecode_cache = TEMPLATES
    app.extensions["gate"] = gate

    def change() -> Any:
        if flask.request.method == "GET":
            return confirmation.ask("Change it?", "It changes.", button="Change", back="/")
        with confirmation.change("tests.change", what="it"):
            made.append(flask.request.method)
        return confirmation.done("It is changed.", "/trace")

    app.add_url_rule("/change", "change", change, methods=["GET", "POST"])
    return app


@pytest.fixture
def browser(app: flask.Flask) -> FlaskClient:
    """A browser without a session."""
    return app.test_client()


def get(browser: FlaskClient, path: str, **headers: str) -> TestResponse:
    return browser.get(path, base_url=OWN, headers=headers)


@pytest.fixture
def session(app: flask.Flask, browser: FlaskClient) -> FlaskClient:
    """A browser that has opened the link."""
    answer = get(browser, f"/?token={app.extensions['gate'].token}")
    assert answer.status_code == 303
    return browser


def csrf_token_of(browser: FlaskClient) -> str:
    """The token in the form of a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', get(browser, "/change").text)
    assert found
    return found[1]


def test_without_the_link_nothing_is_shown(browser: FlaskClient) -> None:
    for path in ("/", "/trace?id=e-1", "/docs/runbooks/jobs", "/no-such-page", "/change"):
        answer = get(browser, path)
        assert answer.status_code == 401, path
        assert "Open the console by its link" in answer.text
        assert "jira" not in answer.text.lower()


@pytest.mark.parametrize("token", ["", "wrong", "ä", "x" * 5000])
def test_a_wrong_token_opens_no_session(browser: FlaskClient, token: str) -> None:
    answer = browser.get("/", query_string={"token": token}, base_url=OWN)

    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers


def test_the_link_opens_a_session_and_leaves_the_url(app: flask.Flask, browser: FlaskClient) -> None:
    answer = get(browser, f"/trace?id=OPS-1&token={app.extensions['gate'].token}&since=1h")

    assert answer.status_code == 303
    assert answer.headers["Location"] == "/trace?id=OPS-1&since=1h"
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert app.extensions["gate"].token not in cookie
    assert get(browser, "/trace").status_code == 200


def test_a_cookie_of_another_console_is_refused(session: FlaskClient, deployment: Deployment) -> None:
    other = create_app(Console(deployment), Gate(PORT)).test_client()
    cookie = session.get_cookie(f"switchboard_console_{PORT}", domain="127.0.0.1")
    assert cookie
    other.set_cookie(cookie.key, cookie.value, domain="127.0.0.1")

    assert get(other, "/trace").status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", f"127.0.0.1.evil.example:{PORT}", ""]
)
def test_a_foreign_host_is_refused(session: FlaskClient, host: str) -> None:
    for path in ("/trace", "/static/console.css"):
        answer = session.get(path, base_url=OWN, headers={"Host": host})
        assert answer.status_code == 421, path


def test_localhost_is_answered(browser: FlaskClient) -> None:
    assert browser.get("/", base_url=f"http://localhost:{PORT}").status_code == 401


def test_a_form_of_the_console_makes_the_change(session: FlaskClient, made: list[str]) -> None:
    answer = session.post("/change", base_url=OWN, data={"csrf_token": csrf_token_of(session)}, headers={"Origin": OWN})

    assert answer.status_code == 303
    assert made == ["POST"]


@pytest.mark.parametrize("path", ["/trace", "/nope"])
def test_the_result_of_a_change_is_shown_once(session: FlaskClient, path: str) -> None:
    session.post("/change", base_url=OWN, data={"csrf_token": csrf_token_of(session)}, headers={"Origin": OWN})

    assert "It is changed." not in get(session, "/trace", Host="evil.example").text, "a refusal does not show it"
    assert "It is changed." in get(session, path).text
    assert "It is changed." not in get(session, path).text


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({}, True),
        ({"Origin": "null"}, True),
        ({"Origin": "http://evil.example"}, True),
        ({"Origin": f"https://127.0.0.1:{PORT}"}, True),
        ({"Origin": "http://127.0.0.1:1"}, True),
        ({"Origin": f"127.0.0.1:{PORT}"}, True),
        ({"Origin": OWN, "Sec-Fetch-Site": "cross-site"}, True),
        ({"Origin": OWN, "Sec-Fetch-Site": "same-site"}, True),
        ({"Origin": OWN}, False),
    ],
)
def test_a_form_from_elsewhere_changes_nothing(
    session: FlaskClient, made: list[str], headers: dict[str, str], token: bool
) -> None:
    data = {"csrf_token": csrf_token_of(session) if token else "guessed"}

    answer = session.post("/change", base_url=OWN, data=data, headers=headers)

    assert answer.status_code == 403
    assert made == []


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_change_nothing(session: FlaskClient, made: list[str], method: str) -> None:
    answer = session.open("/change", method=method, base_url=OWN, headers={"Origin": OWN})

    assert answer.status_code in {403, 405}
    assert made == []


def test_a_get_never_changes_anything(session: FlaskClient, made: list[str]) -> None:
    assert "Change it?" in get(session, f"/change?csrf_token={csrf_token_of(session)}").text
    assert made == []


def test_a_read_only_console_refuses_the_change(app: flask.Flask, session: FlaskClient, made: list[str]) -> None:
    app.extensions["console"].allow_writes = False

    asked = get(session, "/change").text
    answer = session.post("/change", base_url=OWN, data={"csrf_token": csrf_token_of(session)}, headers={"Origin": OWN})

    assert "--allow-writes" in asked
    assert re.search(r"<button[^>]* disabled>Change", asked)
    assert answer.status_code == 403
    assert "read-only" in answer.text
    assert made == []


@pytest.mark.parametrize(
    ("fails", "message"), [(None, "console_change"), (errors.UnavailableError("Jira is down"), "console_change_failed")]
)
def test_each_change_is_logged_with_the_person(app: flask.Flask, fails: Exception | None, message: str) -> None:
    written = io.StringIO()
    app.extensions["console"].logger = log.Logger(message, written)

    def act() -> None:
        with confirmation.change("tests.act", session="s-1"):
            if fails:
                raise fails

    with app.test_request_context("/"):
        if fails:
            with pytest.raises(errors.UnavailableError):
                act()
        else:
            act()

    line = written.getvalue()
    assert f'"message":"{message}"' in line
    assert PERSON in line
    assert '"action":"tests.act"' in line
    assert '"session":"s-1"' in line


def test_every_answer_forbids_scripts_frames_and_caching(session: FlaskClient) -> None:
    for path, status in (("/trace", 200), ("/no-such-page", 404), ("/static/console.css", 200), ("/change", 200)):
        answer = get(session, path)
        assert answer.status_code == status
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] in {"no-store", "no-cache"}


def test_pages_have_no_inline_script_or_style_and_no_foreign_asset(session: FlaskClient) -> None:
    for path in ("/", "/trace", "/runbooks", "/change", "/no-such-page"):
        page = get(session, path).text
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|javascript:", page), path
        assert not re.search(r'(?:src|<link[^>]*href)="(?!/static/)', page), path


@pytest.mark.parametrize(
    ("error", "status", "shown"),
    [
        (errors.NotFoundError("there is no issue OPS-9"), 404, "There is no issue OPS-9."),
        (errors.UnavailableError("could not read ada@example.com"), 503, "Could not read email:"),
        (RuntimeError("ada@example.com xoxb-12345-secret"), 500, "Internal error: RuntimeError"),
    ],
)
def test_an_error_is_a_sentence_without_personal_data(
    app: flask.Flask, session: FlaskClient, error: Exception, status: int, shown: str
) -> None:
    def fail() -> NoReturn:
        raise error

    app.view_functions["change"] = fail
    answer = get(session, "/change")

    assert answer.status_code == status
    assert shown in answer.text
    assert "ada@example.com" not in answer.text
    assert "xoxb" not in answer.text
    assert "Traceback" not in answer.text


def test_a_link_of_a_refused_page_leads_to_no_other_host(browser: FlaskClient) -> None:
    for path in ("/%5Cevil.example/x", "/%2F/evil.example", "/%2F%5Cevil.example"):
        found = re.findall(r'href="([^"]*)"', get(browser, path).text)
        assert found, path
        assert not [link for link in found if re.match(r"//|/\\|[a-z]+:", link)], path


def test_opening_a_session_redirects_to_no_other_host(app: flask.Flask, browser: FlaskClient) -> None:
    for path in ("/%5Cevil.example", "/%2F/evil.example", "/x%0d%0aX-Injected:1"):
        answer = get(browser, f"{path}?token={app.extensions['gate'].token}")
        assert answer.status_code == 303, path
        assert re.fullmatch(r"/[^/\\\r\n].*", answer.headers["Location"]), path
        assert "X-Injected" not in answer.headers

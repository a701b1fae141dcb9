"""What the application answers reaches each caller, in the form that it wants."""

import base64
import io
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from lib.web import wsgi
from tests.support.web.event_forms import EVERY_FORM, App, balancer, balancer_multi, function_url, gateway_v1, gateway_v2


@EVERY_FORM
def test_the_status_is_a_number(event: Callable[..., dict[str, Any]]) -> None:
    assert wsgi.respond(App(status="404 Not Found"), event(), None)["statusCode"] == 404


@EVERY_FORM
def test_a_text_answer_is_text(event: Callable[..., dict[str, Any]]) -> None:
    answer = wsgi.respond(App(body=["café".encode(), b"!"]), event(), None)
    assert (answer["body"], answer["isBase64Encoded"]) == ("café!", False)


@EVERY_FORM
def test_an_image_is_answered_in_base64(event: Callable[..., dict[str, Any]]) -> None:
    png = b"\x89PNG\r\n\x1a\n\x00"
    answer = wsgi.respond(App(body=[png], headers=[("Content-Type", "image/png")]), event(), None)
    assert answer["isBase64Encoded"] is True
    assert base64.b64decode(answer["body"]) == png
    assert "image/png" in str(answer)
    assert "octet-stream" not in str(answer)


@EVERY_FORM
def test_text_that_is_not_utf_8_keeps_its_bytes(event: Callable[..., dict[str, Any]]) -> None:
    app = App(body=["café".encode("latin-1")], headers=[("Content-Type", "text/plain; charset=latin-1")])
    answer = wsgi.respond(app, event(), None)
    assert answer["isBase64Encoded"] is True
    assert base64.b64decode(answer["body"]) == b"caf\xe9"


@EVERY_FORM
def test_the_answers_iterable_is_closed(event: Callable[..., dict[str, Any]]) -> None:
    body = io.BytesIO(b"ok")
    wsgi.respond(App(body=body), event(), None)
    assert body.closed


def test_the_answers_iterable_is_closed_after_an_error() -> None:
    class Broken:
        closed = False

        def __iter__(self) -> Any:
            raise RuntimeError("half way")

        def close(self) -> None:
            self.closed = True

    body = Broken()
    with pytest.raises(RuntimeError, match="half way"):
        wsgi.respond(App(body=body), gateway_v1(), None)
    assert body.closed


def test_a_body_written_with_write_comes_first() -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"one ")
        return [b"two"]

    assert wsgi.respond(app, gateway_v1(), None)["body"] == "one two"


def test_an_application_may_start_its_response_late() -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("202 Accepted", [("X-Late", "yes")])
        yield b"ok"

    answer = wsgi.respond(app, gateway_v1(), None)
    assert (answer["statusCode"], answer["headers"]) == (202, {"X-Late": "yes"})


# The answer's headers

ANSWER = [("content-type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Vary", "Origin"), ("vary", "Accept")]


def test_v1_keeps_several_cookies_separate() -> None:
    answer = wsgi.respond(App(headers=ANSWER), gateway_v1(), None)
    assert answer["headers"] == {"Content-Type": "text/plain"}
    assert answer["multiValueHeaders"] == {"Set-Cookie": ["a=1", "b=2"], "Vary": ["Origin", "Accept"]}


@pytest.mark.parametrize("event", [gateway_v2, function_url])
def test_v2_has_cookies_in_their_own_list(event: Callable[..., dict[str, Any]]) -> None:
    answer = wsgi.respond(App(headers=ANSWER), event(), None)
    assert answer["headers"] == {"Content-Type": "text/plain", "Vary": "Origin, Accept"}
    assert answer["cookies"] == ["a=1", "b=2"]
    assert "multiValueHeaders" not in answer


def test_a_load_balancer_gets_one_value_per_name_and_all_cookies() -> None:
    answer = wsgi.respond(App(headers=ANSWER), balancer(), None)
    cookies = {name: value for name, value in answer["headers"].items() if name.lower() == "set-cookie"}
    assert sorted(cookies.values()) == ["a=1", "b=2"]
    assert cookies["Set-Cookie"] == "a=1"
    assert answer["headers"]["Vary"] == "Origin, Accept"
    assert answer["statusDescription"] == "200 OK"
    assert "multiValueHeaders" not in answer


def test_a_load_balancer_with_multi_value_headers_gets_only_those() -> None:
    answer = wsgi.respond(App(headers=ANSWER), balancer_multi(), None)
    assert answer["multiValueHeaders"] == {
        "Content-Type": ["text/plain"],
        "Set-Cookie": ["a=1", "b=2"],
        "Vary": ["Origin", "Accept"],
    }
    assert answer["statusDescription"] == "200 OK"
    assert "headers" not in answer


def test_flask_reads_a_raw_body_and_answers_through_it() -> None:
    flask = pytest.importorskip("flask")
    app = flask.Flask(__name__)

    def thing(name: str) -> Any:
        return {"name": name, "tags": flask.request.args.getlist("tag"), "size": len(flask.request.get_data())}, 202

    app.add_url_rule("/things/<name>", view_func=thing, methods=["POST"])

    event = gateway_v1(
        path="/things/a%20b", multiValueQueryStringParameters={"tag": ["x", "y"]}, body="eHh4", isBase64Encoded=True
    )
    answer = wsgi.respond(app, event, None)
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (202, "application/json")
    assert answer["body"] == '{"name":"a b","size":3,"tags":["x","y"]}\n'

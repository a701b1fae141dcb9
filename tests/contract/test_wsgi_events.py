"""Each form of HTTP event reaches the application as the same request."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from lib.platform import errors
from lib.web import wsgi
from tests.support.web.event_forms import EVERY_FORM, HOST, App, ask, balancer, balancer_multi, gateway_v1, gateway_v2

# What every form has in common


@EVERY_FORM
def test_method_path_body_and_caller_arrive(event: Callable[..., dict[str, Any]]) -> None:
    app = ask(event())
    assert app.environ["REQUEST_METHOD"] == "POST"
    assert app.environ["PATH_INFO"] == "/echo"
    assert app.environ["QUERY_STRING"] == ""
    assert app.environ["CONTENT_LENGTH"] == "5"
    assert app.environ["REMOTE_ADDR"] == "198.51.100.7"
    assert (app.environ["wsgi.url_scheme"], app.environ["SERVER_NAME"], app.environ["SERVER_PORT"]) == ("https", HOST, "443")
    assert app.received == b"hello"


@EVERY_FORM
def test_the_application_can_see_the_original_event_and_the_context(event: Callable[..., dict[str, Any]]) -> None:
    original, context, app = event(), object(), App()
    wsgi.respond(app, original, context)
    assert app.environ["awsgi.event"] is original
    assert app.environ["awsgi.context"] is context


@EVERY_FORM
def test_a_base64_body_arrives_as_the_bytes_that_were_sent(event: Callable[..., dict[str, Any]]) -> None:
    raw = b'{"name":"\xff\x00caf\xc3\xa9"}'
    app = ask(event(body=base64.b64encode(raw).decode(), isBase64Encoded=True))
    assert app.received == raw
    assert app.environ["CONTENT_LENGTH"] == str(len(raw))


@EVERY_FORM
def test_a_text_body_arrives_as_utf_8(event: Callable[..., dict[str, Any]]) -> None:
    assert ask(event(body="café ☎")).received == "café ☎".encode()


@EVERY_FORM
def test_a_null_body_is_an_empty_one(event: Callable[..., dict[str, Any]]) -> None:
    assert ask(event(body=None)).received == b""


@EVERY_FORM
def test_a_missing_body_is_an_empty_one(event: Callable[..., dict[str, Any]]) -> None:
    given = event()
    del given["body"]
    assert ask(given).received == b""


@EVERY_FORM
def test_a_quoted_path_is_unquoted(event: Callable[..., dict[str, Any]]) -> None:
    key = "rawPath" if "rawPath" in event() else "path"
    path = ask(event(**{key: "/caf%C3%A9%20one/%zz"})).environ["PATH_INFO"]
    assert path.encode("latin-1").decode() == "/café one/%zz"


@EVERY_FORM
def test_an_unquoted_path_arrives_too(event: Callable[..., dict[str, Any]]) -> None:
    key = "rawPath" if "rawPath" in event() else "path"
    assert ask(event(**{key: "/café"})).environ["PATH_INFO"].encode("latin-1").decode() == "/café"


# Query strings


def test_v1_repeated_query_keys_all_arrive_quoted_once() -> None:
    event = gateway_v1(
        queryStringParameters={"tag": "b&c", "page": "2"},
        multiValueQueryStringParameters={"tag": ["a é", "b&c"], "page": ["2"]},
    )
    assert ask(event).environ["QUERY_STRING"] == "tag=a+%C3%A9&tag=b%26c&page=2"


def test_v1_uses_single_query_values_without_multiple_ones() -> None:
    assert ask(gateway_v1(queryStringParameters={"page": "2"})).environ["QUERY_STRING"] == "page=2"


def test_v2_the_raw_query_string_is_unchanged() -> None:
    assert ask(gateway_v2(rawQueryString="tag=a%20b&tag=c&flag")).environ["QUERY_STRING"] == "tag=a%20b&tag=c&flag"


def test_a_load_balancers_query_is_not_quoted_twice() -> None:
    single = balancer(queryStringParameters={"q": "a%26b+c"})
    several = balancer_multi(multiValueQueryStringParameters={"q": ["a%26b", "c+d"]})
    assert ask(single).environ["QUERY_STRING"] == "q=a%26b+c"
    assert ask(several).environ["QUERY_STRING"] == "q=a%26b&q=c+d"


# Headers


@EVERY_FORM
def test_null_headers_count_as_empty(event: Callable[..., dict[str, Any]]) -> None:
    app = ask(event(headers=None))
    assert app.environ["wsgi.url_scheme"] == "https"
    assert app.environ["SERVER_PORT"] == "443"
    assert app.environ["SERVER_NAME"]


@pytest.mark.parametrize("event", [gateway_v1, balancer_multi])
def test_repeated_headers_are_joined(event: Callable[..., dict[str, Any]]) -> None:
    app = ask(
        event(headers={"X-Hub-Signature": "sha256=bb"}, multiValueHeaders={"X-Hub-Signature": ["sha256=aa", "sha256=bb"]})
    )
    assert app.environ["HTTP_X_HUB_SIGNATURE"] == "sha256=aa, sha256=bb"


def test_headers_that_differ_only_in_case_are_joined() -> None:
    app = ask(gateway_v2(headers={"X-Hub-Signature": "sha256=aa", "x-hub-signature": "sha256=bb"}))
    assert app.environ["HTTP_X_HUB_SIGNATURE"] == "sha256=aa, sha256=bb"


def test_a_header_with_an_underscore_is_dropped() -> None:
    app = ask(gateway_v1(headers={"X-Hub-Signature": "sha256=aa", "X_Hub_Signature": "sha256=bb"}))
    assert app.environ["HTTP_X_HUB_SIGNATURE"] == "sha256=aa"


def test_a_header_in_either_map_arrives_once() -> None:
    app = ask(gateway_v1(headers={"X-One": "1", "X-Two": "2"}, multiValueHeaders={"x-one": ["1"]}))
    assert (app.environ["HTTP_X_ONE"], app.environ["HTTP_X_TWO"]) == ("1", "2")


@EVERY_FORM
def test_the_content_type_arrives_in_any_case(event: Callable[..., dict[str, Any]]) -> None:
    headers = {"cOnTeNt-TyPe": "application/json"}
    multi = {name: [value] for name, value in headers.items()}
    given = event(multiValueHeaders=multi) if event is balancer_multi else event(headers=headers)
    assert ask(given).environ["CONTENT_TYPE"] == "application/json"


def test_the_content_length_is_that_of_the_body() -> None:
    app = ask(gateway_v1(headers={"content-length": "9999"}))
    assert app.environ["CONTENT_LENGTH"] == "5"


def test_v2_cookies_become_one_header() -> None:
    app = ask(gateway_v2(headers={"Cookie": "theme=dark"}, cookies=["theme=dark", "lang=en"]))
    assert app.environ["HTTP_COOKIE"] == "theme=dark; lang=en"


def test_cookies_in_several_headers_are_joined_as_cookies() -> None:
    assert ask(gateway_v1(multiValueHeaders={"Cookie": ["a=1", "b=2"]})).environ["HTTP_COOKIE"] == "a=1; b=2"


def test_a_header_beyond_latin_1_arrives_as_its_utf_8_bytes() -> None:
    value = ask(gateway_v1(headers={"X-Name": "☎"})).environ["HTTP_X_NAME"]
    assert value.encode("latin-1").decode() == "☎"


# Where it came from


def test_the_caller_cannot_hide_its_address() -> None:
    at_gateway = ask(gateway_v1(headers={"X-Forwarded-For": "10.0.0.1, 198.51.100.7"}))
    at_balancer = ask(balancer(headers={"X-Forwarded-For": "10.0.0.1, 198.51.100.7"}))
    assert at_gateway.environ["REMOTE_ADDR"] == "198.51.100.7"
    assert at_balancer.environ["REMOTE_ADDR"] == "198.51.100.7"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, ("https", HOST, "443")),
        ({"Host": "127.0.0.1:8080", "X-Forwarded-Proto": "http"}, ("http", "127.0.0.1", "8080")),
        ({"Host": HOST, "X-Forwarded-Proto": "HTTP"}, ("http", HOST, "80")),
        ({"Host": HOST, "X-Forwarded-Proto": "javascript", "X-Forwarded-Port": "many"}, ("https", HOST, "443")),
        ({"Host": "[::1]:8080"}, ("https", "[::1]", "8080")),
    ],
)
def test_scheme_host_and_port_are_always_usable(headers: dict[str, str], expected: tuple[str, str, str]) -> None:
    environ = ask(gateway_v1(headers=headers)).environ
    assert (environ["wsgi.url_scheme"], environ["SERVER_NAME"], environ["SERVER_PORT"]) == expected


def test_a_stage_in_the_path_is_the_script_name() -> None:
    v2 = gateway_v2(rawPath="/prod/echo")
    v2["requestContext"]["stage"] = "prod"
    v1 = gateway_v1(path="/prod/echo")
    v1["requestContext"] |= {"stage": "prod", "path": "/prod/echo"}
    for event in (v1, v2):
        environ = ask(event).environ
        assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/prod", "/echo")


def test_a_stage_alone_is_the_root() -> None:
    event = gateway_v2(rawPath="/prod")
    event["requestContext"]["stage"] = "prod"
    assert ask(event).environ["PATH_INFO"] == "/"


def test_a_path_that_only_begins_like_the_stage_is_unchanged() -> None:
    event = gateway_v2(rawPath="/production/echo")
    event["requestContext"]["stage"] = "prod"
    assert ask(event).environ["PATH_INFO"] == "/production/echo"


def test_a_rest_apis_resource_with_the_stages_name_is_kept() -> None:
    event = gateway_v1(path="/prod/echo")
    event["requestContext"] |= {"stage": "prod", "path": "/prod/prod/echo"}
    environ = ask(event).environ
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("", "/prod/echo")


# What can't be read


@EVERY_FORM
@pytest.mark.parametrize(
    "parts",
    [
        {"body": "not base64!", "isBase64Encoded": True},
        {"body": {"json": "object"}},
        {"body": "\ud800"},
        {"headers": ["host"]},
        {"headers": {"host": 5}},
    ],
)
def test_unreadable_parts_are_400_in_the_callers_form(event: Callable[..., dict[str, Any]], parts: dict[str, Any]) -> None:
    given = event(**parts)
    if "headers" in parts and event is balancer_multi:
        given = event(multiValueHeaders=parts["headers"])
    app = App()
    answer = wsgi.respond(app, given, None)
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["error"] == "malformed"
    assert app.environ == {}
    assert set(answer) == set(wsgi.respond(App(), event(), None))


@pytest.mark.parametrize("method", [None, 5, "get", "GE T", "G" * 30])
def test_an_invalid_method_is_400(method: Any) -> None:
    v2 = gateway_v2()
    v2["requestContext"]["http"]["method"] = method
    for event in (gateway_v1(httpMethod=method), v2):
        answer = wsgi.respond(App(), event, None)
        assert (answer["statusCode"], json.loads(answer["body"])["message"]) == (400, answer_to_the_method(method))


def answer_to_the_method(method: Any) -> str:
    return "the method is not a string" if isinstance(method, int) else "the method is not an HTTP method"


@pytest.mark.parametrize(
    "event",
    [None, [], "text", 5, {}, {"detail-type": "LeaseApproved", "detail": {}}, {"Records": []}, {"requestContext": None}],
)
def test_an_event_that_is_not_an_http_request_is_refused(event: Any) -> None:
    assert wsgi.form_of(event) is None
    with pytest.raises(errors.InvalidInputError, match="not an HTTP request"):
        wsgi.respond(App(), event, None)


@EVERY_FORM
def test_a_chunked_request_has_its_body(event: Callable[..., dict[str, Any]]) -> None:
    """The gateway has joined the chunks, so the header about them is wrong."""
    app = ask(event(headers={"Transfer-Encoding": "chunked"}))
    assert app.received == b"hello"
    assert "HTTP_TRANSFER_ENCODING" not in app.environ

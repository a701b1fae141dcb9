"""What every HTTP answer of Switchboard has in common: JSON, one shape of error, no stack trace, one log line."""

from collections.abc import Callable
from typing import Any

import flask
import pytest

from lib.platform import errors
from lib.platform.log import Logger
from lib.web import application
from tests.support.aws.lambda_context import LambdaContext
from tests.support.observability.log_lines import LogLines

FUNCTION = "http-under-test"


@pytest.fixture
def logger() -> Logger:
    return Logger(FUNCTION)


@pytest.fixture
def lines(logger: Logger) -> LogLines:
    return LogLines(FUNCTION)


@pytest.fixture
def app(logger: Logger, lines: LogLines) -> flask.Flask:
    app = application.make_app(FUNCTION, logger, max_body_bytes=100)

    @app.post("/echo")
    def echo() -> Any:
        return flask.jsonify(application.json_body(flask.request.get_data()))

    return app


@pytest.fixture
def raising(app: flask.Flask) -> Callable[[Exception], Any]:
    """Answers a request whose view raises the error."""

    def answer(error: Exception) -> Any:
        @app.get("/raise")
        def view() -> flask.Response:
            raise error

        return app.test_client().get("/raise")

    return answer


@pytest.mark.parametrize(
    ("method", "path", "status", "code"), [("GET", "/nowhere", 404, "not_found"), ("GET", "/echo", 405, "method_not_allowed")]
)
def test_flasks_own_errors_are_json_of_the_same_shape(app: flask.Flask, method: str, path: str, status: int, code: str) -> None:
    answer = app.test_client().open(path, method=method)

    assert answer.status_code == status
    assert answer.json is not None
    assert answer.json.keys() == {"error", "message"}
    assert answer.json["error"] == code
    assert answer.content_type == "application/json"


def test_the_answer_to_a_wrong_method_lists_the_allowed_ones(app: flask.Flask) -> None:
    answer = app.test_client().delete("/echo")

    assert set(answer.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}
    assert answer.json is not None
    assert answer.json["message"] == "the path does not allow DELETE; it allows POST"


def test_a_body_over_the_limit_is_too_large(app: flask.Flask) -> None:
    answer = app.test_client().post("/echo", data=b'"' + b"x" * 99 + b'"')

    assert (answer.status_code, answer.json) == (413, {"error": "too_large", "message": "the body is larger than 100 bytes"})


def test_a_form_may_be_as_large_as_any_body(logger: Logger) -> None:
    app = application.make_app(FUNCTION, logger, max_body_bytes=2_000_000)
    app.post("/form")(lambda: str(len(flask.request.form["payload"])))

    answer = app.test_client().post("/form", data={"payload": "x" * 1_000_000})

    assert (answer.status_code, answer.text) == (200, "1000000")


def test_a_path_with_empty_parts_is_not_found(app: flask.Flask) -> None:
    assert app.test_client().post("//echo", data=b"{}").status_code == 404


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "is empty: send a JSON object"),
        (b" \n", "is empty: send a JSON object"),
        (b'{"a": 1,\n b}', "is not JSON (line 2, column 2): send a JSON object in UTF-8"),
        (b"\xff", "is not JSON: send a JSON object in UTF-8"),
        (b"NaN", "is not JSON: send a JSON object in UTF-8"),
        (b'{"a": Infinity}', "is not JSON: send a JSON object in UTF-8"),
        (b"[" * 99, "is not JSON (line 1, column 100): send a JSON object in UTF-8"),
        (b"1" * 99 + b"x", "is not JSON (line 1, column 100): send a JSON object in UTF-8"),
    ],
    ids=repr,
)
def test_a_body_that_is_not_json_is_malformed(app: flask.Flask, body: bytes, sentence: str) -> None:
    answer = app.test_client().post("/echo", data=body)

    assert (answer.status_code, answer.json) == (400, {"error": "malformed", "message": f"the body {sentence}"})


def test_a_body_nested_too_deeply_is_malformed() -> None:
    with pytest.raises(errors.InvalidInputError):
        application.json_body(b"[" * 200_000 + b"]" * 200_000)


@pytest.mark.parametrize(
    ("error", "status", "code", "retry_after"),
    [
        (errors.InvalidInputError("no detail"), 400, "malformed", None),
        (errors.UnauthenticatedError("no signature"), 401, "unauthenticated", None),
        (errors.NotFoundError("no draft"), 404, "not_found", None),
        (errors.PayloadTooLargeError("5 MB"), 413, "too_large", None),
        (errors.ThrottledError("slow down"), 503, "throttled", "1"),
        (errors.UnavailableError("down"), 503, "unavailable", "5"),
        (errors.ConfigurationError("no table"), 503, "misconfigured", "60"),
        (ValueError("a defect"), 503, "unavailable", "5"),
    ],
)
def test_an_error_is_answered_by_its_cause(
    raising: Callable[[Exception], Any], error: Exception, status: int, code: str, retry_after: str | None
) -> None:
    answer = raising(error)

    assert (answer.status_code, answer.json["error"], answer.headers.get("Retry-After")) == (status, code, retry_after)


def test_the_sender_sees_only_errors_it_can_fix(raising: Callable[[Exception], Any]) -> None:
    assert raising(errors.InvalidInputError("the event has no detail object")).json["message"] == (
        "the event has no detail object"
    )


def test_our_own_errors_are_logged_only(raising: Callable[[Exception], Any], lines: LogLines) -> None:
    answer = raising(errors.AccessDeniedError("could not read the secret: AccessDeniedException"))

    assert "secret" not in answer.text
    assert "AccessDeniedException" in lines.only("request_failed")["error_text"]


def test_a_defects_stack_trace_is_logged_only(raising: Callable[[Exception], Any], lines: LogLines) -> None:
    answer = raising(KeyError("rosa.field@example.gov.uk"))

    assert "Traceback" not in answer.text
    assert "KeyError" not in answer.text
    assert "Traceback" in lines.only("request_failed")["exception"]
    assert "rosa.field" not in lines.text + answer.text


def test_each_request_is_one_line_with_the_ids_of_its_invocation(app: flask.Flask, lines: LogLines) -> None:
    app.test_client().post(
        "/echo",
        data=b"{}",
        environ_base={
            "awsgi.context": LambdaContext("run-7"),
            "awsgi.event": {"requestContext": {"requestId": "gateway-1"}},
        },
    )

    line = lines.only("http_request")
    assert (line["method"], line["path"], line["http_status"]) == ("POST", "/echo", 200)
    assert (line["run_id"], line["correlation_id"]) == ("run-7", "gateway-1")


@pytest.mark.parametrize(
    ("about", "headers", "correlation_id"),
    [
        ({"elb": {}}, {"X-Amzn-Trace-Id": "Root=1-67891233"}, "Root=1-67891233"),
        ({"elb": {}}, {}, "run-7"),
        (None, {}, "run-7"),
    ],
)
def test_a_request_without_an_id_has_its_traces_or_invocations(
    app: flask.Flask, lines: LogLines, about: object, headers: dict[str, str], correlation_id: str
) -> None:
    environ = {"awsgi.context": LambdaContext("run-7"), "awsgi.event": {"requestContext": about}}
    app.test_client().post("/echo", data=b"{}", headers=headers, environ_base=environ)

    assert lines.only("http_request")["correlation_id"] == correlation_id

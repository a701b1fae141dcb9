"""HTTP events of each form that Lambda gets, as their senders make them, and an application to hand them to."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from lib.web import wsgi

HOST = "switchboard.example.org"


def gateway_v1(**parts: Any) -> dict[str, Any]:
    """What API Gateway sends with payload format 1.0."""
    request_context = {
        "domainName": HOST,
        "identity": {"sourceIp": "198.51.100.7", "userAgent": "curl/8"},
        "path": "/echo",
        "stage": "$default",
    }
    return {
        "version": "1.0",
        "resource": "$default",
        "path": "/echo",
        "httpMethod": "POST",
        "headers": {"host": HOST, "x-forwarded-proto": "https", "x-forwarded-port": "443"},
        "multiValueHeaders": None,
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": request_context,
        "pathParameters": None,
        "stageVariables": None,
        "body": "hello",
        "isBase64Encoded": False,
        **parts,
    }


def gateway_v2(**parts: Any) -> dict[str, Any]:
    """What an HTTP API sends with payload format 2.0."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/echo",
        "rawQueryString": "",
        "headers": {"host": HOST, "x-forwarded-proto": "https", "x-forwarded-port": "443"},
        "requestContext": {
            "domainName": HOST,
            "http": {"method": "POST", "path": "/echo", "sourceIp": "198.51.100.7"},
            "stage": "$default",
        },
        "body": "hello",
        "isBase64Encoded": False,
        **parts,
    }


def function_url(**parts: Any) -> dict[str, Any]:
    """What a Function URL sends: payload 2.0, and no ``body`` at all where there is none."""
    event = gateway_v2(**parts)
    event["requestContext"] = {
        **event["requestContext"],
        "accountId": "anonymous",
        "domainName": "abc.lambda-url.eu-west-2.on.aws",
    }
    return event


def balancer(**parts: Any) -> dict[str, Any]:
    """What a load balancer sends."""
    return {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-2:111122223333:targetgroup/t/1"}},
        "httpMethod": "POST",
        "path": "/echo",
        "queryStringParameters": {},
        "headers": {"host": HOST, "x-forwarded-proto": "https", "x-forwarded-port": "443", "x-forwarded-for": "198.51.100.7"},
        "body": "hello",
        "isBase64Encoded": False,
        **parts,
    }


def balancer_multi(**parts: Any) -> dict[str, Any]:
    """What a load balancer with multi-value headers sends: no single-value maps at all."""
    event = balancer()
    del event["queryStringParameters"]
    headers = event.pop("headers")
    return {
        **event,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "multiValueQueryStringParameters": {},
        **parts,
    }


EVERY_FORM = pytest.mark.parametrize("event", [gateway_v1, gateway_v2, function_url, balancer, balancer_multi])


class App:
    """A WSGI application that keeps what it was asked and answers what it was given."""

    def __init__(
        self, body: Iterable[bytes] = (b"ok",), status: str = "200 OK", headers: list[tuple[str, str]] | None = None
    ) -> None:
        self.environ: dict[str, Any] = {}
        self.received = b""
        self._body, self._status = body, status
        self._headers = headers if headers is not None else [("Content-Type", "text/plain")]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.environ = environ
        self.received = environ["wsgi.input"].read()
        start_response(self._status, self._headers)
        return self._body


def ask(event: dict[str, Any]) -> App:
    """The application after it was asked and answered 200."""
    app = App()
    assert wsgi.respond(app, event, None)["statusCode"] == 200
    return app

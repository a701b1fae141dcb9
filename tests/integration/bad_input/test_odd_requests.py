"""Requests that no ordinary client sends, written byte by byte: the local cloud answers them with 4xx or closes the
connection, and continues to work. A signature is valid only for exactly its bytes and its one header.

AWS's own front end may treat them differently before they reach a function.
"""

import json
import socket
import time
from urllib.parse import urlsplit

import pytest
import requests

from tests.integration.bad_input.conftest import SHOP
from tests.support.cloud import Cloud
from tests.support.shuttle.api import ShopApi
from tests.support.web.events import sign, slack_signature
from tests.support.web.gateway import PERSON, SECRETS, Signer, leaks, traces

EVENT = json.dumps({"id": "odd-1", "detail-type": "LeaseExpired", "detail": {"accountId": "1"}}).encode()
GOOD = "sha256=" + sign(SECRETS["eventWebhookSecret"], EVENT)
WRONG = "sha256=" + "0" * 64


def exchange(cloud: Cloud, request: bytes) -> tuple[int, str]:
    """Send only these bytes. Returns the status (0 if the connection was closed without one) and the whole answer."""
    address = urlsplit(cloud.http_url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            received = b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError:  # hung up on while there was more to say
            return 0, ""
    first = received.split(b"\r\n", 1)[0].split()
    return (int(first[1]) if len(first) > 1 and first[1].isdigit() else 0), received.decode("latin-1")


def post(path: str, *lines: str | bytes, body: bytes = EVENT, length: bool = True) -> bytes:
    """A POST with header ``lines`` as they are."""
    head = [
        f"POST {path} HTTP/1.1".encode(),
        b"Host: door",
        *(line.encode() if isinstance(line, str) else line for line in lines),
    ]
    if length:
        head.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(head) + b"\r\n\r\n" + body


CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(EVENT), EVENT)
REFUSED = {
    "a wrong signature after the right one": post("/events", f"X-Hub-Signature: {GOOD}", f"X-Hub-Signature: {WRONG}"),
    "a wrong signature before the right one": post("/events", f"X-Hub-Signature: {WRONG}", f"X-Hub-Signature: {GOOD}"),
    "a wrong one under the name that counts first": post(
        "/events", f"X-Hub-Signature-256: {WRONG}", f"X-Hub-Signature: {GOOD}"
    ),
    "underscores for dashes": post("/events", f"X_Hub_Signature: {GOOD}"),
    "a space before the colon": post("/events", f"X-Hub-Signature : {GOOD}"),
    "a bare line feed in a value": post("/events", f"X-Other: a\nX-Hub-Signature: {WRONG}"),
    "no name": post("/events", f": {GOOD}"),
    "a byte that is not a character": post("/events", b"X-Hub-Signature: sha256=\xff\xfe"),
    "a null": post("/events", b"X-Hub-Signature: sha256=\x00"),
    "a value of 60,000 characters": post("/events", "X-Hub-Signature: sha256=" + "0" * 60_000),
    "a value of 100,000 characters": post("/events", "X-Hub-Signature: " + "0" * 100_000),
    "two hundred headers": post("/events", *(f"X-Odd-{number}: 1" for number in range(200))),
    "a length below zero": post("/events", f"X-Hub-Signature: {GOOD}", "Content-Length: -1", length=False),
    "a length that is not a number": post("/events", f"X-Hub-Signature: {GOOD}", "Content-Length: ten", length=False),
    "two lengths": post("/events", f"X-Hub-Signature: {GOOD}", "Content-Length: 1"),
    "a length beyond the body": post("/events", f"X-Hub-Signature: {GOOD}", f"Content-Length: {len(EVENT) + 9}", length=False),
    "a length short of the body": post(
        "/events", f"X-Hub-Signature: {GOOD}", f"Content-Length: {len(EVENT) - 9}", length=False
    ),
    "a length and chunks": post(
        "/events",
        f"X-Hub-Signature: {GOOD}",
        "Transfer-Encoding: chunked",
        f"Content-Length: {len(CHUNKED)}",
        body=CHUNKED,
        length=False,
    ),
    "no length": post("/events", f"X-Hub-Signature: {GOOD}", length=False),
    "chunks that are none": post(
        "/events", f"X-Hub-Signature: {GOOD}", "Transfer-Encoding: chunked", body=b"zz\r\n{}\r\n", length=False
    ),
    "an encoding that nobody knows": post("/events", f"X-Hub-Signature: {WRONG}", "Transfer-Encoding: identity, odd"),
    "a method in another header": b"GET /events HTTP/1.1\r\nHost: door\r\nX-HTTP-Method-Override: POST\r\n\r\n",
    "a path in capitals": post("/EVENTS", f"X-Hub-Signature: {GOOD}"),
    "dot segments": post("/webhooks/../events", f"X-Hub-Signature: {GOOD}"),
    "encoded dot segments": post("/shuttle/%2e%2e/events", f"X-Hub-Signature: {GOOD}"),
    "an encoded slash": post("/webhooks%2Fjira", f"X-Hub-Signature: {GOOD}"),
    "an encoding of an encoding": post("/%2565vents", f"X-Hub-Signature: {GOOD}"),
    "a half encoding": post("/events%", f"X-Hub-Signature: {GOOD}"),
    "an encoded line break": post("/events%0d%0aSet-Cookie:%20odd=1", f"X-Hub-Signature: {GOOD}"),
    "an encoded null": post("/events%00", f"X-Hub-Signature: {GOOD}"),
    "bytes that are not text": post("/events%ff%fe", f"X-Hub-Signature: {GOOD}"),
    "a path of 9,000 characters": post("/" + "events/" * 1_300, f"X-Hub-Signature: {GOOD}"),
    "a path of 100,000 characters": post("/" + "e" * 100_000, f"X-Hub-Signature: {GOOD}"),
    "no path": b"POST  HTTP/1.1\r\nHost: door\r\n\r\n",
    "a star for a path": b"OPTIONS * HTTP/1.1\r\nHost: door\r\n\r\n",
    "another host in the path": b"GET http://elsewhere.example/drafts HTTP/1.1\r\nHost: door\r\n\r\n",
    "a method that nobody knows": b"ODD /events HTTP/1.1\r\nHost: door\r\n\r\n",
    "a method of 10,000 letters": b"O" * 10_000 + b" /events HTTP/1.1\r\nHost: door\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "an address in every place": post(
        f"/shuttle/shops/{PERSON}/jobs?after={PERSON}",
        f"User-Agent: {PERSON}",
        f"Authorization: Basic {PERSON}",
        f"{PERSON}: 1",
    ),
}
TAKEN = {
    "a name in mixed case": post("/events", f"x-hUb-SIGNATURE: {GOOD}"),
    "a folded value": post("/events", "X-Hub-Signature: sha256=\r\n " + GOOD[7:]),
    "blanks around the value": post("/events", f"X-Hub-Signature: \t {GOOD} "),
    "an encoded letter in the path": post("/%65vents", f"X-Hub-Signature: {GOOD}"),
    "a method in another header": post("/events", f"X-Hub-Signature: {GOOD}", "X-HTTP-Method-Override: DELETE"),
    "a body in chunks": post("/events", f"X-Hub-Signature: {GOOD}", "Transfer-Encoding: chunked", body=CHUNKED, length=False),
    "a type that nobody knows": post(
        "/events", f"X-Hub-Signature: {GOOD}", "Content-Type: odd/odd; charset=odd; charset=utf-16"
    ),
    "a compression that it has not": post("/events", f"X-Hub-Signature: {GOOD}", "Content-Encoding: gzip"),
    "a caller that waits for 100 Continue": post("/events", f"X-Hub-Signature: {GOOD}", "Expect: 100-continue"),
}


def doubled(now: str) -> dict[str, bytes]:
    """Requests with a header twice, the same or another; signed at ``now``, in seconds."""
    click = b"payload=%7B%7D"
    at, of_slack = (f"{name}: {value}" for name, value in slack_signature(SECRETS["slackSigningSecret"], click, now).items())
    wrong, long_ago = f"X-Slack-Signature: v0={'0' * 64}", "X-Slack-Request-Timestamp: 1"
    scope = "Credential=test/20260301/us-west-2/execute-api/aws4_request, SignedHeaders=host"
    of_aws = f"Authorization: AWS4-HMAC-SHA256 {scope}, Signature={'0' * 64}"
    date = "X-Amz-Date: 20260301T000000Z"
    delivered = b'{"timestamp": 1, "webhookEvent": "sprint_created"}'
    of_jira = f"X-Hub-Signature: sha256={sign(SECRETS['jiraWebhookSecret'], delivered)}"
    token = f"X-Switchboard-Token: {SECRETS['jiraAutomationToken']}"
    one, two = (f"X-Atlassian-Webhook-Identifier: {name}" for name in ("one", "two"))
    return {
        "Slack's signature": post("/slack/interactions", at, of_slack, of_slack, body=click),
        "Slack's signature, and a wrong one": post("/slack/interactions", at, of_slack, wrong, body=click),
        "Slack's time": post("/slack/interactions", at, at, of_slack, body=click),
        "Slack's time, and another": post("/slack/interactions", at, long_ago, of_slack, body=click),
        "AWS's authorization": post("/drafts", of_aws, of_aws),
        "AWS's authorization, and another kind": post("/drafts", of_aws, "Authorization: Basic dGVzdDp0ZXN0"),
        "AWS's date": post("/drafts", of_aws, date, date),
        "AWS's date, and another": post("/drafts", of_aws, date, "X-Amz-Date: soon"),
        "Jira Automation's token": post("/webhooks/jira", token, token, body=delivered),
        "Jira Automation's token, and another": post("/webhooks/jira", token, "X-Switchboard-Token: guessed", body=delivered),
        "Jira's identifier": post("/webhooks/jira", of_jira, one, one, body=delivered),
        "Jira's identifier, and another": post("/webhooks/jira", of_jira, one, two, body=delivered),
    }


@pytest.mark.parametrize("what", doubled("0"))
def test_a_header_that_comes_twice_is_answered_and_never_a_failure(house: Cloud, signer: Signer, what: str) -> None:
    status, answer = exchange(house, doubled(str(int(time.time())))[what])

    assert 200 <= status < 500, answer
    assert leaks(answer, signer.sent) == []
    assert traces(answer) == []


@pytest.mark.parametrize("what", REFUSED)
def test_an_odd_request_is_refused_and_given_nothing(house: Cloud, signer: Signer, what: str) -> None:
    signer.sent.update({GOOD[7:]})

    status, answer = exchange(house, REFUSED[what])

    assert status == 0 or 400 <= status < 500, answer
    assert leaks(answer, signer.sent) == []
    assert traces(answer) == []
    assert "set-cookie" not in answer.lower()


@pytest.mark.parametrize("what", TAKEN)
def test_unusual_notation_is_accepted(house: Cloud, what: str) -> None:
    status, answer = exchange(house, TAKEN[what])

    assert status in {100, 202}, answer
    assert " 202 " in answer


@pytest.mark.parametrize("method", ["ODD", "TRACE", "CONNECT", "PATCH", "O" * 30])
def test_shuttle_refuses_methods_that_it_does_not_have(house: Cloud, signer: Signer, shop: ShopApi, method: str) -> None:
    answer = requests.request(method, f"{house.http_url}/shuttle/shops/{SHOP}", auth=signer, timeout=30)

    assert answer.status_code in {400, 405}, answer.text
    assert answer.json().keys() == {"error", "message"}


@pytest.mark.parametrize(
    "tail", ["%2F", "/", "//jobs", "/../other.example.com", "/jobs/../../other.example.com", "%0A", "%00", "%ff", "/%2e%2e"]
)
def test_shuttle_finds_no_shop_by_an_odd_path(house: Cloud, signer: Signer, shop: ShopApi, tail: str) -> None:
    url = f"{house.http_url}/shuttle/shops/other.example.com{tail}"
    prepared = signer(requests.Request("GET", url).prepare())
    prepared.url = url  # as it is: requests would tidy it up

    with requests.Session() as session:
        answer = session.send(prepared, timeout=30, allow_redirects=False)

    assert answer.status_code in {400, 403, 404}, answer.text


@pytest.mark.parametrize(
    ("path", "size", "ours"),
    [
        ("/events", 1_048_577, True),
        ("/events", 11 * 1024 * 1024, False),
        ("/drafts", 262_145, True),
        ("/slack/interactions", 262_145, True),
        ("/webhooks/jira", 7 * 1024 * 1024, False),
        ("/webhooks/commits", 7 * 1024 * 1024, False),
        (f"/shuttle/shops/{SHOP}/jobs", 1_048_577, True),
    ],
)
def test_a_body_over_the_limit_is_413_in_the_form_of_whoever_refuses_it(
    house: Cloud, signer: Signer, shop: ShopApi, path: str, size: int, ours: bool
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = requests.post(house.http_url + path, data=b"x" * size, headers=headers, auth=signer, timeout=60)

    assert answer.status_code == 413, answer.text
    limit = 262_144 if size < 1_000_000 else 1_048_576
    wanted = {"error": "too_large", "message": f"the body is larger than {limit} bytes"}
    assert answer.json() == (wanted if ours else {"message": "Request Entity Too Large"})


def test_a_large_push_is_taken_as_a_form_too(house: Cloud, signer: Signer) -> None:
    push = json.dumps({"commits": [], "padding": "x" * 2_000_000})

    answer = requests.post(f"{house.http_url}/webhooks/commits", data={"payload": push}, auth=signer, timeout=60)

    assert (answer.status_code, answer.json()["status"]) == (202, "ignored")

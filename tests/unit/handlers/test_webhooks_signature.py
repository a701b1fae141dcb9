"""Both webhooks: the signature comes first, and without the right one nothing is read, stored or queued."""

import hashlib
import hmac
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.support.aws.lambda_context import LambdaContext
from tests.support.jira.bodies import github_push, issue_event
from tests.support.jira.cloud import COMMIT_SECRET, JIRA_SECRET, JiraCloud
from tests.support.observability.log_lines import LogLines
from tests.support.web.events import http_event, signature, status_and_body

JIRA, COMMITS = "/webhooks/jira", "/webhooks/commits"
SECRETS = {JIRA: JIRA_SECRET, COMMITS: COMMIT_SECRET}
BODIES = {JIRA: json.dumps(issue_event()), COMMITS: json.dumps(github_push("OPS-7 fix the disk"))}
both_routes = pytest.mark.parametrize("path", [JIRA, COMMITS])


def post(webhooks: ModuleType, path: str, headers: dict[str, str], body: str | None = None) -> tuple[int, Any]:
    event = http_event("POST", path, BODIES[path] if body is None else body, headers)
    return status_and_body(webhooks.lambda_handler(event, LambdaContext()))


def digest(path: str, method: str, secret: str | None = None) -> str:
    key = SECRETS[path] if secret is None else secret
    return hmac.new(key.encode(), BODIES[path].encode(), method).hexdigest()


@both_routes
@pytest.mark.parametrize(
    "name",
    [
        "X-Hub-Signature-256",
        "X-Hub-Signature",
        "X-Atlassian-Webhook-Signature",
        "X-Atlassian-Signature",
        "x-hub-signature",
        "X-HUB-SIGNATURE",
    ],
)
def test_a_valid_signature_is_accepted_in_every_signature_header(webhooks: ModuleType, path: str, name: str) -> None:
    assert post(webhooks, path, {name: "sha256=" + digest(path, "sha256")})[0] == 202


@both_routes
@pytest.mark.parametrize("method", ["sha384", "sha512", "SHA256"])
def test_the_method_is_read_from_the_header(webhooks: ModuleType, path: str, method: str) -> None:
    assert post(webhooks, path, {"X-Hub-Signature": f"{method}={digest(path, method.lower())}"})[0] == 202


def test_the_sha_1_signature_of_github_is_ignored(webhooks: ModuleType) -> None:
    headers = {
        "X-Hub-Signature": "sha1=" + hmac.new(COMMIT_SECRET.encode(), BODIES[COMMITS].encode(), hashlib.sha1).hexdigest(),
        "X-Hub-Signature-256": "sha256=" + digest(COMMITS, "sha256"),
    }

    assert post(webhooks, COMMITS, headers)[0] == 202


def test_a_sha_1_signature_alone_is_refused(webhooks: ModuleType) -> None:
    assert post(webhooks, COMMITS, {"X-Hub-Signature": "sha1=" + digest(COMMITS, "sha1")})[0] == 401


def test_a_bad_signature_in_the_preferred_header_is_refused(webhooks: ModuleType) -> None:
    headers = {"X-Hub-Signature-256": "sha256=" + "0" * 64, "X-Hub-Signature": "sha256=" + digest(COMMITS, "sha256")}

    assert post(webhooks, COMMITS, headers)[0] == 401


REFUSED: dict[str, Callable[[str], dict[str, str]]] = {
    "none": lambda path: {},
    "empty": lambda path: {"X-Hub-Signature": ""},
    "no method": lambda path: {"X-Hub-Signature": digest(path, "sha256")},
    "no digest": lambda path: {"X-Hub-Signature": "sha256="},
    "a cut digest": lambda path: {"X-Hub-Signature": "sha256=" + digest(path, "sha256")[:-1]},
    "not hex": lambda path: {"X-Hub-Signature": "sha256=" + "é" * 64},
    "an unknown method": lambda path: {"X-Hub-Signature": "md5=" + digest(path, "md5")},
    "the digest of another method": lambda path: {"X-Hub-Signature": "sha512=" + digest(path, "sha256")},
    "another secret": lambda path: {"X-Hub-Signature": "sha256=" + digest(path, "sha256", "guessed")},
    "the empty secret": lambda path: {"X-Hub-Signature": "sha256=" + digest(path, "sha256", "")},
    "another body": lambda path: signature(SECRETS[path], BODIES[path] + " "),
    "the other webhook's secret": lambda path: signature(SECRETS[COMMITS if path == JIRA else JIRA], BODIES[path]),
}


@both_routes
@pytest.mark.parametrize("reason", REFUSED)
def test_a_bad_signature_is_401_and_nothing_was_stored_or_queued(
    webhooks: ModuleType, jira_cloud: JiraCloud, path: str, reason: str
) -> None:
    status, body = post(webhooks, path, REFUSED[reason](path))

    assert (status, body["error"]) == (401, "unauthenticated")
    assert set(jira_cloud.wire.operations) <= {"secretsmanager.GetSecretValue"}
    assert (jira_cloud.row_count(), jira_cloud.tasks()) == (0, [])


@both_routes
@pytest.mark.parametrize("signed_with", ["", "guessed", JIRA_SECRET])
def test_without_a_secret_every_request_is_refused(
    load_webhooks: Callable[..., ModuleType], path: str, signed_with: str
) -> None:
    webhooks = load_webhooks(JIRA_WEBHOOK_SECRET_ARN="", COMMIT_WEBHOOK_SECRET_ARN="")

    assert post(webhooks, path, signature(signed_with, BODIES[path]))[0] == 401


@both_routes
@pytest.mark.parametrize("body", ["", "not JSON", "[" * 100_000], ids=["empty", "text", "brackets"])
def test_the_signature_is_checked_before_the_body_is_parsed(webhooks: ModuleType, path: str, body: str) -> None:
    assert post(webhooks, path, {}, body)[0] == 401
    assert post(webhooks, path, signature(SECRETS[path], body), body)[0] == 400


@both_routes
def test_neither_secret_nor_signature_nor_body_is_logged(
    webhooks: ModuleType, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = LogLines("webhooks")
    body = json.dumps({**json.loads(BODIES[path]), "user": {"emailAddress": "grace@example.com"}})
    right, wrong = signature(SECRETS[path], body), signature("guessed", body)
    assert post(webhooks, path, right, body)[0] == 202
    assert post(webhooks, path, wrong, body)[0] == 401

    assert lines.named("request_refused")
    text = lines.text + capsys.readouterr().out
    for private in (SECRETS[path], *right.values(), *wrong.values(), "grace@example.com", "@"):
        assert private.removeprefix("sha256=") not in text


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", JIRA, 405), ("PUT", COMMITS, 405), ("POST", "/webhooks/other", 404)]
)
def test_other_methods_and_paths_are_refused_as_json(webhooks: ModuleType, method: str, path: str, status: int) -> None:
    answer_status, body = status_and_body(webhooks.lambda_handler(http_event(method, path, "{}"), LambdaContext()))

    assert answer_status == status
    assert body.keys() == {"error", "message"}

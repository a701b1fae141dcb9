"""A slash after the path of a POST route is the same route: through the gateway, its permission, and the function."""

from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.integration.conftest import COMMIT_SECRET, EVENT_SECRET, JIRA_SECRET
from tests.support.cloud import Cloud

PING: dict[str, Any] = {"zen": "Keep it logically awesome."}


@pytest.mark.parametrize(
    ("path", "secret", "status"),
    [("/webhooks/jira/", JIRA_SECRET, 202), ("/webhooks/commits/", COMMIT_SECRET, 202), ("/events/", EVENT_SECRET, 400)],
)
def test_a_webhook_with_a_slash_after_its_path_is_answered(cloud: Cloud, path: str, secret: str, status: int) -> None:
    assert cloud.post_signed(path, PING, secret).status_code == status
    assert cloud.post_signed(path, PING, "wrong").status_code == 401


def test_a_click_with_a_slash_after_its_path_is_checked_by_the_function(cloud: Cloud) -> None:
    answer = requests.post(f"{cloud.http_url}/slack/interactions/", data="payload=%7B%7D", timeout=60)

    assert (answer.status_code, answer.json()["error"]) == (401, "unauthenticated")


def test_a_draft_with_a_slash_after_its_path_needs_its_signature_too(cloud: Cloud) -> None:
    url = f"{cloud.http_url}/drafts/"
    request = AWSRequest("POST", url, data=b"{}", headers={"Content-Type": "application/json"})
    assert requests.post(url, data=b"{}", timeout=60).status_code == 403

    SigV4Auth(Credentials("test", "test"), "execute-api", cloud.region).add_auth(request)
    assert requests.post(url, data=b"{}", headers=dict(request.headers), timeout=60).status_code in {400, 503}


@pytest.mark.parametrize("path", ["/webhooks/jira/x", "/webhooks/jira//", "/webhooks//jira", "/webhooks/"])
def test_anything_else_behind_a_path_is_not_found(cloud: Cloud, path: str) -> None:
    assert cloud.post_signed(path, PING, JIRA_SECRET).status_code == 404

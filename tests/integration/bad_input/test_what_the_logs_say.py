"""An e-mail address anywhere in a request or an event appears in the logs only as its hash, and secrets and signatures never
appear. (The fixture ``house`` searches for all of them again after every other test here.)
"""

import json
from urllib.parse import quote

import pytest
import requests

from lib.platform.contract import ENTRY_POINTS
from lib.platform.log import hash_email
from tests.integration.bad_input.conftest import SHOP
from tests.support.cloud import Cloud, until
from tests.support.shuttle.api import ShopApi
from tests.support.web.events import sign
from tests.support.web.gateway import PERSON, Signer, all_logs, leaks

REQUESTS = [
    (
        "POST",
        "/events",
        {"id": PERSON, "detail-type": PERSON, "source": PERSON, "detail": {"userEmail": PERSON, "uuid": PERSON}},
    ),
    (
        "POST",
        "/webhooks/jira",
        {"webhookEvent": PERSON, "timestamp": 1, "user": {"emailAddress": PERSON}, "issue": {"key": PERSON, "id": "1"}},
    ),
    ("POST", "/webhooks/jira", {"webhookEvent": PERSON, "timestamp": 1}),
    ("POST", "/webhooks/jira", {"webhookEvent": PERSON, "timestamp": 1, "issue": {"key": "OPS-1", "id": "1"}}),
    ("POST", "/webhooks/commits", {"repository": {"full_name": PERSON}, "commits": [{"id": PERSON, "author": PERSON}]}),
    ("POST", "/drafts", {"session_id": PERSON, "title": PERSON, "problem": PERSON, "project": PERSON, "requested_by": PERSON}),
    ("POST", "/drafts", {PERSON: PERSON}),
    ("POST", "/slack/interactions", {"payload": PERSON}),
    ("GET", f"/shuttle/shops/{PERSON}", None),
    ("GET", f"/shuttle/shops/{quote(PERSON, safe='')}/jobs", None),
    ("PUT", f"/shuttle/shops/{SHOP}/schema", {"key": [PERSON], "columns": [{"name": PERSON, PERSON: PERSON}]}),
    ("POST", f"/shuttle/shops/{SHOP}/jobs", {"file_bytes": 1, "client_token": PERSON}),
]


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS, ids=lambda value: str(value)[:40])
def test_no_answer_repeats_an_address_or_a_secret(
    house: Cloud, signer: Signer, shop: ShopApi, method: str, path: str, body: object
) -> None:
    headers = {"User-Agent": PERSON, "X-Atlassian-Webhook-Identifier": PERSON, "X-Amzn-Trace-Id": PERSON, "Cookie": PERSON}
    data = None if body is None else json.dumps(body)

    answer = requests.request(method, house.http_url + path, data=data, headers=headers, auth=signer, timeout=30)

    assert answer.status_code < 500
    assert leaks(answer.text + str(answer.headers), signer.sent) == []


def test_the_logs_hold_the_hash_of_an_address_and_nothing_else_of_it(house: Cloud, signer: Signer, shop: ShopApi) -> None:
    for entry_point in ENTRY_POINTS:
        house.invoke(entry_point, {PERSON: PERSON, "detail-type": PERSON, "detail": {"userEmail": PERSON, "uuid": PERSON}})
    requests.get(f"{house.http_url}/shuttle/shops/{PERSON}", auth=signer, timeout=30)
    secret = sign("a secret of the tests", b"")
    requests.post(f"{house.http_url}/events", headers={"X-Hub-Signature": f"sha256={secret}"}, timeout=30)

    logs = until(lambda: next((text for text in [all_logs(house)] if f"/shuttle/shops/{hash_email(PERSON)}" in text), None))

    assert leaks(logs, signer.sent | {secret}) == []

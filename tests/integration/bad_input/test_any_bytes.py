"""Raw bytes and any JSON, rightly signed, to every route that takes a body: 4xx or taken, never 5xx, nothing given away."""

from typing import Any
from urllib.parse import quote

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st

from tests.integration.bad_input.conftest import SHOP, bounded
from tests.property.test_any_jira_body import anything, encode, events, pushes
from tests.support.cloud import Cloud
from tests.support.web.gateway import PERSON, Signer, leaks, traces

ROUTES = [
    ("POST", "/events"),
    ("POST", "/webhooks/jira"),
    ("POST", "/webhooks/commits"),
    ("POST", "/drafts"),
    ("POST", "/slack/interactions"),
    ("PUT", f"/shuttle/shops/{SHOP}"),
    ("POST", f"/shuttle/shops/{SHOP}/jobs"),
    ("PUT", f"/shuttle/shops/{SHOP}/schema"),
]
CONTENT_TYPES = [
    "application/json",
    "application/json; charset=utf-16",
    "application/json; charset=no-such-charset",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    'text/plain; charset="',
    "application/octet-stream",
    "nonsense",
    "",
]


def named(value: Any) -> Any:
    """``value`` with a person's address in place of each of its short texts, and under a name of its own."""
    if isinstance(value, dict):
        return {**{name: named(item) for name, item in value.items()}, PERSON: PERSON}
    if isinstance(value, list):
        return [named(item) for item in value]
    return PERSON if isinstance(value, str) and len(value) < 8 else value


json_bytes = (anything | events | pushes | (anything | events | pushes).map(named)).map(encode)
form_bytes = (st.binary(max_size=60) | json_bytes).map(lambda payload: b"payload=" + quote(payload).encode())
bodies = st.binary(max_size=200) | json_bytes | form_bytes


@pytest.mark.parametrize(("method", "path"), ROUTES)
@bounded(25)
@given(body=bodies, content_type=st.sampled_from(CONTENT_TYPES))
@example(body=b"", content_type="application/json")
@example(body=b"[" * 100_000, content_type="application/json")
@example(body=b'{"detail":' * 5_000 + b"1" + b"}" * 5_000, content_type="application/json")
@example(body=b'{"file_bytes": ' + b"9" * 5_000 + b"}", content_type="application/json")
@example(body=b'{"file_bytes": 1e400, "plan": -0.0, "columns": NaN}', content_type="application/json")
@example(body=b'{"a": "\\ud800", "\\udfff": 1}', content_type="application/json")
@example(body=b"\xff\xfe{\x00}\x00", content_type="application/json; charset=utf-16")
@example(body=b"payload=" + b"%22" * 1_000, content_type="application/x-www-form-urlencoded")
@example(body=b"&".join(b"a=1" for _ in range(2_000)), content_type="application/x-www-form-urlencoded")
@example(
    body=b'--x\r\nContent-Disposition: form-data; name="payload"\r\n\r\n{}\r\n--x--',
    content_type="multipart/form-data; boundary=x",
)
def test_any_body_is_answered(
    house: Cloud, signer: Signer, shop: Any, method: str, path: str, body: bytes, content_type: str
) -> None:
    answer = requests.request(
        method, house.http_url + path, data=body, headers={"Content-Type": content_type}, auth=signer, timeout=30
    )

    assert answer.status_code in {200, 202, 400, 429}, answer.text
    assert answer.status_code < 300 or answer.json().keys() == {"error", "message"}
    assert leaks(answer.text, signer.sent) == []
    assert traces(answer.text) == []

"""A caller with access to one shop reaches nothing of another one, however the path is written."""

import json
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support.shuttle.api import ShopApi, ShuttleApi

METHODS = ("GET", "PUT", "POST", "DELETE")
NOWHERE = (404, 404, 404, 404)

# What IAM lets through for a caller of shop A begins with A's path; the rest is the caller's. ``{b}`` is another shop's domain,
# ``{job}`` a job of its. With the answers to each of METHODS: nothing is there, or it is A's own, whatever the query says.
TRICKS = {
    "": NOWHERE,  # IAM's * is the empty text too, and the shop itself is the operators'
    "/": NOWHERE,
    "%2F": NOWHERE,
    "?plan=LARGE": NOWHERE,
    "../{b}/jobs": NOWHERE,
    "../{b}": NOWHERE,
    "..%2F{b}%2Fjobs": NOWHERE,
    "%2e%2e/{b}/jobs": NOWHERE,
    "%2e%2e%2f{b}%2fjobs": NOWHERE,
    "..%252F{b}%252Fjobs": NOWHERE,
    "jobs/../../{b}/jobs": NOWHERE,
    "jobs/..%2F..%2F{b}%2Fjobs": NOWHERE,
    "jobs/{job}/../../../{b}/jobs/{job}": NOWHERE,
    "/shuttle/shops/{b}/jobs": NOWHERE,
    "%2Fshuttle%2Fshops%2F{b}%2Fjobs": NOWHERE,
    ";/../{b}/jobs": NOWHERE,
    "jobs%00/{b}": NOWHERE,
    "%5c..%5c{b}%5cjobs": NOWHERE,
    "jobs?domain={b}": (200, 405, 202, 405),
    "jobs?after={job}": (200, 405, 202, 405),
    "jobs?limit=100&shop_domain={b}&PK=SHOP%23{b}": (200, 405, 202, 405),
    "schema/versions?domain={b}": (200, 405, 405, 405),
    "sessions?domain={b}": (200, 405, 405, 200),
    "../../sessions/{b}": NOWHERE,
    "..%2F..%2Fsessions%2F{b}": NOWHERE,
}


@pytest.fixture(scope="module")
def shops(api: ShuttleApi) -> tuple[ShopApi, ShopApi, str]:
    """A, B, and a job of B's with errors and a report."""
    a, b = api.shop(), api.shop()
    job = b.run(b"sku,price,stock\nB-SECRET,1,1\n,1,1\n")
    return a, b, job["job_id"]


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("method", METHODS)
def test_no_spelling_of_a_path_reaches_another_shop(
    api: ShuttleApi, shops: tuple[ShopApi, ShopApi, str], method: str, trick: str
) -> None:
    a, b, job_id = shops
    before = b.call("GET", "jobs").json()
    path = f"/shuttle/shops/{a.domain}/" + trick.format(b=b.domain, job=job_id)

    status, text = send_as_written(api, method, path, {"file_bytes": 1})

    assert status == TRICKS[trick][METHODS.index(method)], text
    assert job_id not in text.replace(path, "")
    assert f'"shop_domain":"{b.domain}"' not in text
    assert b.call("GET", "jobs").json() == before


def send_as_written(api: ShuttleApi, method: str, path: str, body: Any) -> tuple[int, str]:
    """Send a signed request whose path no client tidies up, as most do: status and body of the answer."""
    data = b"" if method == "GET" else json.dumps(body).encode()
    signed = AWSRequest(method, api.cloud.http_url + path, data=data, headers={"Content-Type": "application/json"})
    signer = SigV4Auth(Credentials("test", "test"), "execute-api", api.cloud.region)
    signer._normalize_url_path = lambda url_path: url_path  # type: ignore[attr-defined]
    signer.add_auth(signed)
    with closing(HTTPConnection(urlsplit(api.cloud.http_url).netloc, timeout=60)) as connection:
        connection.request(method, path, body=data, headers=dict(signed.headers))
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.mark.parametrize("rest", ["", "/", "//", "%2F", "/."])
def test_no_path_below_a_shop_sets_its_plan(api: ShuttleApi, rest: str) -> None:
    shop = api.shop(plan="FREE", columns=None)

    status, text = send_as_written(api, "PUT", f"/shuttle/shops/{shop.domain}/{rest}", {"plan": "LARGE"})

    assert status == 404, text
    assert api.call("GET", f"/shuttle/shops/{shop.domain}").json()["shop"]["plan"] == "FREE"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "jobs/{job}", None),
        ("GET", "jobs/{job}/report", None),
        ("POST", "jobs/{job}/cancel", None),
        ("POST", "jobs/{job}/upload", {"upload_id": "x", "parts": [{"part_number": 1, "etag": "x"}]}),
    ],
)
def test_another_shops_job_is_not_found(
    shops: tuple[ShopApi, ShopApi, str], method: str, path: str, body: dict[str, Any] | None
) -> None:
    a, _, job_id = shops

    answer = a.call(method, path.format(job=job_id), body)

    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


def test_another_shops_client_token_is_unknown(shops: tuple[ShopApi, ShopApi, str]) -> None:
    a, b, _ = shops
    of_b = b.order(10, client_token="the-same")

    of_a = a.order(10, client_token="the-same")

    assert of_a["job"]["job_id"] != of_b["job"]["job_id"]


def test_links_are_of_the_shops_own_objects(shops: tuple[ShopApi, ShopApi, str]) -> None:
    a, b, job_id = shops
    single, parts = a.order(10), a.order(6 * 1024**2)

    for made, url in ((single, single["upload"]["url"]), (parts, parts["upload"]["part_urls"][0])):
        assert url.partition("?")[0].endswith(f"/uploads/{a.domain}/{made['job']['job_id']}")
    report = b.call("GET", f"jobs/{job_id}/report").json()["url"]
    assert report.partition("?")[0].endswith(f"/reports/{b.domain}/{job_id}.csv")


def test_a_link_is_signed_for_its_length_and_for_an_hour(shops: tuple[ShopApi, ShopApi, str]) -> None:
    url = shops[0].order(10)["upload"]["url"]

    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
    assert "X-Amz-SignedHeaders=content-length%3Bhost" in url
    assert "X-Amz-Expires=3600" in url


def test_a_file_of_another_length_than_announced_is_refused(shops: tuple[ShopApi, ShopApi, str]) -> None:
    url = shops[0].order(10)["upload"]["url"]

    longer, same = (requests.put(url, data=b"x" * size, timeout=30) for size in (11, 10))

    assert (longer.status_code, "<Code>SignatureDoesNotMatch</Code>" in longer.text) == (403, True)
    assert same.status_code == 200

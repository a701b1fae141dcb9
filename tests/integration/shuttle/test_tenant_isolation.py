"""A caller who may call the paths of one shop reaches nothing of another one, however the path is written."""

from typing import Any

import pytest
import requests

from tests.support.shuttle_api import ShopApi, ShuttleApi

# What IAM lets through for a caller of shop A begins with A's path; the rest is the caller's. ``{b}`` is another shop's domain.
TRICKS = [
    "../{b}/jobs",
    "../{b}",
    "..%2F{b}%2Fjobs",
    "%2e%2e/{b}/jobs",
    "%2e%2e%2f{b}%2fjobs",
    "..%252F{b}%252Fjobs",
    "jobs/../../{b}/jobs",
    "jobs/..%2F..%2F{b}%2Fjobs",
    "jobs/{job}/../../../{b}/jobs/{job}",
    "/shuttle/shops/{b}/jobs",
    "%2Fshuttle%2Fshops%2F{b}%2Fjobs",
    ";/../{b}/jobs",
    "jobs?domain={b}",
    "jobs?after={job}",
    "jobs?limit=100&shop_domain={b}&PK=SHOP%23{b}",
    "schema/versions?domain={b}",
    "jobs%00/{b}",
    "%5c..%5c{b}%5cjobs",
]


@pytest.fixture(scope="module")
def shops(api: ShuttleApi) -> tuple[ShopApi, ShopApi, str]:
    """A, B, and a job of B's with errors and a report."""
    a, b = api.shop(), api.shop()
    job = b.run(b"sku,price,stock\nB-SECRET,1,1\n,1,1\n")
    return a, b, job["job_id"]


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
def test_no_spelling_of_a_path_leads_out_of_the_shop(
    api: ShuttleApi, shops: tuple[ShopApi, ShopApi, str], method: str, trick: str
) -> None:
    a, b, job_id = shops
    before = b.call("GET", "jobs").json()
    path = f"/shuttle/shops/{a.domain}/" + trick.format(b=b.domain, job=job_id)

    answer = send_as_written(api, method, path, {"file_bytes": 1})

    assert job_id not in answer.text.replace(path, "")
    assert f'"shop_domain":"{b.domain}"' not in answer.text
    assert answer.status_code < 500
    assert b.call("GET", "jobs").json() == before


def send_as_written(api: ShuttleApi, method: str, path: str, body: Any) -> requests.Response:
    """Send a signed request whose path no client has tidied up."""
    import json

    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    data = b"" if method == "GET" else json.dumps(body).encode()
    signed = AWSRequest(method, api.cloud.http_url + path, data=data, headers={"Content-Type": "application/json"})
    signer = SigV4Auth(Credentials("test", "test"), "execute-api", api.cloud.region)
    signer._normalize_url_path = lambda url_path: url_path  # type: ignore[method-assign]
    signer.add_auth(signed)
    with requests.Session() as session:
        prepared = session.prepare_request(
            requests.Request(method, api.cloud.http_url, data=data, headers=dict(signed.headers))
        )
        prepared.url = api.cloud.http_url + path
        return session.send(prepared, timeout=60, allow_redirects=False)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "jobs/{job}", None),
        ("GET", "jobs/{job}/report", None),
        ("POST", "jobs/{job}/cancel", None),
        ("POST", "jobs/{job}/upload", {"upload_id": "x", "parts": [{"part_number": 1, "etag": "x"}]}),
    ],
)
def test_another_shops_job_is_not_there(
    shops: tuple[ShopApi, ShopApi, str], method: str, path: str, body: dict[str, Any] | None
) -> None:
    a, _, job_id = shops

    answer = a.call(method, path.format(job=job_id), body)

    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


def test_another_shops_client_token_is_not_known(shops: tuple[ShopApi, ShopApi, str]) -> None:
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

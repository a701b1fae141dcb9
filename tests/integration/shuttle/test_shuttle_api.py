"""Shuttle over HTTP, from a shop's installation to its error report, in the local cloud."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.support.aws.sqs_events import sqs_record
from tests.support.cloud import Cloud, until
from tests.support.shuttle.api import ShuttleApi, new_domain

GOOD_CSV = b"sku,price,stock\nA1,9.50,3\nA2,,\n"
MIXED_CSV = b"sku,price,stock\nA1,9.50,3\n,1,1\nA3,cheap,1\nA4,1,many\n"
PART = 8 * 1024**2


def test_a_good_file_is_imported_and_metered(api: ShuttleApi) -> None:
    shop = api.shop()
    job = shop.run(GOOD_CSV)

    assert (job["status"], job["rows_read"], job["rows_valid"], job["bytes_read"]) == ("COMPLETED", 2, 2, len(GOOD_CSV))
    assert job["schema_version"] == 1
    [day] = shop.call("GET", "usage").json()["days"]
    [month] = shop.call("GET", "usage").json()["months"]
    for usage in (day, month):
        assert (usage["imports"], usage["jobs_completed"], usage["rows_read"]) == (1, 1, 2)


@pytest.mark.parametrize(
    ("file_format", "content"),
    [
        ("JSON", b'[{"sku": "A1", "price": 9.5}]'),
        ("JSONL", b'{"sku": "A1", "price": 9.5}\n'),
    ],
)
def test_json_and_json_lines_are_imported_too(api: ShuttleApi, file_format: str, content: bytes) -> None:
    job = api.shop().run(content, file_format=file_format)

    assert (job["status"], job["rows_read"]) == ("COMPLETED", 1)


def test_the_errors_of_a_file_are_counted_by_code_and_told_row_by_row(api: ShuttleApi) -> None:
    shop = api.shop()
    job = shop.run(MIXED_CSV)

    assert (job["status"], job["rows_read"], job["rows_failed"]) == ("COMPLETED", 4, 3)
    assert {error["code"]: (error["count"], error["first_rows"]) for error in job["errors"]} == {
        "MISSING_VALUE": (1, [2]),
        "WRONG_TYPE": (2, [3, 4]),
    }
    link = shop.call("GET", f"jobs/{job['job_id']}/report").json()["url"]
    assert link.startswith(api.cloud.aws_url)
    report = requests.get(link, timeout=10)
    assert report.text.splitlines()[0] == "row,column,code,message"
    assert len(report.text.splitlines()) == 4


def test_a_job_without_errors_has_no_report(api: ShuttleApi) -> None:
    shop = api.shop()

    answer = shop.call("GET", f"jobs/{shop.run(GOOD_CSV)['job_id']}/report")

    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


def test_a_file_above_5_mib_comes_in_parts(api: ShuttleApi) -> None:
    shop = api.shop(columns=[{"name": "sku", "required": True}, {"name": "text"}])
    row = b"A1," + b"x" * 1000 + b"\n"
    content = b"sku,text\n" + row * (9 * 1024**2 // len(row))
    made = shop.order(len(content))
    upload = made["upload"]
    assert upload["part_bytes"] == PART
    pieces = [content[begin : begin + PART] for begin in range(0, len(content), PART)]
    assert len(upload["part_urls"]) == len(pieces) == 2
    etags = [
        requests.put(url, data=piece, timeout=60).headers["ETag"]
        for url, piece in zip(upload["part_urls"], pieces, strict=True)
    ]
    parts = [{"part_number": number, "etag": etag} for number, etag in enumerate(etags, 1)]
    path, body = f"jobs/{made['job']['job_id']}/upload", {"upload_id": upload["upload_id"], "parts": parts}

    assert shop.call("POST", path, body).status_code == 202

    job = shop.ended(made["job"]["job_id"])
    assert (job["status"], job["bytes_read"]) == ("COMPLETED", len(content))


def open_uploads(api: ShuttleApi, part_url: str) -> list[str]:
    """The multipart uploads that the bucket holds for the object of a link."""
    bucket, _, key = urlsplit(part_url).path.strip("/").partition("/")
    uploads = api.cloud.client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return [each["UploadId"] for each in uploads if each["Key"] == key]


def test_the_same_order_again_has_the_same_upload_and_cancelling_aborts_it(api: ShuttleApi) -> None:
    shop = api.shop()
    first, again = (shop.order(6 * 1024**2, client_token="once") for _ in range(2))
    part_url = first["upload"]["part_urls"][0]
    assert first["upload"]["upload_id"] == again["upload"]["upload_id"]
    assert open_uploads(api, part_url) == [first["upload"]["upload_id"]]

    assert shop.call("POST", f"jobs/{first['job']['job_id']}/cancel").status_code == 200

    assert open_uploads(api, part_url) == []


def test_an_upload_of_other_parts_is_refused(api: ShuttleApi) -> None:
    shop = api.shop()
    made = shop.order(6 * 1024**2)
    path = f"jobs/{made['job']['job_id']}/upload"
    answer = shop.call("POST", path, {"upload_id": made["upload"]["upload_id"], "parts": [{"part_number": 1, "etag": "no"}]})
    assert (answer.status_code, answer.json()["error"]) == (400, "malformed"), answer.text


def test_an_upload_id_that_is_no_text_is_the_callers_mistake(api: ShuttleApi) -> None:
    shop = api.shop()
    path = f"jobs/{shop.order(6 * 1024**2)['job']['job_id']}/upload"

    answer = shop.call("POST", path, {"upload_id": "\ud800", "parts": [{"part_number": 1, "etag": "x"}]})

    assert (answer.status_code, answer.json()["error"]) == (400, "malformed"), answer.text


def test_a_cancelled_job_is_not_imported_when_its_file_comes(api: ShuttleApi) -> None:
    shop = api.shop()
    made = shop.order(len(GOOD_CSV))
    job_id = made["job"]["job_id"]

    cancelled = shop.call("POST", f"jobs/{job_id}/cancel")
    requests.put(made["upload"]["url"], data=GOOD_CSV, timeout=10)
    api.shop().run(GOOD_CSV)  # the queue got there

    assert (cancelled.status_code, cancelled.json()["job"]["status"]) == (200, "CANCELLED")
    assert shop.call("POST", f"jobs/{job_id}/cancel").json()["job"]["status"] == "CANCELLED"
    assert shop.job(job_id)["rows_read"] == 0


def test_a_job_that_has_ended_cannot_be_cancelled(api: ShuttleApi) -> None:
    shop = api.shop()

    answer = shop.call("POST", f"jobs/{shop.run(GOOD_CSV)['job_id']}/cancel")

    assert (answer.status_code, answer.json()["error"]) == (400, "illegal_transition")


def test_the_same_order_again_is_the_same_job_and_another_one_under_its_token_is_refused(api: ShuttleApi) -> None:
    shop = api.shop()
    first, again = (shop.order(10, client_token="once") for _ in range(2))

    assert first["job"]["job_id"] == again["job"]["job_id"]
    assert again["upload"]["url"]
    assert shop.call("POST", "jobs", {"file_bytes": 11, "client_token": "once"}).status_code == 400
    assert shop.call("GET", "usage").json()["days"][0]["imports"] == 1


def test_two_requests_at_once_do_not_pass_the_limit(api: ShuttleApi) -> None:
    shop = api.shop(plan="FREE")
    at_once = threading.Barrier(4)

    def order(_: int) -> tuple[int, Any]:
        at_once.wait()
        answer = shop.call("POST", "jobs", {"file_bytes": 10})
        return answer.status_code, answer.json().get("error")

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(order, range(4)))

    assert [status for status, _ in answers] == [202, 429, 429, 429]
    assert {code for status, code in answers if status == 429} == {"limit_reached"}
    assert len(shop.call("GET", "jobs").json()["jobs"]) == 1


def test_a_days_imports_are_limited_even_if_each_is_cancelled(api: ShuttleApi) -> None:
    shop = api.shop(plan="FREE")
    for _ in range(5):
        shop.call("POST", f"jobs/{shop.order(10)['job']['job_id']}/cancel")

    answer = shop.call("POST", "jobs", {"file_bytes": 10})

    assert answer.status_code == 429
    assert "daily_imports is 5" in answer.json()["message"]


@pytest.mark.parametrize(
    ("changes", "order", "status", "code"),
    [
        ({"billing_state": "SUSPENDED"}, {"file_bytes": 10}, 400, "billing_inactive"),
        ({"plan": "FREE"}, {"file_bytes": 11 * 1024**2}, 413, "too_large"),
        ({}, {"file_bytes": 0}, 400, "malformed"),
        ({}, {"file_bytes": 10, "kind": "EXPORT"}, 400, "malformed"),
        ({}, {"file_bytes": 10, "mode": "SOME"}, 400, "malformed"),
        ({}, {"file_bytes": 10, "colour": "green"}, 400, "malformed"),
        ({}, {}, 400, "malformed"),
    ],
)
def test_an_order_that_cannot_be_taken_is_refused(
    api: ShuttleApi, changes: dict[str, Any], order: dict[str, Any], status: int, code: str
) -> None:
    answer = api.shop(**changes).call("POST", "jobs", order)

    assert (answer.status_code, answer.json()["error"]) == (status, code)


def test_jobs_are_listed_a_page_at_a_time_by_status_and_by_date(api: ShuttleApi) -> None:
    shop = api.shop()
    made = [shop.order(10)["job"]["job_id"] for _ in range(3)]
    shop.call("POST", f"jobs/{made[0]}/cancel")

    def ids(query: str) -> list[str]:
        return [job["job_id"] for job in shop.call("GET", f"jobs?{query}").json()["jobs"]]

    first = shop.call("GET", "jobs?limit=2").json()
    assert [job["job_id"] for job in first["jobs"]] == made[:0:-1]
    assert ids(f"limit=2&after={first['next']}") == made[:1]
    assert set(ids("status=QUEUED")) == set(made[1:])
    assert ids("status=CANCELLED") == made[:1]
    assert ids("from=2020-01-01") == made[::-1]
    assert ids("from=1969-12-31") == made[::-1]
    assert ids("to=2020-01-01") == []
    assert ids("to=1969-12-31") == []
    assert shop.call("GET", "jobs?limit=3").json()["next"] is None


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=many",
        "limit=101",
        "limit=0000001009999999",
        "from=2026-01-02&to=2026-01-01",
        "status=LOST",
        "from=yesterday",
        "status=QUEUED&from=2026-01-01",
        "after=x",
    ],
)
def test_a_question_that_cannot_be_answered_is_400(api: ShuttleApi, query: str) -> None:
    answer = api.shop(columns=None).call("GET", f"jobs?{query}")

    assert (answer.status_code, answer.json()["error"]) == (400, "malformed")


def test_a_schema_has_versions_and_two_editors_do_not_overwrite_each_other(api: ShuttleApi) -> None:
    shop = api.shop(columns=None)
    assert shop.call("GET", "schema").status_code == 404
    one, two = [{"name": "sku"}], [{"name": "sku"}, {"name": "price", "type": "DECIMAL"}]

    assert shop.call("PUT", "schema", {"columns": one, "replaces": 0}).json()["schema"]["version"] == 1
    assert shop.call("PUT", "schema", {"columns": two, "replaces": 1}).json()["schema"]["version"] == 2
    late = shop.call("PUT", "schema", {"columns": one, "replaces": 1})

    assert (late.status_code, late.json()["error"]) == (400, "schema_changed")
    assert [column["name"] for column in shop.call("GET", "schema").json()["schema"]["columns"]] == ["sku", "price"]
    assert [schema["version"] for schema in shop.call("GET", "schema/versions").json()["versions"]] == [2, 1]


def test_a_shop_is_installed_once_and_then_changed(api: ShuttleApi) -> None:
    path = f"/shuttle/shops/{new_domain()}"
    first = api.call("PUT", path, {"plan": "FREE"}).json()
    second = api.call("PUT", path, {"plan": "SMALL", "billing_state": "SUSPENDED", "settings": {"csv_delimiter": ";"}}).json()

    assert (first["installed"], second["installed"]) == (True, False)
    shop = api.call("GET", path).json()["shop"]
    assert (shop["plan"], shop["billing_state"], shop["settings"]["csv_delimiter"]) == ("SMALL", "SUSPENDED", ";")
    assert shop["installed_at"] == first["shop"]["installed_at"]


def test_a_shop_that_never_installed_can_do_nothing(api: ShuttleApi) -> None:
    path = f"/shuttle/shops/{new_domain()}"
    requests_of_it = [("GET", ""), ("POST", "/jobs"), ("PUT", "/schema"), ("GET", "/schema")]
    bodies = {"POST": {"file_bytes": 1}, "PUT": {"columns": [{"name": "sku"}]}}

    assert [api.call(method, path + rest, bodies.get(method)).status_code for method, rest in requests_of_it] == [404] * 4


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/shuttle/nothing", 404),
        ("DELETE", "/shuttle/shops/a.example.com/jobs", 405),
        ("GET", "/shuttle/shops/UPPER.example.com", 400),
        ("GET", "/shuttle/shops/a.example.com/jobs/not-a-ulid", 400),
        ("GET", "/shuttle/shops/a%23b.example.com", 400),
        ("GET", "/shuttle/shops/a.example.com/jobs/01ARZ3NDEKTSV4RRFFQ69G5FAV", 404),
    ],
)
def test_what_is_not_there_is_said_in_json(api: ShuttleApi, method: str, path: str, status: int) -> None:
    answer = api.call(method, path)

    assert answer.status_code == status, answer.text
    assert answer.json()["error"] in {"malformed", "not_found", "method_not_allowed"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"file_bytes": NaN}', b'"x"', b"[" * 5000])
def test_a_body_that_is_no_order_is_400(api: ShuttleApi, body: bytes) -> None:
    shop = api.shop(columns=None)

    answer = api.call("POST", f"/shuttle/shops/{shop.domain}/jobs", raw=body)

    assert (answer.status_code, answer.json()["error"]) == (400, "malformed")


def test_an_unsigned_request_is_forbidden(cloud: Cloud) -> None:
    for method, path in (("GET", "shops/a.example.com"), ("POST", "shops/a.example.com/jobs"), ("GET", "nothing")):
        answer = requests.request(method, f"{cloud.http_url}/shuttle/{path}", timeout=10)
        assert answer.status_code == 403


def test_the_sweep_runs_and_says_what_it_gave_up(cloud: Cloud) -> None:
    answer = cloud.invoke("shuttle", {"mode": "sweep"})

    assert answer["error"] is None
    assert answer["payload"]["given_up"].keys() == {"WORKER_LOST", "UPLOAD_MISSING"}


def test_a_message_that_tells_of_no_upload_is_a_dead_letter_and_stops_nothing(cloud: Cloud, api: ShuttleApi) -> None:
    sqs = cloud.client("sqs")
    urls = sqs.list_queues()["QueueUrls"]
    work = next(url for url in urls if "shuttle-jobs-" in url and "dead" not in url)
    dead = next(url for url in urls if "shuttle-jobs-dead-letters" in url)
    wrong = json.dumps({"Records": [{"s3": {"object": {"key": "uploads/a.example.com/nothing"}}}]})
    sqs.send_message(QueueUrl=work, MessageBody=wrong)

    assert api.shop().run(GOOD_CSV)["status"] == "COMPLETED"
    until(lambda: any(each["Body"] == wrong for each in sqs.receive_message(QueueUrl=dead).get("Messages", [])), 30)


def test_s3s_own_test_message_is_nobodys_upload(cloud: Cloud) -> None:
    body = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "imports"})

    answer = cloud.invoke("shuttle", {"Records": [sqs_record("1", body)]})

    assert (answer["error"], answer["payload"]) == (None, {"batchItemFailures": []})

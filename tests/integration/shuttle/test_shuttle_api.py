"""Shuttle over HTTP, from a shop's installation to its error report, in the local cloud."""

import gzip
import json
from urllib.parse import urlsplit

import pytest
import requests

from tests.support.cloud import Cloud, until
from tests.support.shuttle.api import ShuttleApi

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


def test_the_file_format_of_an_order_is_the_one_that_is_read(api: ShuttleApi) -> None:
    job = api.shop().run(b'{"sku": "A1", "price": 9.5}\n', file_format="JSONL")

    assert (job["status"], job["rows_read"]) == ("COMPLETED", 1)


def test_the_errors_of_a_file_are_counted_and_reported_row_by_row(api: ShuttleApi) -> None:
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
    assert report.text.splitlines()[0] == "row,line,column,code,message"
    assert len(report.text.splitlines()) == 4


def test_a_file_above_5_mib_is_uploaded_in_parts(api: ShuttleApi) -> None:
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


def test_an_upload_that_expired_is_refused_with_the_reason(api: ShuttleApi) -> None:
    shop = api.shop()
    made = shop.order(9 * 1024**2)
    upload = made["upload"]
    bucket, _, key = urlsplit(upload["part_urls"][0]).path.strip("/").partition("/")
    api.cloud.client("s3").abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload["upload_id"])
    body = {"upload_id": upload["upload_id"], "parts": [{"part_number": 1, "etag": '"0"'}]}

    answer = shop.call("POST", f"jobs/{made['job']['job_id']}/upload", body)

    assert (answer.status_code, answer.json()["error"]) == (400, "malformed")
    assert "there is no such upload" in answer.json()["message"]


def open_uploads(api: ShuttleApi, part_url: str) -> list[str]:
    """The multipart uploads that the bucket holds for the object of a link."""
    bucket, _, key = urlsplit(part_url).path.strip("/").partition("/")
    uploads = api.cloud.client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return [each["UploadId"] for each in uploads if each["Key"] == key]


def test_a_repeated_order_has_one_upload_which_cancelling_aborts(api: ShuttleApi) -> None:
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


def test_an_unsigned_request_is_forbidden(cloud: Cloud) -> None:
    for method, path in (("GET", "shops/a.example.com"), ("POST", "shops/a.example.com/jobs"), ("GET", "nothing")):
        answer = requests.request(method, f"{cloud.http_url}/shuttle/{path}", timeout=10)
        assert answer.status_code == 403


def test_the_sweep_returns_how_many_jobs_it_failed(cloud: Cloud) -> None:
    answer = cloud.invoke("imports", {"mode": "sweep"})

    assert answer["error"] is None
    assert answer["payload"]["given_up"].keys() == {"WORKER_LOST", "UPLOAD_MISSING"}


def test_a_malformed_message_is_a_dead_letter_and_stops_nothing(cloud: Cloud, api: ShuttleApi) -> None:
    sqs = cloud.client("sqs")
    urls = sqs.list_queues()["QueueUrls"]
    work = next(url for url in urls if "shuttle-jobs-" in url and "dead" not in url)
    dead = next(url for url in urls if "shuttle-jobs-dead-letters" in url)
    wrong = json.dumps({"Records": [{"s3": {"object": {"key": "uploads/a.example.com/nothing"}}}]})
    sqs.send_message(QueueUrl=work, MessageBody=wrong)

    assert api.shop().run(GOOD_CSV)["status"] == "COMPLETED"
    until(lambda: any(each["Body"] == wrong for each in sqs.receive_message(QueueUrl=dead).get("Messages", [])), 30)


@pytest.mark.parametrize("name", ["open quote", "zip bomb"])
def test_a_bad_file_ends_its_job_with_a_reason(api: ShuttleApi, name: str) -> None:
    """tests/unit/shuttle/imports/test_worker.py has every reason; here, the function survives the file."""
    content, failure = {
        "open quote": lambda: (b'sku,price,stock\nA1,9.50,3\n"A2,1,1\n', "MALFORMED"),
        "zip bomb": lambda: (gzip.compress(b"sku,price,stock\n" + b"A1,9.50,3\n" * 6_000_000, 9), "ZIP_BOMB"),
    }[name]()
    shop = api.shop()

    job = shop.run(content)

    assert (job["status"], job["failure"]) == ("FAILED", failure)
    assert job["failure_detail"]
    assert shop.call("GET", "usage").json()["days"][0]["jobs_failed"] == 1

"""Files that no import can be made of, in the local cloud: each ends its job with a reason, and none gets it stuck."""

import gzip
from collections.abc import Callable

import pytest

from tests.support.shuttle.api import ShuttleApi

ROW = b"A1,9.50,3\n"
HEADER = b"sku,price,stock\n"


def a_zip_bomb() -> bytes:
    """60 MB in few bytes. Made by the one test that sends it, not whenever the file is imported."""
    return gzip.compress(HEADER + ROW * 6_000_000, 9)


BAD_FILES: dict[str, tuple[bytes | Callable[[], bytes], str, str]] = {
    "empty": (b" ", "CSV", "EMPTY_FILE"),
    "header only": (HEADER, "CSV", "EMPTY_FILE"),
    "wrong schema": (b"sku,colour\nA1,green\n", "CSV", "WRONG_SCHEMA"),
    "ragged": (HEADER + b"A1,9.50,3\nA2,1\n", "CSV", "RAGGED_ROW"),
    "latin-1": (HEADER + "Ä,1,1\n".encode("latin-1"), "CSV", "BAD_ENCODING"),
    "utf-16": ((HEADER + ROW).decode().encode("utf-16"), "CSV", "BAD_ENCODING"),
    "bytes": (HEADER + b"A\x00,1,1\n", "CSV", "NUL_BYTE"),
    "long line": (HEADER + b"A" * 3_000_000, "CSV", "ROW_TOO_LONG"),
    "no json": (b'[{"sku": "A1"},', "JSON", "MALFORMED"),
    "no json lines": (b'{"sku": "A1"}\nnothing\n', "JSONL", "MALFORMED"),
    "zip bomb": (a_zip_bomb, "CSV", "ZIP_BOMB"),
    "cut gzip": (gzip.compress(HEADER + ROW)[:-9], "CSV", "CANNOT_DECOMPRESS"),
    "workbook": (b"PK\x03\x04 and so on", "CSV", "UNSUPPORTED_FORMAT"),
    "nothing valid": (HEADER + b",1,1\n", "CSV", "NO_VALID_ROW"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_ends_its_job_with_a_reason(api: ShuttleApi, name: str) -> None:
    content, file_format, failure = BAD_FILES[name]
    shop = api.shop()

    job = shop.run(content() if callable(content) else content, file_format=file_format)

    assert (job["status"], job["failure"]) == ("FAILED", failure)
    assert job["failure_detail"]
    assert shop.call("GET", "usage").json()["days"][0]["jobs_failed"] == 1
    assert shop.order(1)["job"]["status"] == "QUEUED", "the place of the failed job is free again"


def test_a_line_of_10_mb_comes_in_parts_and_fails_the_same(api: ShuttleApi) -> None:
    import requests

    shop, content = api.shop(), HEADER + b"A" * 10_000_000
    made = shop.order(len(content))
    upload, job_id = made["upload"], made["job"]["job_id"]
    size = upload["part_bytes"]
    parts = [
        {"part_number": number, "etag": requests.put(url, data=content[(number - 1) * size : number * size]).headers["ETag"]}
        for number, url in enumerate(upload["part_urls"], 1)
    ]
    shop.call("POST", f"jobs/{job_id}/upload", {"upload_id": upload["upload_id"], "parts": parts})

    assert shop.ended(job_id)["failure"] == "ROW_TOO_LONG"


def test_a_shop_without_a_schema_is_told_so(api: ShuttleApi) -> None:
    job = api.shop(columns=None).run(HEADER + ROW)

    assert (job["status"], job["failure"]) == ("FAILED", "NO_SCHEMA")


def test_a_file_over_the_plans_rows_is_refused(api: ShuttleApi) -> None:
    job = api.shop(plan="FREE").run(HEADER + ROW * 10_001)

    assert (job["status"], job["failure"]) == ("FAILED", "TOO_MANY_ROWS")

"""The last flow: a shop uploads a catalogue with three bad rows, and the import reports which they are and why."""

import json
import urllib.request
from typing import Any

from stack.local.cloud import LocalCloud
from stack.local.demo.calls import open_url, send, send_signed, until
from stack.local.demo.stage import Stage, table

SHOP = "teapots.example.com"
COLUMNS = [
    {"name": "sku", "required": True, "max_length": 8},
    {"name": "title", "required": True},
    {"name": "price", "type": "DECIMAL"},
    {"name": "stock", "type": "INTEGER"},
]
GOOD_ROWS = 2_000
BAD_ROWS = {17: ",Teapot without a number,9.50,3", 404: "T-404,Lost teapot,priceless,1", 1999: "T-1999-XXL,Long teapot,12,2"}
_WAIT_SECONDS = 60.0


def play(cloud: LocalCloud, stage: Stage) -> None:
    """Play the flow on ``stage``."""
    stage.heading("Shuttle: a shop imports its catalogue")
    shop = _ShopOwner(cloud)
    shop.install()
    file = _catalogue()
    order = {"file_bytes": len(file), "client_token": "catalogue-1"}
    created, again = shop.call("POST", "/jobs", order), shop.call("POST", "/jobs", order)
    stage.check(created["job"]["job_id"] == again["job"]["job_id"], "the same order, sent twice, is one job")
    _upload(created["upload"]["url"], file)
    job = until(lambda: shop.ended(created["job"]["job_id"]), _WAIT_SECONDS) or {}
    _show_job(stage, job)
    _show_report(stage, shop, job)
    _show_usage(stage, shop)


class _ShopOwner:
    """The shop, calling the API with the local cloud's key."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._url = f"{cloud.ready.http_url}/shuttle/shops/{SHOP}"

    def install(self) -> None:
        self.call("PUT", "", {"plan": "SMALL"})
        self.call("PUT", "/schema", {"columns": COLUMNS, "key": ["sku"]})

    def ended(self, job_id: str) -> dict[str, Any] | None:
        job = dict(self.call("GET", f"/jobs/{job_id}")["job"])
        return None if job["status"] in {"QUEUED", "PROCESSING"} else job

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        data = b"" if body is None else json.dumps(body).encode()
        _, text = send_signed(self._cloud, method, self._url + path, data)
        return dict(json.loads(text))


def _catalogue() -> bytes:
    rows = (
        BAD_ROWS.get(number, f"T-{number},Teapot no. {number},{number % 90 + 9}.50,{number % 7}")
        for number in range(1, GOOD_ROWS + 1)
    )
    return "\n".join(["sku,title,price,stock", *rows, ""]).encode()


def _upload(url: str, file: bytes) -> None:
    with open_url(urllib.request.Request(url, file, method="PUT"), timeout=60):  # noqa: S310 (loopback)
        pass


def _show_job(stage: Stage, job: dict[str, Any]) -> None:
    stage.say(f"job {job.get('job_id')}: {job.get('status', 'not ended')}, schema version {job.get('schema_version')}")
    counts = [job.get(name) or 0 for name in ("rows_read", "rows_valid", "rows_failed", "bytes_read")]
    stage.say("{:,} rows read, {:,} valid, {:,} failed; {:,} bytes".format(*counts))
    errors = job.get("errors", [])
    summary = table("error", "rows", "first rows")
    for error in errors:
        summary.add_row(error["code"], str(error["count"]), ", ".join(map(str, error["first_rows"])))
    stage.detail(summary)
    outcome = (job.get("status"), counts[0], counts[2])
    stage.check(outcome == ("COMPLETED", GOOD_ROWS, len(BAD_ROWS)), f"{len(BAD_ROWS)} of {GOOD_ROWS:,} rows are bad")
    found = sorted(row for error in errors for row in error["first_rows"])
    stage.check(found == sorted(BAD_ROWS), "the summary names their rows")


def _show_report(stage: Stage, shop: _ShopOwner, job: dict[str, Any]) -> None:
    link = shop.call("GET", f"/jobs/{job.get('job_id')}/report").get("url", "")
    _, text = send("GET", link) if link else (404, "")
    header, *lines = [line.split(",") for line in text.splitlines()] or [["no report"]]
    report = table(*header)
    for line in lines:
        report.add_row(*line)
    stage.show(report)
    stage.check(len(lines) == len(BAD_ROWS), "the error report, downloaded by its link, has a line for each")


def _show_usage(stage: Stage, shop: _ShopOwner) -> None:
    usage = shop.call("GET", "/usage")
    names = ("imports", "jobs_completed", "rows_read", "rows_failed", "bytes_read")
    periods = [("day", each) for each in usage["days"]] + [("month", each) for each in usage["months"]]
    metered = table("metered", *(name.replace("_", " ") for name in names))
    for kind, row in periods:
        metered.add_row(f"{kind} {row[kind]}", *(f"{row[name]:,}" for name in names))
    stage.detail(metered)
    imports = [(row["imports"], row["rows_read"]) for _, row in periods]
    stage.check(imports == [(1, GOOD_ROWS)] * 2, "one import is metered, for the day and the month")

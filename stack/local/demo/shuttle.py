"""The last flow: a shop uploads a catalogue with a few bad rows, and the import says which, and why."""

import json
import urllib.request
from typing import Any

from rich.table import Table
from rich.text import Text

from stack.local.cloud import LocalCloud
from stack.local.demo.stage import Stage, send, send_signed, until

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


def tell(cloud: LocalCloud, stage: Stage) -> None:
    """Play the flow on ``stage``."""
    stage.heading("Shuttle: a shop imports its catalogue")
    shop = _ShopOwner(cloud)
    shop.install()
    file = _catalogue()
    made = shop.call("POST", "/jobs", {"file_bytes": len(file), "client_token": "catalogue-1"})
    again = shop.call("POST", "/jobs", {"file_bytes": len(file), "client_token": "catalogue-1"})
    stage.check(made["job"]["job_id"] == again["job"]["job_id"], "the order sent twice is one job")
    _upload(made["upload"]["url"], file)
    job = until(lambda: shop.ended(made["job"]["job_id"]), _WAIT_SECONDS) or {}
    stage.console.print(_job_table(job))
    _check(stage, job)
    _show_report(stage, shop, job)
    _show_usage(stage, shop)


class _ShopOwner:
    """The shop, calling the API with the local cloud's key."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._url = f"{cloud.ready.http_url}/shuttle/shops/{SHOP}"

    def install(self) -> None:
        self.call("PUT", "", {"plan": "SMALL"})
        self.call("PUT", "/schema", {"columns": COLUMNS})

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
    with urllib.request.urlopen(urllib.request.Request(url, file, method="PUT"), timeout=60):  # noqa: S310 (loopback)
        pass


def _job_table(job: dict[str, Any]) -> Table:
    table = Table("job", "status", "rows read", "valid", "failed", "bytes", "schema")
    status = Text(str(job.get("status", "not ended")), "green" if job.get("status") == "COMPLETED" else "red")
    values = (job.get(name) for name in ("rows_read", "rows_valid", "rows_failed", "bytes_read"))
    table.add_row(
        str(job.get("job_id")), status, *(f"{value or 0:,}" for value in values), f"version {job.get('schema_version')}"
    )
    return table


def _check(stage: Stage, job: dict[str, Any]) -> None:
    table = Table("error", "how often", "first rows")
    for error in job.get("errors", []):
        table.add_row(error["code"], str(error["count"]), ", ".join(map(str, error["first_rows"])))
    stage.console.print(table)
    counts = (job.get("status"), job.get("rows_read"), job.get("rows_failed"))
    stage.check(counts == ("COMPLETED", GOOD_ROWS, len(BAD_ROWS)), f"{len(BAD_ROWS)} of {GOOD_ROWS:,} rows are bad")
    found = sorted(row for error in job.get("errors", []) for row in error["first_rows"])
    stage.check(found == sorted(BAD_ROWS), "the summary names their rows")


def _show_report(stage: Stage, shop: _ShopOwner, job: dict[str, Any]) -> None:
    link = shop.call("GET", f"/jobs/{job.get('job_id')}/report").get("url", "")
    _, text = send("GET", link) if link else (404, "")
    header, *lines = [line.split(",") for line in text.splitlines()] or [["no report"]]
    table = Table(*header)
    for line in lines:
        table.add_row(*(Text(cell) for cell in line))
    stage.console.print(table)
    stage.check(len(lines) == len(BAD_ROWS), "the error report, fetched by link, has a line for each")


def _show_usage(stage: Stage, shop: _ShopOwner) -> None:
    usage = shop.call("GET", "/usage")
    table = Table("metered", "imports", "completed", "rows read", "rows failed", "bytes read")
    for kind, row in [("day", each) for each in usage["days"]] + [("month", each) for each in usage["months"]]:
        values = (row[name] for name in ("imports", "jobs_completed", "rows_read", "rows_failed", "bytes_read"))
        table.add_row(f"{kind} {row[kind]}", *(f"{value:,}" for value in values))
    stage.console.print(table)
    metered = [(row["imports"], row["rows_read"]) for row in (*usage["days"], *usage["months"])]
    stage.check(metered == [(1, GOOD_ROWS)] * 2, "one import is metered, for the day and the month")

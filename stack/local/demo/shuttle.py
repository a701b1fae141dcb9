"""The last flow: a shop imports its catalogue twice, with a dry run in between, then exports it and rolls it back."""

import gzip
import json
import urllib.request
from typing import Any

from stack.local.cloud import LocalCloud
from stack.local.demo.calls import open_url, send_signed, until
from stack.local.demo.stage import Stage, table

SHOP = "teapots.example.com"
SCHEMA = {
    "columns": [
        {"name": "sku", "required": True, "max_length": 8},
        {"name": "title", "required": True},
        {"name": "price", "type": "DECIMAL"},
        {"name": "stock", "type": "INTEGER"},
    ],
    "key": ["sku"],
}
ROWS = 2_000
BAD_ROWS = {17: ",Teapot without a number,9.50,3", 404: "T-404,Lost teapot,priceless,1", 1999: "T-1999-XXL,Long teapot,12,2"}
CHEAPER = range(1, 13)
SECOND_ROWS = 1_900
"""In the second file, twelve teapots are cheaper, rows 17 and 404 are correct, and the last hundred rows are missing."""
ADDED, MISSING = 2, 99  # row 1999 was bad
_COUNTS = ("rows_read", "added", "replaced", "unchanged", "removed")
_WAIT_SECONDS = 60.0


def play(cloud: LocalCloud, stage: Stage) -> None:
    """Play the flow on ``stage``."""
    stage.heading("Shuttle: a shop imports its catalogue, changes it, and goes back")
    shop = _ShopOwner(cloud)
    shop.install()
    events = _Events(cloud)
    first = _first_import(stage, shop)
    second = _second_import(stage, shop)
    _show_changes(stage, shop, second)
    _show_export(stage, shop)
    _roll_back(stage, shop, first)
    _show_events(stage, events)
    _show_usage(stage, shop)


class _ShopOwner:
    """The shop, calling the API with the local cloud's key."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._url = f"{cloud.ready.http_url}/shuttle/shops/{SHOP}"

    def install(self) -> None:
        self.call("PUT", "", {"plan": "SMALL"})
        self.call("PUT", "/schema", SCHEMA)

    def run(self, file: bytes | None = None, **order: Any) -> dict[str, Any]:
        """An import of ``file``, or an export, once it has ended."""
        created = self.call("POST", "/jobs", order if file is None else {"file_bytes": len(file), **order})
        if file is not None:
            _upload(created["upload"]["url"], file)
        return until(lambda: self._ended(created["job"]["job_id"]), _WAIT_SECONDS) or {}

    def file(self, job: dict[str, Any], name: str) -> bytes:
        """What a link of a job leads to."""
        with open_url(self.call("GET", f"/jobs/{job['job_id']}/{name}")["url"], timeout=60) as response:
            return bytes(response.read())

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        data = b"" if body is None else json.dumps(body).encode()
        _, text = send_signed(self._cloud, method, self._url + path, data)
        return dict(json.loads(text))

    def _ended(self, job_id: str) -> dict[str, Any] | None:
        job = dict(self.call("GET", f"/jobs/{job_id}")["job"])
        return None if job["status"] in {"QUEUED", "PROCESSING"} else job


class _Events:
    """A queue that receives Shuttle's events by a rule."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._sqs = cloud.client("sqs")
        self._url = self._sqs.create_queue(QueueName="demo-loader")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        rule = {"EventBusName": cloud.ready.outputs["event_bus_name"], "Name": "demo-loader"}
        cloud.client("events").put_rule(**rule, EventPattern=json.dumps({"source": ["switchboard.shuttle"]}))
        cloud.client("events").put_targets(
            EventBusName=rule["EventBusName"], Rule=rule["Name"], Targets=[{"Id": "demo", "Arn": arn}]
        )
        self._received: dict[str, str] = {}

    def received(self, number: int) -> list[str]:
        """The kinds of the first ``number`` events, each once and in order: those that arrive in time."""
        until(lambda: self._receive() >= number, _WAIT_SECONDS)
        return [kind for _, kind in sorted(self._received.items())]

    def _receive(self) -> int:
        for message in self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", []):
            event = json.loads(message["Body"])
            self._received[event["detail"]["event_id"]] = event["detail-type"]
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return len(self._received)


def _catalogue(rows: int, bad: dict[int, str], cheaper: range) -> bytes:
    lines = (
        bad.get(number, f"T-{number},Teapot no. {number},{number % 90 + (8 if number in cheaper else 9)}.50,{number % 7}")
        for number in range(1, rows + 1)
    )
    return "\n".join(["sku,title,price,stock", *lines, ""]).encode()


def _upload(url: str, file: bytes) -> None:
    with open_url(urllib.request.Request(url, file, method="PUT"), timeout=60):  # noqa: S310 (loopback)
        pass


def _first_import(stage: Stage, shop: _ShopOwner) -> dict[str, Any]:
    file = _catalogue(ROWS, BAD_ROWS, range(0))
    order = {"client_token": "catalogue-1", "mode": "NEW_ONLY"}
    again = shop.call("POST", "/jobs", {"file_bytes": len(file), **order})["job"]
    job = shop.run(file, **order)
    stage.check(job.get("job_id") == again["job_id"], "the same order, sent twice, is one job")
    header, *lines = [line.split(",") for line in shop.file(job, "report").decode().splitlines()]
    report = table(*header)
    for line in lines:
        report.add_row(*line)
    stage.detail(report)
    good = ROWS - len(BAD_ROWS)
    outcome = (job.get("status"), job.get("added"), job.get("rows_failed"))
    stage.check(outcome == ("COMPLETED", good, len(BAD_ROWS)), f"{good:,} of {ROWS:,} rows are imported")
    found = sorted(row for error in job.get("errors", []) for row in error["first_rows"])
    stage.check(found == sorted(BAD_ROWS) == [int(line[0]) for line in lines], "job and error report name the bad rows")
    return job


def _second_import(stage: Stage, shop: _ShopOwner) -> dict[str, Any]:
    """Another file: what WIPE_AND_RESTORE would do, and what OVERWRITE_EXISTING does."""
    file = _catalogue(SECOND_ROWS, {}, CHEAPER)
    rehearsed = shop.run(file, mode="WIPE_AND_RESTORE", confirm=SHOP, dry_run=True)
    current = shop.call("GET", "/catalogue")["catalogue"]["version"]
    done = shop.run(file, mode="OVERWRITE_EXISTING")
    counts = table("second file", *(name.replace("_", " ") for name in _COUNTS), "version")
    for name, job in (("wipe, dry run", rehearsed), ("overwrite", done)):
        counts.add_row(name, *(f"{job.get(count, 0):,}" for count in _COUNTS), str(job.get("catalogue_version") or "–"))
    stage.show(counts)
    stage.check(
        (rehearsed.get("removed"), current) == (MISSING, 1), "the dry run counts what it would remove, and removes nothing"
    )
    found = [done.get(name) for name in ("added", "replaced", "removed")]
    stage.check(
        found == [ADDED, len(CHEAPER), 0], f"the import adds {ADDED} rows, replaces {len(CHEAPER)}, and keeps the others"
    )
    return done


def _show_changes(stage: Stage, shop: _ShopOwner, job: dict[str, Any]) -> None:
    lines = gzip.decompress(shop.file(job, "changes")).decode().splitlines()
    changes = [json.loads(line, parse_float=str) for line in lines]
    first, last = changes[0], changes[-1]
    stage.say(f"{first['kind']} {first['row']['sku']}, now {first['row']['price']} · … · {last['kind']} {last['key']['sku']}")
    kinds = [change["kind"] for change in changes]
    counted = (kinds.count("added"), kinds.count("replaced"))
    stage.check(counted == (job["added"], job["replaced"]), f"the changes file has each of the {len(lines)} changed rows")


def _show_export(stage: Stage, shop: _ShopOwner) -> None:
    job = shop.run(kind="EXPORT", file_format="CSV", columns=["sku", "price"], changed_since=1, gzip=True)
    header, *lines = gzip.decompress(shop.file(job, "result")).decode().splitlines()
    stage.say(f"exported since version 1: {header} · {lines[0]} · … · {lines[-1]}")
    stage.check(header == "sku,price" and len(lines) == job["rows_read"], f"it has {len(lines)} rows")


def _roll_back(stage: Stage, shop: _ShopOwner, first: dict[str, Any]) -> None:
    shop.call("POST", "/catalogue/rollback", {"version": 1})
    versions = shop.call("GET", "/catalogue/versions")["versions"]
    stage.say(" ← ".join(f"version {each['version']}: {each['rows']:,} rows" for each in versions))
    current = versions[0]
    found = (current["version"], current["restored_from"], current["rows"])
    stage.check(found == (3, 1, first["added"]), "version 3 is version 1 again")


def _show_events(stage: Stage, events: _Events) -> None:
    kinds = events.received(3)
    stage.check(
        kinds == ["ImportCompleted", "ImportCompleted", "CatalogueRolledBack"],
        "a rule received both imports and the rollback, not the dry run",
    )


def _show_usage(stage: Stage, shop: _ShopOwner) -> None:
    usage = shop.call("GET", "/usage")
    names = ("imports", "exports", "jobs_completed", "rows_read", "rows_failed", "bytes_read")
    periods = [("day", each) for each in usage["days"]] + [("month", each) for each in usage["months"]]
    metered = table("metered", *(name.replace("_", " ") for name in names))
    for kind, row in periods:
        metered.add_row(f"{kind} {row[kind]}", *(f"{row[name]:,}" for name in names))
    stage.detail(metered)
    stage.check(
        [(row["imports"], row["exports"]) for _, row in periods] == [(3, 1)] * 2,
        "three imports and an export are metered, for the day and the month",
    )

"""The first flow: a lease event goes in by EventBridge or HTTP, and an enriched notification comes out."""

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from boto3.dynamodb.types import TypeSerializer
from rich.panel import Panel
from rich.progress import track
from rich.table import Table
from rich.text import Text

from stack.local.cloud import LocalCloud
from stack.local.demo.lease_samples import EVENTS, LEASES, ODD_EVENTS, SOURCE
from stack.local.demo.stage import Stage, hub_signature, log_records, percentile, plot, send, until

SECRET = "the demo's webhook secret"  # noqa: S105 (the local cloud's own)
CONFIG = {"eventWebhookSecret": SECRET, "consoleUrl": "https://sandbox.example.com"}
_WAIT_SECONDS = 60.0


def tell(cloud: LocalCloud, stage: Stage) -> None:
    """Play the flow on ``stage``."""
    inbox = _Inbox(cloud)
    _put_leases(cloud, stage)
    sent = _put_events(cloud, stage)
    told = inbox.wait_for(set(sent), _WAIT_SECONDS)
    _show_notifications(stage, sent, told)
    stage.check(set(told) == set(sent), f"{len(sent)} events went in, and each came out as one notification")
    _show_measures(cloud, stage, len(sent))
    _post_over_http(cloud, stage, inbox)


def _put_leases(cloud: LocalCloud, stage: Stage) -> None:
    stage.heading("Leases, in LeaseTable")
    table = Table("status", "who", "uuid", "spend of budget", "fields")
    serialise = TypeSerializer().serialize
    for lease in LEASES:
        item = {name: serialise(value) for name, value in lease.items()}
        cloud.client("dynamodb").put_item(TableName=cloud.ready.outputs["lease_table_name"], Item=item)
        spend = f"${lease.get('totalCostAccrued', 0)} of ${lease['maxSpend']}"
        table.add_row(lease["status"], lease["userEmail"], lease["uuid"], spend, str(len(lease)))
    stage.console.print(table)


def _put_events(cloud: LocalCloud, stage: Stage) -> dict[str, str]:
    """Put every event on the bus; the detail type by event id, in order."""
    stage.heading("Lease events, on the event bus")
    events, sent = cloud.client("events"), {}
    for detail_type, detail in track(EVENTS + ODD_EVENTS, "put-events", console=stage.console):
        entry = {
            "EventBusName": cloud.ready.outputs["event_bus_name"],
            "Source": SOURCE,
            "DetailType": detail_type,
            "Detail": json.dumps(detail),
        }
        sent[events.put_events(Entries=[entry])["Entries"][0]["EventId"]] = detail_type
    stage.console.print(
        f"  {len(EVENTS)} events, one of each type, and {len(ODD_EVENTS)} odd ones: no such lease, a uuid that is"
    )
    stage.console.print("  a number, no userEmail, and a type that nobody knows yet.")
    return sent


def _show_notifications(stage: Stage, sent: dict[str, str], told: dict[str, dict[str, Any]]) -> None:
    stage.heading("Notifications, as a subscriber of the SNS topic got them")
    example = next((message for message in told.values() if message["event_type"] == "LeaseBudgetThresholdAlert"), None)
    if example:
        stage.console.print(Panel(Text(example["text"]), title="one of them, whole", width=90))
    table = Table("event", "enrichment", "title", "facts", show_lines=True)
    colours = {"enriched": "green", "not_found": "yellow", "skipped": "yellow", "failed": "red"}
    for event_id, detail_type in sent.items():
        message = told.get(event_id)
        if message is None:
            table.add_row(detail_type, "[red]no notification", "", "")
            continue
        enrichment = message["enrichment"]
        outcome = Text(enrichment["status"], style=colours.get(enrichment["status"], ""))
        if enrichment.get("reason"):
            outcome.append(f"\n{enrichment['reason']}", style="dim")
        # title, lead, facts one a line, link, footer
        paragraphs = message["text"].split("\n\n")
        table.add_row(detail_type, outcome, Text(paragraphs[0]), Text(paragraphs[2].replace("\n", " · ")))
    stage.console.print(table)


def _logged(cloud: LocalCloud, events: int) -> list[dict[str, Any]] | None:
    """The function's log lines once the last line of each event is there: it is written after the notification went out."""
    records = log_records(cloud, "notification")
    return records if sum(record.get("message") == "lease_event" for record in records) >= events else None


def _show_measures(cloud: LocalCloud, stage: Stage, events: int) -> None:
    records = until(lambda: _logged(cloud, events), 10) or log_records(cloud, "notification")
    latencies = [float(value) for record in records for value in record.get("EnrichmentQueryLatencyMs", ())]
    stage.heading(f"EnrichmentQueryLatencyMs, {len(latencies)} queries")
    stage.console.print(
        f"  p50 {percentile(latencies, 0.5):.1f} ms   p99 {percentile(latencies, 0.99):.1f} ms   (goal: p99 under 200 ms)\n"
    )
    for line in plot(latencies):
        stage.console.print(f"  {line}", highlight=False)
    stage.check(percentile(latencies, 0.99) < 200, "the p99 of the enrichment query is under 200 ms")

    stage.heading("Schema fingerprints seen")
    schemas = Table("status", "fields", "fingerprint", "seen", "drift")
    drifts = {record["fingerprint"]: record for record in records if record.get("message") == "schema_drift"}
    counted = Counter(
        (record["lease_status"], record["field_count"], record["fingerprint"])
        for record in records
        if record.get("message") == "lease_schema"
    )
    for (status, fields, fingerprint), times in counted.items():
        drift = drifts.get(fingerprint)
        text = f"unknown {drift['unknown']}, missing {drift['missing']}" if drift else ""
        schemas.add_row(str(status), str(fields), str(fingerprint)[:16] + "…", str(times), Text(text, style="yellow"))
    stage.console.print(schemas)
    stage.check(len(drifts) == 1, "the one lease with a field that no schema has was noticed")

    stage.heading("Not enriched, and why")
    skipped = Counter(
        record["reason"] for record in records if record.get("message") in {"enrichment_skipped", "enrichment_failed"}
    )
    skipped["not in LeaseTable"] = sum(record.get("message") == "lease_not_found" for record in records)
    reasons = Table("reason", "events")
    for reason, times in skipped.most_common():
        reasons.add_row(reason, str(times))
    stage.console.print(reasons)
    enriched = sum(counted.values())
    stage.check(enriched + sum(skipped.values()) == events, f"{enriched} of {events} were enriched, the others say why not")
    text = json.dumps(records)
    stage.check("@" not in text, f"no e-mail address in {len(records)} log lines")


def _post_over_http(cloud: LocalCloud, stage: Stage, inbox: "_Inbox") -> None:
    stage.heading("The same event over HTTP: POST /events, signed")
    body = json.dumps(
        {
            "id": "8a1f6f0c-demo-over-http",
            "source": SOURCE,
            "detail-type": EVENTS[3][0],
            "time": datetime.now(UTC).isoformat(),
            "detail": EVENTS[3][1],
        }
    ).encode()
    good = hub_signature(body, SECRET)
    table = Table("request", "status", "answer", show_lines=True)
    tries = [
        ("signed", body, {"X-Hub-Signature": good}, 202, "accepted"),
        ("the same again, as a sender's retry", body, {"X-Hub-Signature": good}, 202, "duplicate"),
        ("one byte changed", body + b" ", {"X-Hub-Signature": good}, 401, "unauthenticated"),
        ("not signed", body, {}, 401, "unauthenticated"),
    ]
    holds = True
    for name, data, headers, wanted_status, wanted_text in tries:
        status, text = send("POST", f"{cloud.ready.http_url}/events", data, headers)
        holds = holds and status == wanted_status and wanted_text in text
        table.add_row(name, str(status), Text(text.strip()))
    stage.console.print(table)
    stage.check(holds, "a signed event is accepted once, its retry is a duplicate, and a bad signature opens nothing")
    inbox.wait_for({"8a1f6f0c-demo-over-http"}, _WAIT_SECONDS)
    stage.check(inbox.count("8a1f6f0c-demo-over-http") == 1, "it was sent once")


class _Inbox:
    """A queue subscribed to the notification topic, as any receiver would be."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._sqs = cloud.client("sqs")
        self._url = self._sqs.create_queue(QueueName="demo-inbox")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        cloud.client("sns").subscribe(TopicArn=cloud.ready.outputs["notification_topic_arn"], Protocol="sqs", Endpoint=arn)
        self._messages: list[dict[str, Any]] = []

    def wait_for(self, event_ids: set[str], seconds: float) -> dict[str, dict[str, Any]]:
        """The messages of these events by event id, as many as come in time."""
        until(lambda: event_ids <= self._read().keys(), seconds)
        return {event_id: message for event_id, message in self._read().items() if event_id in event_ids}

    def count(self, event_id: str) -> int:
        """How many messages an event has come to."""
        self._read()
        return sum(message["event_id"] == event_id for message in self._messages)

    def _read(self) -> dict[str, dict[str, Any]]:
        while batch := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", []):
            for received in batch:
                self._messages.append(json.loads(json.loads(received["Body"])["Message"]))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=received["ReceiptHandle"])
        return {message["event_id"]: message for message in self._messages}

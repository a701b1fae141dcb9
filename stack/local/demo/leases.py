"""The first flow: lease events enter through EventBridge and HTTP, and come out as enriched notifications."""

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from rich.panel import Panel
from rich.text import Text

from stack.local.cloud import LocalCloud
from stack.local.demo.calls import hub_signature, log_records, send, until
from stack.local.demo.stage import Stage, percentile, plot, table
from stack.local.lease_samples import EVENTS, LEASES, ODD_EVENTS, SOURCE, put_leases

SECRET = "the demo's webhook secret"  # noqa: S105 (the local cloud's own)
CONFIG = {"eventWebhookSecret": SECRET, "consoleUrl": "https://sandbox.example.com"}
_WAIT_SECONDS = 60.0
_COLOURS = {"enriched": "green", "not_found": "yellow", "skipped": "yellow", "failed": "red"}


def play(cloud: LocalCloud, stage: Stage) -> None:
    """Play the flow on ``stage``."""
    inbox = _Inbox(cloud)
    stage.heading("Lease events on the event bus")
    _put_leases(cloud, stage)
    sent = _put_events(cloud, stage)
    received = inbox.wait_for(set(sent), _WAIT_SECONDS)
    stage.heading("Notifications, as a subscriber of the SNS topic receives them")
    _show_notifications(stage, sent, received)
    stage.check(set(received) == set(sent), f"each of {len(sent)} events became one notification")
    records = until(lambda: _logged(cloud, len(sent)), 10) or log_records(cloud, "notification")
    _show_enrichment(stage, records, len(sent))
    _show_latency(stage, records)
    _post_over_http(cloud, stage, inbox)


def _put_leases(cloud: LocalCloud, stage: Stage) -> None:
    leases = table("status", "user", "uuid", "spend of budget", "fields")
    put_leases(cloud.client("dynamodb"), cloud.ready.outputs["lease_table_name"])
    for lease in LEASES:
        spend = f"${lease.get('totalCostAccrued', 0)} of ${lease['maxSpend']}"
        leases.add_row(lease["status"], lease["userEmail"], f"…{lease['uuid'][-4:]}", spend, str(len(lease)))
    stage.detail(leases)


def _put_events(cloud: LocalCloud, stage: Stage) -> dict[str, str]:
    """Put every event on the bus; the detail type by event id, in order."""
    events, sent = cloud.client("events"), {}
    for detail_type, detail in stage.steps(EVENTS + ODD_EVENTS, "put-events"):
        entry = {
            "EventBusName": cloud.ready.outputs["event_bus_name"],
            "Source": SOURCE,
            "DetailType": detail_type,
            "Detail": json.dumps(detail),
        }
        sent[events.put_events(Entries=[entry])["Entries"][0]["EventId"]] = detail_type
    stage.say(f"{len(LEASES)} leases, {len(EVENTS)} events of all types, and {len(ODD_EVENTS)} odd events:")
    stage.say("an unknown lease, a uuid that is a number, no userEmail, and an unknown type.")
    return sent


def _show_notifications(stage: Stage, sent: dict[str, str], received: dict[str, dict[str, Any]]) -> None:
    example = next((message for message in received.values() if message["event_type"] == "LeaseBudgetThresholdAlert"), None)
    if example:
        stage.show(Panel(Text(example["text"]), width=min(90, stage.console.width - 2)))
    for event_id, detail_type in sent.items():
        message = received.get(event_id)
        if message is None:
            stage.say(f"{detail_type}: no notification", "red")
            continue
        enrichment = message["enrichment"]
        outcome = f"{enrichment['status']} {enrichment.get('reason') or ''}".strip()
        # title, first sentence, one fact per line, link, footer
        paragraphs = message["text"].split("\n\n")
        stage.detail(
            Text.assemble((detail_type, "bold"), "  ", (outcome, _COLOURS.get(enrichment["status"], ""))),
            Text(f"{paragraphs[0]}\n{paragraphs[2].replace(chr(10), ' · ')}\n"),
        )


def _logged(cloud: LocalCloud, events: int) -> list[dict[str, Any]] | None:
    """The function's log lines, once each event has its last one, which is written after the notification was sent."""
    records = log_records(cloud, "notification")
    return records if sum(record.get("message") == "lease_event" for record in records) >= events else None


def _show_enrichment(stage: Stage, records: list[dict[str, Any]], events: int) -> None:
    stage.heading("Enrichment: the lease's record, read by its key")
    drifts = {record["fingerprint"]: record for record in records if record.get("message") == "schema_drift"}
    enriched = Counter(
        (record["lease_status"], record["field_count"], record["fingerprint"])
        for record in records
        if record.get("message") == "lease_schema"
    )
    schemas = table("status", "fields", "fingerprint", "events", "drift")
    for (status, fields, fingerprint), count in enriched.items():
        drift = drifts.get(fingerprint)
        text = f"unknown: {', '.join(drift['unknown'])}" if drift else ""
        schemas.add_row(str(status), str(fields), f"{str(fingerprint)[:16]}…", str(count), Text(text, "yellow"))
    stage.detail(schemas)
    others = Counter(
        record["reason"] for record in records if record.get("message") in {"enrichment_skipped", "enrichment_failed"}
    )
    others["not in LeaseTable"] = sum(record.get("message") == "lease_not_found" for record in records)
    reasons = table("not enriched", "events")
    for reason, count in others.most_common():
        reasons.add_row(reason, str(count))
    stage.show(reasons)
    found = enriched.total()
    stage.check(
        found + others.total() == events, f"{found} of {events} events were enriched; the reasons for the others are above"
    )
    unknown = ", ".join(name for drift in drifts.values() for name in drift["unknown"])
    stage.check(len(drifts) == 1, f"schema drift was noticed in one lease, the unknown field: {unknown or 'none'}")
    stage.check("@" not in json.dumps(records), f"no e-mail address in {len(records)} log lines")


def _show_latency(stage: Stage, records: list[dict[str, Any]]) -> None:
    latencies = [float(value) for record in records for value in record.get("EnrichmentQueryLatencyMs", ())]
    p50, p99 = percentile(latencies, 0.5), percentile(latencies, 0.99)
    stage.detail(*map(Text, plot(latencies)))
    stage.check(p99 < 200, f"EnrichmentQueryLatencyMs of {len(latencies)} queries: p99 {p99:.1f} ms, under 200 (p50 {p50:.1f})")


def _post_over_http(cloud: LocalCloud, stage: Stage, inbox: "_Inbox") -> None:
    stage.heading("A lease event over HTTP: POST /events, signed")
    body = json.dumps(
        {
            "id": "8a1f6f0c-demo-over-http",
            "source": SOURCE,
            "detail-type": EVENTS[3][0],
            "time": datetime.now(UTC).isoformat(),
            "detail": EVENTS[3][1],
        }
    ).encode()
    good = {"X-Hub-Signature": hub_signature(body, SECRET)}
    answers = table("request", "status", "answer")
    requests = [
        ("signed", body, good, 202, "accepted"),
        ("the same, sent again", body, good, 202, "duplicate"),
        ("one byte changed", body + b" ", good, 401, "unauthenticated"),
        ("not signed", body, {}, 401, "unauthenticated"),
    ]
    holds = True
    for name, data, headers, wanted_status, wanted_text in requests:
        status, text = send("POST", f"{cloud.ready.http_url}/events", data, headers)
        holds = holds and status == wanted_status and wanted_text in text
        answer = json.loads(text)
        answers.add_row(name, str(status), answer.get("message") or answer.get("status", ""))
    stage.show(answers)
    stage.check(holds, "a signed event is accepted once, and a bad signature is refused")
    inbox.wait_for({"8a1f6f0c-demo-over-http"}, _WAIT_SECONDS)
    stage.check(inbox.count("8a1f6f0c-demo-over-http") == 1, "it was sent to the subscriber once")


class _Inbox:
    """A queue that is subscribed to the notification topic."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._sqs = cloud.client("sqs")
        self._url = self._sqs.create_queue(QueueName="demo-inbox")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        cloud.client("sns").subscribe(TopicArn=cloud.ready.outputs["notification_topic_arn"], Protocol="sqs", Endpoint=arn)
        self._messages: list[dict[str, Any]] = []

    def wait_for(self, event_ids: set[str], seconds: float) -> dict[str, dict[str, Any]]:
        """The messages of these events that arrive in time, by event id."""
        until(lambda: event_ids <= self._read().keys(), seconds)
        return {event_id: message for event_id, message in self._read().items() if event_id in event_ids}

    def count(self, event_id: str) -> int:
        """How many messages there were of an event."""
        self._read()
        return sum(message["event_id"] == event_id for message in self._messages)

    def _read(self) -> dict[str, dict[str, Any]]:
        while batch := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", []):
            for received in batch:
                self._messages.append(json.loads(json.loads(received["Body"])["Message"]))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=received["ReceiptHandle"])
        return {message["event_id"]: message for message in self._messages}

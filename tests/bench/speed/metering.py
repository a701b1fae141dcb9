"""Counts the DynamoDB calls of a program and the capacity units that they use, on a real engine.

A proxy in front of the engine asks it, on behalf of every call, what the call consumed. Other services answer as in
aws_stub.py.
"""

import json
import threading
import urllib.request
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import botocore.session

from lib.platform.contract import JIRA_ISSUES, JIRA_OPERATIONS, LEASE_TABLE
from tests.bench import aws_stub
from tests.bench.speed.programs import Job, Program
from tests.support.dynamodb.tables import create_table


@dataclass(slots=True)
class Meter:
    """What was consumed: calls of DynamoDB and capacity units, indexes included."""

    calls: int = 0
    units: float = 0.0

    def add(self, answer: dict[str, Any]) -> None:
        """Add what one call consumed."""
        self.calls += 1
        consumed = answer.get("ConsumedCapacity") or {}
        for one in consumed if isinstance(consumed, list) else [consumed]:
            self.units += float(one.get("CapacityUnits", 0))


def client_of(engine: str) -> Any:
    """A client of the engine, with the key and region that the measured programs use: they decide which tables it shows."""
    return botocore.session.get_session().create_client(
        "dynamodb", endpoint_url=engine, region_name="us-west-2", aws_access_key_id="test", aws_secret_access_key="test"
    )


def make_tables(client: Any) -> None:
    """The tables that the programs of all jobs use, with one lease."""
    create_table(client, "leases", LEASE_TABLE)
    create_table(client, "issues", JIRA_ISSUES)
    create_table(client, "operations", JIRA_OPERATIONS)
    client.create_table(
        TableName="idempotency",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    client.put_item(TableName="leases", Item=aws_stub.LEASE_ITEM)


def of_an_event(program: Program, job: Job, engine: str, first: int, events: int = 5) -> Meter:
    """What ``program`` consumes per event, after its first; the events are numbered from ``first``."""
    meter = Meter()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _forwarder(engine, meter))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    process = program.start(f"http://127.0.0.1:{server.server_port}")
    try:
        process.invoke(job.event(first))
        meter.calls, meter.units = 0, 0.0
        for number in range(1, events + 1):
            process.invoke(job.event(first + number))
    finally:
        process.end()
        server.shutdown()
        server.server_close()
    return Meter(meter.calls / events, meter.units / events)  # type: ignore[arg-type]


def _forwarder(engine: str, meter: Meter) -> type[BaseHTTPRequestHandler]:
    class Forwarder(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            target = self.headers.get("x-amz-target", "")
            if not target.startswith("DynamoDB"):
                _, content, kind = aws_stub.answer(target, body)
                self._respond(200, kind, content or b"")
                return
            asked = json.dumps({**json.loads(body), "ReturnConsumedCapacity": "INDEXES"}).encode()
            headers = {name: self.headers[name] for name in ("Authorization", "X-Amz-Date", "X-Amz-Target", "Content-Type")}
            request = urllib.request.Request(engine, asked, headers)
            try:
                with urllib.request.urlopen(request) as answer:
                    status, content = answer.status, answer.read()
            except urllib.error.HTTPError as error:
                status, content = error.code, error.read()
            meter.add(json.loads(content))
            self._respond(status, "application/x-amz-json-1.0", content)

        def _respond(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return Forwarder

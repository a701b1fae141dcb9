"""A stub of AWS that always gives the same answer at once, in its own process; and of Jira, at the same address.

An engine would add its own time, which grows with its rows. The stub leaves only the caller's time. It knows the calls that
the measured programs make on an ordinary event, counts them, and refuses others. Nothing is stored: every conditional write
wins, no row is there but one lease, and no issue of Jira has changed.
"""

import asyncio
import json
import multiprocessing
from collections import Counter
from multiprocessing.connection import Connection
from typing import Any

from tests.support.leases.builders import lease_item

SECRET = "the secret of every sender"
LEASE_ITEM = lease_item("Active")


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


_AWS = {
    "DynamoDB_20120810.GetItem": b"{}",
    "DynamoDB_20120810.DescribeTable": _json({"Table": {"AttributeDefinitions": [], "KeySchema": []}}),
    "DynamoDB_20120810.BatchGetItem": _json({"Responses": {}, "UnprocessedKeys": {}}),
    "DynamoDB_20120810.BatchWriteItem": _json({"UnprocessedItems": {}}),
    "DynamoDB_20120810.PutItem": b"{}",
    "DynamoDB_20120810.UpdateItem": b"{}",
    "DynamoDB_20120810.DeleteItem": b"{}",
    "DynamoDB_20120810.TransactWriteItems": b"{}",
    "DynamoDB_20120810.Query": _json({"Items": [], "Count": 0, "ScannedCount": 0}),
    "DynamoDB_20120810.Scan": _json({"Items": [], "Count": 0, "ScannedCount": 0}),
    "AmazonSQS.SendMessage": _json({"MessageId": "m-1"}),
    "secretsmanager.GetSecretValue": _json({"ARN": "a", "Name": "n", "SecretString": SECRET}),
}
_LEASE = _json({"Item": LEASE_ITEM})
_SNS = (
    b'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m-1</MessageId>'
    b"</PublishResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></PublishResponse>"
)
_JIRA = {
    "/rest/api/3/myself": _json({"accountId": "5b10a2844c20165700ede21g"}),
    "/rest/api/3/search/jql": _json({"issues": [], "isLast": True}),
    "/rest/api/3/project/OPS": _json({"id": "10000", "key": "OPS"}),
}


def answer(target: str, body: bytes) -> tuple[str, bytes | None, str]:
    """The name of a call to a service other than S3, its answer (None if it is not known) and the answer's content type."""
    if not target and b"Action=Publish" in body:
        return "SNS.Publish", _SNS, "text/xml"
    content = _AWS.get(target)
    if target.endswith(".GetItem") and b'"userEmail"' in body:
        content = _LEASE
    return target, content, "application/x-amz-json-1.0"


class _Answers(asyncio.Protocol):
    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._pending = b""
        self._awaited = False
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while (end := self._pending.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._pending[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            stop = end + 4 + int(headers.get("content-length", 0))
            if len(self._pending) < stop:
                if headers.get("expect") == "100-continue" and not self._awaited:
                    self._awaited = True
                    self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                return
            body, self._pending, self._awaited = self._pending[end + 4 : stop], self._pending[stop:], False
            method, path, _ = first.split(" ")
            self._answer(method, path.partition("?")[0], headers.get("x-amz-target", ""), body)

    def _answer(self, method: str, path: str, target: str, body: bytes) -> None:
        content: bytes | None
        if path in _JIRA:
            call, content, kind = f"Jira {path}", _JIRA[path], "application/json"
        elif method == "PUT":  # S3 takes every object
            call, content, kind = "S3.PutObject", b"", "application/xml"
        else:
            call, content, kind = answer(target, body)
        self._counts[call or f"{method} {path}"] += 1
        status = b"501 Not Implemented" if content is None else b"200 OK"
        self._transport.write(
            b"HTTP/1.1 %s\r\nContent-Type: %s\r\nx-amzn-RequestId: r-1\r\nContent-Length: %d\r\n\r\n%s"
            % (status, kind.encode(), len(content or b""), content or b"")
        )


def _serve(pipe: Connection) -> None:
    counts: Counter[str] = Counter()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Answers(counts), "127.0.0.1", 0)
        stop = loop.create_future()

        def on_message() -> None:
            if pipe.recv() == "stop":
                stop.set_result(None)
                return
            pipe.send(dict(counts))
            counts.clear()

        loop.add_reader(pipe.fileno(), on_message)
        pipe.send(server.sockets[0].getsockname()[1])
        await stop

    asyncio.run(run())


class AwsStub:
    """The endpoint, for as long as the ``with`` block runs."""

    url: str

    def __enter__(self) -> "AwsStub":
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()  # so that a process that failed to start is an end of file, and not a wait forever
        self.url = f"http://127.0.0.1:{self._pipe.recv()}"
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.send("stop")
        self._process.join()

    def calls(self) -> Counter[str]:
        """How often each call was made since this method was last called."""
        self._pipe.send("calls")
        return Counter(self._pipe.recv())

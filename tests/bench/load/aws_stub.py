"""An AWS that answers at once and keeps nothing, in a process of its own, so that 50,000 invocations take minutes.

It knows the calls that the functions make on an ordinary event. Every condition holds, and no row is there.
"""

import hashlib
import json
import multiprocessing
import socketserver
from multiprocessing.connection import Connection
from typing import Any

SECRET = "the secret of every sender"
_SNS = (
    b'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m-1</MessageId>'
    b"</PublishResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></PublishResponse>"
)
_EMPTY: dict[str, Any] = {}


def _answer(target: str, body: bytes) -> dict[str, Any]:
    operation = target.rpartition(".")[2]
    if operation == "Query":
        return {"Items": [], "Count": 0, "ScannedCount": 0}
    if operation == "BatchGetItem":
        return {"Responses": {}, "UnprocessedKeys": {}}
    if operation == "SendMessage":
        return {"MessageId": "m-1", "MD5OfMessageBody": hashlib.md5(json.loads(body)["MessageBody"].encode()).hexdigest()}
    if operation == "GetSecretValue":
        return {"ARN": "arn", "Name": "secret", "SecretString": SECRET}
    return _EMPTY


class _Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Answer requests until the caller hangs up."""
        while first := self.rfile.readline():
            headers = {}
            while (line := self.rfile.readline()) not in {b"\r\n", b""}:
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            if headers.get("expect") == "100-continue":
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = self.rfile.read(int(headers.get("content-length", 0)))
            self._reply(first, headers.get("x-amz-target", ""), body)

    def _reply(self, first: bytes, target: str, body: bytes) -> None:
        if target:
            content, kind = json.dumps(_answer(target, body)).encode(), b"application/x-amz-json-1.0"
        elif b"Action=Publish" in body:
            content, kind = _SNS, b"text/xml"
        else:  # S3 takes every object
            content, kind = b"", b"application/xml"
        etag = b'ETag: "9b2cf535f27731c974343645a3985328"\r\n' if first.startswith(b"PUT") else b""
        self.wfile.write(
            b"HTTP/1.1 200 OK\r\nx-amzn-RequestId: r-1\r\n%sContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s"
            % (etag, kind, len(content), content)
        )


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def _serve(pipe: Connection) -> None:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        pipe.send(server.server_address[1])
        server.serve_forever()


class AwsStub:
    """The endpoint, for as long as the ``with`` block runs."""

    url: str

    def __enter__(self) -> "AwsStub":
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self.url = f"http://127.0.0.1:{ours.recv()}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()

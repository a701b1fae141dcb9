"""Lambda's API in AWS's place, on the loopback interface: it knows the environment of functions, answers their invocations
with what a test says, and keeps the calls.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote


@dataclass(slots=True)
class LambdaService:
    """The functions.

    Attributes:
        url: of the server.
        environments: the environment variables of each function, by name.
        answer: of every synchronous invocation.
        function_error: the kind of error that invocations end with; empty for none.
        request_id: of every asynchronous invocation; empty for none.
        refusal: status and code with which every invocation is refused; None for none.
        invocations: function, kind of invocation and event of each call.
    """

    url: str = ""
    environments: dict[str, dict[str, str]] = field(default_factory=dict)
    answer: object = None
    function_error: str = ""
    request_id: str = ""
    refusal: tuple[int, str] | None = None
    invocations: list[tuple[str, str, Any]] = field(default_factory=list)


@contextlib.contextmanager
def lambda_service() -> Iterator[LambdaService]:
    """A server that runs."""
    service = LambdaService()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            name = unquote(self.path.split("/")[3]).partition(":")[0]  # without the alias
            if name not in service.environments:
                return self._send(404, {"Message": "no"}, {"x-amzn-ErrorType": "ResourceNotFoundException"})
            return self._send(200, {"FunctionName": name, "Environment": {"Variables": service.environments[name]}})

        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            kind = self.headers.get("X-Amz-Invocation-Type", "RequestResponse")
            if service.refusal:
                status, code = service.refusal
                return self._send(status, {"Message": "no"}, {"x-amzn-ErrorType": code})
            service.invocations.append((unquote(self.path.split("/")[3]), kind, event))
            if kind == "Event":
                return self._send(202, None, {"x-amzn-RequestId": service.request_id} if service.request_id else {})
            error = {"X-Amz-Function-Error": service.function_error} if service.function_error else {}
            return self._send(200, service.answer, error)

        def _send(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
            content = b"" if status == 202 else json.dumps(value).encode()
            self.send_response(status)
            for name, text in (headers or {}).items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

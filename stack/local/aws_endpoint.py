"""The AWS API of the local cloud: moto behind one URL, and what moto does not do.

* ``lambda invoke`` runs the function (moto returns a fixed text), in the version that its name or ARN selects (versions.py).
* DynamoDB calls run one at a time: moto's conditional writes are not atomic under threads.
* A PUT is never a form: curl and urllib send that type with any body, and moto would consume the body.
* ``put-events`` refuses what EventBridge refuses: over 1 MB, or a detail that nests too deep.
* A PUT to a presigned link must have the length that the link is signed for.
* ``moto_patches.py`` corrects moto itself, and ``moto_speed.py`` makes it faster.
* ``GET /_local/functions`` returns the processes of each function.
* ``GET /_local/ready`` returns the line that ``up`` prints, without the console and with the URLs of the stand-ins.
* ``/_local/faults`` makes calls of the functions fail (``aws_faults.py``).
* Requests of foreign web pages are refused: by a foreign host name that resolves to 127.0.0.1, or to a path of the local cloud.
* With a guard (``iam/``), a call that the caller's role does not grant is refused, and ``GET /_local/iam`` shows the grants.
"""

import contextlib
import json
import math
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Request, Response

from stack.local import moto_patches, moto_speed
from stack.local.aws_faults import AwsFaults
from stack.local.iam import Guard, Ledger
from stack.local.invocations import Invoker, PayloadTooLargeError
from stack.local.moto_app import Moto
from stack.local.serving import LOOPBACK, body_of
from stack.local.sigv4 import AccessKey, is_altered_upload
from stack.local.versions import FunctionNotFoundError

HANDLER = MotoRequestHandler
"""The request handler for this application's server: it keeps the case of S3's metadata headers."""

_YEAR_SECONDS = 365 * 24 * 60 * 60
_FORM = "application/x-www-form-urlencoded"
MAX_PUT_EVENTS_BYTES = 1024 * 1024
"""https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html"""

IAM_PATH = "/_local/iam"
"""The path of the ledger of grants."""

ALARMS_PATH = "/_local/alarms"
"""The path of the states of the alarms now, or with ``?after=`` in that many seconds."""

FAULTS_PATH = "/_local/faults"
"""The path of the faults that calls of functions get."""

FUNCTIONS_PATH = "/_local/functions"
"""The path of the processes of each function, by entry point."""

READY_PATH = "/_local/ready"
"""The path of what a shell needs to use the local cloud."""

_INVOCATION_PATH = re.compile(r"^/2015-03-31/functions/([^/]+)/invocations/?$")


class AwsEndpoint:
    """The WSGI application. Without a ``guard``, every call is allowed.

    Set ``invoker`` once there are functions, and ``states_after`` (of the alarms) and ``ready`` at the end.
    ``find_key`` finds the keys of presigned links, and ``account_id`` is the account of the roles that faults apply to.
    """

    def __init__(
        self,
        guard: Guard | None = None,
        ledger: Ledger | None = None,
        find_key: Callable[[str], AccessKey | None] = lambda _: None,
        account_id: str = "123456789012",
    ) -> None:
        self._guard = guard
        self._find_key = find_key
        self._ledger = ledger
        self._faults = AwsFaults(account_id, self._entry_point)
        moto_patches.fill_gaps()
        moto_speed.speed_up()
        self._moto = Moto()
        self._one_at_a_time = threading.Lock()
        self._starting = threading.Lock()
        self.invoker: Invoker | None = None
        self.states_after: Callable[[float], dict[str, str]] | None = None
        self.ready: dict[str, Any] | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        own = self._own_answer(environ)
        if own is not None:
            return own(environ, start_response)
        if self._guard is None:
            return self._serve(environ, start_response)
        admission = self._guard.admit(environ)
        if admission.refusal is not None:
            return admission.refusal(environ, start_response)
        if admission.on_absence is None:
            return self._serve(environ, start_response)
        answer = Response.from_app(self._serve, environ)
        hidden = admission.on_absence() if answer.status_code == 404 else None
        return (hidden or answer)(environ, start_response)

    def _entry_point(self, function: str) -> str:
        """The entry point of a function; empty if there is no such function."""
        try:
            return self.invoker.resolve(function).spec.entry_point if self.invoker else ""
        except FunctionNotFoundError:
            return ""

    def _own_answer(self, environ: dict[str, Any]) -> Response | None:
        """The answer of a control of the local cloud, or an error; None for a request to AWS."""
        request = Request(environ)
        if is_foreign(request):
            return Response("The local cloud answers only programs on this machine, at 127.0.0.1 or localhost.\n", 403)
        try:
            about = self._about(request)
        except BadRequest as error:
            return Response(f"{error.description}\n", 400)
        if about is not None:
            return Response(f"{json.dumps(about)}\n", content_type="application/json")
        if request.path == FAULTS_PATH:
            return self._faults.control(request)
        if is_altered_upload(request, self._find_key):
            return _refuse_upload()
        return self._faults.failure(environ)

    def _about(self, request: Request) -> Mapping[str, Any] | None:
        """What a path of the local cloud itself shows; None for a path of AWS."""
        if request.path == IAM_PATH and self._ledger is not None:
            return self._ledger.as_json()
        if request.path == ALARMS_PATH and self.states_after is not None:
            return self.states_after(_seconds(request.args.get("after", "0")))
        if request.path == FUNCTIONS_PATH and self.invoker is not None:
            return {host.spec.entry_point: host.pids for host in self.invoker.hosts}
        return self.ready if request.path == READY_PATH else None

    def _serve(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        invocation = _INVOCATION_PATH.match(environ.get("PATH_INFO", ""))
        if invocation and environ["REQUEST_METHOD"] == "POST" and self.invoker is not None:
            return _invoke(self.invoker, unquote(invocation[1]), Request(environ))(environ, start_response)
        if environ["REQUEST_METHOD"] == "PUT" and environ.get("CONTENT_TYPE", "").startswith(_FORM):
            environ["CONTENT_TYPE"] = "application/octet-stream"
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if target == "AWSEvents.PutEvents" and (refusal := _refusal_of_events(body_of(environ))):
            body = json.dumps({"__type": "ValidationException", "message": refusal})
            return Response(body, 400, content_type="application/x-amz-json-1.1")(environ, start_response)
        if target.startswith("DynamoDB_"):
            with self._one_at_a_time:
                return self._from_moto(environ, start_response)
        return self._from_moto(environ, start_response)

    def _from_moto(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # moto builds a service's routes with ast.parse on its first request, and the program calls all services at once. In
        # CPython 3.11, two threads in ast.parse sometimes get "AST constructor recursion depth mismatch".
        with self._starting if self.invoker is None else contextlib.nullcontext():
            answer: Iterable[bytes] = self._moto(environ, start_response)
        return answer


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= _YEAR_SECONDS:
        raise BadRequest(f"after= is a number of seconds from 0 to {_YEAR_SECONDS}.")
    return seconds


def is_foreign(request: Request) -> bool:
    """Whether a foreign web page sent it: by a host name that resolves to 127.0.0.1 (DNS rebinding), or to a control.

    Pages may call AWS itself: they upload to presigned links.
    """
    name = request.headers.get("Host", "").partition(":")[0]
    is_here = name in (LOOPBACK, "localhost") or name.endswith(".localhost")
    return not is_here or (request.path.startswith("/_local/") and "Origin" in request.headers)


def _refuse_upload() -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""
    message = "The request signature we calculated does not match the signature you provided."
    body = f"<Error><Code>SignatureDoesNotMatch</Code><Message>{message}</Message></Error>"
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>\n{body}', 403, content_type="application/xml")


def _refusal_of_events(body: bytes) -> str:
    """Why EventBridge would refuse a PutEvents request as a whole; empty if it would not."""
    if len(body) > MAX_PUT_EVENTS_BYTES:
        return "Total size of the entries in the request is over the limit."
    try:
        for entry in json.loads(body).get("Entries", []):
            json.loads(entry.get("Detail") or "{}")
    except RecursionError:
        return "Detail nests too deep."
    except (ValueError, AttributeError, TypeError):
        return ""  # moto reports what is wrong with the entry
    return ""


def _invoke(invoker: Invoker, function: str, request: Request) -> Response:
    """https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""
    payload = request.get_data() or b"{}"
    kind = request.headers.get("X-Amz-Invocation-Type", "RequestResponse")
    try:
        moto_patches.StrictJson.loads(payload)
        return _invocations[kind](invoker, function, payload, request.args.get("Qualifier", ""))
    except PayloadTooLargeError as error:
        return _error(413, "RequestTooLargeException", str(error))
    except (ValueError, RecursionError):
        return _error(400, "InvalidRequestContentException", "Could not parse request body into json")
    except FunctionNotFoundError as error:
        return _error(404, "ResourceNotFoundException", str(error))
    except KeyError:
        return _error(400, "InvalidParameterValueException", f"Unknown invocation type {kind[:40]}")


def _request_response(invoker: Invoker, function: str, payload: bytes, qualifier: str) -> Response:
    result = invoker.invoke(function, payload, qualifier)
    headers = {"x-amzn-RequestId": result.request_id, "X-Amz-Executed-Version": result.version}
    if result.error:
        headers["X-Amz-Function-Error"] = result.error
    return Response(result.payload, 200, headers, content_type="application/json")


def _event(invoker: Invoker, function: str, payload: bytes, qualifier: str) -> Response:
    return Response(status=202, headers={"x-amzn-RequestId": invoker.invoke_later(function, payload, qualifier)})


def _dry_run(invoker: Invoker, function: str, _: bytes, qualifier: str) -> Response:
    invoker.resolve(function, qualifier)
    return Response(status=204)


_invocations = {"RequestResponse": _request_response, "Event": _event, "DryRun": _dry_run}


def _error(status: int, kind: str, message: str) -> Response:
    body = json.dumps({"Type": "User", "Message": message})
    return Response(body, status, {"x-amzn-ErrorType": kind}, content_type="application/json")

"""Faults of the AWS API, for tests: errors that the functions get instead of an answer (``/_local/faults``).

A fault applies to calls that a function makes with its role, before they take effect. It never applies to an operator's calls,
nor to what Lambda does with a function's role: writing its logs, and receiving from its queue.
"""

import json
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from werkzeug.wrappers import Request, Response

from lib.platform.contract import ALL_ENTRY_POINTS
from stack.local.iam import refusals
from stack.local.iam.call import Call, MalformedRequestError, UnknownOperationError
from stack.local.iam.callers import Callers
from stack.local.iam.guard import call_of
from stack.local.iam.needs import needs_of

OPERATIONS = {
    "dynamodb": [
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "DescribeTable",
        "GetItem",
        "PutItem",
        "Query",
        "Scan",
        "TransactWriteItems",
        "UpdateItem",
    ],
    "events": ["PutEvents"],
    "lambda": ["Invoke"],
    "s3": [
        "AbortMultipartUpload",
        "DeleteObject",
        "GetObject",
        "ListBucket",
        "ListBucketMultipartUploads",
        "ListMultipartUploadParts",
        "PutObject",
    ],
    "secretsmanager": ["GetSecretValue"],
    "sns": ["Publish"],
    "sqs": ["ChangeMessageVisibility", "SendMessage"],
}
"""What functions call: operations by service, whose name is that in a signature. Of S3 it is the action that IAM checks."""

MOST_FAULTS = 100
MOST_TIMES = 1_000_000
MAX_BODY_BYTES = 64 * 1024

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9.]{0,79}")
_OF_LAMBDA = frozenset({"ReceiveMessage", "DeleteMessage", "GetQueueAttributes"})
"""What Lambda calls to feed a function from a queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsFault:
    """An error for some calls of functions.

    Attributes:
        service: one of :data:`OPERATIONS`.
        error: the error code. ``ThrottlingException``, ``InternalServerError``, ``ServiceUnavailable`` and ``AccessDenied``
            are replaced by the service's own code.
        operation: of the service, such as ``PutItem``; empty for any.
        function: the entry point of the calling function; empty for any.
        times: how many calls it applies to; 0 for all until it is removed.
    """

    service: str
    error: str
    operation: str = ""
    function: str = ""
    times: int = 0

    @classmethod
    def parse(cls, value: Any) -> "AwsFault":
        """The fault of a JSON object.

        Raises:
            ValueError: not an object, an unknown or missing field, or an invalid value.
        """
        names = ("service", "error", "operation", "function", "times")
        if not isinstance(value, dict) or not {"service", "error"} <= value.keys() <= set(names):
            raise ValueError(f"a fault must be an object with service and error; it may have {', '.join(names[2:])}")
        if not isinstance(value["error"], str) or not _NAME.fullmatch(value["error"]):
            raise ValueError("error must be a name of letters and digits")
        _require_one_of(OPERATIONS, "service", value["service"])
        _require_one_of(("", *OPERATIONS[value["service"]]), "operation", value.get("operation", ""))
        _require_one_of(("", *ALL_ENTRY_POINTS), "function", value.get("function", ""))
        times = value.get("times", 0)
        if not isinstance(times, int) or isinstance(times, bool) or not 0 <= times <= MOST_TIMES:
            raise ValueError(f"times must be a whole number from 0 to {MOST_TIMES:,}")
        return cls(**value)


def _require_one_of(valid: Iterable[str], name: str, given: object) -> None:
    if given not in list(valid):
        raise ValueError(f"{name} must be one of {', '.join(filter(None, valid))}")


@dataclass(slots=True, eq=False)
class _Active:
    fault: AwsFault
    used: int = 0


class AwsFaults:
    """The faults that are on; the first that matches a call applies.

    Args:
        account_id: of the local cloud.
        entry_point_of: the entry point of a function, by its name; empty if there is no such function.
    """

    def __init__(self, account_id: str, entry_point_of: Callable[[str], str]) -> None:
        self._account_id = account_id
        self._callers = Callers(account_id)
        self._entry_point_of = entry_point_of
        self._lock = threading.Lock()
        self._active: list[_Active] = []

    def control(self, request: Request) -> Response:
        """The answer to ``GET``, ``POST`` or ``DELETE`` of ``/_local/faults``."""
        if request.method == "POST":
            try:
                self._add(request)
            except ValueError as error:
                return _json({"error": str(error)}, 400)
        elif request.method == "DELETE":
            with self._lock:
                self._active = []
        elif request.method != "GET":
            return _json({"error": f"{request.method} is not allowed: use GET, POST or DELETE"}, 405)
        return _json({"faults": self.as_json()})

    def as_json(self) -> list[dict[str, Any]]:
        """The faults that are on, each with how often it was ``used``."""
        with self._lock:
            return [{**asdict(active.fault), "used": active.used} for active in self._active]

    def failure(self, environ: dict[str, Any]) -> Response | None:
        """The error that a request (WSGI) gets; None if no fault applies. Its body can still be read."""
        if not self._active:
            return None
        call, key = call_of(environ, self._account_id)
        caller = self._callers.find(key) if call is not None else None
        function = self._entry_point_of(caller.arn.rsplit("/", 1)[-1]) if caller else ""
        if call is None or not function or call.service not in OPERATIONS:
            return None
        operation = _operation_of(call)
        if call.service == "sqs" and operation in _OF_LAMBDA:
            return None
        fault = self._take(call.service, operation, function)
        if fault is None:
            return None
        call.read_body()  # an unread body would give the caller another error
        return refusals.fail(call.service, call.method, fault.error, f"{fault.error} by a fault of the local cloud")

    def _add(self, request: Request) -> None:
        body = request.stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise ValueError(f"the body is over {MAX_BODY_BYTES // 1024} KiB")
        try:
            given = json.loads(body)
        except RecursionError:
            raise ValueError("the body is nested too deeply") from None
        except ValueError:
            raise ValueError("the body is not JSON") from None
        faults = [AwsFault.parse(value) for value in (given if isinstance(given, list) else [given])]
        with self._lock:
            if len(self._active) + len(faults) > MOST_FAULTS:
                raise ValueError(f"there may be {MOST_FAULTS} faults at once; remove them first")
            self._active += map(_Active, faults)

    def _take(self, service: str, operation: str, function: str) -> AwsFault | None:
        with self._lock:
            for active in self._active:
                fault = active.fault
                matches = fault.service == service and fault.operation in {"", operation}
                if not matches or fault.function not in {"", function}:
                    continue
                active.used += 1
                if active.used == fault.times:
                    self._active.remove(active)
                return fault
        return None


def _operation_of(call: Call) -> str:
    """The name of the operation; empty if it is unknown."""
    target = call.headers.get("x-amz-target", "").partition(".")[2]
    if target:
        return target
    try:
        if call.service == "sns":
            return call.form().get("Action", "")
        return next((access.action.partition(":")[2] for access in needs_of(call)), "").removesuffix("Function")
    except (UnknownOperationError, MalformedRequestError):
        return ""


def _json(value: object, status: int = 200) -> Response:
    return Response(f"{json.dumps(value)}\n", status, content_type="application/json")

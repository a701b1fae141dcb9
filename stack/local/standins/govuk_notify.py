"""A stand-in for GOV.UK Notify's e-mail API: https://docs.notifications.service.gov.uk/rest-api.html

It checks tokens with the official client's code, as the real API does, and answers with its error names and sentences. A
notification is ``delivered`` as soon as it is accepted.
"""

import json
import re
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from notifications_python_client.authentication import decode_jwt_token, get_token_issuer
from notifications_python_client.errors import TokenDecodeError, TokenError, TokenExpiredError, TokenIssuerError
from werkzeug.wrappers import Request, Response

from stack.local.standins.base import StandIn, as_json

REQUESTS_PER_MINUTE = 3000
"""The real limit of a live key."""
MAX_EMAIL_BYTES = 2_000_000

_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@.]+(\.[^\s@.]+)+")
_URL = re.compile(r"(?i)\bhttps?://[^\s)]*")
_MARKDOWN = re.compile(r"([\\\[\]()*_#^`~])")
_PLACEHOLDER = re.compile(r"\(\(([^()?]+)(?:\?\?[^()]*)?\)\)")
_STATUSES = {"AuthError": 403, "RateLimitError": 429, "TooManyRequestsError": 429, "NoResultFound": 404, "Exception": 500}
_FIELDS: dict[str, tuple[type, str]] = {
    "email_address": (str, "string"),
    "template_id": (str, "string"),
    "personalisation": (dict, "object"),
    "reference": (str, "string"),
    "email_reply_to_id": (object, ""),
    "one_click_unsubscribe_url": (object, ""),
    "sanitise_content_for": (list, "array"),
}
"""The type of each field, in Python and in an error."""


@dataclass(frozen=True, slots=True)
class Template:
    """An e-mail template; ``((name))`` in its texts is replaced by a personalisation field."""

    subject: str
    body: str


DEFAULT_TEMPLATE = Template(subject="((title))", body="((text))\n\n((link))")


class _RefusalError(Exception):
    def __init__(self, status: int, error: str, message: str) -> None:
        self.response = _errors(status, error, message)


class GovukNotify(StandIn):
    """The stand-in.

    Args:
        api_key: ``<name>-<service id>-<secret>``, both UUIDs; the only accepted key.
        templates: by id. Without them, every UUID is a template of ``title``, ``text`` and ``link``.
        requests_per_minute: above this, 429.
        now: epoch seconds.
    """

    def __init__(
        self,
        api_key: str,
        *,
        templates: Mapping[str, Template] | None = None,
        requests_per_minute: int = REQUESTS_PER_MINUTE,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._service_id, self._secret = api_key[-73:-37], api_key[-36:]
        self._templates = templates
        self._limit = requests_per_minute
        self._now = now
        self._requests: deque[float] = deque()
        self._notifications: dict[str, dict[str, Any]] = {}

    @property
    def notifications(self) -> list[dict[str, Any]]:
        """What was accepted, oldest first: what GET answers for each, and its ``personalisation``."""
        with self.lock:
            return [dict(notification) for notification in self._notifications.values()]

    def answer(self, request: Request) -> Response:
        """The real API's answer to a request."""
        try:
            with self.lock:
                self._authenticate(request)
                return self._dispatch(request)
        except _RefusalError as refusal:
            return refusal.response

    def failure(self, _request: Request, name: str, /) -> Response:
        """An error of that name, with the status the real API gives it."""
        return _errors(_STATUSES.get(name, 400), name, f"{name} injected")

    def control(self, request: Request, name: str) -> Response | None:
        """``GET notifications``."""
        if (request.method, name) == ("GET", "notifications"):
            return as_json({"notifications": self.notifications})
        return None

    def reset(self) -> None:
        """Forget the notifications and the requests counted."""
        self._notifications.clear()
        self._requests.clear()

    def _dispatch(self, request: Request) -> Response:
        if request.path == "/v2/notifications/email":
            if request.method != "POST":
                return as_json({"result": "error", "message": "The method is not allowed for the requested URL."}, 405)
            self._count()
            return self._send(request)
        if request.path.startswith("/v2/notifications/") and request.method == "GET":
            return self._get(request.path.removeprefix("/v2/notifications/"))
        return as_json({"result": "error", "message": "Not found"}, 404)

    def _authenticate(self, request: Request) -> None:
        header = request.headers.get("Authorization", "")
        if not header:
            raise _RefusalError(401, "AuthError", "Unauthorized: authentication token must be provided")
        if header[:7].title() != "Bearer ":
            raise _RefusalError(401, "AuthError", "Unauthorized: authentication bearer scheme must be used")
        token = header[7:]
        try:
            if get_token_issuer(token) != self._service_id:  # type: ignore[no-untyped-call]
                raise _RefusalError(403, "AuthError", "Invalid token: service not found")
            decode_jwt_token(token, self._secret)  # type: ignore[no-untyped-call]
        except TokenIssuerError:
            raise _RefusalError(403, "AuthError", "Invalid token: iss field not provided") from None
        except TokenExpiredError:
            raise _RefusalError(403, "AuthError", "Error: Your system clock must be accurate to within 30 seconds") from None
        except TokenDecodeError:
            raise _RefusalError(403, "AuthError", "Invalid token: API key not found") from None
        except TokenError:
            raise _RefusalError(403, "AuthError", "Invalid token") from None

    def _count(self) -> None:
        now = self._now()
        while self._requests and self._requests[0] <= now - 60:
            self._requests.popleft()
        if len(self._requests) >= self._limit:
            message = f"Exceeded rate limit for key type LIVE of {self._limit} requests per 60 seconds"
            raise _RefusalError(429, "RateLimitError", message)
        self._requests.append(now)

    def _send(self, request: Request) -> Response:
        try:
            form = json.loads(request.get_data())
        except (ValueError, RecursionError):
            raise _RefusalError(400, "BadRequestError", "Invalid JSON supplied in POST data") from None
        _validate(form)
        personalisation, sanitised = _sanitise(form.get("personalisation") or {}, form.get("sanitise_content_for") or [])
        subject, body = self._render(form["template_id"], personalisation)
        notification_id = str(uuid.uuid4())
        template = {
            "id": form["template_id"],
            "version": 1,
            "uri": f"{request.host_url}services/{self._service_id}/templates/{form['template_id']}",
        }
        moment = datetime.fromtimestamp(self._now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        empty = ("phone_number", *(f"line_{number}" for number in range(1, 7)), "postcode", "created_by_name", "scheduled_for")
        self._notifications[notification_id] = {
            "id": notification_id,
            "reference": form.get("reference"),
            "email_address": form["email_address"],
            **dict.fromkeys(empty),
            "type": "email",
            "status": "delivered",
            "template": template,
            "subject": subject,
            "body": body,
            "created_at": moment,
            "sent_at": moment,
            "completed_at": moment,
            "personalisation": form.get("personalisation") or {},
        }
        answer = {
            "id": notification_id,
            "reference": form.get("reference"),
            "uri": f"{request.host_url}v2/notifications/{notification_id}",
            "template": template,
            "scheduled_for": None,
            "sanitised_content": sanitised,
            "content": {"subject": subject, "body": body, "from_email": "switchboard@notifications.service.gov.uk"},
        }
        return as_json(answer, 201)

    def _render(self, template_id: str, personalisation: dict[str, Any]) -> tuple[str, str]:
        template = DEFAULT_TEMPLATE if self._templates is None else self._templates.get(template_id)
        if template is None:
            raise _RefusalError(400, "BadRequestError", "Template not found")
        wanted = {name.strip() for name in _PLACEHOLDER.findall(template.subject + template.body)}
        missing = sorted(wanted - personalisation.keys())
        if missing:
            raise _RefusalError(400, "BadRequestError", f"Missing personalisation: {', '.join(missing)}")

        def fill(text: str) -> str:
            return _PLACEHOLDER.sub(lambda match: str(personalisation[match[1].strip()]), text)

        subject, body = fill(template.subject), fill(template.body)
        if (size := len(subject.encode()) + len(body.encode())) > MAX_EMAIL_BYTES:
            message = f"Emails cannot be longer than {MAX_EMAIL_BYTES} bytes. Your message is {size} bytes."
            raise _RefusalError(400, "BadRequestError", message)
        return subject, body

    def _get(self, notification_id: str) -> Response:
        if not _is_uuid(notification_id):
            raise _RefusalError(400, "ValidationError", "id is not a valid UUID")
        notification = self._notifications.get(notification_id)
        if notification is None:
            raise _RefusalError(404, "NoResultFound", "No result found")
        return as_json({name: value for name, value in notification.items() if name != "personalisation"})


def _validate(form: Any) -> None:
    def refuse(message: str) -> None:
        raise _RefusalError(400, "ValidationError", message)

    if not isinstance(form, dict):
        refuse("payload is not of type object")
    for name in ("email_address", "template_id"):
        if name not in form:
            refuse(f"{name} is a required property")
    for name in sorted(form.keys() - _FIELDS.keys()):
        refuse(f"Additional properties are not allowed ({name} was unexpected)")
    for name, (kind, called) in _FIELDS.items():
        if name in form and not isinstance(form[name], kind):
            refuse(f"{name} is not of type {called}")
    if not _EMAIL.fullmatch(form["email_address"]):
        refuse("email_address Not a valid email address")
    if not _is_uuid(form["template_id"]):
        refuse("template_id is not a valid UUID")
    if len(form.get("reference", "")) > 1000:
        refuse("reference is too long")


def _sanitise(personalisation: dict[str, Any], names: list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Remove links from the named fields and escape their Markdown; also what changed (alphagov/notifications-api#4838)."""
    clean = dict(personalisation)
    changed = {}
    for name in names:
        given = personalisation.get(name)
        if not isinstance(given, str):
            continue
        clean[name] = _MARKDOWN.sub(r"\\\1", _URL.sub("", given))
        if clean[name] != given:
            changed[name] = {"unsanitised": given, "sanitised": clean[name]}
    return clean, changed


def _is_uuid(text: str) -> bool:
    return re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) is not None


def _errors(status: int, error: str, message: str) -> Response:
    return as_json({"errors": [{"error": error, "message": message}], "status_code": status}, status)

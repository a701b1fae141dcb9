"""A stand-in for the workflows of Microsoft Teams that post to a channel "when a Teams webhook request is received".

A workflow accepts a request before it posts the card: a card that Teams can't show is answered 202 too, and listed with its
``problem``. Sources: https://learn.microsoft.com/connectors/teams,
https://learn.microsoft.com/azure/logic-apps/logic-apps-http-endpoint and https://adaptivecards.io/explorer.
"""

import json
import re
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

from werkzeug.wrappers import Request, Response

from stack.local.standins.base import StandIn, as_json, describe

REQUESTS_PER_MINUTE = 100
"""What a connection of the connector "Microsoft Teams" takes."""
MAX_CARD_BYTES = 28 * 1024
SIGNATURE = "stand-in-signature"
WEBHOOK_PATH = (
    f"/powerautomate/automations/direct/workflows/{'5a' * 16}/triggers/manual/paths/invoke"
    f"?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={SIGNATURE}"
)
"""A webhook's path and query, as Power Automate shows them."""

_PATH = re.compile(r"(?:/powerautomate/automations/direct)?/workflows/([0-9a-f]{32})/triggers/manual/paths/invoke")
_STATUSES = {
    "DirectApiAuthorizationRequired": 401,
    "AuthorizationFailed": 403,
    "WorkflowNotFound": 404,
    "WorkflowTriggerIsNotEnabled": 400,
    "InvalidRequestContent": 400,
    "TriggerInputSchemaMismatch": 400,
    "RequestEntityTooLarge": 413,
    "WorkflowRequestsThrottled": 429,
    "InternalServerError": 500,
    "ServiceUnavailable": 503,
}
_CARD = "application/vnd.microsoft.card.adaptive"
_VERSIONS = {"1.0", "1.1", "1.2", "1.3", "1.4", "1.5"}
_STYLES = {"default", "emphasis", "good", "attention", "warning", "accent"}


class Teams(StandIn):
    """The stand-in.

    Args:
        signature: the accepted ``sig``; None for any.
        requests_per_minute: above this, 429; 0 for no limit.
        now: epoch seconds.
    """

    errors = tuple(_STATUSES)

    def __init__(
        self,
        signature: str | None = None,
        *,
        requests_per_minute: int = REQUESTS_PER_MINUTE,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._signature = signature
        self._limit = self._first_limit = requests_per_minute
        self._now = now
        self._requests: deque[float] = deque()
        self._messages: list[dict[str, Any]] = []

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What was accepted, oldest first: ``workflow``, ``card``, and ``problem`` if Teams would not show the card."""
        with self.lock:
            return [dict(message) for message in self._messages]

    def answer(self, request: Request) -> Response:
        """The real API's answer to a request."""
        match = _PATH.fullmatch(request.path)
        if not match or request.method != "POST":
            return self.failure(request, "WorkflowNotFound")
        signature = request.args.get("sig")
        if not signature:
            return self.failure(request, "DirectApiAuthorizationRequired")
        if self._signature is not None and signature != self._signature:
            return self.failure(request, "AuthorizationFailed")
        with self.lock:
            if self._is_throttled():
                return self.failure(request, "WorkflowRequestsThrottled")
            return self._accept(request, match[1])

    def failure(self, _request: Request, name: str, /) -> Response:
        """An error of that name, with the status the real API gives it."""
        status = _STATUSES.get(name, 400)
        headers = {"Retry-After": "10"} if status == 429 else None
        return as_json({"error": {"code": name, "message": f"The workflow's answer to {name}."}}, status, headers)

    def control(self, request: Request, name: str) -> Response | None:
        """``GET messages`` and ``POST limits``."""
        if (request.method, name) == ("GET", "messages"):
            return as_json({"messages": self.messages})
        if (request.method, name) != ("POST", "limits"):
            return None
        try:
            with self.lock:
                self._limit = int(json.loads(request.get_data())["per_minute"])
        except (KeyError, TypeError, ValueError) as error:
            return as_json({"error": describe(error)}, 400)
        return as_json({"ok": True})

    def reset(self) -> None:
        """Forget the messages, the requests counted and the limit that was set."""
        self._messages.clear()
        self._requests.clear()
        self._limit = self._first_limit

    def _is_throttled(self) -> bool:
        now = self._now()
        while self._requests and self._requests[0] <= now - 60:
            self._requests.popleft()
        if self._limit and len(self._requests) >= self._limit:
            return True
        self._requests.append(now)
        return False

    def _accept(self, request: Request, workflow: str) -> Response:
        raw = request.get_data()
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            return self.failure(request, "InvalidRequestContent")
        attachments = body.get("attachments") if isinstance(body, dict) else None
        if not isinstance(attachments, list) or body.get("type") != "message":
            return self.failure(request, "TriggerInputSchemaMismatch")
        for attachment in attachments:
            content = attachment.get("content") if isinstance(attachment, dict) else None
            if isinstance(content, dict) and attachment.get("contentType") == _CARD:
                problem = _problem(content, len(raw))
            else:
                problem = "not an Adaptive Card"
            self._messages.append({"workflow": workflow, "card": content, "problem": problem})
        return Response(status=202, headers={"x-ms-workflow-run-id": uuid.uuid4().hex})


def _problem(card: dict[str, Any], size: int) -> str:
    """Why Teams would not show the card; empty if it would."""
    if size > MAX_CARD_BYTES:
        return f"{size} bytes: at most {MAX_CARD_BYTES}"
    if card.get("type") != "AdaptiveCard" or card.get("version") not in _VERSIONS:
        return "not an AdaptiveCard of a version that Teams shows"
    body, actions = card.get("body"), card.get("actions", [])
    if not isinstance(body, list) or not body or not isinstance(actions, list):
        return "body and actions are lists of elements, and the body has one"
    problems = (*(_element_problem(element) for element in body), *(_action_problem(action) for action in actions))
    return next(filter(None, problems), "")


def _element_problem(element: Any) -> str:
    kind = element.get("type") if isinstance(element, dict) else None
    match kind:
        case "TextBlock":
            return "" if isinstance(element.get("text"), str) and element["text"] else "a TextBlock without text"
        case "RichTextBlock":
            inlines = element.get("inlines")
            runs = inlines if isinstance(inlines, list) else []
            is_text = all(isinstance(run, dict) and run.get("type") == "TextRun" and run.get("text") for run in runs)
            return "" if runs and is_text else "a RichTextBlock without text runs"
        case "Container":
            if element.get("style", "default") not in _STYLES:
                return "a Container with an unknown style"
            items = element.get("items")
            if not isinstance(items, list) or not items:
                return "a Container without items"
            return next(filter(None, map(_element_problem, items)), "")
        case _:
            return f"an element of the unknown type {str(kind)[:40]}"


def _action_problem(action: Any) -> str:
    is_link = isinstance(action, dict) and action.get("type") == "Action.OpenUrl" and action.get("title")
    return "" if is_link and str(action.get("url", "")).startswith(("https://", "http://")) else "an action that is not a link"

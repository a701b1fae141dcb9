"""A stand-in for Slack: the Web API methods that Switchboard uses, incoming webhooks and response URLs.

Sources: https://docs.slack.dev/reference/methods, https://docs.slack.dev/apis/web-api/rate-limits,
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and
https://docs.slack.dev/interactivity/handling-user-interaction. Its controls are in docs/reference/local-cloud.md.
"""

import json
import re
import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Request, Response

from stack.local.standins.base import StandIn, as_json, describe
from stack.local.standins.slack_workspace import CHANNEL_ERRORS, RateLimitedError, SlackError, Workspace, content_of, id_of

RESPONSE_URL_USES = 5
RESPONSE_URL_SECONDS = 30 * 60

TEAM, BOT_USER, BOT, APP = "T0STANDIN", "U0SWITCHBRD", "B0SWITCHBRD", "A0SWITCHBRD"

_TOKEN = re.compile(r"xox[bp]-[\w-]+")
_WEBHOOK = re.compile(r"/services/(T\w+/B\w+/\w+)")
_WEBHOOK_STATUSES = {
    "action_prohibited": 403,
    "channel_not_found": 404,
    "no_service": 404,
    "channel_is_archived": 410,
    "rate_limited": 429,
    "rollup_error": 500,
}


@dataclass(slots=True)
class _ResponseUrl:
    channel: str
    ts: str
    expires_at: float
    uses: int = 0


class Slack(StandIn):
    """The stand-in.

    Args:
        tokens: the accepted tokens; None for every well-formed one.
        channels: the names of its channels; None for every well-formed one.
        webhooks: the ``T…/B…/…`` parts of its webhooks; None for every well-formed one.
        per_second: messages per second and channel (the real limit is about 1); 0 for no limit.
        burst: how many may come at once.
        now: epoch seconds.
    """

    def __init__(
        self,
        *,
        tokens: Collection[str] | None = None,
        channels: Collection[str] | None = None,
        webhooks: Collection[str] | None = None,
        per_second: float = 0,
        burst: int = 3,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._tokens, self._webhooks = tokens, webhooks
        self._first_limits = (per_second, burst)
        self._workspace = Workspace(channels, self._first_limits, now)
        self._response_urls: dict[str, _ResponseUrl] = {}

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The current messages, oldest first; ``kind`` is message, ephemeral, webhook or response."""
        with self.lock:
            return [dict(message) for message in self._workspace.messages]

    def answer(self, request: Request) -> Response:
        """The real API's answer to a request."""
        path = request.path
        with self.lock:
            if path.startswith("/api/"):
                return self._web_api(request, path.removeprefix("/api/"))
            if path.startswith("/services/"):
                return self._incoming_webhook(request)
            if path.startswith("/actions/"):
                return self._response_url(request)
        return Response("Not Found", 404)

    def failure(self, request: Request, name: str, /) -> Response:
        """An error of that name, as the API of the request's path answers it."""
        if request.path.startswith("/api/"):
            return _ratelimited(1) if name == "ratelimited" else as_json({"ok": False, "error": name})
        return Response(name, _WEBHOOK_STATUSES.get(name, 400))

    def control(self, request: Request, name: str) -> Response | None:
        """``GET messages`` and ``channels``, ``POST response_urls``, ``limits``, ``channels`` and ``delete``."""
        if (request.method, name) == ("GET", "messages"):
            return as_json({"messages": self.messages})
        if (request.method, name) == ("GET", "channels"):
            with self.lock:
                return as_json({"channels": dict(self._workspace.names)})
        commands: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {
            "channels": lambda given: self.close_channel(given["channel"], given["error"]),
            "delete": lambda given: self.delete(given["channel"], given["ts"]),
            "limits": lambda given: self.limit(float(given["per_second"]), int(given.get("burst", 3))),
            "response_urls": lambda given: {
                "response_url": self.new_response_url(request.host_url, given["channel"], given["ts"])
            },
        }
        if request.method != "POST" or name not in commands:
            return None
        try:
            return as_json({"ok": True, **(commands[name](_json_object(request)) or {})})
        except (SlackError, KeyError, TypeError, ValueError) as error:
            return as_json({"ok": False, "error": describe(error)}, 400)

    def limit(self, per_second: float, burst: int) -> None:
        """Accept ``burst`` messages at once, then ``per_second`` per second and channel; 0 for no limit."""
        with self.lock:
            self._workspace.set_limits(per_second, burst)

    def close_channel(self, channel: str, error: str) -> None:
        """Refuse every message to a channel (an id or a name) with ``error``; an empty one opens it again."""
        if error and error not in CHANNEL_ERRORS:
            raise ValueError(f"{error!a} is not one of {', '.join(sorted(CHANNEL_ERRORS))}")
        with self.lock:
            self._workspace.channel_errors[id_of(channel)] = error

    def delete(self, channel: str, ts: str) -> None:
        """Delete a message, as a person would."""
        with self.lock:
            self._workspace.delete(channel, ts)

    def new_response_url(self, host_url: str, channel: str, ts: str) -> str:
        """A response URL as an interaction with the message carries it; ``host_url`` is the stand-in's."""
        with self.lock:
            path = f"/actions/{TEAM}/{len(self._response_urls) + 1}/{uuid.uuid4().hex}"
            self._response_urls[path] = _ResponseUrl(channel, ts, self._workspace.now() + RESPONSE_URL_SECONDS)
        return host_url.rstrip("/") + path

    def reset(self) -> None:
        """Forget messages, response URLs, limits and errors of channels."""
        self._workspace.messages.clear()
        self._workspace.channel_errors.clear()
        self._workspace.set_limits(*self._first_limits)
        self._response_urls.clear()

    # The Web API

    def _web_api(self, request: Request, method: str) -> Response:
        methods = {
            "auth.test": self._auth_test,
            "chat.getPermalink": self._permalink,
            "chat.postMessage": self._post_message,
            "chat.postEphemeral": self._post_ephemeral,
            "chat.update": self._update,
        }
        try:
            if method not in methods:
                raise SlackError("unknown_method", req_method=method)
            arguments = _arguments(request)
            self._authenticate(request, arguments)
            return as_json({"ok": True, **methods[method](arguments)})
        except SlackError as error:
            return as_json(error.body)
        except RateLimitedError as limited:
            return _ratelimited(limited.retry_after)

    def _authenticate(self, request: Request, arguments: dict[str, Any]) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            # A token in a JSON body does not count: https://docs.slack.dev/apis/web-api#methods_supporting_json
            token = "" if request.is_json else arguments.get("token", "")
        if not token:
            raise SlackError("not_authed")
        if not _TOKEN.fullmatch(token) or (self._tokens is not None and token not in self._tokens):
            raise SlackError("invalid_auth")

    def _auth_test(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        return {
            "url": "https://stand-in.slack.com/",
            "team": "Stand-in",
            "user": "switchboard",
            "team_id": TEAM,
            "user_id": BOT_USER,
            "bot_id": BOT,
            "is_enterprise_install": False,
        }

    def _post_message(self, arguments: dict[str, Any]) -> dict[str, Any]:
        channel = self._workspace.open_channel(arguments.get("channel"))
        content = content_of(arguments)
        thread_ts = self._workspace.thread(channel, arguments.get("thread_ts"))
        self._workspace.check_limit(channel)
        message = self._workspace.add("message", channel, content, thread_ts=thread_ts)
        return {"channel": channel, "ts": message["ts"], "message": _as_posted(message)}

    def _post_ephemeral(self, arguments: dict[str, Any]) -> dict[str, Any]:
        channel = self._workspace.open_channel(arguments.get("channel"))
        content = content_of(arguments)
        if not arguments.get("user"):
            raise SlackError("user_not_in_channel")
        self._workspace.check_limit(channel)
        message = self._workspace.add("ephemeral", channel, content, user=arguments["user"])
        return {"message_ts": message["ts"]}

    def _permalink(self, arguments: dict[str, Any]) -> dict[str, Any]:
        channel = self._workspace.open_channel(arguments.get("channel"))
        found = self._workspace.find(channel, arguments.get("message_ts"))
        if found is None or found["kind"] == "ephemeral":
            raise SlackError("message_not_found")
        path = f"archives/{channel}/p{found['ts'].replace('.', '')}"
        if found.get("thread_ts"):
            path += f"?thread_ts={found['thread_ts']}&cid={channel}"
        return {"channel": channel, "permalink": f"https://stand-in.slack.com/{path}"}

    def _update(self, arguments: dict[str, Any]) -> dict[str, Any]:
        channel = self._workspace.open_channel(arguments.get("channel"))
        found = self._workspace.find(channel, arguments.get("ts"))
        if found is None or found["kind"] == "ephemeral":
            raise SlackError("message_not_found")
        if found["kind"] != "message":
            raise SlackError("cant_update_message")
        found.update(content_of(arguments), edited_ts=self._workspace.next_ts())
        return {"channel": channel, "ts": found["ts"], "text": found["text"], "message": _as_posted(found)}

    # Incoming webhooks and response URLs

    def _incoming_webhook(self, request: Request) -> Response:
        match = _WEBHOOK.fullmatch(request.path)
        if not match or (self._webhooks is not None and match[1] not in self._webhooks):
            return Response("no_service", 404)
        if request.method != "POST":
            return Response("invalid_method", 405)
        try:
            channel = id_of(match[1].split("/")[1].lower())
            content = content_of(_webhook_payload(request))
            self._workspace.check_limit(channel)
        except SlackError as error:
            return Response(str(error), 400)
        except RateLimitedError as limited:
            return Response("rate_limited", 429, {"Retry-After": str(limited.retry_after)})
        self._workspace.add("webhook", channel, content)
        return Response("ok", content_type="text/html")

    def _response_url(self, request: Request) -> Response:
        target = self._response_urls.get(request.path)
        if target is None or self._workspace.now() >= target.expires_at:
            return as_json({"ok": False, "error": "expired_url"}, 404)
        if target.uses >= RESPONSE_URL_USES:
            return as_json({"ok": False, "error": "used_url"}, 404)
        try:
            payload = _webhook_payload(request)
            content = {} if payload.get("delete_original") else content_of(payload)
        except SlackError as error:
            return as_json({"ok": False, "error": str(error)}, 400)
        target.uses += 1
        original = self._workspace.find(target.channel, target.ts)
        if payload.get("delete_original"):
            self._workspace.delete(target.channel, target.ts)
        elif payload.get("replace_original") and original is not None:
            original.update(content, edited_ts=self._workspace.next_ts())
        else:
            response_type = payload.get("response_type", "ephemeral")
            self._workspace.add("response", target.channel, content, response_type=response_type, original_ts=target.ts)
        return as_json({"ok": True})


def _arguments(request: Request) -> dict[str, Any]:
    if request.is_json:
        return _json_object(request) if request.get_data() else {}  # the SDK sends auth.test as JSON with an empty body
    arguments: dict[str, Any] = {**request.args.to_dict(), **request.form.to_dict()}
    for name in ("blocks", "attachments"):
        if name in arguments:
            try:
                arguments[name] = json.loads(arguments[name])
            except (ValueError, RecursionError):
                raise SlackError(f"invalid_{name}_format") from None
    return arguments


def _webhook_payload(request: Request) -> dict[str, Any]:
    raw = request.form.get("payload") if request.mimetype == "application/x-www-form-urlencoded" else request.get_data()
    try:
        payload = json.loads(raw or b"")
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        raise SlackError("invalid_payload")
    return payload


def _json_object(request: Request) -> dict[str, Any]:
    try:
        given = json.loads(request.get_data())
    except (ValueError, RecursionError):
        raise SlackError("invalid_json") from None
    if not isinstance(given, dict):
        raise SlackError("json_not_object")
    return given


def _as_posted(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "message",
        "subtype": "bot_message",
        "user": BOT_USER,
        "bot_id": BOT,
        "app_id": APP,
        "team": TEAM,
        "ts": message["ts"],
        **({"thread_ts": message["thread_ts"]} if message.get("thread_ts") else {}),
        "text": message["text"],
        "blocks": message["blocks"],
    }


def _ratelimited(retry_after: int) -> Response:
    return as_json({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(retry_after)})

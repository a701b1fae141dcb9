"""A stand-in of Slack: the Web API methods that Switchboard uses, incoming webhooks and response URLs.

Sources: https://docs.slack.dev/reference/methods, https://docs.slack.dev/apis/web-api/rate-limits,
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and
https://docs.slack.dev/interactivity/handling-user-interaction. It shows nothing to anybody and presses no button.

``GET /_standin/messages`` lists the messages as they stand now, ``POST /_standin/response_urls`` (``channel``, ``ts``)
makes a response URL as a click on that message would, ``POST /_standin/limits`` (``per_second``, ``burst``) switches the
rate limit on (0 switches it off), ``POST /_standin/channels`` (``channel``, ``error``) has the channel refuse every message
with ``channel_not_found``, ``is_archived`` or ``not_in_channel`` (an empty error opens it again), ``POST /_standin/delete``
(``channel``, ``ts``) deletes a message as a person would.
"""

import json
import re
import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Request, Response

from stack.local.standins.base import StandIn, as_json
from stack.local.standins.slack_blocks import block_errors

RESPONSE_URL_USES = 5
RESPONSE_URL_SECONDS = 30 * 60
MAX_TEXT_CHARACTERS = 40_000

TEAM, BOT_USER, BOT, APP = "T0STANDIN", "U0SWITCHBRD", "B0SWITCHBRD", "A0SWITCHBRD"

_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{6,}")
_CHANNEL_NAME = re.compile(r"#?([a-z0-9_-]{1,80})")
_TOKEN = re.compile(r"xox[bp]-[\w-]+")
_TS = re.compile(r"[0-9]{10,}\.[0-9]{6}")
_CHANNEL_ERRORS = frozenset({"channel_not_found", "is_archived", "not_in_channel"})
_WEBHOOK = re.compile(r"/services/(T\w+/B\w+/\w+)")


class _Error(Exception):
    """A Web API error: HTTP 200 with ``ok: false``."""

    def __init__(self, name: str, **more: Any) -> None:
        super().__init__(name)
        self.body = {"ok": False, "error": name, **more}


class _LimitedError(Exception):
    """The channel's rate limit is reached."""

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


@dataclass(slots=True)
class _ResponseUrl:
    channel: str
    ts: str
    expires_at: float
    uses: int = 0


@dataclass(slots=True)
class _Bucket:
    """A leaky bucket: ``burst`` messages at once, then ``per_second``."""

    left: float
    at: float


class Slack(StandIn):
    """The stand-in.

    Args:
        tokens: the tokens it takes; None for every well-formed one.
        channels: the names of the channels there are; None for every well-formed one.
        webhooks: the ``T…/B…/…`` parts of the webhooks there are; None for every well-formed one.
        per_second: messages a second and channel, the real limit being about 1; 0 for no limit.
        burst: how many may come at once before the limit bites.
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
        self._tokens, self._channels, self._webhooks = tokens, channels, webhooks
        self._limits = self._first_limits = (per_second, burst)
        self._now = now
        self._messages: list[dict[str, Any]] = []
        self._response_urls: dict[str, _ResponseUrl] = {}
        self._buckets: dict[str, _Bucket] = {}
        self._channel_errors: dict[str, str] = {}
        self._last_ts = 0

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages as they stand, oldest first; ``kind`` is message, ephemeral, webhook or response."""
        with self.lock:
            return [dict(message) for message in self._messages]

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
        """An error of that name, in the form of the API it befalls."""
        if request.path.startswith("/api/"):
            return _ratelimited(1) if name == "ratelimited" else as_json({"ok": False, "error": name})
        statuses = {"action_prohibited": 403, "channel_not_found": 404, "no_service": 404, "channel_is_archived": 410}
        return Response(name, {**statuses, "rate_limited": 429, "rollup_error": 500}.get(name, 400))

    def control(self, request: Request, name: str) -> Response | None:
        """``GET messages``, ``POST response_urls``, ``limits``, ``channels`` and ``delete``."""
        if (request.method, name) == ("GET", "messages"):
            return as_json({"messages": self.messages})
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
        except (_Error, KeyError, TypeError, ValueError) as error:
            return as_json({"ok": False, "error": f"{type(error).__name__}: {error}"}, 400)

    def limit(self, per_second: float, burst: int) -> None:
        """Take so many messages per second and channel, and ``burst`` at once; 0 for no limit."""
        with self.lock:
            self._limits = (per_second, burst)
            self._buckets.clear()

    def close_channel(self, channel: str, error: str) -> None:
        """Have the channel, an id or a name, refuse every message with ``error``; an empty one opens it again.

        Raises:
            ValueError: it is not an error that a channel can have.
        """
        if error and error not in _CHANNEL_ERRORS:
            raise ValueError(f"{error!a} is not one of {', '.join(sorted(_CHANNEL_ERRORS))}")
        with self.lock:
            self._channel_errors[_known_as(channel)] = error

    def delete(self, channel: str, ts: str) -> None:
        """Delete a message, as a person would. A reply in its thread stays."""
        with self.lock:
            self._messages = [each for each in self._messages if (each["channel"], each["ts"]) != (channel, ts)]

    def reset(self) -> None:
        """Forget messages, response URLs, limits and errors of channels."""
        self._channel_errors.clear()
        self._messages.clear()
        self._response_urls.clear()
        self._buckets.clear()
        self._limits = self._first_limits

    def new_response_url(self, host_url: str, channel: str, ts: str) -> str:
        """A response URL of the message, as an interaction with it would carry; ``host_url`` is the stand-in's own."""
        with self.lock:
            path = f"/actions/{TEAM}/{len(self._response_urls) + 1}/{uuid.uuid4().hex}"
            self._response_urls[path] = _ResponseUrl(channel, ts, self._now() + RESPONSE_URL_SECONDS)
        return host_url.rstrip("/") + path

    # The Web API

    def _web_api(self, request: Request, method: str) -> Response:
        methods = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post_message,
            "chat.postEphemeral": self._post_ephemeral,
            "chat.update": self._update,
        }
        try:
            if method not in methods:
                raise _Error("unknown_method", req_method=method)
            arguments = _arguments(request)
            self._authenticate(request, arguments)
            return as_json({"ok": True, **methods[method](arguments)})
        except _Error as error:
            return as_json(error.body)
        except _LimitedError as limited:
            return _ratelimited(limited.retry_after)

    def _authenticate(self, request: Request, arguments: dict[str, Any]) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            # A token in a JSON body does not count: https://docs.slack.dev/apis/web-api#methods_supporting_json
            token = "" if request.is_json else arguments.get("token", "")
        if not token:
            raise _Error("not_authed")
        if not _TOKEN.fullmatch(token) or (self._tokens is not None and token not in self._tokens):
            raise _Error("invalid_auth")

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
        channel = self._channel(arguments)
        content = _content(arguments)
        thread_ts = self._thread(channel, arguments.get("thread_ts"))
        self._limit(channel)
        message = self._keep("message", channel, content, thread_ts=thread_ts)
        return {"channel": channel, "ts": message["ts"], "message": _as_posted(message)}

    def _post_ephemeral(self, arguments: dict[str, Any]) -> dict[str, Any]:
        channel = self._channel(arguments)
        content = _content(arguments)
        if not arguments.get("user"):
            raise _Error("user_not_in_channel")
        self._limit(channel)
        message = self._keep("ephemeral", channel, content, user=arguments["user"])
        return {"message_ts": message["ts"]}

    def _update(self, arguments: dict[str, Any]) -> dict[str, Any]:
        channel = self._channel(arguments)
        found = self._find(channel, arguments.get("ts"))
        if found is None or found["kind"] == "ephemeral":
            raise _Error("message_not_found")
        if found["kind"] != "message":
            raise _Error("cant_update_message")
        found.update(_content(arguments), edited_ts=self._next_ts())
        return {"channel": channel, "ts": found["ts"], "text": found["text"], "message": _as_posted(found)}

    def _thread(self, channel: str, thread_ts: Any) -> str | None:
        """The message whose thread is meant: of a reply, the one that it replies to."""
        if not thread_ts:
            return None
        if not isinstance(thread_ts, str) or not _TS.fullmatch(thread_ts):
            raise _Error("invalid_thread_ts", response_metadata={"messages": [f"[ERROR] {thread_ts} is not a valid thread_ts"]})
        found = self._find(channel, thread_ts)
        if found is None:
            raise _Error("thread_not_found")
        if found["kind"] == "ephemeral":
            raise _Error("cannot_reply_to_message")
        return str(found.get("thread_ts") or thread_ts)

    def _channel(self, arguments: dict[str, Any]) -> str:
        """The channel's id, if it takes messages. One given by name gets an id of its own, the same every time."""
        channel = self._id(arguments)
        if self._channel_errors.get(channel):
            raise _Error(self._channel_errors[channel])
        return channel

    def _id(self, arguments: dict[str, Any]) -> str:
        given = arguments.get("channel")
        if not isinstance(given, str):
            raise _Error("channel_not_found")
        if _CHANNEL_ID.fullmatch(given):
            if self._channels is not None and given not in {_id_of(name) for name in self._channels}:
                raise _Error("channel_not_found")
            return given
        name = _CHANNEL_NAME.fullmatch(given)
        if not name or (self._channels is not None and name[1] not in self._channels):
            raise _Error("channel_not_found")
        return _id_of(name[1])

    def _limit(self, channel: str) -> None:
        per_second, burst = self._limits
        if per_second <= 0:
            return
        now = self._now()
        bucket = self._buckets.setdefault(channel, _Bucket(burst, now))
        bucket.left = min(burst, bucket.left + (now - bucket.at) * per_second)
        bucket.at = now
        if bucket.left < 1:
            raise _LimitedError(max(1, round((1 - bucket.left) / per_second)))
        bucket.left -= 1

    # Incoming webhooks and response URLs

    def _incoming_webhook(self, request: Request) -> Response:
        match = _WEBHOOK.fullmatch(request.path)
        if not match or (self._webhooks is not None and match[1] not in self._webhooks):
            return Response("no_service", 404)
        if request.method != "POST":
            return Response("invalid_method", 405)
        try:
            channel = _id_of(match[1].split("/")[1].lower())
            content = _content(_webhook_payload(request))
            self._limit(channel)
        except _Error as error:
            return Response(str(error), 400)
        except _LimitedError as limited:
            return Response("rate_limited", 429, {"Retry-After": str(limited.retry_after)})
        self._keep("webhook", channel, content)
        return Response("ok", content_type="text/html")

    def _response_url(self, request: Request) -> Response:
        target = self._response_urls.get(request.path)
        if target is None or self._now() >= target.expires_at:
            return as_json({"ok": False, "error": "expired_url"}, 404)
        if target.uses >= RESPONSE_URL_USES:
            return as_json({"ok": False, "error": "used_url"}, 404)
        try:
            payload = _webhook_payload(request)
            content = {} if payload.get("delete_original") else _content(payload)
        except _Error as error:
            return as_json({"ok": False, "error": str(error)}, 400)
        target.uses += 1
        original = self._find(target.channel, target.ts)
        if payload.get("delete_original"):
            self._messages = [message for message in self._messages if message is not original]
        elif payload.get("replace_original") and original is not None:
            original.update(content, edited_ts=self._next_ts())
        else:
            self._keep("response", target.channel, content, response_type=payload.get("response_type", "ephemeral"))
        return as_json({"ok": True})

    # The messages

    def _keep(self, kind: str, channel: str, content: dict[str, Any], **more: Any) -> dict[str, Any]:
        message = {"kind": kind, "channel": channel, "ts": self._next_ts(), **content, **more}
        self._messages.append(message)
        return message

    def _find(self, channel: str, ts: Any) -> dict[str, Any] | None:
        return next((found for found in self._messages if (found["channel"], found["ts"]) == (channel, ts)), None)

    def _next_ts(self) -> str:
        """Seconds and microseconds, and a message's name in its channel: no two are the same."""
        self._last_ts = max(self._last_ts + 1, int(self._now() * 1_000_000))
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"


def _arguments(request: Request) -> dict[str, Any]:
    if request.is_json:
        return _json_object(request) if request.get_data() else {}  # the SDK says JSON and sends nothing to auth.test
    arguments: dict[str, Any] = {**request.args.to_dict(), **request.form.to_dict()}
    for name in ("blocks", "attachments"):
        if name in arguments:
            try:
                arguments[name] = json.loads(arguments[name])
            except (ValueError, RecursionError):
                raise _Error(f"invalid_{name}_format") from None
    return arguments


def _webhook_payload(request: Request) -> dict[str, Any]:
    raw = request.form.get("payload") if request.mimetype == "application/x-www-form-urlencoded" else request.get_data()
    try:
        payload = json.loads(raw or b"")
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        raise _Error("invalid_payload")
    return payload


def _json_object(request: Request) -> dict[str, Any]:
    try:
        given = json.loads(request.get_data())
    except (ValueError, RecursionError):
        raise _Error("invalid_json") from None
    if not isinstance(given, dict):
        raise _Error("json_not_object")
    return given


def _content(arguments: dict[str, Any]) -> dict[str, Any]:
    text, blocks = arguments.get("text"), arguments.get("blocks")
    if text is not None and not isinstance(text, str):
        raise _Error("invalid_arguments")
    if not text and not blocks and not arguments.get("attachments"):
        raise _Error("no_text")
    if text and len(text) > MAX_TEXT_CHARACTERS:
        raise _Error("msg_too_long")
    if blocks is not None:
        if not isinstance(blocks, list):
            raise _Error("invalid_blocks_format")
        problems, too_long = block_errors(blocks)
        if problems:
            raise _Error("invalid_blocks", errors=problems, response_metadata={"messages": [f"[ERROR] {p}" for p in problems]})
        if too_long:
            raise _Error("msg_blocks_too_long")
    return {"text": text or "", "blocks": blocks or []}


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


def _known_as(channel: str) -> str:
    """The id of a channel that is given by id or name."""
    return channel if _CHANNEL_ID.fullmatch(channel) else _id_of(channel.removeprefix("#"))


def _id_of(name: str) -> str:
    return "C" + uuid.uuid5(uuid.NAMESPACE_DNS, name).hex[:10].upper()


def _ratelimited(retry_after: int) -> Response:
    return as_json({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(retry_after)})

"""The state behind the Slack stand-in: channels, their messages and their rate limits.

Not thread-safe: the stand-in holds its lock.
"""

import re
import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from stack.local.standins.slack_blocks import block_errors

MAX_TEXT_CHARACTERS = 40_000
CHANNEL_ERRORS = frozenset({"channel_not_found", "is_archived", "not_in_channel"})

_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{6,}")
_CHANNEL_NAME = re.compile(r"#?[a-z0-9_-]{1,80}")
_TS = re.compile(r"[0-9]{10,}\.[0-9]{6}")


class SlackError(Exception):
    """A Web API error: HTTP 200 with ``ok: false``."""

    def __init__(self, name: str, **more: Any) -> None:
        super().__init__(name)
        self.body = {"ok": False, "error": name, **more}


class RateLimitedError(Exception):
    """The channel's rate limit is reached."""

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


@dataclass(slots=True)
class _Bucket:
    """A leaky bucket: ``burst`` messages at once, then ``per_second``."""

    left: float
    at: float


@dataclass(slots=True)
class Workspace:
    """The channels and messages of a workspace.

    Attributes:
        channels: the names of its channels; None accepts every well-formed name or id.
        limits: messages per second and channel (0: no limit), and how many may come at once.
        now: epoch seconds.
        messages: oldest first.
        channel_errors: the error with which a channel refuses every message, by its id.
        names: of the channels that were called by their name, by id.
    """

    channels: Collection[str] | None = None
    limits: tuple[float, int] = (0, 3)
    now: Callable[[], float] = time.time
    messages: list[dict[str, Any]] = field(default_factory=list)
    channel_errors: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    _buckets: dict[str, _Bucket] = field(default_factory=dict)
    _last_ts: int = 0

    def set_limits(self, per_second: float, burst: int) -> None:
        """Change the rate limit and forget what was counted."""
        self.limits = (per_second, burst)
        self._buckets.clear()

    def add(self, kind: str, channel: str, content: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Keep a message."""
        message = {"kind": kind, "channel": channel, "ts": self.next_ts(), **content, **more}
        self.messages.append(message)
        return message

    def find(self, channel: str, ts: Any) -> dict[str, Any] | None:
        """The message of a channel with this timestamp."""
        return next((found for found in self.messages if (found["channel"], found["ts"]) == (channel, ts)), None)

    def delete(self, channel: str, ts: str) -> None:
        """Delete a message. Replies in its thread stay."""
        self.messages = [each for each in self.messages if (each["channel"], each["ts"]) != (channel, ts)]

    def next_ts(self) -> str:
        """Seconds and microseconds; they identify a message in its channel, so no two are the same."""
        self._last_ts = max(self._last_ts + 1, int(self.now() * 1_000_000))
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def open_channel(self, given: Any) -> str:
        """The id of a channel that accepts messages, from its id or name. A name has the same id every time."""
        channel = self._id(given)
        if self.channel_errors.get(channel):
            raise SlackError(self.channel_errors[channel])
        return channel

    def thread(self, channel: str, thread_ts: Any) -> str | None:
        """The message that a thread starts with, from any message in the thread."""
        if not thread_ts:
            return None
        if not isinstance(thread_ts, str) or not _TS.fullmatch(thread_ts):
            messages = [f"[ERROR] {thread_ts} is not a valid thread_ts"]
            raise SlackError("invalid_thread_ts", response_metadata={"messages": messages})
        found = self.find(channel, thread_ts)
        if found is None:
            raise SlackError("thread_not_found")
        if found["kind"] == "ephemeral":
            raise SlackError("cannot_reply_to_message")
        return str(found.get("thread_ts") or thread_ts)

    def check_limit(self, channel: str) -> None:
        """Count a message of a channel.

        Raises:
            RateLimitedError: the channel is over its rate limit.
        """
        per_second, burst = self.limits
        if per_second <= 0:
            return
        now = self.now()
        bucket = self._buckets.setdefault(channel, _Bucket(burst, now))
        bucket.left = min(burst, bucket.left + (now - bucket.at) * per_second)
        bucket.at = now
        if bucket.left < 1:
            raise RateLimitedError(max(1, round((1 - bucket.left) / per_second)))
        bucket.left -= 1

    def _id(self, given: Any) -> str:
        is_id = isinstance(given, str) and _CHANNEL_ID.fullmatch(given)
        if not is_id and not (isinstance(given, str) and _CHANNEL_NAME.fullmatch(given)):
            raise SlackError("channel_not_found")
        channel = id_of(given)
        if not is_id:
            self.names[channel] = given.removeprefix("#")
        if self.channels is not None and channel not in map(id_of, self.channels):
            raise SlackError("channel_not_found")
        return channel


def id_of(channel: str) -> str:
    """The id of a channel, from its id or name."""
    if _CHANNEL_ID.fullmatch(channel):
        return channel
    return "C" + uuid.uuid5(uuid.NAMESPACE_DNS, channel.removeprefix("#")).hex[:10].upper()


def content_of(arguments: dict[str, Any]) -> dict[str, Any]:
    """The text and blocks of a message.

    Raises:
        SlackError: Slack would refuse them.
    """
    text, blocks = arguments.get("text"), arguments.get("blocks")
    if text is not None and not isinstance(text, str):
        raise SlackError("invalid_arguments")
    if not text and not blocks and not arguments.get("attachments"):
        raise SlackError("no_text")
    if text and len(text) > MAX_TEXT_CHARACTERS:
        raise SlackError("msg_too_long")
    if blocks is not None:
        if not isinstance(blocks, list):
            raise SlackError("invalid_blocks_format")
        problems, too_long = block_errors(blocks)
        if problems:
            messages = [f"[ERROR] {problem}" for problem in problems]
            raise SlackError("invalid_blocks", errors=problems, response_metadata={"messages": messages})
        if too_long:
            raise SlackError("msg_blocks_too_long")
    return {"text": text or "", "blocks": blocks or []}

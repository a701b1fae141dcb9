"""Logs one JSON object per line, through Powertools Logger, without personal data or secrets.

Every line has ``level``, ``message``, ``generated_at`` (America/Phoenix), ``timezone``, ``function``, ``run_id``
(the invocation's request id), and ``event_id`` and ``correlation_id`` where the event has them. E-mail addresses are
replaced by a hash and known shapes of secrets by ``[redacted]``, anywhere in the line; long strings are cut.
docs/observability.md lists the fields.
"""

import hashlib
import json
import logging
import math
import re
from collections.abc import Mapping
from typing import Any, TextIO

from aws_lambda_powertools.logging import Logger as PowertoolsLogger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from lib.platform import clock

MAX_FIELD_CHARACTERS = 1000
"""A longer string in a log line is cut to this."""
MAX_EXCEPTION_CHARACTERS = 8000
"""A longer stack trace loses its middle: its two ends say where and what."""
MAX_ITEMS = 50
MAX_DEPTH = 4
MAX_LINE_CHARACTERS = 100_000
"""A longer line loses its fields. CloudWatch Logs takes 256 KiB a line, and a character is up to 4 bytes."""

# Bounded on both sides of the @ (RFC 5321: 64 and 255), so that a long line costs linear time. The local part may hold an
# apostrophe, but not begin with one, and may be quoted. %40 is the @ of a URL.
_EMAIL = re.compile(
    r"(?:[^\s\"'<>@,;:\\(){}\[\]=/]{1,64}(?:'[^\s\"'<>@,;:\\(){}\[\]=/]{1,62})?|\"[^\"\\@]{1,62}\\?\")(?:@|%40)[\w.-]{1,255}"
)
_AT = re.compile("@|%40")
_MAX_LOCAL_PART = 64 + 1 + 62
# By shape, never by name: a rule for the word "key" would blank every issue_key. Each shape has marks, in lower case, that
# every match contains. Most lines have none, and searching for marks takes a twentieth of the time of searching for shapes.
_SHAPES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("xox", "xapp-"), r"(?:xox[a-z]|xapp)-[\w-]{5,}"),  # Slack tokens
    # Incoming webhooks and response URLs: anybody who has one can post
    (
        ("hooks.slack",),
        r"hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers|actions|commands)/[\w/-]+",
    ),
    # Workflows of Microsoft Teams, likewise
    (("/triggers/",), r"/workflows/\w{20,}/triggers/[\w/.-]+\?[\w=&%.~-]+"),
    (("sha1=", "sha256=", "sha384=", "sha512="), r"sha(?:1|256|384|512)=[0-9a-fA-F]{8,}"),  # webhook signatures
    (("v0=",), r"v0=[0-9a-f]{64}"),  # Slack signatures
    (("whsec_",), r"whsec_[\w+/=-]{8,}"),  # secrets of Standard Webhooks
    (("v1,",), r"v1,[A-Za-z0-9+/]{43}="),  # their signatures
    (("glpat-",), r"glpat-[\w.-]{10,}"),  # GitLab access tokens
    (("gho_", "ghp_", "ghr_", "ghs_", "ghu_", "github_pat_"), r"gh[oprsu]_\w{20,}|github_pat_\w{20,}"),  # GitHub tokens
    (("signature=",), r"(?ai:Signature)=[0-9a-f]{64}"),  # AWS signatures
    (("basic ", "bearer "), r"(?ai:Basic) [A-Za-z0-9+/=]{12,}|(?ai:Bearer) [\w.~+/=-]{12,}"),
    (("eyj",), r"(?<![\w-])eyJ[\w-]{10,}\.[\w-]+\.[\w-]+"),  # JSON Web Tokens
    (("atatt",), r"ATATT[\w=-]{20,}"),  # Atlassian API tokens
)
_MARKS = tuple(mark for marks, _ in _SHAPES for mark in marks)
# A GOV.UK Notify key: its name, the service's id and the secret, both UUIDs. Its mark is the place between the two.
_TWO_UUIDS = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_BETWEEN_UUIDS = re.compile(r"-[0-9a-f]{12}-[0-9a-f]{8}-")
_SECRETS = re.compile("|".join([*(shape for _, shape in _SHAPES), _TWO_UUIDS]))
# The standard fields of every line: a field of the same name would replace them. The attributes of logging.LogRecord, likewise,
# so that a field has the same name however lines are made.
_RESERVED = (
    frozenset(logging.LogRecord("", 0, "", 0, "", None, None).__dict__)
    | {"message", "asctime"}
    | {
        "exception",
        "exception_name",
        "function",
        "generated_at",
        "level",
        "location",
        "run_id",
        "sampling_rate",
        "service",
        "timestamp",
        "timezone",
        "xray_trace_id",
    }
)


def hash_email(address: str) -> str:
    """A short stable substitute for an e-mail address, the same for upper and lower case."""
    return "email:" + hashlib.sha256(address.strip().lower().encode()).hexdigest()[:16]


def scrub(text: str) -> str:
    """``text`` with e-mail addresses hashed and known shapes of secrets blanked."""
    if "@" in text or "%40" in text:
        text = _hash_emails(text)
    return _SECRETS.sub("[redacted]", text) if _may_hold_secret(text) else text


def scrub_json(value: Any) -> Any:
    """``value`` with every text in its objects and lists scrubbed."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {name: scrub_json(each) for name, each in value.items()}
    return [scrub_json(each) for each in value] if isinstance(value, list | tuple) else value


def _hash_emails(text: str) -> str:
    """The result of ``_EMAIL.sub``, which would try each character. Searching around each @ is much faster for a long line."""
    done, parts = 0, []
    at = _AT.search(text)
    while at is not None and (address := _EMAIL.search(text, max(done, at.start() - _MAX_LOCAL_PART))):
        parts += [text[done : address.start()], hash_email(address.group().replace("%40", "@"))]
        done = address.end()
        at = _AT.search(text, done)
    return "".join([*parts, text[done:]])


def _may_hold_secret(text: str) -> bool:
    lowered = text.lower()
    for mark in _MARKS:
        if mark in lowered:
            return True
    return _BETWEEN_UUIDS.search(text) is not None


def _plain(value: Any, depth: int = 0) -> Any:
    """``value`` as JSON can represent it, cut to a size that a line can hold."""
    if type(value) is str:  # nearly every value
        return _cut(value)
    if value is None or isinstance(value, bool) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else f"a number of {value.bit_length()} bits"  # Python refuses to write long ones
    if isinstance(value, dict):
        items = list(value.items())[:MAX_ITEMS]
        return {_cut(str(key)): _plain(item, depth + 1) for key, item in items} if depth < MAX_DEPTH else "…"
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1) for item in list(value)[:MAX_ITEMS]] if depth < MAX_DEPTH else "…"
    return _cut(str(value))  # also of NaN and infinity, which JSON does not know


def _cut(text: str) -> str:
    if len(text) <= MAX_FIELD_CHARACTERS:
        return text
    return f"{text[:MAX_FIELD_CHARACTERS]}… ({len(text) - MAX_FIELD_CHARACTERS} more)"


def _cut_middle(text: str) -> str:
    if len(text) <= MAX_EXCEPTION_CHARACTERS:
        return text
    half = MAX_EXCEPTION_CHARACTERS // 2
    return f"{text[:half]}\n… ({len(text) - 2 * half} characters more) …\n{text[-half:]}"


class _Formatter(LambdaPowertoolsFormatter):
    def format(self, record: logging.LogRecord) -> str:
        """The line of ``record``: the fields of every line, then those in its attribute ``fields``.

        Powertools' own method searches all attributes of the record for fields, which takes a third of the time of a line.
        """
        fields = {**self.log_format, "level": record.levelname, "message": record.msg, **getattr(record, "fields", {})}
        line = {name: _plain(value) for name, value in fields.items() if value is not None}
        if record.exc_info and record.exc_info[0]:
            line["exception"] = _cut_middle(self.formatException(record.exc_info))
            line["exception_name"] = record.exc_info[0].__name__
        trace = self._get_latest_trace_id()
        if trace:
            line["xray_trace_id"] = trace
        line["generated_at"] = clock.phoenix(clock.utc_now())
        text = self.json_serializer(line)
        if len(text) > MAX_LINE_CHARACTERS:
            kept = {key: value for key, value in line.items() if not isinstance(value, dict | list)}
            text = self.json_serializer({**dict(list(kept.items())[:MAX_ITEMS]), "cut": len(text)})
        return scrub(text if text.isascii() else text.encode("utf-8", "replace").decode())


class Logger:
    """The logger of one function. It takes fields as keywords, with any names.

    Args:
        function: its entry point.
        stream: where lines are written; None for standard output, as Lambda needs.
    """

    def __init__(self, function: str, stream: TextIO | None = None) -> None:
        self._logger = PowertoolsLogger(
            service=function,
            stream=stream,
            logger_formatter=_Formatter(
                log_record_order=["level", "message"],
                json_serializer=json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode,
                timestamp=None,
                location=None,
                timezone=clock.TIMEZONE,
                function=function,
                service=None,
                serialize_stacktrace=False,
            ),
        )
        self._logger.remove_keys(["service"])

    def start_run(self, run_id: str, event_id: str | None = None, correlation_id: str | None = None) -> None:
        """Begin the lines of one invocation: drop the last one's fields and put these on every line."""
        self._logger.clear_state()
        self._logger.remove_keys(["service"])
        fields = {"run_id": run_id, "event_id": event_id, "correlation_id": correlation_id}
        self._logger.append_keys(**{name: value for name, value in fields.items() if value is not None})

    def info(self, message: str, /, **fields: Any) -> None:
        """Log something that went as expected."""
        self._logger.info(message, extra={"fields": _safe(fields)})

    def warning(self, message: str, /, **fields: Any) -> None:
        """Log something that needs attention; the work continued."""
        self._logger.warning(message, extra={"fields": _safe(fields)})

    def error(self, message: str, error: BaseException | None = None, /, **fields: Any) -> None:
        """Log a failure. With ``error``, its class and text are on the line, without a stack trace."""
        if error is not None:
            fields = {"error": type(error).__name__, "error_text": str(error), **fields}
        self._logger.error(message, extra={"fields": _safe(fields)})

    def defect(self, message: str, error: BaseException, /, **fields: Any) -> None:
        """Log an unexpected failure, with the stack trace."""
        self._logger.error(message, exc_info=error, extra={"fields": _safe(fields)})


def _safe(fields: dict[str, Any]) -> dict[str, Any]:
    return {f"{name}_" if name in _RESERVED else name: value for name, value in fields.items()}

"""Reads and validates one value of the ``switchboard`` config namespace."""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import pulumi

from lib.notifications.routing import SLACK_CHANNEL, Rule, RulesError, parse_rules
from lib.platform.contract import CHANNELS, SHUTTLE_EVENT_SOURCE
from stack.monitoring.severity import split

NAMESPACE = "switchboard"

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)


_PARTITIONS = {
    "cn": "aws-cn",
    "us-gov": "aws-us-gov",
    "eusc-de": "aws-eusc",
    "us-iso": "aws-iso",
    "us-isob": "aws-iso-b",
    "eu-isoe": "aws-iso-e",
    "us-isof": "aws-iso-f",
}
"""The partition of a region by the beginning of its name; all others are in ``aws``."""

MAX_RUNBOOK_BASE_URL = 300
DEFAULT_TAGS = ("Project", "Stack")
MAX_TAGS = 50
_TAG_CHARACTERS = r"[\w .:/=+\-@]"


class SettingsError(pulumi.RunError):
    """The config is wrong. The text is one sentence that names the key; the CLI prints it without a stack trace."""


def wrong(key: str, complaint: str) -> SettingsError:
    """The error about a key, which it names as the operator writes it, with the namespace."""
    return SettingsError(f"{NAMESPACE}:{key} {complaint}.")


def nearest(key: str, known: Iterable[str]) -> str:
    """A hint with the known key that is most similar to ``key``; empty if none is."""
    close = difflib.get_close_matches(key, list(known), n=1)
    return f" (did you mean {NAMESPACE}:{close[0]}?)" if close else ""


def parse(key: str, value: object, kind: Any) -> object:
    """A config value as the type of its field. A list may be a list, its JSON text or comma-separated text; an object may be an
    object or its JSON text; a number or a boolean may be text.

    Raises:
        SettingsError: it has another type.
    """
    text = value.strip() if isinstance(value, str) else value
    structured: dict[Any, Callable[[str, object], object]] = {
        tuple[str, ...]: _parse_list,
        tuple[Rule, ...]: _parse_rules,
        Mapping[str, str]: _parse_object,
    }
    if kind in structured:
        return structured[kind](key, text)
    if kind == bool | None and text in ("", "auto"):
        return None
    if kind in (bool, bool | None):
        switch = {"true": True, "false": False}.get(str(text).lower())
        if switch is None:
            choices = "true or false" if kind is bool else "auto, true or false"
            raise wrong(key, f"must be {choices}, not {_shown(value)}")
        return switch
    if kind is int:
        if isinstance(text, bool) or not re.fullmatch(r"[+-]?[0-9]{1,99}", str(text)):
            raise wrong(key, f"must be a whole number, not {_shown(value)}")
        return int(str(text))
    if not isinstance(text, str):
        raise wrong(key, "must be a string")
    return text


def _parse_list(key: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        if not value.startswith("["):
            return tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            raise wrong(key, "starts like a JSON list but is not valid JSON") from None
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item.strip() for item in value):
        raise wrong(key, "must be a list of strings")
    return tuple(dict.fromkeys(item.strip() for item in value))


def _parse_rules(key: str, value: object) -> tuple[Rule, ...]:
    try:
        return parse_rules(value)
    except RulesError as error:
        raise wrong(key, str(error)) from None


def _parse_object(key: str, value: object) -> Mapping[str, str]:
    if isinstance(value, str):
        try:
            value = json.loads(value) if value else {}
        except json.JSONDecodeError:
            raise wrong(key, 'must be an object, like {"CostCenter": "1234"}') from None
    # The CLI stores what looks like a number as one.
    if not isinstance(value, Mapping) or not all(isinstance(item, str | int) for item in value.values()):
        raise wrong(key, "must be an object of strings")
    return {str(name): item if isinstance(item, str) else json.dumps(item) for name, item in value.items()}


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _matches(pattern: str, meaning: str) -> Callable[[str], str | None]:
    compiled = re.compile(pattern)
    return lambda value: None if compiled.fullmatch(value) else f"must be {meaning}"


def _between(least: int, most: int, zero: str = "") -> Callable[[int], str | None]:
    """The rule of a number from ``least`` to ``most``; ``zero`` says what 0 means."""
    span = f"{least}{f' ({zero})' if zero else ''} to {most:,}"
    return lambda value: None if least <= value <= most else f"must be {span}, not {_shown(value)}"


def _log_retention(value: int) -> str | None:
    if value in LOG_RETENTION_DAYS:
        return None
    return f"must be a retention that CloudWatch Logs supports ({', '.join(map(str, LOG_RETENTION_DAYS))}), not {_shown(value)}"


def _channel(value: str) -> str | None:
    return None if value in CHANNELS else f"names the unknown channel {_shown(value)}: the channels are {', '.join(CHANNELS)}"


def _url(value: str) -> str | None:
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    # Plain HTTP would expose tokens; on loopback a stand-in answers.
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and host in {"127.0.0.1", "localhost"})
    return None if host and is_safe and not re.search(r"\s", value) else f"must be an https:// URL, not {_shown(value)}"


def _shown_url(value: str) -> str | None:
    """The rule of a URL that links and error messages repeat."""
    return "must not have a user name or password" if re.match(r"[^/?#]*//[^/?#]*@", value) else _url(value)


def _base_url(value: str) -> str | None:
    """The rule of a URL that paths are appended to."""
    return _shown_url(value) or ("must not have a query or a fragment" if re.search(r"[?#]", value) else None)


def _lease_path(value: str) -> str | None:
    names = re.findall(r"\{([^{}]*)\}", value)
    if not re.fullmatch(r"/[^\s<>|\"]{1,200}", value) or not names or not set(names) <= {"leaseId", "uuid", "userEmail"}:
        return f"must be a path like /leases/{{leaseId}}, with {{leaseId}}, {{uuid}} or {{userEmail}}, not {_shown(value)}"
    return None


def _origin(value: str) -> str | None:
    if _base_url(value) or urlsplit(value).path:
        return f"must be origins like https://shop.example.com, without a path, not {_shown(value)}"
    return None


def _event_source(value: str) -> str | None:
    complaint = _matches(
        r"[A-Za-z0-9._/-]+\*?", "event sources, each a name like innovation-sandbox or a prefix like InnovationSandbox-*"
    )(value)
    if complaint:
        return complaint
    if value == SHUTTLE_EVENT_SOURCE or (value.endswith("*") and SHUTTLE_EVENT_SOURCE.startswith(value[:-1])):
        return f"includes {SHUTTLE_EVENT_SOURCE}, whose events are not about leases: remove or lengthen {_shown(value)}"
    return None


def _table_arn(value: str) -> str | None:
    if re.search(r":table/[^/]+/", value):
        return "is the ARN of an index, a stream or a backup: use that of the table, which ends with the table's name"
    return _matches(
        r"arn:aws[a-z-]*:dynamodb:[a-z]{2}[a-z0-9-]+:\d{12}:table/[A-Za-z0-9_.-]{3,255}",
        "the ARN of a DynamoDB table, like arn:aws:dynamodb:us-west-2:123456789012:table/LeaseTable",
    )(value)


def partition_of(region: str) -> str:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html"""
    return _PARTITIONS.get(region.rsplit("-", 2)[0], "aws")


def _tags(tags: Mapping[str, str]) -> str | None:
    """The limits of AWS (https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html), narrowed to
    what every service accepts: IAM ignores the case of keys."""
    keys = [*tags, *DEFAULT_TAGS]
    if len(set(keys)) > MAX_TAGS:
        return f"has {len(tags)} tags: with {' and '.join(DEFAULT_TAGS)}, a resource can have {MAX_TAGS}"
    for key, value in tags.items():
        if not re.fullmatch(rf"{_TAG_CHARACTERS}{{1,128}}", key) or key.strip() != key or key.lower().startswith("aws:"):
            return (
                f"has the tag key {_shown(key)}: a key is 1 to 128 letters, digits, spaces or _ . : / = + - @, without a space "
                "at either end, and does not start with aws:"
            )
        if not re.fullmatch(rf"{_TAG_CHARACTERS}{{0,256}}", value):
            return f"has a value of {key} that is not up to 256 letters, digits, spaces or _ . : / = + - @"
        if same := [other for other in keys if other != key and other.lower() == key.lower()]:
            return f"has tag keys that differ only in case: {key} and {same[0]}"
    return None


# The address is not repeated: error messages contain nothing personal.
_email = _matches(r"[^@\s]{1,64}@[^@\s]+\.[^@\s]+", "an e-mail address")


def _alarm_target(value: str) -> str | None:
    """The entry itself is not repeated: the URL of an on-call service contains its key."""
    _, endpoint = split(value)
    if _url(endpoint) is None or (":" not in endpoint and _email(endpoint) is None):
        return None
    return "must be e-mail addresses and https:// URLs, each alone or after page: or ticket:, like ticket:ops@example.com"


def _runbooks(value: str) -> str | None:
    if len(value) > MAX_RUNBOOK_BASE_URL:
        return f"must be at most {MAX_RUNBOOK_BASE_URL} characters long: a description of an alarm has 1,024"
    return _shown_url(value)


_slack_channel = _matches(SLACK_CHANNEL.pattern, "a Slack channel's name or ID")

RULES: dict[str, Callable[[Any], str | None]] = {
    "lease_table_arn": _table_arn,
    "lease_table_key_arn": _matches(
        r"arn:aws[a-z-]*:kms:[a-z]{2}[a-z0-9-]+:\d{12}:key/(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})",
        "the ARN of a KMS key (not of an alias), like arn:aws:kms:us-west-2:123456789012:key/<its UUID>",
    ),
    "event_bus_name": _matches(r"[A-Za-z0-9/._-]{1,256}", "the name of an event bus (not its ARN)"),
    "lease_event_sources": _event_source,
    "tags": _tags,
    "console_url": _shown_url,
    "console_lease_path": _lease_path,
    "notify_channels": _channel,
    "alarm_email": _email,
    "alarm_targets": _alarm_target,
    "runbook_base_url": _runbooks,
    "log_retention_days": _log_retention,
    "history_days": _between(1, 36_500),
    "jira_base_url": _base_url,
    "jira_email": _email,
    "jira_projects": _matches(r"[A-Z][A-Z0-9_]+", "project keys like TES"),
    "reconcile_max_deletes": _matches(
        r"1000|[0-9]{1,3}|[0-9]{1,2}%|100%", "a number of issues up to 1000, like 50, or a share of them, like 5%"
    ),
    "slack_api_url": _base_url,
    "slack_channel": _slack_channel,
    "approvals_channel": _slack_channel,
    "approval_reminder_hours": _between(0, 720, "never"),
    "approval_expiry_days": _between(0, 365, "never"),
    "approvers": _matches(r"[UW][A-Z0-9]{2,30}", "Slack user IDs, like U02ABCDEF"),
    "govuk_notify_template_id": _matches(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "the UUID of a template"),
    "govuk_notify_url": _base_url,
    "cors_origins": _origin,
    "http_rate_limit": _between(1, 100_000),
    "http_burst_limit": _between(1, 100_000),
    "approvals_reserved_concurrency": _between(0, 100_000, "none"),
    "webhooks_reserved_concurrency": _between(0, 100_000, "none"),
    "backfill_source_table_arn": _table_arn,
}

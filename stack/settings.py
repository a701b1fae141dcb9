"""What an operator may choose: every key of the ``switchboard`` config namespace, typed, with its default and its rule.

A wrong choice stops ``pulumi preview`` with one sentence that names the key as the operator writes it. Pulumi.yaml states
the same keys, types and defaults for the CLI; a test holds the two together. What the choices lead to is not here.
"""

import dataclasses
import difflib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self
from urllib.parse import urlsplit

import pulumi
from pulumi.runtime.config import CONFIG

from lib.platform.contract import CHANNELS, GOVUK_NOTIFY_URL, SLACK_API_URL

NAMESPACE = "switchboard"


def is_local(stack: str) -> bool:
    """Whether ``stack`` is for an endpoint on this machine: ``local``, or a personal one like ``ada-local``."""
    return stack == "local" or stack.endswith("-local")


def is_disposable(stack: str) -> bool:
    """Whether ``stack`` can be deleted at any time: a local one, ``dev``, or a personal one like ``ada-dev``."""
    return is_local(stack) or stack == "dev" or stack.endswith("-dev")


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
"""The partition of a region by how the region's name begins; any other is in ``aws``."""


class SettingsError(pulumi.RunError):
    """The config is wrong. The text is one sentence that names the key; the CLI prints it without a stack trace."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The operator's choices. A field is its config key in snake case; docs/reference/configuration.md describes each.

    An empty text or list means "not set". A secret that is not set is ``None``.
    """

    lease_table_arn: str = ""
    lease_table_key_arn: str = ""
    event_bus_name: str = ""
    lease_event_sources: tuple[str, ...] = ("InnovationSandbox-*", "innovation-sandbox")
    console_url: str = ""
    notify_channels: tuple[str, ...] = ("sns",)
    alarm_email: str = ""
    log_retention_days: int = 30
    history_days: int = 365
    protect: bool | None = None
    jira_base_url: str = ""
    jira_email: str = ""
    jira_api_token: pulumi.Output[str] | None = None
    jira_projects: tuple[str, ...] = ()
    jira_webhook_secret: pulumi.Output[str] | None = None
    jira_automation_token: pulumi.Output[str] | None = None
    commit_webhook_secret: pulumi.Output[str] | None = None
    event_webhook_secret: pulumi.Output[str] | None = None
    reconcile_max_deletes: str = ""
    jira_dry_run: bool = False
    slack_api_url: str = SLACK_API_URL
    slack_bot_token: pulumi.Output[str] | None = None
    slack_signing_secret: pulumi.Output[str] | None = None
    slack_channel: str = ""
    slack_webhook_url: pulumi.Output[str] | None = None
    approvals_channel: str = ""
    approvers: tuple[str, ...] = ()
    require_other_approver: bool = True
    govuk_notify_api_key: pulumi.Output[str] | None = None
    govuk_notify_template_id: str = ""
    govuk_notify_url: str = GOVUK_NOTIFY_URL
    cors_origins: tuple[str, ...] = ()
    http_rate_limit: int = 50
    http_burst_limit: int = 100
    approvals_reserved_concurrency: int = 0
    webhooks_reserved_concurrency: int = 0

    @classmethod
    def load(cls) -> Self:
        """Read the current stack's config.

        Raises:
            SettingsError: a value is wrong, a key is unknown, or a secret stands there in plain text.
        """
        given = _namespace()
        config = pulumi.Config(NAMESPACE)
        secrets: dict[str, pulumi.Output[str]] = {}
        for key in secret_keys():
            text = given.pop(key, None)
            if not text:
                continue
            # The secrets of a local stack guard nothing: Pulumi.local.yaml holds them for everybody to read.
            if not is_local(pulumi.get_stack()) and not pulumi.runtime.is_config_secret(f"{NAMESPACE}:{key}"):
                raise _wrong(key, f"is in plain text: set it with `pulumi config set --secret {NAMESPACE}:{key}`")
            secrets[key] = config.require_secret(key)
        settings = cls.from_mapping(given, secrets)
        settings._refuse_other_region(pulumi.Config("aws").get("region") or os.environ.get("AWS_REGION", ""))
        return settings

    @classmethod
    def from_mapping(cls, values: Mapping[str, object], secrets: Mapping[str, pulumi.Output[str]]) -> Self:
        """Make settings of config values by key, without the namespace.

        A list may be a list, its JSON text or comma-separated text; a number or a switch may be text.

        Raises:
            SettingsError: a value is wrong, or a key is unknown.
        """
        fields = {key_of(field.name): field for field in dataclasses.fields(cls)}
        for key in (*values, *secrets):
            if key not in fields:
                raise _wrong(key, "is not a key of Switchboard" + _nearest(key, fields))
        parsed: dict[str, Any] = {fields[key].name: secret for key, secret in secrets.items()}
        for key, value in values.items():
            if value is not None:
                parsed[fields[key].name] = _parse(key, value, fields[key].type)
        settings = cls(**parsed)
        settings._check()
        return settings

    def protects(self, stack: str) -> bool:
        """Whether ``stack`` is kept from deletion: by ``protect`` if set, else unless its name says it is disposable."""
        return not is_disposable(stack) if self.protect is None else self.protect

    def secrets(self) -> dict[str, pulumi.Output[str]]:
        """The secrets that are set, by field."""
        values = {name: getattr(self, name) for name in _secret_fields()}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def slack_by_bot(self) -> bool:
        """Whether the channel ``slack`` goes by the bot token. Only the bot's messages can be edited, so it comes first."""
        return self.slack_bot_token is not None and bool(self.slack_channel)

    def missing_for_approvals(self) -> tuple[str, ...]:
        """The keys that drafts can't be approved without and that are not set; all of them, if approvals are not wanted."""
        needed = ("slack_bot_token", "slack_signing_secret", "jira_base_url")
        return tuple(key_of(name) for name in needed if not getattr(self, name))

    def _check(self) -> None:
        for name, rule in _RULES.items():
            value = getattr(self, name)
            for item in value if isinstance(value, tuple) else [value]:
                complaint = rule(item) if item != "" else None
                if complaint:
                    raise _wrong(key_of(name), complaint)
        self._check_lease_table()
        for name in _REQUIRED:
            if not getattr(self, name):
                raise _wrong(key_of(name), "must not be empty")
        if self.jira_projects or self.jira_base_url:
            for name in ("jira_base_url", "jira_email", "jira_api_token"):
                if not getattr(self, name):
                    raise _wrong(key_of(name), f"is not set, and {NAMESPACE}:jiraProjects or {NAMESPACE}:jiraBaseUrl needs it")
        if self.slack_signing_secret is not None and self.slack_bot_token is None:
            raise _wrong("slackBotToken", f"is not set, and {NAMESPACE}:slackSigningSecret has no effect without it")
        for channel, key, instead in _channel_needs(self):
            if channel in self.notify_channels:
                raise _wrong(key, f"is not set, and the channel {channel} of {NAMESPACE}:notifyChannels needs it{instead}")

    def _check_lease_table(self) -> None:
        """The account is not checked: another account's table works once that account grants access to it."""
        regions = {}
        for name in ("lease_table_arn", "lease_table_key_arn"):
            if arn := getattr(self, name):
                _, partition, _, regions[name], *_ = arn.split(":")
                if partition != _partition_of(regions[name]):
                    right = _partition_of(regions[name])
                    raise _wrong(key_of(name), f"names the partition {partition}, and {regions[name]} is in {right}")
        if self.lease_table_key_arn and not self.lease_table_arn:
            raise _wrong("leaseTableArn", f"is not set, and {NAMESPACE}:leaseTableKeyArn has no effect without it")
        if len(set(regions.values())) > 1:
            key, table = regions["lease_table_key_arn"], regions["lease_table_arn"]
            raise _wrong("leaseTableKeyArn", f"is of a key in {key}, and the table is in {table}: both must be in one region")

    def _refuse_other_region(self, region: str) -> None:
        """A function reads tables of its own region only, whichever account they are in."""
        own = self.lease_table_arn.split(":")[3] if self.lease_table_arn else region
        if region and own != region:
            raise _wrong(
                "leaseTableArn",
                f"is of a table in {own}, and this stack is in {region}: deploy to {own}, or name a replica of the table here",
            )


def key_of(field: str) -> str:
    """The config key of a field: ``notify_channels`` is ``notifyChannels``."""
    first, *rest = field.split("_")
    return first + "".join(word.capitalize() for word in rest)


def secret_keys() -> list[str]:
    """The keys whose values are secrets."""
    return [key_of(name) for name in _secret_fields()]


def _secret_fields() -> list[str]:
    return [field.name for field in dataclasses.fields(Settings) if field.type == pulumi.Output[str] | None]


def _namespace() -> dict[str, Any]:
    everything = {**pulumi.runtime.get_config_env(), **CONFIG.get()}
    prefix = f"{NAMESPACE}:"
    return {key.removeprefix(prefix): value for key, value in everything.items() if key.startswith(prefix)}


def _wrong(key: str, complaint: str) -> SettingsError:
    return SettingsError(f"{NAMESPACE}:{key} {complaint}.")


def _nearest(key: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f" (the nearest is {NAMESPACE}:{close[0]})" if close else ""


def _parse(key: str, value: object, kind: Any) -> object:
    text = value.strip() if isinstance(value, str) else value
    if kind == tuple[str, ...]:
        return _parse_list(key, text)
    if kind == bool | None and text in ("", "auto"):
        return None
    if kind in (bool, bool | None):
        switch = {"true": True, "false": False}.get(str(text).lower())
        if switch is None:
            choices = "true or false" if kind is bool else "auto, true or false"
            raise _wrong(key, f"must be {choices}, not {_shown(value)}")
        return switch
    if kind is int:
        if isinstance(text, bool) or not re.fullmatch(r"[+-]?\d{1,9}", str(text)):
            raise _wrong(key, f"must be a whole number, not {_shown(value)}")
        return int(str(text))
    if not isinstance(text, str):
        raise _wrong(key, "must be text")
    return text


def _parse_list(key: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        if not value.startswith("["):
            return tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            raise _wrong(key, "starts like a JSON list and is none") from None
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item.strip() for item in value):
        raise _wrong(key, "must be a list of texts")
    return tuple(dict.fromkeys(item.strip() for item in value))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _matches(pattern: str, meaning: str) -> Callable[[str], str | None]:
    compiled = re.compile(pattern)
    return lambda value: None if compiled.fullmatch(value) else f"must be {meaning}"


def _positive(value: int) -> str | None:
    return None if value > 0 else f"must be above zero, not {value}"


def _not_negative(value: int) -> str | None:
    return None if value >= 0 else f"must be zero (none) or more, not {value}"


def _log_retention(value: int) -> str | None:
    if value in LOG_RETENTION_DAYS:
        return None
    return f"must be one of the retentions that CloudWatch Logs knows ({', '.join(map(str, LOG_RETENTION_DAYS))}), not {value}"


def _channel(value: str) -> str | None:
    return None if value in CHANNELS else f"names the channel {_shown(value)}, and there are {', '.join(CHANNELS)}"


def _url(value: str) -> str | None:
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    # Plain HTTP would show tokens to the network; on loopback a stand-in answers.
    if host and (parts.scheme == "https" or (parts.scheme == "http" and host in {"127.0.0.1", "localhost"})):
        return None
    return f"must be an https:// URL, not {_shown(value)}"


def _origin(value: str) -> str | None:
    if urlsplit(value).path or _url(value):
        return f"must be origins like https://shop.example.com, without a path, not {_shown(value)}"
    return None


def _table_arn(value: str) -> str | None:
    if re.search(r":table/[^/]+/", value):
        return "is the ARN of an index, a stream or a backup: give the table's own, which ends with the table's name"
    return _matches(
        r"arn:aws[a-z-]*:dynamodb:[a-z]{2}[a-z0-9-]+:\d{12}:table/[A-Za-z0-9_.-]{3,255}",
        "the ARN of a DynamoDB table, like arn:aws:dynamodb:us-west-2:123456789012:table/LeaseTable",
    )(value)


def _partition_of(region: str) -> str:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html"""
    return _PARTITIONS.get(region.rsplit("-", 2)[0], "aws")


# An address is not shown back: error texts hold nothing personal.
_email = _matches(r"[^@\s]{1,64}@[^@\s]+\.[^@\s]+", "an e-mail address")

_RULES: dict[str, Callable[[Any], str | None]] = {
    "lease_table_arn": _table_arn,
    "lease_table_key_arn": _matches(
        r"arn:aws[a-z-]*:kms:[a-z]{2}[a-z0-9-]+:\d{12}:key/(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})",
        "the ARN of a KMS key (not of an alias), like arn:aws:kms:us-west-2:123456789012:key/<its UUID>",
    ),
    "event_bus_name": _matches(r"[A-Za-z0-9/._-]{1,256}", "the name of an event bus (not its ARN)"),
    "lease_event_sources": _matches(
        r"[A-Za-z0-9._/-]+\*?", "event sources, each a name like innovation-sandbox or a prefix like InnovationSandbox-*"
    ),
    "console_url": _url,
    "notify_channels": _channel,
    "alarm_email": _email,
    "log_retention_days": _log_retention,
    "history_days": _positive,
    "jira_base_url": _url,
    "jira_email": _email,
    "jira_projects": _matches(r"[A-Z][A-Z0-9_]+", "project keys like TES"),
    "reconcile_max_deletes": _matches(
        r"[0-9]{1,4}|[0-9]{1,2}%|100%", "a number of issues, like 50, or a share of them, like 5%"
    ),
    "slack_api_url": _url,
    "approvals_channel": _matches(r"#?[\w-]{1,80}", "a Slack channel's name or ID"),
    "approvers": _matches(r"[UW][A-Z0-9]{2,30}", "Slack user IDs, like U02ABCDEF"),
    "govuk_notify_template_id": _matches(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "the UUID of a template"),
    "govuk_notify_url": _url,
    "cors_origins": _origin,
    "http_rate_limit": _positive,
    "http_burst_limit": _positive,
    "approvals_reserved_concurrency": _not_negative,
    "webhooks_reserved_concurrency": _not_negative,
}

# What must not be empty, having a default that is not.
_REQUIRED = ("lease_event_sources", "notify_channels", "slack_api_url", "govuk_notify_url")


def _channel_needs(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """For each channel, the keys that it can't do without and that are not set, and what would do instead."""
    if not settings.slack_by_bot and settings.slack_webhook_url is None:
        if settings.slack_bot_token is None:
            yield "slack", "slackWebhookUrl", f", or {NAMESPACE}:slackBotToken and {NAMESPACE}:slackChannel"
        else:
            yield "slack", "slackChannel", ""
    if settings.govuk_notify_api_key is None:
        yield "govuk_notify", "govukNotifyApiKey", ""
    if not settings.govuk_notify_template_id:
        yield "govuk_notify", "govukNotifyTemplateId", ""

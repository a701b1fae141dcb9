"""Decides where an event is sent: the rules of ``notifyRoutes``, of which the first that matches applies (docs/adr/0017). Pure.

The stack parses the rules to refuse wrong ones before a deployment, and the function parses them again. A rule::

    {"match": {"severity": "critical", "template": "Data science*"}, "channels": ["slack"], "slackChannel": "C0123456789"}
    {"match": {"event": ["LeaseRequested", "LeaseApproved"]}, "drop": true}

An event that no rule matches is sent on every channel.
"""

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lib.leases.events import EventType
from lib.notifications.severity import Severity
from lib.platform.contract import CHANNELS

MAX_RULES = 50
MAX_BYTES = 2500
"""The largest size of all rules as compact JSON. A function has 4 KB for all environment variables
(https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""

_RULE_FIELDS = ("match", "channels", "slackChannel", "mention", "drop")
_MATCH_FIELDS = ("event", "severity", "template", "account", "ownerDomain")
_GROUPS = ("here", "channel", "everyone")
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
SLACK_CHANNEL = re.compile(r"#?[\w-]{1,80}")
_MEMBER = re.compile(r"[UWS][A-Z0-9]{2,30}")


class RulesError(ValueError):
    """The rules are wrong. The text continues a sentence that begins with their name: "has a wrong rule 2: …"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What rules, and subscribers of the topic, can select an event by. An unknown value is empty."""

    event_type: str
    severity: Severity
    account: str = ""
    template: str = ""
    template_id: str = ""
    owner_domain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. An empty condition matches everything; of several values, one must match. ``*`` ends a prefix.

    Attributes:
        channels: where a matching event is sent; empty: on every channel.
        slack_channel: instead of the configured one.
        mention: who is notified in Slack: ``here``, ``channel``, ``everyone``, or the ID of a member or a user group.
        drop: a matching event is not sent at all.
    """

    event: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    template: tuple[str, ...] = ()
    account: tuple[str, ...] = ()
    owner_domain: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    slack_channel: str = ""
    mention: str = ""
    drop: bool = False

    @property
    def matches_all(self) -> bool:
        """Whether it has no condition."""
        return not (self.event or self.severity or self.template or self.account or self.owner_domain)

    def matches(self, about: Attributes) -> bool:
        """Whether every condition holds."""
        return (
            _fits(self.event, about.event_type)
            and _fits(self.severity, about.severity)
            and (_fits(self.template, about.template) or _fits(self.template, about.template_id))
            and _fits(self.account, about.account)
            and _fits(self.owner_domain, about.owner_domain)
        )


@dataclass(frozen=True, slots=True)
class Route:
    """Where an event goes. ``rule`` is the number of the rule that applies, from 1; None if none matches."""

    channels: tuple[str, ...]
    slack_channel: str = ""
    mention: str = ""
    rule: int | None = None


def find_route(rules: Iterable[Rule], about: Attributes, channels: Sequence[str]) -> Route:
    """Where an event goes, by the first rule that matches; ``channels`` are all that are configured."""
    for number, rule in enumerate(rules, 1):
        if rule.matches(about):
            chosen = () if rule.drop else tuple(name for name in channels if not rule.channels or name in rule.channels)
            return Route(chosen, rule.slack_channel, rule.mention, number)
    return Route(tuple(channels))


def parse_rules(value: object) -> tuple[Rule, ...]:
    """The rules of a list of objects, or of its JSON text.

    Raises:
        RulesError: one is wrong.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else []
        except (ValueError, RecursionError):
            raise RulesError("is not valid JSON") from None
    if not isinstance(value, list | tuple) or not all(isinstance(rule, Mapping) for rule in value):
        raise RulesError('must be a list of rules, like [{"match": {"severity": "info"}, "drop": true}]')
    if len(value) > MAX_RULES:
        raise RulesError(f"has {len(value)} rules, and at most {MAX_RULES} are possible")
    rules: list[Rule] = []
    for number, given in enumerate(value, 1):
        try:
            rules.append(_parse_rule(given))
        except RulesError as error:
            raise RulesError(f"has a wrong rule {number}: {error}") from None
        if number > 1 and rules[-2].matches_all:
            raise RulesError(f"has a rule {number} that never applies: rule {number - 1} matches every event")
    if len(as_json(rules).encode()) > MAX_BYTES:
        raise RulesError(f"has {len(as_json(rules).encode())} bytes of rules, and at most {MAX_BYTES} are possible")
    return tuple(rules)


def check_channels(rules: Iterable[Rule], channels: Sequence[str], *, noun: str = "notifyChannels") -> None:
    """Refuse a rule for a channel that is not configured: its events would go nowhere.

    Args:
        rules: the rules.
        channels: all that are configured.
        noun: the name of the setting that lists them.

    Raises:
        RulesError: a rule needs another channel.
    """
    for number, rule in enumerate(rules, 1):
        needed = (*rule.channels, *(["slack"] if rule.slack_channel or rule.mention else []))
        for name in needed:
            if name not in channels:
                raise RulesError(f"has a rule {number} for {name}, which {noun} does not have")


def as_json(rules: Iterable[Rule]) -> str:
    """The rules as compact JSON; empty if there are none."""
    return json.dumps([_as_object(rule) for rule in rules], separators=(",", ":"), ensure_ascii=False) if rules else ""


def _fits(patterns: tuple[str, ...], value: str) -> bool:
    if not patterns:
        return True
    return any(value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern for pattern in patterns)


def _parse_rule(given: Mapping[str, Any]) -> Rule:
    _refuse_unknown(given, _RULE_FIELDS)
    match = given.get("match", {})
    if not isinstance(match, Mapping):
        raise RulesError("match must be an object")
    _refuse_unknown(match, _MATCH_FIELDS)
    drop = given.get("drop", False)
    if drop not in (True, False, "true", "false"):
        raise RulesError("drop must be true or false")
    rule = Rule(
        event=_texts(match, "event", _event),
        severity=_texts(match, "severity", lambda text: _one_of(text, "severity", list(Severity))),
        template=_texts(match, "template", str),
        account=_texts(match, "account", _account),
        owner_domain=_texts(match, "ownerDomain", _domain),
        channels=_texts(given, "channels", lambda text: _one_of(text, "channel", CHANNELS)),
        slack_channel=_slack_channel(given["slackChannel"]) if "slackChannel" in given else "",
        mention=_mention(given.get("mention", "")),
        drop=drop in (True, "true"),
    )
    where = [name for name in ("channels", "slackChannel", "mention") if given.get(name)]
    if rule.drop and where:
        raise RulesError(f"it drops the event and has {where[0]}")
    if not rule.drop and not where:
        raise RulesError("it has neither a destination (channels, slackChannel, mention) nor drop")
    for name in where:
        if name != "channels" and rule.channels and "slack" not in rule.channels:
            raise RulesError(f"it has {name}, but its channels do not include slack")
    return rule


def _refuse_unknown(given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"the fields are {', '.join(known)}"
            raise RulesError(f"it has the unknown field {str(name)[:40]!r} ({hint})")


def _texts(given: Mapping[str, Any], name: str, check: Any) -> tuple[str, ...]:
    """A text or a list of texts. The CLI stores what looks like a number, such as an account, as one."""
    value = given.get(name, [])
    items = value if isinstance(value, list | tuple) else [value]
    texts = [f"{item:012d}" if isinstance(item, int) and not isinstance(item, bool) else item for item in items]
    if not all(isinstance(text, str) and text.strip() for text in texts) or (name in given and not texts):
        raise RulesError(f"{name} must be a text that is not empty, or a list of such texts")
    return tuple(dict.fromkeys(check(text.strip()) for text in texts))


def _slack_channel(value: object) -> str:
    if not isinstance(value, str) or not SLACK_CHANNEL.fullmatch(value):
        raise RulesError("slackChannel must be a Slack channel's name or ID")
    return value


def _one_of(text: str, noun: str, known: Sequence[str]) -> str:
    if text not in known:
        raise RulesError(f"it names the unknown {noun} {text[:40]!r} (known: {', '.join(known)})")
    return text


def _event(text: str) -> str:
    if text in list(EventType) or (text.endswith("*") and len(text) > 1):
        return text
    close = difflib.get_close_matches(text, [str(name) for name in EventType], n=1)
    hint = f"did you mean {close[0]}?" if close else "end the name of an event type of your own with *"
    if text == "*":
        raise RulesError("event must not be *: without event, the rule matches every type")
    raise RulesError(f"it names the unknown event type {text[:60]!r} ({hint})")


def _account(text: str) -> str:
    if not _ACCOUNT.fullmatch(text):
        raise RulesError(f"account must be 12 digits, not {text[:40]!r}")
    return text


def _domain(text: str) -> str:
    domain = text.lower()
    if not _DOMAIN.fullmatch(domain):
        raise RulesError("ownerDomain must be what follows the @ of an address, like example.gov.uk")
    return domain


def _mention(value: object) -> str:
    text = value.removeprefix("@") if isinstance(value, str) else None
    if text is None or not (text in ("", *_GROUPS) or _MEMBER.fullmatch(text)):
        raise RulesError("mention must be here, channel, everyone, or the ID of a Slack member or user group")
    return text


def _as_object(rule: Rule) -> dict[str, Any]:
    conditions = zip(_MATCH_FIELDS, (rule.event, rule.severity, rule.template, rule.account, rule.owner_domain), strict=True)
    match = {name: list(texts) for name, texts in conditions if texts}
    actions = {
        "channels": list(rule.channels),
        "slackChannel": rule.slack_channel,
        "mention": rule.mention,
        "drop": rule.drop,
    }
    return {**({"match": match} if match else {}), **{name: value for name, value in actions.items() if value}}

"""Composes the message of one lease event: a text for people, and the same content as a structure for machines.

Pure: it reads neither clock nor network. The event is untrusted, so a field may hold anything: an unusable value is omitted,
and :func:`compose` never raises. Each channel decides how it renders the message.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from lib.leases.enrichment import Enrichment, Status
from lib.leases.events import LeaseEvent, LeaseKey, find_lease_key
from lib.leases.records import Lease
from lib.notifications import values
from lib.notifications.links import Console
from lib.notifications.routing import Attributes
from lib.notifications.severity import Severity, severity_of
from lib.notifications.wording import NOT_ENRICHED, REASONS, TO_OWNER, VALUES, WORDINGS, Wording
from lib.platform import clock

MAX_TITLE_CHARACTERS = 150
MAX_COMMENT_CHARACTERS = 500
MAX_DETAILS = 10
COMMENT = "Comment"
"""The label of what a person wrote."""

_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
# Fields that hold a name or an id: blueprintName, actualOu, stackSetId, a unit's Arn.
_IDENTIFIER = re.compile(r"(?:^|[a-z_-])(?:[Nn]ame|[Ii]d|ID|[Oo]u|OU|[Aa]rn|ARN)s?$")
_PLAIN_NAME = re.compile(r"[\w .:/-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class OwnerText:
    """The message as it is written to the lease's owner."""

    title: str
    lead: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The message of one event.

    Attributes:
        event_type: the event's detail-type, on one line.
        title: one line.
        lead: a sentence or two.
        facts: labels and values, each value one line.
        footer: which event this is, and when it happened.
        link: to the lease or the sandbox console, or empty.
        link_words: what the link is shown with.
        text: all of the above, in several lines.
        about: the attributes that rules match.
        slack_channel: where its route sends it in Slack; empty: to the configured channel.
        mention: who is mentioned in Slack, by its route; empty: nobody.
        enriched: it contains data of the lease record.
        to_owner: the same for the lease's owner.
        recipient: the e-mail address of the lease's owner, or empty. Never logged.
        structured: the same for machines, ready for JSON; its fields are in docs/observability.md.
    """

    event_id: str
    event_type: str
    title: str
    lead: str
    facts: tuple[tuple[str, str], ...]
    footer: str
    link: str
    link_words: str
    text: str = field(repr=False)
    about: Attributes = field(repr=False)
    slack_channel: str = ""
    mention: str = ""
    enriched: bool
    to_owner: OwnerText = field(repr=False)
    recipient: str = field(repr=False)
    structured: Mapping[str, Any] = field(repr=False)

    @property
    def severity(self) -> Severity:
        """How urgent it is."""
        return self.about.severity

    def for_log(self) -> dict[str, Any]:
        """What the log keeps, so that people can see later what was sent: all but the comment, which somebody wrote."""
        facts = [fact for fact in self.facts if fact[0] != COMMENT]
        return {"severity": self.severity, "lease_uuid": self.structured["lease_uuid"], "title": self.title, "facts": facts}


def compose(event: LeaseEvent, enrichment: Enrichment, console: Console, now: datetime) -> Message:
    """The message of ``event`` at ``now``, with the data of the lease record. Never raises."""
    event_type = values.text(event.detail_type, 128) or "unknown"
    wording = wording_of(event.detail_type, event.detail)
    known = _Known(event, enrichment.lease, wording, now)
    link = console.link(find_lease_key(event.detail))
    title = values.text(": ".join(filter(None, (wording.title, known.subject))), MAX_TITLE_CHARACTERS)
    facts = tuple((label, value) for label, value in (*known.facts(), _record(enrichment, wording)) if value)
    footer = f"{event_type}, {clock.for_people(event.time)}, event {event.id}"
    lines = [f"{label}: {value}" for label, value in facts]
    parts = [title, wording.lead, "\n".join(lines), f"Sandbox console: {link.url}" if link.url else "", footer]
    text = "\n\n".join(filter(None, parts))
    return Message(
        event_id=event.id,
        event_type=event_type,
        title=title,
        lead=wording.lead,
        facts=facts,
        footer=footer,
        link=link.url,
        link_words=link.words,
        text=text,
        about=known.about(event_type),
        enriched=enrichment.status is Status.ENRICHED,
        to_owner=known.to_owner(title, facts),
        recipient=values.email(known.owner),
        structured={
            "event_type": event_type,
            "event_id": event.id,
            "event_time": clock.canonical(event.time),
            "event_source": values.text(event.source),
            "severity": str(severity_of(event_type)),
            "title": title,
            "text": text,
            **known.structured(),
            "link": link.url or None,
            "enriched": enrichment.status is Status.ENRICHED,
            "enrichment": {"status": str(enrichment.status), "reason": str(enrichment.reason) if enrichment.reason else None},
        },
    )


class _Known:
    """The data of the event and the lease record together. The event's own data has priority."""

    def __init__(self, event: LeaseEvent, lease: Lease | None, wording: Wording, now: datetime) -> None:
        self._detail = event.detail
        reason = event.detail.get("reason")
        self._cause: Mapping[str, Any] = reason if isinstance(reason, Mapping) else {}
        self._lease = lease
        self._wording = wording
        self._now = now
        self._is_current = lease is not None and (not wording.statuses or lease.status in wording.statuses)
        key = find_lease_key(event.detail)
        self.uuid = values.text(key.uuid if isinstance(key, LeaseKey) else event.detail.get("leaseId"))
        self.owner = self._owner()
        self.who = values.text(self.owner)
        self.account = self._account()
        self.budget = self._amount("budget", "maxBudget", record=lease.max_spend if lease else None)
        self.spend = self._amount("totalSpend", record=lease.total_cost_accrued if lease and self._is_current else None)
        self.expires_at = self._expires_at()
        self.reason_type, self.reason = self._reason()
        self.comment = values.text(self._cause.get("comment") or self._detail.get("comments"), MAX_COMMENT_CHARACTERS)

    def facts(self) -> Iterator[tuple[str, str]]:
        """Labels and values; a value may be empty."""
        lease = self._lease
        yield "Who", self.who
        yield "Account", self.account
        yield "Spend", self._spend_against_budget()
        yield "Budget", values.money(self.budget) if self.spend is None and self.budget is not None else ""
        yield "Time left", self.time_left
        yield "Duration", "" if self.time_left else self._duration()
        yield "Reason", self.reason
        yield COMMENT, self.comment
        for label, name in self._wording.details:
            yield label, self._named(name)
        yield "Blueprint", values.text(lease.blueprint_name) if lease and "blueprintName" not in self._detail else ""
        yield "Template", values.text(lease.original_lease_template_name) if lease else ""
        yield "Lease status", values.words(lease.status) if lease and self._is_current and lease.status else ""

    def about(self, event_type: str) -> Attributes:
        """The attributes that rules match."""
        lease = self._lease
        return Attributes(
            event_type=event_type,
            severity=severity_of(event_type),
            account=self.account,
            template=values.text(lease.original_lease_template_name) if lease else "",
            template_id=values.text(lease.original_lease_template_uuid) if lease else "",
            owner_domain=values.email(self.owner).rpartition("@")[2].lower(),
        )

    def to_owner(self, title: str, facts: tuple[tuple[str, str], ...]) -> OwnerText:
        """The message for the lease's owner, from the title and facts for everybody."""
        own_title, lead = self._wording.to_owner
        if own_title and _ACCOUNT.fullmatch(self.account):
            own_title = f"{own_title}: {self.account}"
        shown = ((label, TO_OWNER.get(value, value)) for label, value in facts if label not in {"Who", "Lease record"})
        return OwnerText(own_title or title, lead or self._wording.lead, tuple(shown))

    def structured(self) -> dict[str, Any]:
        """The same for machines: numbers as numbers, times canonical, None for unknown values."""
        lease = self._lease
        return {
            "who": self.who or None,
            "account": self.account or None,
            "lease_uuid": self.uuid or None,
            "budget": _number(self.budget),
            "spend": _number(self.spend),
            "currency": "USD",
            "expires_at": clock.canonical(self.expires_at) if self.expires_at else None,
            "time_left": self.time_left or None,
            "reason": self.reason or None,
            "reason_type": self.reason_type or None,
            "comment": self.comment or None,
            "lease_status": (values.text(lease.status) or None) if lease and self._is_current else None,
            "template": (values.text(lease.original_lease_template_name) or None) if lease else None,
            "details": {name: self._named(name) for _, name in self._wording.details if self._named(name)},
        }

    @property
    def time_left(self) -> str:
        """How long the lease still runs, in words; empty if unknown."""
        if self._wording.ends or (self._lease and self._lease.end_date):
            return "none"
        if self.expires_at is None:
            left = values.hours(self._threshold_hours())
            return f"about {left}" if left else ""
        moment = clock.for_people(self.expires_at)
        if self.expires_at <= self._now:
            return f"none, since {moment}"
        return f"{values.span(self.expires_at - self._now)} (until {moment})"

    @property
    def subject(self) -> str:
        """Who or what the title names: an e-mail address or an account number. Nothing else from outside gets into a title,
        because a mail's subject can't show that part of it is quoted."""
        return values.email(self.owner) or (self.account if _ACCOUNT.fullmatch(self.account) else "")

    def _owner(self) -> str:
        """The lease's owner. A key without its uuid can't be looked up, but still names the person."""
        lease_id = self._detail.get("leaseId")
        from_key = lease_id.get("userEmail") if isinstance(lease_id, Mapping) else None
        candidates = (self._lease and self._lease.user_email, from_key, self._detail.get("userEmail"))
        return next((candidate for candidate in candidates if isinstance(candidate, str) and candidate.strip()), "")

    def _account(self) -> str:
        given = self._detail.get("accountId") or self._detail.get("awsAccountId")
        return values.text(given, 64) or (values.text(self._lease.aws_account_id, 64) if self._lease else "")

    def _amount(self, *names: str, record: Decimal | None) -> Decimal | None:
        given = [values.amount(source.get(name)) for source in (self._detail, self._cause) for name in names]
        return next((number for number in (*given, values.amount(record)) if number is not None), None)

    def _expires_at(self) -> datetime | None:
        recorded = self._lease.expiration_date if self._lease else None
        given = self._detail.get("leaseExpirationDate")
        try:
            return clock.parse(given) if isinstance(given, str) else recorded
        except ValueError:
            return recorded

    def _spend_against_budget(self) -> str:
        if self.spend is None:
            return ""
        if self.budget is None:
            return values.money(self.spend)
        against = f"{values.money(self.spend)} of {values.money(self.budget)}"
        if self.budget < 1:
            return against
        percent = int(self.spend * 100 / self.budget)
        return f"{against} ({percent} %)" if 0 <= percent < 10_000 else against

    def _duration(self) -> str:
        return values.hours(self._detail.get("leaseDurationInHours")) or values.hours(
            self._lease.lease_duration_in_hours if self._lease else None
        )

    def _reason(self) -> tuple[str, str]:
        """The reason's type as received, and the reason in words."""
        kind = values.text(self._cause.get("type")) or values.text(self._detail.get("reason"))
        if kind == "BudgetExceeded":
            at = self._cause.get("triggeredBudgetThreshold")
            return kind, "spending passed the budget" if at is None else self._spending_reached(at)
        if kind == "Expired":
            return kind, self._duration_reached()
        if kind in REASONS:
            return kind, REASONS[kind]
        # A type that REASONS lacks is a name. A reason given as text is a constant, or was written for people.
        return kind, (values.words(kind) if self._cause else values.readable(kind)) or self._reason_from_fields()

    def _reason_from_fields(self) -> str:
        if self._detail.get("budgetThresholdTriggered") is not None:
            return self._spending_reached(self._detail["budgetThresholdTriggered"])
        if self._threshold_hours() is not None:
            return self._duration_reached()
        failure = ": ".join(filter(None, (self._named(name) for name in ("errorType", "errorMessage"))))
        if failure:
            return failure
        on = f" on {clock.for_people(self.expires_at)}" if self.expires_at and self._detail.get("leaseExpirationDate") else ""
        return self._wording.reason and self._wording.reason + on

    def _spending_reached(self, threshold: object) -> str:
        """The threshold is in dollars in the lease system's code, and a fraction of the budget in its guide."""
        at = values.amount(threshold)
        if at is None or at <= 0:
            return "spending reached a threshold of the budget"
        in_dollars = {entry.at for entry in (self._lease.budget_thresholds or ())} if self._lease else set()
        if at > 1 or at in in_dollars:
            return f"spending reached the threshold of {values.money(at)}"
        return f"spending reached the threshold of {values.text(at * 100)} % of the budget"

    def _duration_reached(self) -> str:
        left = values.hours(self._threshold_hours())
        whole = values.hours(self._cause.get("leaseDurationInHours") or self._detail.get("leaseDurationInHours"))
        if left:
            return f"at most {left} left" + (f" of {whole}" if whole else "")
        return "the lease ran out" + (f" after {whole}" if whole else "")

    def _threshold_hours(self) -> object:
        name = "triggeredDurationThreshold"
        return self._cause.get(name) if self._cause.get(name) is not None else self._detail.get(name)

    def _named(self, name: str) -> str:
        value = self._detail.get(name)
        if isinstance(value, list):
            return ", ".join(filter(None, (self._worded(name, values.text(item, 40)) for item in value[:MAX_DETAILS])))
        return self._worded(name, values.text(value))

    def _worded(self, name: str, text: str) -> str:
        """A constant in words. A name or an id stays unchanged, since people search for it elsewhere."""
        return text if _IDENTIFIER.search(name) else VALUES.get(text) or values.readable(text)


# Fields that a message of an unknown event type shows elsewhere, or that mean nothing to people.
_SHOWN_ELSEWHERE = {
    "accountId",
    "awsAccountId",
    "budget",
    "comments",
    "leaseId",
    "maxBudget",
    "reason",
    "totalSpend",
    "userEmail",
    "uuid",
}


def wording_of(detail_type: str, detail: Mapping[str, Any]) -> Wording:
    """The wording of an event type, known or not."""
    return WORDINGS.get(detail_type) or _plain_wording(values.text(detail_type, 128) or "unknown", detail)


def _plain_wording(event_type: str, detail: Mapping[str, Any]) -> Wording:
    """The wording of an unknown event type: its name, and the plain values of its detail."""
    names = [name for name in detail if name not in _SHOWN_ELSEWHERE and values.text(detail[name])]
    return Wording(
        title=f"Sandbox event {event_type}" if _PLAIN_NAME.fullmatch(event_type) else "Sandbox event",
        lead="The lease system sent an event of a type that Switchboard does not know.",
        details=tuple((values.text(name, 60), name) for name in names[:MAX_DETAILS]),
        of_lease=False,
    )


def _record(enrichment: Enrichment, wording: Wording) -> tuple[str, str]:
    if enrichment.status is Status.ENRICHED or not wording.of_lease:
        return "", ""
    if enrichment.status is Status.NOT_FOUND:
        return "Lease record", "not found"
    return "Lease record", f"not read: {NOT_ENRICHED.get(str(enrichment.reason), 'see the log')}"


def _number(number: Decimal | None) -> float | None:
    return None if number is None else float(round(number, 2))

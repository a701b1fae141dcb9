"""Turns log lines about an event into sentences for people. A line that is not listed is shown with its fields. Pure."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from lib.operations.log_search import LogLine
from lib.operations.trace import describe
from lib.platform.log import scrub
from lib.platform.wording import counted


def say(line: LogLine) -> str:
    """The sentence of a line, without personal data."""
    words = _WORDS.get(line.message)
    if "errorMessage" in line.fields:
        words = _of_runtime
    if words is None:
        return describe(line.message, line.fields)
    return scrub(words(_Fields(line.fields)))


class _Fields:
    """The fields of a line as texts; an absent one is empty."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def __getattr__(self, name: str) -> str:
        value = self._fields.get(name)
        if isinstance(value, list):
            return ", ".join(map(str, value))
        return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    def because(self, *names: str) -> str:
        """The first of these fields that is there, after a colon."""
        text = next((text for name in names if (text := getattr(self, name))), "")
        return f": {text}" if text else ""

    def many(self, name: str, noun: str) -> str:
        """A number with its noun."""
        value = self._fields.get(name)
        return counted(value, noun) if isinstance(value, int) else f"some {noun}s"

    def pairs(self, name: str) -> str:
        """An object's items: ``slack sent, sns failed``."""
        value = self._fields.get(name)
        return ", ".join(f"{key} {each}" for key, each in value.items()) if isinstance(value, dict) else ""


def _took(of: _Fields) -> str:
    return f" in {float(of.duration_ms):,.0f} ms" if of.duration_ms.replace(".", "", 1).isdigit() else ""


def _of_runtime(of: _Fields) -> str:
    """A failed invocation, as Lambda's runtime logs it."""
    return f"The invocation ended with {of.errorType or 'an error'}: {of.errorMessage}"


def _drift(of: _Fields) -> str:
    found = {"unknown": of.unknown, "missing": of.missing, "of another type": of.mistyped}
    return "The lease record has another schema: " + "; ".join(f"{what}: {names}" for what, names in found.items() if names)


_WORDS: Mapping[str, Callable[[_Fields], str]] = {
    "lease_schema": lambda of: f"Enriched: the lease is {of.lease_status or 'of unknown status'}, read in {of.latency_ms} ms",
    "schema_drift": _drift,
    "lease_not_found": lambda _: "Not enriched: LeaseTable has no such lease",
    "enrichment_skipped": lambda of: f"Not enriched{of.because('reason')}",
    "enrichment_failed": lambda of: f"Not enriched{of.because('reason')}{of.because('error_text')}",
    "notification_sent": lambda of: f"Sent on {of.channel}",
    "notification_not_sent": lambda of: (
        f"Not sent on {of.channel}: " + ("it was sent before" if of.outcome == "duplicate" else "another attempt is sending it")
    ),
    "notification_without_recipient": lambda of: f"Not sent on {of.channel}{of.because('reason')}",
    "notification_failed": lambda of: f"Failed on {of.channel}{of.because('error_text', 'error')}",
    "lease_event": lambda of: f"Handled{_took(of)}: {of.pairs('channels') or 'no channel'}",
    "event_dropped": lambda of: f"Not sent{of.because('reason')}",
    "event_too_old": lambda of: f"Not sent{of.because('reason')}",
    "event_failed": lambda of: f"The attempt failed{of.because('error_text', 'error', 'exception_name')}",
    "http_request": lambda of: f"Answered HTTP {of.http_status} to {of.method} {of.path}{_took(of)}",
    "request_refused": lambda of: f"Refused with HTTP {of.http_status}{of.because('reason')}",
    "request_failed": lambda of: f"Failed{of.because('error_text', 'error', 'exception_name')}",
    "webhook_delivery": lambda of: f"Delivery {of.status}{of.because('reason')}",
    "push_not_stored": lambda of: f"{of.many('commits', 'commit')} left to the worker{of.because('error_text')}",
    "commits_stored": lambda of: f"{of.many('commits', 'commit')} stored under {of.issue_keys}",
    "correlation_not_queued": lambda of: f"Correlation of {of.issue_keys} not queued{of.because('error_text')}",
    "issues_fetched": lambda of: f"Fetched from Jira: {of.outcomes or 'Jira does not show it'}",
    "task_failed": lambda of: f"The worker failed; its message returns to the queue{of.because('error_text', 'error')}",
    "recompute_failed": lambda of: f"Correlation of {of.issue_key} failed{of.because('error_text', 'error')}",
    "draft_submitted": lambda of: f"Draft submitted by {of.principal or 'somebody'}: {of.state}",
    "click": lambda of: f"{of.slack_user} clicked {of.decision}: {of.verdict.replace('_', ' ')}",
    "interaction_ignored": lambda of: f"Click ignored{of.because('reason')}",
    "issue_creation": lambda of: f"Issue creation, {of.step.replace('_', ' ')}: {of.outcome}",
    "issue_refused": lambda of: f"No issue{of.because('reason')}",
    "job_created": lambda of: f"Job ordered by {of.shop_domain}",
    "import_run": lambda of: f"The worker ran the job for {of.seconds} s: it is {of.status}",
    "import_failed": lambda of: f"The run failed; its message returns to the queue{of.because('error_text', 'error')}",
}

"""What the senders send, and whether they may: the plan, which locust gets in an environment variable.

Secrets are in variables of their own, never on a command line.
"""

import dataclasses
import ipaddress
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

VARIABLE = "LOAD_PLAN"
"""The variable of the plan, as JSON."""
SECRETS = {
    "jira": "SWITCHBOARD_LOAD_JIRA_SECRET",
    "commits": "SWITCHBOARD_LOAD_COMMIT_SECRET",
    "events": "SWITCHBOARD_LOAD_EVENT_SECRET",
}
"""The variable of the secret that each kind of request is signed with."""
SIGNED_BY_AWS = "shuttle"
"""The kind that needs AWS credentials: reads of a shop that does not exist."""
KINDS = (*SECRETS, SIGNED_BY_AWS)
ISSUES = 500
SENDERS = 8
_FIRST_MILLISECONDS = 1_772_366_400_000
"""The time of delivery 0 (tests.bench.events)."""
_SECONDS_OF_AN_ANSWER = 2


class PlanError(Exception):
    """The plan is refused; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is sent.

    Attributes:
        url: of the HTTP API.
        kinds: of requests; ``bus`` is PutEvents.
        project: of the issues.
        first: the number of the first request. A delivery is later than all with smaller numbers.
        rate: requests per second of all senders; None for as many as are answered.
        aws_url: of the AWS API, for ``bus``.
        event_bus: for ``bus``.
    """

    url: str
    kinds: tuple[str, ...]
    project: str = "OPS"
    first: int = 1
    rate: float | None = None
    aws_url: str = ""
    event_bus: str = ""

    @property
    def senders(self) -> int:
        """How many wait for an answer at the same time, at most."""
        return SENDERS if self.rate is None else max(SENDERS, math.ceil(self.rate * _SECONDS_OF_AN_ANSWER))

    def as_json(self) -> str:
        """The value of :data:`VARIABLE`."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def read(cls) -> "Plan":
        """The plan of this process."""
        values: dict[str, Any] = json.loads(os.environ[VARIABLE])
        return cls(**{**values, "kinds": tuple(values["kinds"])})


def for_url(
    url: str,
    kinds: Sequence[str] | None,
    rate: float,
    variables: Mapping[str, str],
    *,
    is_confirmed: bool,
    has_credentials: bool,
    project: str = "LOAD",
) -> Plan:
    """The plan for a deployed HTTP API.

    Args:
        url: its base URL.
        kinds: of requests; None for Jira deliveries and commits, as far as their secrets are there.
        rate: requests per second.
        variables: the environment.
        is_confirmed: whether the user agreed to send to an address that is not this machine.
        has_credentials: whether there are AWS credentials.
        project: of the issues.

    Raises:
        PlanError: it may not be sent.
    """
    parts = urlsplit(url)
    here = _is_loopback(parts.hostname or "")
    if not parts.hostname or parts.scheme not in {"http", "https"} or (parts.scheme == "http" and not here):
        raise PlanError("--url must be an https:// URL, or an http:// URL of this machine")
    if parts.username or parts.query:
        raise PlanError("--url must have no user and no query")
    if rate <= 0:
        raise PlanError("--rate must be above 0")
    chosen = tuple(kinds) if kinds is not None else tuple(k for k in ("jira", "commits") if variables.get(SECRETS[k]))
    missing = [SECRETS[kind] for kind in chosen if kind in SECRETS and not variables.get(SECRETS[kind])]
    if missing or not chosen:
        wanted = ", ".join(missing) or f"{SECRETS['jira']} or {SECRETS['commits']}"
        raise PlanError(f"set the secret of the senders in the environment: {wanted}")
    if SIGNED_BY_AWS in chosen and not has_credentials:
        raise PlanError("/shuttle is an AWS_IAM route, and there are no AWS credentials: set AWS_PROFILE or the AWS_ variables")
    if not (here or is_confirmed):
        raise PlanError(f"{parts.hostname} is not this machine: read what is created (--help), then add --yes")
    now = int(time.time() * 1000) - _FIRST_MILLISECONDS
    return Plan(url=url.rstrip("/"), kinds=chosen, project=project, first=now, rate=rate)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

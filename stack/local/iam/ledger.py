"""Every grant of the program, its uses, and the refusals: the answer of ``GET /_local/iam``."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from stack.local.iam.policy import Access, GrantKey


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One grant of one principal.

    Attributes:
        principal: ``role/<name>``, or a service like ``events.amazonaws.com``.
        action: as in the policy.
        resource: as in the policy.
        sid: of its statement.
    """

    principal: str
    action: str
    resource: str
    sid: str = ""


class Ledger:
    """The ledger, safe to use from several threads. ``reason_of`` returns the reason of a wildcard, by its statement's Sid."""

    def __init__(self, reason_of: Callable[[str], str]) -> None:
        self._reason_of = reason_of
        self._lock = threading.Lock()
        self._grants: dict[tuple[str, GrantKey], Grant] = {}
        self._uses: Counter[tuple[str, GrantKey]] = Counter()
        self._refusals: Counter[tuple[str, str, str]] = Counter()

    def register(self, principal: str, grants: Iterable[GrantKey], sid: str = "") -> None:
        """Add grants of a principal."""
        with self._lock:
            for grant in grants:
                self._grants[principal, grant] = Grant(principal, grant.action, grant.resource, sid)

    def record_use(self, principal: str, used: Iterable[GrantKey]) -> None:
        """Count one use of each grant."""
        with self._lock:
            self._uses.update((principal, grant) for grant in used)

    def record_refusal(self, principal: str, access: Access) -> None:
        """Count a refusal."""
        with self._lock:
            self._refusals[principal, access.action, access.resource] += 1

    def as_json(self) -> dict[str, Any]:
        """Grants with their wildcard's reason and their uses, and refusals with their number."""
        with self._lock:
            grants = [
                {
                    "principal": grant.principal,
                    "action": grant.action,
                    "resource": grant.resource,
                    "reason": self._reason_of(grant.sid),
                    "uses": self._uses[key],
                }
                for key, grant in sorted(self._grants.items())
            ]
            refusals = [
                {"principal": principal, "action": action, "resource": resource, "times": times}
                for (principal, action, resource), times in sorted(self._refusals.items())
            ]
        return {"grants": grants, "refusals": refusals}

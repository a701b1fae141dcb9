"""Every grant that the program wrote, how often it was used, and what was refused: what ``GET /_local/iam`` shows."""

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
        action: as the program wrote it.
        resource: the same.
        sid: of its statement.
    """

    principal: str
    action: str
    resource: str
    sid: str = ""


class Ledger:
    """The book. Safe to write from several threads.

    Args:
        reason_of: finds the written reason of a statement with a wildcard, by its Sid.
    """

    def __init__(self, reason_of: Callable[[str], str]) -> None:
        self._reason_of = reason_of
        self._lock = threading.Lock()
        self._written: dict[tuple[str, GrantKey], Grant] = {}
        self._uses: Counter[tuple[str, GrantKey]] = Counter()
        self._refusals: Counter[tuple[str, str, str]] = Counter()

    def write_down(self, principal: str, grants: Iterable[GrantKey], sid: str = "") -> None:
        """Enter what a principal is granted."""
        with self._lock:
            for grant in grants:
                self._written[principal, grant] = Grant(principal, grant.action, grant.resource, sid)

    def note_use(self, principal: str, used: Iterable[GrantKey]) -> None:
        """A principal used some of its grants, once each."""
        with self._lock:
            self._uses.update((principal, grant) for grant in used)

    def note_refusal(self, principal: str, access: Access) -> None:
        """A principal was refused something."""
        with self._lock:
            self._refusals[principal, access.action, access.resource] += 1

    def as_json(self) -> dict[str, Any]:
        """The book so far: grants, with the reason of a wildcard and the number of uses, and refusals with theirs."""
        with self._lock:
            grants = [
                {
                    "principal": grant.principal,
                    "action": grant.action,
                    "resource": grant.resource,
                    "reason": self._reason_of(grant.sid),
                    "uses": self._uses[key],
                }
                for key, grant in sorted(self._written.items())
            ]
            refusals = [
                {"principal": principal, "action": action, "resource": resource, "times": times}
                for (principal, action, resource), times in sorted(self._refusals.items())
            ]
        return {"grants": grants, "refusals": refusals}

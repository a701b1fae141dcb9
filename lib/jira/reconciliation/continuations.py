"""Continuations of a reconciliation: the next part is claimed before it is invoked.

Lambda delivers an asynchronous event up to three times. Without a claim, each delivery would call the next part, and a
chain of parts would grow to 3, 9, 27, … With it, of all deliveries of one part the first calls the next::

    part 7 of run R ─► claim (R, 8) ─┬─ won ─► record and metrics ─► invoke part 8 ─► claim done
                                     └─ held or done: another delivery continues

docs/adr/0027 describes a crash between two of these steps.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lib.jira.reconciliation.requests import Request
from lib.platform import aws, errors
from lib.platform.claims import Claim, Claims, Verdict
from lib.platform.contract import RECONCILIATION_PARTITION
from lib.platform.log import Logger

LEASE = timedelta(minutes=5)
"""How long a claim holds if it is neither completed nor released. A part claims when it has about a minute left, so that the
holder of an older claim is no longer running."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """The next part, claimed: its event and the claim."""

    payload: bytes
    claim: Claim


class Continuations:
    """Claims and invokes the next parts of runs. ``get_lambda`` returns a client of Lambda."""

    def __init__(self, claims: Claims, get_lambda: Callable[[], Any], logger: Logger) -> None:
        self._claims = claims
        self._get_lambda = get_lambda
        self._logger = logger

    def claim(self, following: Request) -> Continuation | None:
        """Claim the part ``following``; None if another delivery of this event has it.

        Raises:
            PayloadTooLargeError: its event does not fit a call.
            SwitchboardError: the table can't be reached or refuses.
        """
        payload = following.to_payload()
        name = f"CONTINUATION#{following.run_id}#{following.part}"
        claim = self._claims.claim(RECONCILIATION_PARTITION, name, owner=secrets.token_hex(16))
        if claim.verdict is not Verdict.WON:
            self._logger.warning("continuation_exists", part=following.part, claim=claim.verdict.value)
            return None
        return Continuation(payload, claim)

    def start(self, continuation: Continuation, function: str) -> None:
        """Invoke ``function`` for the part.

        A call that failed releases the claim; after one that may have arrived, it stays until it expires.

        Raises:
            SwitchboardError: the call failed.
        """
        try:
            with aws.translated("invoke the function again"):
                self._get_lambda().invoke(FunctionName=function, InvocationType="Event", Payload=continuation.payload)
        except errors.AmbiguousError:
            raise
        except errors.SwitchboardError:
            self.release(continuation)
            raise
        self._update_claim(lambda: self._claims.complete(continuation.claim))

    def release(self, continuation: Continuation) -> None:
        """Let another delivery of this event continue."""
        self._update_claim(lambda: self._claims.release(continuation.claim, "the next part was not invoked"))

    def _update_claim(self, act: Callable[[], None]) -> None:
        """An error here is only logged: the claim expires."""
        try:
            act()
        except errors.SwitchboardError as error:
            self._logger.error("continuation_claim_not_updated", error)

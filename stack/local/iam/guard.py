"""Decides whether the caller of an AWS request may make it, and records uses and refusals in the ledger.

A request without credentials is refused, as on AWS. One whose needs are unknown is refused and reported on standard error.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from werkzeug.wrappers import Response

from stack.local.iam import refusals
from stack.local.iam.call import Call, MalformedRequestError, UnknownOperationError
from stack.local.iam.callers import Caller, Callers
from stack.local.iam.conditions import PolicyError
from stack.local.iam.ledger import Ledger
from stack.local.iam.needs import needs_of
from stack.local.iam.needs_s3 import needs_to_see_absence
from stack.local.iam.policy import Access, Decision, decide
from stack.local.iam.tables import hash_key_of
from stack.local.serving import body_of

_CREDENTIAL = re.compile(r"(?:AWS4-HMAC-SHA256\s+Credential=)?([^/,\s]+)/\d{8}/([^/,\s]+)/([^/,\s]+)/aws4_request")


@dataclass(frozen=True, slots=True)
class Admission:
    """The guard's decision on a request.

    Attributes:
        refusal: the answer that refuses it; None if it is allowed.
        on_absence: the answer in place of a 404; None if the caller may see the 404.
    """

    refusal: Response | None = None
    on_absence: Callable[[], Response | None] | None = None


_ADMITTED = Admission()


class Guard:
    """The guard of one local cloud's AWS API."""

    def __init__(self, account_id: str, ledger: Ledger) -> None:
        self._account_id = account_id
        self._ledger = ledger
        self._callers = Callers(account_id)

    def register_roles(self) -> None:
        """Register every role's grants in the ledger.

        Raises:
            PolicyError: a role has a policy that can't be evaluated here.
        """
        for role, statements in self._callers.every_role():
            for statement in statements:
                self._ledger.register(_principal(role), statement.grants(), statement.sid)

    def admit(self, environ: dict[str, Any]) -> Admission:
        """Decide on a request (WSGI). Its body can still be read."""
        if environ["REQUEST_METHOD"] == "OPTIONS":
            return _ADMITTED  # a browser's CORS request has no credentials
        call, key = call_of(environ, self._account_id)
        if call is None:
            message = "Request is missing Authentication Token"
            return Admission(
                refusals.refuse("s3" if "HTTP_X_AMZ_TARGET" not in environ else "", environ["REQUEST_METHOD"], message)
            )
        caller = self._callers.find(key)
        if caller is None:
            return _ADMITTED
        return self._decide_all(caller, call)

    def _decide_all(self, caller: Caller, call: Call) -> Admission:
        try:
            statements = self._callers.statements_of(caller)
            for access in needs_of(call):
                refusal = self._decide(caller, call, access, decide(statements, access))
                if refusal is not None:
                    return Admission(refusal)
            absence = needs_to_see_absence(call)
        except (UnknownOperationError, MalformedRequestError, PolicyError) as error:
            self._ledger.record_refusal(_principal(caller.role), Access(f"{call.service}:?", str(error)))
            message = refusals.unknown(caller.arn, str(error))
            print(f"local cloud: refused: {message}", file=sys.stderr)
            return Admission(refusals.refuse(call.service, call.method, message))
        if absence is None:
            return _ADMITTED
        return Admission(on_absence=lambda: self._decide(caller, call, absence, decide(statements, absence)))

    def _decide(self, caller: Caller, call: Call, access: Access, decision: Decision) -> Response | None:
        principal = _principal(caller.role)
        if decision.is_allowed:
            self._ledger.record_use(principal, decision.used)
            return None
        self._ledger.record_refusal(principal, access)
        message = refusals.sentence(caller.arn, access, decision.verdict)
        return refusals.refuse(call.service, call.method, message)


def call_of(environ: dict[str, Any], account_id: str) -> tuple[Call | None, str]:
    """A signed request (WSGI) and the id of its access key; None and an empty text without a signature. Its body can still be
    read."""
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    header, link = environ.get("HTTP_AUTHORIZATION", ""), query.get("X-Amz-Credential", "")
    match = _CREDENTIAL.match(header or link)
    if match is None or (header and link):
        return None, ""
    key, region, service = match.groups()

    headers = {name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items() if name.startswith("HTTP_")}
    call = Call(
        service=service,
        region=region,
        account_id=account_id,
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", "/").encode("latin-1", "replace").decode("utf-8", "replace"),
        query=query,
        headers=headers,
        read_body=lambda: body_of(environ),
        hash_key=lambda resource: hash_key_of(resource, account_id),
    )
    return call, key


def _principal(role: str) -> str:
    return f"role/{role}"

"""AWS services that act without a role: the policy of the resource must allow what they do.

API Gateway and EventBridge need a function's permission to invoke it; EventBridge and S3 need a queue's policy to send to it.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stack.local.iam.ledger import Ledger
from stack.local.iam.policy import Access, Statement, decide, read_resource_policy

MayDo = Callable[[str, str, str, str], bool]
""":meth:`Services.may`: service, action, resource ARN and source ARN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvokePermission:
    """One statement of a function's policy: ``principal`` may do ``action`` for ``source_arn``."""

    function_arn: str
    principal: str
    action: str
    source_arn: str = ""

    def document(self) -> str:
        """The policy document with this statement."""
        statement: dict[str, Any] = {
            "Effect": "Allow",
            "Principal": {"Service": self.principal},
            "Action": self.action,
            "Resource": self.function_arn,
        }
        if self.source_arn:
            statement["Condition"] = {"ArnLike": {"AWS:SourceArn": self.source_arn}}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Services:
    """Decides by the policies of resources what services may do."""

    def __init__(self, account_id: str, ledger: Ledger) -> None:
        self._account_id = account_id
        self._ledger = ledger
        self._statements: dict[str, list[Statement]] = {}

    def add_policy(self, resource_arn: str, document: str) -> None:
        """Add a policy of a resource.

        Raises:
            PolicyError: it can't be evaluated here.
        """
        for statement in read_resource_policy(document):
            self._statements.setdefault(resource_arn, []).append(statement)
            for principal in statement.principals:
                self._ledger.register(_by(principal, statement), statement.grants())

    def may(self, service: str, action: str, resource_arn: str, source_arn: str) -> bool:
        """Whether ``service`` may do ``action`` to a resource on behalf of ``source_arn`` (a rule, a route, a bucket)."""
        context = {
            "aws:sourcearn": source_arn,
            "aws:sourceaccount": self._account_id,
            "aws:securetransport": "true",  # as on AWS; the local cloud has no TLS
        }
        access = Access(action, resource_arn, context)
        statements = self._statements.get(resource_arn, [])
        if decide(statements, access, service).is_allowed:
            for statement in statements:
                self._ledger.record_use(_by(service, statement), statement.matching(access, service))
            return True
        self._ledger.record_refusal(service, access)
        print(f"local cloud: {service} may not {action} on {resource_arn} for {source_arn}", file=sys.stderr)
        return False


def _by(service: str, statement: Statement) -> str:
    """The principal of a grant: the service, and the sources that it is limited to."""
    sources = [value for condition in statement.conditions if condition.key == "aws:sourcearn" for value in condition.values]
    return " ".join([service, *(f"for {source}" for source in sources)])

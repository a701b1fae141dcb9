"""Both stores of the approvals over one operations table, and the steps before a test begins."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from lib.approvals.drafts import Draft
from lib.approvals.operations import JiraOperationStore, OperationId
from lib.approvals.records import Approval
from lib.approvals.repository import ApprovalStore
from lib.platform.contract import JIRA_OPERATIONS
from lib.platform.dynamodb import Table
from tests.support.approvals.builders import NOON, make_draft
from tests.support.dynamodb.tables import a_table

LEASE = timedelta(seconds=90)


@dataclass
class Stores:
    """Both stores over one table, and a clock that only moves when it is advanced."""

    client: Any
    table_name: str
    time: datetime = NOON

    def __post_init__(self) -> None:
        table = Table(self.client, self.table_name)
        self.approvals = ApprovalStore(table, now=lambda: self.time)
        self.operations = JiraOperationStore(table, lease=LEASE, now=lambda: self.time)

    def advance(self, **by: float) -> None:
        self.time += timedelta(**by)

    def submitted(self, **given: Any) -> tuple[Draft, str]:
        draft = make_draft(**given)
        return draft, self.approvals.submit(draft).draft_hash

    def approved(self, **given: Any) -> OperationId:
        draft, of_hash = self.submitted(**given)
        assert self.decide(of_hash, session_id=draft.session_id)
        return OperationId(draft.session_id, of_hash)

    def decide(
        self, of_hash: str, *, approved: bool = True, by: str = "U0ANN", session_id: str = "sess-1", reason: str = ""
    ) -> bool:
        approval = Approval(draft_hash=of_hash, approved=approved, decided_by=by, at=self.time, reason=reason)
        return self.approvals.record_decision(session_id, approval)

    def start(self, operation: OperationId, owner: str = "one", by: str = "U0ANN", looks_needed: int = 2) -> bool:
        return self.operations.record_operation_start(
            operation, owner=owner, created_by=by, approved_by="U0ANN", looks_needed=looks_needed
        )

    def post(self, operation: OperationId, owner: str = "one") -> bool:
        return self.operations.begin_post(operation, owner=owner, until=self.time + timedelta(seconds=30))

    def row(self, operation_key: str, session_id: str = "sess-1") -> dict[str, Any]:
        key = {"session_id": {"S": session_id}, "operation_key": {"S": operation_key}}
        item = self.client.get_item(TableName=self.table_name, Key=key, ConsistentRead=True).get("Item", {})
        return {name: next(iter(value.values())) for name, value in item.items()}


@pytest.fixture
def stores(dynamodb: Any) -> Iterator[Stores]:
    """Both stores over an empty table."""
    with a_table(dynamodb, JIRA_OPERATIONS) as name:
        yield Stores(dynamodb, name)

"""The DynamoDB costs of a draft that becomes an issue without a fault, as docs/database-schema.md says."""

from collections.abc import Callable
from typing import Any

import pytest

from lib.approvals.interactions import Decision, Verb
from lib.approvals.messages import Message
from lib.approvals.records import SESSION_KEY
from lib.operations.costs import pricing
from tests.support.approvals.builders import make_draft
from tests.support.approvals.world import World


def test_a_draft_costs_what_the_document_says(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    units = {"read": 0, "write": 0, "index": 0}

    def count(name: str, kind: str, cost: Callable[[dict[str, Any]], int]) -> None:
        call = getattr(world.table, name)

        def counted(**request: Any) -> Any:
            units[kind] += cost(request)
            return call(**request)

        monkeypatch.setattr(world.table, name, counted)

    count("batch_get_item", "read", lambda request: sum(len(table["Keys"]) for table in request["RequestItems"].values()))
    count("update_item", "write", lambda request: 1)
    count("transact_write_items", "write", lambda request: 2 * len(request["TransactItems"]))

    def index_units(request: dict[str, Any]) -> int:
        """A session enters SessionStateIndex once; then each change leaves one state and enters another."""
        keys = (write["Update"]["Key"] for write in request["TransactItems"] if "Update" in write)
        if not any(key["operation_key"]["S"] == SESSION_KEY for key in keys):
            return 0
        return 2 if units["index"] else 1

    count("transact_write_items", "index", index_units)

    handle = world.handle
    messages: list[Message] = []

    def counted_handle(message: Message) -> None:
        messages.append(message)
        handle(message)

    monkeypatch.setattr(world, "handle", counted_handle)

    of_hash = world.service.submit(make_draft()).draft_hash
    world.settle()
    ((ts, _),) = world.slack.items()
    world.service.decide(
        Decision(verb=Verb.APPROVE, session_id="sess-1", draft_hash=of_hash, user="U0ANN", channel="C1", message_ts=ts)
    )
    world.settle()

    assert len(world.issues) == len(world.threads) == len(world.answers) == 1
    assert units == {"read": 42, "write": 24, "index": 7}
    assert (units["read"], units["write"], units["index"]) == (
        pricing.DRAFT_READS,
        pricing.DRAFT_WRITES,
        pricing.DRAFT_INDEX_WRITES,
    )
    assert len(messages) == pricing.DRAFT_MESSAGES

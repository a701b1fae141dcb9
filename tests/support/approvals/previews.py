"""A draft whose preview is posted: the messages about it, what happens to it, and calls to Slack that fail."""

import pytest

from lib.approvals import drafts, preview
from lib.approvals.messages import PostPreview, UpdatePreview
from lib.approvals.operations import OperationId
from lib.approvals.records import Approval
from lib.platform import errors
from tests.support.approvals.builders import make_draft
from tests.support.approvals.cloud import buttons_of
from tests.support.approvals.world import World
from tests.support.web.slack_limits import shown

DRAFT = make_draft()
HASH = drafts.draft_hash(DRAFT)
POST = PostPreview(session_id="sess-1", draft_hash=HASH)
UPDATE = UpdatePreview(session_id="sess-1", draft_hash=HASH)


@pytest.fixture
def world() -> World:
    world = World()
    world.service.submit(DRAFT)
    return world


def decide(world: World, *, approved: bool = True, reason: str = "") -> None:
    approval = Approval(draft_hash=HASH, approved=approved, decided_by="U0ANN", at=world.time, reason=reason)
    assert world.store.record_decision("sess-1", approval)


def create(world: World, key: str = "PROJ-1") -> None:
    operation = OperationId("sess-1", HASH)
    world.operations.record_operation_start(operation, owner="x", created_by="U0ANN", approved_by="U0ANN", looks_needed=1)
    world.operations.mark_success(operation, key)


def only(world: World) -> str:
    (message,) = world.slack.values()
    return shown(message.blocks)


def failing(*, times: int, after: bool = False, error: Exception | None = None):
    """A method that fails so often, before or after it did its work."""

    def wrap(method):
        left = [times]

        def call(*args, **kwargs):
            if left[0] > 0:
                left[0] -= 1
                if after:
                    method(*args, **kwargs)
                raise error or errors.ConnectionLostError("Slack")
            return method(*args, **kwargs)

        return call

    return wrap


LONG = make_draft(session_id="sess-2", problem="p" * 9_000, solution="s" * 9_000, risks=["r" * 1_000] * 9)
LONG_HASH = drafts.draft_hash(LONG)
POST_LONG = PostPreview(session_id="sess-2", draft_hash=LONG_HASH)
REPLIES = preview.thread(LONG)


def stored(world: World):
    return world.store.read("sess-2", LONG_HASH).draft


def buttons(world: World) -> dict[str, str]:
    (message,) = world.slack.values()
    return buttons_of({"blocks": message.blocks})


@pytest.fixture
def long_draft(world) -> World:
    world.service.submit(LONG)
    return world

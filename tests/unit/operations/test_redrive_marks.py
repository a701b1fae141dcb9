"""A call that sent an event back is remembered for longer than a dead letter can name it."""

from datetime import timedelta

import pytest

from lib.operations.redrive_marks import KEPT, RedriveMarks
from lib.platform import clock, errors
from lib.platform.contract import REDRIVE_PARTITIONS
from lib.platform.dynamodb import Table
from tests.support.approvals.builders import make_draft
from tests.support.approvals.stores import Stores


def test_the_calls_that_sent_an_event_back_are_found(stores: Stores) -> None:
    marks = RedriveMarks(Table(stores.client, stores.table_name), now=lambda: stores.time)
    marks.set("call-1")

    assert marks.read(["call-1", "call-2", "call-1"]) == {"call-1": stores.time}
    assert marks.read([]) == {}


def test_a_mark_expires_after_the_last_letter_that_can_name_it(stores: Stores) -> None:
    RedriveMarks(Table(stores.client, stores.table_name), now=lambda: stores.time).set("call-1")

    row = stores.row("SENT", REDRIVE_PARTITIONS + "call-1")
    assert int(row["expires_at"]) == clock.epoch_s(stores.time + KEPT)
    assert timedelta(days=14, hours=6) < KEPT


def test_no_session_can_have_the_partition_of_a_mark() -> None:
    with pytest.raises(errors.InvalidInputError, match="session_id"):
        make_draft(session_id=REDRIVE_PARTITIONS + "call-1")

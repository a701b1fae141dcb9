"""A batch of SQS is read whole or refused: nothing that SQS would not send gets further."""

from typing import Any

import pytest

from lib.platform import errors
from lib.platform.sqs_batch import Record, read_batch
from tests.support.aws.sqs_events import sqs_event, sqs_record

GOOD = sqs_record("m-1", "a body")


def test_each_message_is_a_record() -> None:
    assert read_batch(sqs_event("a body", "")) == [
        Record("m-1", "a body", "jira-work-3c1d", "r", 1),
        Record("m-2", "", "jira-work-3c1d", "r", 1),
    ]


@pytest.mark.parametrize("event", [None, 7, "text", [], {}, {"Records": None}, {"Records": {}}], ids=repr)
def test_what_is_no_batch_is_refused(event: object) -> None:
    with pytest.raises(errors.InvalidInputError, match="no batch"):
        read_batch(event)


@pytest.mark.parametrize(
    "record",
    [
        7,
        {},
        *({name: value for name, value in GOOD.items() if name != missing} for missing in GOOD if missing != "eventSource"),
        *(
            {**GOOD, "attributes": {"ApproximateReceiveCount": count}}
            for count in (None, 1, "", "x", "-1", "1e3", "²", "9" * 5_000)
        ),
        {**GOOD, "attributes": []},
    ],
    ids=lambda record: repr(record)[:60],
)
def test_a_record_that_lacks_something_fails_the_batch_and_shows_nothing_of_it(record: Any) -> None:
    with pytest.raises(errors.InvalidInputError, match=r"^a record('s | has no )\w+") as raised:
        read_batch({"Records": [GOOD, record]})

    assert "a body" not in str(raised.value)

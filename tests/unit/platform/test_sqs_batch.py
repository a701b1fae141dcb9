"""A batch of SQS messages is read in full or refused."""

from typing import Any

import pytest

from lib.platform import errors
from lib.platform.sqs_batch import Record, answer, read_batch
from tests.support.aws.sqs_events import sqs_event, sqs_record

GOOD = sqs_record("m-1", "a body")


def test_each_message_is_a_record() -> None:
    assert read_batch(sqs_event("a body", "")) == [
        Record("m-1", "a body", "jira-work-3c1d", "r", 1),
        Record("m-2", "", "jira-work-3c1d", "r", 1),
    ]


def test_the_answer_names_the_failed_records() -> None:
    assert answer(read_batch(sqs_event("a", "b"))[1:]) == {"batchItemFailures": [{"itemIdentifier": "m-2"}]}


@pytest.mark.parametrize("event", [None, 7, "text", [], {}, {"Records": None}, {"Records": {}}], ids=repr)
def test_an_event_that_is_not_a_batch_is_refused(event: object) -> None:
    with pytest.raises(errors.InvalidInputError, match="not a batch"):
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
def test_an_incomplete_record_fails_the_batch_and_shows_no_content(record: Any) -> None:
    with pytest.raises(errors.InvalidInputError, match=r"^a record('s \w+)? is not ") as raised:
        read_batch({"Records": [GOOD, record]})

    assert "a body" not in str(raised.value)

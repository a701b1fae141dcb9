"""Dead letters are grouped by what failed, and each says what it is about."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lib.operations.dead_letters import DeadLetter, DeadLetterQueue
from lib.operations.letter_groups import About, Subject, group_by_reason, subject_of
from lib.operations.redrive import Held

QUEUE = cast(DeadLetterQueue, SimpleNamespace(name="failures"))


def held(reason: str, function: str = "notification") -> Held:
    letter = DeadLetter(reason, datetime(2026, 1, 1, tzinfo=UTC), reason, "{}")
    return Held(function, QUEUE, letter, reason)


def test_ids_and_numbers_make_no_difference() -> None:
    first, second = held("no answer to OPS-1 in 3.5 s (3 attempts)"), held("no answer to DEMO-22 in 10 s (1 attempts)")

    (group,) = group_by_reason([first, second])

    assert (group.letters, group.reason) == ((first, second), first.reason)


def test_functions_and_reasons_are_separate_and_the_largest_group_is_first() -> None:
    groups = group_by_reason([held("throttled", "health"), held("throttled"), held("refused"), held("throttled")])

    assert [(group.function, group.reason, len(group.letters)) for group in groups] == [
        ("notification", "throttled", 2),
        ("health", "throttled", 1),
        ("notification", "refused", 1),
    ]


def test_the_key_of_a_group_stays_when_a_letter_leaves() -> None:
    assert group_by_reason([held("after 1 s"), held("after 2 s")])[0].key == group_by_reason([held("after 3 s")])[0].key


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"id": "e-1", "detail-type": "LeaseApproved", "detail": {}}, Subject("LeaseApproved", About.EVENT, "e-1")),
        ({"version": 1, "kind": "create_issue", "session_id": "s-1"}, Subject("create_issue", About.SESSION, "s-1")),
        ({"kind": "jira", "touched": ["OPS-2"], "fetch": {"issues": ["OPS-1"]}}, Subject("jira", About.ISSUE, "OPS-1")),
        ({"kind": "jira", "touched": ["OPS-2"], "fetch": None}, Subject("jira", About.ISSUE, "OPS-2")),
        ({"kind": "jira", "touched": []}, Subject("jira", About.ISSUE)),
        (
            {"export": {"shop_domain": "teapots.example.com", "job_id": "01JA0000000000000000000001"}},
            Subject("export", About.JOB, "01JA0000000000000000000001", "teapots.example.com"),
        ),
        ({"mode": "sweep"}, Subject("sweep")),
        ({"id": ["e-1"], "detail-type": {}}, Subject("", About.EVENT)),
        ({"Records": [{"s3": 1}]}, Subject("unknown")),
        ({"kind": "jira", "fetch": {"issues": [1]}}, Subject("jira", About.ISSUE)),
        ([], Subject("unknown")),
        ("[" * 100_000, Subject("unknown")),
        ("what is this", Subject("unknown")),
    ],
)
def test_the_subject_of_each_kind_of_payload(payload: Any, expected: Subject) -> None:
    assert subject_of(payload if isinstance(payload, str) else json.dumps(payload)) == expected


def test_a_subject_has_no_personal_data() -> None:
    assert "ada@" not in subject_of(json.dumps({"detail-type": "of ada@example.com", "id": "ada@example.com"})).id

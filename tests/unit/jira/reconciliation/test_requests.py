"""The event of the reconciliation function: each form is read as meant, and everything else is refused in one sentence."""

import json
from dataclasses import asdict
from typing import Any

import pytest

from lib.jira.issues import Stamp
from lib.jira.reconciliation.checkpoint import MAX_CANDIDATES, Candidate, Checkpoint, Counts
from lib.jira.reconciliation.merge import KeyRange
from lib.jira.reconciliation.requests import MAX_EVENT_BYTES, MAX_PARTS, Mode, Request, read_request
from lib.platform import errors

STAMP = Stamp("2026-03-01T12:00:00.000000Z", 1_772_366_400_000, "reconciled:10007:1")
SWEEP = Checkpoint(
    KeyRange("OPS", 5, 900), "next page", 101, Counts(fetched=100), 100, 1, (Candidate("OPS-20", "10020", STAMP),)
)
CONTINUED = Request(Mode.FULL, dry_run=True).continued("run-1", ("OPS", "WEB"), SWEEP)

FORMS: list[tuple[dict[str, Any], Request]] = [
    ({}, Request(Mode.CHANGES)),
    ({"mode": "changes"}, Request(Mode.CHANGES)),
    ({"mode": "full"}, Request(Mode.FULL)),
    ({"full": True}, Request(Mode.FULL)),
    ({"full": False, "project": "OPS"}, Request(Mode.CHANGES, projects=("OPS",))),
    ({"mode": "full", "dry_run": True, "project": "WEB"}, Request(Mode.FULL, dry_run=True, projects=("WEB",))),
    ({"key_range": {"project": "OPS"}}, Request(Mode.FULL, projects=("OPS",), sweep=Checkpoint(KeyRange("OPS")))),
    (
        {"key_range": {"project": "OPS", "after": 5, "through": 900}, "dry_run": True},
        Request(Mode.FULL, dry_run=True, projects=("OPS",), sweep=Checkpoint(KeyRange("OPS", 5, 900))),
    ),
    ({"full": True, "project": "OPS", "max_deletes": 400}, Request(Mode.FULL, projects=("OPS",), max_deletes=400)),
    (
        {"key_range": {"project": "OPS"}, "max_deletes": 0},
        Request(Mode.FULL, projects=("OPS",), sweep=Checkpoint(KeyRange("OPS")), max_deletes=0),
    ),
]

MALFORMED: list[tuple[object, str]] = [
    (None, "the event is not a JSON object"),
    ([], "the event is not a JSON object"),
    ({"projects": ["OPS"]}, "unknown field 'projects'; known fields: dry_run, full, max_deletes, mode, project"),
    ({"mode": "all"}, "mode is one of changes, full"),
    ({"mode": ["full"]}, "mode is one of changes, full"),
    ({"mode": "full", "full": True}, "give only one of them"),
    ({"full": "yes"}, "full is neither true nor false"),
    ({"dry_run": 1}, "dry_run is neither true nor false"),
    ({"project": 7}, "a project key is not a string"),
    ({"project": 'OPS" OR project = "WEB'}, "is not a project key"),
    ({"key_range": "OPS"}, "key_range is not a JSON object"),
    ({"key_range": {"after": 1}}, "key_range lacks project"),
    ({"key_range": {"project": "OPS", "after": "1"}}, "after of key_range is not a whole number"),
    ({"key_range": {"project": "OPS", "after": True}}, "after of key_range is not a whole number"),
    ({"key_range": {"project": "OPS", "after": 9, "through": 9}}, "key_range is empty"),
    ({"key_range": {"project": "OPS"}, "full": True}, "unknown field 'full'"),
    ({"full": True, "max_deletes": 5}, "max_deletes is for the full sweep of one project"),
    ({"project": "OPS", "max_deletes": 5}, "max_deletes is for the full sweep of one project"),
    ({"full": True, "project": "OPS", "max_deletes": MAX_CANDIDATES + 1}, "max_deletes is not a whole number from 0 to 1000"),
    ({"full": True, "project": "OPS", "max_deletes": "5"}, "max_deletes is not a whole number"),
    ({"checkpoint": None}, "checkpoint is not a JSON object"),
    ({"checkpoint": {}}, "checkpoint lacks dry_run"),
    ({"checkpoint": {}, "dry_run": True}, "unknown field 'dry_run'"),
]

GONE = {"issue_key": "OPS-20", "issue_id": "1", "stamp": asdict(STAMP)}
TAMPERED: list[tuple[tuple[str, ...], object]] = [
    (("mode",), "all"),
    (("projects",), []),
    (("projects",), "OPS"),
    (("projects",), ["ops"]),
    (("projects",), ["WEB"]),
    (("run_id",), 1),
    (("run_id",), "r" * 101),
    (("part",), "2"),
    (("part",), -1),
    (("max_deletes",), 1001),
    (("sweep",), []),
    (("sweep",), {}),
    (("more",), 1),
    (("sweep", "more"), 1),
    (("sweep", "position"), "1"),
    (("sweep", "token"), 1),
    (("sweep", "stored"), None),
    (("sweep", "missing"), 1.5),
    (("sweep", "unidentified"), -1),
    (("sweep", "pages"), None),
    (("sweep", "gone"), [{"candidate": {}, "seen_at": 1, "moved_to": None}]),
    (("sweep", "gone"), [{"candidate": GONE, "seen_at": "1", "moved_to": None}]),
    (("sweep", "gone"), [{"candidate": GONE, "seen_at": 1, "moved_to": "x"}]),
    (("sweep", "gone"), [{"candidate": {**GONE, "issue_key": "x"}, "seen_at": 1, "moved_to": None}]),
    (("sweep", "counts"), {"fetched": -1}),
    (("sweep", "counts"), {"lost": 1}),
    (("sweep", "key_range"), {"project": 'OPS" OR project = "WEB'}),
    (("sweep", "key_range"), {"project": "OPS", "after": "x"}),
    (("sweep", "candidates"), "OPS-20"),
    (("sweep", "candidates"), [{"issue_key": "OPS-20"}]),
    (("sweep", "candidates"), [{"issue_key": "x", "issue_id": "1", "stamp": asdict(STAMP)}]),
    (("sweep", "candidates"), [{"issue_key": "OPS-20", "issue_id": 1, "stamp": asdict(STAMP)}]),
    (("sweep", "candidates"), [{"issue_key": "OPS-20", "issue_id": "1", "stamp": {**asdict(STAMP), "event_at": "x"}}]),
    (("sweep", "candidates"), [{"issue_key": "OPS-20", "issue_id": "1", "stamp": {**asdict(STAMP), "version_at": 1}}]),
]


@pytest.mark.parametrize(("event", "request_"), FORMS, ids=[json.dumps(event) for event, _ in FORMS])
def test_each_form_of_event_is_read(event: dict[str, Any], request_: Request) -> None:
    assert read_request(event) == request_


@pytest.mark.parametrize(("event", "sentence"), MALFORMED, ids=[str(event) for event, _ in MALFORMED])
def test_a_malformed_event_is_refused_with_the_reason(event: object, sentence: str) -> None:
    with pytest.raises(errors.InvalidInputError, match=sentence):
        read_request(event)


def test_a_continuation_event_is_read_as_its_request() -> None:
    assert read_request(json.loads(json.dumps(CONTINUED.to_event()))) == CONTINUED


def test_a_continuation_without_a_sweep_is_read() -> None:
    request = Request().continued("run-1", ("WEB",), None)

    assert read_request(json.loads(json.dumps(request.to_event()))) == request


def test_a_continuation_keeps_the_first_run_id() -> None:
    third = CONTINUED.continued("run-2", ("WEB",), None)

    assert (third.run_id, third.part, third.dry_run, third.mode) == ("run-1", 3, True, Mode.FULL)


def test_the_number_of_continuations_is_limited() -> None:
    request = Request(part=MAX_PARTS)
    with pytest.raises(errors.PermanentError, match=f"did not end after {MAX_PARTS} invocations"):
        request.continued("run-1", ("OPS",), None)


@pytest.mark.parametrize(("path", "value"), TAMPERED, ids=[f"{'.'.join(path)}={value}" for path, value in TAMPERED])
def test_a_checkpoint_of_other_values_is_refused(path: tuple[str, ...], value: object) -> None:
    event = json.loads(json.dumps(CONTINUED.to_event()))
    inner = event["checkpoint"]
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value

    with pytest.raises(errors.InvalidInputError):
        read_request(event)


def test_the_largest_checkpoint_fits_an_asynchronous_call() -> None:
    candidate = Candidate("P" * 80 + "-1" + "0" * 17, "1" * 20, Stamp(STAMP.version_at, STAMP.event_at, "k" * 256))
    sweep = Checkpoint(KeyRange("P" * 80), "t" * 4000, candidates=(candidate,) * MAX_CANDIDATES)
    request = Request(Mode.FULL).continued("run-1", ("P" * 80, *(f"PROJECT{number}" for number in range(200))), sweep)

    assert len(request.to_payload()) < MAX_EVENT_BYTES


def test_every_part_of_a_run_has_its_limit() -> None:
    first = read_request({"full": True, "project": "OPS", "max_deletes": 400})

    assert read_request(json.loads(first.continued("run-1", ("OPS",), SWEEP).to_payload())).max_deletes == 400

"""Any event is read or refused on purpose; its lease key is found, or the missing parts are named."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lib.leases.events import LeaseKey, MissingKey, find_lease_key, read_event
from lib.platform import errors

text = st.text(st.characters(codec=None), max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=12
)
part = json_values | st.just("someone@example.gov.uk")


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with any of ``fields``, and perhaps others."""
    known = st.fixed_dictionaries({}, optional=fields)
    return st.builds(lambda a, b: {**a, **b}, st.dictionaries(text, json_values, max_size=2), known)


details = objects(leaseId=part | objects(userEmail=part, uuid=part), userEmail=part, uuid=part)
events = objects(
    **{"id": json_values, "detail-type": json_values | st.just("LeaseExpired"), "time": json_values, "source": json_values},
    detail=json_values | details,
)


@given(json_values | details)
def test_key_extraction_gives_a_valid_key_or_names_a_problem(detail: object) -> None:
    key = find_lease_key(detail)

    if isinstance(key, MissingKey):
        assert key.problems
        assert key.problems.keys() <= {"userEmail", "uuid"}
    else:
        assert 1 <= len(key.user_email.encode()) <= 2048
        assert 1 <= len(key.uuid.encode()) <= 1024


@given(st.text(min_size=1).filter(str.strip), st.text(min_size=1).filter(str.strip), json_values)
def test_a_valid_key_is_found_in_each_form(email: str, uuid: str, noise: object) -> None:
    key = LeaseKey(email, uuid)

    assert find_lease_key({"leaseId": {"userEmail": email, "uuid": uuid, "more": noise}, "userEmail": noise}) == key
    assert find_lease_key({"leaseId": uuid, "userEmail": email, "uuid": noise}) == key
    assert find_lease_key({"uuid": uuid, "userEmail": email, "more": noise}) == key


@given(json_values | events)
def test_an_event_is_refused_or_can_be_written_as_json(obj: object) -> None:
    try:
        event = read_event(obj)
    except errors.InvalidInputError:
        return
    assert event.id.isascii()
    json.dumps(dict(event.detail), ensure_ascii=False).encode()  # what a channel, a log and a table do with it


@given(events.map(lambda event: {**event, "detail-type": "LeaseExpired", "detail": {}}))
def test_reading_the_same_event_again_gives_the_same_id(event: dict[str, Any]) -> None:
    try:
        first = read_event(event)
    except errors.InvalidInputError:
        return
    assert read_event(dict(reversed(event.items()))).id == first.id

"""Finding the lease key in an event's detail: in three forms, with the problem of each part that is wrong."""

from typing import Any

import pytest

from lib.leases.events import LeaseKey, MissingKey, find_lease_key
from tests.support.leases.builders import LEASE_ID, USER_EMAIL, UUID

KEY = LeaseKey(USER_EMAIL, UUID)


@pytest.mark.parametrize(
    "detail",
    [
        {"leaseId": LEASE_ID},
        {"leaseId": UUID, "userEmail": USER_EMAIL},
        {"uuid": UUID, "userEmail": USER_EMAIL},
        {"uuid": UUID, "userEmail": USER_EMAIL, "leaseId": None},
        {"leaseId": LEASE_ID, "userEmail": "another@example.gov.uk", "uuid": "another"},
        {"leaseId": UUID, "userEmail": USER_EMAIL, "uuid": "another"},
        {"leaseId": {}, "userEmail": USER_EMAIL, "uuid": UUID},
        {"leaseId": {"userEmail": "another@example.gov.uk"}, "userEmail": USER_EMAIL, "uuid": UUID},
        {"leaseId": {"userEmail": 7, "uuid": "another"}, "userEmail": USER_EMAIL, "uuid": UUID},
        {"leaseId": 7, "userEmail": USER_EMAIL, "uuid": UUID},
        {"leaseId": " ", "userEmail": USER_EMAIL, "uuid": UUID},
    ],
    ids=[
        "object",
        "text",
        "top level",
        "null counts as absent",
        "the object counts first",
        "then the text",
        "top level beside an empty object",
        "top level beside half an object",
        "top level beside a malformed object",
        "top level beside a number",
        "top level beside a blank",
    ],
)
def test_the_key_is_found_in_each_of_its_forms(detail: dict[str, Any]) -> None:
    assert find_lease_key(detail) == KEY


@pytest.mark.parametrize(
    ("detail", "problems"),
    [
        ({}, {"userEmail": "is missing", "uuid": "is missing"}),
        ({"leaseId": {}}, {"userEmail": "is missing", "uuid": "is missing"}),
        ({"leaseId": {"uuid": UUID}}, {"userEmail": "is missing"}),
        ({"leaseId": {"uuid": UUID}, "userEmail": USER_EMAIL}, {"userEmail": "is missing"}),
        ({"leaseId": {"userEmail": USER_EMAIL}}, {"uuid": "is missing"}),
        ({"leaseId": UUID}, {"userEmail": "is missing"}),
        ({"userEmail": USER_EMAIL}, {"uuid": "is missing"}),
        ({"uuid": UUID}, {"userEmail": "is missing"}),
        ({"accountId": "444455556666"}, {"userEmail": "is missing", "uuid": "is missing"}),
    ],
    ids=str,
)
def test_a_missing_part_is_named(detail: dict[str, Any], problems: dict[str, str]) -> None:
    key = find_lease_key(detail)

    assert isinstance(key, MissingKey)
    assert key.problems == problems


WRONG = [
    (7, "is a number"),
    (7.5, "is a number"),
    (True, "is a boolean"),
    (["a"], "is a list"),
    (None, "is null"),
    ({"a": 1}, "is an object"),
    ("", "is empty"),
    (" \t", "is empty"),
    ("\ud800", "is not Unicode text"),
]


@pytest.mark.parametrize(("value", "problem"), WRONG, ids=repr)
def test_a_part_of_the_wrong_type_is_named_in_every_form(value: object, problem: str) -> None:
    assert find_lease_key({"leaseId": {**LEASE_ID, "userEmail": value}}) == MissingKey(problem, None)
    assert find_lease_key({"leaseId": {**LEASE_ID, "uuid": value}}) == MissingKey(None, problem)
    assert find_lease_key({"leaseId": UUID, "userEmail": value}) == MissingKey(problem, None)
    assert find_lease_key({"uuid": value, "userEmail": USER_EMAIL}) == MissingKey(None, problem)


@pytest.mark.parametrize("value", [7, ["a"], ""], ids=repr)
def test_a_lease_id_of_another_type_is_a_wrong_uuid(value: object) -> None:
    key = find_lease_key({"leaseId": value, "userEmail": USER_EMAIL})

    assert isinstance(key, MissingKey)
    assert key.problems.keys() == {"uuid"}


def test_a_part_is_limited_to_the_size_of_a_dynamodb_key() -> None:
    assert find_lease_key({"userEmail": "é" * 1024, "uuid": "u" * 1024}) == LeaseKey("é" * 1024, "u" * 1024)
    assert find_lease_key({"userEmail": "é" * 1025, "uuid": "u" * 1025}) == MissingKey(
        "is longer than 2048 bytes", "is longer than 1024 bytes"
    )


def test_parts_of_different_forms_are_never_combined() -> None:
    detail = {"leaseId": {"uuid": UUID}, "userEmail": USER_EMAIL}

    assert find_lease_key(detail) == MissingKey("is missing", None)
    assert find_lease_key({**detail, "uuid": 7}) == MissingKey("is missing", None), "describes the form that counts first"


@pytest.mark.parametrize("detail", [None, [], "text", 7, True], ids=repr)
def test_a_detail_that_is_not_an_object_has_no_key(detail: object) -> None:
    assert find_lease_key(detail) == MissingKey("is missing", "is missing")

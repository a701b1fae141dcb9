"""The tracker over Jira's client: a create includes the marker, and only a clear refusal counts as one."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from lib.approvals.issue_tracker import PROPERTY_KEY, FoundIssue, marker_of
from lib.approvals.jira_issue_tracker import JiraTracker
from lib.platform import errors

MARKER = marker_of("sess-1", "a" * 64)


@dataclass
class Client:
    error: Exception | None = None
    issues: list[dict[str, Any]] = field(default_factory=list)
    accepts_token: bool = True
    properties: dict[str, Any] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)

    def create(self, fields, *, properties=None) -> str:
        self.asked.append((fields, properties))
        if self.error is not None:
            raise self.error
        return "PROJ-1"

    def search_all(self, jql, *, fields) -> list[dict[str, Any]]:
        self.asked.append((jql, fields))
        return self.issues

    def check_credentials(self) -> None:
        if not self.accepts_token:
            raise errors.AccessDeniedError("could not check the account")

    def property_of(self, key_or_id, name):
        assert name == PROPERTY_KEY
        return self.properties.get(key_or_id)


def test_a_create_carries_the_marker_as_a_property() -> None:
    client = Client()
    assert JiraTracker(client).create_issue({"summary": "x"}, MARKER) == "PROJ-1"
    assert client.asked == [({"summary": "x"}, {PROPERTY_KEY: MARKER.value()})]


@pytest.mark.parametrize(
    "error",
    [errors.InvalidInputError, errors.AccessDeniedError, errors.NotFoundError, errors.ThrottledError, errors.UnavailableError],
)
def test_a_clear_refusal_is_passed_on(error) -> None:
    with pytest.raises(error):
        JiraTracker(Client(error("no"))).create_issue({}, MARKER)


@pytest.mark.parametrize("error", [errors.PermanentError, errors.DeadlineExceededError, errors.ConnectionLostError])
def test_everything_else_leaves_open_whether_it_was_created(error) -> None:
    with pytest.raises(errors.AmbiguousError):
        JiraTracker(Client(error("odd"))).create_issue({}, MARKER)


def test_the_marker_is_found_by_label_and_verified_by_property() -> None:
    client = Client(issues=[{"key": "PROJ-2"}, {"key": "PROJ-3"}, {"key": "PROJ-4"}])
    client.properties = {"PROJ-2": MARKER.value(), "PROJ-4": marker_of("other", "a" * 64).value()}

    found = JiraTracker(client).find_by_marker(MARKER)

    assert found == [FoundIssue("PROJ-2", True), FoundIssue("PROJ-3", False), FoundIssue("PROJ-4", False)]
    assert client.asked == [(f'labels = "{MARKER.label}" ORDER BY created ASC', ["labels"])]


def test_no_issue_is_found_only_while_jira_accepts_the_token() -> None:
    assert JiraTracker(Client()).find_by_marker(MARKER) == []
    with pytest.raises(errors.AccessDeniedError):
        JiraTracker(Client(accepts_token=False)).find_by_marker(MARKER)

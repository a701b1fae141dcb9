"""The tracker over Jira's client: a create includes the marker, and only a clear refusal counts as one."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from lib.approvals.issue_tracker import PROPERTY_KEY, FoundIssue, marker_of
from lib.approvals.jira_issue_tracker import JiraTracker
from lib.platform import errors

MARKER = marker_of("sess-1", "a" * 64)
DENIED = errors.AccessDeniedError("Jira answered 401")


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
        if self.error is not None:
            raise self.error
        return self.issues

    def check_credentials(self) -> None:
        if not self.accepts_token:
            raise errors.AccessDeniedError("could not check the account")

    def property_of(self, key_or_id, name):
        assert name == PROPERTY_KEY
        return self.properties.get(key_or_id)


def tracker(*clients: Client, rotated: bool = False) -> JiraTracker:
    """A tracker that connects to these clients, one after another."""
    given = iter(clients)
    return JiraTracker(lambda: next(given), lambda: rotated)  # type: ignore[arg-type, return-value]


def test_a_create_carries_the_marker_as_a_property() -> None:
    client = Client()
    assert tracker(client).create_issue({"summary": "x"}, MARKER) == "PROJ-1"
    assert client.asked == [({"summary": "x"}, {PROPERTY_KEY: MARKER.value()})]


@pytest.mark.parametrize(
    "error",
    [errors.InvalidInputError, errors.AccessDeniedError, errors.NotFoundError, errors.ThrottledError, errors.UnavailableError],
)
def test_a_clear_refusal_is_passed_on(error) -> None:
    with pytest.raises(error):
        tracker(Client(error("no"))).create_issue({}, MARKER)


@pytest.mark.parametrize("error", [errors.PermanentError, errors.DeadlineExceededError, errors.ConnectionLostError])
def test_everything_else_leaves_open_whether_it_was_created(error) -> None:
    with pytest.raises(errors.AmbiguousError):
        tracker(Client(error("odd"))).create_issue({}, MARKER)


def test_the_marker_is_found_by_label_and_verified_by_property() -> None:
    client = Client(issues=[{"key": "PROJ-2"}, {"key": "PROJ-3"}, {"key": "PROJ-4"}])
    client.properties = {"PROJ-2": MARKER.value(), "PROJ-4": marker_of("other", "a" * 64).value()}

    found = tracker(client).find_by_marker(MARKER)

    assert found == [FoundIssue("PROJ-2", True), FoundIssue("PROJ-3", False), FoundIssue("PROJ-4", False)]
    assert client.asked == [(f'labels = "{MARKER.label}" ORDER BY created ASC', ["labels"])]


def test_no_issue_is_found_only_while_jira_accepts_the_token() -> None:
    assert tracker(Client()).find_by_marker(MARKER) == []
    with pytest.raises(errors.AccessDeniedError):
        tracker(Client(accepts_token=False)).find_by_marker(MARKER)


def test_a_search_is_repeated_with_the_new_token_after_a_rotation() -> None:
    denied, accepted = Client(error=DENIED), Client(issues=[{"key": "OPS-1"}])
    assert [issue.key for issue in tracker(denied, accepted, rotated=True).find_by_marker(MARKER)] == ["OPS-1"]


def test_a_search_is_not_repeated_with_the_same_wrong_token() -> None:
    denied = Client(error=DENIED)
    with pytest.raises(errors.AccessDeniedError):
        tracker(denied).find_by_marker(MARKER)
    assert len(denied.asked) == 1


def test_a_create_that_is_denied_is_not_sent_again() -> None:
    denied, accepted = Client(error=DENIED), Client()
    with pytest.raises(errors.AccessDeniedError):
        tracker(denied, accepted, rotated=True).create_issue({}, MARKER)
    assert (len(denied.asked), accepted.asked) == (1, [])

"""The tracker over Jira's client: a create includes the marker, and only a clear refusal counts as one."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from lib.approvals.issue_tracker import PROPERTY_KEY, FoundIssue, marker_of
from lib.approvals.jira_issue_tracker import JiraTracker
from lib.jira.client import JiraClient
from lib.platform import errors
from stack.local.standins.faults import Fault
from stack.local.standins.jira import Jira
from tests.support.jira.builders import EMAIL, TOKEN, secret
from tests.support.web.standins import served

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
        if self.error is not None:
            raise self.error
        return self.issues

    def check_credentials(self) -> None:
        if not self.accepts_token:
            raise errors.CredentialRefusedError("could not check the account")

    def with_current_token(self, work) -> Any:
        return work()

    def property_of(self, key_or_id, name):
        assert name == PROPERTY_KEY
        return self.properties.get(key_or_id)


def tracker(client: Client) -> JiraTracker:
    return JiraTracker(lambda: client)  # type: ignore[arg-type, return-value]


def test_a_create_carries_the_marker_as_a_property() -> None:
    client = Client()
    assert tracker(client).create_issue({"summary": "x"}, MARKER) == "PROJ-1"
    assert client.asked == [({"summary": "x"}, {PROPERTY_KEY: MARKER.value()})]


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidInputError,
        errors.CredentialRefusedError,
        errors.NotFoundError,
        errors.ThrottledError,
        errors.UnavailableError,
    ],
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
    with pytest.raises(errors.CredentialRefusedError):
        tracker(Client(accepts_token=False)).find_by_marker(MARKER)


def test_a_search_answered_for_an_expired_token_is_repeated_with_the_rotated_one() -> None:
    """Jira answers an expired token like an anonymous caller, who sees no issue. An issue exists, so none may be created."""
    with served(Jira(accounts={EMAIL: TOKEN})) as site:
        created = site.app.create("OPS", "created before", labels=[MARKER.label])
        site.app.faults.add(Fault(path="/rest/api/3/search/jql", status=200, body='{"issues": []}'))
        client = JiraClient(site.url, EMAIL, secret("expired", TOKEN))

        assert JiraTracker(lambda: client).find_by_marker(MARKER) == [FoundIssue(created.key, has_property=False)]


def test_a_create_that_is_refused_for_a_rotated_token_is_sent_once() -> None:
    with served(Jira(accounts={EMAIL: TOKEN})) as site:
        client = JiraClient(site.url, EMAIL, secret("expired", TOKEN))
        with pytest.raises(errors.CredentialRefusedError):
            JiraTracker(lambda: client).create_issue({}, MARKER)

        assert [request["method"] for request in site.app.requests] == ["POST"]

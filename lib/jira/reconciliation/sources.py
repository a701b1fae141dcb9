"""What reconciliation reads: Jira and the read side of the store."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from lib.jira.items import Issue
from lib.jira.paging import Page


class Jira(Protocol):
    """See :class:`lib.jira.client.JiraClient`."""

    def fetch(self, key_or_id: str, fields: Any = ...) -> dict[str, Any]:
        """One issue, consistently."""

    def search_all(self, jql: str, *, fields: Any = ..., reconcile: Any = ...) -> list[dict[str, Any]]:
        """All issues of a search."""

    def pages(
        self,
        jql: str,
        *,
        fields: Any = ...,
        token: str | None = ...,
        has_time: Callable[[], bool] = ...,
        pages_before: int = ...,
    ) -> Iterator[Page]:
        """The pages of a search."""

    def sees_project(self, project_key: str) -> bool:
        """Whether the project exists and may be browsed."""

    def check_credentials(self) -> None:
        """Raise AccessDeniedError if Jira does not accept the token."""


class Reader(Protocol):
    """See :class:`lib.jira.issue_reader.IssueReader`."""

    def by_project(self, project_key: str, *, after: int = ..., through: int | None = ...) -> Iterator[Issue]:
        """The live issues in the order of their numbers."""

    def heads(self, issue_keys: Any) -> dict[str, Issue]:
        """The current states of some issues."""

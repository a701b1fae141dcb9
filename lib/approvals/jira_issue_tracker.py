"""Jira as an :class:`lib.approvals.issue_tracker.IssueTracker`, on the client of lib/jira/client.py.

The client is passed in, not imported: importing it loads Jira's SDK.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lib.approvals.issue_tracker import PROPERTY_KEY, FoundIssue, Marker
from lib.platform import errors

if TYPE_CHECKING:
    from lib.jira.client import JiraClient

# Only after these errors, nothing was created. After any other, even a permanent one (such as an answer that can't be read),
# the issue may exist.
_NOTHING_HAPPENED = (errors.InvalidInputError, errors.CredentialRefusedError, errors.NotFoundError, errors.RetryableError)


class JiraTracker:
    """Jira, connected when it is first needed.

    Only a search replaces a token that was rotated. There is one before every create, so a create is sent once.
    """

    def __init__(self, connect: "Callable[[], JiraClient]") -> None:
        self._connect = connect
        self._connected: JiraClient | None = None

    def create_issue(self, fields: Mapping[str, Any], marker: Marker) -> str:
        """See :meth:`lib.approvals.issue_tracker.IssueTracker.create_issue`."""
        try:
            return self._client().create(fields, properties={PROPERTY_KEY: marker.value()})
        except (errors.AmbiguousError, *_NOTHING_HAPPENED):
            raise
        except errors.SwitchboardError as error:
            raise errors.ConnectionLostError(str(error)) from error

    def find_by_marker(self, marker: Marker) -> Sequence[FoundIssue]:
        """See :meth:`lib.approvals.issue_tracker.IssueTracker.find_by_marker`. The search covers every project."""
        return self._client().with_current_token(lambda: self._find(marker))

    def _find(self, marker: Marker) -> Sequence[FoundIssue]:
        client = self._client()
        # The label consists of letters, digits and a hyphen: nothing in it needs to be escaped.
        found = client.search_all(f'labels = "{marker.label}" ORDER BY created ASC', fields=["labels"])
        keys = [str(issue["key"]) for issue in found]
        if not keys:
            # Without access the search finds nothing, and "none" leads to a second request to create.
            client.check_credentials()
        return [FoundIssue(key, has_property=client.property_of(key, PROPERTY_KEY) == marker.value()) for key in keys]

    def _client(self) -> "JiraClient":
        if self._connected is None:
            self._connected = self._connect()
        return self._connected

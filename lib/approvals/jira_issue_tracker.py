"""Jira as an :class:`lib.approvals.issue_tracker.IssueTracker`, on the client of lib/jira/client.py.

The client is passed in, not imported: importing it loads Jira's SDK.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lib.approvals.issue_tracker import PROPERTY_KEY, FoundIssue, Marker
from lib.platform import errors

if TYPE_CHECKING:
    from lib.jira.client import JiraClient

# Only after these errors, nothing was created. After any other, even a permanent one (such as an answer that can't be read),
# the issue may exist.
_NOTHING_HAPPENED = (errors.InvalidInputError, errors.AccessDeniedError, errors.NotFoundError, errors.RetryableError)


class JiraTracker:
    """Jira. ``client`` is that of lib/jira/client.py."""

    def __init__(self, client: "JiraClient") -> None:
        self._client = client

    def create_issue(self, fields: Mapping[str, Any], marker: Marker) -> str:
        """Create an issue with ``fields`` and ``marker``, with one request. Returns its key.

        Raises:
            InvalidInputError, AccessDeniedError, NotFoundError, RetryableError: nothing was created.
            AmbiguousError: it may have been created.
        """
        try:
            return self._client.create(fields, properties={PROPERTY_KEY: marker.value()})
        except (errors.AmbiguousError, *_NOTHING_HAPPENED):
            raise
        except errors.SwitchboardError as error:
            raise errors.ConnectionLostError(str(error)) from error

    def find_by_marker(self, marker: Marker) -> Sequence[FoundIssue]:
        """The issues with the marker's label that Jira's search finds, in every project.

        Raises:
            SwitchboardError: the search failed, or it found nothing and Jira does not accept the credentials: an issue may
                exist nevertheless.
        """
        # The label consists of letters, digits and a hyphen: nothing in it needs to be escaped.
        found = self._client.search_all(f'labels = "{marker.label}" ORDER BY created ASC', fields=["labels"])
        keys = [str(issue["key"]) for issue in found]
        if not keys:
            self._client.check_credentials()  # "none" leads to a second request to create
        return [FoundIssue(key, has_property=self._has_property(key, marker)) for key in keys]

    def _has_property(self, key: str, marker: Marker) -> bool:
        return bool(self._client.property_of(key, PROPERTY_KEY) == marker.value())

"""The messages of the worker's queue.

A message names issues to fetch from Jira (their event does not describe them in full), commits that could not be stored when
they were pushed, and issues to correlate again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from lib.jira.issue_writer import IssueWriter, Recorded
from lib.jira.issues import issue_key
from lib.jira.webhooks import NeedsFetch, from_rest
from lib.platform import errors
from lib.platform.fields import optional_object, optional_objects, read_object

if TYPE_CHECKING:
    from lib.jira.commits import Commit

_KIND = "jira"

MAX_TOUCHED = 1_000
"""A message with more keys is refused: it could use up the time of the whole batch. lib/jira/work_queue.py sends fewer."""


class Jira(Protocol):
    """See :class:`lib.jira.client.JiraClient`."""

    def fetch(self, key_or_id: str) -> dict[str, Any]:
        """One issue, consistently."""

    def check_credentials(self) -> None:
        """Raise CredentialRefusedError if Jira does not accept the token."""


@dataclass(frozen=True, slots=True)
class Task:
    """One message. ``fetch`` is None if there is nothing to fetch. ``commits`` may name issues of unknown projects."""

    touched: tuple[str, ...] = ()
    fetch: NeedsFetch | None = None
    commits: "tuple[Commit, ...]" = ()

    def to_body(self) -> str:
        """The message's body."""
        return json.dumps({"kind": _KIND, **asdict(self)}, separators=(",", ":"))


def read_task(body: str) -> Task:
    """The task of a message's body.

    Raises:
        InvalidInputError: the body is malformed.
    """
    value = read_object(body)
    if value.get("kind") != _KIND:
        raise errors.InvalidInputError("the message is not a task of the Jira sync")
    touched, fetch = value.get("touched", []), optional_object(value, "fetch")
    if not isinstance(touched, list) or not all(isinstance(key, str) for key in touched):
        raise errors.InvalidInputError("touched is not a list of keys")
    if len(touched) > MAX_TOUCHED:
        raise errors.InvalidInputError(f"the message touches more than {MAX_TOUCHED} issues")
    keys = tuple(issue_key(key) for key in touched)
    return Task(keys, _read_fetch(fetch) if fetch else None, _read_commits(optional_objects(value, "commits")))


def fetch_and_record(fetch: NeedsFetch, jira: Jira, store: IssueWriter) -> list[Recorded]:
    """Fetch the issues that an event named, and store each as a delivery of that event.

    An issue that Jira does not return is skipped: an event of its own reports its deletion, or the sweep finds it. Jira may
    answer a refused token in the same way, so the credentials are checked then.

    Raises:
        SwitchboardError: Jira or the table failed. Repeat the whole task: what was stored is not doubled.
    """
    recorded = []
    for key_or_id in fetch.issues:
        try:
            issue = jira.fetch(key_or_id)
        except errors.NotFoundError:
            jira.check_credentials()
            continue
        delivery = from_rest(
            issue,
            event_type=fetch.event_type,
            event_at=fetch.event_at,
            idempotency_key=fetch.idempotency_key,
            asked_for=key_or_id,
        )
        recorded.append(store.record(delivery))
    return recorded


def _read_commits(values: Sequence[Mapping[str, Any]]) -> "tuple[Commit, ...]":
    if not values:
        return ()
    from lib.jira.commits import from_json  # noqa: PLC0415 - few messages have commits

    return tuple(map(from_json, values))


def _read_fetch(value: Mapping[str, Any]) -> NeedsFetch:
    try:
        issues, event_at = value["issues"], value["event_at"]
        texts = (*issues, value["event_type"], value["idempotency_key"])
    except (KeyError, TypeError):
        raise errors.InvalidInputError("the fetch is incomplete") from None
    if not isinstance(event_at, int) or not all(isinstance(text, str) for text in texts):
        raise errors.InvalidInputError("the fetch has values of another type")
    return NeedsFetch(tuple(issues), value["event_type"], event_at, value["idempotency_key"])

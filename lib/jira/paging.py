"""Reads the pages of a Jira search one after the other, and stops a listing that does not end.

Jira marks the end of a listing (``isLast``, or no token), but has been seen to do it wrongly: tokens that are empty, repeat or
alternate, and endless empty pages. docs/adr/0026 gives the reasons for the limits.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lib.platform import errors

MAX_PAGES = 20_000
"""Pages in one run. At 100 issues per page that is a project of 2,000,000 issues; Atlassian recommends at most 18,000,000
for a whole site (https://support.atlassian.com/jira-cloud-administration/docs/data-limits-and-guardrails)."""

MAX_IDLE_PAGES = 20
"""Pages in a row without a new issue."""

IDLE_PAUSE_SECONDS = 0.5
"""The pause after a page without a new issue: at most two requests per second without progress."""

_REMEMBERED_ISSUES = 10_000


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search; ``next_token`` is None on the last one. Jira has been seen to send null for an issue."""

    issues: tuple[Any, ...]
    next_token: str | None


def read_pages(
    ask: Callable[[str | None], Page],
    token: str | None = None,
    *,
    sleep: Callable[[float], None],
    has_time: Callable[[], bool] = lambda: True,
    pages_before: int = 0,
) -> Iterator[Page]:
    """The pages from ``token`` on. Each is yielded before it is checked, so that its issues are not lost.

    Ends after the last page, or when ``has_time`` returns False; the last yielded page then has a ``next_token``.

    Args:
        ask: requests the page of a token.
        token: where to start; None for the first page.
        sleep: waits.
        has_time: whether there is time for another page.
        pages_before: the number of pages that earlier invocations of the same run have read.

    Raises:
        PermanentError: the listing does not end.
    """
    # The hashes of all tokens fit in memory, since MAX_PAGES bounds them. Of the issues, only the latest are kept.
    tokens = {hash(token)}
    latest: dict[Any, None] = {}
    idle, pages = 0, pages_before
    while True:
        page = ask(token)
        pages += 1
        yield page
        if page.next_token is None:
            return
        idle = 0 if _add_new(latest, page.issues) else idle + 1
        _check_progress(page.next_token, tokens, idle, pages)
        if not has_time():
            return
        if idle:
            sleep(IDLE_PAUSE_SECONDS)
        tokens.add(hash(page.next_token))
        token = page.next_token


def issues_of(pages: Iterable[Page]) -> list[dict[str, Any]]:
    """All issues of a short listing, in which every entry counts.

    Raises:
        PermanentError: an entry is not an issue with a key.
    """
    issues = [issue for page in pages for issue in page.issues]
    if not all(isinstance(issue, dict) and isinstance(issue.get("key"), str) for issue in issues):
        raise errors.PermanentError("Jira's search lists something that is not an issue")
    return issues


def _check_progress(next_token: str, tokens: set[int], idle: int, pages: int) -> None:
    if hash(next_token) in tokens:
        raise errors.PermanentError("Jira repeats a page")
    if idle >= MAX_IDLE_PAGES:
        raise errors.PermanentError(f"Jira sent {MAX_IDLE_PAGES} pages in a row without a new issue")
    if pages >= MAX_PAGES:
        raise errors.PermanentError(f"Jira's listing does not end after {MAX_PAGES} pages")


def _add_new(latest: dict[Any, None], issues: Iterable[Any]) -> bool:
    """Remember the issues of a page; returns whether one of them is new."""
    keys = [issue["key"] for issue in issues if isinstance(issue, dict) and isinstance(issue.get("key"), str)]
    new = [key for key in keys if key not in latest]
    latest.update(dict.fromkeys(new))
    while len(latest) > _REMEMBERED_ISSUES:
        del latest[next(iter(latest))]
    return bool(new)

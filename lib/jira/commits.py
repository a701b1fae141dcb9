"""Commits that name issues: GitHub's and Bitbucket's webhooks, read; and the COMMIT rows they become.

Sources: https://docs.github.com/webhooks/webhook-events-and-payloads (push, pull_request) and
https://support.atlassian.com/bitbucket-cloud/docs/event-payloads (repo:push, pullrequest:*). The author's address is not
kept.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lib import clock, errors
from lib.jira import payload
from lib.jira.deliveries import Ignored
from lib.jira.issues import KEY_PATTERN, split_key
from lib.jira.rows import COMMIT_PREFIX, Item, key

# Bounded by what is no letter, digit or underscore, so that XABC-1, ABC-12 and ABC-1x don't name ABC-1, and
# feature/ABC-1-login does.
_NAMED = re.compile(rf"(?<![A-Za-z0-9_])({KEY_PATTERN})(?![A-Za-z0-9_])", re.ASCII)
_SHA = re.compile(r"[0-9a-fA-F]{7,64}", re.ASCII)
_BRANCH = "refs/heads/"

MAX_ISSUES_PER_COMMIT = 50
"""A commit that names more (a release note, a merge of everything) links to the first ones."""

_MAX_BYTES = 1_000_000
_KEPT_TITLE_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit and the issues it names.

    Attributes:
        sha: in lower case.
        repository: ``owner/name``.
        title: the first line of the message, or the title of the pull request.
        committed_at: canonical time.
        issue_keys: the issues that message, branch or title name, in order, each once.
    """

    sha: str
    repository: str
    title: str
    committed_at: str
    issue_keys: tuple[str, ...]


def keys_named(*texts: str | None) -> tuple[str, ...]:
    """Whatever looks like an issue key in ``texts``, in order, each once. ``UTF-8`` does, too: see :func:`keep_known`."""
    return tuple(dict.fromkeys(match.group(1) for text in texts if text for match in _NAMED.finditer(text)))


def normalise(body: bytes) -> tuple[Commit, ...] | Ignored:
    """Read a webhook of GitHub or Bitbucket: a push, or a pull request's opening or change.

    Raises:
        InvalidInputError: the body is no JSON object, or breaks the shape of its event.
    """
    event = payload.read_object(body)
    repository = payload.mapping(event, "repository") or {}
    name = payload.text(repository, "full_name", max_bytes=1000) or "unknown"
    if "push" in event:
        return tuple(_bitbucket_push(event, name))
    if "pullrequest" in event:
        return tuple(_bitbucket_pull_request(event, name))
    if "pull_request" in event:
        return tuple(_github_pull_request(event, name))
    if "commits" in event:
        return tuple(_github_push(event, name))
    return Ignored("the event has no commits")  # GitHub's ping, for one


def keep_known(commits: Iterable[Commit], is_known: Callable[[str], bool]) -> list[Commit]:
    """The commits with those of their keys whose project ``is_known``, and without the commits that have none left.

    ``is_known`` is asked once for each project key.
    """
    known: dict[str, bool] = {}
    kept = []
    for commit in commits:
        for issue_key in commit.issue_keys:
            project = split_key(issue_key)[0]
            if project not in known:
                known[project] = is_known(project)
        keys = tuple(issue_key for issue_key in commit.issue_keys if known[split_key(issue_key)[0]])
        if keys:
            kept.append(Commit(commit.sha, commit.repository, commit.title, commit.committed_at, keys))
    return kept


def commit_items(commit: Commit) -> list[Item]:
    """The COMMIT rows of a commit: one for each issue, the same whenever they are written."""
    return [
        {
            **key(issue_key, COMMIT_PREFIX + commit.sha),
            "sha": {"S": commit.sha},
            "repository": {"S": commit.repository},
            "title": {"S": commit.title},
            "committed_at": {"S": commit.committed_at},
        }
        for issue_key in commit.issue_keys
    ]


def read_commit(item: Mapping[str, Any]) -> Commit:
    """The commit of a COMMIT row, as its issue knows it."""
    return Commit(
        sha=item["sha"]["S"],
        repository=item["repository"]["S"],
        title=item["title"]["S"],
        committed_at=item["committed_at"]["S"],
        issue_keys=(item["issue_key"]["S"],),
    )


def _github_push(event: Mapping[str, Any], repository: str) -> Iterator[Commit]:
    ref = payload.text(event, "ref", max_bytes=_MAX_BYTES) or ""
    branch = ref.removeprefix(_BRANCH) if ref.startswith(_BRANCH) else None
    for commit in payload.objects(event, "commits"):
        message = payload.text(commit, "message", max_bytes=_MAX_BYTES)
        yield _commit(_sha(commit, "id"), _time(commit, "timestamp"), repository, message, branch)


def _github_pull_request(event: Mapping[str, Any], repository: str) -> Iterator[Commit]:
    request = payload.mapping(event, "pull_request") or {}
    head = payload.mapping(request, "head") or {}
    title = payload.text(request, "title", max_bytes=_MAX_BYTES)
    branch = payload.text(head, "ref", max_bytes=_MAX_BYTES)
    yield _commit(_sha(head, "sha"), _time(request, "updated_at"), repository, title, branch)


def _bitbucket_push(event: Mapping[str, Any], repository: str) -> Iterator[Commit]:
    for change in payload.objects(payload.mapping(event, "push") or {}, "changes"):
        new = payload.mapping(change, "new") or {}  # null when a branch was deleted
        branch = payload.text(new, "name", max_bytes=_MAX_BYTES) if new.get("type") == "branch" else None
        for commit in payload.objects(change, "commits"):
            message = payload.text(commit, "message", max_bytes=_MAX_BYTES)
            yield _commit(_sha(commit, "hash"), _time(commit, "date"), repository, message, branch)


def _bitbucket_pull_request(event: Mapping[str, Any], repository: str) -> Iterator[Commit]:
    request = payload.mapping(event, "pullrequest") or {}
    source = payload.mapping(request, "source") or {}
    commit = payload.mapping(source, "commit") or {}
    title = payload.text(request, "title", max_bytes=_MAX_BYTES)
    branch = payload.text(payload.mapping(source, "branch") or {}, "name", max_bytes=_MAX_BYTES)
    yield _commit(_sha(commit, "hash"), _time(request, "updated_on"), repository, title, branch)


def _commit(sha: str, committed_at: str, repository: str, text: str | None, branch: str | None) -> Commit:
    return Commit(
        sha=sha,
        repository=repository,
        title=(text or "").partition("\n")[0][:_KEPT_TITLE_CHARACTERS],
        committed_at=committed_at,
        issue_keys=keys_named(text, branch)[:MAX_ISSUES_PER_COMMIT],
    )


def _sha(commit: Mapping[str, Any], name: str) -> str:
    sha = payload.text(commit, name, max_bytes=64)
    if sha is None or not _SHA.fullmatch(sha):
        raise errors.InvalidInputError(f"the commit's {name} is not a hash")
    return sha.lower()


def _time(parent: Mapping[str, Any], name: str) -> str:
    try:
        return clock.canonical(clock.parse(payload.text(parent, name, max_bytes=64) or ""))
    except ValueError:
        raise errors.InvalidInputError(f"{name} is not a time with an offset") from None

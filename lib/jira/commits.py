"""Commits that name issues: the keys in a text, which of them are known, and the COMMIT rows of a commit. Pure.

lib/jira/git_hosts/ reads the webhooks of each Git host. The author's address is not kept.
"""

import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lib.jira.issues import is_issue_key, issue_key, split_key
from lib.jira.items import COMMIT_PREFIX, Item, key
from lib.platform import clock, errors
from lib.platform.dynamodb import number
from lib.platform.fields import optional_text

# Any character but an ASCII letter or digit ends a key. An underscore may also be part of a project key, so a match is the
# longest possible key, and `candidates` lists the shorter ones. The quantifiers are possessive, which keeps the scan linear.
_NAMED = re.compile(r"(?<![A-Z0-9])([A-Z][A-Z0-9_]{0,79}+-[1-9][0-9]{0,17}+)(?![A-Z0-9])", re.ASCII | re.IGNORECASE)
_SHA = re.compile(r"[0-9a-f]{7,64}", re.ASCII)

MAX_COMMITS_PER_PUSH = 2048
"""The most that GitHub lists. Later commits of a larger push are left out."""
MAX_NAMES_PER_COMMIT = 200
"""The most words of a commit that look like issue keys. Further ones are left out."""
MAX_ISSUES_PER_COMMIT = 50
"""A commit that names more issues (a release note, a merge of everything) links to the first ones."""
MAX_LINKS_PER_PUSH = 5000
"""The most links of a push. A link is one commit of one issue, and one row: this many take 200 calls of 25 rows."""
MAX_LOOKUPS_PER_PUSH = 50
"""Project keys per push that are looked up in the table. Further keys count as unknown."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit and the issues that it names.

    Attributes:
        sha: in lower case.
        repository: ``owner/name``.
        title: the first line of the message, or the title of the pull request.
        committed_at: canonical time.
        issue_keys: the issues that message, branch or title name, in order, each once. Before :func:`keep_known`: the longest
            possible key of each word.
    """

    sha: str
    repository: str
    title: str
    committed_at: str
    issue_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Push:
    """The commits of a webhook.

    Attributes:
        commits: each hash once.
        unusable: commits without a hash or a message.
        left_out: commits and words beyond the limits of this module.
    """

    commits: tuple[Commit, ...]
    unusable: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Links:
    """The commits that name issues of known projects, with the keys of those only.

    ``left_out`` counts links, and ``not_checked`` project keys, beyond the limits of this module.
    """

    commits: tuple[Commit, ...]
    left_out: int = 0
    not_checked: int = 0


def keys_named(*texts: str | None) -> tuple[str, ...]:
    """Everything in ``texts`` that looks like an issue key (``UTF-8`` too), in upper case, in order, each once."""
    return tuple(dict.fromkeys(match.group(1).upper() for text in texts if text for match in _NAMED.finditer(text)))


def candidates(named: str) -> tuple[str, ...]:
    """The keys that ``named`` may mean, longest first: ``FIX_A_B-1``, ``A_B-1``, ``B-1``."""
    parts = named.split("_")
    return tuple(shorter for start in range(len(parts)) if is_issue_key(shorter := "_".join(parts[start:])))


def keep_known(commits: Iterable[Commit], known_projects: Container[str], look_up: Callable[[str], bool]) -> Links:
    """Keep the keys of known projects, and the commits that still name one.

    Of the keys that a word may mean, the longest of a known project counts. ``look_up`` is called once per project key that is
    not in ``known_projects``, for at most :data:`MAX_LOOKUPS_PER_PUSH` of them.
    """
    looked_up: dict[str, bool] = {}
    not_checked: set[str] = set()

    def is_known(project: str) -> bool:
        if project in known_projects:
            return True
        if project not in looked_up:
            if len(looked_up) >= MAX_LOOKUPS_PER_PUSH:
                not_checked.add(project)
                return False
            looked_up[project] = look_up(project)
        return looked_up[project]

    kept, links, left_out = [], 0, 0
    for commit in commits:
        meant = (next((one for one in candidates(named) if is_known(split_key(one)[0])), "") for named in commit.issue_keys)
        keys = tuple(dict.fromkeys(one for one in meant if one))
        linked = keys[: min(MAX_ISSUES_PER_COMMIT, MAX_LINKS_PER_PUSH - links)]
        links += len(linked)
        left_out += len(keys) - len(linked)
        if linked:
            kept.append(replace(commit, issue_keys=linked))
    return Links(tuple(kept), left_out, len(not_checked))


def sha_of(value: object) -> str | None:
    """``value`` in lower case if it is the hash of a commit."""
    sha = value.lower() if isinstance(value, str) else ""
    return sha if _SHA.fullmatch(sha) else None


def commit_items(commit: Commit, expires_at: datetime) -> list[Item]:
    """The COMMIT rows of a commit, one per issue. A repeated push writes the same rows with a later expiry."""
    return [
        {
            **key(issue_key, COMMIT_PREFIX + commit.sha),
            "sha": {"S": commit.sha},
            "repository": {"S": commit.repository},
            "title": {"S": commit.title},
            "committed_at": {"S": commit.committed_at},
            "expires_at": number(clock.epoch_s(expires_at)),
        }
        for issue_key in commit.issue_keys
    ]


def read_commit(item: Mapping[str, Any]) -> Commit:
    """The commit of a COMMIT row, with the key of that row only."""
    return Commit(
        sha=item["sha"]["S"],
        repository=item["repository"]["S"],
        title=item["title"]["S"],
        committed_at=item["committed_at"]["S"],
        issue_keys=(item["issue_key"]["S"],),
    )


def from_json(value: Mapping[str, Any]) -> Commit:
    """Read a commit in a queue message.

    Raises:
        InvalidInputError: it is malformed.
    """
    sha, keys = sha_of(value.get("sha")), value.get("issue_keys")
    texts = [optional_text(value, name, max_bytes=4000) or "" for name in ("repository", "title", "committed_at")]
    if sha is None or not isinstance(keys, list):
        raise errors.InvalidInputError("a commit of the message is incomplete")
    try:
        committed_at = clock.canonical(clock.parse(texts[2]))
    except ValueError:
        raise errors.InvalidInputError("committed_at is not a time") from None
    return Commit(
        sha, texts[0], texts[1], committed_at, tuple(issue_key(one if isinstance(one, str) else None) for one in keys)
    )

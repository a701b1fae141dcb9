"""Collects the commits of a webhook. Nothing is refused: a value of an undocumented type counts as absent. Pure.

Git hosts do not send an event again after a 4xx, so one odd commit must not lose the others.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from lib.jira.commits import MAX_COMMITS_PER_PUSH, MAX_NAMES_PER_COMMIT, Commit, Push, keys_named, sha_of
from lib.platform import clock
from lib.platform.fields import text_at

_MAX_TEXT_BYTES = 1_000_000
_KEPT_TITLE_CHARACTERS = 200
_KEPT_NAME_CHARACTERS = 300


def entries(parent: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    """The elements of the list ``parent[name]``, with an empty object for each one that is not an object."""
    value = parent.get(name)
    for element in value if isinstance(value, list) else ():
        yield element if isinstance(element, dict) else {}


def text(parent: Mapping[str, Any], name: str) -> str | None:
    """The text ``parent[name]``, which may be empty, with lone surrogates replaced; None if it is not a text."""
    return (text_at(parent, name, max_bytes=_MAX_TEXT_BYTES) or "") if isinstance(parent.get(name), str) else None


def branch_of(ref: str | None) -> str | None:
    """The branch of a full ref; None for a tag."""
    return ref.removeprefix("refs/heads/") if ref and ref.startswith("refs/heads/") else None


class PushReader:
    """Collects the commits of one event. ``received_at`` is the time of those without a usable one."""

    def __init__(self, repository: str | None, received_at: datetime) -> None:
        self._repository = (repository or "unknown")[:_KEPT_NAME_CHARACTERS]
        self._received_at = received_at
        self._commits: dict[str, Commit] = {}
        self._branches: dict[str, tuple[str, ...]] = {}
        self._unusable = 0
        self._left_out = 0

    def add(self, sha: object, message: str | None, *times: object, branch: str | None = None) -> None:
        """Add a listed commit. Without a hash or a message it is counted as unusable.

        Args:
            sha: the hash.
            message: the commit's message, or the title of the pull request.
            times: in order of preference; the first that can be read is the commit's time.
            branch: names issues as the message does.
        """
        read = sha_of(sha)
        if read is None or message is None:
            self._unusable += 1
            return
        named = self._limit(tuple(dict.fromkeys((*keys_named(message), *self._keys_of_branch(branch or "")))))
        self._put(
            Commit(
                sha=read,
                repository=self._repository,
                title=message.partition("\n")[0].rstrip("\r")[:_KEPT_TITLE_CHARACTERS],
                committed_at=self._time(times),
                issue_keys=named,
            )
        )

    def add_tip(self, sha: object, message: str | None, *times: object, branch: str | None = None) -> None:
        """Add the commit that a branch or tag points to, which the event may also list. Without a message, the branch's name is
        its title. A missing or all-zero hash adds nothing."""
        message = branch if message is None else message
        if (sha_of(sha) or "0").strip("0") and message is not None:
            self.add(sha, message, *times, branch=branch)

    def push(self) -> Push:
        """What was read."""
        return Push(tuple(self._commits.values()), self._unusable, self._left_out)

    def _keys_of_branch(self, branch: str) -> tuple[str, ...]:
        """Search each branch once: an event may have thousands of branches and thousands of commits."""
        if branch not in self._branches:
            self._branches[branch] = self._limit(keys_named(branch))
        return self._branches[branch]

    def _limit(self, named: tuple[str, ...]) -> tuple[str, ...]:
        self._left_out += max(0, len(named) - MAX_NAMES_PER_COMMIT)
        return named[:MAX_NAMES_PER_COMMIT]

    def _put(self, commit: Commit) -> None:
        """Keep the first of two entries of one commit, with the keys of both."""
        first = self._commits.get(commit.sha)
        if first is None and len(self._commits) >= MAX_COMMITS_PER_PUSH:
            self._left_out += 1
            return
        if first is not None:
            keys = tuple(dict.fromkeys((*first.issue_keys, *commit.issue_keys)))
            commit = Commit(first.sha, first.repository, first.title, first.committed_at, keys)
        self._commits[commit.sha] = commit

    def _time(self, times: tuple[object, ...]) -> str:
        return clock.canonical(next((moment for moment in map(_instant, times) if moment), self._received_at))


def _instant(value: object) -> datetime | None:
    """The instant of an ISO 8601 text or of a number of seconds or milliseconds; None if it is neither."""
    try:
        if isinstance(value, str):
            return clock.parse(value.removesuffix(" UTC") + "+00:00" if value.endswith(" UTC") else value)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= clock.LAST_EPOCH_MS:
            return clock.from_epoch_ms(int(value if value >= clock.FIRST_EPOCH_MS else value * 1000))
    except ValueError:
        return None
    return None

"""Records which grants the tests of this process use, from the ledgers of the running local clouds, test by test.

What a cloud does after a test has ended counts for the next test that reads the ledger. So the test named for a grant is one
of those that used it; others may use it too.
"""

import json
import os
import re
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, str, str]
"""Principal, action, resource: without what is random in their names, so that every cloud has the same."""


@dataclass(slots=True)
class Tally:
    """What became of a grant, or of something refused, and in which tests.

    ``expected`` is for refusals: whether every test that saw one said so beforehand.
    """

    times: int = 0
    reason: str = ""
    tests: list[str] = field(default_factory=list)
    expected: bool = True


class Watch:
    """The book of one test process."""

    def __init__(self) -> None:
        self.grants: dict[Key, Tally] = {}
        self.refusals: dict[Key, Tally] = {}
        self.lost: list[str] = []
        """The clouds that did not answer and were not stopped on purpose, by the test after which they were asked."""
        self._seen: dict[str, Counter[tuple[str, Key]]] = {}

    @property
    def clouds(self) -> frozenset[str]:
        """The clouds that are looked at, by the URL of their AWS API."""
        return frozenset(self._seen)

    def join(self, aws_url: str) -> None:
        """A cloud has started."""
        self._seen[aws_url] = Counter()

    def leave(self, aws_url: str) -> None:
        """A cloud is about to stop, or to be killed: a last look."""
        if aws_url in self._seen:
            self.look(_current_test(), by_hand=_is_by_hand(), only=aws_url)
            self._seen.pop(aws_url, None)

    def look(self, test: str, *, by_hand: bool = False, only: str = "") -> None:
        """Put down to ``test`` what has happened since the last look.

        ``by_hand`` is for a test that itself calls AWS with a role's rights, to see what is refused: its refusals are
        expected, and what it is allowed shows nothing of what the functions need.
        """
        for url in [only] if only else list(self._seen):
            try:
                with urllib.request.urlopen(f"{url}/_local/iam", timeout=10) as answer:
                    book = json.load(answer)
            except (urllib.error.URLError, ConnectionError, TimeoutError, ValueError) as error:
                self._seen.pop(url, None)
                self.lost.append(f"{test} ({type(error).__name__})")
                continue
            self.enter(url, book, test, by_hand=by_hand)

    def enter(self, url: str, book: dict[str, Any], test: str, *, by_hand: bool = False) -> None:
        """Take what a cloud's ledger has more than when it was last looked at."""
        seen = self._seen.setdefault(url, Counter())
        for grant in book["grants"]:
            key = key_of(grant)
            tally = self.grants.setdefault(key, Tally(reason=grant["reason"]))
            _add(tally, test, 0 if by_hand else grant["uses"] - seen["use", key])
            seen["use", key] = grant["uses"]
        for refusal in book["refusals"]:
            key = key_of(refusal)
            if more := refusal["times"] - seen["refusal", key]:
                tally = self.refusals.setdefault(key, Tally())
                _add(tally, test, more)
                tally.expected = tally.expected and by_hand
                seen["refusal", key] = refusal["times"]

    def as_json(self) -> dict[str, Any]:
        """The book, for a file."""
        return {"grants": _rows(self.grants), "refusals": _rows(self.refusals), "lost": self.lost}


WATCH = Watch()
BY_HAND = "PYTEST_RIGHTS_BY_HAND"
"""Set in the environment while a test runs that is marked ``rights_by_hand``."""


def key_of(row: dict[str, Any]) -> Key:
    """The key of a ledger's row."""
    return plain(row["principal"]), row["action"], plain(row["resource"])


def plain(name: str) -> str:
    """A name without the random parts that Pulumi, Secrets Manager and API Gateway give it, nor account and region."""
    name = re.sub(r"(:secret:[^:]+?)-[0-9a-f]{7}-[A-Za-z0-9]{6}\b", r"\1", name)
    name = re.sub(r"-[0-9a-f]{7}(?![0-9A-Za-z])", "", name)
    name = re.sub(r"(:execute-api:[^:]*:\d*:)\w+", r"\1api", name)
    return re.sub(r"arn:aws:([\w-]+):[\w-]*:\d*:", r"\1:", name)


def _add(tally: Tally, test: str, more: int) -> None:
    if more > 0:
        tally.times += more
        if test not in tally.tests:
            tally.tests.append(test)


def _rows(book: dict[Key, Tally]) -> list[dict[str, Any]]:
    return [
        {
            "principal": principal,
            "action": action,
            "resource": resource,
            "times": tally.times,
            "reason": tally.reason,
            "tests": tally.tests,
            "expected": tally.expected,
        }
        for (principal, action, resource), tally in sorted(book.items())
    ]


def _current_test() -> str:
    return os.environ.get("PYTEST_CURRENT_TEST", "between tests").rpartition(" (")[0] or "between tests"


def _is_by_hand() -> bool:
    return bool(os.environ.get(BY_HAND))

"""How much memory a sweep takes: 1,000 issues against 100,000, each in a process of its own.

    python -m tests.bench.reconciliation_memory

The stand-in runs in a process of its own, the client and the merge are real, each issue is stale and goes to a store
that forgets it. The two peaks may differ by 30 MB (the bound is in the issue); the exit code says whether they do.
"""

import json
import multiprocessing
import resource
import sys
import time

from lib.jira.client import JiraClient
from lib.jira.issue_writer import Outcome, Recorded
from lib.jira.issues import IssueFields, Stamp
from lib.jira.items import Issue
from lib.jira.reconciliation.checkpoint import Checkpoint
from lib.jira.reconciliation.merge import KeyRange
from lib.jira.reconciliation.reconciler import Reconciler
from stack.local.serving import Server
from stack.local.standins.jira import Jira
from tests.support.jira.builders import secret

SIZES = (1_000, 100_000)
ALLOWED_MB = 30


class StaleRows:
    """A project of which every issue is stored, in an old state."""

    def __init__(self, count):
        self._count = count

    def by_project(self, project, *, after=0, through=None):
        stamp = Stamp("2000-01-01T00:00:00.000000Z", 0, "old")
        return (Issue(f"{project}-{n}", str(n), stamp, IssueFields()) for n in range(after + 1, self._count + 1))


class Forgetful:
    """Takes every delivery."""

    def record(self, delivery):
        return Recorded(Outcome.STORED, (delivery.issue_key,))


def run_site(count, url):
    jira = Jira()
    jira.seed("OPS", count)
    url.send(Server(jira).url)
    url.recv()


def run_sweep(count, url, answer):
    started = time.monotonic()
    client = JiraClient(url, "a@example.com", secret("token"))
    result = Reconciler(client, Forgetful(), StaleRows(count)).sweep(Checkpoint(KeyRange("OPS")))
    assert result.complete, result
    answer.send(
        {
            "issues": result.counts.fetched,
            "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            "seconds": round(time.monotonic() - started, 1),
        }
    )


def measure(context, count):
    mine, theirs = context.Pipe()
    site = context.Process(target=run_site, args=(count, theirs), daemon=True)
    site.start()
    answer, result = context.Pipe()
    sweep = context.Process(target=run_sweep, args=(count, mine.recv(), result))
    sweep.start()
    measured = answer.recv()
    sweep.join()
    site.terminate()
    return measured


def main():
    context = multiprocessing.get_context("spawn")
    small, large = (measure(context, count) for count in SIZES)
    difference = large["peak_mb"] - small["peak_mb"]
    print(json.dumps({"small": small, "large": large, "difference_mb": round(difference, 1), "allowed_mb": ALLOWED_MB}))
    return 0 if difference <= ALLOWED_MB else 1


if __name__ == "__main__":
    sys.exit(main())

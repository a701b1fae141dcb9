"""Copies of a function's process, as SnapStart starts them from one snapshot: they share no random values and nothing stale.

Each function is imported and used in a new process, which is then copied twice. A fork is the copy; unlike a copied
virtual machine, it seeds ``random`` again, so each copy begins with the random state of the original.
"""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from lib.platform.contract import ALL_ENTRY_POINTS
from tests.unit.handlers.test_cold_start import VARIABLES

COPIED = sorted(set(ALL_ENTRY_POINTS) - {"imports"})
"""Every function but the one that is never copied: SnapStart allows no disk of that size."""
FURTHER = {
    "ARTIFACT_BUCKET_NAME": "artifacts",
    "JIRA_QUEUE_URL": "https://sqs.test/work",
    "APPROVAL_QUEUE_URL": "https://sqs.test/approvals",
    "HISTORY_DAYS": "365",
    "SOURCE_TABLE_ARN": "arn:aws:dynamodb:us-west-2:123456789012:table/legacy",
    "BACKFILL_QUEUE_URL": "https://sqs.test/backfill",
    "NOTIFY_CHANNELS": "sns,teams",
    "TEAMS_WEBHOOK_URL_ARN": "arn:aws:secretsmanager:us-west-2:123456789012:secret:teams",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
}
SCRIPT = """
import importlib, json, os, random, sys

import snapshot_restore_py
importlib.import_module("handlers." + sys.argv[1])

from lib.leases.circuit_breaker import Breaker
from lib.platform import restore
from lib.platform.secrets import Secret
from lib.shuttle import ulids
import datetime, secrets, types, uuid

calls_jira = sys.argv[1] in ("jira_worker", "reconciliation")
if calls_jira:
    from lib.jira.client import _wait
owners = list(restore._hooks)
for owner in owners:  # as if the function had worked before the snapshot
    if isinstance(owner, Secret):
        owner._current, owner._read_at = "old", owner._monotonic()
    elif isinstance(owner, Breaker):
        for _ in range(3):
            owner.failed()
random.random()
state = random.getstate()
now = datetime.datetime.now(datetime.UTC)

def observe():
    attempt = types.SimpleNamespace(attempt_number=3, outcome=None)
    return {
        "random": random.random(),
        **({"jitter": _wait(attempt)} if calls_jira else {}),
        "owner": secrets.token_hex(16),
        "id": str(uuid.uuid4()),
        "ulid": ulids.new(now),
        "stale": sorted(
            type(owner).__name__
            for owner in owners
            if getattr(owner, "_read_at", None) is not None or getattr(owner, "_next_probe_at", None) is not None
        ),
    }

for _ in range(2):
    child = os.fork()
    if not child:
        random.setstate(state)
        if sys.argv[2] == "restored":
            for function, positional, named in snapshot_restore_py.get_after_restore():
                function(*positional, **named)
        print(json.dumps(observe()), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


def copies_of(entry_point: str, how: str) -> list[dict[str, Any]]:
    """What two copies of a function's process observe: ``restored``, or ``as it was`` without the hooks."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, entry_point, how],
        env={**environment, **VARIABLES, **FURTHER},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("entry_point", COPIED)
def test_two_copies_of_a_function_share_no_id_jitter_or_claim(entry_point: str) -> None:
    one, other = copies_of(entry_point, "restored")

    assert one.pop("stale") == other.pop("stale") == [], "secrets are read again, and the breaker is closed"
    assert {name for name in one if one[name] == other[name]} == set()


@pytest.mark.parametrize(
    ("entry_point", "shared", "stale"),
    [("notification", {"random", "stale"}, {"Breaker", "Secret"}), ("jira_worker", {"random", "jitter", "stale"}, {"Secret"})],
    ids=["notification", "jira_worker"],
)
def test_without_the_hooks_the_copies_would_share_what_is_random_and_stale(
    entry_point: str, shared: set[str], stale: set[str]
) -> None:
    one, other = copies_of(entry_point, "as it was")

    assert {name for name in one if one[name] == other[name]} == shared
    assert set(one["stale"]) == stale

"""However many claim at the same moment, one wins: on first sight, after a crash and after a failure."""

import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from lib.platform import errors
from lib.platform.claims import Claim, Claims, Verdict
from lib.platform.contract import JIRA_OPERATIONS
from tests.support.concurrency import at_once
from tests.support.dynamodb.tables import a_table
from tests.support.dynamodb.wire import WireClient
from tests.support.project.examples import THOROUGH, examples

# 64 threads on each of 1,000 keys in the thorough profile; these meet in the same races.
THREADS = 64 if THOROUGH else 16
KEYS = examples(100, thorough=1_000)
MEET_EVERY = 20
NOW = datetime(2026, 1, 22, 12, 0, tzinfo=UTC)
LEASE = timedelta(seconds=50)


@pytest.fixture
def table(engine: Any) -> Iterator[str]:
    with a_table(engine, JIRA_OPERATIONS) as name:
        yield name


def claims(client: Any, table: str, now: datetime = NOW) -> Claims:
    return Claims(client, table, lease=LEASE, keep=timedelta(days=400), now=lambda: now)


def storm(client: Any, table: str, event: str, now: datetime = NOW) -> list[Claim]:
    """What ``THREADS`` claims on one key at the same moment come to."""
    contender = claims(WireClient(client), table, now)
    found = at_once([lambda: contender.claim(event, "sns", uuid.uuid4().hex)] * THREADS)
    assert all(isinstance(claim, Claim) for claim in found), found
    return found


def winners(found: list[Claim]) -> list[Claim]:
    assert {claim.verdict for claim in found} <= {Verdict.WON, Verdict.HELD}
    return [claim for claim in found if claim.verdict is Verdict.WON]


def test_each_of_many_claims_has_one_winner_among_many_threads(engine: Any, table: str) -> None:
    """All take the keys in one order, and wait for one another every few keys, so that each key is a race."""
    contender = claims(WireClient(engine), table)
    gate = threading.Barrier(THREADS, timeout=120)
    won: list[list[int]] = [[] for _ in range(KEYS)]

    def contend(number: int) -> None:
        try:
            for key in range(KEYS):
                if key % MEET_EVERY == 0:
                    gate.wait()
                if contender.claim(f"event#{key}", "sns", f"owner-{number}").verdict is Verdict.WON:
                    won[key].append(number)
        except BaseException:
            gate.abort()  # the others would wait forever
            raise

    results = at_once([partial(contend, number) for number in range(THREADS)])

    assert results == [None] * THREADS
    assert [key for key in range(KEYS) if len(won[key]) != 1] == []
    assert len({owners[0] for owners in won}) > 1, "one thread won every race: they did not meet"
    row = engine.get_item(TableName=table, Key={"session_id": {"S": "event#0"}, "operation_key": {"S": "sns"}})["Item"]
    assert (row["claim_owner"]["S"], row["attempts"]["N"]) == (f"owner-{won[0][0]}", "1"), "a loser writes nothing"


def test_one_of_many_takes_over_a_crashed_claim(engine: Any, table: str) -> None:
    [crashed] = winners(storm(engine, table, "event#1"))

    assert winners(storm(engine, table, "event#1", NOW + LEASE - timedelta(microseconds=1))) == []
    [next_one] = winners(storm(engine, table, "event#1", NOW + LEASE))
    assert next_one.owner != crashed.owner


def test_one_of_many_retries_a_failed_claim(engine: Any, table: str) -> None:
    [failed] = winners(storm(engine, table, "event#1"))
    claims(engine, table).release(failed, "Slack refused the message")

    assert len(winners(storm(engine, table, "event#1"))) == 1


def test_a_claim_completed_meanwhile_is_never_won_again(engine: Any, table: str) -> None:
    [holder] = winners(storm(engine, table, "event#1"))
    own = claims(engine, table)
    late = claims(WireClient(engine), table, NOW + LEASE)

    def take_over(number: int) -> Verdict:
        return late.claim("event#1", "sns", f"late-{number}").verdict

    def complete() -> None:
        own.complete(holder)

    finished, *verdicts = at_once([complete, *(lambda number=number: take_over(number) for number in range(THREADS - 1))])

    if finished is None:  # the holder was done in time
        assert Verdict.WON not in verdicts
    else:  # another attempt claimed it first, and the owner gets an error
        assert isinstance(finished, errors.PermanentError)
        assert verdicts.count(Verdict.WON) == 1

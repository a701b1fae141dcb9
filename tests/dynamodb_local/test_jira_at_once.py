"""Many functions store at the same time, and the table ends in the same state as Jira.

The histories are those of tests/support/jira/model.py, drawn from the seed in the test's name. Deliveries arrive
out of order, up to three times, some late, through eight threads, while others recompute correlations.
"""

import contextlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from lib.jira import items, webhooks
from lib.jira.commits import Commit
from lib.jira.correlation_store import CorrelationStore
from lib.jira.issue_reader import IssueReader
from lib.jira.issue_writer import IssueWriter, Outcome
from lib.jira.reconciliation.watermarks import Watermarks
from lib.platform import clock, errors
from lib.platform.contract import JIRA_ISSUES, JIRA_OPERATIONS
from tests.support.concurrency import at_once
from tests.support.dynamodb.tables import a_table
from tests.support.jira.builders import read_delivery
from tests.support.jira.model import ACCOUNTS, PROJECTS, START, STATUSES, VERSIONS, Site, assert_as_in_jira
from tests.support.project.examples import examples

SEEDS = range(examples(3, thorough=8))
PUSHED_KEYS = examples(25, thorough=60)
WRITERS = 8
CHANGES = 40


class NoSnapshots:
    def write(self, name: str, data: bytes) -> None:
        raise AssertionError("these snapshots fit their rows")


@pytest.fixture
def table(engine: Any) -> Iterator[str]:
    with a_table(engine, JIRA_ISSUES) as name:
        yield name


@pytest.fixture
def store(engine: Any, table: str) -> IssueWriter:
    return IssueWriter(engine, table, history=timedelta(days=90), snapshots=NoSnapshots(), now=lambda: START)


def history(draw: random.Random) -> tuple[Site, list[bytes]]:
    """A Jira after some changes, and the webhooks it has sent of them."""
    site, sent = Site(), []
    for _ in range(CHANGES):
        site.tick(draw.randint(1, 3))
        live = sorted(site.live)
        change = draw.choice(("create", "edit", "edit", "touch", "delete", "again", "move")) if live else "create"
        key = draw.choice(live) if live else ""
        if change == "again" and not site.dead_keys():
            change = "edit"
        values = {
            "status": draw.choice(STATUSES),
            "assignee": draw.choice((None, *ACCOUNTS)),
            "versions": draw.sample(VERSIONS, draw.randint(0, 3)),
        }
        match change:
            case "create":
                sent.append(site.create(site.next_key(draw.choice(PROJECTS)), values))
            case "again":
                sent.append(site.create(draw.choice(site.dead_keys()), values))
            case "edit":
                site.live[key].update(values, updated=site.time)
                sent.append(site.webhook("jira:issue_updated", key))
            case "touch":  # Jira sends events whose ``updated`` is that of an earlier edit
                site.live[key]["status"] = values["status"]
                sent.append(site.webhook("jira:issue_updated", key))
            case "delete":
                site.tick(draw.randint(0, 90_000))
                sent.append(site.webhook("jira:issue_deleted", key, issue=site.live.pop(key)))
            case "move":
                sent.append(site.move(key, PROJECTS[1 - PROJECTS.index(key.split("-")[0])]))
    return site, sent


def dealt(draw: random.Random, bodies: list[bytes]) -> list[list[webhooks.Delivery]]:
    """Every delivery, one to three times, to some of the writers, in no order."""
    hands: list[list[webhooks.Delivery]] = [[] for _ in range(WRITERS)]
    for body in bodies:
        delivery = webhooks.normalise(body, START)
        assert isinstance(delivery, webhooks.Delivery)
        for _ in range(draw.randint(1, 3)):
            draw.choice(hands).append(delivery)
    for hand in hands:
        draw.shuffle(hand)
    return hands


def test_pushes_at_once_are_all_in_the_correlations_of_their_issues(engine: Any, table: str) -> None:
    links, keys = CorrelationStore(engine, table), [f"OPS-{number}" for number in range(1, PUSHED_KEYS + 1)]
    shas = [f"{number:040x}" for number in range(WRITERS)]

    def push(sha: str) -> None:
        for key in keys:  # all writers at the same issue at about the same time
            links.record_commits([Commit(sha, "o/r", f"{key} fix", clock.canonical(START), (key,))])
            while True:
                with contextlib.suppress(errors.UnavailableError):  # its message comes again
                    links.recompute(key)
                    break

    results = at_once([partial(push, sha) for sha in shas])

    assert results == [None] * WRITERS
    by_key = rows_of(engine, table)
    found = {key: [sha["S"] for sha in by_key[key, items.CORRELATION]["commits"]["L"]] for key in keys}
    assert {key: commits for key, commits in found.items() if commits != shas} == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_many_writers_end_where_jira_is(engine: Any, table: str, store: IssueWriter, seed: int) -> None:
    draw = random.Random(seed)
    site, sent = history(draw)
    links, keys = CorrelationStore(engine, table), sorted(site.keys_ever)
    commits = [Commit(f"{number:040x}", "o/r", f"{key} fix", clock.canonical(START), (key,)) for number, key in enumerate(keys)]

    def write(hand: list[webhooks.Delivery]) -> list[tuple[webhooks.Delivery, Outcome]]:
        return [(delivery, store.record(delivery).outcome) for delivery in hand]

    def correlate(some: list[str]) -> None:
        links.record_commits([commit for commit in commits if commit.issue_keys[0] in some])
        for key in some:
            links.recompute(key)

    results = at_once(
        [
            *(lambda hand=hand: write(hand) for hand in dealt(draw, sent)),
            *(lambda part=part: correlate(keys[part::2]) for part in range(2)),
        ]
    )

    assert not [result for result in results if isinstance(result, Exception)]
    reader = IssueReader(engine, table, page_size=7)
    assert_as_in_jira(site, reader)
    stored = [delivery for result in results[:WRITERS] for delivery, outcome in result if outcome is Outcome.STORED]
    of_one_key = [delivery.stamp.idempotency_key for delivery in stored if delivery.moved_from is None]
    assert len(of_one_key) == len(set(of_one_key)), "a delivery is stored once, however often and wherever it comes"

    # Correlations lag behind, and know it; one more look makes them whole and clears what was left over.
    heads = list(reader.heads(keys).values())
    for key in links.not_current(heads):
        links.recompute(key)
    for key in keys:
        links.recompute(key)
    assert list(links.not_current(heads)) == []
    by_key = rows_of(engine, table)
    linked: dict[str, list[str]] = {key: [] for key in keys}
    for key, row in by_key:
        if row.startswith(items.COMMIT_PREFIX):
            linked[key].append(row.removeprefix(items.COMMIT_PREFIX))
    assert {sha for shas in linked.values() for sha in shas} == {commit.sha for commit in commits}, "no commit is lost"
    for head in heads:
        correlation = by_key[head.issue_key, items.CORRELATION]
        shas = linked[head.issue_key]
        live = "matched" if shas else "without_commits"
        assert correlation["state"]["S"] == ("moved" if head.moved_to else "unknown" if head.deleted else live)
        assert [sha["S"] for sha in correlation["commits"]["L"]] == shas
        assert not (head.moved_to and shas), "the commits of a moved issue are under its current key"
    assert {key for key in by_key if key[1].startswith(items.FIX_VERSION_PREFIX)} == {
        (key, items.FIX_VERSION_PREFIX + name)
        for key, issue in site.live.items()
        for name in items.hinted(tuple(issue["versions"]))
    }


def test_of_simultaneous_deliveries_the_greatest_stamp_wins(engine: Any, table: str, store: IssueWriter) -> None:
    site = Site()
    site.create("OPS-1", {"status": "To Do", "assignee": None, "versions": []})
    sent = []
    for number in range(32):
        site.live["OPS-1"]["status"] = f"status {number}"
        sent.append(read_delivery(site.webhook("jira:issue_updated", "OPS-1"), START))
    order = random.Random(6).sample(range(32), 32)

    outcomes = dict(zip(order, at_once([partial(store.record, sent[number]) for number in order]), strict=True))

    assert {each.outcome for each in outcomes.values()} <= {Outcome.STORED, Outcome.SUPERSEDED}
    assert outcomes[31].outcome is Outcome.STORED
    head = IssueReader(engine, table).latest("OPS-1")
    [version] = IssueReader(engine, table).history("OPS-1")
    assert head is not None
    assert head.fields.status == version.fields.status == "status 31"


def test_a_watermark_never_goes_back_whoever_is_last(engine: Any) -> None:
    times = [datetime(2026, 3, 1, 12, minute, tzinfo=UTC) for minute in range(48)]
    random.Random(6).shuffle(times)
    with a_table(engine, JIRA_OPERATIONS) as name:
        marks = Watermarks(engine, name)

        results = at_once([partial(marks.advance, "OPS", to) for to in times])

        assert results == [None] * len(times)
        assert marks.read("OPS") == max(times)
        assert marks.read("WEB") is None


def rows_of(client: Any, table: str) -> dict[tuple[str, str], Any]:
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return {(row["issue_key"]["S"], row["updated_at"]["S"]): row for page in pages for row in page["Items"]}

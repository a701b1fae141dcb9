"""For any order of deliveries, the table ends in the same state as Jira.

The model is a small Jira, not a copy of the store's rules. Issues are created, edited, commented on, deleted,
re-created under the same key, moved away and moved back, by Jira's own clock; each change sends a delivery through the
real webhook body. Deliveries arrive in any order, several times, and the store crashes before or after any of its
writes, until Jira's retry gets through. In the end, every key that ever existed must be as in Jira.

150 histories run by default; HYPOTHESIS_PROFILE=thorough runs 20,000.
"""

from collections.abc import Iterator
from datetime import timedelta
from unittest import mock

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from lib.jira import items
from lib.jira.issue_reader import IssueReader
from lib.jira.issue_writer import IssueWriter, Outcome
from lib.platform import errors
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.jira.builders import read_delivery
from tests.support.jira.model import START, STATUSES, VERSIONS, Site, assert_as_in_jira
from tests.support.project.examples import examples

fields = st.fixed_dictionaries(
    {
        "status": st.sampled_from(STATUSES),
        "assignee": st.sampled_from((None, "account-1", "account-2")),
        "versions": st.lists(st.sampled_from(VERSIONS), unique=True, max_size=3),
    }
)


@pytest.fixture(autouse=True, scope="module")
def two_shards() -> Iterator[None]:
    """Every invariant reads every shard of every version."""
    with mock.patch.object(items, "NAME_SHARDS", 2):
        yield


class Crash(errors.ConnectionLostError):
    """The function died, or its call's answer was lost."""


class NoSnapshots:
    def write(self, name, data):
        raise AssertionError("these snapshots fit their rows")


class Convergence(RuleBasedStateMachine):
    waiting = Bundle("deliveries")

    @initialize()
    def begin(self):
        self.site = Site()
        self.table = FakeTable()
        self.store = IssueWriter(self.table, "issues", history=timedelta(days=90), snapshots=NoSnapshots(), now=lambda: START)
        self.reader = IssueReader(self.table, "issues", page_size=2)
        self.sent = []
        self.arrived = set()

    def send(self, body):
        self.sent.append(body)
        return len(self.sent) - 1

    # --- what happens in Jira ---

    @rule(target=waiting, values=fields, project=st.sampled_from(("OPS", "WEB")), wait=st.integers(1, 3))
    def create(self, values, project, wait):
        self.site.tick(wait)
        return self.send(self.site.create(self.site.next_key(project), values))

    @rule(target=waiting, data=st.data(), values=fields, wait=st.integers(1, 3))
    def edit(self, data, values, wait):
        key = self.some_live_key(data)
        if key is None:
            return self.create(values, "OPS", wait)
        self.site.tick(wait)
        self.site.live[key].update(values, updated=self.site.time)
        return self.send(self.site.webhook("jira:issue_updated", key))

    @rule(target=waiting, data=st.data(), status=st.sampled_from(STATUSES))
    def change_without_updating(self, data, status):
        """Jira sends events whose ``updated`` is that of an earlier edit; the later event has the later state."""
        key = self.some_live_key(data)
        if key is None:
            return self.create({"status": status, "assignee": None, "versions": []}, "OPS", 1)
        self.site.live[key]["status"] = status
        return self.send(self.site.webhook("jira:issue_updated", key))

    @rule(target=waiting, data=st.data(), wait=st.integers(0, 90_000))
    def delete(self, data, wait):
        """A deletion carries the ``updated`` of the last edit, up to a minute and a half older."""
        key = self.some_live_key(data)
        if key is None:
            return self.create({"status": "Done", "assignee": None, "versions": []}, "WEB", 1)
        self.site.tick(wait)
        return self.send(self.site.webhook("jira:issue_deleted", key, issue=self.site.live.pop(key)))

    @rule(target=waiting, data=st.data(), values=fields, wait=st.integers(2, 5))
    def create_again(self, data, values, wait):
        dead = self.site.dead_keys()
        if not dead:
            return self.create(values, "WEB", wait)
        self.site.tick(wait)
        return self.send(self.site.create(data.draw(st.sampled_from(dead)), values))

    @rule(target=waiting, data=st.data(), wait=st.integers(1, 3))
    def move(self, data, wait):
        key = self.some_live_key(data)
        if key is None:
            return self.create({"status": "Done", "assignee": None, "versions": ["1.0", "2.0"]}, "WEB", wait)
        self.site.tick(wait)
        return self.send(self.site.move(key, "WEB" if key.startswith("OPS") else "OPS"))

    def some_live_key(self, data):
        return data.draw(st.sampled_from(sorted(self.site.live))) if self.site.live else None

    # --- what happens on the way ---

    @rule(delivery=waiting)
    def arrive(self, delivery):
        self.deliver(delivery)

    @rule(delivery=waiting, writes=st.integers(0, 5), took_effect=st.booleans())
    def arrive_and_crash(self, delivery, writes, took_effect):
        self.fail_at(writes, took_effect)
        try:
            self.deliver(delivery)
        except Crash:
            self.arrived.discard(delivery)  # answered 5xx: Jira will send it again
        finally:
            self.fail_at(None, took_effect)

    @rule(delivery=waiting, other=waiting, writes=st.integers(0, 5))
    def arrive_at_the_same_time(self, delivery, other, writes):
        """Another function stores ``other`` between two writes of this one. The store reads nothing, so that writes are
        all there is to interleave."""
        left = [writes]

        def let_the_other_run():
            left[0] -= 1
            if left[0] == -1:
                self.deliver(other)

        self.table.before_write = let_the_other_run
        self.deliver(delivery)
        self.table.before_write = lambda: None

    def fail_at(self, writes, took_effect):
        left = [writes]

        def crash():
            if left[0] is not None:
                left[0] -= 1
                if left[0] < 0:
                    raise Crash("crash")

        self.table.before_write = crash if not took_effect else lambda: None
        self.table.after_write = crash if took_effect else lambda: None

    def deliver(self, number):
        again = number in self.arrived
        delivery = read_delivery(self.sent[number], START)
        outcome = self.store.record(delivery).outcome
        self.arrived.add(number)
        head = self.reader.latest(delivery.issue_key)
        assert head is not None
        if outcome is Outcome.STORED and delivery.moved_from is None:
            assert not again, "a delivery can be stored once only"
            assert head.stamp >= delivery.stamp
        if outcome is Outcome.SUPERSEDED and delivery.moved_from is None:
            assert head.stamp > delivery.stamp
        if again and head.stamp == delivery.stamp:
            assert outcome is Outcome.DUPLICATE

    # --- what must hold ---

    @invariant()
    def indexes_show_current_states_only(self):
        for index in ("ProjectIndex", "StatusIndex", "AssigneeIndex"):
            for item in self.table.indexed(index):
                assert item["updated_at"]["S"] == items.HEAD
                assert not item["deleted"]["BOOL"]

    @invariant()
    def every_version_of_a_live_head_is_found(self):
        """Even between a crash and the retry: hints are put before HEAD."""
        heads = [items.read_head(item) for (_, row), item in self.table.items.items() if row == items.HEAD]
        for name in VERSIONS:
            found = sorted(issue.issue_key for issue in self.reader.by_fix_version(name))
            assert found == sorted(head.issue_key for head in heads if not head.deleted and name in head.fields.fix_versions)

    def teardown(self):
        if not hasattr(self, "site"):
            return
        for number in range(len(self.sent)):
            if number not in self.arrived:
                self.deliver(number)
        assert_as_in_jira(self.site, self.reader)


TestConvergence = Convergence.TestCase
TestConvergence.settings = settings(
    max_examples=examples(80, thorough=20_000),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

"""The fake that Jira's tests run on does what DynamoDB does, for the requests that the store makes: same answers, same rows."""

import json
from unittest import mock

import hypothesis.strategies as st
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, given, settings

from lib.jira import items
from lib.jira.issue_reader import IssueReader
from lib.jira.issues import IssueFields, Stamp
from lib.jira.webhooks import Delivery
from lib.platform.contract import JIRA_ISSUES
from tests.support.dynamodb.engine_table import EngineTable
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.dynamodb.tables import a_table
from tests.support.jira.builders import TABLE, make_store

delivery = st.builds(
    Delivery,
    issue_key=st.sampled_from(("OPS-1", "OPS-2", "WEB-1")),
    issue_id=st.just("1"),
    stamp=st.builds(
        Stamp,
        version_at=st.sampled_from([f"2026-03-01T12:00:0{second}.000000Z" for second in range(4)]),
        event_at=st.integers(1, 3),
        idempotency_key=st.sampled_from("abc"),
    ),
    event_type=st.just("jira:issue_updated"),
    fields=st.builds(
        IssueFields,
        summary=st.just("s"),
        status=st.sampled_from(("To Do", "Done")),
        assignee=st.sampled_from((None, "ada")),
        fix_versions=st.lists(st.sampled_from(("1", "2", "3")), unique=True, max_size=3).map(tuple),
    ),
    deleted=st.booleans(),
    moved_from=st.sampled_from((None, None, "OLD-1")),
    snapshot=st.just("{}"),
)


@pytest.fixture(autouse=True, scope="module")
def two_shards():
    """A list reads every shard of a name."""
    with mock.patch.object(items, "NAME_SHARDS", 2):
        yield


class Recorder:
    """Passes requests on and notes the answers, without what only a server adds."""

    def __init__(self, client):
        self._client = client
        self.answers = []

    def __getattr__(self, operation):
        def call(**request):
            try:
                answer = getattr(self._client, operation)(**request)
            except ClientError as error:
                self.answers.append((operation, error.response["Error"]["Code"], error.response.get("Item")))
                raise
            relevant = {name: answer.get(name) for name in ("Attributes", "Item", "Items", "LastEvaluatedKey")}
            self.answers.append((operation, relevant))
            return answer

        return call


@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.generate],  # a dozen deliveries can be read as they are, and shrinking takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(deliveries=st.lists(delivery, min_size=1, max_size=12))
def test_the_fake_answers_as_dynamodb_does(dynamodb, deliveries):
    with a_table(dynamodb, JIRA_ISSUES) as name:
        fake, real = Recorder(FakeTable()), Recorder(EngineTable(dynamodb, name))
        for each in deliveries:
            assert make_store(fake).record(each) == make_store(real).record(each)
        for client in (fake, real):
            reader = IssueReader(client, TABLE, page_size=2)
            list(reader.by_project("OPS", after=1))
            list(reader.history("OPS-1"))
            reader.latest("OPS-1")
        assert json.dumps(fake.answers, sort_keys=True, default=repr) == json.dumps(real.answers, sort_keys=True, default=repr)
        assert listed(fake) == listed(real)


def listed(client):
    """What the lists hold whose order DynamoDB leaves open: rows with the same sort key in an index come as they like."""
    reader = IssueReader(client, TABLE, page_size=2)
    lists = [reader.by_status("To Do"), reader.by_status("Done"), reader.by_assignee("ada")]
    lists += [reader.by_fix_version(version) for version in "123"]
    return [sorted(issue.issue_key for issue in found) for found in lists]

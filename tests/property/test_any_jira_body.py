"""Any body becomes a typed value that can be stored, or raises InvalidInputError."""

import json
from datetime import UTC, datetime

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, example, given, settings

from lib.jira import git_hosts
from lib.jira.commits import Push, commit_items
from lib.jira.webhooks import Delivery, Ignored, NeedsFetch, normalise
from lib.platform import errors
from lib.platform.fields import read_object
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.jira.builders import make_store
from tests.support.project.examples import examples

RECEIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MANY = settings(
    max_examples=examples(100, thorough=20_000),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

text = st.text(st.characters(), max_size=20)  # lone surrogates too
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=12
)


def mostly(good):
    """Mostly what Jira sends, and sometimes anything."""
    return st.one_of(good, good, good, good, anything)


key = mostly(st.from_regex(r"[A-Z]{1,4}-[1-9][0-9]{0,5}", fullmatch=True))
time = mostly(
    st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
    | st.just("2026-03-01T12:00:00.000-0700")
    | st.just("9999-12-31T23:59:59.999999Z")
)
named = mostly(
    st.fixed_dictionaries({}, optional={"name": mostly(text), "accountId": mostly(text), "displayName": mostly(text)})
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "summary": mostly(text),
        "status": named,
        "assignee": named,
        "fixVersions": mostly(st.lists(named, max_size=4)),
        "updated": time,
    },
)
issue = mostly(
    st.fixed_dictionaries({}, optional={"key": key, "id": mostly(st.integers(0, 10**9).map(str)), "fields": mostly(fields)})
)
change = st.fixed_dictionaries(
    {"field": mostly(st.just("Key"))}, optional={"fromString": key, "toString": key, "fieldtype": mostly(st.just("jira"))}
)
events = st.fixed_dictionaries(
    {
        "webhookEvent": mostly(
            st.sampled_from(
                ("jira:issue_created", "jira:issue_updated", "jira:issue_deleted", "comment_created", "issuelink_created")
            )
        )
    },
    optional={
        "timestamp": mostly(st.integers(0, 253_402_300_799_999)),
        "issue": issue,
        "changelog": mostly(st.fixed_dictionaries({"items": mostly(st.lists(mostly(change), max_size=3))})),
        "issueLink": mostly(st.fixed_dictionaries({"sourceIssueId": mostly(st.integers(0))})),
        "worklog": mostly(st.fixed_dictionaries({"issueId": mostly(st.integers(0).map(str))})),
    },
)
commit = mostly(
    st.fixed_dictionaries(
        {},
        optional={
            "id": mostly(st.just("a" * 40)),
            "hash": mostly(st.just("b" * 40)),
            "message": mostly(text),
            "timestamp": time,
            "date": time,
        },
    )
)
pushes = st.fixed_dictionaries(
    {},
    optional={
        "eventKey": mostly(st.just("repo:refs_changed")),
        "object_kind": mostly(st.sampled_from(("push", "tag_push", "merge_request"))),
        "changes": mostly(st.lists(mostly(st.fixed_dictionaries({"toHash": mostly(st.just("d" * 40)), "refId": text})))),
        "toCommit": commit,
        "head_commit": commit,
        "checkout_sha": mostly(st.just("e" * 40)),
        "object_attributes": mostly(st.fixed_dictionaries({"title": mostly(text), "last_commit": commit})),
        "ref": mostly(st.just("refs/heads/OPS-1")),
        "commits": mostly(st.lists(commit, max_size=3)),
        "repository": mostly(st.fixed_dictionaries({"full_name": mostly(text)})),
        "push": mostly(
            st.fixed_dictionaries({"changes": mostly(st.lists(st.fixed_dictionaries({"commits": mostly(st.lists(commit))})))})
        ),
        "pull_request": mostly(
            st.fixed_dictionaries({"title": text, "head": mostly(st.fixed_dictionaries({"sha": mostly(st.just("c" * 40))}))})
        ),
        "pullrequest": anything,
    },
)


def encode(value):
    return json.dumps(value).encode()


@MANY
@given(st.binary() | anything.map(encode) | events.map(encode))
@example(b"\xef\xbb\xbf{}")
def test_any_body_is_a_typed_value_or_invalid(body):
    try:
        value = normalise(body, RECEIVED)
    except errors.InvalidInputError:
        return
    assert isinstance(value, Delivery | Ignored | NeedsFetch)
    if isinstance(value, Delivery):
        make_store(FakeTable()).record(value)  # DynamoDB takes it: the fake checks keys and sizes, and encodes all text


@MANY
@given(st.binary() | anything.map(encode) | pushes.map(encode))
def test_any_push_is_commits_or_invalid(body):
    try:
        value = git_hosts.read(body, RECEIVED)
    except errors.InvalidInputError:
        with pytest.raises(errors.InvalidInputError):  # only what is not an object is refused
            read_object(body)
        return
    assert isinstance(value, Ignored | Push)
    for found in value.commits if isinstance(value, Push) else ():
        for item in commit_items(found, RECEIVED):
            FakeTable().put_item(TableName="issues", Item=item)

"""A world in which each call of a flow can be broken: the functions in this process, moto and the stand-ins of Jira and Slack,
each behind a proxy that breaks calls, and a clock that can be set forward.

Only this differs from reality, to save time: the caller of a call that hangs gives up after 0.1 s in place of 1 to 20 s, and
once the call has had its effect; other callers wait longer than the functions do, since these tests are not about a busy
machine. There is no wait before a retry, and the clients are made once. A call that is broken goes over a real connection; moto
answers other calls in this process.
"""

import contextlib
import copy
import functools
import itertools
import json
import logging
import os
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import boto3
import botocore.httpsession
import pytest
import requests.adapters
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.sqs.models import sqs_backends
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.util import Timeout

import lib.approvals.preview_posting
import lib.jira.client
import lib.slack.client
from lib.jira.client import JiraClient
from lib.platform import aws, clock
from stack.local.standins.jira import Jira
from stack.local.standins.slack import Slack
from tests.support.aws.environment import REGION, point_at
from tests.support.aws.functions import load
from tests.support.aws.lambda_context import LambdaContext
from tests.support.aws.moto_cloud import answer_directly, application, moto_server
from tests.support.aws.moto_inside import (
    BUCKET,
    ISSUES,
    LEASES_ARN,
    OPERATIONS,
    SHOPS,
    create_bucket,
    create_secret,
    create_tables,
)
from tests.support.aws.moto_state import ACCOUNT, moto_state, put_back
from tests.support.faults.proxy import FaultProxy, aws_name, fault_proxy, path_name
from tests.support.web.standins import served

HASTY_SECONDS, PATIENT_SECONDS = 0.1, 30.0
EMAIL, TOKEN = "switchboard@example.com", "token-of-the-tests"
SECRET, SIGNING_SECRET, BOT_TOKEN = "what the senders sign with", "what Slack signs with", "xoxb-of-the-tests"
APPROVER = "U0ADA"

_numbers = itertools.count(1)


class Killed(BaseException):
    """The process ended: nothing after this call runs, not even the handling of errors."""


@dataclass(slots=True)
class World:
    """Everything behind the functions."""

    proxy: FaultProxy
    jira: Jira
    slack: Slack
    moto_url: str
    variables: dict[str, str]
    monkeypatch: pytest.MonkeyPatch
    offset: timedelta = timedelta(0)
    clients: dict[str, Any] = field(default_factory=dict)
    calls: dict[Any, list[str]] = field(default_factory=dict)
    prepared: dict[Any, dict[str, Any]] = field(default_factory=dict)
    """What each flow finds before its first attempt: a state to restore."""

    def client(self, service: str) -> Any:
        """A client of the test's own, past the proxy."""
        if service not in self.clients:
            self.clients[service] = boto3.client(
                service,
                endpoint_url=self.moto_url,
                region_name=REGION,
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
        return self.clients[service]

    def function(self, entry_point: str) -> ModuleType:
        """A function's module in a process of its own, as far as that goes: what it has read before is forgotten."""
        return load(self.monkeypatch, entry_point, self.variables)

    def pass_time(self, by: timedelta) -> None:
        """Set the clock forward."""
        self.offset += by

    @contextlib.contextmanager
    def past_the_proxy(self) -> Iterator[None]:
        """Functions loaded meanwhile call AWS directly: nothing is going to be broken."""
        through = os.environ["AWS_ENDPOINT_URL"]
        self.monkeypatch.setenv("AWS_ENDPOINT_URL", self.moto_url)
        try:
            yield
        finally:
            self.monkeypatch.setenv("AWS_ENDPOINT_URL", through)

    def clear(self) -> None:
        """Forget what other runs have left: moto copies its tables for each transaction, and tests look through the rest."""
        self.jira.reset()
        self.slack.reset()
        put_back({})

    def state(self, run: object) -> dict[str, Any]:
        """A copy of everything that ``run`` has brought about, and of the run itself."""
        parts = {
            "aws": moto_state(),
            "jira": self.jira.site,
            "slack": {name: value for name, value in vars(self.slack).items() if name not in {"lock", "faults", "_now"}},
            "offset": self.offset,
            "run": run,
        }
        return copy.deepcopy(parts, self._shared())

    def restore(self, state: dict[str, Any]) -> Any:
        """Make everything as it was when the state was copied; the run as it was then."""
        parts = copy.deepcopy(state, self._shared())
        self.jira.reset()
        self.jira.site = parts["jira"]
        self.slack.reset()
        vars(self.slack).update(parts["slack"])
        self.offset = parts["offset"]
        put_back(parts["aws"])
        return parts["run"]

    def _shared(self) -> dict[int, Any]:
        """What a copy of a run has in common with it: the world and its clients."""
        return {id(each): each for each in (self, *self.clients.values())}

    def number(self) -> int:
        """A number that no other flow has."""
        return next(_numbers)

    def rows(self, table: str, hash_key: str, value: str) -> dict[str, dict[str, Any]]:
        """The rows of one HASH key, by their RANGE key, as a query returns them."""
        stored = dynamodb_backends[ACCOUNT][REGION].tables[table]
        assert stored.hash_key_attr == hash_key
        found = stored.items.get(DynamoType({"S": value}), {})
        items: list[dict[str, Any]] = [copy.deepcopy(item.to_json()["Attributes"]) for item in found.values()]
        return {range_of(item, hash_key): item for item in items}

    def issue(self, key: str) -> dict[str, dict[str, Any]]:
        """An issue's rows in JiraIssues."""
        return self.rows(ISSUES, "issue_key", key)

    def take(self, queue: str) -> list["Message"]:
        """Every message of a queue, those that are held back too: they are the caller's now."""
        url = self.variables[queue].rsplit("/", 1)[1]
        stored = sqs_backends[ACCOUNT][REGION].queues[url]
        taken = [Message(message.body, url, float(message.delayed_until) / 1000) for message in stored._messages]
        stored._messages.clear()
        return sorted(taken, key=lambda message: message.due)

    def work(self, *queues: str, rounds: int = 12) -> list[str]:
        """Have the Jira worker do what is on the queues until nothing is left, each message alone, and with its time come.

        Returns what came too often: on AWS it would be in the dead-letter queue.
        """
        dead: list[str] = []
        waiting = [message for queue in queues for message in self.take(queue)]
        while waiting:
            message = waiting.pop(0)
            self.pass_time(timedelta(seconds=max(0.0, message.due - time.time()) if message.receives == 0 else 1900))
            message.receives += 1
            if self.work_on(message):
                pass
            elif message.receives >= rounds:
                dead.append(message.body)
            else:
                waiting.append(message)
            waiting += [message for queue in queues for message in self.take(queue)]
        return dead

    def work_on(self, *messages: "Message") -> bool:
        """Have the worker do messages as one batch; whether none failed."""
        answer = self.function("jira_worker").lambda_handler({"Records": [each.record() for each in messages]}, LambdaContext())
        return not answer["batchItemFailures"]


@dataclass(slots=True)
class Message:
    """A message of a queue."""

    body: str
    queue: str
    due: float = 0.0
    receives: int = 0

    def record(self) -> dict[str, Any]:
        """The record, as the event source passes it to the function."""
        return {
            "messageId": f"m-{abs(hash(self.body))}",
            "receiptHandle": "a-receipt",
            "body": self.body,
            "attributes": {"ApproximateReceiveCount": str(max(1, self.receives))},
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self.queue}",
        }


def range_of(item: dict[str, Any], hash_key: str) -> str:
    """The RANGE key's value of a row."""
    name = {"issue_key": "updated_at", "session_id": "operation_key", "PK": "SK", "userEmail": "uuid"}[hash_key]
    return str(item[name]["S"])


@contextlib.contextmanager
def fault_world() -> Iterator[World]:
    """A world with empty tables."""
    jira, slack = Jira({EMAIL: TOKEN}), Slack()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with (
        pytest.MonkeyPatch.context() as patch,
        moto_server() as moto_url,
        served(jira) as jira_served,
        served(slack) as slack_served,
        fault_proxy() as proxy,
    ):
        urllib.request.urlopen(urllib.request.Request(f"{moto_url}/moto-api/reset", method="POST"), timeout=10).close()
        point_at(patch, moto_url)
        world = World(proxy, jira, slack, moto_url, {}, patch)
        _make_cheap(patch)
        create_tables()
        create_bucket()
        world.variables |= _variables(
            proxy.serve(jira_served.url, path_name("jira"), jira), proxy.serve(slack_served.url, path_name("slack"), slack)
        )
        proxied = proxy.serve(moto_url, aws_name, application())
        point_at(patch, proxied)
        answer_directly(patch, moto_url)
        answer_directly(patch, proxied, proxy.lets_pass)
        _make_callers_give_up(patch, proxy)
        _set_clock(patch, world)
        yield world


def _variables(jira_url: str, slack_url: str) -> dict[str, str]:
    """The environment of every function in one."""
    sqs, sns = aws.make_client("sqs"), aws.make_client("sns")
    topic = sns.create_topic(Name="notifications")["TopicArn"]
    heard = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=heard, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    webhook, token = create_secret("webhook", SECRET), create_secret("jira-api-token", TOKEN)
    return {
        "LEASE_TABLE_ARN": LEASES_ARN,
        "JIRA_ISSUES_TABLE_NAME": ISSUES,
        "OPERATIONS_TABLE_NAME": OPERATIONS,
        "SHUTTLE_TABLE_NAME": SHOPS,
        "ARTIFACT_BUCKET_NAME": BUCKET,
        "IMPORT_BUCKET_NAME": BUCKET,
        "JOB_QUEUE_URL": sqs.create_queue(QueueName="shuttle-jobs")["QueueUrl"],
        "EVENT_BUS_NAME": "default",
        "NOTIFY_CHANNELS": "sns",
        "NOTIFICATION_TOPIC_ARN": topic,
        "HEARD": heard,
        "EVENT_WEBHOOK_SECRET_ARN": webhook,
        "JIRA_WEBHOOK_SECRET_ARN": webhook,
        "COMMIT_WEBHOOK_SECRET_ARN": webhook,
        "JIRA_API_TOKEN_ARN": token,
        "SLACK_BOT_TOKEN_ARN": create_secret("slack-bot-token", BOT_TOKEN),
        "SLACK_SIGNING_SECRET_ARN": create_secret("slack-signing-secret", SIGNING_SECRET),
        "SECRET_ARNS": ",".join([webhook, token]),
        "JIRA_QUEUE_URL": sqs.create_queue(QueueName="jira-work")["QueueUrl"],
        "APPROVAL_QUEUE_URL": sqs.create_queue(QueueName="approval-work")["QueueUrl"],
        "JIRA_BASE_URL": jira_url,
        "JIRA_EMAIL": EMAIL,
        "SLACK_API_URL": f"{slack_url}/api/",
        "APPROVALS_CHANNEL": "approvals",
        "HAS_CHANNEL": "true",
        "APPROVERS": APPROVER,
        "HISTORY_DAYS": "90",
        "GIT_SHA": "4f2a9c1",
    }


def _make_cheap(patch: pytest.MonkeyPatch) -> None:
    clients: dict[Any, Any] = {}
    make_client = aws.make_client

    def make_once(service: str, **_: Any) -> Any:
        known_by = (service, os.environ["AWS_ENDPOINT_URL"])
        if known_by not in clients:
            clients[known_by] = make_client(service, read_timeout_seconds=PATIENT_SECONDS)
        return clients[known_by]

    def make_jira(*args: Any, **options: Any) -> JiraClient:
        return JiraClient(*args, **options | {"sleep": lambda _: None, "timeout": (PATIENT_SECONDS, PATIENT_SECONDS)})

    patch.setattr(aws, "make_client", make_once)
    patch.setattr(aws, "THROTTLE_RETRY_DELAY_SECONDS", 0.0)
    patch.setattr(lib.jira.client, "JiraClient", make_jira)
    patch.setattr(lib.slack.client, "TIMEOUT_SECONDS", PATIENT_SECONDS)
    patch.setattr(lib.approvals.preview_posting, "SECONDS_PER_MESSAGE", 0.0)


def _make_callers_give_up(patch: pytest.MonkeyPatch, proxy: FaultProxy) -> None:
    """Once the proxy says that the process was killed, every call ends it. Of a call that hangs, the caller soon tires."""
    hurried = threading.Event()

    def mortal(send: Any) -> Any:
        @functools.wraps(send)
        def live_or_die(*args: Any, **kwargs: Any) -> Any:
            if proxy.killed.is_set():
                raise Killed
            waits_in_vain = proxy.keeps_next_waiting()
            if waits_in_vain:
                hurried.set()
            try:
                return send(*args, **kwargs)
            except Exception:
                if proxy.killed.is_set():
                    raise Killed from None
                if waits_in_vain:
                    proxy.given_up.set()
                    proxy.holding.wait(PATIENT_SECONDS)
                raise
            finally:
                hurried.clear()

        return live_or_die

    get_timeout, urllib_open = HTTPConnectionPool._get_timeout, urllib.request.OpenerDirector.open

    def timeout_of_pool(pool: HTTPConnectionPool, timeout: Any) -> Timeout:
        return Timeout(HASTY_SECONDS) if hurried.is_set() else get_timeout(pool, timeout)

    def open_in_time(opener: Any, request: Any, data: Any = None, timeout: Any = PATIENT_SECONDS) -> Any:
        return urllib_open(opener, request, data, HASTY_SECONDS if hurried.is_set() else timeout)

    patch.setattr(HTTPConnectionPool, "_get_timeout", timeout_of_pool)
    patch.setattr(urllib.request.OpenerDirector, "open", mortal(open_in_time))
    for owner in (botocore.httpsession.URLLib3Session, requests.adapters.HTTPAdapter):
        patch.setattr(owner, "send", mortal(owner.send))


def _set_clock(patch: pytest.MonkeyPatch, world: World) -> None:
    class SetForward(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + world.offset

    assert clock.utc_now().tzinfo is UTC
    patch.setattr(clock, "datetime", SetForward)


def body_of(answer: dict[str, Any]) -> Any:
    """The JSON of an HTTP answer."""
    return json.loads(answer["body"]) if answer["body"] else None

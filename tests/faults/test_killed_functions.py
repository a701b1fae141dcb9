"""``kill -9`` of a function's process in the middle of an invocation, and while it waits: the local cloud puts another in its
place, whoever sent the event tries again, and nothing is lost or done twice.

The calls of the functions to AWS and Jira go through a proxy that holds one of them; while it is held, the process is killed.
What Lambda tries again by itself comes after nearly a minute, so that those two are killed first and looked after last.
"""

import os
import signal
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.support.approvals.cloud import ADA, ApprovalsCloud, header_of, running_approvals
from tests.support.cloud import Cloud, Inbox, is_alive, until
from tests.support.faults.proxy import Fault, FaultProxy, aws_name, fault_proxy, path_name
from tests.support.jira import bodies
from tests.support.shuttle.api import ShuttleApi

SECRET = "what the senders sign with"
LONG_AGO = "2020-01-01T00:00:00.000000Z"
SWEPT = "SWEPT"
HELD_SECONDS = 20


@pytest.fixture(scope="module")
def proxy() -> Iterator[FaultProxy]:
    with fault_proxy() as made:
        yield made


@pytest.fixture(scope="module")
def approvals(proxy: FaultProxy) -> Iterator[ApprovalsCloud]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        aws_port = free.getsockname()[1]
    through = proxy.serve(f"http://127.0.0.1:{aws_port}", aws_name)
    arguments = (f"--aws-port={aws_port}", f"--functions-aws-url={through}")
    with running_approvals(
        *arguments,
        to_jira=lambda url: proxy.serve(url, path_name("jira")),
        jiraWebhookSecret=SECRET,
        jiraProjects=SWEPT,
    ) as started:
        started.jira.app.seed(SWEPT, 3)
        yield started


@pytest.fixture(scope="module")
def cloud(approvals: ApprovalsCloud) -> Cloud:
    return approvals.cloud


def kill(cloud: Cloud, entry_point: str) -> None:
    """Kill its processes, and see them dead: a busy machine may let them live on for a moment."""
    for pid in until(lambda: cloud.pids(entry_point)):
        os.kill(pid, signal.SIGKILL)
        while is_alive(pid):
            time.sleep(0.001)  # and not longer: the local cloud must not have noticed yet


def nth_of(wanted: int, operation: str) -> Callable[[int, str], bool]:
    seen = iter(range(1, 1_000_000))
    return lambda position, name: name == operation and next(seen) == wanted


def kill_at(
    cloud: Cloud, proxy: FaultProxy, entry_point: str, operation: str, fault: Fault, send: Callable[[], Any], nth: int = 1
) -> Future[Any]:
    """Have something sent, and the function killed while its call is held; what became of the sending."""
    proxy.break_call(nth_of(nth, operation), fault)
    with ThreadPoolExecutor(max_workers=1) as pool:
        sent = pool.submit(send)
        assert proxy.holding.wait(HELD_SECONDS), proxy.calls
        kill(cloud, entry_point)
        proxy.clear_faults()
    return sent


def deliver(cloud: Cloud, key: str, identifier: str) -> requests.Response:
    return cloud.post_signed("/webhooks/jira", bodies.issue_event(key), SECRET, identifier)


def let_lease_pass(cloud: Cloud, table: str, key: dict[str, Any], attribute: str) -> None:
    """As if the minutes were over for which a dead worker's claim holds."""
    cloud.client("dynamodb").update_item(
        TableName=cloud.outputs[table],
        Key=key,
        UpdateExpression="SET #lease = :past",
        ExpressionAttributeNames={"#lease": attribute},
        ExpressionAttributeValues={":past": {"S": LONG_AGO}},
    )


def click_and_kill_worker(
    approvals: ApprovalsCloud, proxy: FaultProxy, preview: dict[str, Any], operation: str, nth: int = 1
) -> None:
    """Approve a draft, and have the worker killed when its call has taken effect."""

    def click() -> None:
        approvals.click(preview)
        proxy.holding.wait(HELD_SECONDS)

    kill_at(approvals.cloud, proxy, "jira_worker", operation, Fault.HANG_AFTER, click, nth)


def let_claim_pass(approvals: ApprovalsCloud, claim: dict[str, Any]) -> None:
    """As if the lease of an operation's claim were over."""
    key = {"session_id": claim["session_id"], "operation_key": claim["operation_key"]}
    let_lease_pass(approvals.cloud, "jira_operations_table_name", key, "claim_expires_at")


@pytest.fixture(scope="module")
def inbox(cloud: Cloud) -> Inbox:
    return Inbox(cloud, cloud.outputs["notification_topic_arn"])


@pytest.fixture(scope="module", autouse=True)
def killed_early(cloud: Cloud, proxy: FaultProxy, inbox: Inbox) -> dict[str, str]:
    """What Lambda tries again after a minute: two lease events, and a run of reconciliation; the events' ids."""
    lease = {"userEmail": "ada@sandbox.example", "uuid": str(uuid.uuid4())}
    cloud.put_lease(lease | {"status": "Active"})

    def sweep() -> None:
        cloud.invoke("reconciliation", {"mode": "full", "project": SWEPT}, kind="Event")

    kill_at(cloud, proxy, "reconciliation", "dynamodb.PutItem", Fault.HANG_AFTER, sweep)
    killed = kill_at(
        cloud, proxy, "notification", "sns.Publish", Fault.HANG, lambda: cloud.put_event("LeaseApproved", {"leaseId": lease})
    )
    return {"event": killed.result()}


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.HANG_AFTER])
@pytest.mark.parametrize("nth", [1, 2])
def test_a_webhook_killed_midway_gets_5xx_and_the_retry_stores_it(
    cloud: Cloud, proxy: FaultProxy, fault: Fault, nth: int
) -> None:
    key, identifier = f"OPS-{time.time_ns() % 10**9}", str(uuid.uuid4())

    sent = kill_at(cloud, proxy, "webhooks", "dynamodb.PutItem", fault, lambda: deliver(cloud, key, identifier), nth)

    assert sent.result().status_code >= 500
    again = deliver(cloud, key, identifier)
    assert again.status_code == 202
    head = cloud.jira_row(key)
    assert head is not None
    assert head["idempotency_key"] == {"S": bodies.digest(bodies.issue_event(key))}
    assert cloud.jira_row(key, bodies.UPDATED_AT)
    until(lambda: cloud.jira_row(key, "CORRELATION"))


def test_a_message_whose_worker_is_killed_is_done_by_the_next(cloud: Cloud, proxy: FaultProxy) -> None:
    key = f"OPS-{time.time_ns() % 10**9}"

    sent = kill_at(cloud, proxy, "jira_worker", "dynamodb.Query", Fault.HANG, lambda: deliver(cloud, key, str(uuid.uuid4())))

    assert sent.result().status_code == 202
    until(lambda: cloud.jira_row(key, "CORRELATION"))


def test_a_worker_killed_while_holding_the_claim_creates_one_issue(approvals: ApprovalsCloud, proxy: FaultProxy) -> None:
    draft = approvals.draft(project=SWEPT)
    preview = approvals.preview_of(draft)

    # The first transaction is the decision's, in the approvals function; the second is the worker's claim.
    click_and_kill_worker(approvals, proxy, preview, "dynamodb.TransactWriteItems", nth=2)
    claim = approvals.creation(draft["session_id"])
    assert claim["status"] == {"S": "pending"}
    let_claim_pass(approvals, claim)

    approvals.header_becomes(preview, "Ticket Created: ", seconds=60)
    assert len(approvals.issues(draft["title"])) == 1


def test_a_worker_killed_during_issue_creation_creates_one_issue(approvals: ApprovalsCloud, proxy: FaultProxy) -> None:
    draft = approvals.draft(project=SWEPT)
    preview = approvals.preview_of(draft)

    click_and_kill_worker(approvals, proxy, preview, "jira.POST issue")
    claim = approvals.creation(draft["session_id"])
    assert (claim["status"], claim["posts"]) == ({"S": "pending"}, {"N": "1"})
    assert len(approvals.issues(draft["title"])) == 1
    let_claim_pass(approvals, claim)

    [issue] = approvals.issues(draft["title"])
    assert header_of(approvals.header_becomes(preview, "Ticket Created: ", seconds=90)) == f"Ticket Created: {issue.key}"
    assert len(approvals.issues(draft["title"])) == 1


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.HANG_AFTER])
def test_a_click_killed_midway_gets_5xx_and_a_second_creates_one_issue(
    approvals: ApprovalsCloud, proxy: FaultProxy, fault: Fault
) -> None:
    draft = approvals.draft(project=SWEPT)
    preview = approvals.preview_of(draft)
    click = approvals.payload(preview, ADA)

    sent = kill_at(approvals.cloud, proxy, "approvals", "dynamodb.TransactWriteItems", fault, lambda: approvals.interact(click))

    assert sent.result().status_code >= 500
    approvals.click(preview)
    approvals.header_becomes(preview, "Ticket Created: ", seconds=60)
    assert len(approvals.issues(draft["title"])) == 1
    assert approvals.creation(draft["session_id"])["approved_by"] == {"S": ADA}


def test_an_import_whose_worker_is_killed_is_taken_over_and_counted_once(cloud: Cloud, proxy: FaultProxy) -> None:
    shop = ShuttleApi(cloud).shop()

    started = kill_at(
        cloud,
        proxy,
        "imports",
        "s3.GetObject",
        Fault.HANG,
        lambda: (shop.start(b"sku,price,stock\nA1,1.50,3\n"), proxy.holding.wait(HELD_SECONDS))[0],
    )
    job_id = started.result()
    assert shop.job(job_id)["status"] == "PROCESSING"
    key = {"PK": {"S": f"SHOP#{shop.domain}"}, "SK": {"S": f"JOB#{job_id}"}}
    let_lease_pass(cloud, "shuttle_table_name", key, "LeaseUntil")

    assert shop.ended(job_id)["status"] == "COMPLETED"
    [day] = shop.call("GET", "usage").json()["days"]
    assert (day["imports"], day["jobs_completed"], day["jobs_failed"]) == (1, 1, 0)


def test_a_function_killed_while_it_waits_loses_no_request(cloud: Cloud) -> None:
    for _ in range(5):
        key = f"OPS-{time.time_ns() % 10**9}"
        kill(cloud, "webhooks")
        assert deliver(cloud, key, str(uuid.uuid4())).status_code == 202
        assert cloud.jira_row(key)


def test_lambdas_retry_announces_the_lease_event_of_a_killed_function(
    cloud: Cloud, inbox: Inbox, killed_early: dict[str, str]
) -> None:
    message = inbox.wait_for_event(killed_early["event"], seconds=90)

    assert message["enriched"] is True


def test_lambdas_retry_finishes_a_killed_reconciliation_without_deletions(cloud: Cloud) -> None:
    keys = [f"{SWEPT}-{number}" for number in (1, 2, 3)]

    heads = until(lambda: [head for key in keys if (head := cloud.jira_row(key))][2:] and True, seconds=90)

    assert heads
    assert all((cloud.jira_row(key) or {})["deleted"] == {"BOOL": False} for key in keys)

"""docs/runbooks/jobs.md: imports that fail, wait or were lost, a wrong catalogue, a missing event, a slot that is not free."""

import json
from datetime import timedelta
from typing import Any

import pytest

from lib.platform import clock
from lib.shuttle import ulids
from lib.shuttle.entities import to_item
from lib.shuttle.jobs.job import JobStatus
from tests.support.approvals.cloud import ApprovalsCloud
from tests.support.operations.breaking import denied, without_notification
from tests.support.operations.runbook import Section, runbook
from tests.support.shuttle.api import ShopApi, ShuttleApi
from tests.support.shuttle.queries import a_job

FILE = b"sku,price,stock\nA1,9.50,3\n"
GET = "shuttle jobs get <shop> <job id>"


@pytest.fixture
def shop(operated: ApprovalsCloud) -> ShopApi:
    return ShuttleApi(operated.cloud).shop()


def names(shop: ShopApi, job_id: str) -> dict[str, str]:
    return {"<shop>": shop.domain, "<job id>": job_id}


def make_older(operated: ApprovalsCloud, shop: ShopApi) -> None:
    """Let two minutes pass for the shop's stored event: the sweep leaves younger ones to the worker that made them."""
    dynamodb, table = operated.cloud.client("dynamodb"), operated.cloud.outputs["shuttle_table_name"]
    [event] = dynamodb.query(
        TableName=table,
        KeyConditionExpression="PK = :shop AND begins_with(SK, :event)",
        ExpressionAttributeValues={":shop": {"S": f"SHOP#{shop.domain}"}, ":event": {"S": "EVENT#"}},
    )["Items"]
    _, _, event_id = event["SK"]["S"].partition("#")
    made = clock.canonical(clock.utc_now() - timedelta(minutes=2))
    dynamodb.put_item(TableName=table, Item=event | {"GSI1SK": {"S": f"{made}#{event_id}"}})


@runbook("jobs.md#look-up-a-job")
def test_a_failed_job_shows_its_cause_and_the_corrected_file_is_imported(shop: ShopApi, section: Section) -> None:
    failed = shop.run(b"sku,colour\nA1,red\n")["job_id"]

    assert "WRONG_SCHEMA" in (shown := section.do(GET, names(shop, failed)).succeeded())
    assert "colour" in shown
    assert "FAILED" in section.do("shuttle jobs list <shop>", {"<shop>": shop.domain}).succeeded()
    assert shop.run(FILE)["status"] == "COMPLETED"


@runbook("jobs.md#jobs-stay-queued")
def test_an_upload_without_a_notification_is_imported(operated: ApprovalsCloud, shop: ShopApi, section: Section) -> None:
    with without_notification(operated.cloud, operated.cloud.outputs["import_bucket_name"]):
        job_id = shop.start(FILE)
        head = json.loads(section.run(names(shop, job_id)).succeeded())
        assert section.run().succeeded() == ""
    assert section.do("redrive --function imports --dry-run").succeeded() == "imports has no dead letters.\n"
    assert (head["ContentLength"], shop.job(job_id)["status"]) == (len(FILE), "QUEUED")

    section.run(names(shop, job_id)).succeeded()

    assert shop.ended(job_id)["status"] == "COMPLETED"


@runbook("jobs.md")
def test_an_upload_among_the_dead_letters_is_imported(operated: ApprovalsCloud, shop: ShopApi, section: Section) -> None:
    """A worker holds its job for 16 minutes, so the message is put where SQS leaves it after five of them."""
    sqs = operated.cloud.client("sqs")
    [queue] = [name for name in operated.cloud.outputs["dead_letter_queues"]["imports"] if name.startswith("shuttle-jobs")]
    with without_notification(operated.cloud, operated.cloud.outputs["import_bucket_name"]):
        job_id = shop.start(FILE)
    message = {"Records": [{"s3": {"object": {"key": f"uploads/{shop.domain}/{job_id}"}}}]}
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"], MessageBody=json.dumps(message))

    section.raised("shuttle-jobs-dead-letters-depth", runbook="functions.md#dead-letters")
    assert job_id in section.do("redrive --function imports --dry-run").succeeded()
    section.do("redrive --function imports", answers="y\n").succeeded()

    assert shop.ended(job_id)["status"] == "COMPLETED"


def lose_worker(operated: ApprovalsCloud, shop: ShopApi) -> str:
    """A job that a worker took two hours ago and never ended; its id."""
    times: dict[str, Any] = {name: clock.utc_now() - timedelta(hours=2) for name in ("status_since", "created_at")}
    job_id = ulids.new(times["created_at"])
    times["expires_at"] = clock.utc_now() + timedelta(days=90)
    lost = a_job(domain=shop.domain, job_id=job_id, status=JobStatus.PROCESSING, **times)
    operated.cloud.client("dynamodb").put_item(TableName=operated.cloud.outputs["shuttle_table_name"], Item=to_item(lost))
    return job_id


@runbook("jobs.md#worker_lost")
def test_a_job_whose_worker_died_is_ended_by_the_sweep(operated: ApprovalsCloud, shop: ShopApi, section: Section) -> None:
    job_id = lose_worker(operated, shop)
    operated.cloud.invoke("imports", {"mode": "sweep"})

    section.raised("import-worker-lost")
    assert "WORKER_LOST" in section.do(GET, names(shop, job_id)).succeeded()
    assert section.do("redrive --function imports --dry-run").succeeded() == "imports has no dead letters.\n"

    assert shop.run(FILE)["status"] == "COMPLETED"
    section.over("import-worker-lost")


@runbook("jobs.md#jobs-stay-processing")
def test_jobs_that_no_sweep_ends_are_ended_by_hand(operated: ApprovalsCloud, shop: ShopApi, section: Section) -> None:
    job_id = lose_worker(operated, shop)

    swept = section.run().succeeded()

    assert job_id in swept
    assert "WORKER_LOST: 1" in swept
    assert "WORKER_LOST" in section.do(GET, names(shop, job_id)).succeeded()
    section.raised("shuttle-sweep-stopped", after=3 * 3600)


@runbook("jobs.md#a-catalogue-is-wrong")
def test_a_wrong_file_is_undone(shop: ShopApi, section: Section) -> None:
    shop.run(FILE)
    shop.run(b"sku,price,stock\nB2,1.00,1\n")

    done = section.run({"<shop>": shop.domain, "<version>": "1"}, answers="y\n").succeeded()

    assert "restored from" in done
    current = shop.call("GET", "catalogue").json()["catalogue"]
    assert (current["version"], current["rows"]) == (3, 1)


@pytest.mark.rights_by_hand
@runbook("jobs.md#an-event-is-missing")
def test_an_event_that_was_not_published_is_published_later(operated: ApprovalsCloud, shop: ShopApi, section: Section) -> None:
    with denied(operated.cloud, "imports", "events:PutEvents"):
        shop.run(FILE)
        assert [f"SHOP#{shop.domain}", "ImportCompleted"] in [event[:2] for event in json.loads(section.run().succeeded())]

    assert "event_publish_failed" in section.do("logs --function imports --level WARNING").succeeded()
    make_older(operated, shop)
    operated.cloud.invoke("imports", {"mode": "sweep"})

    assert shop.domain not in section.again().succeeded()


@runbook("jobs.md#a-shop-has-no-free-slot")
def test_a_slot_of_a_finished_job_is_freed(operated: ApprovalsCloud, shop: ShopApi, section: Section) -> None:
    job_id = shop.run(FILE)["job_id"]
    operated.cloud.client("dynamodb").update_item(
        TableName=operated.cloud.outputs["shuttle_table_name"],
        Key={"PK": {"S": f"SHOP#{shop.domain}"}, "SK": {"S": "SLOTS"}},
        UpdateExpression="ADD ActiveJobs :left",
        ExpressionAttributeValues={":left": {"SS": [job_id]}},
    )

    assert job_id in section.run(names(shop, job_id)).succeeded()
    assert section.again().succeeded().splitlines()[0] == "null"


@runbook("jobs.md#cancel-a-job")
def test_a_cancelled_job_never_starts(shop: ShopApi, section: Section) -> None:
    job_id = shop.order(len(FILE))["job"]["job_id"]

    section.run(names(shop, job_id)).succeeded()

    assert shop.job(job_id)["status"] == "CANCELLED"

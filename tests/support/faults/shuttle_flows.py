"""The flows of Shuttle and of the health check, to be broken: what each sends, and what must be true of it."""

import json
from datetime import timedelta
from typing import Any

from lib.platform import clock
from lib.shuttle import entities, keys
from lib.shuttle.catalogue.store import CatalogueStore
from lib.shuttle.catalogue.versions import ReplacedCatalogue
from lib.shuttle.jobs.job import Job, JobStatus
from lib.shuttle.jobs.transitions import MAX_ATTEMPTS
from lib.shuttle.repository import Repository
from tests.support.aws.lambda_context import LambdaContext
from tests.support.faults.runs import Run, Tried, http
from tests.support.faults.world import BUCKET, SHOPS, Message, World, body_of
from tests.support.shuttle.catalogues import a_catalogue
from tests.support.shuttle.queries import a_job

CONTENT = b"sku,price\nA1,1.50\nA2,much\n"
COLUMNS = [{"name": "sku", "required": True}, {"name": "price", "type": "DECIMAL"}]
WEEK = timedelta(days=7)


class NewJob(Run):
    """A shop orders an import, and again, with its token, if it is answered 503."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.domain = f"shop-{world.number()}.example.com"
        self.began = clock.utc_now()
        self.job_id = ""
        assert self.call("PUT", "", {"plan": "LARGE"})[0] == 200
        assert self.call("PUT", "/schema", {"columns": COLUMNS, "key": ["sku"]})[0] == 200
        self.prepare()

    def prepare(self) -> None:
        """Set up what the flow starts from."""

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """A request of the shop's; the status and the JSON of the answer."""
        event = http(method, f"/shuttle/shops/{self.domain}{path}", None if body is None else json.dumps(body), {})
        answer = self.world.function("shuttle").lambda_handler(event, LambdaContext(remaining_ms=30_000))
        return answer["statusCode"], body_of(answer)

    def order(self) -> Tried:
        """``POST …/jobs``."""
        status, answer = self.call("POST", "/jobs", {"file_bytes": len(CONTENT), "client_token": "once"})
        assert status in {202, 503}, (status, answer)
        if status == 202:
            self.job_id = answer["job"]["job_id"]
        return Tried(status == 202, str(status))

    def attempt(self) -> Tried:
        return self.order()

    def kept(self) -> list[str]:
        return [] if self.job().status == "QUEUED" else ["the job is not stored"]

    def ended(self) -> list[str]:
        return self.counted(imports=1) + ([] if self.slots() == {self.job_id} else [f"slots {self.slots()}"])

    # What is stored

    def repository(self) -> Repository:
        """Reads past the proxy."""
        return Repository(self.world.client("dynamodb"), SHOPS, clock.utc_now)

    def job(self) -> Job:
        """The job as it is."""
        return self.repository().job(self.domain, self.job_id)

    def slots(self) -> set[str]:
        """The jobs that take up one of the shop's slots."""
        row = self.world.rows(SHOPS, "PK", f"SHOP#{self.domain}").get("SLOTS", {})
        return set(row.get("ActiveJobs", {}).get("SS", []))

    def counted(self, **wanted: int) -> list[str]:
        """What is wrong with the usage, by day and by month."""
        last = clock.utc_now()
        days = list(self.repository().daily_usage(self.domain, (self.began - WEEK).date(), last.date()))
        months = list(self.repository().monthly_usage(self.domain, f"{self.began - WEEK:%Y-%m}", f"{last:%Y-%m}"))
        wrong = []
        for name, number in wanted.items():
            for span in (days, months):
                total = sum(getattr(each, name) for each in span)
                if total != number:
                    wrong.append(f"{name} counted {total} times, not {number}")
        return wrong


class NewUpload(NewJob):
    """A shop orders an import of a large file, and again, with its token, if it is answered 503."""

    def attempt(self) -> Tried:
        status, answer = self.call("POST", "/jobs", {"file_bytes": 6 * 1024**2, "client_token": "once"})
        assert status in {202, 503}, (status, answer)
        if status == 202:
            self.job_id, self.upload = answer["job"]["job_id"], answer["upload"]["upload_id"]
        return Tried(status == 202, str(status))

    def kept(self) -> list[str]:
        listed = self.world.client("s3").list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        is_open = any(each["UploadId"] == self.upload for each in listed)
        wrong = [] if self.job().upload_id == self.upload else ["the job has another upload than its shop was answered with"]
        return wrong + ([] if is_open else ["the upload that the shop was answered with is not open"])


class CompletedUpload(NewJob):
    """A shop completes an upload of parts, and again if it is answered 503."""

    def prepare(self) -> None:
        status, answer = self.call("POST", "/jobs", {"file_bytes": 6 * 1024**2})
        assert status == 202, answer
        self.job_id, self.upload = answer["job"]["job_id"], answer["upload"]["upload_id"]
        self.s3 = self.world.client("s3")
        where = {"Bucket": BUCKET, "Key": keys.upload_object(self.domain, self.job_id)}
        part = self.s3.upload_part(**where, UploadId=self.upload, PartNumber=1, Body=CONTENT)
        self.parts = [{"part_number": 1, "etag": part["ETag"]}]

    def attempt(self) -> Tried:
        status, answer = self.call("POST", f"/jobs/{self.job_id}/upload", {"upload_id": self.upload, "parts": self.parts})
        assert status in {202, 503}, (status, answer)
        return Tried(status == 202, str(status))

    def kept(self) -> list[str]:
        body = self.s3.get_object(Bucket=BUCKET, Key=keys.upload_object(self.domain, self.job_id))["Body"].read()
        return [] if body == CONTENT else ["the file is another"]

    def ended(self) -> list[str]:
        return self.kept()


class ExportOrder(NewJob):
    """A shop orders an export, and again, with its token, if it is answered 503."""

    def attempt(self) -> Tried:
        status, answer = self.call("POST", "/jobs", {"kind": "EXPORT", "client_token": "once"})
        assert status in {202, 503}, (status, answer)
        if status == 202:
            self.job_id = answer["job"]["job_id"]
        return Tried(status == 202, str(status))

    def kept(self) -> list[str]:
        queue = {"QueueUrl": self.world.variables["JOB_QUEUE_URL"], "MaxNumberOfMessages": 10}
        wanted = {"shop_domain": self.domain, "job_id": self.job_id}
        while messages := self.world.client("sqs").receive_message(**queue).get("Messages", []):
            if any(json.loads(message["Body"]) == {"export": wanted} for message in messages):
                return []
        return ["no message starts the export"]

    def ended(self) -> list[str]:
        return self.counted(exports=1) + ([] if self.slots() == {self.job_id} else [f"slots {self.slots()}"])


class Rollback(NewJob):
    """A shop rolls its catalogue back, and again if it is answered 503."""

    def prepare(self) -> None:
        imported = [a_job(domain=self.domain, status=JobStatus.COMPLETED) for _ in range(2)]
        former = a_catalogue(imported[0], made_at=clock.utc_now())
        current = a_catalogue(imported[1], former, made_at=clock.utc_now())
        for row in (ReplacedCatalogue.of(former, clock.utc_now()), current):
            self.world.client("dynamodb").put_item(TableName=SHOPS, Item=entities.to_item(row))
        self.restored = former.object_key

    def attempt(self) -> Tried:
        status, answer = self.call("POST", "/catalogue/rollback", {"version": 1})
        assert status in {200, 503}, (status, answer)
        return Tried(status == 200, str(status))

    def kept(self) -> list[str]:
        current = self.repository().catalogue(self.domain)
        is_restored = (current.version, current.object_key) == (3, self.restored)
        return [] if is_restored else [f"version {current.version} is the current one"]

    def ended(self) -> list[str]:
        """The event is published, if not by the request then by a sweep."""
        self.world.pass_time(timedelta(minutes=15))
        self.world.function("imports").lambda_handler({"mode": "sweep"}, LambdaContext(remaining_ms=60_000))
        rows = self.world.rows(SHOPS, "PK", f"SHOP#{self.domain}")
        return self.kept() + ["the event is not published" for row in rows if row.startswith("EVENT#")]


class LeftEvent(Rollback):
    """The sweep publishes the event of a rollback whose function died. The schedule repeats it."""

    comes_again_after = timedelta(minutes=15)

    def prepare(self) -> None:
        super().prepare()
        CatalogueStore(self.world.client("dynamodb"), SHOPS, clock.utc_now).rollback(self.domain, 1)
        self.world.pass_time(timedelta(minutes=15))

    def attempt(self) -> Tried:
        try:
            self.world.function("imports").lambda_handler({"mode": "sweep"}, LambdaContext(remaining_ms=60_000))
        except Exception:
            return Tried(False, "retried")
        return Tried(True, "swept")

    def kept(self) -> list[str]:
        left = [row for row in self.world.rows(SHOPS, "PK", f"SHOP#{self.domain}") if row.startswith("EVENT#")]
        return super().kept() + ["the event is not published" for _ in left]

    def ended(self) -> list[str]:
        return self.kept()


class Import(NewJob):
    """The worker runs an import. SQS gives the message again, at the earliest when the lease of a lost worker is over."""

    comes_again_after = timedelta(minutes=17)

    def prepare(self) -> None:
        assert self.order().acknowledged
        self.name = keys.upload_object(self.domain, self.job_id)
        self.world.client("s3").put_object(Bucket=BUCKET, Key=self.name, Body=CONTENT)
        self.message = Message(json.dumps({"Records": [{"s3": {"object": {"key": self.name}}}]}), "shuttle-jobs", receives=1)

    def attempt(self) -> Tried:
        answer = self.world.function("imports").lambda_handler(
            {"Records": [self.message.record()]}, LambdaContext(remaining_ms=900_000)
        )
        failed = bool(answer["batchItemFailures"])
        return Tried(not failed, "retried" if failed else "done")

    def kept(self) -> list[str]:
        return [] if self.job().status.is_final else ["the message is gone, and the job has not ended"]

    def ended(self) -> list[str]:
        job = self.job()
        if job.failure == "WORKER_LOST" and job.attempt == MAX_ATTEMPTS:  # an outage through all of its tries
            return self.counted(imports=1, jobs_completed=0, jobs_failed=1)
        wrong = [] if job.status == "COMPLETED" else [f"the job is {job.status}, {job.failure}"]
        if (job.rows_read, job.rows_failed) != (2, 1):
            wrong.append(f"{job.rows_read} rows were read, and {job.rows_failed} failed")
        if (job.catalogue_version, self.repository().catalogue(self.domain).version) != (1, 1):
            wrong.append("the catalogue does not have the rows once")
        wrong += [] if self.slots() == set() else ["the slot is taken forever"]
        return wrong + self.counted(imports=1, jobs_completed=1, jobs_failed=0)


class StuckJob(NewJob):
    """The sweep gives up a job whose file never came. The schedule repeats it."""

    comes_again_after = timedelta(minutes=15)

    def prepare(self) -> None:
        assert self.order().acknowledged
        self.world.pass_time(timedelta(hours=25))

    def sweep(self) -> None:
        """What the schedule starts."""
        self.world.function("imports").lambda_handler({"mode": "sweep"}, LambdaContext(remaining_ms=60_000))

    def attempt(self) -> Tried:
        try:
            self.sweep()
        except Exception:
            return Tried(False, "retried")
        return Tried(True, "swept")

    def kept(self) -> list[str]:
        return self.ended()

    def ended(self) -> list[str]:
        job = self.job()
        wrong = [] if (job.status, job.failure) == ("FAILED", "UPLOAD_MISSING") else [f"the job is {job.status}"]
        wrong += [] if self.slots() == set() else ["the slot is taken forever"]
        return wrong + self.counted(imports=1, jobs_failed=1)


class DeepCheck(Run):
    """The deep health check: it never fails, and says which check failed. The schedule repeats it."""

    def attempt(self) -> Tried:
        report = self.world.function("health").lambda_handler({"mode": "deep"}, LambdaContext(remaining_ms=60_000))
        failed = [check["name"] for check in report["checks"] if check["status"] == "failed"]
        assert report["status"] == ("failed" if failed else "ok")
        return Tried(not failed, "1 check failed" if len(failed) == 1 else f"{len(failed)} checks failed" if failed else "ok")

    def ended(self) -> list[str]:
        left = []
        for table, name in ((SHOPS, "PK"), ("issues-1f3a", "issue_key"), ("operations-77c0", "session_id")):
            rows = self.world.client("dynamodb").scan(
                TableName=table,
                FilterExpression="begins_with(#name, :health)",
                ExpressionAttributeNames={"#name": name},
                ExpressionAttributeValues={":health": {"S": "health#"}},
            )["Items"]
            left += [row for row in rows if not {"expires_at", "ExpiresAt"} & row.keys()]
        return ["a sentinel stays forever"] if left else []

"""The flows of the lease events and of the Jira sync, to be broken: what each sends, and what must be true of it."""

import json
from datetime import timedelta
from typing import Any

from lib.jira.issue_writer import IssueWriter
from lib.jira.snapshots import BucketSnapshots
from lib.jira.tasks import Task
from lib.jira.webhooks import NeedsFetch, from_rest
from tests.support.aws.lambda_context import LambdaContext
from tests.support.aws.moto_inside import LEASES
from tests.support.faults.runs import Run, Tried, http
from tests.support.faults.world import BUCKET, ISSUES, OPERATIONS, SECRET, Message, World, body_of
from tests.support.jira import bodies
from tests.support.web.events import signature


class LeaseEvent(Run):
    """An event of EventBridge, asynchronous: Lambda tries twice more, and then the event goes to the dead-letter queue."""

    comes_again_after = timedelta(minutes=1)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.lease = {"userEmail": "ada@sandbox.example", "uuid": f"lease-{world.number()}"}
        self.id = f"event-{world.number()}"
        item = {name: {"S": value} for name, value in {**self.lease, "status": "Active"}.items()}
        world.client("dynamodb").put_item(TableName=LEASES, Item=item)
        self.heard: list[dict[str, Any]] = []
        self.tries = 0

    def event(self) -> dict[str, Any]:
        """What is sent."""
        return {"id": self.id, "detail-type": "LeaseApproved", "source": "x", "detail": {"leaseId": self.lease}}

    def attempt(self) -> Tried:
        self.tries += 1
        try:
            answer = self.world.function("notification").lambda_handler(self.event(), LambdaContext(remaining_ms=30_000))
        except Exception:
            return Tried(False, "retried")
        return Tried(True, f"sent, {answer['enrichment']['status']}")

    def kept(self) -> list[str]:
        return [] if self._sent() else ["acknowledged, and nobody was notified"]

    def ended(self) -> list[str]:
        sent = self._sent()
        wrong = [] if 1 <= len(sent) <= self.tries else [f"notified {len(sent)} times"]
        claim = self.world.rows(OPERATIONS, "session_id", f"event#{self.id}").get("sns", {})
        if claim and claim["status"]["S"] == "failed":
            wrong.append("the claim says that nobody was notified")
        return wrong

    def _sent(self) -> list[dict[str, Any]]:
        self.heard += [json.loads(message.body) for message in self.world.take("HEARD")]
        return [message for message in self.heard if message["event_id"] == self.id]


class PostedEvent(LeaseEvent):
    """The same event over HTTP, signed: whoever sends it sends it again after a 5xx."""

    def attempt(self) -> Tried:
        self.tries += 1
        text = json.dumps(self.event())
        event = http("POST", "/events", text, {"Content-Type": "application/json", **signature(SECRET, text)})
        answer = self.world.function("notification").lambda_handler(event, LambdaContext(remaining_ms=30_000))
        status, body = answer["statusCode"], body_of(answer)
        assert status in {202, 503}, (status, body)
        return Tried(status == 202, f"202, {body['enrichment']['status']}" if status == 202 else str(status))


class Webhook(Run):
    """A delivery over HTTP: Jira sends it up to five times more for a 5xx, and never for a 4xx."""

    path = "/webhooks/jira"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.key = f"OPS-{world.number()}"
        self.identifier = f"delivery-{world.number()}"
        self.messages: list[Message] = []
        self.prepare()

    def prepare(self) -> None:
        """Create the state before the flow."""

    def body(self) -> dict[str, Any]:
        """What is sent."""
        return bodies.issue_event(self.key)

    def send(self, body: dict[str, Any], identifier: str) -> tuple[int, Any]:
        """Post a signed body; the status and the JSON of the answer."""
        text = json.dumps(body)
        headers = {"Content-Type": "application/json", "X-Atlassian-Webhook-Identifier": identifier, **signature(SECRET, text)}
        event = http("POST", self.path, text, headers)
        answer = self.world.function("webhooks").lambda_handler(event, LambdaContext(remaining_ms=10_000))
        return answer["statusCode"], body_of(answer)

    def attempt(self) -> Tried:
        status, answer = self.send(self.body(), self.identifier)
        assert status in {202, 503}, (status, answer)
        without = " without correlation" if answer.get("correlation_queued") is False else ""
        queued = " queued" if "commits_queued" in answer else ""
        return Tried(status == 202, f"{status}{without}{queued}")

    def kept(self) -> list[str]:
        return self.stored()

    def settle(self) -> None:
        for message in self.messages:  # taken from the queue to see what was kept
            self.world.client("sqs").send_message(QueueUrl=self.world.variables["JIRA_QUEUE_URL"], MessageBody=message.body)
        self.dead = self.world.work("JIRA_QUEUE_URL")

    def ended(self) -> list[str]:
        return [f"dead: {body}" for body in self.dead] + self.stored()

    def stored(self) -> list[str]:
        """What is missing of the delivery."""
        rows = self.world.issue(self.key)
        own = {"S": bodies.digest(self.body())}
        wrong = [] if rows.get("HEAD", {}).get("idempotency_key") == own else ["HEAD is not the delivery's"]
        if bodies.UPDATED_AT not in rows:
            wrong.append("the version is missing")
        return wrong


class Deletion(Webhook):
    """An issue that is there is deleted."""

    def prepare(self) -> None:
        assert self.send(bodies.issue_event(self.key), f"{self.identifier}-before")[0] == 202
        self.world.take("JIRA_QUEUE_URL")

    def body(self) -> dict[str, Any]:
        return bodies.issue_event(self.key, event="jira:issue_deleted", minute=1)

    def stored(self) -> list[str]:
        rows = self.world.issue(self.key)
        head = rows["HEAD"]
        wrong = [] if head["deleted"] == {"BOOL": True} else ["the issue is not deleted"]
        if "project_key" in head and "issue_number" in head:
            wrong.append("the deleted issue is still in the index")
        return wrong


class Move(Webhook):
    """An issue that is there moves to another project."""

    def prepare(self) -> None:
        self.moved = f"WEB-{self.world.number()}"
        assert self.send(bodies.issue_event(self.key), f"{self.identifier}-before")[0] == 202
        self.world.take("JIRA_QUEUE_URL")

    def body(self) -> dict[str, Any]:
        return bodies.move_event(self.key, self.moved, minute=1)

    def stored(self) -> list[str]:
        before, after = self.world.issue(self.key)["HEAD"], self.world.issue(self.moved).get("HEAD")
        wrong = [] if before["deleted"] == {"BOOL": True} else ["the former key is live"]
        if before.get("moved_to") != {"S": self.moved}:
            wrong.append("the former key does not say where to")
        if after is None or after["deleted"] == {"BOOL": True}:
            wrong.append("the new key is not live")
        return wrong


class LargeDelivery(Webhook):
    """An issue whose snapshot is too large for a row."""

    def body(self) -> dict[str, Any]:
        return bodies.issue_event(self.key, description="x" * 400_000)

    def stored(self) -> list[str]:
        wrong = super().stored()
        version = self.world.issue(self.key).get(bodies.UPDATED_AT, {})
        names = [value["S"] for value in version.values() if value.get("S", "").startswith("snapshots/")]
        found = [name for name in names if self.world.client("s3").head_object(Bucket=BUCKET, Key=name)]
        return wrong + ([] if len(found) == 1 else ["the snapshot is not in the bucket"])


class Comment(Webhook):
    """A comment names its issue without its state: the worker asks Jira."""

    def prepare(self) -> None:
        project = f"C{self.world.number()}"
        self.world.jira.seed(project, 1)
        self.key = f"{project}-1"

    def body(self) -> dict[str, Any]:
        return bodies.comment_event(self.key)

    def kept(self) -> list[str]:
        self.messages = self.world.take("JIRA_QUEUE_URL")
        return [] if any(self.key in message.body for message in self.messages) else ["acknowledged, and nothing is queued"]

    def stored(self) -> list[str]:
        head = self.world.issue(self.key).get("HEAD")
        return [] if head is not None and head["deleted"] == {"BOOL": False} else ["the issue was not fetched"]


class Push(Webhook):
    """Commits that name an issue of a project that is known by its issues alone."""

    path = "/webhooks/commits"

    def prepare(self) -> None:
        self.key = f"GIT{self.world.number()}-7"
        before = Webhook(self.world)
        assert before.send(bodies.issue_event(self.key), self.identifier)[0] == 202
        self.world.take("JIRA_QUEUE_URL")

    def body(self) -> dict[str, Any]:
        return bodies.github_push(f"{self.key}: fix it", f"{self.key}: fix it well")

    def kept(self) -> list[str]:
        missing = self.stored()
        if missing:
            self.messages = self.world.take("JIRA_QUEUE_URL")
            queued = [json.loads(message.body)["commits"] for message in self.messages]
            missing = [] if any(queued) else missing
        return missing

    def stored(self) -> list[str]:
        commits = [name for name in self.world.issue(self.key) if name.startswith("COMMIT#")]
        return [] if len(commits) == 2 else [f"{len(commits)} of 2 commits are stored"]


class Batch(Run):
    """Two messages of the work queue in one batch: an issue to correlate, and one to fetch. SQS gives them again."""

    comes_again_after = timedelta(minutes=31)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        stored = Webhook(world)
        assert stored.attempt().acknowledged
        world.take("JIRA_QUEUE_URL")
        project = f"B{world.number()}"
        world.jira.seed(project, 1)
        self.stored, self.fetched = stored.key, f"{project}-1"
        fetch = NeedsFetch((self.fetched,), "comment_created", bodies.SENT, f"delivery-{world.number()}")
        tasks = Task(touched=(self.stored,)), Task(fetch=fetch)
        self.messages = [Message(task.to_body(), "jira-work", receives=1) for task in tasks]
        self.left = [(message, key) for message, key in zip(self.messages, (self.stored, self.fetched), strict=True)]
        self.done: list[str] = []

    def attempt(self) -> Tried:
        event = {"Records": [message.record() | {"messageId": key} for message, key in self.left]}
        try:
            answer = self.world.function("jira_worker").lambda_handler(event, LambdaContext())
        except Exception:
            return Tried(False, "retried")
        failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        self.done += [key for _, key in self.left if key not in failed]
        count = len(self.left)
        self.left = [(message, key) for message, key in self.left if key in failed]
        return Tried(not failed, "done" if not failed else f"{len(failed)} of {count} retried")

    def never(self) -> list[str]:
        return [f"{key} is done and not correlated" for key in self.done if "CORRELATION" not in self.world.issue(key)]

    def ended(self) -> list[str]:
        wrong = [] if "HEAD" in self.world.issue(self.fetched) else ["the issue was not fetched"]
        objects = self.world.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="runs/correlation/").get("Contents", [])
        texts = [self.world.client("s3").get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read().decode() for each in objects]
        return wrong + [
            f"no record has {key}" for key in (self.stored, self.fetched) if not any(f'"{key}"' in text for text in texts)
        ]


class Sweep(Run):
    """A whole reconciliation of a project whose issues are as stored, changed, new, and gone. The schedule repeats it."""

    comes_again_after = timedelta(hours=1)
    event: dict[str, Any]

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.project = f"R{world.number()}"
        world.jira.seed(self.project, 4)
        self.same, self.changed, self.new, self.gone = (f"{self.project}-{number}" for number in range(1, 5))
        self.event = {"mode": "full", "project": self.project}
        store = IssueWriter(
            world.client("dynamodb"), ISSUES, history=timedelta(days=90), snapshots=BucketSnapshots(lambda: None, "")
        )
        for issue in list(world.jira.site.by_id.values()):
            if issue.key in {self.same, self.changed, self.gone}:
                store.record(from_rest(issue.render(), event_type="before", event_at=1_000, idempotency_key=f"of-{issue.key}"))
        world.jira.edit(self.changed, summary="Changed meanwhile")
        world.jira.delete(self.gone)
        self.deleted_in_jira = {self.gone}

    def attempt(self) -> Tried:
        try:
            result = self.world.function("reconciliation").lambda_handler(self.event, LambdaContext(remaining_ms=900_000))
        except Exception as error:
            return Tried(False, f"retried: {error}")
        [turn] = result["projects"]
        if not turn["complete"]:
            return Tried(False, "refused" if result["refused"] else "incomplete")
        return Tried(True, "complete")

    def never(self) -> list[str]:
        live = {self.same, self.changed, self.new}
        return [f"{key} is live and was deleted" for key in live if self.head(key).get("deleted") == {"BOOL": True}]

    def settle(self) -> None:
        self.world.take("JIRA_QUEUE_URL")  # what the worker makes of it, other flows show

    def ended(self) -> list[str]:
        wrong = []
        if self.head(self.changed).get("summary") != {"S": "Changed meanwhile"}:
            wrong.append("what changed was not brought in")
        if not self.head(self.new):
            wrong.append("what is new was not brought in")
        if self.head(self.gone).get("deleted") != {"BOOL": self.gone in self.deleted_in_jira}:
            wrong.append("what is gone was not deleted")
        return wrong

    def head(self, key: str) -> dict[str, Any]:
        """An issue's current state."""
        return self.world.issue(key).get("HEAD", {})


class CatchUp(Sweep):
    """A catch-up: it deletes nothing, and advances the watermark only past the changes that it processed."""

    comes_again_after = timedelta(minutes=15)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.event = {"mode": "changes", "project": self.project}
        self.deleted_in_jira = set()

    def never(self) -> list[str]:
        wrong = super().never()
        if self.head(self.gone).get("deleted") == {"BOOL": True}:
            wrong.append("a catch-up deleted an issue")
        if self.watermark() and (not self.head(self.new) or self.head(self.changed)["summary"]["S"] != "Changed meanwhile"):
            wrong.append("the watermark is past a change that was not brought in")
        return wrong

    def ended(self) -> list[str]:
        return super().ended() + ([] if self.watermark() else ["there is no watermark"])

    def watermark(self) -> str:
        """Up to when changes were looked at; empty if they never were."""
        row = self.world.rows(OPERATIONS, "session_id", "reconciliation").get(f"WATERMARK#{self.project}")
        return str(row["reached"]["S"]) if row else ""

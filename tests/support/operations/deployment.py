"""A deployment in an AWS inside this process, for what people read of it: tables, queues, logs, alarms and schedules."""

import json
from datetime import datetime, timedelta
from typing import Any

from lib.operations import deployed
from lib.platform import aws, clock
from lib.platform.contract import ENTRY_POINTS
from tests.support.aws.environment import REGION
from tests.support.aws.moto_inside import (
    BUCKET,
    ISSUES,
    LEASES,
    LEASES_ARN,
    OPERATIONS,
    SHOPS,
    SHUTTLE_VARIABLES,
    create_bucket,
    create_tables,
)
from tests.support.aws.moto_state import ACCOUNT, made_once

FUNCTIONS = {entry_point: f"{entry_point}-0a1b2c3" for entry_point in ENTRY_POINTS}
FAILURES, WORK, WORK_DEAD_LETTERS = "notification-failures-0a1b2c3", "jira-work-0a1b2c3", "jira-work-dead-letters-0a1b2c3"
OUTPUTS = {
    "functions": FUNCTIONS,
    "dead_letter_queues": {"notification": [FAILURES], "jira_worker": [WORK_DEAD_LETTERS]},
    "lease_table_name": LEASES,
    "lease_table_arn": LEASES_ARN,
    "jira_issues_table_name": ISSUES,
    "jira_operations_table_name": OPERATIONS,
    "shuttle_table_name": SHOPS,
    "artifact_bucket_name": BUCKET,
}
_VARIABLES = {
    "LEASE_TABLE_ARN": LEASES_ARN,
    "JIRA_ISSUES_TABLE_NAME": ISSUES,
    "OPERATIONS_TABLE_NAME": OPERATIONS,
    "ARTIFACT_BUCKET_NAME": BUCKET,
    "JIRA_QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{WORK}",
    "APPROVAL_QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/approval-work-0a1b2c3",
    "NOTIFY_CHANNELS": "slack",
    "HISTORY_DAYS": "30",
    **SHUTTLE_VARIABLES,
}


@made_once
def _create_resources() -> None:
    create_tables()
    create_bucket()
    sqs, logs = aws.make_client("sqs"), aws.make_client("logs")
    for name in (FAILURES, WORK_DEAD_LETTERS):
        sqs.create_queue(QueueName=name)
    policy = {"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{WORK_DEAD_LETTERS}", "maxReceiveCount": 5}
    sqs.create_queue(QueueName=WORK, Attributes={"RedrivePolicy": json.dumps(policy)})
    for name in FUNCTIONS.values():
        logs.create_log_group(logGroupName=f"/aws/lambda/{name}")
        logs.create_log_stream(logGroupName=f"/aws/lambda/{name}", logStreamName="one")


class Deployment(deployed.Deployment):
    """A deployment whose time is now. Create it while moto answers every client."""

    def __init__(self) -> None:
        super().__init__(dict(OUTPUTS), "the outputs of the tests", client=aws.Clients(aws.make_client))
        self.environments: dict[str, str] = {}
        """Variables of the functions, beside those they need."""
        _create_resources()

    def environment(self, entry_point: str, kind: Any) -> Any:
        """The environment of a function: the variables of all of them, and :attr:`environments`."""
        return kind.read(_VARIABLES | self.environments)

    def log(self, entry_point: str, message: str, *, ago: timedelta = timedelta(seconds=1), **fields: Any) -> None:
        """A function wrote a line, some time ago."""
        at = clock.utc_now() - ago
        line = {"level": "INFO", "message": message, "function": entry_point, **fields}
        self.client("logs").put_log_events(
            logGroupName=f"/aws/lambda/{FUNCTIONS[entry_point]}",
            logStreamName="one",
            logEvents=[{"timestamp": clock.epoch_ms(at), "message": json.dumps(line)}],
        )

    def send(self, queue: str, body: object) -> None:
        """Send a message to a queue."""
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=body if isinstance(body, str) else json.dumps(body))

    def schedule(self, name: str, entry_point: str, state: str = "ENABLED") -> None:
        """Add a schedule of a function."""
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{FUNCTIONS[entry_point]}"
        self.client("scheduler").create_schedule(
            Name=f"{name}-0a1b2c3",
            ScheduleExpression="rate(5 minutes)",
            FlexibleTimeWindow={"Mode": "OFF"},
            State=state,
            Target={"Arn": arn, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/scheduler"},
        )

    def put_session(self, session_id: str, state: str, updated_at: datetime) -> None:
        """A session in a state since a time."""
        row = {"session_id": session_id, "operation_key": "SESSION", "draft_hash": "a" * 64, "state": state}
        row["updated_at"] = clock.canonical(updated_at)
        self.client("dynamodb").put_item(TableName=OPERATIONS, Item={name: {"S": value} for name, value in row.items()})

"""What somebody breaks by hand in a running cloud: grants, notifications, schedules. Each is repaired at the end."""

import contextlib
import json
from collections.abc import Iterator

from tests.support.cloud import Cloud


@contextlib.contextmanager
def denied(cloud: Cloud, entry_point: str, *actions: str) -> Iterator[None]:
    """Deny actions to the role of a function."""
    name = cloud.outputs["functions"][entry_point]
    role = cloud.client("lambda").get_function_configuration(FunctionName=name)["Role"].rpartition("/")[2]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": list(actions), "Resource": "*"}]}
    iam = cloud.client("iam")
    iam.put_role_policy(RoleName=role, PolicyName="denied", PolicyDocument=json.dumps(document))
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="denied")


@contextlib.contextmanager
def without_notification(cloud: Cloud, bucket: str) -> Iterator[None]:
    """Remove the notification of a bucket."""
    s3 = cloud.client("s3")
    notification = s3.get_bucket_notification_configuration(Bucket=bucket)
    del notification["ResponseMetadata"]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    try:
        yield
    finally:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=notification)


@contextlib.contextmanager
def scheduled_off(cloud: Cloud, name: str) -> Iterator[None]:
    """Disable the schedule whose name begins with ``name``."""
    _set_schedule(cloud, name, "DISABLED")
    try:
        yield
    finally:
        _set_schedule(cloud, name, "ENABLED")


def _set_schedule(cloud: Cloud, name: str, state: str) -> None:
    scheduler = cloud.client("scheduler")
    [found] = [each for each in scheduler.list_schedules()["Schedules"] if each["Name"].startswith(f"{name}-")]
    settings = scheduler.get_schedule(Name=found["Name"], GroupName=found["GroupName"])
    kept = ("Name", "GroupName", "ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "Target")
    scheduler.update_schedule(**{key: settings[key] for key in kept if key in settings}, State=state)

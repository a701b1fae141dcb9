"""The SNS topics: one that notifications go out by, one that alarms go out by."""

import json
from typing import Any

import pulumi_aws as aws

from stack.components import iam


def create_notification_topic() -> aws.sns.Topic:
    """The topic of the channel ``sns``. Its messages name people, so they are encrypted at rest by the AWS-managed key."""
    topic = aws.sns.Topic("notifications", kms_master_key_id="alias/aws/sns")
    _set_policy("notifications", topic, [])
    return topic


def create_alarm_topic(alarm_email: str) -> aws.sns.Topic:
    """The topic that every alarm goes to, and the subscription of ``alarm_email`` if that is not empty.

    Not encrypted at rest: CloudWatch can't use the AWS-managed key, and an alarm holds a metric's name and numbers only.
    """
    topic = aws.sns.Topic("alarms")
    _set_policy("alarms", topic, ["cloudwatch.amazonaws.com"])
    if alarm_email:
        aws.sns.TopicSubscription("alarm-email", topic=topic.arn, protocol="email", endpoint=alarm_email)
    return topic


def topic_policy(topic_arn: str, publishers: list[str]) -> dict[str, Any]:
    """The policy document of a topic: TLS only, and the AWS services of this account that may publish."""
    account = topic_arn.split(":")[4]
    allowed = [
        {
            "Sid": "PublishFromThisAccount",
            "Effect": "Allow",
            "Principal": {"Service": publisher},
            "Action": "sns:Publish",
            "Resource": topic_arn,
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        }
        for publisher in publishers
    ]
    return {"Version": iam.POLICY_VERSION, "Statement": [iam.refuse_plain_http(topic_arn, "sns:Publish"), *allowed]}


def _set_policy(name: str, topic: aws.sns.Topic, publishers: list[str]) -> None:
    aws.sns.TopicPolicy(name, arn=topic.arn, policy=topic.arn.apply(lambda arn: json.dumps(topic_policy(arn, publishers))))

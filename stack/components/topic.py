"""The SNS topics: one for notifications, one for alarms."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws

from stack.components import iam
from stack.components.component import Component


class Topic(Component):
    """A topic that accepts requests by TLS only."""

    def __init__(
        self,
        name: str,
        *,
        encrypt: bool,
        publishers: tuple[str, ...] = (),
        email: str = "",
        parent: pulumi.Resource | None = None,
    ) -> None:
        """Create the topic.

        Args:
            name: the logical name.
            encrypt: whether messages are encrypted at rest by the AWS-managed key.
            publishers: the AWS services of this account that may publish. A function needs only the grant of its own role.
            email: the address that is subscribed, if not empty.
            parent: the component that it belongs to.
        """
        super().__init__(name, parent)
        topic = aws.sns.Topic(name, kms_master_key_id="alias/aws/sns" if encrypt else None, opts=self.child())
        policy = topic.arn.apply(lambda arn: json.dumps(topic_policy(arn, publishers)))
        aws.sns.TopicPolicy(name, arn=topic.arn, policy=policy, opts=self.child())
        if email:
            aws.sns.TopicSubscription(f"{name}-email", topic=topic.arn, protocol="email", endpoint=email, opts=self.child())
        self.arn = topic.arn
        self.register_outputs({"arn": self.arn})


def topic_policy(topic_arn: str, publishers: tuple[str, ...]) -> dict[str, Any]:
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

"""The SNS topics: one for notifications, one for each severity of alarms."""

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
        parent: pulumi.Resource | None = None,
    ) -> None:
        """Create the topic.

        Args:
            name: the logical name.
            encrypt: whether messages are encrypted at rest by the AWS-managed key.
            publishers: the AWS services of this account that may publish. A function needs only the grant of its own role.
            parent: the component that it belongs to.
        """
        super().__init__(name, parent)
        topic = aws.sns.Topic(name, kms_master_key_id="alias/aws/sns" if encrypt else None, opts=self.child())
        policy = topic.arn.apply(lambda arn: json.dumps(topic_policy(arn, publishers)))
        aws.sns.TopicPolicy(name, arn=topic.arn, policy=policy, opts=self.child())
        self.arn = topic.arn
        self.register_outputs({"arn": self.arn})

    def subscribe(self, name: str, protocol: str, endpoint: pulumi.Input[str]) -> None:
        """Subscribe an endpoint, which has to confirm the subscription: a person by a link, an on-call service by itself."""
        aws.sns.TopicSubscription(name, topic=self.arn, protocol=protocol, endpoint=endpoint, opts=self.child())


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

"""The alarms, the topics that they notify, and the dashboard, as one component."""

import time
from collections.abc import Iterable

import pulumi

from stack.components.component import Component
from stack.components.topic import Topic
from stack.monitoring import dashboard
from stack.monitoring.alarm import create
from stack.monitoring.alarms import alarms
from stack.monitoring.metrics import Watched
from stack.monitoring.severity import Severity, targets_of


class Monitoring(Component):
    """Watches the stack.

    Attributes:
        dashboard_url: the dashboard in the AWS console.
        topic_arns: the topic that the alarms of a severity notify.
    """

    def __init__(
        self, watched: Watched, *, dashboard_name: str, stack: str, runbooks: str, alarm_targets: Iterable[str]
    ) -> None:
        """Create the alarms of ``watched``, their topics and the dashboard.

        Args:
            watched: the parts of the stack.
            dashboard_name: the dashboard's name.
            stack: the stack that the commands in the descriptions select, if not empty.
            runbooks: URL of the folder of the runbooks, ending in a slash.
            alarm_targets: who is notified: entries of ``alarmTargets``.
        """
        super().__init__("monitoring")
        # Not encrypted at rest: CloudWatch can't use the AWS-managed key, and an alarm holds only a metric's name and numbers.
        topics = {
            severity: Topic(f"alarms-{severity}", encrypt=False, publishers=("cloudwatch.amazonaws.com",), parent=self)
            for severity in Severity
        }
        for target in targets_of(alarm_targets):
            # The URL of an on-call service contains its key.
            topics[target.severity].subscribe(target.logical_name, target.protocol, pulumi.Output.secret(target.endpoint))
        now = time.time()
        arns = [
            create(alarm, alarm.description(stack, runbooks), topics[alarm.severity].arn, now, self.child()).arn
            for alarm in alarms(watched)
        ]
        self.topic_arns = {severity: topic.arn for severity, topic in topics.items()}
        self.dashboard_url = dashboard.create(dashboard_name, watched, arns, self.child())
        self.register_outputs({"dashboard_url": self.dashboard_url})

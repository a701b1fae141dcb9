"""The alarms, the topic that they notify, and the dashboard, as one component."""

from stack.components.component import Component
from stack.components.topic import Topic
from stack.monitoring import alarms, dashboard
from stack.monitoring.metrics import Watched


class Monitoring(Component):
    """Watches the stack.

    Attributes:
        dashboard_url: the dashboard in the AWS console.
    """

    def __init__(self, watched: Watched, *, dashboard_name: str, alarm_email: str) -> None:
        """Create the alarms of ``watched``, which notify ``alarm_email`` if it is not empty, and the dashboard."""
        super().__init__("monitoring")
        # Not encrypted at rest: CloudWatch can't use the AWS-managed key, and an alarm holds only a metric's name and numbers.
        topic = Topic("alarms", encrypt=False, publishers=("cloudwatch.amazonaws.com",), email=alarm_email, parent=self)
        arns = [alarms.create(alarm, topic.arn, self.child()).arn for alarm in alarms.alarms(watched)]
        self.dashboard_url = dashboard.create(dashboard_name, watched, arns, self.child())
        self.register_outputs({"dashboard_url": self.dashboard_url})

"""The contract of the stack's outputs: their names, and those of the functions among them."""

from collections.abc import Mapping

STABLE_NAMES = ("LeaseTable-217d256", "artifacts-0f50505")
"""The names of two resources of the local cloud at every start."""

OUTPUTS = frozenset(
    {
        "http_api_url",
        "event_bus_name",
        "lease_table_name",
        "lease_table_arn",
        "jira_issues_table_name",
        "jira_issues_table_arn",
        "jira_operations_table_name",
        "jira_operations_table_arn",
        "shuttle_table_name",
        "shuttle_table_arn",
        "artifact_bucket_name",
        "import_bucket_name",
        "notification_topic_arn",
        "alarm_topic_arn",
        "alarm_ticket_topic_arn",
        "dashboard_url",
        "dead_letter_queues",
        "functions",
    }
)


def names(outputs: Mapping[str, str]) -> tuple[str, str]:
    """The names of the same two resources, as the stack has published them."""
    return outputs["lease_table_name"], outputs["artifact_bucket_name"]

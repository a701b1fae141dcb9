"""The outputs of the stack: others rely on these names."""

from tests.support.project.outputs import OUTPUTS
from tests.support.project.pulumi_graph import declare


def test_these_are_the_outputs() -> None:
    assert declare().outputs.keys() == OUTPUTS


def test_every_output_is_the_resources_own() -> None:
    graph = declare()

    for output, table in (
        ("lease_table", "LeaseTable"),
        ("jira_issues_table", "JiraIssues"),
        ("jira_operations_table", "JiraOperations"),
        ("shuttle_table", "Shuttle"),
    ):
        resource = graph.one("aws:dynamodb/table:Table", table).outputs
        assert graph.outputs[f"{output}_name"] == resource["name"]
        assert graph.outputs[f"{output}_arn"] == resource["arn"]
    assert graph.outputs["artifact_bucket_name"] == graph.one("aws:s3/bucket:Bucket", "artifacts").outputs["bucket"]
    assert graph.outputs["notification_topic_arn"] == graph.arn("aws:sns/topic:Topic", "notifications")
    assert graph.outputs["alarm_topic_arn"] == graph.arn("aws:sns/topic:Topic", "alarms-page")
    assert graph.outputs["alarm_ticket_topic_arn"] == graph.arn("aws:sns/topic:Topic", "alarms-ticket")
    assert graph.outputs["functions"] == {
        function.name: function.outputs["name"] for function in graph.all("aws:lambda/function:Function")
    }

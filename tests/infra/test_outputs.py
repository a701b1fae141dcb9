"""The outputs of the stack: others rely on these names."""

from tests.support.pulumi_graph import declare


def test_these_are_the_outputs() -> None:
    assert declare().outputs.keys() == {
        "http_api_url",
        "event_bus_name",
        "lease_table_name",
        "lease_table_arn",
        "jira_operations_table_name",
        "jira_operations_table_arn",
        "notification_topic_arn",
        "dashboard_url",
        "functions",
    }


def test_every_output_is_the_resources_own() -> None:
    graph = declare()

    for output, table in (("lease_table", "LeaseTable"), ("jira_operations_table", "JiraOperations")):
        resource = graph.one("aws:dynamodb/table:Table", table).outputs
        assert graph.outputs[f"{output}_name"] == resource["name"]
        assert graph.outputs[f"{output}_arn"] == resource["arn"]
    assert graph.outputs["notification_topic_arn"] == graph.arn("aws:sns/topic:Topic", "notifications")
    assert graph.outputs["functions"] == {
        function.name: function.outputs["name"] for function in graph.all("aws:lambda/function:Function")
    }

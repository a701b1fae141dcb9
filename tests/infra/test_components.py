"""The tree that ``pulumi preview`` shows, and the tags of its resources."""

import pulumi
import pytest

from stack.components.component import Component
from tests.support.project.pulumi_graph import EVERYTHING, Graph, declare


@pytest.fixture(scope="module")
def graph() -> Graph:
    return declare(*EVERYTHING)


def test_every_resource_has_a_component_as_its_parent(graph: Graph) -> None:
    for resource in graph.resources:
        assert isinstance(graph.options[resource.type, resource.name].parent, Component), resource


def test_only_components_are_at_the_root(graph: Graph) -> None:
    parents = {(each.type, each.name): graph.options[each.type, each.name].parent for each in graph.components}

    assert {type(parent) for parent in parents.values()} > {type(None)}
    assert all(parent is None or isinstance(parent, Component) for parent in parents.values())
    assert {type_.rpartition(":")[2] for (type_, _), parent in parents.items() if parent is None} == {
        *("Bucket", "EventBus", "Function", "HttpApi", "Monitoring"),
        *("Schedules", "Secret", "Table", "Topic", "WorkQueue"),
    }


def test_a_component_is_named_as_its_main_resource(graph: Graph) -> None:
    assert {type_ for type_, _ in graph.options if type_.startswith("switchboard:")} == {each.type for each in graph.components}
    [queue] = [
        each for each in graph.resources if (each.type, each.name) == ("aws:sqs/queue:Queue", "shuttle-jobs-dead-letters")
    ]
    parent = graph.options[queue.type, queue.name].parent

    assert parent is not None
    assert (parent._type, parent._name) == ("switchboard:components:DeadLetterQueue", "shuttle-jobs-dead-letters")


def test_taggable_resources_have_the_tags_of_the_stack_and_the_config(graph: Graph) -> None:
    tagged = {each.type for each in graph.resources if "tags" in each.inputs}

    for each in graph.resources:
        if takes_tags(graph.classes[each.type, each.name]):
            assert each.inputs["tags"] == {"Project": "leases", "Stack": "prod", "Owner": "platform"}, each
        else:
            assert "tags" not in each.inputs
    assert tagged >= {
        "aws:apigatewayv2/api:Api",
        "aws:cloudwatch/logGroup:LogGroup",
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        "aws:dynamodb/table:Table",
        "aws:iam/role:Role",
        "aws:lambda/function:Function",
        "aws:s3/bucket:Bucket",
        "aws:secretsmanager/secret:Secret",
        "aws:sns/topic:Topic",
        "aws:sqs/queue:Queue",
    }


def takes_tags(kind: type[pulumi.Resource]) -> bool:
    """Whether the constructor of a resource takes tags."""
    return "tags" in kind._internal_init.__annotations__  # type: ignore[attr-defined]


def test_without_config_the_tags_are_the_project_and_the_stack() -> None:
    assert declare(stack="local").one("aws:dynamodb/table:Table", "Shuttle").inputs["tags"] == {
        "Project": "switchboard",
        "Stack": "local",
    }

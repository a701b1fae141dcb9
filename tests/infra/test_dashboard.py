"""The dashboard shows every metric, alarm and log, each of something that exists."""

import json
import re
from typing import Any

import pytest

from tests.support.observability.aws_metrics import ALARM, FUNCTION, check_metric
from tests.support.observability.emitted_metrics import METRICS
from tests.support.project.pulumi_graph import EVERYTHING, JIRA_CONFIG, JIRA_SECRETS, Graph, declare


def dashboard_widgets(graph: Graph) -> list[dict[str, Any]]:
    return list(json.loads(graph.one("aws:cloudwatch/dashboard:Dashboard").inputs["dashboardBody"])["widgets"])


def test_the_dashboard_shows_metrics_of_things_that_exist() -> None:
    graph = declare(*EVERYTHING)
    for widget in dashboard_widgets(graph):
        for line in widget["properties"].get("metrics", []):
            if "expression" not in line[0]:
                namespace, name, *dimensions, _ = line
                check_metric(graph, namespace, name, dict(zip(dimensions[::2], dimensions[1::2], strict=True)))


def test_the_dashboard_shows_every_metric_by_every_function_that_writes_it() -> None:
    shown = set()
    for widget in dashboard_widgets(declare(*EVERYTHING)):
        for line in widget["properties"].get("metrics", []):
            if "expression" in line[0] and not line[0]["expression"].startswith("SUM("):
                name, service = searched(line[0]["expression"])
                assert line[0]["label"] == name
                shown.add((name, service))
            elif line[0] == "Switchboard":
                shown.add((line[1], dict(zip(line[2:-1:2], line[3:-1:2], strict=True))["service"]))

    assert shown == {(name, writer) for name, metric in METRICS.items() for writer in metric.writers}


def searched(expression: str) -> tuple[str, str]:
    """The metric that a search finds, and the function that writes it."""
    form = r"SEARCH\('\{Switchboard,([\w,]+)\} MetricName=\"(\w+)\" service=\"(\w+)\"', 'Sum', 300\)"
    match = re.fullmatch(form, expression)
    assert match, expression
    assert set(match[1].split(",")) == {"service", *METRICS[match[2]].dimensions}
    return match[2], match[3]


def test_table_usage_and_throttles_include_indexes_in_one_line() -> None:
    [widget] = [each for each in dashboard_widgets(declare()) if each["properties"]["title"].startswith("Tables: ")]
    lines = widget["properties"]["metrics"]
    hidden = {line[-1]["id"]: line for line in lines if line[-1].get("visible") is False}
    totals = {line[0]["label"]: re.findall(r"FILL\((\w+),0\)", line[0]["expression"]) for line in lines if len(line) == 1}

    assert len(lines) - len(hidden) == 4 * 4  # tables, and what is shown of each
    assert sorted(each for ids in totals.values() for each in ids) == sorted(hidden)
    assert [hidden[each][1] for each in totals["JiraIssues write throttles"]] == ["WriteThrottleEvents"] * 5
    assert [hidden[each][5] for each in totals["JiraIssues write throttles"][1:]] == [
        "ProjectIndex",
        "StatusIndex",
        "AssigneeIndex",
        "FixVersionIndex",
    ]


def test_the_ids_in_a_graph_are_distinct_as_cloudwatch_demands() -> None:
    for widget in dashboard_widgets(declare(*EVERYTHING)):
        ids = [line[-1]["id"] for line in widget["properties"].get("metrics", []) if "id" in line[-1]]

        assert len(ids) == len(set(ids))
        assert all(re.fullmatch(r"[a-z]\w*", each) for each in ids)


def test_the_dashboard_shows_every_alarm_and_the_log_of_every_function() -> None:
    graph = declare()
    by_type = {widget["type"]: widget["properties"] for widget in dashboard_widgets(graph)}

    assert sorted(by_type["alarm"]["alarms"]) == sorted(each.outputs["arn"] for each in graph.all(ALARM))
    for function in graph.all(FUNCTION):
        assert f"SOURCE '/aws/lambda/{function.outputs['name']}'" in by_type["log"]["query"]


MANY_PROJECTS = ({**JIRA_CONFIG, "jiraProjects": ",".join(f"P{number}" for number in range(40))}, JIRA_SECRETS)


def test_alarms_of_many_projects_are_split_to_fit_cloudwatchs_widgets() -> None:
    graph = declare(*MANY_PROJECTS)
    shown = [each["properties"]["alarms"] for each in dashboard_widgets(graph) if each["type"] == "alarm"]

    assert sorted(arn for arns in shown for arn in arns) == sorted(each.outputs["arn"] for each in graph.all(ALARM))
    assert len(shown) == 3
    assert all(1 <= len(arns) <= 100 for arns in shown)


@pytest.mark.parametrize("config", [({}, {}), MANY_PROJECTS], ids=["no project", "many projects"])
def test_the_widgets_of_the_dashboard_do_not_overlap(config: tuple[dict[str, str], dict[str, str]]) -> None:
    taken: set[tuple[int, int]] = set()
    for widget in dashboard_widgets(declare(*config)):
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_the_dashboards_url_leads_to_the_region_of_the_stack() -> None:
    graph = declare(stack="local")

    assert graph.outputs["dashboard_url"] == (
        "https://us-west-2.console.aws.amazon.com/cloudwatch/home?region=us-west-2#dashboards/dashboard/switchboard-local"
    )

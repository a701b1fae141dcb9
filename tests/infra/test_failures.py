"""docs/reference/failures.md, the alarms of the stack and the runbooks say the same: failure, metric, alarm, runbook step."""

import re

import pytest

from lib.platform.contract import ALL_ENTRY_POINTS, CHANNELS, HEALTH_CHECKS
from stack.monitoring.alarms import LASTING_FAILURES
from tests.support.observability.emitted_metrics import METRICS
from tests.support.project.documentation import ROOT, links_of, tables_of
from tests.support.project.pulumi_graph import EVERYTHING, Resource, declare

PAGE = ROOT / "docs" / "reference" / "failures.md"
RUNBOOKS = ROOT / "docs" / "runbooks"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
ROWS, ROWS_WITHOUT = (table[1:] for table in tables_of(PAGE))

# Values for the placeholders of the table.
VALUES = {
    "<function>": ALL_ENTRY_POINTS,
    "<channel>": CHANNELS,
    "<project>": ("TES", "OPS"),
    "<event queue>": (
        "notification-failures",
        "lease-events-dead-letters",
        "jira-work-dead-letters",
        "approval-work-dead-letters",
        "shuttle-jobs-dead-letters",
    ),
    "<schedule queue>": ("reconciliation-failures", "health-failures", "imports-failures"),
    "<table>": ("LeaseTable", "JiraIssues", "JiraOperations", "Shuttle"),
    "<check>": tuple(check.replace("_", "-") for check in HEALTH_CHECKS if check != "jira"),
    "<reason>": tuple(reason.replace("_", "-") for reason in LASTING_FAILURES),
    "<work queue>": ("jira-work", "approval-work", "shuttle-jobs", "backfill-work"),
}


def pattern_of(row: list[str]) -> re.Pattern[str]:
    """The names of the alarms in a row. The alarm is first in its cell, as code; a remark may follow."""
    name = re.match(r"`([^`]+)`", row[2])
    assert name, row
    pattern = re.escape(name[1]).replace(r"\ ", " ")
    for placeholder, values in VALUES.items():
        pattern = pattern.replace(placeholder, f"(?:{'|'.join(values)})")
    return re.compile(pattern)


def alarms() -> list[Resource]:
    return declare(*EVERYTHING).all(ALARM)


def rows_of(alarm: Resource) -> list[list[str]]:
    return [row for row in ROWS if pattern_of(row).fullmatch(alarm.name)]


def test_every_alarm_has_one_row_with_its_metric_and_its_runbook() -> None:
    assert {alarm.name: wrong for alarm in alarms() if (wrong := wrong_with(alarm))} == {}


def wrong_with(alarm: Resource) -> str:
    """What the page says wrongly of an alarm; nothing if it is right."""
    rows = rows_of(alarm)
    if len(rows) != 1:
        return f"{len(rows)} rows"
    [(_, metric, _, severity, runbook)] = rows
    watched = alarm.inputs["metricQueries"][0]["metric"] if "metricQueries" in alarm.inputs else alarm.inputs
    own = watched["namespace"] == "Switchboard"
    expected = f"`{watched['metricName']}`" if own else f"`{watched['namespace']}` `{watched['metricName']}`"
    if metric != expected:
        return f"the metric is {expected}, not {metric}"
    [topic] = alarm.inputs["alarmActions"]
    if not topic.rpartition(":")[2].startswith(f"alarms-{severity}-"):
        return f"the severity is not {severity}"
    sections = re.findall(r"\(\.\./runbooks/([^)]+)\)", runbook)
    linked = sections == [runbook_of(alarm)]
    return "" if linked else f"the alarm does not link to {sections}"


def runbook_of(alarm: Resource) -> str:
    """The runbook and the section that an alarm names."""
    return str(alarm.inputs["alarmDescription"].partition("/runbooks/")[2])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2])
def test_a_row_names_an_alarm_that_is_there(row: list[str]) -> None:
    assert any(pattern_of(row).fullmatch(alarm.name) for alarm in alarms())


@pytest.mark.parametrize("runbook", sorted(RUNBOOKS.glob("*.md")), ids=lambda path: path.name)
def test_every_runbook_is_where_some_failure_leads(runbook: object) -> None:
    assert runbook in {link.file for link in links_of(PAGE)}


@pytest.mark.parametrize("row", ROWS_WITHOUT, ids=lambda row: row[0][:60])
def test_failures_without_an_alarm_give_a_reason_and_real_signals(row: list[str]) -> None:
    """A failure without an alarm says why, and names only metrics and log lines that exist."""
    _, shown_by, reason = row
    sources = "\n".join(path.read_text(encoding="utf-8") for top in ("lib", "handlers") for path in (ROOT / top).rglob("*.py"))

    assert reason
    for name in re.findall(r"`(\w+)`", shown_by):
        written = name in METRICS or f'"{name}"' in sources
        assert written or name == "MatchedEvents", name  # EventBridge's own


def test_an_alarm_that_a_page_names_is_there() -> None:
    """Runbooks say "the alarm `…`", "alarms `…` and `…`"."""
    for page in RUNBOOKS.glob("*.md"):
        text = page.read_text(encoding="utf-8").replace("\n", " ")
        for several in re.findall(r"alarms? ((?:`[^`]+`(?:,? and |, )?)+)", text):
            for name in re.findall(r"`([^`]+)`", several):
                pattern = pattern_of(["", "", f"`{name}`"])
                assert any(pattern.fullmatch(alarm.name) for alarm in alarms()), f"{page.name}: {name}"


def test_the_cost_of_the_alarms_is_reckoned_with_as_many_as_there_are() -> None:
    table = {"backfillSourceTableArn": EVERYTHING[0]["backfillSourceTableArn"]}
    plain, backfill, everything = (len(graph.all(ALARM)) for graph in (declare(), declare(table), declare(*EVERYTHING)))
    text = " ".join((ROOT / "docs" / "deployment.md").read_text(encoding="utf-8").split())

    each_project = (everything - backfill - len(CHANNELS) + 1) // 2
    assert f"`backfillSourceTableArn` adds {backfill - plain} alarms" in text
    assert f"each alarm ($0.10; {plain} with one channel, and {each_project} for each project of `jiraProjects`)" in text
    metrics = [alarm.inputs.get("metricQueries", [])[:-1] for alarm in declare().all(ALARM)]
    totals = [parts for parts in metrics if len(parts) > 1]
    assert f"where the {len(totals)} that add up" in text
    assert f"are billed as {sum(len(parts) for parts in totals)}," in text

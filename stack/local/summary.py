"""The summary that ``up`` prints when everything is ready."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from stack.local.lease_samples import LEASES, SOURCE
from stack.local.seed import ISSUES, PROJECT_KEY, SLACK_CHANNEL

if TYPE_CHECKING:
    from stack.local.cloud import Ready

_STANDINS = {"jiraBaseUrl": "Jira", "slackApiUrl": "Slack", "teamsWebhookUrl": "Teams", "govukNotifyUrl": "Notify"}
_CLI = ".venv/bin/python -m handlers.cli"


def summary(ready: "Ready", standins: Mapping[str, str], *, seeded: bool, schedules: bool, refused_status: int = 0) -> str:
    """The summary: URLs, sample data, and commands to try next. ``refused_status``: of a webhook that was to store an issue."""
    issues = seeded and "jiraBaseUrl" in standins and not refused_status
    runs = "run on their schedules" if schedules else "run when called (--schedules runs them too)"
    return "\n".join(
        [
            f"HTTP API   {ready.http_url}",
            *([f"Console    {ready.console_url}"] if ready.console_url else []),
            f"AWS API    {ready.aws_url} in {ready.region}; access key and secret: test",
            *(f"{_STANDINS[key]:<9}  {url}, a stand-in: {key} is not set" for key, url in standins.items()),
            f"Functions  {len(ready.outputs['functions'])} functions, which {runs}",
            *(_seeds(issues, "slackApiUrl" in standins) if seeded else []),
            *([f"Not seeded the issues: POST /webhooks/jira answered {refused_status}"] if refused_status else []),
            "Try next, in a second terminal (docs/local.md continues from here):",
            f"  curl -s {ready.aws_url}/_local/ready > ready.json",
            f'  eval "$({_CLI} --outputs ready.json names)"',
            *(_event() if seeded else []),
            f"  {_CLI} status",
            *([f"  {_CLI} issues get {PROJECT_KEY}-1"] if issues else []),
            "Ready. Press Ctrl-C to stop.",
        ]
    )


def _seeds(issues: bool, slack: bool) -> list[str]:
    parts = [f"{len(LEASES)} leases"]
    if issues:
        parts.append(f"issues {PROJECT_KEY}-1 to {PROJECT_KEY}-{len(ISSUES)}")
    if slack:
        parts.append(f"notifications in Slack's #{SLACK_CHANNEL}")
    return [f"Seeded     {', '.join(parts)}"]


def _event() -> list[str]:
    """The command that puts a lease event, which will be enriched, on the bus."""
    lease = LEASES[0]
    detail = json.dumps(json.dumps({"userEmail": lease["userEmail"], "leaseId": lease["uuid"]}))
    return [
        """  aws $EP events put-events --entries '[{"EventBusName": "'$EVENT_BUS_NAME'",""",
        f"""    "Source": "{SOURCE}", "DetailType": "LeaseApproved",""",
        f"""    "Detail": {detail}}}]'""",
    ]

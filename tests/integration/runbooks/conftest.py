"""The local cloud that all runbooks' tests share, and a shell in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.approvals.cloud import ApprovalsCloud, running_approvals
from tests.support.cloud_fixtures import cloud_fixture
from tests.support.operations.runbook import Section
from tests.support.operations.shell import Shell

JIRA_SECRET = "what the tests' Jira signs with"

operated = cloud_fixture(running_approvals, jiraProjects="OPS,PROJ", jiraWebhookSecret=JIRA_SECRET)
"""A local cloud with every flow, and stand-ins that fail when a test wants it."""


@pytest.fixture
def section(operated: ApprovalsCloud, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Section]:
    """The sections that the test names with ``runbook``. Their last command must have run at the end of the test."""
    made = Section(request.param, Shell(operated.cloud, tmp_path))
    yield made
    operated.jira.app.faults.clear()
    operated.slack.app.faults.clear()
    assert made.left == []

"""The webhooks' secrets: cached, correct during a rotation, and read rarely however many bad signatures arrive."""

import functools
import json
from collections.abc import Callable
from types import ModuleType

import pytest

from lib.platform.secrets import Secret
from tests.support.aws.wire import aws_error
from tests.support.jira.bodies import deliver, github_push, issue_event, push
from tests.support.jira.cloud import COMMIT_SECRET, JIRA_SECRET, JiraCloud
from tests.support.stopwatch import Stopwatch
from tests.support.web.events import signature

BODY = json.dumps(issue_event())


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    """The clock of the secrets' caches, for functions that are loaded afterwards."""
    stopwatch = Stopwatch()
    monkeypatch.setattr("lib.platform.secrets.Secret", functools.partial(Secret, monotonic=stopwatch))
    return stopwatch


@pytest.fixture
def webhooks(stopwatch: Stopwatch, load_webhooks: Callable[..., ModuleType]) -> ModuleType:
    return load_webhooks()


def status(webhooks: ModuleType, secret: str) -> int:
    """The status of the answer to a delivery signed with ``secret``."""
    return deliver(webhooks, BODY, **signature(secret, BODY))[0]


def reads(cloud: JiraCloud) -> int:
    """How often a current value was read from Secrets Manager."""
    stages = [call.parameters["VersionStage"] for call in cloud.wire.named("secretsmanager.GetSecretValue")]
    return stages.count("AWSCURRENT")


def test_a_process_reads_each_secret_once_when_it_is_first_needed(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    assert reads(jira_cloud) == 0
    for _ in range(10):
        assert status(webhooks, JIRA_SECRET) == 202
    assert reads(jira_cloud) == 1
    for _ in range(10):
        assert push(webhooks, github_push("OPS-7"))[0] == 202
    assert reads(jira_cloud) == 2


def test_after_a_rotation_the_new_and_the_previous_secret_are_accepted(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    jira_cloud.rotate(jira_cloud.jira_secret_arn, "second")
    jira_cloud.rotate(jira_cloud.jira_secret_arn, "third")

    assert (status(webhooks, "third"), status(webhooks, "second"), status(webhooks, JIRA_SECRET)) == (202, 202, 401)


def test_the_secret_of_commits_rotates_too(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    jira_cloud.rotate(jira_cloud.commit_secret_arn, "second")
    body = json.dumps(github_push("OPS-7"))

    for secret in ("second", COMMIT_SECRET):
        assert push(webhooks, body, **signature(secret, body))[0] == 202


def test_a_rotation_under_a_running_process_loses_no_delivery(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    assert status(webhooks, JIRA_SECRET) == 202
    jira_cloud.rotate(jira_cloud.jira_secret_arn, "second")

    assert status(webhooks, JIRA_SECRET) == 202, "a sender that has not heard of it yet"
    assert reads(jira_cloud) == 1
    assert status(webhooks, "second") == 202, "the failed check made the process look again"
    assert reads(jira_cloud) == 2


def test_many_bad_signatures_read_the_secret_once_in_30_seconds(
    webhooks: ModuleType, jira_cloud: JiraCloud, stopwatch: Stopwatch
) -> None:
    assert status(webhooks, JIRA_SECRET) == 202
    before = reads(jira_cloud)
    for _ in range(120):  # a minute of it, two a second
        stopwatch.seconds += 0.5
        assert status(webhooks, "guessed") == 401

    assert reads(jira_cloud) - before == 2


def test_many_bad_signatures_from_the_start_are_bounded_too(
    webhooks: ModuleType, jira_cloud: JiraCloud, stopwatch: Stopwatch
) -> None:
    for _ in range(50):
        stopwatch.seconds += 0.1
        assert status(webhooks, "guessed") == 401

    assert reads(jira_cloud) == 2, "the first read, and one refresh"


def test_a_secret_is_read_again_after_five_minutes(webhooks: ModuleType, jira_cloud: JiraCloud, stopwatch: Stopwatch) -> None:
    assert status(webhooks, JIRA_SECRET) == 202
    jira_cloud.rotate(jira_cloud.jira_secret_arn, "second")
    jira_cloud.rotate(jira_cloud.jira_secret_arn, "third")
    stopwatch.seconds += 300

    assert status(webhooks, JIRA_SECRET) == 401, "two rotations old"


def test_with_secrets_manager_down_the_cached_secret_is_used(
    webhooks: ModuleType, jira_cloud: JiraCloud, stopwatch: Stopwatch
) -> None:
    assert status(webhooks, JIRA_SECRET) == 202
    jira_cloud.wire.fail("secretsmanager.GetSecretValue", aws_error("InternalServiceError", 500))
    stopwatch.seconds += 3600

    assert status(webhooks, JIRA_SECRET) == 202
    assert status(webhooks, "guessed") == 503  # it may be the previous secret, which was never read


@pytest.mark.parametrize("code", ["InternalServiceError", "AccessDeniedException", "ResourceNotFoundException"])
def test_a_secret_that_can_not_be_read_is_503(webhooks: ModuleType, jira_cloud: JiraCloud, code: str) -> None:
    jira_cloud.wire.fail("secretsmanager.GetSecretValue", aws_error(code))
    assert status(webhooks, JIRA_SECRET) == 503
    assert jira_cloud.row_count() == 0

    jira_cloud.wire.clear_faults()
    assert status(webhooks, JIRA_SECRET) == 202

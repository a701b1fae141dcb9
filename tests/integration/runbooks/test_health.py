"""docs/runbooks/health_smoke.md: a check fails, a secret is deleted, a sentinel stays behind, there is no report."""

import json

from tests.support.approvals.cloud import ApprovalsCloud
from tests.support.operations.breaking import scheduled_off
from tests.support.operations.runbook import Section, runbook

MYSELF = "/rest/api/3/myself"


@runbook("health_smoke.md#invocation", "health_smoke.md#a-check-failed")
def test_both_ways_to_check_name_the_failure_until_it_is_gone(operated: ApprovalsCloud, section: Section) -> None:
    operated.jira.fail(MYSELF, status=401, times=2)

    done = section.run()

    assert done.errors == "1 of 6 checks failed.\n"
    answer, _ = json.JSONDecoder().raw_decode(done.out, done.out.index('{"status"'))
    assert answer["status"] == "failed"
    [failed] = [check for check in answer["checks"] if check["status"] == "failed"]
    assert failed["name"] == "jira"
    assert failed["detail"].startswith("could not read the account of the API token: Jira answered 401: ")
    section.raised("health-jira")
    section.do("health").succeeded()
    section.over("health-jira")


@runbook("health_smoke.md#a-check-failed", "health_smoke.md#a-secret-is-scheduled-for-deletion")
def test_the_check_names_the_secret_that_is_restored(operated: ApprovalsCloud, section: Section) -> None:
    secrets = operated.cloud.client("secretsmanager")
    secret = next(each["Name"] for each in secrets.list_secrets()["SecretList"] if each["Name"].startswith("jira-webhook"))
    secrets.delete_secret(SecretId=secret, RecoveryWindowInDays=7)

    operated.cloud.invoke("health", {"mode": "deep"})

    section.raised("health-secrets")
    assert f"{secret}: could not read the secret: InvalidRequestException" in section.do("health").failed()
    restored = section.run({"<secret>": secret}).succeeded()

    assert "7 readable" in restored


@runbook("health_smoke.md#a-sentinel-stayed-behind")
def test_a_sentinel_that_stayed_behind_is_shown(operated: ApprovalsCloud, section: Section) -> None:
    table, dynamodb = operated.cloud.outputs["jira_issues_table_name"], operated.cloud.client("dynamodb")
    key = {"issue_key": {"S": "health#left"}, "updated_at": {"S": "2026-03-01T12:00:00.000000Z"}}
    dynamodb.put_item(TableName=table, Item=key)

    found = json.loads(section.run().succeeded())

    assert found["Items"] == [key]
    dynamodb.delete_item(TableName=table, Key=key)


@runbook("health_smoke.md#no-report-at-all")
def test_a_schedule_that_was_disabled_is_found(operated: ApprovalsCloud, section: Section) -> None:
    with scheduled_off(operated.cloud, "health"):
        section.raised("health-stopped", after=3600)
        [[name, state]] = json.loads(section.run().succeeded())
    operated.cloud.invoke("health", {"mode": "deep"})

    assert (name.rpartition("-")[0], state) == ("health", "DISABLED")
    assert "health_report" in section.do("logs --function health").succeeded()
    assert section.do("redrive --function health --dry-run").succeeded() == "health has no dead letters.\n"
    assert section.do("health").succeeded()

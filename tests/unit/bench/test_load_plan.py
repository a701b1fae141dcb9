"""Who may be loaded: this machine freely, a deployed stack after consent, with the secrets of its senders."""

from typing import Any

import pytest

from tests.bench.load import plan

DEPLOYED = "https://abc123.execute-api.us-west-2.amazonaws.com"
SECRETS = {"SWITCHBOARD_LOAD_JIRA_SECRET": "shared with Jira", "SWITCHBOARD_LOAD_COMMIT_SECRET": "shared with Git"}


def planned(url: str = DEPLOYED, **given: Any) -> plan.Plan:
    variables = given.pop("variables", SECRETS)
    options = {"kinds": None, "rate": 5.0, "is_confirmed": True, "has_credentials": False, **given}
    return plan.for_url(url, options.pop("kinds"), options.pop("rate"), variables, **options)


def test_a_deployed_stack_gets_what_there_are_secrets_for() -> None:
    made = planned(f"{DEPLOYED}/", rate=20)

    assert (made.url, made.kinds, made.project) == (DEPLOYED, ("jira", "commits"), "LOAD")
    assert made.senders == 40, "answers may take two seconds"
    assert planned(variables={"SWITCHBOARD_LOAD_COMMIT_SECRET": "shared"}).kinds == ("commits",)


def test_its_deliveries_are_later_than_those_of_the_run_before() -> None:
    first = planned().first
    assert planned().first >= first > 0


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"url": "http://switchboard.example"}, "must be an https:// URL"),
        ({"url": "abc123"}, "must be an https:// URL"),
        ({"url": "https://user:secret@switchboard.example"}, "no user"),
        ({"rate": 0}, "--rate must be above 0"),
        ({"variables": {}}, "SWITCHBOARD_LOAD_JIRA_SECRET or SWITCHBOARD_LOAD_COMMIT_SECRET"),
        ({"kinds": ["events"]}, "in the environment: SWITCHBOARD_LOAD_EVENT_SECRET"),
        ({"kinds": ["shuttle"]}, "AWS_IAM route, and there are no AWS credentials"),
        ({"is_confirmed": False}, "is not this machine"),
    ],
    ids=[
        "plain HTTP",
        "no URL",
        "user in the URL",
        "no rate",
        "no secrets",
        "no secret of a kind",
        "no credentials",
        "no consent",
    ],
)
def test_what_may_not_be_sent_is_refused(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(plan.PlanError, match=reason):
        planned(**given)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"])
def test_this_machine_needs_no_consent(url: str) -> None:
    assert planned(url, is_confirmed=False).url == url


def test_the_plan_reaches_the_senders_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    made = planned()
    monkeypatch.setenv(plan.VARIABLE, made.as_json())

    assert plan.Plan.read() == made
    assert not any(secret in made.as_json() for secret in SECRETS.values())

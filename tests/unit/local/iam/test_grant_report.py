"""The report on grants: the problems it finds, how it merges, and that it can fail."""

from pathlib import Path
from typing import Any

from tests.support.iam import grant_report
from tests.support.iam.grant_report import merge
from tests.support.iam.grants import Watch, plain

TABLE = "dynamodb:table/Leases"


def row(action: str = "dynamodb:GetItem", resource: str = TABLE, **changes: Any) -> dict[str, Any]:
    values = {"principal": "role/web", "action": action, "resource": resource, "times": 1, "reason": "", "tests": ["test_a"]}
    return {**values, "expected": True, **changes}


def book(*grants: dict[str, Any], refusals: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {"deselected": 0, "grants": list(grants), "refusals": list(refusals)}


def test_a_suite_that_uses_every_grant_has_no_problem() -> None:
    assert merge([book(row(), row("s3:GetObject"))], whole=True).problems() == []


def test_a_grant_that_no_test_used_is_a_problem() -> None:
    report = merge([book(row(), row("dynamodb:Scan", times=0, tests=[]))], whole=True)

    assert report.problems() == [f"unused: role/web  dynamodb:Scan  {TABLE}"]


def test_a_grant_is_used_if_any_process_used_it() -> None:
    unused = book(row(times=0, tests=[]))

    report = merge([unused, book(row(times=2, tests=["test_b"])), book(row(times=3, tests=["test_c"]))], whole=True)

    [grant] = report.grants
    assert (grant.times, grant.tests) == (5, ("test_b", "test_c"))
    assert report.problems() == []


def test_a_wildcard_without_a_reason_is_a_problem() -> None:
    wild = [row(resource="dynamodb:table/*"), row("dynamodb:*"), row(resource="s3:b/?"), row(resource="s3:c/*", reason="why")]

    problems = merge([book(*wild)], whole=True).problems()

    assert len(problems) == 3
    assert all(problem.startswith("wildcard without a written reason: ") for problem in problems)


def test_a_refusal_is_a_problem_unless_every_test_expected_it() -> None:
    expected, surprise = row(), row(expected=False, tests=["test_b"])

    assert merge([book(row(), refusals=(expected,))], whole=True).problems() == []
    [problem] = merge([book(row(), refusals=(expected,)), book(refusals=(surprise,))], whole=True).problems()
    assert problem == f"refused: role/web  dynamodb:GetItem  {TABLE} (test_a, test_b)"


def test_a_run_of_a_part_has_no_problems_and_says_that_it_is_partial() -> None:
    report = merge([book(row(times=0, tests=[]))], whole=False)

    assert report.problems() == []
    assert "partial" in report.summary()[0]


def test_a_whole_run_in_which_no_cloud_was_watched_proves_nothing() -> None:
    assert merge([book()], whole=True).problems() == ["no local cloud reported its grants: nothing was checked"]


def test_a_cloud_that_stops_reporting_is_a_problem_in_a_partial_run_too() -> None:
    nobody = "http://127.0.0.1:1"
    watch = Watch()
    watch.join(nobody)

    watch.look("test_a")
    watch.look("test_b")

    [problem] = merge([book(row()), {"deselected": 0, **watch.as_json()}], whole=False).problems()
    assert problem.startswith("a local cloud did not report its grants after test_a (URLError)")


def test_the_report_names_every_grant_with_its_tests_and_the_problems(tmp_path: Path) -> None:
    many = row(tests=["test_a", "test_b", "test_c", "test_d"], resource="s3:b/*", reason="objects are named as they come")
    report = merge([book(many, row("dynamodb:Scan", times=0, tests=[]))], whole=True)

    text = grant_report.write(report, tmp_path).read_text()

    assert (
        "| role/web | dynamodb:GetItem | s3:b/* | 1 | test_a, test_b, test_c and 1 more | objects are named as they come |"
        in text
    )
    assert f"| role/web | dynamodb:Scan | {TABLE} | 0 | **none** |  |" in text
    assert f"- unused: role/web  dynamodb:Scan  {TABLE}" in text
    assert (tmp_path / "iam-report.json").exists()


def ledger(uses: int, refused: int = 0) -> dict[str, Any]:
    grant = {
        "principal": "role/web-1a2b3c4",
        "action": "dynamodb:GetItem",
        "resource": "arn:aws:dynamodb:us-west-2:1:table/L-1a2b3c4",
    }
    refusals = [{**grant, "action": "dynamodb:Scan", "times": refused}] if refused else []
    return {"grants": [{**grant, "reason": "", "uses": uses}], "refusals": refusals}


def test_each_test_gets_the_uses_since_the_previous_one() -> None:
    watch = Watch()
    watch.enter("http://a", ledger(0), "test_a")
    watch.enter("http://a", ledger(2), "test_b")
    watch.enter("http://a", ledger(2), "test_c")

    [(key, tally)] = watch.grants.items()
    assert key == ("role/web", "dynamodb:GetItem", "dynamodb:table/L")
    assert (tally.times, tally.tests) == (2, ["test_b"])


def test_a_call_that_a_test_makes_is_not_a_use_of_a_grant() -> None:
    watch = Watch()
    watch.enter("http://a", ledger(2), "test_a", by_hand=True)
    watch.enter("http://a", ledger(3), "test_b")

    assert [(tally.times, tally.tests) for tally in watch.grants.values()] == [(1, ["test_b"])]


def test_the_same_grant_in_two_clouds_is_one() -> None:
    watch = Watch()
    watch.enter("http://a", ledger(1), "test_a")
    watch.enter("http://b", ledger(1), "test_b")

    [tally] = watch.grants.values()
    assert (tally.times, tally.tests) == (2, ["test_a", "test_b"])


def test_a_refusal_that_one_test_did_not_expect_is_a_problem() -> None:
    watch = Watch()
    watch.enter("http://a", ledger(0, refused=1), "test_a", by_hand=True)
    assert [tally.expected for tally in watch.refusals.values()] == [True]
    watch.enter("http://a", ledger(0, refused=2), "test_b")
    watch.enter("http://a", ledger(0, refused=3), "test_c", by_hand=True)

    assert [tally.expected for tally in watch.refusals.values()] == [False]


def test_names_lose_what_is_random_in_them_and_nothing_else() -> None:
    names = {
        "arn:aws:dynamodb:us-west-2:123456789012:table/Shuttle-bbff88c/index/GSI1": "dynamodb:table/Shuttle/index/GSI1",
        "arn:aws:s3:::imports-0ad5e52/uploads/*": "s3:imports/uploads/*",
        "arn:aws:secretsmanager:us-west-2:1:secret:jira-token-b8246f8-Reiywk": "secretsmanager:secret:jira-token",
        "arn:aws:logs:us-west-2:123456789012:log-group:health-75a70cd:*": "logs:log-group:health:*",
        "role/jira_worker-9e9532e": "role/jira_worker",
        "apigateway.amazonaws.com for arn:aws:execute-api:us-west-2:123456789012:kzhgtyre/*/GET/health": (
            "apigateway.amazonaws.com for execute-api:api/*/GET/health"
        ),
        "arn:aws:sqs:us-west-2:123456789012:lease-events-dead-letters-2a7c440": "sqs:lease-events-dead-letters",
    }

    assert {name: plain(name) for name in names} == names

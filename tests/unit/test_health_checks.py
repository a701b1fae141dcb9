"""The deep health check: each thing that can be wrong is one failed check, and nothing of a check stays behind."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import NoRegionError
from werkzeug import Request, Response

from lib import health
from lib.health import Report, Status
from lib.jira.issue_reader import IssueReader
from lib.platform import aws, clock, errors
from lib.platform.contract import JIRA_ISSUES, SENTINEL_PARTITIONS, TableLayout
from lib.platform.environment.health import HealthEnvironment
from stack.local.serving import Server
from stack.local.standins.faults import Fault
from stack.local.standins.jira import Jira
from tests.support.aws.moto_inside import (
    ISSUES,
    LEASES,
    LEASES_ARN,
    OPERATIONS,
    SHOPS,
    create_secret,
    create_table,
    create_tables,
    moto_inside,
    rotate_secret,
)
from tests.support.aws.wire import aws_error

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EMAIL, TOKEN = "switchboard@example.com", "token-of-the-tests"
CHECKS = ["lease_table", "jira_issues_table", "operations_table", "shuttle_table", "secrets", "jira"]


@pytest.fixture(autouse=True)
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with moto_inside(monkeypatch):
        create_tables()
        yield


def environment(**changes: Any) -> HealthEnvironment:
    tables = {
        "lease_table_arn": LEASES_ARN,
        "jira_issues_table_name": ISSUES,
        "operations_table_name": OPERATIONS,
        "shuttle_table_name": SHOPS,
    }
    return HealthEnvironment(**{**tables, "version": "1.4.0", **changes})


def run_checks(of: HealthEnvironment, *, make_client: Callable[[str], Any] | None = None, **options: Any) -> Report:
    return health.run_checks(of, clients=aws.Clients(make_client or aws.make_client), **options)


class Meddled:
    """A DynamoDB client that does ``instead`` of one of its operations, or runs ``around`` the call."""

    def __init__(self, client: Any, operation: str, instead: Callable[..., Any], table: str = "") -> None:
        self._client = client
        self._operation = operation
        self._instead = instead
        self._table = table

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(**arguments: Any) -> Any:
            if name == self._operation and self._table in {"", arguments["TableName"]}:
                return self._instead(method, **arguments)
            return method(**arguments)

        return call


def meddling(operation: str, instead: Callable[..., Any], table: str = "") -> Callable[[str], Any]:
    def make_client(service: str) -> Any:
        client = aws.make_client(service)
        return Meddled(client, operation, instead, table) if service == "dynamodb" else client

    return make_client


def refusing(code: str = "AccessDeniedException") -> Callable[..., Any]:
    def refuse(_: Any, **__: Any) -> Any:
        raise aws_error(code)

    return refuse


def statuses(report: Report) -> dict[str, str]:
    return {check.name: check.status.value for check in report.checks}


def detail(report: Report, name: str) -> str:
    return next(check.detail for check in report.checks if check.name == name)


def rows(table: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = aws.make_client("dynamodb").scan(TableName=table)["Items"]
    return items


def test_every_check_passes_and_no_sentinel_remains() -> None:
    secret = create_secret("webhook", "it opens doors")
    report = run_checks(environment(secret_arns=(secret,)), now=lambda: NOW)

    assert statuses(report) == dict.fromkeys(CHECKS, "ok") | {"jira": "skipped"}
    assert report.ok
    assert rows(ISSUES) == rows(OPERATIONS) == rows(LEASES) == []


def test_the_report_has_phoenix_time_and_durations() -> None:
    value = run_checks(environment(), now=lambda: NOW).as_json()

    assert value.keys() == {"status", "checks", "time", "timezone", "version"}
    assert (value["status"], value["version"]) == ("ok", "1.4.0")
    assert (value["time"], value["timezone"]) == ("2026-03-01T05:00:00.000-07:00", "America/Phoenix")
    assert [check["name"] for check in value["checks"]] == CHECKS
    for check in value["checks"]:
        assert check.keys() == {"name", "status", "detail", "latency_ms"}
        assert check["latency_ms"] >= 0


@pytest.mark.parametrize(
    ("hash_key", "range_key", "found"),
    [("issue_key", "version", "version (S, RANGE)"), ("id", "updated_at", "id (S, HASH)")],
)
def test_a_table_with_other_keys_fails_its_check(hash_key: str, range_key: str, found: str) -> None:
    create_table("other", TableLayout(name="other", hash_key=hash_key, range_key=range_key, ttl="expires_at"))
    report = run_checks(environment(jira_issues_table_name="other"))

    assert statuses(report)["jira_issues_table"] == "failed"
    assert found in detail(report, "jira_issues_table")
    assert not report.ok
    assert statuses(report)["operations_table"] == "ok"


def test_a_key_of_another_type_fails_the_check() -> None:
    layout = TableLayout(name="other", hash_key="session_id", range_key="operation_key", ttl="expires_at")
    create_table("other", TableLayout(**{**_fields(layout), "number_keys": frozenset({"operation_key"})}))

    assert "operation_key (N, RANGE)" in detail(run_checks(environment(operations_table_name="other")), "operations_table")


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("lease_table", {"lease_table_arn": f"{LEASES_ARN}-gone"}),
        ("jira_issues_table", {"jira_issues_table_name": "nowhere"}),
        ("operations_table", {"operations_table_name": "nowhere"}),
    ],
)
def test_a_missing_table_fails_its_own_check_only(name: str, gone: dict[str, str]) -> None:
    report = run_checks(environment(**gone))

    assert [check.name for check in report.failed] == [name]
    assert "ResourceNotFoundException" in detail(report, name)


@pytest.mark.parametrize(
    ("operation", "sentence"),
    [
        ("describe_table", "could not describe the table: AccessDeniedException"),
        ("put_item", "could not put a sentinel: AccessDeniedException"),
        ("get_item", "could not read the sentinel: AccessDeniedException"),
        ("delete_item", "could not delete the sentinel: AccessDeniedException"),
    ],
)
@pytest.mark.parametrize("table", ["jira_issues_table", "operations_table", "shuttle_table"])
def test_each_refused_step_is_named(table: str, operation: str, sentence: str) -> None:
    name = {"jira_issues_table": ISSUES, "operations_table": OPERATIONS, "shuttle_table": SHOPS}[table]
    report = run_checks(environment(), make_client=meddling(operation, refusing(), name))

    assert [check.name for check in report.failed] == [table]
    assert sentence in detail(report, table)


def test_a_sentinel_that_is_not_read_back_fails_the_check() -> None:
    lost = meddling("put_item", lambda *_, **__: {}, ISSUES)

    assert detail(run_checks(environment(), make_client=lost), "jira_issues_table") == (
        "the sentinel is not the one that was put"
    )


def test_a_sentinel_with_another_value_fails_the_check() -> None:
    def put_another(put: Any, **arguments: Any) -> Any:
        return put(**{**arguments, "Item": {**arguments["Item"], "expires_at": {"N": "1"}}})

    report = run_checks(environment(), make_client=meddling("put_item", put_another, OPERATIONS))

    assert statuses(report)["operations_table"] == "failed"
    assert rows(OPERATIONS) == []


def test_a_deletion_without_effect_fails_the_check() -> None:
    report = run_checks(environment(), make_client=meddling("delete_item", lambda *_, **__: {}, ISSUES))

    assert [check.name for check in report.failed] == ["jira_issues_table"]
    assert detail(report, "jira_issues_table") == "the sentinel is still there after its deletion"


def test_a_put_whose_answer_was_lost_is_cleaned_up() -> None:
    def put_and_lose(put: Any, **arguments: Any) -> Any:
        put(**arguments)
        raise aws_error("InternalServerError", 500, "PutItem")

    report = run_checks(environment(), make_client=meddling("put_item", put_and_lose, ISSUES))

    assert statuses(report)["jira_issues_table"] == "failed"
    assert rows(ISSUES) == []


@pytest.fixture
def sentinels() -> dict[str, dict[str, Any]]:
    """The sentinels of the issues and the operations table, left behind."""
    run_checks(environment(), make_client=meddling("delete_item", lambda *_, **__: {}), now=lambda: NOW)
    return {table: rows(table)[0] for table in (ISSUES, OPERATIONS)}


@pytest.mark.parametrize("table", [ISSUES, OPERATIONS])
def test_a_remaining_sentinel_expires_within_an_hour(sentinels: dict[str, dict[str, Any]], table: str) -> None:
    expires_at = int(sentinels[table]["expires_at"]["N"])

    assert clock.epoch_s(NOW) < expires_at <= clock.epoch_s(NOW + timedelta(hours=1))


def test_a_remaining_sentinel_is_in_no_index_and_no_read(sentinels: dict[str, dict[str, Any]]) -> None:
    key = sentinels[ISSUES]["issue_key"]["S"]
    assert key.startswith(SENTINEL_PARTITIONS)
    assert sentinels[ISSUES].keys() == {"issue_key", "updated_at", "expires_at"}
    client = aws.make_client("dynamodb")
    for index in JIRA_ISSUES.indexes:
        assert client.scan(TableName=ISSUES, IndexName=index.name)["Items"] == []
    reader = IssueReader(client, ISSUES)
    with pytest.raises(errors.InvalidInputError):
        reader.latest(key)
    with pytest.raises(errors.InvalidInputError):
        reader.history(key)


def test_the_lease_table_is_only_read() -> None:
    written: list[str] = []

    def note(method: Any, **arguments: Any) -> Any:
        written.append(arguments["TableName"])
        return method(**arguments)

    for operation in ("put_item", "delete_item"):
        assert run_checks(environment(), make_client=meddling(operation, note)).ok

    assert set(written) == {ISSUES, OPERATIONS, SHOPS}


def test_a_missing_secret_is_named_and_the_others_are_checked() -> None:
    good = create_secret("slack-bot-token", "xoxb-it-opens-doors")
    gone = good.replace("slack-bot-token", "jira-api-token")
    gone_too = good.replace("slack-bot-token", "commit-webhook")
    report = run_checks(environment(secret_arns=(gone, good, gone_too)))

    assert [check.name for check in report.failed] == ["secrets"]
    assert "jira-api-token" in detail(report, "secrets")
    assert "commit-webhook" in detail(report, "secrets")
    assert "slack" not in detail(report, "secrets")


def test_no_value_of_a_secret_is_reported() -> None:
    secret = create_secret("webhook", "it opens doors")

    assert "opens doors" not in str(run_checks(environment(secret_arns=(secret,))).as_json())


def test_the_check_of_secrets_is_skipped_without_secrets() -> None:
    assert statuses(run_checks(environment()))["secrets"] == "skipped"


@pytest.fixture
def jira() -> Iterator[tuple[Jira, HealthEnvironment]]:
    site = Jira(accounts={EMAIL: TOKEN})
    server = Server(site)
    arn = create_secret("jira-api-token", TOKEN)
    try:
        yield site, environment(jira_base_url=server.url, jira_email=EMAIL, jira_api_token_arn=arn)
    finally:
        site.faults.clear()
        server.close()


def test_jira_answers(jira: tuple[Jira, HealthEnvironment]) -> None:
    assert statuses(run_checks(jira[1]))["jira"] == "ok"


@pytest.mark.parametrize("missing", ["jira_base_url", "jira_email", "jira_api_token_arn"])
def test_jira_is_skipped_if_not_configured(missing: str) -> None:
    configured = {"jira_base_url": "http://127.0.0.1:9", "jira_email": EMAIL, "jira_api_token_arn": "arn:aws:x"}
    report = run_checks(environment(**{**configured, missing: ""}))

    assert (statuses(report)["jira"], detail(report, "jira")) == ("skipped", "not configured")
    assert report.ok


def test_an_expired_token_is_a_failed_check_that_names_no_account(jira: tuple[Jira, HealthEnvironment]) -> None:
    site, configured = jira
    site.faults.add(Fault(path="/rest/api/3/myself", error="expired_token"))
    report = run_checks(configured)

    assert [check.name for check in report.failed] == ["jira"]
    assert "401" in detail(report, "jira")
    assert EMAIL not in detail(report, "jira")


def test_a_token_with_a_line_break_that_is_rotated_during_the_check_works(
    jira: tuple[Jira, HealthEnvironment], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, configured = jira
    site.faults.add(Fault(path="/rest/api/3/myself", error="rotated"))

    def refuse(request: Request, _: str) -> Response:
        rotate_secret("jira-api-token", "the second token\n")
        site.accounts = {EMAIL: "the second token"}
        return site.answer(request)

    monkeypatch.setattr(site, "failure", refuse)

    assert statuses(run_checks(configured))["jira"] == "ok"


def test_an_address_in_jiras_message_is_not_reported(jira: tuple[Jira, HealthEnvironment]) -> None:
    site, configured = jira
    body = '{"errorMessages": ["ada@sandbox.example is no user of this site"]}'
    site.faults.add(Fault(path="/rest/api/3/myself", status=400, body=body))
    shown = detail(run_checks(configured), "jira")

    assert "is no user of this site" in shown
    assert "ada@" not in shown


def test_a_hanging_jira_fails_in_time_and_alone(jira: tuple[Jira, HealthEnvironment]) -> None:
    site, configured = jira
    site.faults.add(Fault(path="/rest/api/3/myself", hang=60))
    report = run_checks(configured, seconds=1.0)

    assert [check.name for check in report.failed] == ["jira"]
    assert detail(report, "jira") == "not done within 1 s"


def test_a_hanging_table_is_one_failed_check() -> None:
    released = threading.Event()

    def hang(_: Any, **__: Any) -> Any:
        released.wait(30)
        return {}

    try:
        report = run_checks(environment(), make_client=meddling("put_item", hang, ISSUES), seconds=1.0)
    finally:
        released.set()

    assert [check.name for check in report.failed] == ["jira_issues_table"]


def test_a_defect_in_one_check_is_its_failure_without_its_text() -> None:
    def break_down(*_: Any, **__: Any) -> Any:
        raise KeyError("ada@sandbox.example")

    report = run_checks(environment(), make_client=meddling("describe_table", break_down, LEASES_ARN))

    assert [check.name for check in report.failed] == ["lease_table"]
    assert detail(report, "lease_table") == "the check itself failed: KeyError"


def test_a_client_that_cannot_be_created_fails_its_checks() -> None:
    def refuse(_: str) -> Any:
        raise NoRegionError

    report = run_checks(environment(), make_client=refuse)

    assert {check.name for check in report.failed} == {name for name in CHECKS if name.endswith("_table")}
    assert all("NoRegionError" in check.detail for check in report.failed)


def test_one_client_per_service_is_created() -> None:
    made: list[str] = []

    def make_client(service: str) -> Any:
        made.append(service)
        return aws.make_client(service)

    run_checks(environment(secret_arns=(create_secret("webhook", "x"),)), make_client=make_client)

    assert sorted(made) == ["dynamodb", "secretsmanager"]


def test_a_skipped_check_has_not_failed() -> None:
    assert {check.status for check in run_checks(environment()).checks} == {Status.OK, Status.SKIPPED}


def _fields(layout: TableLayout) -> dict[str, Any]:
    return {name: getattr(layout, name) for name in ("name", "hash_key", "range_key", "ttl")}

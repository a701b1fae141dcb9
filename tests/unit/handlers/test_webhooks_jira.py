"""POST /webhooks/jira: the answer says what became of the delivery, and the table agrees."""

import json
from types import ModuleType
from typing import Any

import pytest

from lib.jira.snapshot_codec import decode
from lib.jira.tasks import Task
from lib.jira.webhooks import NeedsFetch
from tests.support.aws.lambda_context import LambdaContext
from tests.support.jira.bodies import SENT, UPDATED_AT, comment_event, deliver, digest, issue_event, move_event
from tests.support.jira.cloud import JIRA_SECRET, JiraCloud
from tests.support.observability.emf import metrics_in
from tests.support.observability.log_lines import LogLines
from tests.support.web.events import http_event, signature, status_and_body

LATER_AT = "2026-03-01T12:05:00.000000Z"


def test_a_delivery_is_a_version_a_head_and_one_message(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    assert deliver(webhooks, issue_event()) == (
        202,
        {
            "status": "stored",
            "event_type": "jira:issue_updated",
            "issue_key": "OPS-7",
            "issue_keys": ["OPS-7"],
            "updated_at": UPDATED_AT,
            "correlation_queued": True,
        },
    )
    rows = jira_cloud.rows("OPS-7")
    assert rows.keys() == {UPDATED_AT, "HEAD"}
    assert rows["HEAD"]["version_at"] == {"S": UPDATED_AT}
    assert rows[UPDATED_AT]["idempotency_key"] == {"S": digest(issue_event())}
    assert json.loads(decode(rows[UPDATED_AT]["snapshot"]["B"])) == issue_event()
    assert jira_cloud.tasks() == [Task(("OPS-7",))]


def test_the_same_delivery_again_is_a_duplicate_and_changes_no_row(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    deliver(webhooks, issue_event())
    rows = jira_cloud.rows("OPS-7")

    status, body = deliver(webhooks, issue_event())

    assert (status, body["status"]) == (202, "duplicate")
    assert jira_cloud.rows("OPS-7") == rows


@pytest.mark.parametrize("identifier", ["d-2", "", "x" * 300])
def test_one_body_under_another_identifier_is_a_duplicate(webhooks: ModuleType, jira_cloud: JiraCloud, identifier: str) -> None:
    """The signature does not cover the header, so that whoever repeats a delivery can choose it."""
    deliver(webhooks, issue_event(), "d-1")
    rows = jira_cloud.rows("OPS-7")

    assert deliver(webhooks, issue_event(), identifier)[1]["status"] == "duplicate"
    assert jira_cloud.rows("OPS-7") == rows


def test_another_body_under_the_same_identifier_is_not_a_duplicate(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    deliver(webhooks, issue_event(summary="first"), "d-1")
    event = {**issue_event(summary="second"), "timestamp": SENT + 1}

    assert deliver(webhooks, event, "d-1")[1]["status"] == "stored"
    assert jira_cloud.rows("OPS-7")["HEAD"]["summary"] == {"S": "second"}


def test_a_repeated_body_stays_readable(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    """Rows of releases whose idempotency key was the identifier: the same state is there afterwards."""
    deliver(webhooks, issue_event())
    jira_cloud.replace("OPS-7", idempotency_key={"S": "2a6f3a9e-77a2-4ad3-8f0d-0f7d1c9e51aa"})

    assert deliver(webhooks, issue_event())[0] == 202
    head = jira_cloud.rows("OPS-7")["HEAD"]
    assert (head["summary"], head["version_at"]) == ({"S": "Disk full"}, {"S": UPDATED_AT})


def test_another_delivery_of_the_same_moment_is_stored(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    deliver(webhooks, issue_event(summary="first"), "d-1")
    event = {**issue_event(summary="second"), "timestamp": SENT + 1}

    assert deliver(webhooks, event, "d-2")[1]["status"] == "stored"
    assert jira_cloud.rows("OPS-7")["HEAD"]["summary"] == {"S": "second"}


def test_an_older_delivery_is_superseded_and_kept_as_history(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    deliver(webhooks, issue_event(minute=5, summary="newer"), "d-2")

    status, body = deliver(webhooks, issue_event(summary="older"), "d-1")

    assert (status, body["status"], body["updated_at"]) == (202, "superseded", UPDATED_AT)
    rows = jira_cloud.rows("OPS-7")
    assert rows.keys() == {UPDATED_AT, LATER_AT, "HEAD"}
    assert rows["HEAD"]["summary"] == {"S": "newer"}


def test_a_superseded_delivery_again_is_a_duplicate(webhooks: ModuleType) -> None:
    deliver(webhooks, issue_event(minute=5), "d-2")
    deliver(webhooks, issue_event(), "d-1")

    assert deliver(webhooks, issue_event(), "d-1")[1]["status"] == "duplicate"


def test_a_late_update_does_not_undo_a_deletion(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    deliver(webhooks, issue_event(event="jira:issue_deleted"), "d-1")
    late = issue_event(summary="late", updated="2026-03-01T12:00:00.200+0000")

    assert deliver(webhooks, late, "d-2")[1]["status"] == "superseded"
    assert jira_cloud.rows("OPS-7")["HEAD"]["deleted"] == {"BOOL": True}


def test_a_move_touches_both_keys(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    deliver(webhooks, issue_event("OPS-7"), "d-1")
    jira_cloud.tasks()

    body = deliver(webhooks, move_event("OPS-7", "GOLD-2", minute=5), "d-2")[1]

    assert (body["status"], body["issue_key"], body["issue_keys"]) == ("stored", "GOLD-2", ["GOLD-2", "OPS-7"])
    assert jira_cloud.rows("OPS-7")["HEAD"]["moved_to"] == {"S": "GOLD-2"}
    assert jira_cloud.rows("GOLD-2")["HEAD"]["deleted"] == {"BOOL": False}
    assert jira_cloud.tasks() == [Task(("GOLD-2", "OPS-7"))]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"timestamp": SENT}, "the event names no type"),
        ({"timestamp": SENT, "webhookEvent": "sprint_started", "sprint": {"id": 1}}, "the event sprint_started names no issue"),
    ],
    ids=["no type", "no issue"],
)
def test_an_event_without_an_issue_is_ignored_with_the_reason(
    webhooks: ModuleType, jira_cloud: JiraCloud, event: dict[str, Any], reason: str
) -> None:
    assert deliver(webhooks, event) == (202, {"status": "ignored", "reason": reason})
    assert (jira_cloud.row_count(), jira_cloud.tasks()) == (0, [])


def test_an_event_without_the_state_of_its_issue_is_queued(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    assert deliver(webhooks, comment_event()) == (
        202,
        {"status": "accepted", "event_type": "comment_created", "fetching": ["OPS-7"]},
    )
    assert jira_cloud.row_count() == 0
    assert jira_cloud.tasks() == [Task(fetch=NeedsFetch(("OPS-7",), "comment_created", SENT, digest(comment_event())))]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("", "the body is empty: send a JSON object"),
        ("[]", "the body is not a JSON object"),
        ("[" * 100_000, "the body is nested too deeply"),
        ('{"webhookEvent": 7}', "webhookEvent is not a string"),
        (json.dumps(issue_event("no key")), "'no key' is not an issue key"),
    ],
    ids=["empty", "list", "brackets", "type", "key"],
)
def test_a_malformed_delivery_is_400_with_the_reason(webhooks: ModuleType, body: str, sentence: str) -> None:
    assert deliver(webhooks, body) == (400, {"error": "malformed", "message": sentence})


@pytest.mark.parametrize(
    "odd",
    [
        {"timestamp": str(SENT)},
        {"timestamp": float(SENT)},
        {"timestamp": 1e300},
        {"changelog": []},
        {"user": {"half \ud83d of a pair": ["\ude00"]}},
        {"webhookEvent": None, "transition": {"transitionName": "Done"}},
    ],
    ids=["text", "float", "absurd", "changelog", "surrogate", "transition"],
)
def test_a_malformed_member_that_is_not_needed_loses_no_issue(
    webhooks: ModuleType, jira_cloud: JiraCloud, odd: dict[str, Any]
) -> None:
    event = issue_event(summary="half \ud83d of a pair") | odd

    assert deliver(webhooks, event)[1]["status"] == "stored"
    assert jira_cloud.rows("OPS-7")["HEAD"]["summary"] == {"S": "half \ufffd of a pair"}
    assert json.loads(decode(jira_cloud.rows("OPS-7")[UPDATED_AT]["snapshot"]["B"])) == event


def test_a_large_snapshot_with_half_a_surrogate_pair_is_stored(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    event = issue_event(description="\ud83d" + "x" * 400_000)

    assert deliver(webhooks, event)[1]["status"] == "stored"
    assert list(jira_cloud.objects("snapshots/OPS-7/").values()) == [event]


def test_the_issue_of_a_data_center_comment_is_queued(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    comment = {"self": "https://jira.example.com/rest/api/2/issue/10010/comment/7", "body": "Done?"}
    event = {"timestamp": SENT, "webhookEvent": "comment_created", "comment": comment}

    assert deliver(webhooks, event)[1] == {"status": "accepted", "event_type": "comment_created", "fetching": ["10010"]}
    assert jira_cloud.tasks() == [Task(fetch=NeedsFetch(("10010",), "comment_created", SENT, digest(event)))]


def test_a_project_that_is_not_configured_is_stored_too(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    assert deliver(webhooks, issue_event("ELSE-1"))[1]["status"] == "stored"
    assert "HEAD" in jira_cloud.rows("ELSE-1")


# Large bodies


def test_the_snapshot_of_a_6_mb_issue_is_stored_in_the_bucket(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    event = issue_event(description="x" * 6_000_000)

    assert deliver(webhooks, event)[1]["status"] == "stored"

    version = jira_cloud.rows("OPS-7")[UPDATED_AT]
    assert "snapshot" not in version
    assert jira_cloud.objects("snapshots/OPS-7/") == {version["raw_object"]["S"]: event}


def test_many_long_fix_versions_beside_a_large_snapshot_are_stored(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    versions = [{"name": f"{number:03}" + "リ" * 250} for number in range(200)]
    event = issue_event(fixVersions=versions, description="x" * 190_000)

    assert deliver(webhooks, json.dumps(event, ensure_ascii=False))[0] == 202
    assert len(jira_cloud.rows("OPS-7")["HEAD"]["fix_versions"]["L"]) == 200


@pytest.mark.parametrize("path", ["/webhooks/jira", "/webhooks/commits"])
def test_a_body_above_the_limit_is_413_and_not_read(webhooks: ModuleType, jira_cloud: JiraCloud, path: str) -> None:
    body = "x" * (webhooks.MAX_BODY_BYTES + 1)
    event = http_event("POST", path, body, signature(JIRA_SECRET, body))

    status, answer = status_and_body(webhooks.lambda_handler(event, LambdaContext()))

    assert (status, answer["error"]) == (413, "too_large")
    assert jira_cloud.wire.operations == []


# What it leaves behind


def test_each_delivery_is_a_log_line_and_a_metric_by_outcome(webhooks: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    lines = LogLines("webhooks")
    for _ in range(2):
        deliver(webhooks, issue_event())
    deliver(webhooks, comment_event())

    assert [line["status"] for line in lines.named("webhook_delivery")] == ["stored", "duplicate", "accepted"]
    line = lines.named("webhook_delivery")[0]
    assert (line["issue_key"], line["event_type"], line["correlation_id"]) == ("OPS-7", "jira:issue_updated", "gateway-1")
    assert line["identifier"] == "d-1"
    counted = [metric for metric in metrics_in(capsys.readouterr().out) if metric.name == "WebhookDelivery"]
    assert [metric.dimensions for metric in counted] == [
        {"service": "webhooks", "source": "jira", "outcome": outcome} for outcome in ("stored", "duplicate", "accepted")
    ]


def test_the_identifier_in_the_log_is_bounded_and_has_no_address(webhooks: ModuleType) -> None:
    lines = LogLines("webhooks")
    for identifier in ("x" * 300, "ada@example.com"):
        deliver(webhooks, comment_event(), identifier)

    long, address = [line["identifier"] for line in lines.named("webhook_delivery")]
    assert long == "x" * 100
    assert address.startswith("email:")


def test_a_delivery_without_an_identifier_logs_none(webhooks: ModuleType) -> None:
    lines = LogLines("webhooks")
    deliver(webhooks, comment_event(), "")

    assert "identifier" not in lines.only("webhook_delivery")

"""The notification function on events from EventBridge: what it sends, what it answers, and when it fails."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from lib.notifications import service
from lib.platform import errors
from tests.support.aws.lambda_context import LambdaContext
from tests.support.aws.moto_cloud import MotoCloud
from tests.support.leases.builders import USER_EMAIL, UUID, lease_event, lease_item
from tests.support.observability.emf import metrics_in, names_in
from tests.support.observability.log_lines import LogLines

EVENT_ID = lease_event()["id"]
NO_TOPIC = "arn:aws:sns:us-west-2:123456789012:gone"


def test_an_event_is_enriched_sent_and_reported(notification: ModuleType, cloud: MotoCloud) -> None:
    cloud.put_lease(lease_item("Expired"))

    answer = notification.lambda_handler(lease_event("LeaseExpired"), LambdaContext())

    assert json.loads(json.dumps(answer)) == {
        "event_id": EVENT_ID,
        "detail_type": "LeaseExpired",
        "enrichment": {"status": "enriched", "reason": None},
        "channels": {"sns": "sent"},
    }
    (message,) = cloud.published()
    assert message["event_id"] == EVENT_ID
    assert message["enriched"] is True
    assert message["template"] == "Data science, small"


@pytest.mark.parametrize(
    ("detail", "reason"),
    [
        ({"leaseId": {"uuid": UUID}}, "no_user_email"),
        ({"leaseId": {"userEmail": USER_EMAIL}}, "no_uuid"),
        ({"leaseId": UUID, "userEmail": 7}, "no_user_email"),
        ({"leaseId": UUID, "userEmail": None}, "no_user_email"),
        ({"leaseId": [UUID], "userEmail": USER_EMAIL}, "no_uuid"),
        ({"leaseId": "", "userEmail": USER_EMAIL}, "no_uuid"),
    ],
    ids=str,
)
def test_an_event_without_a_usable_key_is_still_sent(
    notification: ModuleType, cloud: MotoCloud, detail: dict[str, Any], reason: str
) -> None:
    answer = notification.lambda_handler(lease_event("LeaseExpired", detail), LambdaContext())

    assert answer["enrichment"] == {"status": "skipped", "reason": reason}
    assert [message["enriched"] for message in cloud.published()] == [False]


def test_an_event_is_sent_although_the_lease_table_is_missing(
    load_notification: Callable[..., ModuleType], cloud: MotoCloud
) -> None:
    answer = load_notification(LEASE_TABLE_ARN=f"{cloud.lease_table_arn}-gone").lambda_handler(lease_event(), LambdaContext())

    assert answer["enrichment"] == {"status": "failed", "reason": "no_table"}
    assert len(cloud.published()) == 1


def test_a_repeated_event_is_not_sent_twice(notification: ModuleType, cloud: MotoCloud) -> None:
    notification.lambda_handler(lease_event(), LambdaContext())
    answer = notification.lambda_handler(lease_event(), LambdaContext())

    assert answer["channels"] == {"sns": "duplicate"}
    assert len(cloud.published()) == 1
    assert cloud.claims() == {(f"event#{EVENT_ID}", "sns"): "done"}


def test_an_event_without_an_id_is_sent_once_too(notification: ModuleType, cloud: MotoCloud) -> None:
    for _ in range(2):
        notification.lambda_handler(lease_event(id=None), LambdaContext())

    assert len(cloud.published()) == 1


def test_a_failed_channel_fails_the_invocation_after_the_others(
    load_notification: Callable[..., ModuleType], cloud: MotoCloud
) -> None:
    # Slack has no webhook set, so that it can't send.
    notification = load_notification(NOTIFY_CHANNELS="slack,sns")

    with pytest.raises(errors.UnavailableError, match="not sent on slack"):
        notification.lambda_handler(lease_event(), LambdaContext())

    assert len(cloud.published()) == 1
    assert cloud.claims() == {(f"event#{EVENT_ID}", "sns"): "done", (f"event#{EVENT_ID}", "slack"): "failed"}


def test_lambdas_retry_sends_only_what_was_not_sent(load_notification: Callable[..., ModuleType], cloud: MotoCloud) -> None:
    same_request = LambdaContext()
    failing = load_notification(NOTIFICATION_TOPIC_ARN=NO_TOPIC)
    with pytest.raises(errors.UnavailableError):
        failing.lambda_handler(lease_event(), same_request)

    fixed = load_notification()

    assert fixed.lambda_handler(lease_event(), same_request)["channels"] == {"sns": "sent"}
    assert fixed.lambda_handler(lease_event(), same_request)["channels"] == {"sns": "duplicate"}
    assert len(cloud.published()) == 1


def test_an_event_held_by_another_attempt_fails_the_invocation(notification: ModuleType, cloud: MotoCloud) -> None:
    cloud.client("dynamodb").put_item(
        TableName=cloud.operations_table_name,
        Item={
            "session_id": {"S": f"event#{EVENT_ID}"},
            "operation_key": {"S": "sns"},
            "status": {"S": "pending"},
            "claim_owner": {"S": "run-1"},
            "claim_expires_at": {"S": "9999-01-01T00:00:00.000000Z"},
        },
    )

    with pytest.raises(errors.UnavailableError, match="not sent on sns"):
        notification.lambda_handler(lease_event(), LambdaContext("run-1"))

    assert cloud.published() == []


def test_one_dynamodb_client_serves_all_invocations(
    load_notification: Callable[..., ModuleType], cloud: MotoCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.session import Session

    cloud.put_lease(lease_item())
    made: list[str] = []
    create_client = Session.create_client

    def count(self: Session, service_name: str, *args: Any, **kwargs: Any) -> Any:
        made.append(service_name)
        return create_client(self, service_name, *args, **kwargs)

    monkeypatch.setattr(Session, "create_client", count)
    notification = load_notification()
    at_load = list(made)

    for number in range(20):
        notification.lambda_handler(lease_event(id=f"event-{number}"), LambdaContext())

    assert at_load.count("dynamodb") == 1
    assert made == at_load


INVALID_EVENTS: list[tuple[Any, type[errors.SwitchboardError], str]] = [
    (None, errors.InvalidInputError, "the event is null, not a JSON object"),
    ([lease_event()], errors.InvalidInputError, "the event is a list, not a JSON object"),
    ("LeaseExpired", errors.InvalidInputError, "the event is text, not a JSON object"),
    ({}, errors.InvalidInputError, "the event has no detail-type"),
    ({"id": "e-1", "detail-type": "LeaseExpired"}, errors.InvalidInputError, "the event has no detail object"),
    (lease_event(detail={"comment": "x" * 5_000_000}), errors.PayloadTooLargeError, "the event is larger than 1048576 bytes"),
    (lease_event(detail=json.loads("[" * 500 + "]" * 500)), errors.InvalidInputError, "nests deeper"),
]


@pytest.mark.parametrize(
    ("event", "error", "sentence"), INVALID_EVENTS, ids=["null", "list", "text", "empty", "no detail", "5 MB", "deep"]
)
def test_an_invalid_event_is_one_log_line_and_an_error(
    notification: ModuleType,
    lines: LogLines,
    cloud: MotoCloud,
    event: object,
    error: type[errors.SwitchboardError],
    sentence: str,
) -> None:
    with pytest.raises(error, match=sentence):
        notification.lambda_handler(event, LambdaContext("run-1"))

    (line,) = lines.all()
    assert (line["level"], line["message"], line["run_id"]) == ("ERROR", "event_failed", "run-1")
    assert sentence in line["error_text"]
    assert len(lines.text) < 2000
    assert line.get("event_id") == (event.get("id") if isinstance(event, dict) else None), "trace finds it by its id"
    assert cloud.published() == []


def test_the_next_event_is_served_after_bad_input(notification: ModuleType, cloud: MotoCloud) -> None:
    with pytest.raises(errors.InvalidInputError):
        notification.lambda_handler(None, LambdaContext())

    assert notification.lambda_handler(lease_event(), LambdaContext())["channels"] == {"sns": "sent"}


@pytest.mark.parametrize(
    "comment",
    ["a\x00b", "x" * 400_000, "\ud800", "𝕊🦆" * 1000, "</a>\r\n\u202e"],
    ids=["NUL", "400 kB", "surrogate", "wide", "markup"],
)
def test_odd_text_is_sent(notification: ModuleType, cloud: MotoCloud, comment: str) -> None:
    detail = {"leaseId": comment, "userEmail": USER_EMAIL, "reason": {"type": comment}}

    assert notification.lambda_handler(lease_event("LeaseFrozen", detail), LambdaContext())["channels"] == {"sns": "sent"}


def test_each_line_of_an_invocation_carries_its_ids(notification: ModuleType, lines: LogLines, cloud: MotoCloud) -> None:
    cloud.put_lease(lease_item())
    notification.lambda_handler(lease_event(), LambdaContext("run-1"))

    assert {line["message"] for line in lines.all()} >= {"lease_schema", "lease_event"}
    for line in lines.all():
        assert (line["run_id"], line["event_id"], line["correlation_id"]) == ("run-1", EVENT_ID, EVENT_ID)
        assert line["function"] == "notification"


def test_bad_input_is_not_logged_under_the_last_events_id(notification: ModuleType, lines: LogLines) -> None:
    notification.lambda_handler(lease_event(), LambdaContext("run-1"))
    with pytest.raises(errors.InvalidInputError):
        notification.lambda_handler({}, LambdaContext("run-2"))

    line = lines.only("event_failed")
    assert line["run_id"] == "run-2"
    assert "event_id" not in line


def test_no_line_holds_an_e_mail_address(
    load_notification: Callable[..., ModuleType], cloud: MotoCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    notification = load_notification(NOTIFY_CHANNELS="sns,slack,teams,govuk_notify")
    lines = LogLines("notification")
    cloud.put_lease(lease_item("Frozen", createdBy={"S": USER_EMAIL}, **{USER_EMAIL: {"S": USER_EMAIL}}))
    details = [None, {"leaseId": USER_EMAIL, "userEmail": USER_EMAIL}, {"userEmail": [USER_EMAIL]}]

    for number, detail in enumerate(details):
        with pytest.raises(errors.UnavailableError) as failure:
            notification.lambda_handler(lease_event("LeaseFrozen", detail, id=f"e-{number}"), LambdaContext())
        assert USER_EMAIL not in str(failure.value)

    assert lines.named("schema_drift")
    assert USER_EMAIL not in lines.text + capsys.readouterr().out


def test_a_defect_is_logged_and_its_error_holds_nothing_personal(
    notification: ModuleType, lines: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise KeyError(USER_EMAIL)

    monkeypatch.setattr(service, "compose", break_down)
    with pytest.raises(errors.SwitchboardError) as failure:
        notification.lambda_handler(lease_event(), LambdaContext())

    assert str(failure.value) == "the event could not be handled: KeyError"
    assert failure.value.__suppress_context__
    assert "Traceback" in lines.only("event_failed")["exception"]
    assert USER_EMAIL not in lines.text


def test_dimensions_stay_with_their_metric(
    load_notification: Callable[..., ModuleType], cloud: MotoCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    notification = load_notification(NOTIFY_CHANNELS="sns,slack")
    cloud.put_lease(lease_item("Frozen", teamColour={"S": "green"}))
    for number, detail in enumerate([None, {}, {"leaseId": "unknown", "userEmail": USER_EMAIL}, None]):
        with pytest.raises(errors.UnavailableError):
            notification.lambda_handler(lease_event("LeaseFrozen", detail, id=f"e-{number}"), LambdaContext())

    own = {"EnrichmentSkipped": {"reason"}, "NotificationSent": {"channel"}, "NotificationFailed": {"channel"}}
    output = capsys.readouterr().out
    for metric in metrics_in(output):
        assert metric.dimensions.keys() == {"service"} | own.get(metric.name, set()), metric.name
        assert metric.dimensions["service"] == "notification"
    assert set(names_in(output)) == own.keys() | {
        "EnrichmentQueryLatencyMs",
        "EnrichmentSuccess",
        "LeaseNotFound",
        "SchemaDrift",
    }

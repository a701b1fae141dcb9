"""A trace collects all that is known of an id, in time order, and shows nothing personal."""

from datetime import timedelta
from typing import Any

import pytest

from lib.approvals.records import Approval
from lib.approvals.repository import ApprovalStore
from lib.jira.commits import Commit
from lib.jira.correlation_store import CorrelationStore
from lib.operations.trace import Trace, Tracer, check_id
from lib.platform import clock, errors
from lib.platform.claims import Claims
from lib.platform.dynamodb import Table
from lib.platform.log import hash_email
from lib.shuttle.entities import BillingState, Shop
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.plans import Plan
from lib.shuttle.registry import Registry
from tests.support.approvals.builders import make_draft
from tests.support.aws.moto_inside import ISSUES, LEASES, OPERATIONS, SHOPS
from tests.support.leases.builders import lease_item
from tests.support.operations.deployment import FAILURES, FUNCTIONS, WORK_DEAD_LETTERS, Deployment
from tests.support.shuttle.builders import an_order

SHA = "3f5c0d1b9a7e3f5c0d1b9a7e3f5c0d1b9a7e3f5c"
EVENT, LEASE = "6856c8f2-9e1d-4526-a742-fcda628885f9", "11111111-2222-4333-8444-555555555555"


def trace(deployment: Deployment, identifier: str) -> Trace:
    return Tracer(deployment).trace(identifier, clock.utc_now() - timedelta(days=1))


def shown(deployment: Deployment, identifier: str) -> list[tuple[str, str, str]]:
    found = trace(deployment, identifier)
    assert found.problems == ()
    assert [entry.at for entry in found.entries] == sorted(entry.at for entry in found.entries)
    return [(entry.source, entry.level, entry.text) for entry in found.entries]


def test_an_event_has_its_lines_claims_and_dead_letters(deployment: Deployment) -> None:
    claims = Claims(deployment.client("dynamodb"), OPERATIONS, lease=timedelta(minutes=1), keep=None)
    claims.complete(claims.claim(f"event#{EVENT}", "sns", "one"))
    claims.complete(claims.claim(f"event#{EVENT}", "teams", "one"))
    claims.release(claims.claim(f"event#{EVENT}", "slack", "one"), "channel_not_found")
    deployment.log("notification", "lease_event", event_id=EVENT, user="ada@example.com", ago=timedelta(minutes=1))
    deployment.log("notification", "notification_sent", event_id=EVENT, channel="teams", ago=timedelta(seconds=59))
    deployment.log("notification", "lease_event", event_id="another", ago=timedelta(minutes=1))
    deployment.send(FAILURES, {"requestContext": {"condition": "x"}, "requestPayload": {"id": EVENT}, "responsePayload": {}})
    deployment.send(FAILURES, {"requestContext": {"condition": "x"}, "requestPayload": {"id": "another"}})

    found = shown(deployment, EVENT)

    assert found[0][:2] == ("log of notification", "INFO")
    assert found[0][2].startswith(f"lease_event event_id={EVENT} user=email:")
    assert "ada" not in found[0][2]
    assert found[1:4] == [
        ("log of notification", "INFO", f"notification_sent event_id={EVENT} channel=teams"),  # which its claim says too
        ("JiraOperations", "", "channel sns: sent"),
        ("JiraOperations", "", "channel slack: not sent: channel_not_found"),
    ]
    assert [(source, text.split(":")[0].split()[:2]) for source, _, text in found[4:]] == [
        ("notification-failures", ["dead", "letter"])
    ]
    assert found == shown(deployment, EVENT), "reading leaves the dead letters"


def test_a_lease_leads_to_its_events(deployment: Deployment) -> None:
    deployment.log("notification", "lease_schema", event_id=EVENT, lease_uuid=LEASE, ago=timedelta(seconds=9))
    deployment.log("notification", "notification_sent", event_id=EVENT, channel="sns", ago=timedelta(seconds=8))
    deployment.send(WORK_DEAD_LETTERS, {"id": EVENT})

    texts = [text for _, _, text in shown(deployment, LEASE)]

    assert texts[0] == f"lease_schema event_id={EVENT} lease_uuid={LEASE}"
    assert texts[1] == f"notification_sent event_id={EVENT} channel=sns"
    assert texts[2].startswith("dead letter ")


def test_the_record_of_a_lease_is_read_if_its_owner_is_named(deployment: Deployment) -> None:
    item = lease_item("Frozen", userEmail={"S": "ada@example.com"}, uuid={"S": LEASE})
    deployment.client("dynamodb").put_item(TableName=LEASES, Item=item)

    found = Tracer(deployment).trace(LEASE, clock.utc_now(), owner="ada@example.com")
    other = Tracer(deployment).trace(LEASE, clock.utc_now(), owner="bob@example.com")

    assert [(entry.source, entry.text) for entry in found.entries] == [
        (
            "LeaseTable",
            f"lease {LEASE} is Frozen now: template Data science, small, account 444455556666, "
            "start 2026-03-01T10:30:00.000-07:00, owner email:b5fc85e55755f9e0",
        )
    ]
    assert other.entries == ()
    assert other.problems == (f"the lease {LEASE} was not found: {hash_email('bob@example.com')} has no lease {LEASE}",)


@pytest.mark.parametrize("by", ["session", "hash"])
def test_a_draft_has_its_decision_and_session(deployment: Deployment, by: str) -> None:
    store = ApprovalStore(Table(deployment.client("dynamodb"), OPERATIONS))
    of_hash = store.submit(make_draft(session_id="chat-7")).draft_hash
    at = clock.utc_now()
    store.record_decision("chat-7", Approval(draft_hash=of_hash, approved=True, decided_by="U0ANN", at=at))
    deployment.log("approvals", "click", session_id="chat-7", draft_hash=of_hash, decision="approve", ago=timedelta())
    deployment.log("jira_worker", "preview_gone", session_id="chat-7", level="WARNING", ago=timedelta())

    texts = {text for _, _, text in shown(deployment, "chat-7" if by == "session" else of_hash)}

    assert texts == {
        f"draft {of_hash} submitted, requested by U0REQUEST",
        f"draft {of_hash} approved by U0ANN",
        f"session is approved, draft {of_hash}",
        f"click session_id=chat-7 draft_hash={of_hash} decision=approve",
        "preview_gone session_id=chat-7",
    }


def test_an_issue_and_a_commit_have_their_rows(deployment: Deployment) -> None:
    commit = Commit(
        sha=SHA,
        repository="acme/web",
        title="OPS-7 Fix it for ada@example.com",
        committed_at="2026-11-20T10:00:00.000000Z",
        issue_keys=("OPS-7",),
    )
    other = Commit(sha="8" * 40, repository="acme/web", title="x", committed_at=commit.committed_at, issue_keys=("OPS-7",))
    links = CorrelationStore(deployment.client("dynamodb"), ISSUES)
    links.record_commits([commit, other])
    links.recompute("OPS-7")
    deployment.log("webhooks", "commits_stored", shas=[SHA], issue_keys=["OPS-7"])

    of_issue = [text for _, _, text in shown(deployment, "OPS-7")]
    of_commit = [text for _, _, text in shown(deployment, SHA)]

    assert len(of_issue) == 4
    assert "correlation of OPS-7: unknown" in of_issue
    assert of_commit[0].startswith(f"commit {SHA} of acme/web names OPS-7: OPS-7 Fix it for email:")
    assert of_commit[1].startswith("commits_stored shas=")
    assert len(of_commit) == 2


def test_a_job_is_found_by_the_shop_that_its_lines_name(deployment: Deployment) -> None:
    client = deployment.client("dynamodb")
    now = clock.utc_now()
    Registry(client, SHOPS).install(
        Shop(shop_domain="teapots.example.com", plan=Plan.LARGE, billing_state=BillingState.ACTIVE, installed_at=now)
    )
    job = Jobs(client, SHOPS).create("teapots.example.com", an_order())
    deployment.log("shuttle", "job_created", shop_domain="teapots.example.com", job_id=job.job_id, ago=timedelta())

    texts = [text for source, _, text in shown(deployment, job.job_id) if source == "Shuttle"]

    assert texts == [
        f"job {job.job_id} of teapots.example.com was ordered: IMPORT",
        f"job {job.job_id} of teapots.example.com is QUEUED since then",
    ]


def test_nothing_is_known_of_another_id(deployment: Deployment) -> None:
    assert trace(deployment, "nobody-knows") == Trace((), ())


def test_what_cannot_be_read_is_a_problem(deployment: Deployment) -> None:
    deployment.log("approvals", "click", session_id="chat-7")
    deployment.client("logs").delete_log_group(logGroupName=f"/aws/lambda/{FUNCTIONS['health']}")
    deployment.outputs = {**deployment.outputs, "jira_operations_table_name": "gone"}

    found = trace(deployment, "chat-7")

    assert [entry.text for entry in found.entries] == ["click session_id=chat-7"]
    assert [problem.split(" can't be read: ")[0] for problem in found.problems] == [
        "the session chat-7",
        "the event chat-7",
    ]


def test_a_log_that_is_too_long_is_reported_and_its_beginning_shown(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Endless:
        def filter_log_events(self, **request: Any) -> dict[str, Any]:
            line = {"timestamp": clock.epoch_ms(clock.utc_now()), "message": "START chat-7", "eventId": "1"}
            return {"events": [] if request.get("nextToken") else [line], "nextToken": "more"}

    client = deployment.client
    monkeypatch.setattr(deployment, "client", lambda service: Endless() if service == "logs" else client(service))
    deployment.outputs = {**deployment.outputs, "functions": {"health": FUNCTIONS["health"]}, "dead_letter_queues": {}}

    found = trace(deployment, "chat-7")

    assert [entry.text for entry in found.entries] == ["START chat-7"]
    assert found.problems == (
        "the log of health can't be read: could not read the log of health to its end: it is longer than can be read at once",
    )


@pytest.mark.parametrize("text", ["", "ab", "a b", 'say "x"', "x" * 257, "a\nb", "back\\slash"])
def test_what_cannot_be_an_id_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidInputError):
        check_id(text)


def test_a_long_text_is_cut_after_addresses_are_hashed(deployment: Deployment) -> None:
    padded: dict[str, Any] = {"pad": "x " * 190, "user": "ada.lovelace@sandbox.example", "more": "y " * 100}
    deployment.log("approvals", "click", session_id="chat-7", **padded)

    [(_, _, text)] = shown(deployment, "chat-7")

    assert len(text) <= 402
    assert "ada" not in text

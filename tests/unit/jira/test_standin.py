"""The Jira stand-in, beyond what the tests of the client cover."""

import base64
import http.server
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from werkzeug.test import Client, TestResponse

from lib.jira.webhooks import Delivery, normalise
from lib.platform.secrets import Secret
from lib.web import signatures
from stack.local.standins.jira import Jira
from stack.local.standins.jql import JqlError, instant, parse
from tests.support.aws.secrets import SecretsManager
from tests.support.present import present

AUTH = {"Authorization": "Basic " + base64.b64encode(b"a@example.com:token").decode()}


@pytest.fixture
def site() -> Jira:
    jira = Jira()
    jira.seed("OPS", 5)
    return jira


@pytest.fixture
def http_client(site: Jira) -> Client:
    return Client(site)


def search(client: Client, jql: str, **more: Any) -> TestResponse:
    return client.get("/rest/api/3/search/jql", query_string={"jql": jql, **more}, headers=AUTH)


def keys(response: TestResponse) -> list[str | None]:
    return [issue.get("key") for issue in content(response)["issues"]]


def content(response: TestResponse) -> Any:
    return json.loads(response.get_data())


def test_without_fields_a_search_gives_ids_only(http_client: Client) -> None:
    assert keys(search(http_client, "project = OPS")) == [None] * 5
    assert keys(search(http_client, "project = OPS", fields="summary"))[0] == "OPS-1"


@pytest.mark.parametrize(
    ("jql", "numbers"),
    [
        ("project = OPS ORDER BY key DESC", [5, 4, 3, 2, 1]),
        ('project = "OPS" AND key > OPS-2 AND key <= OPS-4', [3, 4]),
        ("project = OPS AND key in (OPS-5, OPS-1)", [1, 5]),
        ("project = OPS AND key > OPS-99", []),
        ('project = OPS AND updated >= "-5m"', [1, 2, 3, 4, 5]),
        ('project = OPS AND updated >= "2999-01-01 00:00"', []),
        ("project in (OPS) AND labels in (x, y)", []),
    ],
)
def test_jql(http_client: Client, jql: str, numbers: list[int]) -> None:
    assert keys(search(http_client, jql, fields="summary")) == [f"OPS-{number}" for number in numbers]


@pytest.mark.parametrize(
    "jql", ["", "summary ~ x", "project = OPS OR key = OPS-1", "project = NOPE", "key = nonsense", "project ="]
)
def test_refused_jql_is_400_with_a_message(http_client: Client, jql: str) -> None:
    answer = search(http_client, jql)
    assert answer.status_code == 400
    assert content(answer)["errorMessages"]


def test_dates_are_relative_or_absolute() -> None:
    now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert instant("-90m", now) == datetime(2026, 3, 1, 10, 30, tzinfo=UTC)
    assert instant("2026-02-28 09:15", now) == datetime(2026, 2, 28, 9, 15, tzinfo=UTC)
    with pytest.raises(JqlError):
        instant("yesterday", now)


def test_a_query_can_be_read() -> None:
    query = parse('project = "OPS" AND key > OPS-1 ORDER BY updated DESC')
    assert [(clause.field, clause.operator) for clause in query.clauses] == [("project", "="), ("key", ">")]
    assert (query.order, query.descending) == ("updated", True)


def test_pages_stay_the_same_while_issues_change(site: Jira, http_client: Client) -> None:
    first = search(http_client, "project = OPS", fields="summary", maxResults=2)
    site.delete("OPS-3")
    site.create("OPS", "new")
    rest = search(http_client, "project = OPS", fields="summary", maxResults=9, nextPageToken=content(first)["nextPageToken"])
    assert (keys(first), keys(rest)) == (["OPS-1", "OPS-2"], ["OPS-4", "OPS-5", "OPS-6"])
    assert (content(first)["isLast"], content(rest)["isLast"]) == (False, True)


def test_a_token_of_another_query_is_refused(http_client: Client) -> None:
    token = content(search(http_client, "project = OPS", maxResults=2))["nextPageToken"]
    assert search(http_client, "project = OPS ORDER BY updated", nextPageToken=token).status_code == 400


def test_the_old_search_is_gone_and_anonymous_callers_are_refused(http_client: Client) -> None:
    assert http_client.get("/rest/api/3/search", headers=AUTH).status_code == 410
    assert http_client.get("/rest/api/3/myself").status_code == 401
    assert http_client.get("/rest/api/3/serverInfo").status_code == 200


def test_search_lags_behind_edits_and_deletions(site: Jira, http_client: Client) -> None:
    site.site.lag = timedelta(hours=1)
    site.edit("OPS-1", summary="edited")
    site.edit("OPS-1", summary="edited again")
    site.delete("OPS-2")
    shown = content(search(http_client, "project = OPS", fields="summary"))["issues"]
    assert [issue["key"] for issue in shown][:2] == ["OPS-1", "OPS-2"]
    assert shown[0]["fields"]["summary"] == "Issue 1 of OPS"
    assert http_client.get("/rest/api/3/issue/OPS-2", headers=AUTH).status_code == 404


def test_an_issue_that_moves_back_has_its_old_key(site: Jira) -> None:
    assert site.edit("OPS-1", project="WEB").key == "WEB-1"
    assert present(site.site.find("OPS-1")).key == "WEB-1"
    assert site.edit("WEB-1", project="OPS").key == "OPS-1"
    assert site.create("OPS", "next").key == "OPS-6"


def test_the_control_surface(http_client: Client) -> None:
    def post(name: str, **given: object) -> TestResponse:
        return http_client.post(f"/_standin/{name}", json=given)

    assert post("seed", project="WEB", count=3).json == {"ok": True}
    assert content(post("issues", project="WEB", summary="new", labels=["x"]))["key"] == "WEB-4"
    edited = http_client.patch("/_standin/issues/WEB-4", json={"status": "Done"})
    assert content(edited)["fields"]["status"]["name"] == "Done"
    assert http_client.delete("/_standin/issues/WEB-4").json == {"ok": True}
    assert post("issues", project="WEB", summary="new", nonsense=1).status_code == 400
    assert http_client.patch("/_standin/issues/NOPE-1", json={}).status_code == 400
    assert post("settings", hidden=["WEB"], lag_seconds=0).json == {"ok": True}
    assert search(http_client, "project = WEB").status_code == 400
    assert len(content(http_client.get("/_standin/requests"))["requests"]) == 1
    events = [sent["event"] for sent in content(http_client.get("/_standin/webhooks"))["webhooks"]]
    assert events == ["jira:issue_created", "jira:issue_updated", "jira:issue_deleted"]
    assert post("reset").json == {"ok": True}
    assert search(http_client, "project = OPS").status_code == 400


class Receiver(http.server.BaseHTTPRequestHandler):
    statuses: ClassVar[list[int]]
    seen: ClassVar[list[tuple[dict[str, str], bytes]]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((dict(self.headers), body))
        self.send_response(self.statuses.pop(0) if self.statuses else 202)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


def test_webhooks_are_signed_and_sent_again_after_a_5xx(site: Jira) -> None:
    Receiver.statuses, Receiver.seen = [503, 202], []
    with http.server.HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        site.webhooks.url = f"http://127.0.0.1:{server.server_port}/webhooks/jira"
        site.webhooks.secret = "shared"
        site.edit("OPS-1", status="Done")
        deadline = time.monotonic() + 10
        while site.webhooks.sent[-1]["status"] != 202 and time.monotonic() < deadline:
            time.sleep(0.01)
        server.shutdown()
    (first, body), (second, again) = Receiver.seen
    assert body == again
    assert first["X-Atlassian-Webhook-Identifier"] == second["X-Atlassian-Webhook-Identifier"]
    assert (first.get("X-Atlassian-Webhook-Retry"), second["X-Atlassian-Webhook-Retry"]) == (None, "1")
    signatures.verify_webhook(first, body, Secret(SecretsManager("shared"), "arn"))
    delivery = normalise(body, datetime.now(UTC))
    assert isinstance(delivery, Delivery)
    assert delivery.fields.status == "Done"
    assert json.loads(body)["webhookEvent"] == "jira:issue_updated"


def test_an_expired_token_is_answered_as_an_anonymous_caller(http_client: Client) -> None:
    http_client.post("/_standin/settings", json={"restricted": ["OPS-2", "OPS-3"]})
    http_client.post("/_standin/faults", json={"path": "*", "error": "anonymous", "skip": 1, "times": 99})
    assert len(keys(search(http_client, "project = OPS", fields="summary"))) == 5

    answers = {
        "listing": search(http_client, "project = OPS", fields="summary"),
        "project": http_client.get("/rest/api/3/project/OPS", headers=AUTH),
        "restricted": http_client.get("/rest/api/3/issue/OPS-2", headers=AUTH),
        "account": http_client.get("/rest/api/3/myself", headers=AUTH),
        "creation": http_client.post("/rest/api/3/issue", json={}, headers=AUTH),
    }

    assert keys(answers["listing"]) == ["OPS-1", "OPS-4", "OPS-5"]
    statuses = {name: answer.status_code for name, answer in answers.items()}
    assert statuses == {"listing": 200, "project": 200, "restricted": 404, "account": 401, "creation": 401}
    assert {answer.headers["X-Seraph-LoginReason"] for answer in answers.values()} == {"AUTHENTICATED_FAILED"}


@pytest.mark.parametrize(
    ("control", "body", "says"),
    [
        ("faults", '{"path": "*", "error": "nope"}', "there is no error 'nope'; there are rate_limited, half_page"),
        ("seed", '{"count": 1}', "'project' is missing or unknown"),
        ("seed", "[]", "the body must be a JSON object"),
    ],
)
def test_a_wrong_control_is_refused_with_what_is_wrong(http_client: Client, control: str, body: str, says: str) -> None:
    answer = http_client.post(f"/_standin/{control}", data=body)

    assert answer.status_code == 400
    assert says in content(answer)["error"]


def test_a_control_needs_no_content_type(http_client: Client) -> None:
    assert http_client.post("/_standin/seed", data='{"project": "WEB", "count": 1}').status_code == 200
    assert keys(search(http_client, "project = WEB", fields="summary")) == ["WEB-1"]

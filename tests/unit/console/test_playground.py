"""The playground: for a local cloud only; what it sends, clicks, breaks and runs, over stand-ins that are served."""

import hmac
import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
from werkzeug.wrappers import Request, Response

from handlers.console import samples
from lib.platform import clock
from stack.local.aws_faults import AwsFaults
from stack.local.serving import Server
from stack.local.standins.govuk_notify import GovukNotify
from stack.local.standins.jira import Jira
from stack.local.standins.slack import Slack
from stack.local.standins.teams import Teams
from tests.support.aws.moto_inside import create_secret
from tests.support.console.client import HOSTILE, PERSON, ConsoleClient, console_client, text_of
from tests.support.observability.log_lines import LogLines
from tests.support.operations.deployment import FUNCTIONS, OUTPUTS, Deployment
from tests.support.web.standins import Served, served

JIRA_SECRET, GIT_SECRET, SLACK_SECRET = "of-jira", "of-git", "of-slack"
API_KEY = "local-11111111-1111-4111-8111-111111111111-22222222-2222-4222-8222-222222222222"
TOKEN = {"Authorization": "Bearer xoxb-1"}
PATHS = ("", "/slack", "/faults", "/schedules")


@dataclass
class World:
    """A local cloud whose HTTP API keeps what it receives."""

    client: ConsoleClient
    deployment: Deployment
    slack_url: str
    received: list[Request] = field(default_factory=list)
    answer: tuple[int, Any] = (202, {"status": "stored"})

    @property
    def reader(self) -> ConsoleClient:
        """A browser at a console that is read-only."""
        return console_client(self.deployment)

    def post(self, text: str, **blocks: Any) -> dict[str, Any]:
        """Switchboard posts a message to a channel."""
        message = {"channel": "leases", "text": text, **blocks}
        posted = requests.post(f"{self.slack_url}/api/chat.postMessage", json=message, headers=TOKEN, timeout=10)
        assert posted.json()["ok"], posted.text
        return dict(posted.json())


@pytest.fixture
def world(deployment: Deployment) -> Iterator[World]:
    faults = AwsFaults("123456789012", lambda _: "")

    def aws(environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        if request.path == "/_local/ready":
            answer = Response(json.dumps({"standins": {name: each.url for name, each in standins.items()}}))
        else:
            answer = faults.control(request)
        return answer(environ, start_response)

    def api(environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        request.get_data()
        made.received.append(request)
        status, body = made.answer
        return Response(json.dumps(body), status)(environ, start_response)

    aws_server, api_server = Server(aws), Server(api)
    with served(Slack()) as slack, served(Jira()) as jira, served(Teams()) as teams, served(GovukNotify(API_KEY)) as notify:
        standins: dict[str, Served[Any]] = {"slack": slack, "jira": jira, "teams": teams, "govuk_notify": notify}
        deployment.local = {"AWS_ENDPOINT_URL": aws_server.url}
        deployment.outputs = {**OUTPUTS, "http_api_url": api_server.url, "event_bus_name": "bus"}
        deployment.environments = {
            "JIRA_WEBHOOK_SECRET_ARN": create_secret("jira", JIRA_SECRET),
            "COMMIT_WEBHOOK_SECRET_ARN": create_secret("git", GIT_SECRET),
            "SLACK_SIGNING_SECRET_ARN": create_secret("slack", SLACK_SECRET),
            "JIRA_PROJECTS": "OPS,GOLD",
        }
        made = World(console_client(deployment, allow_writes=True), deployment, slack.url)
        yield made
    aws_server.close()
    api_server.close()


def payload_of(page: str, name: str = "payload") -> str:
    found = re.search(rf'<textarea name="{name}"[^>]*>(.*?)</textarea>', page, re.S)
    assert found
    return html.unescape(found[1])


def signed(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()


@pytest.mark.parametrize("path", PATHS)
def test_a_deployment_on_aws_has_no_playground(deployment: Deployment, path: str) -> None:
    client = console_client(deployment, allow_writes=True)

    assert client.get(f"/playground{path}").status_code == 404
    assert client.post("/playground/send/lease").status_code == 404
    assert "Playground" not in client.page("/trace")


@pytest.mark.parametrize(
    "change", ["send/lease", "send/file", "slack/click", "faults/aws", "faults/slack/off", "schedules/health/run"]
)
def test_a_read_only_console_sends_and_breaks_nothing(world: World, change: str) -> None:
    world.deployment.schedule("health", "health")
    fault = {"service": "sns", "error": "AccessDenied"}

    answer = world.reader.post(f"/playground/{change}", data={"payload": "{}", "fault": json.dumps(fault)})

    assert answer.status_code == 403
    assert world.received == []
    assert "no fault" in text_of(world.client.page("/playground/faults"))


@pytest.mark.parametrize("path", PATHS)
def test_a_read_only_console_says_how_to_allow_changes(world: World, path: str) -> None:
    page = world.reader.page(f"/playground{path}")

    assert "This console is read-only" in text_of(page)
    assert '<button class="danger">' not in page


@pytest.mark.parametrize("kind", ["lease", "jira", "git", "draft", "file"])
def test_every_sample_fills_its_form(world: World, kind: str) -> None:
    every = samples.samples(kind, "OPS", clock.utc_now())

    for sample in every:
        shown = payload_of(world.client.page(f"/playground?kind={kind}&sample={sample.title}"))
        assert shown
        if kind != "file":
            json.loads(shown)
        assert not re.search("PROJECT|SHA|SUFFIX|NOW", shown)
    assert len({each.title for each in every}) == len(every)


def test_an_unknown_kind_is_not_found(world: World) -> None:
    world.client.page("/playground?kind=post", status=404)
    assert world.client.post("/playground/send/post").status_code == 404


def test_a_lease_event_is_put_on_the_bus(world: World) -> None:
    world.deployment.client("events").create_event_bus(Name="bus")
    logged = LogLines("console")
    event = payload_of(world.client.page("/playground?kind=lease"))

    page = world.client.post("/playground/send/lease", data={"payload": event}).text

    assert "200 Accepted." in text_of(page)
    [event_id] = set(re.findall(r'"EventId": "([^"]+)"', html.unescape(page)))
    assert f"/trace?id={event_id}" in page
    assert f"/events/{event_id}" in page
    [line] = logged.named("console_change")
    assert (line["action"], line["person"]) == ("playground.send_lease", PERSON)


def test_a_lease_event_that_is_not_json_is_refused(world: World) -> None:
    assert world.client.post("/playground/send/lease", data={"payload": "{"}).status_code == 400
    assert world.client.post("/playground/send/lease", data={"payload": "[]"}).status_code == 400


def test_a_webhook_of_jira_is_signed_with_its_secret(world: World) -> None:
    body = payload_of(world.client.page("/playground?kind=jira"))

    page = world.client.post("/playground/send/jira", data={"payload": body.replace("\n", "\r\n")}).text

    [request] = world.received
    assert (request.path, request.get_data().decode()) == ("/webhooks/jira", body)
    assert request.headers["X-Hub-Signature"] == signed(JIRA_SECRET, body.encode())
    assert f"/events/{request.headers['X-Atlassian-Webhook-Identifier']}" in page
    assert json.loads(body)["issue"]["key"] == "OPS-3"


def test_a_push_is_signed_with_the_secret_of_git_hosts(world: World) -> None:
    body = payload_of(world.client.page("/playground?kind=git"))

    page = world.client.post("/playground/send/git", data={"payload": body}).text

    [request] = world.received
    assert request.path == "/webhooks/commits"
    assert request.headers["X-Hub-Signature-256"] == signed(GIT_SECRET, body.encode())
    assert f"/trace?id={json.loads(body)['commits'][0]['id']}" in page


def test_a_draft_is_signed_as_the_command_does(world: World) -> None:
    world.answer = (200, {"state": "preview"})
    body = payload_of(world.client.page("/playground?kind=draft"))

    page = world.client.post("/playground/send/draft", data={"payload": body}).text

    [request] = world.received
    assert (request.path, request.get_data().decode()) == ("/drafts", body)
    assert re.match(r"AWS4-HMAC-SHA256 Credential=\S+/execute-api/", request.headers["Authorization"])
    session_id = json.loads(body)["session_id"]
    assert f"/trace?id={session_id}" in page
    assert page.count(f"/approvals/{session_id}") == 1


def test_a_refusal_is_shown_with_its_reason_and_without_secrets(world: World) -> None:
    world.answer = (400, {"message": HOSTILE})

    answer = world.client.post("/playground/send/jira", data={"payload": "{}"})

    assert "400 Refused" in text_of(answer.text)
    assert "<script>alert" not in answer.text
    assert "planted-secret" not in answer.text
    assert "ada.lovelace@" not in answer.text
    assert "/trace?id=" not in answer.text


def test_a_file_goes_through_the_steps_of_a_shop(world: World) -> None:
    page = world.client.page("/playground?kind=file")
    upload = f"{world.deployment.outputs['http_api_url']}/upload"
    world.answer = (202, {"job": {"job_id": "j-1"}, "upload": {"url": upload}})
    form = {"shop": "teapots.example.com", "plan": "SMALL", **{name: payload_of(page, name) for name in ("order", "schema")}}

    shown = world.client.post("/playground/send/file", data={**form, "payload": "sku\r\nt-1\r\n"}).text

    base = "/shuttle/shops/teapots.example.com"
    steps = [(request.method, request.path) for request in world.received]
    assert steps == [("PUT", base), ("PUT", f"{base}/schema"), ("POST", f"{base}/jobs"), ("PUT", "/upload")]
    assert json.loads(world.received[2].get_data()) == {"file_bytes": 8, "mode": "OVERWRITE_EXISTING"}
    assert world.received[3].get_data() == b"sku\nt-1\n"
    assert "/jobs/teapots.example.com/j-1" in shown


def test_a_step_of_a_file_that_is_refused_ends_the_others(world: World) -> None:
    world.answer = (400, {"message": "plan is not one of FREE"})
    form = {"shop": "teapots.example.com", "plan": "HUGE", "order": "{}", "schema": "{}", "payload": "sku"}

    page = world.client.post("/playground/send/file", data=form).text

    assert len(world.received) == 1
    assert "plan is not one of FREE" in page


def test_slack_shows_channels_threads_and_answers_newest_first(world: World) -> None:
    first = world.post("first")
    world.post("second")
    requests.post(
        f"{world.slack_url}/api/chat.postMessage",
        json={"channel": "leases", "text": "in the thread of it", "thread_ts": first["ts"]},
        headers=TOKEN,
        timeout=10,
    )
    place = {"channel": first["channel"], "ts": first["ts"]}
    url = requests.post(f"{world.slack_url}/_standin/response_urls", json=place, timeout=10).json()["response_url"]
    requests.post(url, json={"text": "only for you"}, timeout=10)
    requests.post(
        f"{world.slack_url}/api/chat.postMessage", json={"channel": "ops", "text": "elsewhere"}, headers=TOKEN, timeout=10
    )

    shown = text_of(world.client.page("/playground/slack?channel=leases"))

    places = [shown.index(text) for text in ("second", "first", "In the thread", "in the thread of it", "only for you")]
    assert places == sorted(places)
    assert "Only visible to the person who clicked" in shown
    assert "elsewhere" not in shown
    assert "elsewhere" in text_of(world.client.page("/playground/slack"))


def test_slack_shows_older_messages_by_cursor(world: World) -> None:
    for number in range(12):
        world.post(f"no. {number}.")

    page = world.client.page("/playground/slack")

    assert "no. 2." in page
    assert "no. 1." not in page
    [more] = re.findall(r'href="([^"]+)" rel="next"', page)
    older = world.client.page(html.unescape(more))
    assert "no. 1." in older
    assert "no. 2." not in older


def test_slack_shows_no_html_address_or_secret_of_a_stranger(world: World) -> None:
    text = {"type": "mrkdwn", "text": HOSTILE}
    button = {"type": "button", "action_id": "go", "value": HOSTILE, "text": {"type": "plain_text", "text": "Go"}}
    world.post(HOSTILE, blocks=[{"type": "section", "text": text}, {"type": "actions", "elements": [button]}])

    page = world.client.page("/playground/slack")

    assert "Go" in page


def test_slack_without_messages_says_what_to_do(world: World) -> None:
    assert "Send a lease event or a draft" in text_of(world.client.page("/playground/slack"))


def test_a_click_is_signed_and_carries_the_inputs(world: World) -> None:
    options = [{"text": {"type": "plain_text", "text": "Unclear"}, "value": "unclear"}]
    label = {"type": "plain_text", "text": "why?"}
    menu = {"type": "static_select", "action_id": "reject_reason", "options": options}
    words = {"type": "plain_text_input", "action_id": "reject_words"}
    button = {"type": "button", "action_id": "reject_draft", "value": "s:1", "text": {"type": "plain_text", "text": "Reject"}}
    blocks = [
        {"type": "input", "block_id": "reject_reason", "label": label, "element": menu},
        {"type": "input", "block_id": "reject_words", "label": label, "element": words},
        {"type": "actions", "elements": [button]},
    ]
    world.post("a draft", blocks=blocks)
    page = world.client.page("/playground/slack?channel=leases&person=U0GRACE")
    hidden = dict(re.findall(r'<input type="hidden" name="(slack\.\w+)" value="([^"]*)"', page))

    entered = {"reject_reason": "unclear", "reject_words": "Which?", "reject_draft": "ignored"}
    answer = world.client.post("/playground/slack/click", data=hidden | entered)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/playground/slack?channel=leases&person=U0GRACE")
    [request] = world.received
    body, timestamp = request.get_data(), request.headers["X-Slack-Request-Timestamp"]
    wanted = hmac.new(SLACK_SECRET.encode(), f"v0:{timestamp}:".encode() + body, "sha256").hexdigest()
    assert (request.path, request.headers["X-Slack-Signature"]) == ("/slack/interactions", f"v0={wanted}")
    payload = json.loads(parse_qs(body.decode())["payload"][0])
    assert payload["user"]["id"] == "U0GRACE"
    assert payload["actions"] == [{"type": "button", "action_id": "reject_draft", "value": "s:1"}]
    assert payload["response_url"].startswith(world.slack_url)
    assert payload["state"]["values"] == {
        "reject_reason": {"reject_reason": {"type": "static_select", "selected_option": {"value": "unclear"}}},
        "reject_words": {"reject_words": {"type": "plain_text_input", "value": "Which?"}},
    }


def test_a_button_that_is_gone_is_not_clicked(world: World) -> None:
    posted = world.post("no buttons")
    place = {"slack.channel": posted["channel"], "slack.ts": posted["ts"], "slack.person": "U0ADA"}

    answer = world.client.post("/playground/slack/click", data={**place, "approve_draft": "x"})

    assert answer.status_code == 404
    assert world.received == []


@pytest.mark.parametrize("service", ["aws", "govuk_notify", "jira", "slack", "teams"])
def test_faults_are_switched_on_listed_and_switched_off(world: World, service: str) -> None:
    url, logged = f"/playground/faults/{service}", LogLines("console")
    before = world.client.page("/playground/faults")
    for sample in samples.sample_faults(service):
        assert html.escape(sample.title, quote=False) in html.unescape(before)
        assert world.client.post(url, data={"fault": sample.text}).status_code == 303

    count = len(samples.sample_faults(service))
    assert f"{count} faults on" in text_of(world.client.page("/playground/faults"))
    assert world.client.post(f"{url}/off").status_code == 303
    assert "faults on" not in text_of(world.client.page("/playground/faults"))
    assert {line["action"] for line in logged.named("console_change")} == {"playground.fault_on", "playground.faults_off"}


def test_a_fault_that_the_service_does_not_know_is_refused_with_its_reason(world: World) -> None:
    answer = world.client.post("/playground/faults/jira", data={"fault": '{"path": "*", "error": "tired"}'})
    assert (answer.status_code, "There is no error" in text_of(answer.text)) == (400, True)
    assert world.client.post("/playground/faults/aws", data={"fault": "{"}).status_code == 400
    assert world.client.post("/playground/faults/lambda", data={"fault": "{}"}).status_code == 404


def test_a_written_fault_shows_no_html_address_or_secret(world: World) -> None:
    world.client.post("/playground/faults/slack", data={"fault": json.dumps({"path": HOSTILE, "status": 500, "body": HOSTILE})})

    assert "1 fault on" in text_of(world.client.page("/playground/faults"))


def test_a_schedule_is_run_with_its_input(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    invoked: list[dict[str, Any]] = []

    class Functions:
        def invoke(self, **request: Any) -> None:
            invoked.append(request)

    world.deployment.schedule("health", "health", "DISABLED")
    make = world.deployment.client
    monkeypatch.setattr(world.deployment, "client", lambda service: Functions() if service == "lambda" else make(service))
    assert "health disabled rate(5 minutes) UTC health" in text_of(world.client.page("/playground/schedules"))

    answer = world.client.post("/playground/schedules/health/run")

    assert answer.status_code == 303
    [request] = invoked
    assert request["FunctionName"].endswith(FUNCTIONS["health"])
    assert (request["InvocationType"], request["Payload"]) == ("Event", b"{}")
    assert "health runs now, in health." in text_of(world.client.page("/playground/schedules"))
    assert world.client.post("/playground/schedules/lost/run").status_code == 404


def test_a_local_cloud_that_is_gone_is_an_error_page(world: World) -> None:
    world.deployment.local = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}

    assert "The local cloud can't be reached" in text_of(world.client.page("/playground/faults", status=503))

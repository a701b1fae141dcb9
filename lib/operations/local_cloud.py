"""The actions of the playground on a local cloud: sends samples as the outside services do, clicks in Slack, switches faults.

Secrets are read from its Secrets Manager and its addresses from its AWS API, so that a changed secret counts at once. Nothing
here works on AWS.
"""

import hmac
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import requests

from lib.operations.deployed import Deployment
from lib.operations.signed_requests import TIMEOUT_SECONDS, Answer, send_signed
from lib.platform import aws, clock, errors, fields
from lib.platform.environment.approvals import ApprovalsEnvironment
from lib.platform.environment.webhooks import WebhooksEnvironment
from lib.platform.secrets import Secret

AWS = "aws"
"""The AWS API's name among the services that can have faults."""

MOST_MESSAGES = 2_000
"""Only this many of the latest messages in Slack are read."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The result of sending something.

    Attributes:
        answer: the receiver's answer.
        id: the id to trace it by; empty if it was not accepted.
    """

    answer: Answer
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackMessage:
    """A message in a channel of the stand-in for Slack.

    Attributes:
        channel: its id.
        channel_name: its name; the id if nobody called it by its name.
        ts: identifies it in the channel.
        kind: ``message``, ``webhook``, ``ephemeral`` or ``response``; only one person sees the last two.
        content: ``text`` and ``blocks``.
        replies: in its thread, and the answers to clicks on it; oldest first.
    """

    channel: str
    channel_name: str
    ts: str
    kind: str
    content: Mapping[str, Any]
    replies: tuple["SlackMessage", ...] = ()


class LocalCloud:
    """One local cloud, as its outside services see it.

    Args:
        deployed: the local cloud.
        now: the clock.
    """

    def __init__(self, deployed: Deployment, now: clock.Clock = clock.utc_now) -> None:
        self._deployed = deployed
        self._now = now
        self._aws_url = deployed.local["AWS_ENDPOINT_URL"]
        self._standins: dict[str, str] | None = None

    # --- Sending ----------------------------------------------------------------------------------------------------------

    def put_event(self, source: str, detail_type: str, detail: Any) -> Sent:
        """Put an event on the bus, as the lease system does."""
        bus = self._deployed.output("event_bus_name")
        entry = {"EventBusName": bus, "Source": source, "DetailType": detail_type, "Detail": json.dumps(detail)}
        with aws.translated("put the event on the bus"):
            answer = self._deployed.client("events").put_events(Entries=[entry])
        text = json.dumps({name: answer[name] for name in ("FailedEntryCount", "Entries")}, indent=2)
        return Sent(Answer(answer["ResponseMetadata"]["HTTPStatusCode"], text), answer["Entries"][0].get("EventId", ""))

    def deliver_from_jira(self, body: bytes) -> Sent:
        """Deliver a webhook of Jira, signed with its secret."""
        identifier = str(uuid.uuid4())
        headers = {"X-Atlassian-Webhook-Identifier": identifier, "X-Hub-Signature": self._signature(body, jira=True)}
        return _sent(self._post("/webhooks/jira", body, headers), identifier)

    def deliver_push(self, body: bytes) -> Sent:
        """Deliver the webhook of a Git host, signed with its secret."""
        answer = self._post("/webhooks/commits", body, {"X-Hub-Signature-256": self._signature(body, jira=False)})
        first = next(iter(fields.objects_at(_object(body), "commits")), {})
        return _sent(answer, str(first.get("id", "")))

    def submit_draft(self, body: bytes) -> Sent:
        """Submit a draft, signed as the command ``drafts submit`` does."""
        return _sent(send_signed("POST", f"{self.http_url}/drafts", body), str(_object(body).get("session_id", "")))

    def import_file(self, shop: str, plan: str, schema: Any, order: Mapping[str, Any], file: bytes) -> Sent:
        """Install a shop, save its schema, order an import and upload the file: the steps of a shop's own program.

        The answer is that of the first step that failed, or of the order.
        """
        url = f"{self.http_url}/shuttle/shops/{quote(shop, safe='')}"
        steps = (
            ("PUT", url, {"plan": plan}),
            ("PUT", f"{url}/schema", schema),
            ("POST", f"{url}/jobs", {"file_bytes": len(file), **order}),
        )
        answer = Answer(0, "")
        for method, target, body in steps:
            answer = send_signed(method, target, json.dumps(body).encode())
            if answer.status >= 400:
                return Sent(answer)
        made = answer.json()
        if made.get("upload"):  # an order of an export has none
            uploaded = _send("PUT", made["upload"]["url"], file, {"Content-Type": "application/octet-stream"})
            if uploaded.status >= 400:
                return Sent(uploaded)
        return Sent(answer, str(made["job"]["job_id"]))

    # --- Slack ------------------------------------------------------------------------------------------------------------

    def messages(self) -> list[SlackMessage]:
        """What Slack shows in its channels, newest first; replies and answers are below their message."""
        found = self._control("slack", "GET", "messages")["messages"][-MOST_MESSAGES:]
        names = self._control("slack", "GET", "channels")["channels"]
        below: dict[tuple[str, str], list[SlackMessage]] = {}
        top: list[dict[str, Any]] = []
        known = {(each["channel"], each["ts"]) for each in found}
        for each in found:
            parent = (each["channel"], str(each.get("thread_ts") or each.get("original_ts") or ""))
            if parent in known:
                below.setdefault(parent, []).append(_message(each, names))
            else:
                top.append(each)
        return [_message(each, names, tuple(below.get((each["channel"], each["ts"]), ()))) for each in reversed(top)]

    def click(self, channel: str, ts: str, user: str, entered: Mapping[str, str]) -> Answer:
        """Click a button of a message, as Slack reports it, signed with its signing secret.

        Args:
            channel: the id of the message's channel.
            ts: of the message.
            user: the Slack user ID of the person.
            entered: has the button's ``action_id``, and what the person entered by ``block_id``.

        Raises:
            NotFoundError: the message or its button is gone.
            SwitchboardError: the secret can't be read, or nobody answers.
        """
        message = next((each for each in self._everything() if (each.channel, each.ts) == (channel, ts)), None)
        blocks = list(_blocks(message.content)) if message else []
        buttons = (item for block in blocks for item in _items(block, "elements"))
        button = next((item for item in buttons if item.get("action_id") in entered), None)
        if button is None:
            raise errors.NotFoundError("Slack no longer shows this button; reload the page")
        place = {"channel": channel, "ts": ts}
        payload = {
            "type": "block_actions",
            "user": {"id": user, "username": user.lower()},
            "container": {"type": "message", "channel_id": channel, "message_ts": ts},
            "channel": {"id": channel},
            "response_url": self._control("slack", "POST", "response_urls", place)["response_url"],
            "state": {"values": dict(_state(blocks, entered))},
            "actions": [{"type": "button", "action_id": button["action_id"], "value": button.get("value", "")}],
        }
        body, timestamp = urlencode({"payload": json.dumps(payload)}).encode(), str(int(self._now().timestamp()))
        arn = self._deployed.environment("approvals", ApprovalsEnvironment).slack_signing_secret_arn
        signature = _hmac(self._secret(arn), b"v0:" + timestamp.encode() + b":" + body)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": f"v0={signature}",
        }
        return self._post("/slack/interactions", body, headers)

    def _everything(self) -> Iterable[SlackMessage]:
        for message in self.messages():
            yield message
            yield from message.replies

    # --- Faults -----------------------------------------------------------------------------------------------------------

    def services(self) -> tuple[str, ...]:
        """The services that can have faults: the stand-ins that run, and AWS."""
        return (*sorted(self._addresses()), AWS)

    def faults(self, service: str) -> list[dict[str, Any]]:
        """The faults of a service that are on (docs/reference/local-cloud.md)."""
        return list(self._control(service, "GET", "faults")["faults"])

    def add_fault(self, service: str, fault: Any) -> None:
        """Switch a fault on.

        Raises:
            InvalidInputError: the service refuses it; the text has its reason.
        """
        self._control(service, "POST", "faults", fault)

    def clear_faults(self, service: str) -> None:
        """Switch all faults of a service off."""
        self._control(service, "DELETE", "faults")

    # --- Addresses and requests -------------------------------------------------------------------------------------------

    @property
    def http_url(self) -> str:
        """The URL of the HTTP API."""
        return self._deployed.output("http_api_url").rstrip("/")

    def _addresses(self) -> dict[str, str]:
        if self._standins is None:
            self._standins = dict(_json(_send("GET", f"{self._aws_url}/_local/ready"))["standins"])
        return self._standins

    def _control(self, service: str, method: str, name: str, body: Any = None) -> dict[str, Any]:
        if service != AWS and service not in self._addresses():
            raise errors.NotFoundError(f"there is no stand-in for {service[:40]!a} in this local cloud")
        base = f"{self._aws_url}/_local" if service == AWS else f"{self._addresses()[service]}/_standin"
        return _json(_send(method, f"{base}/{name}", b"" if body is None else json.dumps(body).encode()))

    def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        return _send("POST", f"{self.http_url}{path}", body, {"Content-Type": "application/json", **headers})

    def _signature(self, body: bytes, *, jira: bool) -> str:
        environment = self._deployed.environment("webhooks", WebhooksEnvironment)
        arn = environment.jira_webhook_secret_arn if jira else environment.commit_webhook_secret_arn
        return f"sha256={_hmac(self._secret(arn), body)}"

    def _secret(self, arn: str) -> str:
        return Secret(self._deployed.client("secretsmanager"), arn).current()


def _send(method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
    try:
        response = requests.request(method, url, data=body, headers=dict(headers or {}), timeout=TIMEOUT_SECONDS)
    except requests.RequestException as error:
        raise errors.UnavailableError(f"the local cloud can't be reached: {type(error).__name__}") from None
    return Answer(response.status_code, response.text)


def _json(answer: Answer) -> dict[str, Any]:
    found = answer.json()
    if answer.status >= 400 or not isinstance(found, dict):
        reason = found.get("error") if isinstance(found, dict) else None
        raise errors.InvalidInputError(str(reason or f"the local cloud answered {answer.status}"))
    return found


def _sent(answer: Answer, identifier: str) -> Sent:
    return Sent(answer, identifier if answer.status < 400 else "")


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _hmac(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, "sha256").hexdigest()


def _message(each: Mapping[str, Any], names: Mapping[str, str], replies: tuple[SlackMessage, ...] = ()) -> SlackMessage:
    return SlackMessage(
        channel=each["channel"],
        channel_name=names.get(each["channel"], each["channel"]),
        ts=each["ts"],
        kind=each["kind"],
        content={"text": each.get("text", ""), "blocks": each.get("blocks") or []},
        replies=replies,
    )


def _blocks(content: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return (block for block in content["blocks"] if isinstance(block, Mapping))


def _items(block: Mapping[str, Any], name: str) -> Iterable[Mapping[str, Any]]:
    return (item for item in block.get(name) or () if isinstance(item, Mapping))


def _state(blocks: Iterable[Mapping[str, Any]], entered: Mapping[str, str]) -> Iterable[tuple[str, dict[str, Any]]]:
    """The inputs of a message as Slack sends them with a click."""
    for block in blocks:
        name, element = str(block.get("block_id", "")), block.get("element") or {}
        if block.get("type") != "input" or not isinstance(element, Mapping):
            continue
        given, kind = entered.get(name, ""), element.get("type")
        value: dict[str, Any] = {"type": kind}
        if kind == "static_select":
            value["selected_option"] = {"value": given} if given else None
        else:
            value["value"] = given or None
        yield name, {str(element.get("action_id", "")): value}

"""Requests to the HTTP API of a running local cloud, with any content and signed as each route requires; and what no answer
and no log line may show.
"""

import dataclasses
import re
import time
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from requests import PreparedRequest
from requests.auth import AuthBase

from tests.support.cloud import Cloud
from tests.support.web.events import sign, slack_signature

PERSON = "rosa.field@planted.example"
"""An address that the tests put wherever they can. It is in no log line and in no answer."""

SECRETS = {
    "eventWebhookSecret": "planted-9c1f-events",
    "jiraWebhookSecret": "planted-9c1f-jira",
    "jiraAutomationToken": "planted-9c1f-automation",
    "commitWebhookSecret": "planted-9c1f-commits",
    "slackSigningSecret": "planted-9c1f-slack",
    "slackBotToken": "xoxb-planted-9c1f",
    "jiraApiToken": "planted-9c1f-token",
    "govukNotifyApiKey": "planted-9c1f-26785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f122b0",
}
"""The secrets of the local cloud that is knocked at, by config key."""

SLACK_WEBHOOK_PATH = "/services/T0001/B0001/planted9c1fwebhook"
TEAMS_WEBHOOK_PATH = f"/workflows/{'7e' * 16}/triggers/manual/paths/invoke?api-version=1&sv=1.0&sig=planted9c1fteams"
"""The secret parts of two secrets more, ``slackWebhookUrl`` and ``teamsWebhookUrl``: the address of each server is known only
when it runs."""
_PLANTED = (
    *SECRETS.values(),
    SLACK_WEBHOOK_PATH.rpartition("/")[2],
    TEAMS_WEBHOOK_PATH.rpartition("=")[2],
    SECRETS["govukNotifyApiKey"][-36:],
)

_WEBHOOKS = {
    "/events": "eventWebhookSecret",
    "/webhooks/jira": "jiraWebhookSecret",
    "/webhooks/commits": "commitWebhookSecret",
}
_HEX_64 = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_TRACES = ("Traceback (most recent call last)", 'File "/', "stackTrace", '.py"', "site-packages")


@dataclasses.dataclass(slots=True)
class Signer(AuthBase):
    """Signs what is about to be sent: AWS Signature Version 4, an HMAC, or Slack's, as the path wants it.

    ``sent`` holds every signature that it made.
    """

    cloud: Cloud
    sent: set[str] = dataclasses.field(default_factory=set)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign in place (``requests`` calls it last)."""
        path = urlsplit(request.url or "").path
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        if path in _WEBHOOKS:
            digest = sign(SECRETS[_WEBHOOKS[path]], body)
            request.headers["X-Hub-Signature-256"] = f"sha256={digest}"
            request.headers.pop("X-Hub-Signature", None)
        elif path == "/slack/interactions":
            signed = slack_signature(SECRETS["slackSigningSecret"], body, str(int(time.time())))
            request.headers.update(signed)
            digest = signed["X-Slack-Signature"].removeprefix("v0=")
        else:
            digest = self._sign_for_aws(request, body)
        self.sent.add(digest)
        return request

    def _sign_for_aws(self, request: PreparedRequest, body: bytes) -> str:
        address, mark, query = (request.url or "").partition("?")
        request.url = address + mark + query.replace("+", "%20")  # the one way to write a blank that signatures know
        signed = AWSRequest(request.method, request.url, data=body)
        SigV4Auth(Credentials("test", "test"), "execute-api", self.cloud.region).add_auth(signed)
        for name in ("Authorization", "X-Amz-Date"):
            request.headers[name] = signed.headers[name]
        return str(signed.headers["Authorization"]).rsplit("=", 1)[1]


def leaks(text: str, signatures: set[str]) -> list[str]:
    """The lines of ``text`` that show what they must not: the planted address and secrets, or one of ``signatures``."""
    planted = (PERSON, PERSON.replace("@", "%40"), *_PLANTED)
    return [
        line
        for line in text.splitlines()
        if any(word in line for word in planted) or signatures.intersection(_HEX_64.findall(line))
    ]


def traces(text: str) -> list[str]:
    """What ``text`` shows of our code's insides."""
    return [word for word in _TRACES if word in text]


def all_logs(cloud: Cloud) -> str:
    """Everything in every log group of ``cloud``, and what it has said on standard error."""
    logs = cloud.client("logs")
    groups = [
        group["logGroupName"] for page in logs.get_paginator("describe_log_groups").paginate() for group in page["logGroups"]
    ]
    pages = (page for group in groups for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group))
    return "\n".join([*(event["message"] for page in pages for event in page["events"]), *cloud.errors])


def defects(logs: str) -> list[str]:
    """The lines of ``logs`` in which a function logs an unknown failure, or a server prints one."""
    return [line for line in logs.splitlines() if '"exception":' in line or line.startswith("Traceback")]

"""What all channels have in common, each against its stand-in over HTTP: statuses, no answer, rotated secrets, quiet errors."""

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

from lib.notifications.channels import govuk_notify, teams
from lib.notifications.channels.base import Channel
from lib.notifications.channels.slack import SlackBot, SlackWebhook
from lib.platform import errors
from lib.platform.secrets import Secret
from lib.slack import client as slack
from stack.local.standins.base import StandIn
from stack.local.standins.govuk_notify import GovukNotify
from stack.local.standins.slack import Slack
from stack.local.standins.teams import SIGNATURE, WEBHOOK_PATH, Teams
from tests.support.aws.secrets import SecretsManager
from tests.support.leases.builders import USER_EMAIL
from tests.support.leases.messages import message
from tests.support.stopwatch import Stopwatch
from tests.support.web.standins import Served, served

TOKEN = "xoxb-000000000000-secret"
HOOK = "/services/T0AAAAAAA/B0BBBBBBB/cccccccccccccccccccccccc"
SERVICE, KEY = "11111111-2222-4333-8444-555555555555", "66666666-7777-4888-8999-000000000000"

Meanings = dict[int, type[Exception]]

EVERY_STATUS: Meanings = {
    400: errors.PermanentError,
    429: errors.ThrottledError,
    500: errors.ConnectionLostError,
    502: errors.ConnectionLostError,
    503: errors.UnavailableError,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A channel: its stand-in, the path of its requests, its secret at a URL, and the channel with a secret."""

    standin: Callable[[], StandIn]
    path: str
    module: ModuleType
    secret: Callable[[str], str]
    make: Callable[[Secret, str], Channel]
    hidden: str
    faults: tuple[dict[str, Any], ...]
    meanings: Meanings = field(default_factory=dict)

    def at(self, url: str) -> Channel:
        return self.make(Secret(SecretsManager(self.secret(url)), "arn"), url)


def slack_site() -> Slack:
    return Slack(tokens={TOKEN}, channels={"leases"}, webhooks={HOOK.removeprefix("/services/")})


KINDS = {
    "slack bot": Kind(
        standin=slack_site,
        path="/api/chat.postMessage",
        module=slack,
        secret=lambda _: TOKEN,
        make=lambda secret, url: SlackBot(slack.SlackClient(f"{url}/api/", secret), "#leases"),
        hidden=TOKEN,
        faults=({"error": "invalid_auth"}, {"status": 200, "body": "[]"}),
        meanings={403: errors.PermanentError},
    ),
    "slack webhook": Kind(
        standin=slack_site,
        path=HOOK,
        module=slack,
        secret=lambda url: url + HOOK,
        make=lambda secret, _: SlackWebhook(slack.IncomingWebhook(secret)),
        hidden=HOOK,
        faults=({"error": "no_service"}, {"status": 200, "body": "[]"}),
        meanings={403: errors.PermanentError},
    ),
    "teams": Kind(
        standin=lambda: Teams(SIGNATURE),
        path=WEBHOOK_PATH.partition("?")[0],
        module=teams,
        secret=lambda url: url + WEBHOOK_PATH,
        make=lambda secret, _: teams.TeamsWebhook(secret),
        hidden=SIGNATURE,
        faults=({"error": "AuthorizationFailed"}, {"status": 302, "headers": {"Location": "/x"}}),
        meanings={302: errors.PermanentError, 404: errors.CredentialRefusedError},
    ),
    "govuk_notify": Kind(
        standin=lambda: GovukNotify(f"switchboard-{SERVICE}-{KEY}"),
        path="/v2/notifications/email",
        module=govuk_notify,
        secret=lambda _: f"switchboard-{SERVICE}-{KEY}",
        make=lambda secret, url: govuk_notify.GovukNotify(secret, "9d751e0e-f929-4891-82a1-a3e1c3c18ee3", url),
        hidden=KEY,
        faults=({"error": "AuthError"}, {"error": "BadRequestError"}),
        meanings={401: errors.CredentialRefusedError, 403: errors.CredentialRefusedError, 404: errors.PermanentError},
    ),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def sent(standin: Served[Any]) -> int:
    app = standin.app
    return len(app.notifications if isinstance(app, GovukNotify) else app.messages)


def failure(channel: Channel) -> errors.SwitchboardError:
    with pytest.raises(errors.SwitchboardError) as raised:
        channel.send(message())
    return raised.value


def test_each_http_status_has_its_meaning(kind: Kind) -> None:
    with served(kind.standin()) as standin:
        for status, meaning in (EVERY_STATUS | kind.meanings).items():
            standin.fail(kind.path, status=status, body="<html>something else</html>", headers={"Location": standin.url})
            error = failure(kind.at(standin.url))
            assert (type(error), f"HTTP {status}" in str(error)) == (meaning, True), status


@pytest.mark.parametrize(
    ("fault", "meaning"),
    [({"reset": True}, errors.ConnectionLostError), ({"hang": 60, "status": 504}, errors.DeadlineExceededError)],
    ids=["reset", "hang"],
)
@pytest.mark.parametrize("after", [False, True])
def test_no_answer_is_ambiguous_and_not_tried_again(
    kind: Kind, fault: dict[str, Any], meaning: type[Exception], after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind.module, "TIMEOUT_SECONDS", 1)
    with served(kind.standin()) as standin:
        standin.fail(kind.path, after=after, **fault)
        assert type(failure(kind.at(standin.url))) is meaning
        assert sent(standin) == after


def test_a_refused_connection_is_unavailable_and_nothing_was_sent(kind: Kind) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert isinstance(failure(kind.at(f"http://127.0.0.1:{unused.getsockname()[1]}")), errors.UnavailableError)


@pytest.mark.parametrize("name", ["slack webhook", "teams"])
def test_an_invalid_address_is_not_in_its_error(name: str) -> None:
    for url in ("not a url", "ftp://127.0.0.1/x", "http://", "http://127.0.0.1:1/a b\x00", "file:///etc/passwd", "https://[x"):
        error = failure(KINDS[name].make(Secret(SecretsManager(url), "arn"), ""))
        assert isinstance(error, errors.PermanentError | errors.UnavailableError)
        assert url not in str(error)


def test_a_secret_rotated_since_it_was_read_is_read_again(kind: Kind) -> None:
    with served(kind.standin()) as standin:
        current = kind.secret(standin.url)
        manager, stopwatch = SecretsManager(current.replace(kind.hidden, kind.hidden[:-1] + "x")), Stopwatch()
        secret = Secret(manager, "arn", stopwatch)
        secret.current()
        manager.rotate(current)
        stopwatch.seconds += 31

        kind.make(secret, standin.url).send(message())
        assert sent(standin) == 1


def test_no_error_or_output_contains_a_secret_or_the_recipient(
    kind: Kind, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    caplog.set_level("WARNING", "urllib3")
    with served(kind.standin()) as standin:
        faults: list[dict[str, Any]] = [{"reset": True}, {"status": 500}, *kind.faults]
        for fault in faults:
            standin.fail(kind.path, **fault)
            with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever it is
                kind.at(standin.url).send(message())
            shown = f"{raised.value!r} {raised.value}" + "".join(capfd.readouterr()) + caplog.text
            assert kind.hidden not in shown
            assert kind.path not in shown or kind.path not in kind.secret("")
            assert USER_EMAIL not in shown
    loggers = {record.name for record in caplog.records}
    assert not any("slack" in name or "notifications" in name for name in loggers), "the client logs what it sends and gets"

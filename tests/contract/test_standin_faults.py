"""Faults of a stand-in: injected before or after the request takes effect; malformed ones are refused."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from stack.local.standins.slack import Slack
from tests.support.web.standins import Served, served

HOOK = "/services/T1/B1/x"


@pytest.fixture
def standin() -> Iterator[Served[Slack]]:
    with served(Slack()) as standin:
        yield standin


def post(standin: Served[Slack], timeout: float = 5) -> requests.Response:
    return requests.post(standin.url + HOOK, json={"text": "x"}, timeout=timeout)


def inject(standin: Served[Slack], *faults: dict[str, Any]) -> requests.Response:
    return requests.post(f"{standin.url}/_standin/faults", json=list(faults), timeout=5)


def test_a_fault_affects_as_many_requests_as_it_says(standin: Served[Slack]) -> None:
    assert inject(standin, {"path": HOOK, "status": 503, "times": 2}).json() == {"ok": True}
    assert [post(standin).status_code for _ in range(3)] == [503, 503, 200]


def test_a_fault_can_let_requests_pass_before_it_begins(standin: Served[Slack]) -> None:
    inject(standin, {"path": HOOK, "status": 503, "skip": 2, "times": 2})
    assert [post(standin).status_code for _ in range(5)] == [200, 200, 503, 503, 200]


def test_faults_apply_in_order(standin: Served[Slack]) -> None:
    inject(standin, {"path": HOOK, "status": 500}, {"path": "/services/*", "status": 429, "headers": {"Retry-After": "7"}})
    first, second, third = post(standin), post(standin), post(standin)
    assert (first.status_code, second.status_code, third.status_code) == (500, 429, 200)
    assert second.headers["Retry-After"] == "7"


def test_a_fault_leaves_other_paths_and_methods_alone(standin: Served[Slack]) -> None:
    inject(standin, {"path": "/api/*", "status": 500}, {"path": HOOK, "method": "GET", "status": 500})
    assert post(standin).status_code == 200
    assert requests.get(standin.url + HOOK, timeout=5).status_code == 500


@pytest.mark.parametrize("after", [False, True])
def test_a_fault_comes_before_or_after_the_effect(standin: Served[Slack], after: bool) -> None:
    inject(standin, {"path": HOOK, "status": 500, "after": after})
    assert post(standin).status_code == 500
    assert len(standin.app.messages) == after


@pytest.mark.parametrize("after", [False, True])
def test_a_reset_breaks_the_connection(standin: Served[Slack], after: bool) -> None:
    inject(standin, {"path": HOOK, "reset": True, "after": after})
    with pytest.raises(requests.ConnectionError, match=r"reset|aborted"):
        post(standin)
    assert len(standin.app.messages) == after
    assert post(standin).status_code == 200


def test_a_reset_prints_no_stack_trace(standin: Served[Slack], capfd: pytest.CaptureFixture[str]) -> None:
    inject(standin, {"path": HOOK, "reset": True})
    with pytest.raises(requests.ConnectionError):
        post(standin)

    assert post(standin).status_code == 200
    assert capfd.readouterr().err == ""


def test_a_hang_keeps_the_caller_waiting_and_others_are_served(standin: Served[Slack]) -> None:
    inject(standin, {"path": HOOK, "hang": 60})
    with pytest.raises(requests.ReadTimeout):
        post(standin, timeout=0.2)
    assert post(standin).status_code == 200


def test_an_error_is_the_apis_own(standin: Served[Slack]) -> None:
    inject(standin, {"path": HOOK, "error": "channel_is_archived"}, {"path": "/api/chat.update", "error": "msg_too_long"})
    refused = post(standin)
    assert (refused.status_code, refused.text) == (410, "channel_is_archived")
    assert requests.post(f"{standin.url}/api/chat.update", timeout=5).json() == {"ok": False, "error": "msg_too_long"}


@pytest.mark.parametrize("way", [("DELETE", "faults"), ("POST", "reset")])
def test_faults_can_be_removed(standin: Served[Slack], way: tuple[str, str]) -> None:
    inject(standin, {"path": HOOK, "status": 500, "times": 100})
    requests.request(way[0], f"{standin.url}/_standin/{way[1]}", timeout=5)
    assert post(standin).status_code == 200


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("nonsense", "the body is not JSON"),
        ("{}", 'must be an object with at least "path"'),
        ('{"path": "/x", "sttaus": 500}', "no field 'sttaus'"),
        ('{"path": "/x", "status": "500"}', "status must be a whole number"),
        ('{"path": "/x", "times": true}', "times must be a whole number"),
        ('{"path": "/x", "times": -1}', "times must be from 1 to 1,000,000"),
        ('{"path": "/x", "status": 9999}', "status must be from 200 to 599"),
        ('{"path": "/x", "hang": NaN}', "hang must be from 0 to 3,600"),
        ('{"path": "/x", "body": {"ok": true}}', "body must be a text"),
    ],
)
def test_a_malformed_fault_is_refused(standin: Served[Slack], body: str, says: str) -> None:
    answer = requests.post(f"{standin.url}/_standin/faults", data=body, timeout=5)
    assert answer.status_code == 400
    assert says in answer.json()["error"]


def test_an_unknown_control_is_not_found(standin: Served[Slack]) -> None:
    assert requests.get(f"{standin.url}/_standin/nothing", timeout=5).status_code == 404

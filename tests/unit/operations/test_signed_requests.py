"""Signed requests whose answer is lost."""

import pytest

from lib.operations.signed_requests import send_signed
from lib.platform import errors
from tests.support.dynamodb.servers import refusing, resetting


def test_a_request_on_a_connection_that_broke_may_have_been_served(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-west-2")
    with resetting() as url, pytest.raises(errors.AmbiguousError):
        send_signed("POST", url, b"{}")
    with refusing() as url, pytest.raises(errors.UnavailableError):
        send_signed("POST", url, b"{}")

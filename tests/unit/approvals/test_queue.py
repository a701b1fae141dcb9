"""A message goes into the queue as JSON, held back as long as asked."""

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from lib.approvals import messages
from lib.approvals.messages import CreateIssue
from lib.approvals.queue import Queue
from lib.platform import errors

MESSAGE = CreateIssue(session_id="s", draft_hash="a" * 64)


class Client:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.sent: list[dict] = []

    def send_message(self, **request) -> None:
        self.sent.append(request)
        if self.error is not None:
            raise self.error


def test_a_message_is_sent_once_with_its_delay() -> None:
    client = Client()
    Queue(client, "https://queue")(MESSAGE, 60)
    ((request),) = client.sent
    assert (request["QueueUrl"], request["DelaySeconds"]) == ("https://queue", 60)
    assert messages.decode(request["MessageBody"]) == MESSAGE


@pytest.mark.parametrize(
    ("error", "means"),
    [
        (ReadTimeoutError(endpoint_url="https://queue"), errors.AmbiguousError),
        (ClientError({"Error": {"Code": "AccessDenied"}}, "SendMessage"), errors.AccessDeniedError),
        (ClientError({"Error": {"Code": "RequestThrottled"}}, "SendMessage"), errors.ThrottledError),
    ],
)
def test_a_queue_that_fails_is_an_error_of_ours(error, means) -> None:
    with pytest.raises(means):
        Queue(Client(error), "https://queue")(MESSAGE, 0)

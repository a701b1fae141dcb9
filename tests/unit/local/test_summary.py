"""The summary that the local cloud prints when it is ready."""

from stack.local.cloud import Ready
from stack.local.summary import summary

READY = Ready("http://127.0.0.1:38080", "http://127.0.0.1:34566", "us-west-2", {"functions": {"health": "a", "imports": "b"}})


def test_it_has_the_urls_the_key_and_what_to_try_in_80_columns() -> None:
    text = summary(READY, schedules=False)

    assert text.splitlines() == [
        "HTTP API   http://127.0.0.1:38080",
        "AWS API    http://127.0.0.1:34566 in us-west-2; access key and secret: test",
        "Functions  2 functions, which run when called (--schedules runs them too)",
        "Try next:",
        "  curl http://127.0.0.1:38080/health",
        "  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test",
        "  aws --endpoint-url http://127.0.0.1:34566 --region us-west-2 sqs list-queues",
        "Ready. Press Ctrl-C to stop.",
    ]
    assert max(map(len, text.splitlines())) <= 80


def test_it_says_that_schedules_run() -> None:
    assert "2 functions, which run on their schedules\n" in summary(READY, schedules=True)

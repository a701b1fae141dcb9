"""A function's mailbox: an invocation that no process got goes to the next one; one that a dead process had fails."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from stack.local.runtime_api import Invocation, Mailbox


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@contextmanager
def delivered(mailbox: Mailbox, sent: Invocation, seconds: float = 30) -> Iterator[list[bool]]:
    """An invocation that is delivered meanwhile; afterwards, whether within the limits."""
    in_time: list[bool] = []
    caller = threading.Thread(target=lambda: in_time.append(mailbox.deliver(sent, seconds, seconds)))
    caller.start()
    yield in_time
    caller.join(5)
    assert not caller.is_alive(), "the caller waits for ever"


def lives() -> bool:
    return False


def dies() -> bool:
    return True


def error_of(invocation: Invocation) -> dict[str, str]:
    assert invocation.result is not None
    assert invocation.result.error == "Unhandled"
    error: dict[str, str] = json.loads(invocation.result.payload)
    return error


def test_an_answer_is_the_result(mailbox: Mailbox) -> None:
    sent = Invocation(b"{}")
    with delivered(mailbox, sent) as in_time:
        assert mailbox.take(lives) == (sent, 30)
        assert not mailbox.answer("another", b"{}")
        assert mailbox.answer(sent.request_id, b'"fine"')

    assert in_time == [True]
    assert sent.result is not None
    assert sent.result.payload == b'"fine"'


def test_an_invocation_of_a_dead_process_is_for_the_next_one(mailbox: Mailbox) -> None:
    """The process was killed, and nobody has noticed yet."""
    sent = Invocation(b"{}")
    with delivered(mailbox, sent) as in_time:
        assert mailbox.take(dies) is None
        assert mailbox.end("Runtime.ExitError", "it is noticed now") is None, "nothing was under way"

    assert in_time == [True]
    assert sent.result is None


def test_the_invocation_of_a_process_that_dies_fails(mailbox: Mailbox) -> None:
    sent = Invocation(b"{}")
    with delivered(mailbox, sent):
        assert mailbox.take(lives) is not None
        assert mailbox.end("Runtime.ExitError", "Runtime exited with exit status -9") is sent

    assert error_of(sent)["errorType"] == "Runtime.ExitError"


@pytest.mark.parametrize("late", [False, True], ids=["while it waits", "before it is sent"])
def test_an_invocation_fails_with_the_error_of_the_import(mailbox: Mailbox, late: bool) -> None:
    def fail() -> None:
        mailbox.fail_init({"errorType": "Runtime.ImportModuleError", "errorMessage": "no cobol"})
        mailbox.end("Runtime.ExitError", "Runtime exited with exit status 1")

    sent = Invocation(b"{}")
    if late:
        fail()
    with delivered(mailbox, sent):
        if not late:
            fail()

    assert error_of(sent)["errorMessage"] == "no cobol"


def test_a_limit_that_passes_is_reported(mailbox: Mailbox) -> None:
    sent = Invocation(b"{}")
    with delivered(mailbox, sent, seconds=0.01) as in_time:
        mailbox.take(lives)

    assert in_time == [False]
    assert sent.result is None

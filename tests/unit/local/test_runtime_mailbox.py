"""A function's mailbox: what comes for a process that is dead is the next one's."""

import threading

from stack.local.runtime_api import Invocation, Mailbox


def test_what_comes_for_a_process_that_died_while_it_waited_goes_to_the_next() -> None:
    alive = True
    mailbox = Mailbox(30, "an-arn", lambda: alive)
    taken: list[Invocation | None] = []
    waiting = threading.Thread(target=lambda: taken.append(mailbox.take()))
    waiting.start()
    alive = False  # killed, and nobody has noticed yet

    sent = Invocation(b"{}")
    mailbox.put(sent)
    waiting.join(5)
    assert taken == [None]

    alive = True
    assert mailbox.replace("it is noticed now") is None, "nothing was under way"
    assert mailbox.take() is sent


def test_what_a_process_was_at_when_it_died_has_failed() -> None:
    mailbox = Mailbox(30, "an-arn")
    sent = Invocation(b"{}")
    mailbox.put(sent)
    assert mailbox.take() is sent

    assert mailbox.replace("Runtime exited with exit status -9") is sent
    assert b"Runtime.ExitError" in sent.wait().payload


def test_a_process_has_served_once_it_has_answered_and_its_successor_has_not() -> None:
    mailbox = Mailbox(30, "an-arn")
    sent = Invocation(b"{}")
    mailbox.put(sent)
    assert mailbox.take() is sent
    assert not mailbox.has_served

    assert mailbox.answer(sent.request_id, b"{}")
    assert mailbox.has_served

    mailbox.replace("Runtime exited with exit status -9")
    assert not mailbox.has_served

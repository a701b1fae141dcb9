"""A function's mailbox: the next process gets the invocations of a dead one."""

import threading

from stack.local.runtime_api import Invocation, Mailbox


def test_an_invocation_of_a_dead_process_goes_to_the_next_one() -> None:
    dead = threading.Event()
    mailbox = Mailbox(30, lambda: not dead.is_set())
    taken: list[Invocation | None] = []
    waiting = threading.Thread(target=lambda: taken.append(mailbox.take()))
    waiting.start()
    dead.set()  # killed, and nobody has noticed yet

    sent = Invocation(b"{}")
    mailbox.put(sent)
    waiting.join(5)
    assert taken == [None]

    dead.clear()
    assert mailbox.replace("it is noticed now") is None, "nothing was under way"
    assert mailbox.take() is sent


def test_the_invocation_of_a_process_that_dies_fails() -> None:
    mailbox = Mailbox(30)
    sent = Invocation(b"{}")
    mailbox.put(sent)
    assert mailbox.take() is sent

    assert mailbox.replace("Runtime exited with exit status -9") is sent
    assert b"Runtime.ExitError" in sent.wait().payload


def test_a_process_has_served_once_it_has_answered() -> None:
    mailbox = Mailbox(30)
    sent = Invocation(b"{}")
    mailbox.put(sent)
    assert mailbox.take() is sent
    before = mailbox.has_served

    assert mailbox.answer(sent.request_id, b"{}")
    assert (before, mailbox.has_served) == (False, True)

    mailbox.replace("Runtime exited with exit status -9")
    assert not mailbox.has_served

"""The circuit breaker: opens after three failures in a row, and lets one probe through a minute."""

import threading

from lib.leases.circuit_breaker import Breaker
from tests.support.stopwatch import Stopwatch


def opened(time: Stopwatch) -> Breaker:
    breaker = Breaker(time)
    for _ in range(3):
        breaker.failed()
    return breaker


def test_it_stays_closed_after_two_failures_and_opens_after_three() -> None:
    breaker = Breaker(Stopwatch())

    breaker.failed()
    breaker.failed()
    assert breaker.allows()

    breaker.failed()
    assert not breaker.allows()


def test_a_success_between_failures_restarts_the_count() -> None:
    breaker = Breaker(Stopwatch())

    breaker.failed()
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    breaker.failed()

    assert breaker.allows()


def test_an_open_breaker_allows_one_probe_after_a_minute() -> None:
    time = Stopwatch()
    breaker = opened(time)

    time.seconds += 59.9
    assert not breaker.allows()

    time.seconds += 0.1
    assert [breaker.allows() for _ in range(3)] == [True, False, False]


def test_a_probe_that_succeeds_closes_it() -> None:
    time = Stopwatch()
    breaker = opened(time)

    time.seconds += 60
    assert breaker.allows()
    breaker.succeeded()

    assert [breaker.allows() for _ in range(3)] == [True, True, True]
    breaker.failed()
    assert breaker.allows()


def test_a_probe_that_fails_keeps_it_open_for_another_minute() -> None:
    time = Stopwatch()
    breaker = opened(time)

    time.seconds += 60
    assert breaker.allows()
    time.seconds += 2
    breaker.failed()

    time.seconds += 59
    assert not breaker.allows()
    time.seconds += 1
    assert breaker.allows()


def test_a_probe_that_never_reports_does_not_keep_it_open_forever() -> None:
    time = Stopwatch()
    breaker = opened(time)

    time.seconds += 60
    assert breaker.allows()
    time.seconds += 60

    assert breaker.allows()


def test_only_one_of_many_threads_is_the_probe() -> None:
    time = Stopwatch()
    breaker = opened(time)
    time.seconds += 60
    start = threading.Barrier(16)
    allowed = []

    def ask() -> None:
        start.wait()
        allowed.append(breaker.allows())

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(allowed) == [False] * 15 + [True]

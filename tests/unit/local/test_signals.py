"""What a signal does to the local cloud's command, which runs in a process of its own."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LOST = """
import sys, time
from stack.local import __main__ as command
command.STOP_SECONDS = {seconds}
command._Signals("Stopped while starting.")
state = "ready"
while True:
    try:
        print(state, flush=True)
        time.sleep(30)
    except KeyboardInterrupt:
        state = "lost"
"""


@contextlib.contextmanager
def start(seconds: float) -> Iterator[subprocess.Popen[str]]:
    """A program that loses the interrupt and continues."""
    program = LOST.format(seconds=seconds)
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert line_of(process) == "ready"
        yield process
    finally:
        process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_loses_the_interrupt_ends_after_the_stop_time(number: signal.Signals) -> None:
    with start(seconds=0.2) as process:
        process.send_signal(number)
        assert line_of(process) == "lost"

        assert process.wait(timeout=30) == 1


def test_a_second_signal_does_not_disturb_an_orderly_stop() -> None:
    with start(seconds=3600) as process:
        process.send_signal(signal.SIGTERM)
        assert line_of(process) == "lost"

        process.send_signal(signal.SIGTERM)

        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1)

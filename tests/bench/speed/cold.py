"""Cold start to first answer: from the start of the process until the answer is posted to the Runtime API."""

import random
from collections.abc import Callable

from tests.bench.speed.programs import Job, Program
from tests.bench.speed.runtime import Took


def measure(
    programs: list[Program], job: Job, aws_url: str, rounds: int, done: Callable[[], None] = lambda: None
) -> dict[str, list[Took]]:
    """What each program took in each round. In a round every program starts once, in an order of its own."""
    for program in programs:
        _start(program, job, aws_url)  # so that every file has been read once, and nobody pays for the disk
        done()
    took: dict[str, list[Took]] = {program.label: [] for program in programs}
    for _ in range(rounds):
        for program in random.sample(programs, len(programs)):
            took[program.label].append(_start(program, job, aws_url))
            done()
    return took


def _start(program: Program, job: Job, aws_url: str) -> Took:
    process = program.start(aws_url)
    try:
        return process.first_answer(job.event(1))
    finally:
        process.end()

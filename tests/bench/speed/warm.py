"""Processor time and wall time of one event in a process that has handled some before."""

import contextlib
import itertools
import random
from collections.abc import Callable

from tests.bench.speed.programs import Job, Program
from tests.bench.speed.runtime import Took

WARM_UP = 50


def measure(
    programs: list[Program], job: Job, aws_url: str, rounds: int, batch: int, done: Callable[[], None] = lambda: None
) -> dict[str, list[Took]]:
    """What one event took each program, as the mean of a batch, in each round.

    All processes live side by side. In a round every program handles a batch, in an order of its own, while the others wait.
    """
    numbers = itertools.count(1)
    took: dict[str, list[Took]] = {program.label: [] for program in programs}
    with contextlib.ExitStack() as stack:
        processes = {}
        for program in programs:
            processes[program.label] = process = program.start(aws_url)
            stack.callback(process.end)
            for _ in range(WARM_UP):
                process.invoke(job.event(next(numbers)))
        for _ in range(rounds):
            for label in random.sample(list(processes), len(processes)):
                events = [job.event(next(numbers)) for _ in range(batch)]
                results = [processes[label].invoke(event) for event in events]
                took[label].append(
                    Took(
                        wall_ms=sum(one.wall_ms for one in results) / batch,
                        cpu_ms=sum(one.cpu_ms for one in results) / batch,
                        answer=results[-1].answer,
                    )
                )
                done()
    return took

"""A clock that the test moves."""

from dataclasses import dataclass


@dataclass
class Stopwatch:
    """A clock of seconds, which sleeping moves too."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

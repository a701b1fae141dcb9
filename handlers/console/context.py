"""What every page uses: the deployment and the person at the browser."""

import sys
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

import flask

from lib.operations.deployed import Deployment
from lib.operations.flows import FlowReader
from lib.operations.resource_names import resource_names
from lib.platform import aws, clock, log


@dataclass(slots=True)
class Console:
    """One running console.

    Attributes:
        deployed: what it shows.
        allow_writes: whether pages may change anything.
        logger: where changes are logged.
        command: how to start this console, without options, for messages and help.
        now: the clock.
    """

    deployed: Deployment
    allow_writes: bool = False
    logger: log.Logger = field(default_factory=lambda: log.Logger("console", sys.stderr))
    command: str = "python -m handlers.cli console"
    now: clock.Clock = clock.utc_now
    flows: FlowReader = field(init=False)
    _person: str = ""
    _names: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.flows = FlowReader(timedelta(0) if self.is_local else timedelta(minutes=1))

    @property
    def is_local(self) -> bool:
        """Whether it shows a local cloud."""
        return bool(self.deployed.local)

    def person(self) -> str:
        """The ARN of the operator's credentials.

        Raises:
            SwitchboardError: AWS can't identify the credentials.
        """
        with self._lock:
            if not self._person:
                with aws.translated("identify the AWS credentials"):
                    self._person = self.deployed.client("sts").get_caller_identity()["Arn"]
            return self._person

    def names(self) -> dict[str, str]:
        """The variables of the runbooks' commands, with their values.

        Raises:
            SwitchboardError: the queues can't be read.
        """
        with self._lock:
            if not self._names:
                self._names = resource_names(self.deployed)
            return self._names


def current() -> Console:
    """The console that answers the current request."""
    return cast(Console, flask.current_app.extensions["console"])

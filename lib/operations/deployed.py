"""What the readers of a deployment need of it; the command line's ``Deployment`` has all of it."""

import threading
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Protocol, TypeVar

from lib.platform import aws, errors
from lib.platform.environment import Environment

Kind = TypeVar("Kind", bound=Environment)


class Deployed(Protocol):
    """A deployment in AWS or the local cloud, with the operator's own credentials."""

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The stack's outputs."""
        ...

    @property
    def local(self) -> Mapping[str, str]:
        """Not empty for the local cloud."""
        ...

    def output(self, name: str) -> str:
        """An output that is one text. ConfigurationError if it is missing."""
        ...

    def function_name(self, entry_point: str) -> str:
        """The function of an entry point. ConfigurationError if it is missing."""
        ...

    def variables(self) -> dict[str, str]:
        """The names of all resources in the outputs, as environment variables."""
        ...

    def client(self, service: str) -> Any:
        """A new client of an AWS service."""
        ...

    def environment(self, entry_point: str, kind: type[Kind]) -> Kind:
        """The environment of a function."""
        ...


class Clients:
    """One client per service. Creating a client is not thread-safe; using one is."""

    def __init__(self, deployed: Deployed) -> None:
        self._deployed = deployed
        self._made: dict[str, Any] = {}
        self._lock = threading.RLock()

    def __call__(self, service: str) -> Any:
        """The client of ``service``."""
        with self._lock:
            if service not in self._made:
                self._made[service] = self._deployed.client(service)
            return self._made[service]

    def environment(self, entry_point: str, kind: type[Kind]) -> Kind:
        """The environment of a function."""
        with self._lock:
            return self._deployed.environment(entry_point, kind)


def functions_of(deployed: Deployed) -> dict[str, str]:
    """The functions, by entry point."""
    return dict(deployed.outputs.get("functions") or {})


def dead_letter_queues_of(deployed: Deployed) -> Iterator[tuple[str, str]]:
    """Each dead-letter queue with the entry point of its function."""
    for entry_point, names in (deployed.outputs.get("dead_letter_queues") or {}).items():
        for name in names:
            yield entry_point, name


def log_group(function_name: str) -> str:
    """The log group of a function."""
    return f"/aws/lambda/{function_name}"


def logical_name(physical: str) -> str:
    """The name that the program gives a resource, without what Pulumi appends to it: ``jira-work`` of ``jira-work-0a1b2c3``."""
    name, _, suffix = physical.rpartition("-")
    return name if name and len(suffix) == 7 and set(suffix) <= set("0123456789abcdef") else physical


def depths_of(sqs: Any, name: str) -> dict[str, int]:
    """How many messages are visible, hidden and delayed."""
    kinds = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
    with aws.translated(f"count the messages of {name}"):
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(kinds))["Attributes"]
    return {kind: int(attributes.get(kind, 0)) for kind in kinds}


def pages(doing: str, call: Any, *, most: int, token: str = "NextToken", **request: Any) -> Iterator[Mapping[str, Any]]:  # noqa: S107
    """The answers to a paged call, at most ``most`` of them.

    Raises:
        UnavailableError: there are more, or AWS can't be reached.
    """
    for _ in range(most):
        answer = aws.call(doing, partial(call, **request))
        yield answer
        if not answer.get(token):
            return
        request[token] = answer[token]
    raise errors.UnavailableError(f"could not {doing} to its end: it is longer than can be read at once")

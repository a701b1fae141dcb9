"""A deployment: its outputs, its functions with their environments, its queues, and the clients to read it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

from lib.platform import aws, errors
from lib.platform.contract import ALARM_TOPIC_OUTPUTS, live
from lib.platform.environment import Environment

Kind = TypeVar("Kind", bound=Environment)

OUTPUTS = (
    *("http_api_url", "event_bus_name", "lease_table_name", "lease_table_arn", "jira_issues_table_name"),
    *("jira_issues_table_arn", "jira_operations_table_name", "jira_operations_table_arn", "shuttle_table_name"),
    *("shuttle_table_arn", "artifact_bucket_name", "import_bucket_name", "notification_topic_arn", "dashboard_url"),
    *ALARM_TOPIC_OUTPUTS,
)
"""The outputs that are one text each. Their environment variables have the same names, in capitals."""
READ_TIMEOUT_SECONDS = 10.0
CONNECT_TIMEOUT_SECONDS = 5.0


def make_client(service: str, *, read_timeout_seconds: float = READ_TIMEOUT_SECONDS) -> Any:
    """A new client of an AWS service, with the timeouts of a person's computer."""
    return aws.make_client(service, read_timeout_seconds=read_timeout_seconds, connect_timeout_seconds=CONNECT_TIMEOUT_SECONDS)


@dataclass(slots=True)
class Deployment:
    """A deployment in AWS or the local cloud, with the operator's own credentials.

    Attributes:
        outputs: the stack's.
        source: where the outputs come from, for error messages.
        local: the environment variables with which the AWS SDK reaches the local cloud; empty on AWS.
        client: the client of an AWS service, the same one for each call, from any thread.
    """

    outputs: Mapping[str, Any]
    source: str
    local: Mapping[str, str] = field(default_factory=dict)
    client: Callable[[str], Any] = field(default_factory=lambda: aws.Clients(make_client))

    @property
    def functions(self) -> dict[str, str]:
        """The Lambda functions, by entry point.

        Raises:
            ConfigurationError: the output has another form.
        """
        return self._by_entry_point("functions", lambda name: isinstance(name, str))

    def output(self, name: str) -> str:
        """An output that is one text.

        Raises:
            ConfigurationError: it is missing.
        """
        return self._named(name, self.outputs)

    def function_name(self, entry_point: str) -> str:
        """The Lambda function of an entry point.

        Raises:
            ConfigurationError: the deployment has none.
        """
        return self._named(entry_point, self.functions, "functions.")

    def dead_letter_queues(self, entry_point: str | None = None) -> list[tuple[str, str]]:
        """Each dead-letter queue with the entry point of its function: those of one entry point, or all.

        Raises:
            ConfigurationError: the entry point has none, or the output has another form.
        """
        named = self._by_entry_point(
            "dead_letter_queues", lambda names: isinstance(names, list) and all(isinstance(name, str) for name in names)
        )
        queues = [(each, name) for each, names in named.items() for name in names]
        found = [queue for queue in queues if entry_point in (None, queue[0])]
        if entry_point and not found:
            known = ", ".join(sorted({each for each, _ in queues})) or "none"
            raise errors.ConfigurationError(
                f"{entry_point} has no dead-letter queue in {self.source}; functions that have one: {known}"
            )
        return found

    def some_dead_letter_queues(self, entry_point: str | None = None) -> list[tuple[str, str]]:
        """Like :meth:`dead_letter_queues`, for a reader that must not take missing outputs for empty queues.

        Raises:
            ConfigurationError: there are none, or the output has another form.
        """
        found = self.dead_letter_queues(entry_point)
        if not found:
            raise errors.ConfigurationError(f"dead_letter_queues is missing from {self.source}")
        return found

    def variables(self) -> dict[str, str]:
        """The names of all resources in the outputs, as the environment variables that select this deployment."""
        found = {name.upper(): self.outputs.get(name) for name in OUTPUTS}
        for entry_point, function in self.functions.items():
            found[f"{entry_point.upper()}_FUNCTION_NAME"] = function
        for entry_point, queues in groupby(self.dead_letter_queues(), itemgetter(0)):
            found[f"{entry_point.upper()}_DEAD_LETTER_QUEUES"] = ",".join(name for _, name in queues)
        return {name: value for name, value in found.items() if isinstance(value, str) and value}

    def environment(self, entry_point: str, kind: type[Kind]) -> Kind:
        """The environment of a function, read from its live version, so that a command uses the same resources.

        Raises:
            SwitchboardError: the function can't be read, or its environment is not what this version expects.
        """
        name = self.function_name(entry_point)
        client = self.client("lambda")
        with aws.translated(f"read the configuration of {name}"):
            answer = client.get_function_configuration(FunctionName=live(name))
        return kind.read(answer.get("Environment", {}).get("Variables", {}))

    def _by_entry_point(self, name: str, is_valid: Callable[[Any], bool]) -> dict[str, Any]:
        value = self.outputs.get(name) or {}
        if not isinstance(value, Mapping) or not all(map(is_valid, value.values())):
            raise errors.ConfigurationError(f"{name} in {self.source} does not have the form of the stack's output")
        return dict(value)

    def _named(self, name: str, values: Mapping[str, Any], prefix: str = "") -> str:
        value = values.get(name)
        if not isinstance(value, str) or not value:
            raise errors.ConfigurationError(f"{prefix}{name} is missing from {self.source}")
        return value


def log_group(function_name: str) -> str:
    """The log group of a function."""
    return f"/aws/lambda/{function_name}"


def logical_name(physical: str) -> str:
    """The name that the program gives a resource, without what Pulumi appends to it: ``jira-work`` of ``jira-work-0a1b2c3``."""
    name, _, suffix = physical.rpartition("-")
    return name if name and len(suffix) == 7 and set(suffix) <= set("0123456789abcdef") else physical


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

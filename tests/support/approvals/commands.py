"""The local cloud of the approvals' tests, as the command line finds it."""

from typing import Any

from lib.platform.environment.approvals import ApprovalsEnvironment
from tests.support.approvals.cloud import ApprovalsCloud


class Deployment:
    """The approvals' local cloud, as the commands find it."""

    def __init__(self, approvals: ApprovalsCloud) -> None:
        self._cloud = approvals.cloud
        self.outputs = approvals.cloud.outputs

    def client(self, service: str) -> Any:
        return self._cloud.client(service)

    def environment(self, entry_point: str, kind: type[ApprovalsEnvironment]) -> ApprovalsEnvironment:
        name = self.outputs["functions"][entry_point]
        variables = self.client("lambda").get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        return kind.read(variables)

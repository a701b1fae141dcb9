"""Calls of the AWS API with a role's rights, as somebody would make them who had got hold of its credentials."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import boto3
from botocore.config import Config

from tests.support.cloud import Cloud


class RoleSession:
    """A session of a role.

    Args:
        cloud: where.
        role_arn: the role.
    """

    def __init__(self, cloud: Cloud, role_arn: str) -> None:
        self.cloud = cloud
        self.role = role_arn.rpartition("/")[2]
        answer = cloud.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="tests")
        self._credentials = answer["Credentials"]

    @classmethod
    def of_function(cls, cloud: Cloud, entry_point: str) -> "RoleSession":
        """A session of the role that a function has."""
        function = cloud.client("lambda").get_function_configuration(FunctionName=cloud.outputs["functions"][entry_point])
        return cls(cloud, function["Role"])

    def client(self, service: str) -> Any:
        """A client with the role's credentials."""
        return boto3.client(
            service,
            endpoint_url=self.cloud.aws_url,
            region_name=self.cloud.region,
            aws_access_key_id=self._credentials["AccessKeyId"],
            aws_secret_access_key=self._credentials["SecretAccessKey"],
            aws_session_token=self._credentials["SessionToken"],
            config=Config(retries={"total_max_attempts": 1}, signature_version="s3v4" if service == "s3" else None),
        )

    @contextlib.contextmanager
    def without(self, action: str) -> Iterator[None]:
        """The role while one action is not granted to it."""
        with self._changed(lambda statement: [each for each in statement["Action"] if each != action]):
            yield

    @contextlib.contextmanager
    def _changed(self, actions: Callable[[dict[str, Any]], list[str]]) -> Iterator[None]:
        iam = self.cloud.client("iam")
        names = iam.list_role_policies(RoleName=self.role)["PolicyNames"]
        before = {name: _document(iam.get_role_policy(RoleName=self.role, PolicyName=name)) for name in names}
        try:
            for name, document in before.items():
                left = [{**each, "Action": actions(each)} for each in document["Statement"] if actions(each)]
                self._put(name, {**document, "Statement": left})
            yield
        finally:
            for name, document in before.items():
                self._put(name, document)

    def _put(self, name: str, document: dict[str, Any]) -> None:
        self.cloud.client("iam").put_role_policy(RoleName=self.role, PolicyName=name, PolicyDocument=json.dumps(document))


def _document(policy: dict[str, Any]) -> dict[str, Any]:
    document = policy["PolicyDocument"]
    return dict(document if isinstance(document, dict) else json.loads(unquote(document)))

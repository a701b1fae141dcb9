"""What the AWS provider sets through the local AWS endpoint comes back as it was set, for every kind of resource.

The provider compares what it reads with the program's inputs: a value that differs is a change in every preview.
``make test-pulumi`` runs the real provider, where it is installed.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.moto_api._internal import moto_api_backend

from stack.local.aws_endpoint import HANDLER, AwsEndpoint
from stack.local.serving import Server
from tests.support.project.pulumi_graph import EVERYTHING, declare

KINDS: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("provider_read_back.yaml").read_text(encoding="utf-8"))


class Provider:
    """Calls the endpoint as the AWS provider does."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._clients: dict[str, Any] = {}
        self._api_id = ""

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self._url,
                region_name="us-west-2",
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(retries={"total_max_attempts": 1}),
            )
        return self._clients[service]

    def call(self, service: str, operation: str, parameters: Mapping[str, Any]) -> Any:
        given = {key: self._api_id if value == "{id}" else value for key, value in parameters.items()}
        if "QueueUrl" in given:
            given["QueueUrl"] = f"{self._url}/123456789012/{given['QueueUrl']}"
        if "Code" in given:
            given["Code"] = {"ZipFile": archive()}
        answer = getattr(self.client(service), operation)(**given)
        self._api_id = answer["ApiId"] if operation == "create_api" else self._api_id
        return answer


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    moto_api_backend.reset()  # moto keeps what another file's tests made in this process
    server = Server(AwsEndpoint(), handler=HANDLER)
    yield Provider(server.url)
    server.close()


def test_what_the_provider_sets_is_what_it_reads_back(provider: Provider) -> None:
    differences = []
    for kind in KINDS:
        [(write, given)] = kind["write"].items()
        [(read, parameters)] = kind["read"].items()
        service, _, operation = write.partition(".")
        expected = {**given, **kind.get("differs", {})}

        provider.call(service, operation, given)
        found = at(provider.call(service, read, parameters), kind.get("at", []))

        returned = {key: value for key, value in expected.items() if value not in (None, "{id}")}
        differences += [f"{kind['type']}{each}" for each in compare(returned, found)]

    assert differences == []


def test_every_kind_of_resource_of_the_program_is_read_back() -> None:
    kinds = {resource.type for resource in declare(*EVERYTHING).resources}

    assert kinds == {kind["type"] for kind in KINDS}


def test_a_function_may_not_call_itself_in_a_chain_by_default(provider: Provider) -> None:
    written = {operation: given for kind in KINDS for operation, given in kind["write"].items()}
    role = provider.call("iam", "create_role", {**written["iam.create_role"], "RoleName": "fresh"})["Role"]["Arn"]
    provider.call("lambda", "create_function", {**written["lambda.create_function"], "FunctionName": "fresh", "Role": role})

    assert provider.client("lambda").get_function_recursion_config(FunctionName="fresh")["RecursiveLoop"] == "Terminate"


@pytest.mark.parametrize("operation", ["get_function_recursion_config", "put_function_recursion_config"])
def test_the_recursion_setting_of_an_unknown_function_is_not_found(provider: Provider, operation: str) -> None:
    value = {"RecursiveLoop": "Allow"} if operation.startswith("put") else {}

    with pytest.raises(ClientError) as refused:
        getattr(provider.client("lambda"), operation)(FunctionName="nobody", **value)

    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def at(answer: Any, path: list[str | int]) -> Any:
    for step in path:
        answer = json.loads(answer) if isinstance(answer, str) else answer
        answer = answer[step]
    return answer


def compare(expected: Any, found: Any, name: str = "") -> Iterator[str]:
    """The differences. The answer may hold more than expected; policies may be written differently, for the provider too."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, value in expected.items():
            yield from compare(value, found.get(key), f"{name}.{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, pair in enumerate(zip(expected, found, strict=True)):
            yield from compare(*pair, f"{name}[{index}]")
    elif name.endswith(".Policy") and found:
        yield from compare(json.loads(expected), json.loads(found), f"{name}(JSON)")
    elif expected != found:
        yield f"{name}: set {expected!r}, read {found!r}"


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as code:
        code.writestr("handlers/worker.py", "")
    return buffer.getvalue()

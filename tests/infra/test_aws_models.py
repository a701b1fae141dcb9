"""The slim models: botocore makes the same requests with them, and reads nothing of the large ones."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.loaders import JSONFileLoader

from lib.platform import aws
from stack.packaging import aws_models

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    archive = tmp_path_factory.mktemp("archive")
    aws_models.write(archive)
    return archive / aws_models.FOLDER


@pytest.fixture
def slim(models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(aws, "MODELS", models)
    aws._session.cache_clear()
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    yield
    aws._session.cache_clear()


def test_the_archive_has_them_where_the_clients_look() -> None:
    assert ROOT / aws_models.FOLDER == aws.MODELS


def test_every_service_with_a_client_has_its_models_in_the_archive() -> None:
    files = [file for top in ("lib", "handlers") for file in (ROOT / top).rglob("*.py") if "commands" not in file.parts]
    made = {
        name for file in files for name in re.findall(r'(?:make|lazy)_client\(\s*"([\w-]+)"', file.read_text(encoding="utf-8"))
    }

    assert made
    assert made <= set(aws_models.SERVICES)


def test_every_operation_of_a_service_is_there_and_no_documentation(models: Path) -> None:
    session = botocore.session.get_session()
    for service in aws_models.SERVICES:
        whole = session.get_service_model(service)
        [slim] = (models / service).glob("*/service-2.json")
        text = slim.read_text(encoding="utf-8")
        assert all(f'"{operation}":' in text for operation in whole.operation_names)
        assert re.search(r'"documentation":"[^"]', text) is None
        assert len(text) < 400_000


def test_a_member_that_is_called_documentation_stays() -> None:
    model = {"documentation": "for people", "members": {"documentation": {"shape": "S"}}, "list": [{"documentation": "too"}]}
    slim = {"documentation": "", "members": {"documentation": {"shape": "S"}}, "list": [{"documentation": ""}]}
    assert aws_models.without_documentation(model) == slim


@pytest.mark.usefixtures("slim")
def test_a_client_of_our_services_opens_the_slim_models_and_nothing_large(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    read = JSONFileLoader._load_file  # type: ignore[attr-defined]  # the stubs leave it out

    def watch(self: JSONFileLoader, path: str, open_method: Any) -> Any:
        value = read(self, path, open_method)
        if value is not None:
            opened.append(Path(path))
        return value

    monkeypatch.setattr(JSONFileLoader, "_load_file", watch)
    for service in aws_models.SERVICES:
        aws.make_client(service)

    assert models / "endpoints.json" in opened
    of_botocore = [path for path in opened if not path.is_relative_to(models)]
    assert all(path.stat().st_size < 20_000 for path in of_botocore), of_botocore
    assert {path.parts[-3] for path in opened if path.stem == "endpoint-rule-set-1"} == {"s3"}


REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("dynamodb", "get_item", {"TableName": "leases", "Key": {"userEmail": {"S": "a"}}}),
    ("dynamodb", "update_item", {"TableName": "t", "Key": {"k": {"S": "a"}}, "UpdateExpression": "REMOVE b"}),
    ("sqs", "send_message", {"QueueUrl": "https://sqs.us-west-2.amazonaws.com/1/q", "MessageBody": "b"}),
    ("sns", "publish", {"TopicArn": "arn:aws:sns:us-west-2:1:t", "Message": "m"}),
    ("secretsmanager", "get_secret_value", {"SecretId": "s"}),
    ("s3", "put_object", {"Bucket": "bucket", "Key": "k", "Body": b"data"}),
    ("lambda", "invoke", {"FunctionName": "f", "InvocationType": "Event"}),
]


class RequestSeenError(Exception):
    """The request was made; it goes no further."""


def request_of(service: str, operation: str, parameters: dict[str, Any]) -> tuple[str, dict[str, str], Any]:
    client = aws.make_client(service)
    seen = []

    def catch(request: Any, **_: Any) -> None:
        headers = {name: value for name, value in request.headers.items() if name in STEADY}
        data = request.data.read() if hasattr(request.data, "read") else request.data
        seen.append((request.url, headers, data))
        raise RequestSeenError

    client.meta.events.register("before-sign", catch)
    with pytest.raises(RequestSeenError):
        getattr(client, operation)(**parameters)
    return seen[0]


STEADY = {"X-Amz-Target", "Content-Type", "X-Amz-Invocation-Type"}


@pytest.mark.parametrize(
    ("service", "operation", "parameters"), REQUESTS, ids=lambda value: value if isinstance(value, str) else ""
)
@pytest.mark.usefixtures("slim")
def test_the_requests_are_those_of_the_whole_models(
    service: str, operation: str, parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    by_slim = request_of(service, operation, parameters)
    monkeypatch.setattr(aws, "MODELS", tmp_path)

    assert by_slim == request_of(service, operation, parameters)


@pytest.mark.parametrize(
    ("setting", "regions"),
    [
        ("", ["eu-central-2", "us-gov-west-1", "cn-north-1", "xx-later-1"]),
        ("AWS_USE_FIPS_ENDPOINT", ["us-gov-west-1"]),
        ("AWS_USE_DUALSTACK_ENDPOINT", ["us-west-2"]),
    ],
)
@pytest.mark.usefixtures("slim")
def test_the_endpoints_are_those_of_the_rules_in_every_region(
    setting: str, regions: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also where FIPS or dual-stack endpoints are asked for: there, the rules and the list of regions differ."""
    if setting:
        monkeypatch.setenv(setting, "true")
    one_of_each = {request[0]: request for request in REQUESTS}.values()

    def endpoints() -> list[str]:
        found = []
        for region in regions:
            monkeypatch.setenv("AWS_DEFAULT_REGION", region)
            found += [request_of(*request)[0] for request in one_of_each]
        return found

    by_slim = endpoints()
    monkeypatch.setattr(aws, "MODELS", tmp_path)

    assert by_slim == endpoints()


@pytest.mark.usefixtures("slim")
def test_a_service_without_slim_models_is_made_by_botocores_own() -> None:
    assert aws.make_client("sts").meta.service_model.service_name == "sts"


@pytest.mark.usefixtures("slim")
def test_credentials_missing_from_the_environment_are_searched_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(aws._session(True).get_component("credential_provider").providers) == 1
    aws._session.cache_clear()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert len(aws._session(True).get_component("credential_provider").providers) > 3

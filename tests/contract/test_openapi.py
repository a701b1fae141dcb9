"""docs/openapi.yaml documents exactly the served routes and who may call them, with valid examples."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from lib.platform import aws
from stack.components.http_api import ROUTES, Authorization, Route
from tests.support.aws.functions import load
from tests.support.project.documentation import ROOT, read_yaml, tables_of

DOCUMENT: dict[str, Any] = read_yaml(ROOT / "docs" / "openapi.yaml")
OPERATIONS = {(path, method): operation for path, item in DOCUMENT["paths"].items() for method, operation in item.items()}
VARIABLES = {
    "LEASE_TABLE_ARN": "arn:aws:dynamodb:us-west-2:123456789012:table/leases",
    "JIRA_ISSUES_TABLE_NAME": "issues",
    "OPERATIONS_TABLE_NAME": "operations",
    "SHUTTLE_TABLE_NAME": "shuttle",
    "ARTIFACT_BUCKET_NAME": "artifacts",
    "IMPORT_BUCKET_NAME": "imports",
    "JOB_QUEUE_URL": "https://sqs.example/jobs",
    "EVENT_BUS_NAME": "switchboard",
    "JIRA_QUEUE_URL": "https://sqs.example/jira",
    "APPROVAL_QUEUE_URL": "https://sqs.example/approvals",
    "NOTIFY_CHANNELS": "sns",
    "NOTIFICATION_TOPIC_ARN": "arn:aws:sns:us-west-2:123456789012:notifications",
    "HISTORY_DAYS": "90",
}

BY_THE_FUNCTION: dict[str, Any] = {"/webhooks/jira": [{"jiraSignature": []}, {"jiraAutomationToken": []}]}
"""The paths with two ways to authenticate, of which the function asks for one."""


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """Every path and method that a function's Flask application answers."""
    monkeypatch.setattr(aws, "make_client", lambda *_, **__: None)
    found: set[tuple[str, str]] = set()
    for entry_point in {route.entry_point for route in ROUTES}:
        module = load(monkeypatch, entry_point, VARIABLES)
        app = module._http_app() if entry_point == "notification" else module.app
        for rule in app.url_map.iter_rules():
            path = re.sub(r"<(\w+)>", r"{\1}", rule.rule)
            found |= {(path, method.lower()) for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    return found


def covering(path: str, method: str) -> list[Route]:
    """The routes of the API that lead a request there."""
    return [
        route
        for route in ROUTES
        if route.method in {"ANY", method.upper()}
        and (route.path == path or (route.path.endswith("/{proxy+}") and path.startswith(route.path.removesuffix("{proxy+}"))))
    ]


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every body of an operation: its location, its media type, and its schema in the document."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield "request", media_type, content
    for status, answer in operation["responses"].items():
        for media_type, content in resolved(answer).get("content", {}).items():
            yield status, media_type, content


def resolved(value: dict[str, Any]) -> dict[str, Any]:
    """What a reference leads to, or the value itself."""
    if "$ref" not in value:
        return value
    _, *parts = value["$ref"].split("/")
    found: Any = DOCUMENT
    for part in parts:
        found = found[part]
    return dict(found)


def test_the_document_is_openapi() -> None:
    validate(DOCUMENT)


def test_the_documents_operations_are_those_that_the_functions_serve(served: set[tuple[str, str]]) -> None:
    assert served == OPERATIONS.keys()


@pytest.mark.parametrize(("path", "method"), sorted(OPERATIONS))
def test_every_operation_has_one_route_and_says_who_may_call_it(path: str, method: str) -> None:
    [route] = covering(path, method)

    by_iam = route.authorization is Authorization.AWS_IAM
    signed = [{"awsSignature": []}] if by_iam else BY_THE_FUNCTION.get(path)
    assert OPERATIONS[path, method].get("security") == signed
    assert ("403" in OPERATIONS[path, method]["responses"]) == by_iam


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.key)
def test_every_route_leads_to_something_documented(route: Route) -> None:
    assert [key for key in OPERATIONS if route in covering(*key)]


@pytest.mark.parametrize(("path", "method"), sorted(OPERATIONS))
def test_every_operation_is_described_whole(path: str, method: str) -> None:
    operation = OPERATIONS[path, method]
    wanted = {"429", "503"} if path == "/health" else {"400", "429", "503"} | ({"413"} if "requestBody" in operation else set())

    assert {"operationId", "summary", "tags", "responses"} <= operation.keys()
    assert wanted <= operation["responses"].keys()
    assert [status for status in operation["responses"] if status.startswith("2")]
    assert all(resolved(answer)["description"] for answer in operation["responses"].values())


@pytest.mark.parametrize(("path", "method"), sorted(OPERATIONS))
def test_every_body_has_an_example_and_every_example_is_of_its_schema(path: str, method: str) -> None:
    found = list(contents(OPERATIONS[path, method]))

    assert found
    for where, media_type, content in found:
        examples = [content["example"]] if "example" in content else [each["value"] for each in content["examples"].values()]
        assert examples, (where, media_type)
        schema = {**content["schema"], "components": DOCUMENT["components"]}
        for example in examples:
            Draft202012Validator(schema).validate(example)


def test_every_parameter_has_an_example_or_its_values_are_in_its_schema() -> None:
    parameters = [resolved(parameter) for operation in OPERATIONS.values() for parameter in operation.get("parameters", [])]

    unclear = {
        parameter["name"]
        for parameter in parameters
        if "example" not in parameter and not resolved(parameter["schema"]).keys() & {"enum", "default"}
    }
    assert unclear == set()
    for parameter in parameters:
        if "example" in parameter:
            schema = {**parameter["schema"], "components": DOCUMENT["components"]}
            Draft202012Validator(schema).validate(parameter["example"])


def test_the_page_says_which_errors_have_the_form_of_api_gateway() -> None:
    gateway = {"404"}  # no operation has it: it is for a path or method that is not an operation
    for operation in OPERATIONS.values():
        gateway |= {status for status, answer in operation["responses"].items() if "GatewayMessage" in str(resolved(answer))}
    tables = tables_of(ROOT / "docs" / "reference" / "http-api.md")
    [errors] = [rows for rows in tables if rows[0][:3] == ["status", "meaning", "API Gateway answers"]]

    assert {status for status, _, answers, _ in errors[1:] if answers != "never"} == gateway

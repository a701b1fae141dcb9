"""The running HTTP API keeps what docs/openapi.yaml promises for any request: only its statuses, content types, headers and
schemas, and never a 5xx.

Each run uses the same inputs; ``HYPOTHESIS_PROFILE=thorough`` uses many more, and of what has a wrong type every such value
instead of one for each field.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.generation.meta import CoveragePhaseData
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.bad_input.conftest import SHOP, bounded
from tests.support.cloud import Cloud
from tests.support.project.documentation import ROOT, read_yaml
from tests.support.project.examples import THOROUGH
from tests.support.shuttle.api import COLUMNS, ShuttleApi
from tests.support.web.gateway import Signer, leaks, traces

pytestmark = pytest.mark.xdist_group("house")  # schemathesis asks for the fixture only when a test runs
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

OF_EACH = {
    "Authorization",
    "X-Amz-Date",
    "X-Hub-Signature",
    "X-Hub-Signature-256",
    "X-Schemathesis-Testcaseid",
    "X-Slack-Request-Timestamp",
    "X-Slack-Signature",
}
"""The headers that every request has a value of its own in: what the signer replaces or removes, and a number."""
DOCUMENT = ROOT / "docs" / "openapi.yaml"


@pytest.fixture(scope="module")
def document() -> BaseSchema:
    """docs/openapi.yaml. Requests are made when a test runs: pytest would wait for them in each process that collects."""
    return schemathesis.openapi.from_path(DOCUMENT)


@pytest.fixture(scope="module")
def without_coverage() -> BaseSchema:
    """The document, without a request for each bound of each field: none is looked at without a signature."""
    read = schemathesis.openapi.from_path(DOCUMENT)
    read.config.phases.coverage.enabled = False
    return read


api = schemathesis.pytest.from_fixture("document")
guarded = schemathesis.pytest.from_fixture("without_coverage").exclude(path="/health")


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as opened:
        opened.trust_env = False
        yield opened


@pytest.fixture(scope="module")
def tried() -> set[Any]:
    """What was sent, without what the signer replaces: many cases differ in their signatures only."""
    return set()


@pytest.mark.timeout(1200)  # it is all operations
@api.parametrize()
@bounded(8)
def test_signed_requests_are_answered_as_documented(
    case: schemathesis.Case, house: Cloud, job_id: str, signer: Signer, session: requests.Session, tried: set[Any]
) -> None:
    _lead_to_what_is_there(case, job_id)
    about = {_request_of(case), *(() if THOROUGH else _wrong_type_of(case))}
    if about & tried:
        return

    answer = case.call(base_url=house.http_url, session=session, auth=signer, timeout=30)

    case.validate_response(answer, checks=CHECKS)
    assert answer.status_code not in {401, 403}, "the signature, which is right, was not taken"
    assert leaks(answer.text, signer.sent) == []
    assert traces(answer.text) == []
    tried |= about  # what fails must fail again when Hypothesis repeats it


def documented_requests() -> list[Any]:
    """Every example of a body in the document, by what it is sent to. Two are left out: a completed upload names an upload that
    S3 alone can have begun, and a rollback a version that imports made.
    """
    found = []
    for path, operations in read_yaml(DOCUMENT)["paths"].items():
        for method, operation in operations.items():
            for kind, content in operation.get("requestBody", {}).get("content", {}).items() if method != "parameters" else ():
                named = {name: each["value"] for name, each in content.get("examples", {}).items()}
                named |= {"example": content["example"]} if "example" in content else {}
                found += [
                    pytest.param(method, path, kind, body, id=f"{method} {path} {kind} {name}")
                    for name, body in named.items()
                    if not path.endswith(("/upload", "/rollback"))
                ]
    return found


@pytest.mark.parametrize(("method", "path", "kind", "body"), documented_requests())
def test_each_documented_request_is_taken(
    house: Cloud, signer: Signer, method: str, path: str, kind: str, body: dict[str, Any]
) -> None:
    shop = ShuttleApi(house).shop(columns=None if path.endswith("/schema") else COLUMNS)
    if path.startswith("/shuttle/sessions/"):
        body = {**body, "shop_domain": shop.domain}
    data = urlencode(body) if kind == "application/x-www-form-urlencoded" else json.dumps(body)

    url = house.http_url + path.replace("{domain}", shop.domain).replace("{session_id}", "s-1")
    answer = requests.request(method, url, data=data, headers={"Content-Type": kind}, auth=signer, timeout=30)

    assert 200 <= answer.status_code < 300, answer.text


@guarded.parametrize()
@bounded(3)
def test_unsigned_requests_are_refused_as_documented(case: schemathesis.Case, house: Cloud, session: requests.Session) -> None:
    answer = case.call(base_url=house.http_url, session=session, timeout=30)

    case.validate_response(answer, checks=CHECKS)
    assert answer.status_code in {400, 401, 403}
    assert traces(answer.text) == []


def _request_of(case: schemathesis.Case) -> str:
    """What is sent, without the headers that differ in each request."""
    sent = case.as_transport_kwargs(base_url="http://localhost")
    headers = {name: value for name, value in sent.pop("headers").items() if name.title() not in OF_EACH}
    return repr([sorted(headers.items()), sorted(sent.items())])


def _wrong_type_of(case: schemathesis.Case) -> Iterator[tuple[Any, ...]]:
    """The field that has a wrong type and nothing else wrong, if there is one. Each has four to six such values."""
    data = case.meta.phase.data if case.meta else None
    if isinstance(data, CoveragePhaseData) and data.description.endswith("Incorrect type"):
        yield case.operation.label, data.parameter_location, data.parameter, data.description


def _lead_to_what_is_there(case: schemathesis.Case, job_id: str) -> None:
    """Half of the made-up shops and jobs become the one that there is: the rest of the request is looked at then."""
    if case.operation.definition.raw["operationId"] == "removeShop":
        if (case.path_parameters or {}).get("domain") == SHOP:
            case.path_parameters["domain"] = f"other.{SHOP}"  # the rest of the tests needs the shop
        return
    there = {"domain": SHOP, "job_id": job_id}
    for name, value in (case.path_parameters or {}).items():
        if name in there and len(str(value)) % 2:
            case.path_parameters[name] = there[name]

"""The running HTTP API keeps what docs/openapi.yaml promises for any request: only its statuses, content types, headers and
schemas, and never a 5xx.

Each run uses the same inputs; ``HYPOTHESIS_PROFILE=thorough`` uses many more, and of what has a wrong type every such value
instead of one for each field.
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
import requests

from tests.integration.bad_input.conftest import SHOP, bounded
from tests.support.cloud import Cloud
from tests.support.project.documentation import ROOT, read_yaml
from tests.support.project.examples import THOROUGH
from tests.support.shuttle.api import COLUMNS, ShuttleApi
from tests.support.web.gateway import Signer, leaks, traces

if TYPE_CHECKING:
    import schemathesis


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as opened:
        opened.trust_env = False
        yield opened


@pytest.mark.timeout(1200)  # it is all operations
def test_signed_requests_are_answered_as_documented(
    house: Cloud, job_id: str, signer: Signer, session: requests.Session, subtests: pytest.Subtests
) -> None:
    from tests.support.web.generated_requests import each_operation, request_of, validate, wrong_type_of

    tried: set[Any] = set()  # without what the signer replaces: many cases differ in their signatures only

    def check(case: "schemathesis.Case") -> None:
        _lead_to_what_is_there(case, job_id)
        about = {request_of(case), *(() if THOROUGH else wrong_type_of(case))}
        if about & tried:
            return

        answer = case.call(base_url=house.http_url, session=session, auth=signer, timeout=30)

        validate(case, answer)
        assert answer.status_code not in {401, 403}, "the signature, which is right, was not taken"
        assert leaks(answer.text, signer.sent) == []
        assert traces(answer.text) == []
        tried.update(about)  # what fails must fail again when Hypothesis repeats it

    for operation, test in each_operation(check, bounded(8)):
        with subtests.test(operation):
            test()


def documented_requests() -> list[Any]:
    """Every example of a body in the document, by what it is sent to. Two are left out: a completed upload names an upload that
    S3 alone can have begun, and a rollback a version that imports made.
    """
    found = []
    for path, operations in read_yaml(ROOT / "docs" / "openapi.yaml")["paths"].items():
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


@pytest.mark.timeout(1200)  # it is all operations
def test_unsigned_requests_are_refused_as_documented(
    house: Cloud, session: requests.Session, subtests: pytest.Subtests
) -> None:
    """Without a request for each bound of each field: none is looked at without a signature."""
    from tests.support.web.generated_requests import each_operation, validate

    def check(case: "schemathesis.Case") -> None:
        answer = case.call(base_url=house.http_url, session=session, timeout=30)

        validate(case, answer)
        assert answer.status_code in {400, 401, 403}
        assert traces(answer.text) == []

    for operation, test in each_operation(check, bounded(3), bounds=False, without="/health"):
        with subtests.test(operation):
            test()


def _lead_to_what_is_there(case: "schemathesis.Case", job_id: str) -> None:
    """Half of the made-up shops and jobs become the one that there is: the rest of the request is looked at then."""
    if case.operation.definition.raw["operationId"] == "removeShop":
        if (case.path_parameters or {}).get("domain") == SHOP:
            case.path_parameters["domain"] = f"other.{SHOP}"  # the rest of the tests needs the shop
        return
    there = {"domain": SHOP, "job_id": job_id}
    for name, value in (case.path_parameters or {}).items():
        if name in there and len(str(value)) % 2:
            case.path_parameters[name] = there[name]

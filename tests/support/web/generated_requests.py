"""Requests that schemathesis makes from docs/openapi.yaml, and its checks of their answers.

Import this in the test that needs it: the import takes half a second of every process that collects tests.
"""

from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.generation.meta import CoveragePhaseData
from schemathesis.pytest.lazy import get_all_tests
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.project.documentation import ROOT

DOCUMENT = ROOT / "docs" / "openapi.yaml"
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


def each_operation(
    check: Callable[[schemathesis.Case], None], settings: hypothesis.settings, *, bounds: bool = True, without: str = ""
) -> Iterator[tuple[str, Callable[[], None]]]:
    """For each operation, a name and what runs ``check`` on its examples, on other requests and, with ``bounds``, on a request
    for each bound of each field. The path ``without`` is left out.
    """
    schema: BaseSchema = schemathesis.openapi.from_path(DOCUMENT)
    schema.config.phases.coverage.enabled = bounds
    if without:
        schema = schema.exclude(path=without)
    for made in get_all_tests(schema=schema, test_func=check, settings=settings, given_kwargs={}):
        assert isinstance(made, Ok), made
        operation, test = made.ok()
        yield operation.label, test


def validate(case: schemathesis.Case, answer: Response) -> None:
    """Raise an error if the document does not promise such an answer."""
    case.validate_response(answer, checks=CHECKS)


def request_of(case: schemathesis.Case) -> str:
    """What is sent, without the headers that differ in each request."""
    sent = case.as_transport_kwargs(base_url="http://localhost")
    headers = {name: value for name, value in sent.pop("headers").items() if name.title() not in OF_EACH}
    return repr([sorted(headers.items()), sorted(sent.items())])


def wrong_type_of(case: schemathesis.Case) -> Iterator[tuple[Any, ...]]:
    """The field that has a wrong type and nothing else wrong, if there is one. Each has four to six such values."""
    data = case.meta.phase.data if case.meta else None
    if isinstance(data, CoveragePhaseData) and data.description.endswith("Incorrect type"):
        yield case.operation.label, data.parameter_location, data.parameter, data.description

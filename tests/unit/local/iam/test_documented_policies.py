"""The policies of docs/security.md allow each kind of caller its own routes of docs/openapi.yaml, and no others."""

import re

import pytest

from stack.local.iam.policy import Access, Statement, decide, read_role_policy
from tests.support.project.documentation import ROOT, read_yaml

MINE, JOB, SESSION, CONFIG = "a.example", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "s-1", "limits"
NAMES = {"<region>": "us-west-2", "<account>": "123456789012", "<api id>": "api", "<domain>": MINE}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
Route = tuple[str, str]


def signed_routes() -> set[Route]:
    """Method and path, for the shop ``MINE``, of every documented route that requires an IAM signature."""
    document = read_yaml(ROOT / "docs" / "openapi.yaml")
    return {
        (method.upper(), path.format(domain=MINE, job_id=JOB, session_id=SESSION, name=CONFIG))
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if {"awsSignature": []} in operation.get("security", [])
    }


def documented_policy(heading: str) -> tuple[Statement, ...]:
    """The policy under ``heading``, for the shop ``MINE``."""
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    found = re.search(rf"^### {heading}\n\n```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert found, f"docs/security.md has no policy under {heading!r}"
    text = found[1]
    for name, value in NAMES.items():
        text = text.replace(name, value)
    assert "<" not in text
    return read_role_policy(text)


def is_allowed(policy: tuple[Statement, ...], method: str, path: str) -> bool:
    """Whether API Gateway allows a principal with only ``policy``."""
    resource = f"arn:aws:execute-api:us-west-2:123456789012:api/$default/{method}{path}"
    return decide(policy, Access("execute-api:Invoke", resource)).is_allowed


ROUTES = signed_routes()
OWNERS: dict[str, set[Route]] = {
    "A shop": {route for route in ROUTES if route[1].startswith(f"/shuttle/shops/{MINE}/")},
    "An operator of shops": {route for route in ROUTES if route[1] == f"/shuttle/shops/{MINE}"},
    "An app": {route for route in ROUTES if route[1].startswith(("/shuttle/sessions/", "/shuttle/config/"))},
    "A sender of drafts": {route for route in ROUTES if route[1] == "/drafts"},
}
each_caller = pytest.mark.parametrize("caller", OWNERS)


def test_every_signed_route_has_one_kind_of_caller() -> None:
    assert ROUTES
    assert sorted(route for routes in OWNERS.values() for route in routes) == sorted(ROUTES)


@each_caller
def test_a_policy_allows_its_own_routes_and_no_others(caller: str) -> None:
    policy = documented_policy(caller)

    assert {route for route in ROUTES if is_allowed(policy, *route)} == OWNERS[caller]


@each_caller
def test_a_policy_allows_only_the_methods_of_a_path(caller: str) -> None:
    policy = documented_policy(caller)
    # GET …/jobs/* covers the paths of the two routes below a job, which answer it 405.
    below_a_job = {("GET", f"/shuttle/shops/{MINE}/jobs/{JOB}/{verb}") for verb in ("upload", "cancel")}

    opened = {(method, path) for method in METHODS for _, path in ROUTES if is_allowed(policy, method, path)}

    assert opened - below_a_job == OWNERS[caller]


@each_caller
@pytest.mark.parametrize("other", [f"{MINE}.org", f"not-{MINE}", "b.example"])
def test_a_policy_allows_no_other_shop(caller: str, other: str) -> None:
    policy = documented_policy(caller)
    theirs = {(method, path.replace(f"/{MINE}", f"/{other}")) for method, path in ROUTES if MINE in path}

    assert {route for route in theirs if is_allowed(policy, *route)} == set()


@each_caller
def test_no_policy_names_all_methods(caller: str) -> None:
    resources = [resource for statement in documented_policy(caller) for resource in statement.resources]

    assert {resource.split("/")[2] for resource in resources} <= set(METHODS)

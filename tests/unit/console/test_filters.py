"""The filters of the templates."""

import pytest

from handlers.console.filters import query
from tests.support.console.client import console_client
from tests.support.operations.deployment import Deployment


@pytest.mark.parametrize("name", ["_scheme", "_external", "_anchor", "_method", "endpoint", "values"])
def test_the_link_to_more_is_the_consoles_own_whatever_the_url_has(deployment: Deployment, name: str) -> None:
    app = console_client(deployment).application
    with app.test_request_context(f"/jobs/teapots.example.com?status=FAILED&{name}=javascript"):
        assert query({"after": "a/b&c"}) == f"/jobs/teapots.example.com?status=FAILED&{name}=javascript&after=a%2Fb%26c"


def test_a_link_replaces_and_drops_parameters(deployment: Deployment) -> None:
    app = console_client(deployment).application
    with app.test_request_context("/dead-letters?limit=50&reason="):
        assert query({"limit": 100}) == "/dead-letters?limit=100"

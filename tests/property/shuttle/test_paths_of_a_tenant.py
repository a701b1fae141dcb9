"""On any path that IAM allows a caller of one shop, the function works for that shop or refuses; none sets a plan."""

from collections.abc import Iterator
from types import ModuleType

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lib.platform import aws
from lib.platform.contract import SHUTTLE
from lib.shuttle.api.services import Services, ShopAccess
from lib.shuttle.jobs.plans import Plan
from lib.shuttle.registry import Registry
from lib.shuttle.repository import Repository
from tests.support.aws.functions import load
from tests.support.aws.lambda_context import LambdaContext
from tests.support.aws.moto_inside import SHUTTLE_VARIABLES
from tests.support.aws.multipart_s3 import MultipartS3
from tests.support.aws.sqs import RecordingSqs
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.project.examples import examples
from tests.support.shuttle.builders import a_shop
from tests.support.web.events import http_event

MINE, THEIRS = "mine.example.com", "theirs.example.com"
SIGNS = ["/", "//", "..", ".", "%2F", "%2f", "%252F", "%2e%2e", "\\", ";", "?", "#", "%00", "%23"]
WORDS = [
    "shuttle",
    "shops",
    "jobs",
    "report",
    "cancel",
    "schema",
    "versions",
    "usage",
    "catalogue",
    "rollback",
    "result",
    "sessions",
    "config",
]
PIECES = st.sampled_from([*SIGNS, *WORDS, MINE, THEIRS, "01ARZ3NDEKTSV4RRFFQ69G5FAV"])
BODIES = [
    "{}",
    '{"plan": "LARGE"}',
    '{"columns": [{"name": "sku"}], "key": ["sku"]}',
    '{"file_bytes": 1}',
    '{"kind": "EXPORT"}',
    f'{{"shop_domain": "{THEIRS}", "kind": "ONLINE"}}',
]
"""Bodies that each route would accept."""
RESTS = st.one_of(st.lists(PIECES, max_size=10).map("".join), st.text(max_size=40))


@pytest.fixture(scope="module")
def shuttle() -> Iterator[tuple[ModuleType, list[str]]]:
    """The function, and the shops that it worked for in the current example."""
    worked_for: list[str] = []
    clients = {"dynamodb": FakeTable(SHUTTLE), "s3": MultipartS3(), "sqs": RecordingSqs()}
    Registry(clients["dynamodb"], SHUTTLE.name).install(a_shop(MINE, plan=Plan.FREE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws, "make_client", lambda service, **_: clients[service])
        module = load(patch, "shuttle", SHUTTLE_VARIABLES | {"SHUTTLE_TABLE_NAME": SHUTTLE.name})
        access = Services.access

        def note(services: Services, domain: str) -> ShopAccess:
            made = access(services, domain)
            worked_for.append(domain)
            return made

        patch.setattr(Services, "access", note)
        yield module, worked_for


@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=st.sampled_from(["GET", "PUT", "POST", "DELETE"]), rest=RESTS, body=st.sampled_from(BODIES))
@example(method="GET", rest="jobs", body="{}")
@example(method="GET", rest=f"../{THEIRS}/jobs", body="{}")
@example(method="GET", rest=f"..%2F{THEIRS}%2Fjobs", body="{}")
@example(method="PUT", rest="", body=BODIES[1])  # IAM's * is the empty text too
@example(method="PUT", rest="/", body=BODIES[1])
@example(method="PUT", rest="%2F", body=BODIES[1])
@example(method="DELETE", rest="", body="{}")
@example(method="DELETE", rest="%2F", body="{}")
@example(method="DELETE", rest="sessions", body="{}")
@example(method="PUT", rest="../../sessions/s1", body=BODIES[5])
@example(method="GET", rest="..%2F..%2Fconfig%2Flimits", body="{}")
def test_a_path_below_a_shop_reaches_that_shop_only(
    shuttle: tuple[ModuleType, list[str]], method: str, rest: str, body: str
) -> None:
    module, worked_for = shuttle
    worked_for.clear()

    answer = module.lambda_handler(http_event(method, f"/shuttle/shops/{MINE}/{rest}", body=body), LambdaContext())

    assert set(worked_for) <= {MINE}
    assert answer["statusCode"] < 500
    assert not 300 <= answer["statusCode"] < 400, "a signed request does not follow"
    assert answer["statusCode"] >= 300 or worked_for == [MINE]
    assert Repository(module._dynamodb, SHUTTLE.name).shop(MINE).plan is Plan.FREE

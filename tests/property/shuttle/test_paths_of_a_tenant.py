"""For any path that IAM would let a caller of one shop use, the function works for that shop or refuses."""

from collections.abc import Iterator
from types import ModuleType

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.functions import load
from tests.support.http_events import http_event
from tests.support.lambda_context import LambdaContext
from tests.support.moto_inside import SHOPS, create_tables, moto_inside

MINE, THEIRS = "mine.example.com", "theirs.example.com"
SIGNS = ["/", "//", "..", ".", "%2F", "%2f", "%252F", "%2e%2e", "\\", ";", "?", "#", "%00", "%23"]
WORDS = ["shuttle", "shops", "jobs", "report", "cancel", "schema", "versions", "usage"]
PIECES = st.sampled_from([*SIGNS, *WORDS, MINE, THEIRS, "01ARZ3NDEKTSV4RRFFQ69G5FAV"])
RESTS = st.one_of(st.lists(PIECES, max_size=10).map("".join), st.text(max_size=40))


@pytest.fixture(scope="module")
def shuttle() -> Iterator[tuple[ModuleType, list[str]]]:
    """The function, and the shops it worked for since last asked."""
    worked_for: list[str] = []
    with pytest.MonkeyPatch.context() as patch, moto_inside(patch):
        create_tables()
        module = load(patch, "shuttle", {"SHUTTLE_TABLE_NAME": SHOPS, "IMPORT_BUCKET_NAME": "imports"})
        make = module._shop

        def note(domain: str) -> object:
            made = make(domain)
            worked_for.append(domain)
            return made

        patch.setattr(module, "_shop", note)
        yield module, worked_for


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=st.sampled_from(["GET", "PUT", "POST"]), rest=RESTS)
@example(method="GET", rest="jobs")
@example(method="GET", rest=f"../{THEIRS}/jobs")
@example(method="GET", rest=f"..%2F{THEIRS}%2Fjobs")
def test_a_path_below_a_shop_is_never_another_shops(shuttle: tuple[ModuleType, list[str]], method: str, rest: str) -> None:
    module, worked_for = shuttle
    worked_for.clear()

    answer = module.lambda_handler(http_event(method, f"/shuttle/shops/{MINE}/{rest}", body="{}"), LambdaContext())

    assert set(worked_for) <= {MINE}
    assert answer["statusCode"] < 500
    assert answer["statusCode"] >= 300 or worked_for == [MINE]

"""Shuttle's HTTP API over a table in memory: what each route answers, and what is refused."""

from typing import Any

import pytest

from lib.shuttle.jobs.job import Outcome
from tests.support.shuttle.api import Api, new_domain
from tests.support.shuttle.builders import DOMAIN, ShuttleTable


def test_a_client_token_is_for_one_order(api: Api) -> None:
    shop = api.shop()
    first, again = (shop.order(10, client_token="once") for _ in range(2))

    assert first["job"]["job_id"] == again["job"]["job_id"]
    assert again["upload"]["url"]
    assert shop.call("POST", "jobs", {"file_bytes": 11, "client_token": "once"}).status_code == 400
    assert shop.call("GET", "usage").json()["days"][0]["imports"] == 1


@pytest.mark.parametrize(
    ("changes", "order", "status", "code"),
    [
        ({"billing_state": "SUSPENDED"}, {"file_bytes": 10}, 400, "billing_inactive"),
        ({"plan": "FREE"}, {"file_bytes": 11 * 1024**2}, 413, "too_large"),
        ({}, {"file_bytes": 0}, 400, "malformed"),
        ({}, {"file_bytes": 10, "kind": "EXPORT"}, 400, "malformed"),
        ({}, {"file_bytes": 10, "mode": "SOME"}, 400, "malformed"),
        ({}, {"file_bytes": 10, "colour": "green"}, 400, "malformed"),
        ({}, {}, 400, "malformed"),
    ],
)
def test_an_invalid_order_is_refused(api: Api, changes: dict[str, Any], order: dict[str, Any], status: int, code: str) -> None:
    answer = api.shop(**changes).call("POST", "jobs", order)

    assert (answer.status_code, answer.json()["error"]) == (status, code)


def test_jobs_are_listed_by_page_by_status_and_by_date(api: Api) -> None:
    shop = api.shop()
    created = [shop.order(10)["job"]["job_id"] for _ in range(3)]
    shop.call("POST", f"jobs/{created[0]}/cancel")

    def ids(query: str) -> list[str]:
        return [job["job_id"] for job in shop.call("GET", f"jobs?{query}").json()["jobs"]]

    first = shop.call("GET", "jobs?limit=2").json()
    assert [job["job_id"] for job in first["jobs"]] == created[:0:-1]
    assert ids(f"limit=2&after={first['next']}") == created[:1]
    assert set(ids("status=QUEUED")) == set(created[1:])
    assert ids("status=CANCELLED") == created[:1]
    assert ids("from=2020-01-01") == created[::-1]
    assert ids("from=1969-12-31") == created[::-1]
    assert ids("to=2020-01-01") == []
    assert ids("to=1969-12-31") == []
    assert shop.call("GET", "jobs?limit=3").json()["next"] is None


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=many",
        "limit=101",
        "limit=0000001009999999",
        "from=2026-01-02&to=2026-01-01",
        "status=LOST",
        "from=yesterday",
        "status=QUEUED&from=2026-01-01",
        "after=x",
    ],
)
def test_an_invalid_query_is_400(api: Api, query: str) -> None:
    answer = api.shop(columns=None).call("GET", f"jobs?{query}")

    assert (answer.status_code, answer.json()["error"]) == (400, "malformed")


def test_two_editors_of_a_schema_do_not_overwrite_each_other(api: Api) -> None:
    shop = api.shop(columns=None)
    assert shop.call("GET", "schema").status_code == 404
    one, two = [{"name": "sku"}], [{"name": "sku"}, {"name": "price", "type": "DECIMAL"}]

    assert shop.call("PUT", "schema", {"columns": one, "key": ["sku"], "replaces": 0}).json()["schema"]["version"] == 1
    assert shop.call("PUT", "schema", {"columns": two, "key": ["sku"], "replaces": 1}).json()["schema"]["version"] == 2
    late = shop.call("PUT", "schema", {"columns": one, "key": ["sku"], "replaces": 1})

    assert (late.status_code, late.json()["error"]) == (400, "schema_changed")
    assert [column["name"] for column in shop.call("GET", "schema").json()["schema"]["columns"]] == ["sku", "price"]
    assert [schema["version"] for schema in shop.call("GET", "schema/versions").json()["versions"]] == [2, 1]


def test_a_shop_is_installed_once_and_then_changed(api: Api) -> None:
    path = f"/shuttle/shops/{new_domain()}"
    first = api.call("PUT", path, {"plan": "FREE"}).json()
    second = api.call("PUT", path, {"plan": "SMALL", "billing_state": "SUSPENDED", "settings": {"csv_delimiter": ";"}}).json()

    assert (first["installed"], second["installed"]) == (True, False)
    shop = api.call("GET", path).json()["shop"]
    assert (shop["plan"], shop["billing_state"], shop["settings"]["csv_delimiter"]) == ("SMALL", "SUSPENDED", ";")
    assert shop["installed_at"] == first["shop"]["installed_at"]


def test_a_shop_that_is_not_installed_is_404(api: Api) -> None:
    path = f"/shuttle/shops/{new_domain()}"
    requests_of_it = [("GET", ""), ("POST", "/jobs"), ("PUT", "/schema"), ("GET", "/schema")]
    bodies = {"POST": {"file_bytes": 1}, "PUT": {"columns": [{"name": "sku"}], "key": ["sku"]}}

    assert [api.call(method, path + rest, bodies.get(method)).status_code for method, rest in requests_of_it] == [404] * 4


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/shuttle/nothing", 404),
        ("DELETE", "/shuttle/shops/a.example.com/jobs", 405),
        ("GET", "/shuttle/shops/UPPER.example.com", 400),
        ("GET", "/shuttle/shops/a.example.com/jobs/not-a-ulid", 400),
        ("GET", "/shuttle/shops/a%23b.example.com", 400),
        ("GET", "/shuttle/shops/a.example.com/jobs/01ARZ3NDEKTSV4RRFFQ69G5FAV", 404),
    ],
)
def test_unknown_paths_methods_and_ids_are_answered_in_json(api: Api, method: str, path: str, status: int) -> None:
    answer = api.call(method, path)

    assert answer.status_code == status, answer.text
    assert answer.json()["error"] in {"malformed", "not_found", "method_not_allowed"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"file_bytes": NaN}', b'"x"', b"[" * 5000])
def test_a_body_that_is_not_an_order_is_400(api: Api, body: bytes) -> None:
    shop = api.shop(columns=None)

    answer = api.call("POST", f"/shuttle/shops/{shop.domain}/jobs", raw=body)

    assert (answer.status_code, answer.json()["error"]) == (400, "malformed")


def test_an_ended_job_can_not_be_cancelled_or_uploaded(api: Api, shuttle_table: ShuttleTable) -> None:
    shop = api.shop(DOMAIN)
    job_id = shop.order(10)["job"]["job_id"]
    shuttle_table.jobs.finish(shuttle_table.jobs.start(DOMAIN, job_id), Outcome(rows_read=1))

    for path, body in (("cancel", None), ("upload", {"upload_id": "x", "parts": [{"part_number": 1, "etag": "x"}]})):
        answer = shop.call("POST", f"jobs/{job_id}/{path}", body)
        assert (answer.status_code, answer.json()["error"]) == (400, "illegal_transition")


def test_a_key_that_is_not_a_column_is_named_in_the_refusal(api: Api) -> None:
    answer = api.shop().call("PUT", "schema", {"columns": [{"name": "sku"}], "key": ["id"]})

    assert (answer.status_code, answer.json()["error"]) == (400, "malformed")
    assert answer.json()["message"] == "the key has 'id', which is not the name of a column"


def test_a_job_without_errors_has_no_report(api: Api) -> None:
    shop = api.shop()

    answer = shop.call("GET", f"jobs/{shop.order(10)['job']['job_id']}/report")

    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


def test_a_reached_limit_is_429_and_named(api: Api) -> None:
    shop = api.shop(plan="FREE")
    shop.order(10)

    answer = shop.call("POST", "jobs", {"file_bytes": 10})

    assert (answer.status_code, answer.json()["error"]) == (429, "limit_reached")
    assert answer.json()["message"].endswith("concurrent_jobs is 1; wait until a job has ended, or cancel one")

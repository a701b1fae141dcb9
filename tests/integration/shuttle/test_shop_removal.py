"""A shop is removed over HTTP after a full life: nothing of it is left in table and bucket, and no other shop lost anything."""

import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import requests

from lib.shuttle import keys
from tests.support.cloud import Cloud, until
from tests.support.shuttle.api import ShuttleApi

SECRET = "s3cr3t-token-of-a-session"
FILE, CHANGED = b"sku,price,stock\nA1,1.50,3\nA2,2.50,4\n", b"sku,price,stock\nA1,1.75,3\nA2,x,4\nA3,1,1\n"


def live(api: ShuttleApi, cloud: Cloud, domain: str) -> None:
    """A shop with imports, a rollback, an export, sessions, waiting uploads, and an object of every kind."""
    shop = api.shop(domain)
    shop.run(FILE)
    shop.run(CHANGED, mode="OVERWRITE_EXISTING")
    shop.call("POST", "catalogue/rollback", {"version": 1})
    shop.call("POST", "jobs", {"kind": "EXPORT"})
    shop.order(6 * 1024**2)
    shop.order(100)
    for number in range(2):
        body = {"shop_domain": domain, "kind": "OFFLINE", "values": {"token": SECRET}}
        assert api.call("PUT", f"/shuttle/sessions/{number}_{domain}", body).status_code == 200
    s3, bucket = cloud.client("s3"), cloud.outputs["import_bucket_name"]
    for prefix in keys.object_prefixes(domain):
        if not prefix.startswith("uploads/"):  # which would start a job
            s3.put_object(Bucket=bucket, Key=f"{prefix}one", Body=b"1")
        s3.create_multipart_upload(Bucket=bucket, Key=f"{prefix}incomplete")


def stored(cloud: Cloud, domain: str) -> set[str]:
    """The key of every row, object and incomplete upload that names the shop anywhere."""
    name = re.compile(rf"(?<![\w.-]){re.escape(domain)}(?![\w.-])")
    return {key for key, text in everything(cloud) if name.search(text)}


def everything(cloud: Cloud) -> Iterator[tuple[str, str]]:
    table, bucket = cloud.outputs["shuttle_table_name"], cloud.outputs["import_bucket_name"]
    for page in cloud.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from ((f"{row['PK']['S']} {row['SK']['S']}", json.dumps(row)) for row in page["Items"])
    s3 = cloud.client("s3")
    for listing, found in (("list_objects_v2", "Contents"), ("list_multipart_uploads", "Uploads")):
        for page in s3.get_paginator(listing).paginate(Bucket=bucket):
            yield from ((f"{found} {each['Key']}", each["Key"]) for each in page.get(found, []))


def remove(api: ShuttleApi, domain: str) -> list[Mapping[str, Any]]:
    answers = []
    while True:
        answer = api.call("DELETE", f"/shuttle/shops/{domain}")
        assert answer.status_code == 200, answer.text
        answers.append(answer.json())
        if answers[-1]["complete"]:
            return answers
        assert len(answers) < 60
        time.sleep(1)


def test_nothing_is_left_of_a_removed_shop(api: ShuttleApi, cloud: Cloud) -> None:
    gone = f"shop-{uuid.uuid4().hex[:8]}.example"
    alike = f"{gone}.org"
    live(api, cloud, gone)
    live(api, cloud, alike)
    before = {key for key in stored(cloud, alike) if "EVENT#" not in key}  # which are deleted once they are published

    answers = remove(api, gone)

    assert stored(cloud, gone) == set()
    assert stored(cloud, alike) >= before
    assert all(sum(answer["removed"][name] for answer in answers) for name in ("rows", "objects", "sessions"))
    assert api.call("GET", f"/shuttle/shops/{gone}").status_code == 404
    assert api.call("DELETE", f"/shuttle/shops/{gone}").status_code == 404
    assert SECRET not in json.dumps(cloud.log_records("shuttle"))


def test_a_file_that_arrives_after_the_removal_is_deleted(api: ShuttleApi, cloud: Cloud) -> None:
    """Its link was made before; other objects of the job may be of a worker that outlasted the removal."""
    shop = api.shop()
    made = shop.order(len(FILE))
    remove(api, shop.domain)
    s3, bucket, job_id = cloud.client("s3"), cloud.outputs["import_bucket_name"], made["job"]["job_id"]
    for prefix in keys.object_prefixes(shop.domain):
        if not prefix.startswith("uploads/"):
            s3.put_object(Bucket=bucket, Key=f"{prefix}{job_id}-1", Body=b"1")

    assert requests.put(made["upload"]["url"], data=FILE, timeout=60).status_code == 200

    until(lambda: not stored(cloud, shop.domain), 60)


def test_a_session_lives_from_put_to_delete(api: ShuttleApi) -> None:
    shop = api.shop(columns=None)
    path = f"/shuttle/sessions/{uuid.uuid4().hex}"
    body = {"shop_domain": shop.domain, "kind": "ONLINE", "values": {"token": SECRET}}

    assert api.call("PUT", path, body).status_code == 200
    assert api.call("GET", path).json()["session"]["values"] == {"token": SECRET}
    assert len(shop.call("GET", "sessions").json()["sessions"]) == 1
    assert api.call("DELETE", path).json() == {"deleted": True}
    assert api.call("GET", path).status_code == 404
    assert shop.call("DELETE", "sessions").json() == {"removed": {"sessions": 0}, "complete": True}
    assert api.call("GET", "/shuttle/config/none").status_code == 404

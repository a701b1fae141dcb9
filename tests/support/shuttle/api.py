"""Shuttle's HTTP API as its callers use it: requests, uploads by link, and waiting for the end of a job."""

import dataclasses
import json
import uuid
from collections.abc import Mapping
from typing import Any

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from flask.testing import FlaskClient

from tests.support.cloud import Cloud, until

COLUMNS = [
    {"name": "sku", "required": True, "max_length": 8},
    {"name": "price", "type": "DECIMAL"},
    {"name": "stock", "type": "INTEGER"},
]
UNFINISHED = {"QUEUED", "PROCESSING"}


def new_domain() -> str:
    """The domain of a shop that no other test has."""
    return f"shop-{uuid.uuid4().hex[:12]}.example.com"


class Api:
    """The API, however it is called."""

    def send(self, method: str, path: str, data: bytes) -> requests.Response:
        """Make a request."""
        raise NotImplementedError

    def call(self, method: str, path: str, body: Any = None, *, raw: bytes | None = None) -> requests.Response:
        """Make a request with ``body`` as JSON."""
        return self.send(method, path, raw if raw is not None else b"" if body is None else json.dumps(body).encode())

    def shop(self, domain: str | None = None, *, columns: Any = COLUMNS, **changes: Any) -> "ShopApi":
        """A shop that is installed, with a schema."""
        domain = domain or new_domain()
        installed = self.call("PUT", f"/shuttle/shops/{domain}", {"plan": "LARGE", **changes})
        assert installed.status_code == 200, installed.text
        shop = ShopApi(self, domain)
        if columns:
            assert shop.call("PUT", "schema", {"columns": columns, "key": [columns[0]["name"]]}).status_code == 200
        return shop


@dataclasses.dataclass(frozen=True, slots=True)
class ShuttleApi(Api):
    """The API of one local cloud, by signed requests."""

    cloud: Cloud

    def send(self, method: str, path: str, data: bytes) -> requests.Response:
        signed = AWSRequest(method, self.cloud.http_url + path, data=data, headers={"Content-Type": "application/json"})
        SigV4Auth(Credentials("test", "test"), "execute-api", self.cloud.region).add_auth(signed)
        return requests.request(method, self.cloud.http_url + path, data=data, headers=dict(signed.headers), timeout=60)


@dataclasses.dataclass(frozen=True, slots=True)
class FlaskApi(Api):
    """The API of a Flask application, in this process."""

    client: FlaskClient

    def send(self, method: str, path: str, data: bytes) -> requests.Response:
        answer = self.client.open(path, method=method, data=data, content_type="application/json")
        response = requests.Response()
        response.status_code, response._content = answer.status_code, answer.get_data()
        return response


@dataclasses.dataclass(frozen=True, slots=True)
class ShopApi:
    """One shop's part of the API."""

    api: Api
    domain: str

    def call(self, method: str, path: str, body: Any = None) -> requests.Response:
        """Make a request below the shop's path."""
        return self.api.call(method, f"/shuttle/shops/{self.domain}/{path}", body)

    def order(self, file_bytes: int, **order: Any) -> dict[str, Any]:
        """Create a job; the answer."""
        answer = self.call("POST", "jobs", {"file_bytes": file_bytes, **order})
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    def start(self, content: bytes, **order: Any) -> str:
        """Create a job and upload its file by one link; the job's id."""
        made = self.order(len(content), **order)
        uploaded = requests.put(made["upload"]["url"], data=content, timeout=60)
        assert uploaded.status_code == 200, uploaded.text
        return str(made["job"]["job_id"])

    def job(self, job_id: str) -> dict[str, Any]:
        """A job."""
        answer = self.call("GET", f"jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["job"])

    def ended(self, job_id: str, seconds: float = 60) -> Mapping[str, Any]:
        """A job once it has ended."""

        def look() -> dict[str, Any] | None:
            job = self.job(job_id)
            return None if job["status"] in UNFINISHED else job

        return until(look, seconds)

    def run(self, content: bytes, **order: Any) -> Mapping[str, Any]:
        """Create a job, upload its file and wait for its end."""
        return self.ended(self.start(content, **order))
